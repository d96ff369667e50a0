"""The registry of radius rules: for a noise and a norm, every theorem that turns a probability into a radius."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from jaxsmooth import _check

# What special functions and moments in high dimension are wrong by, relative, with room to spare.
_ERROR = 2.0**-41

# (noise, tail, dim) -> radius, with tail = 1 - p_lower in (0, 1/2], float64 arrays.
OneSided = Callable[[Any, np.ndarray, Any], np.ndarray]
# (noise, tail, p_upper, dim) -> radius, valid for any tail in (0, 1) and p_upper in [0, tail].
TwoSided = Callable[[Any, np.ndarray, np.ndarray, Any], np.ndarray]


@dataclasses.dataclass(frozen=True)
class RadiusRule:
    """One theorem: for one noise and one norm, the radius that a probability certifies.

    Attributes:
        noise_type: the class of the noise.
        norm: 1.0, 2.0 or inf.
        name: the rule's name, that of the function that computes it.
        source: theorem and paper, or "ours" with where the proof stands.
        one_sided: ``(noise, tail, dim) -> radius`` for ``tail = 1 - p_lower`` in (0, 1/2]; decreasing in
            ``tail``, 0 at 1/2. It may return inf as ``tail`` reaches 0.
        inverse: ``(noise, radius, dim) -> tail``, the largest tail that certifies the radius, where a
            closed form exists; 0 or less where none does. Root finding otherwise.
        two_sided: how a bound of the runner-up enters. ``"path"``: the rule integrates a bound of the
            growth of any probability along a path (every differential rule, and the Gaussian), so that
            both classes may be moved separately: :math:`(\\tau(p_A) - \\tau(p_B)) / 2` with the odd
            extension :math:`\\tau(1 - p) = -\\tau(p)` of the one-sided radius. A function: its own form.
            None: the runner-up's bound is not used.
        proved: whether the rule may certify. A rule kept only to reproduce a table is not proved.
        published: whether this is the radius of the literature, for ``published_radius``.
        needs_dim: whether the rule depends on the dimension of the input.
        applies: whether the rule holds for a noise, where that depends on its parameters; None: always.
        error: how far rounding may take ``one_sided`` and ``two_sided`` above the theorem, relative; radii are moved
            inward by so much, and ``inverse`` is asked for a radius as much larger.
    """

    noise_type: type
    norm: float
    name: str
    source: str
    one_sided: OneSided
    inverse: OneSided | None = None
    two_sided: Literal["path"] | TwoSided | None = None
    proved: bool = True
    published: bool = True
    needs_dim: bool = True
    applies: Callable[[Any], bool] | None = None
    error: float = _ERROR


_RULES: dict[tuple[type, float], list[RadiusRule]] = {}


def radius_rule(
    noise_type: type,
    *,
    norm: float,
    source: str,
    inverse: OneSided | None = None,
    two_sided: Literal["path"] | TwoSided | None = None,
    proved: bool = True,
    published: bool = True,
    needs_dim: bool = True,
    applies: Callable[[Any], bool] | None = None,
    error: float = _ERROR,
) -> Callable[[OneSided], OneSided]:
    """Register the decorated function as a radius rule of ``noise_type`` in ``norm``.

    Args:
        noise_type: the class of the noise the rule is for.
        norm: 1, 2 or ``np.inf``.
        source: theorem and paper, or "ours" with where the proof stands.
        inverse: the inverse of the rule, if it has a closed form.
        two_sided: how a bound of the runner-up enters; see ``RadiusRule``.
        proved: False for a rule that is kept only to reproduce a table.
        published: False for a rule that is not in the literature.
        needs_dim: False if the rule does not depend on the dimension.
        applies: ``noise -> bool``, for a rule that holds for some parameters of the family only.
        error: how far rounding may take the rule above the theorem, relative; 5e-13 by default, which is more than
            special functions are wrong by.

    Returns:
        A decorator that returns the function unchanged; the rule carries the function's name.

    Raises:
        ValueError: if the norm is unknown, or ``error`` not in (0, 1).
        TypeError: if ``noise_type`` is not a class.

    Example:
        A noise of one's own, here a Gaussian whose rule claims half of what is true:

        >>> import dataclasses, jax, jaxsmooth as js
        >>> from scipy.special import ndtri
        >>> @js.frozen_pytree
        ... class Timid(js.noises.AbstractNoise):
        ...     sigma: float
        ...     def scale(self, dim): return self.sigma
        ...     def sample(self, key, shape): return self.sigma * jax.random.normal(key, shape)
        >>> @js.radii.radius_rule(Timid, norm=2, source="ours: half of Cohen et al. 2019", needs_dim=False)
        ... def half_of_cohen(noise, tail, dim):
        ...     return -0.5 * noise.sigma * ndtri(tail)
        >>> round(float(js.certified_radius(Timid(1.0), 0.9)), 4)
        0.6408
    """
    norm, error = _check.norm(norm), _check.probability("error", error)
    if not isinstance(noise_type, type):
        raise TypeError(f"noise_type must be a class of noises; got {noise_type!r}")

    def register(one_sided: OneSided) -> OneSided:
        name = getattr(one_sided, "__name__", repr(one_sided)).lstrip("_")
        rule = RadiusRule(
            noise_type, norm, name, source, one_sided, inverse, two_sided, proved, published, needs_dim, applies, error
        )
        _RULES.setdefault((noise_type, norm), []).append(rule)
        return one_sided

    return register


def convert_norm(noise_type: type, name: str, *, norm: float, to: float, published: bool | None = None) -> None:
    r"""Register what a rule of one norm implies in another, by :math:`\|v\|_a \le d^{1/a - 1/q} \|v\|_q`.

    A radius R in the a-norm is one of R in the q-norm for q <= a, and of :math:`R / d^{1/a - 1/q}` for q > a.
    For noise that is invariant under rotations nothing is lost from a = 2.

    Args:
        noise_type: the class of the noise.
        name: the name of a rule registered for it.
        norm: the norm a of that rule.
        to: the norm q of the new rule, which is named after the old one.
        published: whether the conversion is in the literature; as the rule it converts by default.

    Raises:
        ValueError: if a norm is unknown or there is no rule of this name.
        TypeError: if ``noise_type`` is not a class.

    Example:
        >>> import jaxsmooth as js
        >>> [rule.name for rule in js.radii.rules_for(js.noises.UniformBall, 1)]
        ['yang_2020_from_l2']
    """
    norm, to = _check.norm(norm), _check.norm(to, "to")
    if not isinstance(noise_type, type):
        raise TypeError(f"noise_type must be a class of noises; got {noise_type!r}")
    found = [rule for rule in _RULES.get((noise_type, norm), []) if rule.name == name]
    if not found:
        names = [rule.name for rule in _RULES.get((noise_type, norm), [])]
        raise ValueError(f"name must be a rule of {noise_type.__name__} in norm {norm:g}, {names}; got {name!r}")
    rule, exponent = found[0], min(0.0, 1 / to - 1 / norm)
    ratio = lambda dim: float(dim) ** exponent if exponent else 1.0
    two_sided, inverse = rule.two_sided, rule.inverse
    letter = lambda norm: "linf" if math.isinf(norm) else f"l{norm:g}"
    factor = f"R / dim^{-exponent:g}" if exponent else "the same R"
    register = radius_rule(
        noise_type,
        norm=to,
        source=f"{rule.source}; as an {letter(to)} radius: {factor}",
        inverse=None if inverse is None else lambda noise, radius, dim: inverse(noise, radius / ratio(dim), dim),
        two_sided=(lambda *args: two_sided(*args) * ratio(args[-1])) if callable(two_sided) else two_sided,
        proved=rule.proved,
        published=rule.published if published is None else published,
        needs_dim=rule.needs_dim or bool(exponent),
        applies=rule.applies,
        error=max(rule.error, 2.0**-50),
    )
    converted = lambda noise, tail, dim: rule.one_sided(noise, tail, dim) * ratio(dim)
    converted.__name__ = f"{name}_from_{letter(norm)}"
    register(converted)


def rules_for(noise: Any, norm: float) -> tuple[RadiusRule, ...]:
    """The radius rules of a noise in a norm, in the order of their registration.

    Args:
        noise: a noise, of which the parameters decide between rules, or its class for all of them.
        norm: 1, 2 or ``np.inf``.

    Returns:
        At least one ``RadiusRule``.

    Raises:
        ValueError: if there is none; the message lists the pairs that have one.
        TypeError: if ``noise`` is no noise.

    Example:
        >>> import jaxsmooth as js
        >>> [rule.name for rule in rules_for(js.noises.Gaussian, 2)]
        ['cohen_2019']
    """
    norm = _check.norm(norm)
    noise_type = noise if isinstance(noise, type) else type(_check.noise(noise))
    found = _RULES.get((noise_type, norm), [])
    if not isinstance(noise, type):
        found = [rule for rule in found if rule.applies is None or rule.applies(noise)]
    if not found:
        pairs = ", ".join(sorted(f"({cls.__name__}, {n:g})" for cls, n in _RULES))
        raise ValueError(
            f"no radius rule for noise {noise_type.__name__} and norm {norm:g}; pairs with one: {pairs}. "
            "Register one with jaxsmooth.radii.radius_rule"
        )
    return tuple(found)
