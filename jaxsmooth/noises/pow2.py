"""Power-law noise of the l2 norm and its radii."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random, surfaces
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import LevelSet, SphericalDensity, convert_norm, radius_rule
from jaxsmooth.radii.gamma_laws import gamma_ratio, log_beta_prime_density


@frozen_pytree
class Pow2(AbstractNoise):
    r"""Spherical noise with polynomial tails, density proportional to :math:`(1 + \|x / \lambda\|_2^k)^{-a}`.

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

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.positive("k", self.k)
        if self.a is not None:
            _check.positive("a", self.a)

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        dim = math.prod(shape)
        length, k = self._length(dim), float(self.k)
        key_above, key_below, key_direction = random.split(key, 3)
        above, below = dim / k, self.power(dim) - dim / k
        if length.has_plain_factors:
            log_radius = (random.log_gamma(key_above, above) - random.log_gamma(key_below, below)) / k
            radius = self.sigma / self._root(dim) * jnp.exp(log_radius)
        else:
            unit = 1 / self._root(dim)
            radius = self.sigma * random.beta_prime_radius((key_above, key_below), above, below, k, unit)
        return (radius * surfaces.sphere(key_direction, dim)).reshape(shape)

    def scale(self, dim: int) -> Any:
        """Lambda; the length to the power k, in its units, is Beta prime(dim / k, a - dim / k)."""
        return float32_law.on_host(self.sigma) / self._root(dim)

    def check_event(self, dim: int) -> None:
        """See ``AbstractNoise.check_event``."""
        self._length(dim)

    def _root(self, dim: int) -> float:
        """Sigma in units of lambda."""
        return _rms(dim, self.k, self.power(dim))

    def _length(self, dim: int) -> float32_law.LengthLaw:
        float32_law.check_parameter("k", self.k, "a smaller k")
        float32_law.check_parameter("a", self.a, "Exp2")
        law = lambda noise: float32_law.beta_prime_length(
            dim / noise.k, noise.power(dim) - dim / noise.k, float(noise.k), -math.log(noise._root(dim))
        )
        return float32_law.check_length(self, dim, "k", law)

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
    return _level_set(dim, float(noise.k), noise.power(dim))


convert_norm(Pow2, "yang_2020", norm=2, to=1)
convert_norm(Pow2, "yang_2020", norm=2, to=np.inf)
