"""The certified radius of a probability, and the probability that a radius requires."""

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike, Noise
from jaxsmooth.radii.registry import RadiusRule, rules_for

# How much more of a rule's error may be in each of two radii of which the difference is taken, from above or below.
_OF_A_DIFFERENCE = 16


def certified_radius(
    noise: Noise, p_lower: ArrayLike, *, norm: float = 2, dim: int | None = None, p_upper: ArrayLike | None = None
) -> Any:
    r"""The radius within which the smoothed classifier's answer provably cannot change.

    The largest radius that any proved rule of (noise, norm) gives. For Gaussian noise and norm 2,
    :math:`\frac{\sigma}{2}(\Phi^{-1}(p_A) - \Phi^{-1}(p_B))` with :math:`p_B = 1 - p_A` by default.

    Radii of ``Exp2`` and ``Pow2`` take 1 to 10 ms each. Above 2,048 different ``p_lower`` in one call (512 below 16
    dimensions) they are continued from 1,024 (384) of them and come out smaller: measured, by at most 1e-3
    (median at most 2e-4), below 16 dimensions by 4e-3, and by 4e-2 for very wide laws in two (k = 0.2) and for poles
    ``j`` within 2 of the dimension. Ask in smaller calls for all digits. For powers ``k`` of 300 and more radii in few
    dimensions are up to 3 % too small.

    Args:
        noise: the noise, with a concrete ``sigma``; the radius is in its units.
        p_lower: lower bound of the probability of the top class, any shape, in [0, 1].
        norm: 1, 2 or ``np.inf``: the norm of the perturbation.
        dim: the number of coordinates of one input; needed by most rules.
        p_upper: upper bound of the probability of every other class; ``1 - p_lower`` by default. With it
            a radius can be certified for ``p_lower`` below 1/2, where the rule of the noise uses it: those of
            ``LatticeGaussian`` and of a sigma for every image do not.

    Returns:
        float64 of the broadcast shape, rounded down; 0 where nothing is certified.

    Raises:
        ValueError: for a probability outside [0, 1], an unknown norm, a pair without a rule, a missing
            ``dim``, or ``p_lower = 1`` where the radius would be infinite.
        TypeError: for traced values; inside ``jit`` use ``radius_table`` and ``certify_batch``.

    References:
        The rule behind each value: ``jaxsmooth.radii.explain_radius``.

    Example:
        >>> import jaxsmooth as js
        >>> round(float(js.certified_radius(js.noises.Gaussian(0.5), 0.99)), 4)
        1.1632
    """
    radii, _ = _radii_by_rule(noise, p_lower, norm, dim, p_upper)
    return np.max(radii, axis=0)[()]


def explain_radius(
    noise: Noise, p_lower: ArrayLike, *, norm: float = 2, dim: int | None = None, p_upper: ArrayLike | None = None
) -> tuple[Any, Any]:
    """The certified radius together with the rule that gave it.

    Args:
        noise: as in ``certified_radius``.
        p_lower: as in ``certified_radius``.
        norm: as in ``certified_radius``.
        dim: as in ``certified_radius``.
        p_upper: as in ``certified_radius``.

    Returns:
        ``(radius, rule)``: float64, and strings of the same shape, ``"name: source"``; empty where the
        radius is 0.

    Raises:
        ValueError: as ``certified_radius``.

    Example:
        >>> import jaxsmooth as js
        >>> js.radii.explain_radius(js.noises.Gaussian(1.0), 0.9)[1]
        'cohen_2019: Cohen et al. 2019, Theorem 1; exact'
    """
    radii, rules = _radii_by_rule(noise, p_lower, norm, dim, p_upper)
    names = np.array([*(rule.in_words(noise, dim) for rule in rules), None], dtype=object)[:-1]
    radius = np.max(radii, axis=0)
    rule = np.where(radius > 0, np.take(names, np.argmax(radii, axis=0)), np.array("", dtype=object))
    return radius[()], rule[()]


def published_radius(noise: Noise, p_lower: ArrayLike, *, norm: float = 2, dim: int | None = None) -> Any:
    """The radius as published for this noise and norm, to reproduce tables of the literature.

    Never above ``certified_radius``, except where the published rule is wrong: such a rule is not used
    to certify.

    Args:
        noise: as in ``certified_radius``.
        p_lower: as in ``certified_radius``.
        norm: as in ``certified_radius``.
        dim: as in ``certified_radius``.

    Returns:
        float64 of the shape of ``p_lower``; 0 for ``p_lower <= 1/2``.

    Raises:
        ValueError: as ``certified_radius``, and if no formula was published for this pair.

    Example:
        >>> import jaxsmooth as js
        >>> round(float(js.radii.published_radius(js.noises.Gaussian(1.0), 0.9)), 4)
        1.2816
    """
    norm = _check.norm(norm)
    rules = [rule for rule in rules_for(noise, norm) if rule.published]
    if not rules:
        raise ValueError(
            f"no published radius for noise {type(noise).__name__} and norm {norm:g}; use certified_radius"
        )
    p_lower = _check.probabilities("p_lower", p_lower)
    noise, dim = _checked(rules, noise, dim)
    p_lower = _spread(noise, p_lower)
    return np.max([_one_sided(rule, noise, p_lower, dim) for rule in rules], axis=0)[()]


