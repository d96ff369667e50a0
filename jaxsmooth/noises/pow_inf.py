"""Power-law noise of the linf norm and its radii."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random, surfaces
from jaxsmooth.noises.radial import AbstractRadialNoise
from jaxsmooth.radii import ScoreLaw, convert_norm, radius_rule
from jaxsmooth.radii.growth_bounds import fisher_radius, fisher_tail
from jaxsmooth.radii.score_laws import one_coordinate, power_radial


@frozen_pytree
class PowInf(AbstractRadialNoise):
    r"""Cubical noise with polynomial tails, density proportional to :math:`(1 + \|x / \lambda\|_\infty)^{-a}`.

    The half-width of the cube, in units of lambda, is Beta prime(dim, a - dim).

    Args:
        sigma: root mean square of a coordinate, in the units of ``x``; positive.
        a: the power, above the dimension by more than 2; 100 above it by default. As a grows the noise
            becomes ``ExpInf``.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.PowInf(0.25).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    a: float | None = static(default=None)

    _surface = staticmethod(surfaces.cube)
    _limits: ClassVar = {"a": "ExpInf"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.a is not None:
            _check.require_positive("a", self.a)

    def _root(self, dim: int) -> float:
        a = self.power(dim)
        return math.sqrt(((dim - 1) / 3 + 1) * (dim + 1) / ((a - dim - 1) * (a - dim - 2)))

    def _law(self, dim: int) -> float32_law.LengthLaw:
        return float32_law.beta_prime_length(dim, self.power(dim) - dim, 1.0, -math.log(self._root(dim)))

    def _length(self, key: Array, dim: int, *, plain: bool) -> tuple[Array, Array]:
        above, below, root = dim, self.power(dim) - dim, self._root(dim)
        key_above, key_below, key_direction = random.split(key, 3)
        if plain:
            log_length = random.log_gamma(key_above, above) - random.log_gamma(key_below, below)
            return self.sigma / root * jnp.exp(log_length), key_direction
        length = random.beta_prime_radius((key_above, key_below), above, below, 1.0, 1 / root)
        return self.sigma * length, key_direction

    def power(self, dim: int) -> float:
        """The power a for ``dim`` coordinates: the one given, or the family's default."""
        a = dim + 100.0 if self.a is None else float(self.a)
        if a <= dim + 2:
            raise ValueError(f"a must exceed dim + 2 = {dim + 2}, else the noise has no variance; got {self.a!r}")
        return a


def _information(noise: PowInf, dim: int) -> float:
    """Fisher information along any unit vector of the l2 norm, at scale one: E[s(r)^2] / dim."""
    a = noise.power(dim)
    return a * (a - dim) * (a - dim + 1) / (a + 1) / dim


def _axis_rate(noise: PowInf, dim: int) -> float:
    return dim / (noise.power(dim) - dim)


@radius_rule(
    PowInf,
    norm=1,
    source="Yang et al. 2020, differential method",
    inverse=lambda noise, radius, dim: 0.5 - radius / (2 * noise.scale(dim) * _axis_rate(noise, dim)),
    two_sided=lambda noise, tail, p_upper, dim: noise.scale(dim) * _axis_rate(noise, dim) * (1 - tail - p_upper),
)
def yang_2020(noise: PowInf, tail: np.ndarray, dim: int) -> np.ndarray:
    """The score along an axis is 0 unless the largest coordinate is there, so growth is at most E[s(r)] / (2 dim)."""
    return noise.scale(dim) * _axis_rate(noise, dim) * (1 - 2 * tail)


@radius_rule(
    PowInf,
    norm=1,
    source="ours: differential method with the whole law of the score, which matters above p = 1 - 1 / (2 dim)",
    published=False,
)
def one_coordinate_score(noise: PowInf, dim: int) -> ScoreLaw:
    """The score along an axis is s(r), -s(r) or 0 with probabilities 1/(2d), 1/(2d) and the rest."""
    return one_coordinate(power_radial(dim, noise.power(dim)), dim)


@radius_rule(
    PowInf,
    norm=np.inf,
    source="Yang et al. 2020, differential method",
)
def yang_2020_linf(noise: PowInf, dim: int) -> ScoreLaw:
    """Along a vector of signs the score is s(r) = a / (1 + r) with a random sign: small radii lead."""
    return power_radial(dim, noise.power(dim))


@radius_rule(
    PowInf,
    norm=2,
    source="ours: differential method, growth bounded by the Fisher information (Cauchy-Schwarz)",
    inverse=lambda noise, radius, dim: fisher_tail(_information(noise, dim), radius / noise.scale(dim)),
    two_sided="path",
    published=False,
)
def fisher(noise: PowInf, tail: np.ndarray, dim: int) -> np.ndarray:
    """The score along a unit vector v is s(r) v_I with a random sign, I uniform: its variance is E[s(r)^2] / dim."""
    return noise.scale(dim) * fisher_radius(_information(noise, dim), tail)


convert_norm(PowInf, norm=1, to=2)
convert_norm(PowInf, norm=np.inf, to=2)
convert_norm(PowInf, norm=2, to=np.inf)
