"""The registry of radius rules: for a noise and a norm, every theorem that turns a probability into a radius."""

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import norm_in_words
from jaxsmooth._types import Noise

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
        detail: ``(noise, dim) -> text`` that ``certificates.rule`` says before the source, or None.
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
    detail: Callable[[Any, Any], str] | None = None

    def in_words(self, noise: Any, dim: int | None) -> str:
        """The rule as ``certificates.rule`` names it.

        Args:
            noise: the noise.
            dim: the number of coordinates, or None.

        Returns:
            ``"name: source"``, with the detail before the source.
        """
        detail = "" if self.detail is None else self.detail(noise, dim)
        return f"{self.name}: {detail}{self.source}"


# Names of rules that were made by ``convert_norm``.
_CONVERTED = re.compile(r"_from_l(1|2|inf)$")
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
    detail: Callable[[Any, Any], str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a radius rule of ``noise_type`` in ``norm``.

    The function is ``(noise, tail, dim) -> radius``, or ``(noise, dim) -> law``: an object with ``radius(tail)``,
    ``tail(radius)`` and ``between(tail, p_upper)`` at unit scale, such as a ``ScoreLaw`` or a ``LevelSet``, which
    ``noise.scale(dim)`` multiplies. A second rule of a name replaces the first if its source is the same.

    Args:
        noise_type: the class of the noise the rule is for.
        norm: 1, 2 or ``np.inf``.
        source: theorem and paper, or "ours" with where the proof stands.
        inverse: the inverse of the rule, if it has a closed form.
        two_sided: how a bound of the runner-up enters; see ``RadiusRule``. A law needs neither this nor ``inverse``.
        proved: False for a rule that is kept only to reproduce a table.
        published: False for a rule that is not in the literature.
        needs_dim: False if the rule does not depend on the dimension.
        applies: ``noise -> bool``, for a rule that holds for some parameters of the family only.
        error: how far rounding may take the rule above the theorem, relative; 5e-13 by default, which is more than
            special functions are wrong by.
        detail: ``(noise, dim) -> text``, what ``certificates.rule`` is to say before the source.

    Returns:
        A decorator that returns the function unchanged; the rule carries the function's name.

    Raises:
        ValueError: if the norm is unknown, ``error`` not in (0, 1), or a rule of this name has another source.
        TypeError: if ``noise_type`` is not a class.

    Example:
        A noise of one's own, here a Gaussian whose rule claims half of what is true:

        >>> import dataclasses, jax, jaxsmooth as js
        >>> from scipy.special import ndtri
        >>> @js.frozen_pytree
        ... class Timid(js.noises.AbstractNoise):
        ...     sigma: float
        ...
        ...     def scale(self, dim):
        ...         return self.sigma
        ...
        ...     def sample(self, key, shape):
        ...         return self.sigma * jax.random.normal(key, shape)
        >>> @js.radii.radius_rule(
        ...     Timid, norm=2, source="ours: half of Cohen et al. 2019", needs_dim=False
        ... )
        ... def half_of_cohen(noise, tail, dim):
        ...     return -0.5 * noise.sigma * ndtri(tail)
        >>> round(float(js.certified_radius(Timid(1.0), 0.9)), 4)
        0.6408
    """
    norm, error = _check.norm(norm), _check.probability("error", error)
    if not isinstance(noise_type, type):
        raise TypeError(f"noise_type must be a class of noises; got {noise_type!r}")

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = getattr(function, "__name__", repr(function)).lstrip("_")
        forms = (function, inverse, two_sided)
        if len(inspect.signature(function).parameters) == 2:
            forms = _forms_of_law(function, *forms[1:])
        rules = _RULES.setdefault((noise_type, norm), [])
        rule = RadiusRule(noise_type, norm, name, source, *forms, proved, published, needs_dim, applies, error, detail)
        same = [i for i, other in enumerate(rules) if other.name == name]
        if not same:
            rules.append(rule)
        elif rules[same[0]].source == source:
            rules[same[0]] = rule
        else:
            raise ValueError(
                f"{noise_type.__name__} has a rule {name!r} for norm {norm:g} from {rules[same[0]].source!r}; "
                "name the function differently, or give the same source to replace the rule"
            )
        return function

    return register


def _forms_of_law(
    law_of: Callable[[Any, Any], Any], inverse: OneSided | None, two_sided: Literal["path"] | TwoSided | None
) -> tuple[OneSided, OneSided, Literal["path"] | TwoSided | None]:
    """The three functions of a rule from its law at unit scale."""
    scale = lambda noise, dim: noise.scale(1 if dim is None else dim)
    between = lambda law, *bounds: law.between(*bounds) if hasattr(law, "between") else np.zeros_like(bounds[0])
    return (
        lambda noise, tail, dim: scale(noise, dim) * law_of(noise, dim).radius(tail),
        inverse or (lambda noise, radius, dim: law_of(noise, dim).tail(radius / scale(noise, dim))),
        two_sided or (lambda noise, tail, p_upper, dim: scale(noise, dim) * between(law_of(noise, dim), tail, p_upper)),
    )


def convert_norm(
    noise_type: type, name: str | None = None, *, norm: float, to: float, published: bool | None = None
) -> None:
    r"""Register what the rules of one norm imply in another, by :math:`\|v\|_a \le d^{1/a - 1/q} \|v\|_q`.

    A radius R in the a-norm is one of R in the q-norm for q <= a, and of :math:`R / d^{1/a - 1/q}` for q > a.
    For noise that is invariant under rotations nothing is lost from a = 2.

    Args:
        noise_type: the class of the noise.
        name: the name of a rule registered for it; all that are no conversions themselves by default.
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
    rules = _RULES.get((noise_type, norm), [])
    found = [rule for rule in rules if rule.name == name or (name is None and not _CONVERTED.search(rule.name))]
    if not found:
        names = [rule.name for rule in rules]
        raise ValueError(f"name must be a rule of {noise_type.__name__} in norm {norm:g}, {names}; got {name!r}")
    for rule in found:
        _convert(rule, to, published)


def _convert(rule: RadiusRule, to: float, published: bool | None) -> None:
    exponent = min(0.0, 1 / to - 1 / rule.norm)
    ratio = lambda dim: float(dim) ** exponent if exponent else 1.0
    two_sided, inverse = rule.two_sided, rule.inverse
    factor = f"R / dim^{-exponent:g}" if exponent else "the same R"
    register = radius_rule(
        rule.noise_type,
        norm=to,
        source=f"{rule.source}; as an {norm_in_words(to)} radius: {factor}",
        inverse=None if inverse is None else lambda noise, radius, dim: inverse(noise, radius / ratio(dim), dim),
        two_sided=(lambda *args: two_sided(*args) * ratio(args[-1])) if callable(two_sided) else two_sided,
        proved=rule.proved,
        published=rule.published if published is None else published,
        needs_dim=rule.needs_dim or bool(exponent),
        applies=rule.applies,
        error=max(rule.error, 2.0**-50),
        detail=rule.detail,
    )
    converted = lambda noise, tail, dim: rule.one_sided(noise, tail, dim) * ratio(dim)
    converted.__name__ = f"{rule.name}_from_{norm_in_words(rule.norm)}"
    register(converted)


def rules_for(noise: Noise, norm: float) -> tuple[RadiusRule, ...]:
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
        _check.refuse_views(noise)
        pairs = ", ".join(sorted(f"({cls.__name__}, {n:g})" for cls, n in _RULES))
        raise ValueError(
            f"no radius rule for noise {noise_type.__name__} and norm {norm:g}; pairs with one: {pairs}. "
            "Register one with jaxsmooth.radii.radius_rule"
        )
    return tuple(found)