def required_probability(noise: Noise, radius: ArrayLike, *, norm: float = 2, dim: int | None = None) -> Any:
    r"""The smallest probability of the top class that certifies a radius: the inverse of ``certified_radius``.

    For Gaussian noise and norm 2, :math:`\Phi(R / \sigma)`.

    Args:
        noise: the noise, with a concrete ``sigma``.
        radius: radii in the units of the noise, any shape, finite and at least 0.
        norm: 1, 2 or ``np.inf``.
        dim: the number of coordinates of one input; needed by most rules.

    Returns:
        float64 of the shape of ``radius``, rounded up; 1/2 at radius 0, inf where no probability
        suffices (noises of bounded support).

    Raises:
        ValueError: for a negative or infinite radius, an unknown norm, a pair without a rule, or a
            missing ``dim``.

    Example:
        >>> import jaxsmooth as js
        >>> round(float(js.required_probability(js.noises.Gaussian(0.5), 0.5)), 4)
        0.8413
    """
    rules = [rule for rule in rules_for(noise, norm) if rule.proved]
    radius = _check.nonnegative("radius", radius)
    noise, dim = _checked(rules, noise, dim)
    radius = _spread(noise, radius)
    tail = np.max([_largest_tail(rule, noise, radius, dim) for rule in rules], axis=0)
    required = np.nextafter(1 - tail * (1 - 2.0**-40), 1)
    return np.where(tail <= 0, np.inf, np.where(radius == 0, 0.5, np.minimum(required, 1.0)))[()]


def _radii_by_rule(
    noise: Noise, p_lower: ArrayLike, norm: float, dim: int | None, p_upper: ArrayLike | None
) -> tuple[np.ndarray, list[RadiusRule]]:
    norm = _check.norm(norm)
    rules = [rule for rule in rules_for(noise, norm) if rule.proved]
    if not rules:
        raise ValueError(f"no proved radius rule for noise {type(noise).__name__} and norm {norm:g}")
    p_lower = _check.probabilities("p_lower", p_lower)
    noise, dim = _checked(rules, noise, dim)
    p_lower = _spread(noise, p_lower)
    one_sided = [_one_sided(rule, noise, p_lower, dim) for rule in rules]
    if not np.isfinite(one_sided).all():
        raise ValueError(
            f"p_lower = 1 certifies an infinite radius under {type(noise).__name__} noise; "
            "use a confidence bound, which is below 1 (bounds.clopper_pearson_lower)"
        )
    if p_upper is None:
        return np.array(one_sided), rules
    p_upper = _check.probabilities("p_upper", p_upper)
    p_lower, p_upper = np.broadcast_arrays(p_lower, p_upper)
    two_sided = [_two_sided(rule, noise, p_lower, np.minimum(p_upper, _tail(p_lower)), dim) for rule in rules]
    return np.maximum(np.broadcast_arrays(*one_sided, *two_sided)[: len(rules)], two_sided), rules


def _tail(p_lower: np.ndarray) -> np.ndarray:
    """1 - p_lower, rounded up; exact for p_lower >= 1/2."""
    tail = 1 - p_lower
    return np.where(1 - tail > p_lower, np.nextafter(tail, 1), tail)


def _one_sided(rule: RadiusRule, noise: Noise, p_lower: np.ndarray, dim: int | None) -> np.ndarray:
    """The rule's radius at the complement 1 - p_lower; 0 for p_lower <= 1/2."""
    tail = np.atleast_1d(1 - p_lower)
    radius = np.zeros_like(tail)
    above = tail < 0.5
    if above.any():
        with np.errstate(divide="ignore", over="ignore"):
            radius[above] = np.maximum(rule.one_sided(_only(noise, above), tail[above], dim), 0.0) * (1 - rule.error)
    return radius.reshape(p_lower.shape)


