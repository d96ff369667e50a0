"""The tail that a radius of spherical noise requires, by a quadrature that shares nothing with the library.

The masses of the worst set at both ends of the shift, integrated in the log of the length between all kinks (where a
sphere begins or ceases to be covered, found by bisection), with a substitution that takes their square roots away.
"""

import itertools
from collections.abc import Callable

import numpy as np
from scipy import optimize, special

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(30)
_EDGES = np.linspace(-np.pi / 2, np.pi / 2, 41)
_HALF = np.diff(_EDGES)[:, None] / 2
_THETA, _THETA_WEIGHT = (_EDGES[:-1, None] + _HALF * (1 + _NODE)).ravel(), (_HALF * _WEIGHT).ravel()
Function = Callable[..., np.ndarray]


def law(family: str, dim: int, k: float, parameter: float) -> tuple[Function, Function]:
    """The density of u = ln r at unit scale, and ln(s / r) as a function of u and the level t."""
    if family == "Pow2":
        a = parameter
        norm = np.log(k) - special.betaln(dim / k, a - dim / k)
        density = lambda u: np.exp(norm + dim * u - a * np.logaddexp(0, k * u))

        def ratio(u: np.ndarray, t: float) -> np.ndarray:
            power = np.exp(-t / a) + np.exp(-k * u) * np.expm1(-t / a)  # s^k / r^k
            near = np.log1p((1 + np.exp(-k * u)) * np.expm1(-t / a))
            return np.where(power > 0.5, near, np.log(np.maximum(power, 0.0))) / k

        return density, ratio
    j, shape = parameter, (dim - parameter) / k
    norm = np.log(k) - special.gammaln(shape)
    density = lambda u: np.exp(norm + (dim - j) * u - np.exp(np.minimum(k * u, 600)))
    if j == 0:
        return density, lambda u, t: np.log(np.maximum(1 - t * np.exp(-k * u), 0.0)) / k

    def ratio(u: np.ndarray, t: float) -> np.ndarray:
        # s^k + (j / k) ln s^k is known: Wright's omega; two Newton steps for the digits that ln(s / r) loses
        y = np.exp(np.minimum(k * u, 600))
        z = (k / j) * (y - t) + k * u + np.log(k / j)
        w = (np.log(j / k) + np.where(z < -600, z, np.log(special.wrightomega(np.maximum(z, -600))))) / k - u
        for _ in range(3):
            w = w - (j * w + y * np.expm1(k * w) + t) / (j + k * y * np.exp(k * w))
        return w

    return density, ratio


def masses(family: str, dim: int, k: float, parameter: float, e: float, t: float) -> tuple[float, float]:
    """q(S) and q(S - v) for S = {log q(x - v) - log q(x) >= t} and a shift of length e."""
    density, ratio = law(family, dim, k, parameter)
    grid = np.linspace(-600, 600, 24001)
    keep = np.flatnonzero(density(grid) > density(grid).max() * 1e-40)
    low, high = grid[max(keep[0] - 1, 0)], grid[min(keep[-1] + 1, len(grid) - 1)]

    def before(u: np.ndarray) -> np.ndarray:
        r, w = np.exp(u), np.minimum(ratio(u, t), 300)
        return (1 - (e * e - r * r * np.expm1(2 * w)) / (2 * r * e)) / 2

    def after(u: np.ndarray) -> np.ndarray:
        r, w = np.exp(u), np.minimum(ratio(u, -t), 300)
        return (1 - (r * r * np.expm1(2 * w) - e * e) / (2 * r * e)) / 2

    return _integral(density, before, low, high, np.log(e), dim), _integral(density, after, low, high, np.log(e), dim)


def _integral(density: Function, cap: Function, low: float, high: float, log_e: float, dim: int) -> float:
    spread = np.logspace(-14, 2.5, 1200)
    u = np.concatenate([np.linspace(low, high, 2001), log_e - spread, log_e + spread, [log_e]])
    u = np.unique(np.clip(u, low, high))
    value, kinks = cap(u), [low, high]
    for target in (0.0, 1.0):
        sign = np.sign(value - target)
        for i in np.flatnonzero((sign[:-1] * sign[1:] < 0) & np.isfinite(value[:-1]) & np.isfinite(value[1:])):
            kinks.append(optimize.brentq(lambda x: float(cap(np.array(x))) - target, u[i], u[i + 1], xtol=1e-15))  # noqa: B023
    kinks, total, half_dim = np.unique(kinks), 0.0, (dim - 1) / 2
    for a, b in itertools.pairwise(kinks):
        middle = float(cap(np.array((a + b) / 2)))
        if middle > 0:
            x = (a + b) / 2 + (b - a) / 2 * np.sin(_THETA)
            part = special.betainc(half_dim, half_dim, np.clip(cap(x), 0, 1)) if middle < 1 else 1.0
            total += (density(x) * (b - a) / 2 * np.cos(_THETA) * part) @ _THETA_WEIGHT
    return float(total)


def needed_tail(family: str, dim: int, k: float, parameter: float, e: float) -> float:
    """The largest 1 - p at which the distance e, at unit scale, is certified."""
    with np.errstate(all="ignore"):
        return _needed_tail(lambda t: masses(family, dim, k, parameter, e, t))


def _needed_tail(masses: Callable[[float], tuple[float, float]]) -> float:
    over = lambda t: masses(t)[1] - 0.5
    high = 1e-3
    while over(high) > 0:
        high *= 2
    low = high / 2 if high > 1e-3 else 0.0
    t = optimize.brentq(over, low, high, xtol=1e-13, rtol=1e-12)
    # to first order, what remains of q(S - v) = 1/2
    here, there = masses(t)
    return here + np.exp(-t) * (0.5 - there)
