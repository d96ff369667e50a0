r"""Laws of the score of radial noise, as chains of tangents for the differential method.

A radial noise has density g of one norm of x. Along a direction its score is :math:`s(r) = -(\log g)'(r)`
times a sign or a factor that is independent of the radius r. Everything here is at unit scale, and computed
once for a set of parameters.
"""

import functools
from collections.abc import Callable

import numpy as np
from scipy import special

from jaxsmooth.radii.differential import ScoreLaw, quantile_grid
from jaxsmooth.radii.gamma_laws import gamma_ratio

_memoise = functools.lru_cache(maxsize=32)


@_memoise
def exponential_radial(dim: int, k: float, j: float) -> ScoreLaw:
    r"""A random sign times s(r), for :math:`g = r^{-j} e^{-r^k}`: ``s(r) = k r^(k-1) + j / r``.

    :math:`r^k` is Gamma((dim - j) / k), and expectations of powers of r over a set of radii are masses of
    Gamma laws of other shapes. The top set of s is upper radii, lower radii, or (k > 1, j > 0) both.

    Raises:
        ValueError: if E[1/r] is infinite: then no rate of growth is finite either.
    """
    if j > 0 and dim - j <= 1:
        raise ValueError(f"the score has no mean for j = {j:g} in {dim} dimensions; use j < {dim - 1}")
    level, lower, upper = _top_sets(dim, k, j)
    shape = (dim - j) / k
    probability = special.gammainc(shape, lower) + special.gammaincc(shape, upper)
    growth = exponential_score_mean(dim, k, j, lower, upper)
    return ScoreLaw(level, probability / 2, growth / 2, diverges=k >= 1 and j == 0)


