"""Power-law noise of the l2 norm and its radii."""

import functools
import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random, surfaces
from jaxsmooth.noises.radial import AbstractRadialNoise
from jaxsmooth.noises.refused_radii import refused_by_name
from jaxsmooth.radii import LevelSet, SphericalDensity, convert_norm, radius_rule
from jaxsmooth.radii.gamma_laws import gamma_ratio, log_beta_prime_density


@frozen_pytree
class Pow2(AbstractRadialNoise):
    r"""Spherical noise with polynomial tails, density proportional to :math:`(1 + \|x / \lambda\|_2^k)^{-a}`.

    The length to the power k, in units of lambda, is Beta prime(dim / k, a - dim / k).

    Args:
        sigma: root mean square of a coordinate, in the units of ``x``; positive.
        k: the power of the length; positive.
        a: the power of the density, above (dim + 2) / k; (dim + 10) / k by default.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Pow2(0.25).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    k: float = static(default=1.0)
    a: float | None = static(default=None)

    _surface = staticmethod(surfaces.sphere)
    _limits: ClassVar = {"k": "a smaller k", "a": "Exp2"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.require_positive("k", self.k)
        if self.a is not None:
            _check.require_positive("a", self.a)

    def _root(self, dim: int) -> float:
        return _rms(dim, self.k, self.power(dim))

    def _law(self, dim: int) -> float32_law.LengthLaw:
        above, below = self._shapes(dim)
        return float32_law.beta_prime_length(above, below, float(self.k), -math.log(self._root(dim)))

    def _length(self, key: Array, dim: int, *, plain: bool) -> tuple[Array, Array]:
        (above, below), k, root = self._shapes(dim), float(self.k), self._root(dim)
        key_above, key_below, key_direction = random.split(key, 3)
        if plain:
            log_length = (random.log_gamma(key_above, above) - random.log_gamma(key_below, below)) / k
            return self.sigma / root * jnp.exp(log_length), key_direction
        length = random.beta_prime_radius((key_above, key_below), above, below, k, 1 / root)
        return self.sigma * length, key_direction

    def _shapes(self, dim: int) -> tuple[float, float]:
        """Of the Gamma numbers whose ratio is the length to the power k."""
        return dim / self.k, self.power(dim) - dim / self.k

    def power(self, dim: int) -> float:
        """The power a for ``dim`` coordinates: the one given, or the family's default."""
        a = (dim + 10) / self.k if self.a is None else float(self.a)
        if a * self.k <= dim + 2:
            least = (dim + 2) / self.k
            raise ValueError(f"a must exceed (dim + 2) / k = {least:g}, else the noise has no variance; got {self.a!r}")
        return a


def _rms(dim: int, k: float, a: float) -> float:
    return math.sqrt(gamma_ratio(dim / k, 2 / k) * gamma_ratio(a - dim / k, -2 / k) / dim)


@functools.lru_cache(maxsize=32)
def _level_set(dim: int, k: float, a: float) -> LevelSet:
    above, below = dim / k, a - dim / k

    def log_level_ratio(r: np.ndarray, t: np.ndarray) -> np.ndarray:
        # s^k / r^k = e^(-t / a) + (e^(-t / a) - 1) / r^k, whose distance to 1 or to 0 may be small
        with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
            inverse, change = r**-k, np.expm1(-t / a)
            near, far = (1 + inverse) * change, np.exp(-t / a) + inverse * change
            return np.where(near > -0.5, np.log1p(np.maximum(near, -0.5)), np.log(np.maximum(far, 0.0))) / k

    def log_density_spread(r: np.ndarray, rho: np.ndarray) -> np.ndarray:
        # dim u - a ln(1 + e^(k u)): by the change of e^(k u), of e^(-k u), or the second derivative, that of a logistic
        # law, with |cosh| >= cos(Im) cosh(Re)
        x = 1 / (1 + r**-k)
        with np.errstate(all="ignore"):
            moved = np.expm1(k * rho)
            log = lambda part: np.where(part < 1, -a * np.log1p(-np.minimum(part, 1.0)), np.inf)
            inner, outer = dim * rho + log(x * moved), np.abs(dim - a * k) * rho + log((1 - x) * moved)
            curvature = a * k * k * x * (1 - x) * np.exp(k * rho) / np.cos(np.minimum(k * rho / 2, 1.0)) ** 2
            middle = np.where(k * rho < 2, np.abs(dim - a * k * x) * rho + curvature * rho**2 / 2, np.inf)
            return np.fmin(np.fmin(inner, outer), middle)

    def level_spread(r: np.ndarray, t: np.ndarray, ratio: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # s^k / r^k = e^(-t / a) + (e^(-t / a) - 1) / r^k, and s^k = e^(-t / a) (1 + r^k) - 1
        with np.errstate(all="ignore"):
            moved = np.expm1(k * rho) * np.exp(-k * ratio)
            spread = lambda part: np.where(part < 1, -np.log1p(-np.minimum(part, 1.0)) / k, np.inf)
            return spread(moved * r**-k * np.abs(np.expm1(-t / a))), spread(moved * np.exp(-t / a))

    # E[k a r^(k-1) / (1 + r^k)], a Beta prime moment
    mean_score = k * a * gamma_ratio(above, (k - 1) / k) * gamma_ratio(below, 1 / k) / (above + below)
    return LevelSet(
        SphericalDensity(
            dim=dim,
            rms=_rms(dim, k, a),
            quantile=lambda q: (lambda x: x / (1 - x))(special.betaincinv(above, below, q)) ** (1 / k),
            upper_quantile=lambda q: (lambda x: (1 - x) / x)(special.betaincinv(below, above, q)) ** (1 / k),
            log_density=lambda r: math.log(k) + log_beta_prime_density(above, below, r**k),
            log_level_ratio=log_level_ratio,
            score=lambda r: a * k * r ** (k - 1) / (1 + r**k),
            log_density_spread=log_density_spread,
            level_spread=level_spread,
            mean_score=mean_score,
        )
    )


@radius_rule(
    Pow2,
    norm=2,
    source="Yang et al. 2020, level-set method; exact",
)
def yang_2020(noise: Pow2, dim: int) -> LevelSet:
    """The worst classifier answers on a level set of the likelihood ratio (Neyman-Pearson), found by its mass.

    A bound of the runner-up enters through the differential method for the same noise.
    """
    a = noise.power(dim)
    if dim < 2:
        instead = "; in one dimension it is Pareto: use Pareto(sigma, a - 1)" if noise.k == 1 else ""
        raise ValueError(f"Pow2 has a radius for dim >= 2; got {dim}{instead}")
    with refused_by_name(noise, dim, "use a smaller k"):
        return _level_set(dim, float(noise.k), a)


convert_norm(Pow2, "yang_2020", norm=2, to=1)
convert_norm(Pow2, "yang_2020", norm=2, to=np.inf)
