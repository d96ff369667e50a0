"""Exponential noise of the l2 norm and its radii."""

import functools
import math
from typing import Any, ClassVar

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth.noises import surfaces
from jaxsmooth.noises.base import check_order
from jaxsmooth.noises.radial import AbstractExponentialNoise
from jaxsmooth.radii import LevelSet, SphericalDensity, convert_norm, radius_rule
from jaxsmooth.radii.checked_inverse import inward
from jaxsmooth.radii.gamma_laws import gamma_ratio, log_gamma_density


@frozen_pytree
class Exp2(AbstractExponentialNoise):
    r"""Spherical noise, density proportional to :math:`\|x / \lambda\|_2^{-j} e^{-\|x / \lambda\|_2^k}`.

    ``Exp2(sigma, k=2)`` is ``Gaussian(sigma)``; as k grows it becomes ``UniformBall``. The length to the power k, in
    units of lambda, is Gamma((dim - j) / k).

    Args:
        sigma: root mean square of a coordinate, in the units of ``x``; positive.
        k: the power in the exponent; positive.
        j: the order of the pole at the origin; at least 0 and below the dimension.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Exp2(0.25, k=3.0).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    k: float = static(default=1.0)
    j: float = static(default=0)

    _surface = staticmethod(surfaces.sphere)
    _limits: ClassVar = {"k": "UniformBall"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.require_positive("k", self.k)
        check_order(self.j)

    def _root(self, dim: int) -> float:
        check_order(self.j, dim)
        return math.sqrt(gamma_ratio((dim - self.j) / self.k, 2 / self.k) / dim)

    def _order(self, dim: int) -> float:
        return dim - self.j


_LEAST_POWER = 1e-300
# Beyond, level sets are thinner than double precision tells apart.
_LARGEST_K = 1000.0


@functools.lru_cache(maxsize=32)
def _level_set(dim: int, k: float, j: float) -> LevelSet:
    if k > _LARGEST_K:
        raise ValueError(
            f"k must be at most {_LARGEST_K:g} for a radius of Exp2; got {k:g}. Its limit for large k is UniformBall"
        )
    shape = (dim - j) / k

    def log_density(r: np.ndarray) -> np.ndarray:
        # Near 0 a power, also where r^k has lost its digits.
        with np.errstate(divide="ignore", under="ignore"):
            beyond = np.minimum(k * np.log(r) - math.log(_LEAST_POWER), 0.0)
            return math.log(k) + log_gamma_density(shape, np.maximum(r**k, _LEAST_POWER)) + shape * beyond

    def log_level_ratio(r: np.ndarray, t: np.ndarray) -> np.ndarray:
        y = r**k
        if j > 0:
            return _log_level_ratio_with_pole(y, t, j / k) / k
        with np.errstate(divide="ignore"):
            return np.log1p(np.maximum(-t / y, -1.0)) / k

    def log_density_spread(r: np.ndarray, rho: np.ndarray) -> np.ndarray:
        # (dim - j) u - e^(k u), by its absolute coefficients beyond the linear term
        y = r**k
        return np.abs(dim - j - k * y) * rho + y * (np.expm1(k * rho) - k * rho)

    def level_spread(r: np.ndarray, t: np.ndarray, ratio: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _spread_of_level(r**k, ratio, k, j, rho)

    return LevelSet(
        SphericalDensity(
            dim=dim,
            rms=math.sqrt(gamma_ratio(shape, 2 / k) / dim),
            quantile=lambda q: special.gammaincinv(shape, q) ** (1 / k),
            upper_quantile=lambda q: special.gammainccinv(shape, q) ** (1 / k),
            log_density=log_density,
            log_level_ratio=log_level_ratio,
            score=lambda r: k * r ** (k - 1) + j / r,
            log_density_spread=log_density_spread,
            level_spread=level_spread,
            mean_score=k * gamma_ratio(shape, (k - 1) / k) + (j * gamma_ratio(shape, -1 / k) if j > 0 else 0.0),
        )
    )


def _log_level_ratio_with_pole(y: np.ndarray, t: np.ndarray, order: float) -> np.ndarray:
    """w = k ln(s / r) with order * w + y * (e^w - 1) = -t, by Newton from the right of a convex function's root."""
    with np.errstate(divide="ignore"):
        # y may be 0 and e^w beyond doubles, but y e^w is not, on the right of the root: y e^w <= y - t.
        log_y, log_fall = np.log(y), np.log(np.maximum(-t, 0.0))
        w = np.minimum(-t / (order + y), np.where(t < 0, np.logaddexp(0.0, log_fall - log_y), np.inf))
    for _ in range(60):
        grown = np.exp(log_y + w)
        growth = np.where(w < 1, y * np.expm1(np.minimum(w, 1.0)), grown - y)
        step = (order * w + growth + t) / (order + grown)
        w = w - step
        # Newton squares the error: what is left is rounding
        if np.all(np.abs(step) <= 1e-10 * np.abs(w) + 1e-300):
            break
    return w