def exponential_score_mean(dim: int, k: float, j: float, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """E[s(r); r^k < lower or r^k > upper], for the law of ``exponential_radial``."""
    mean = np.zeros_like(lower)
    for factor, power in ((k, k - 1), (j, -1.0)):
        shape = (dim - j) / k
        if factor > 0:
            other = shape + power / k
            mass = special.gammainc(other, lower) + special.gammaincc(other, upper)
            mean = mean + factor * gamma_ratio(shape, power / k) * mass
    return mean


def _top_sets(dim: int, k: float, j: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels c of s, and for each the set {s > c} as y < lower or y > upper, where y = r^k."""
    if k == 1 and j == 0:
        return np.ones(2), np.zeros(2), np.array([0.0, np.inf])
    shape = (dim - j) / k
    y = quantile_grid(lambda q: special.gammaincinv(shape, q), lambda q: special.gammainccinv(shape, q))
    score = lambda y: k * y ** ((k - 1) / k) + (j * y ** (-1 / k) if j > 0 else 0.0)
    level = score(y)
    if k <= 1:
        return level, y, np.full_like(y, np.inf)
    if j == 0:
        return level, np.zeros_like(y), y
    # s falls to its minimum at y0 and rises after it; each point has a partner on the other side.
    y0 = j / (k * (k - 1))
    left = y < y0
    # at the outer end one of the two terms alone reaches the level; the inner end is the minimum
    outer = np.log(np.where(left, (level / k) ** (k / (k - 1)), (j / level) ** k))
    inner = np.full_like(outer, np.log(y0))
    for _ in range(60):
        middle = (outer + inner) / 2
        above = score(np.exp(middle)) > level
        outer, inner = np.where(above, middle, outer), np.where(above, inner, middle)
    partner = np.exp(outer)
    return level, np.where(left, y, partner), np.where(left, partner, y)


@_memoise
def power_radial(dim: int, a: float) -> ScoreLaw:
    r"""A random sign times s(r), for :math:`g = (1 + r)^{-a}`: ``s(r) = a / (1 + r)``, r Beta prime(dim, a - dim)."""
    upper = lambda q: (lambda w: (1 - w) / w)(special.betaincinv(a - dim, dim, q))
    lower = lambda q: (lambda x: x / (1 - x))(special.betaincinv(dim, a - dim, q))
    r = quantile_grid(lower, upper)
    x, level = r / (1 + r), a / (1 + r)
    probability = special.betainc(dim, a - dim, x)
    growth = (a - dim) * special.betainc(dim, a + 1 - dim, x)
    # The score is below a, so the line of slope a through the origin is a tangent too.
    zero = np.zeros(1)
    return ScoreLaw(np.append(level, a), np.concatenate([probability / 2, zero]), np.concatenate([growth / 2, zero]))


def one_coordinate(law: ScoreLaw, dim: int) -> ScoreLaw:
    """The score of cubical noise along an axis: that of ``law`` if the largest coordinate is this one, else 0."""
    probability = np.append(law.probability / dim, [0.5 / dim, 0.5])
    # E[S+] is the growth at p = 1/2 of the signed radial score, read off its lowest tangent
    lowest = np.argmax(law.probability)
    total = (law.growth[lowest] + law.level[lowest] * (0.5 - law.probability[lowest])) / dim
    return ScoreLaw(
        np.append(law.level, [0.0, 0.0]),
        probability,
        np.append(law.growth / dim, [total, total]),
        diverges=law.diverges,
    )


def sign_sum(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The positive values of a sum of ``dim`` random signs, increasing, and their probabilities."""
    value = np.arange(dim % 2, dim + 1, 2, dtype=np.float64)
    ones = (dim + value) / 2
    log_mass = np.concatenate([[0.0], np.cumsum(np.log((dim - ones[:-1]) / (ones[:-1] + 1)))])
    mass = np.exp(log_mass)
    # symmetric about 0, which an even sum hits
    total = 2 * mass.sum() - (mass[0] if dim % 2 == 0 else 0.0)
    positive = value > 0
    return value[positive], mass[positive] / total


@_memoise
def sign_sum_law(dim: int) -> ScoreLaw:
    """The sum of ``dim`` random signs: the score of Laplace noise along a vector of signs. Its growth is a polygon."""
    value, mass = sign_sum(dim)
    at_least = np.cumsum(mass[::-1])[::-1]
    growth = np.cumsum((mass * value)[::-1])[::-1]
    # each edge of the polygon is listed at both of its ends, and the flat one, if any, at p = 1/2
    above, growth_above = np.append(at_least[1:], 0.0), np.append(growth[1:], 0.0)
    return ScoreLaw(
        np.concatenate([value, value, [0.0, 0.0]]),
        np.concatenate([above, at_least, at_least[:1], [0.5]]),
        np.concatenate([growth_above, growth, growth[:1], growth[:1]]),
    )


@_memoise
def sign_sum_product(dim: int, k: float) -> ScoreLaw:
    r"""A sum of ``dim`` random signs times s(r) = k r^(k-1), independent of it: Exp1 noise along a vector of signs."""
    if k == 1:
        return sign_sum_law(dim)
    value, mass = sign_sum(dim)
    value, mass = value[mass > 0], mass[mass > 0]
    shape = dim / k
    y = np.sort([special.gammaincinv(shape, 1e-80), special.gammainccinv(shape, 1e-80)])
    low, high = np.maximum(np.sort(k * y ** ((k - 1) / k)), 1e-150)
    evaluate = functools.partial(_product_law, value, mass, dim, k, low, high)
    # A coarse pass finds where the probability falls, a fine one follows it evenly in the logit.
    # For large k, s(r) is a power of r below what double precision holds: smaller levels are one tangent.
    coarse = np.geomspace(max(1e-4 * low, 1e-10 * value[-1] * high if k > 1 else 0.0), value[-1] * high, 2000)
    probability, _ = evaluate(coarse)
    good = probability > 1e-60
    ratio = np.minimum(2 * probability[good], 1 - 1e-16)
    logit = np.maximum.accumulate((np.log1p(-ratio) - np.log(ratio)) + 1e-9 * np.arange(good.sum()))
    fine = np.concatenate([np.arange(logit[0], 38.0, 1 / 400), np.arange(38.0, logit[-1], 1 / 10)])
    level = np.exp(np.interp(fine, logit, np.log(coarse[good])))
    level = np.concatenate([[0.0], level])
    return ScoreLaw(level, *evaluate(level), diverges=k > 1)


def _product_law(
    value: np.ndarray, mass: np.ndarray, dim: int, k: float, low: float, high: float, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """P(S s > c) and E[S s; S s > c]: values of S above c / low count whole, those below c / high not at all."""
    shape, mean = dim / k, k * gamma_ratio(dim / k, (k - 1) / k)
    whole_mass = np.append(np.cumsum(mass[::-1])[::-1], 0.0)
    whole_mean = np.append(np.cumsum((mass * value)[::-1])[::-1], 0.0)
    start, stop = np.searchsorted(value, level / high), np.searchsorted(value, level / low)
    probability, growth = whole_mass[stop].copy(), mean * whole_mean[stop]
    tail: Callable = special.gammaincc if k > 1 else special.gammainc
    for step in range(int(np.max(stop - start))):
        partial = np.flatnonzero(start + step < stop)
        which = start[partial] + step
        y = (level[partial] / (k * value[which])) ** (k / (k - 1))
        probability[partial] += mass[which] * tail(shape, y)
        growth[partial] += mass[which] * value[which] * mean * tail(shape + (k - 1) / k, y)
    return probability, growth


def spherical(dim: int, weight: np.ndarray, score: np.ndarray, mean: float, levels: int = 1200) -> ScoreLaw:
    r"""The score s(r) cos(angle) of spherical noise along any direction, from a quadrature of the radius.

    Args:
        dim: the number of coordinates.
        weight: masses of nodes of the radius, of sum one.
        score: s at these nodes, positive.
        mean: E[s] in closed form; what the nodes miss of it is added to the growth.
        levels: number of tangents.

    Returns:
        The law; ``level`` holds ``levels`` values.
    """
    half = (dim - 1) / 2
    # E[cos; cos > x] = (1 - x^2)^((d-1)/2) / (d-1) / B(1/2, (d-1)/2)
    constant = gamma_ratio(half, 0.5) / (2 * half * np.sqrt(np.pi))
    typical = float(score @ weight)
    # levels even in the normal quantile where the law is nearly normal, geometric where its tail is heavy
    inner = np.linspace(0.0, 9.5, levels // 4 * 3) * typical / np.sqrt(dim)
    outer = np.geomspace(max(inner[-1], 1e-6 * score.max()), max(score.max(), 2 * inner[-1]), levels // 4)
    level = np.concatenate([inner, outer[1:]])
    probability, growth = np.empty_like(level), np.empty_like(level)
    for i, c in enumerate(level):
        # 1 - x^2 for x = c / s, the cosine above which the score exceeds the level
        sine_squared = 1 - np.minimum(c / score, 1.0) ** 2
        probability[i] = special.betainc(half, 0.5, sine_squared) @ weight / 2
        growth[i] = (score * sine_squared**half) @ weight * constant
    missing = max(mean - typical, 0.0) * constant
    return ScoreLaw(level, probability, growth + missing)