def _two_sided(
    rule: RadiusRule, noise: Noise, p_lower: np.ndarray, runner_up: np.ndarray, dim: int | None
) -> np.ndarray:
    """The rule's radius when the runner-up has at most probability ``runner_up`` <= 1 - p_lower."""
    if rule.two_sided is None:
        return np.zeros(p_lower.shape)
    if rule.two_sided == "path":
        ends = [_odd(rule, noise, p, dim) for p in (p_lower, runner_up)]
        slack = _OF_A_DIFFERENCE * rule.error * (np.abs(ends[0]) + np.abs(ends[1]))
        return np.maximum((ends[0] - ends[1] - slack) / 2, 0.0)
    beats = p_lower > runner_up
    tail = np.where(beats, _tail(p_lower), 0.5)
    with np.errstate(divide="ignore", over="ignore"):
        radius = rule.two_sided(noise, np.atleast_1d(tail), np.atleast_1d(np.where(beats, runner_up, 0.5)), dim)
    return np.where(beats, np.maximum(radius.reshape(p_lower.shape), 0.0), 0.0) * (1 - rule.error)


def _odd(rule: RadiusRule, noise: Noise, p: np.ndarray, dim: int | None) -> np.ndarray:
    """The one-sided radius, extended to all p by tau(1 - p) = -tau(p)."""
    p = np.clip(p, np.finfo(np.float64).tiny, None)
    tail = np.atleast_1d(np.where(p > 0.5, 1 - p, p))
    with np.errstate(divide="ignore", over="ignore"):
        magnitude = np.where(tail == 0.5, 0.0, rule.one_sided(noise, tail, dim)).reshape(np.shape(p))
    return np.where(p > 0.5, magnitude, -magnitude)


def _largest_tail(rule: RadiusRule, noise: Noise, radius: np.ndarray, dim: int | None) -> np.ndarray:
    """The largest tail at which the rule certifies the radius; at most 0 if there is none."""
    flat = np.atleast_1d(radius).ravel()
    noise = _only(noise, np.full(np.shape(np.atleast_1d(radius)), True))
    if rule.inverse is not None:
        tail = np.asarray(rule.inverse(noise, flat * (1 + 2 * rule.error), dim), np.float64)
    else:
        # Bisection in log tail: the lower end keeps the radius certified, so the result is on the safe side.
        low, high = np.full(flat.shape, np.log(1e-300)), np.full(flat.shape, np.log(0.5))
        certifies = lambda t: rule.one_sided(noise, np.exp(t), dim) * (1 - rule.error) >= flat
        attainable = certifies(low)
        for _ in range(64):
            middle = (low + high) / 2
            ok = certifies(middle)
            low, high = np.where(ok, middle, low), np.where(ok, high, middle)
        tail = np.where(attainable, np.exp(low), 0.0)
    return np.where(flat == 0, 0.5, np.minimum(tail, 0.5)).reshape(radius.shape)


def _spread(noise: Noise, values: np.ndarray) -> np.ndarray:
    """The values, for a noise with one sigma per image broadcast against its sigma."""
    sigma = np.asarray(getattr(noise, "sigma", 0.0))
    return values if sigma.ndim == 0 else np.broadcast_arrays(values, sigma)[0]


def _only(noise: Noise, chosen: np.ndarray) -> Noise:
    """The noise at some of the values, where it has one sigma per image; the noise itself otherwise."""
    if np.ndim(getattr(noise, "sigma", 0.0)) == 0:
        return noise
    return jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf, np.float64), chosen.shape)[chosen], noise)


def _has_field(value: object, name: str) -> bool:
    return dataclasses.is_dataclass(value) and name in {field.name for field in dataclasses.fields(value)}


def _checked(rules: list[RadiusRule], noise: Any, dim: int | None) -> tuple[Any, int | None]:
    """The noise with the sigma that draws have, float32, in double precision, and dim as an int."""
    if isinstance(noise, type):
        raise TypeError(f"noise must be an instance, for example jaxsmooth.noises.Gaussian(0.25); got {noise!r}")
    sigma = getattr(noise, "sigma", 1.0)
    if _check.is_traced(sigma):
        raise TypeError(
            "noise is traced by JAX; certificates are computed on the host in float64. "
            "Inside jit use radius_table and certify_batch"
        )
    sigma = _check.sampled_sigma("noise.sigma", sigma)
    if _has_field(noise, "sigma") and not getattr(noise, "exact_sigma", False):
        noise = dataclasses.replace(noise, sigma=sigma)
    dim = _check.dimension(dim)
    if dim is None and any(rule.needs_dim for rule in rules):
        raise ValueError(
            f"dim is needed for noise {type(noise).__name__} and norm {rules[0].norm:g}: "
            "pass the number of coordinates of one input"
        )
    return noise, dim