def _spread_of_level(
    y: np.ndarray, w: np.ndarray, k: float, j: float, rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""How far w = ln(s / r) and ln s can lie from their values, for y = r^k in a disc about the given one.

    s is the root of j ln s + s^k = j ln r + y - t. Each change is the fixed point of a map: if that maps a disc into
    itself and contracts there, it has one root in it, which is analytic in y.
    """
    with np.errstate(all="ignore"):
        moved, s = np.expm1(k * rho), y * np.exp(k * w)
        rest, slope = np.abs(np.expm1(k * w)), j + k * s
        ratio = 2 * moved * y * rest / slope
        step = np.expm1(k * ratio)
        image = (s * (step - k * ratio) + moved * (y * rest + s * step)) / slope
        contracts = (image <= ratio) & (k * s * (step + moved * (1 + step)) < 0.99 * slope)
        ratio = np.where(contracts, ratio, np.inf)
        change = (j * rho + y * moved) / slope
        log_s = 2 * change
        step = np.expm1(k * log_s)
        contracts = (change + s * (step - k * log_s) / slope <= log_s) & (k * s * step < 0.99 * slope)
        return ratio, np.where(contracts, log_s, np.inf)


def _refuse_one_dimension(noise: Exp2, dim: int) -> None:
    if dim < 2:
        same = "ExpInf: use ExpInf(sigma, k, j)" if noise.j else "Expp: use Expp(sigma, p=k)"
        raise ValueError(f"Exp2 has a radius for dim >= 2; in one dimension it is {same}")


@radius_rule(
    Exp2,
    norm=2,
    source="Yang et al. 2020, level-set method; exact",
    applies=lambda noise: (noise.k, noise.j) != (1, 0),
)
def yang_2020(noise: Exp2, dim: int) -> LevelSet:
    """The worst classifier answers on a level set of the likelihood ratio (Neyman-Pearson), found by its mass.

    A bound of the runner-up enters through the differential method for the same noise.
    """
    _refuse_one_dimension(noise, dim)
    return _level_set(dim, noise.k, noise.j)


@radius_rule(
    Exp2,
    norm=2,
    source="ours: level-set method also for k = 1, j = 0; exact",
    published=False,
    applies=lambda noise: (noise.k, noise.j) == (1, 0),
)
def level_set(noise: Exp2, dim: int) -> LevelSet:
    """The level-set radius where the literature has a closed form by the differential method, up to 1 % smaller."""
    _refuse_one_dimension(noise, dim)
    return _level_set(dim, noise.k, noise.j)


@radius_rule(
    Exp2,
    norm=2,
    source="Yang et al. 2020, differential method, closed form for k = 1, j = 0",
    two_sided="path",
    applies=lambda noise: (noise.k, noise.j) == (1, 0),
)
def yang_2020_closed(noise: Exp2, tail: np.ndarray, dim: int) -> np.ndarray:
    """The score is the cosine of a uniform direction: (d - 1) atanh(1 - 2 q), q the quantile of a symmetric Beta."""
    _refuse_one_dimension(noise, dim)
    half = (dim - 1) / 2
    # atanh(1 - 2 q) = ln((1 - q) / q) / 2
    enough = lambda inverse: special.betainc(half, half, 1 / inverse) * (1 - 1e-14) >= tail
    with np.errstate(divide="ignore"):
        # Where no quantile is known that is small enough, none below the median is.
        q = np.minimum(1 / inward(1 / special.betaincinv(half, half, tail), enough), 0.5)
    return (1 - 1e-12) * noise.scale(dim) * half * (np.log1p(-q) - np.log(q))


convert_norm(Exp2, norm=2, to=1)
convert_norm(Exp2, norm=2, to=np.inf)
