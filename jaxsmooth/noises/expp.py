"""Independent generalised-normal noise and its radii."""

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
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import ScoreLaw, convert_norm, radius_rule
from jaxsmooth.radii.checked_inverse import inward, normal_radius
from jaxsmooth.radii.gamma_laws import gamma_ratio
from jaxsmooth.radii.growth_bounds import fisher_radius, fisher_tail, sub_gaussian_radius, sub_gaussian_tail
from jaxsmooth.radii.score_laws import exponential_radial, sign_sum_law


@frozen_pytree
class Expp(AbstractNoise):
    r"""Independent noise of density proportional to :math:`e^{-\sum_i |x_i / \lambda|^p}`.

    ``Expp(sigma, p=1)`` is ``Laplace(sigma)`` and ``Expp(sigma, p=2)`` is ``Gaussian(sigma)``.

    Args:
        sigma: root mean square of each coordinate, in the units of ``x``; positive.
        p: the power in the exponent; positive.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Expp(0.25, p=4.0).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    p: float = static(default=2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.require_positive("p", self.p)

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        self.check_event(math.prod(shape))
        if self.p == 2:
            return self.sigma / self._root() * np.float32(math.sqrt(0.5)) * random.normal(key, shape)
        exponential = random.laplace(key, shape)
        if self.p != 1:
            exponential = jnp.copysign(_quantile(float(self.p), jnp.abs(exponential)), exponential)
        return self.sigma / self._root() * exponential

    def scale(self, dim: int) -> Any:
        r"""Lambda, whatever the dimension; :math:`|x_i / \lambda|^p` is Gamma(1 / p)."""
        return float32_law.on_host(self.sigma) / self._root()

    def check_event(self, dim: int) -> None:
        """See ``AbstractNoise.check_event``."""
        del dim
        if not _SMALLEST_P <= self.p <= _LARGEST_P:
            raise ValueError(
                f"Expp with p = {self.p!r} cannot be drawn in float32; p must lie between {_SMALLEST_P:g} and "
                f"{_LARGEST_P:g}. Its limit for large p is Uniform"
            )

    def _root(self) -> float:
        """Sigma in units of lambda."""
        return math.sqrt(gamma_ratio(1 / self.p, 2 / self.p))


# Where the cubics are right to 2e-5, and draws in units of lambda between 1e-8 and 1e21.
_SMALLEST_P, _LARGEST_P = 0.08, 1000.0
# Cells of the quantile function, even in the log of the exponential number -ln(1 - F).
_CELLS, _FIRST, _LAST = 512, -22.5, 3.2


def _quantile(p: float, exponential: Array) -> Array:
    """The number x > 0 whose survival probability, under the density e^(-x^p), is e^(-exponential)."""
    position = (jnp.log(jnp.maximum(exponential, np.float32(1e-9))) - _FIRST) * np.float32(_CELLS / (_LAST - _FIRST))
    cell = jnp.clip(position.astype(jnp.int32), 0, _CELLS - 1)
    within = position - cell.astype(jnp.float32)
    c0, c1, c2, c3 = (jnp.asarray(column)[cell] for column in _quantile_cells(p))
    return exponential * jnp.exp(c0 + within * (c1 + within * (c2 + within * c3)))


@functools.lru_cache(maxsize=32)
def _quantile_cells(p: float) -> np.ndarray:
    """Cubics for ln(x / exponential), float32 (4, cells): Hermite interpolation in double precision, right to 1e-7."""
    log_e = np.linspace(_FIRST, _LAST, _CELLS + 1)
    e = np.exp(log_e)
    with np.errstate(under="ignore", divide="ignore"):
        below, above = special.gammaincinv(1 / p, -np.expm1(-e)), special.gammainccinv(1 / p, np.exp(-e))
        y = np.where(e < 0.7, below, above)
    # the density is e^(-y) / Gamma(1 + 1/p) on x > 0, flat at 0
    gamma = math.gamma(1 + 1 / p)
    x = np.where(y > 1e-250, np.maximum(y, 1e-250) ** (1 / p), -gamma * np.expm1(-e))
    value = np.log(x / e)
    slope = (gamma * (e / x) * np.exp(y - e) - 1) * (log_e[1] - log_e[0])
    rise = np.diff(value)
    cubic = [value[:-1], slope[:-1], 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise]
    return np.array(cubic, np.float32)


def _inverse_concave(noise: Expp, radius: np.ndarray, dim: int | None) -> np.ndarray:
    """The mass beyond the radius. Where its power underflows: what a density as high as at 0 leaves of 1/2, no more."""
    x = radius * (1 + 1e-11) / noise.scale(1)
    with np.errstate(under="ignore", over="ignore"):
        y = x**noise.p
    flat = 0.5 - x / (2 * math.gamma(1 + 1 / noise.p))
    return np.where(y < _LEAST_POWER, flat, special.gammaincc(1 / noise.p, y) / 2) * (1 - 1e-12)


# Below, |x / lambda|^p has lost digits or is 0.
_LEAST_POWER = 1e-280


@radius_rule(
    Expp,
    norm=1,
    source="Yang et al. 2020; exact along an axis, p >= 1",
    inverse=_inverse_concave,
    two_sided="path",
    needs_dim=False,
    applies=lambda noise: noise.p >= 1,
)
def yang_2020(noise: Expp, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """The quantile of one coordinate: for a log-concave density half-lines are the level sets of the score.

    No more than a density as high as at 0 everywhere leaves, which is what there is where powers underflow.
    """
    shape = 1 / noise.p
    flat = math.gamma(1 + shape) * (1 - 2 * tail)

    def certifies(y: np.ndarray) -> np.ndarray:
        near = special.gammainc(shape, y) * (1 + 1e-13) <= 1 - 2 * tail
        return np.where(tail > 0.25, near, special.gammaincc(shape, y) * (1 - 1e-13) >= 2 * tail)

    quantile = inward(special.gammainccinv(shape, 2 * tail), certifies) ** shape
    return (1 - 1e-12) * noise.scale(1) * np.maximum(quantile, flat)


@radius_rule(
    Expp,
    norm=1,
    source="Yang et al. 2020, differential method, p < 1",
    needs_dim=False,
    applies=lambda noise: noise.p < 1,
)
def yang_2020_convex(noise: Expp, dim: int | None) -> ScoreLaw:
    """Along an axis the score is p |x_i|^(p-1) with a random sign: coordinates near 0 lead. Finite at p = 1."""
    return exponential_radial(1, noise.p, 0.0)


def _information(noise: Expp) -> float:
    """Fisher information of one coordinate at scale one; infinite for p <= 1/2."""
    return noise.p**2 * gamma_ratio(1 / noise.p, 2 - 2 / noise.p)


@radius_rule(
    Expp,
    norm=2,
    source="ours: differential method, growth bounded by the Fisher information (Cauchy-Schwarz), p > 1/2",
    inverse=lambda noise, radius, dim: fisher_tail(_information(noise), radius / noise.scale(1)),
    two_sided="path",
    published=False,
    needs_dim=False,
    applies=lambda noise: noise.p > 0.5,
)
def fisher(noise: Expp, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """Independent coordinates share one Fisher information, that of every unit vector: the radius is free of dim."""
    return noise.scale(1) * fisher_radius(_information(noise), tail)


@radius_rule(
    Expp,
    norm=2,
    source="ours: Laplace noise, of which the score is sub-Gaussian by Hoeffding's lemma",
    inverse=lambda noise, radius, dim: sub_gaussian_tail(1.0, radius / noise.scale(1)),
    two_sided="path",
    published=False,
    needs_dim=False,
    applies=lambda noise: noise.p == 1,
)
def sub_gaussian(noise: Expp, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """For p = 1 the score along a unit vector is a weighted sum of random signs."""
    return noise.scale(1) * sub_gaussian_radius(1.0, tail)


@radius_rule(
    Expp,
    norm=np.inf,
    source="ours: Laplace noise, differential method with the exact binomial law of the score",
    published=False,
    applies=lambda noise: noise.p == 1,
)
def sign_sum(noise: Expp, dim: int) -> ScoreLaw:
    """For p = 1 the score along a vector of signs is a sum of dim random signs."""
    return sign_sum_law(dim)


@radius_rule(
    Expp,
    norm=2,
    source="ours: Gaussian noise, Cohen et al. 2019, Theorem 1; exact",
    inverse=lambda noise, radius, dim: special.ndtr(-radius / noise.sigma),
    two_sided="path",
    published=False,
    needs_dim=False,
    applies=lambda noise: noise.p == 2,
    error=2.0**-50,
)
def gaussian(noise: Expp, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """For p = 2 this is Gaussian noise of standard deviation sigma."""
    return noise.sigma * normal_radius(tail)


convert_norm(Expp, norm=1, to=2)
convert_norm(Expp, norm=1, to=np.inf)
convert_norm(Expp, "fisher", norm=2, to=np.inf)
convert_norm(Expp, "gaussian", norm=2, to=np.inf)
