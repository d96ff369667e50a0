"""Exponential noise of the linf norm and its radii."""

import math
from typing import Any, ClassVar

import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth.noises import surfaces
from jaxsmooth.noises.base import check_order
from jaxsmooth.noises.radial import AbstractExponentialNoise
from jaxsmooth.noises.refused_radii import refused_by_name
from jaxsmooth.radii import ScoreLaw, convert_norm, radius_rule
from jaxsmooth.radii.gamma_laws import gamma_ratio
from jaxsmooth.radii.growth_bounds import fisher_radius, fisher_tail
from jaxsmooth.radii.score_laws import exponential_radial, one_coordinate


@frozen_pytree
class ExpInf(AbstractExponentialNoise):
    r"""Cubical noise, density proportional to :math:`\|x / \lambda\|_\infty^{-j} e^{-\|x / \lambda\|_\infty^k}`.

    Uniform on the surface of a cube whose half-width is random: to the power k, in units of lambda, it is
    Gamma((dim - j) / k). As k grows the noise becomes ``Uniform``.

    Args:
        sigma: root mean square of a coordinate, in the units of ``x``; positive.
        k: the power in the exponent; positive.
        j: the order of the pole at the origin; at least 0 and below the dimension.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.ExpInf(0.25, k=2.0).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    k: float = static(default=1.0)
    j: float = static(default=0)

    _surface = staticmethod(surfaces.cube)
    _limits: ClassVar = {"k": "Uniform"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.require_positive("k", self.k)
        check_order(self.j)

    def _root(self, dim: int) -> float:
        check_order(self.j, dim)
        second_moment = ((dim - 1) / 3 + 1) / dim * gamma_ratio((dim - self.j) / self.k, 2 / self.k)
        return math.sqrt(second_moment)

    def _order(self, dim: int) -> float:
        return dim - self.j


def _moment(noise: ExpInf, dim: int, power: float) -> float:
    return gamma_ratio((dim - noise.j) / noise.k, power / noise.k)


def _information(noise: ExpInf, dim: int) -> float:
    """Fisher information along any unit vector of the l2 norm, at scale one: E[s(r)^2] / dim."""
    k, j = noise.k, noise.j
    square = k * k * _moment(noise, dim, 2 * k - 2)
    if j > 0:
        square += 2 * k * j * _moment(noise, dim, k - 2) + j * j * _moment(noise, dim, -2)
    return square / dim


def _axis_rate(noise: ExpInf, dim: int) -> float:
    """dim / E[s(r)], with E[s(r)] = (dim - 1) E[1 / r] by parts."""
    if dim == 1 and noise.j == 0:
        return gamma_ratio(1.0, 1 / noise.k)
    if dim - noise.j <= 1:
        raise ValueError(f"ExpInf has an l1 radius only for j < dim - 1; got j = {noise.j:g} and dim = {dim}")
    return dim / ((dim - 1) * _moment(noise, dim, -1))


@radius_rule(
    ExpInf,
    norm=1,
    source="Yang et al. 2020, differential method",
    inverse=lambda noise, radius, dim: 0.5 - radius / (2 * noise.scale(dim) * _axis_rate(noise, dim)),
    two_sided=lambda noise, tail, p_upper, dim: noise.scale(dim) * _axis_rate(noise, dim) * (1 - tail - p_upper),
)
def yang_2020(noise: ExpInf, tail: np.ndarray, dim: int) -> np.ndarray:
    """The score along an axis is 0 unless the largest coordinate is there, so growth is at most E[s(r)] / (2 dim)."""
    return noise.scale(dim) * _axis_rate(noise, dim) * (1 - 2 * tail)


def _radial(noise: ExpInf, dim: int) -> ScoreLaw:
    with refused_by_name(noise, dim, "use a smaller k or j = 0"):
        return exponential_radial(dim, noise.k, noise.j)


@radius_rule(
    ExpInf,
    norm=1,
    source="ours: differential method with the whole law of the score, which matters above p = 1 - 1 / (2 dim)",
    published=False,
)
def one_coordinate_score(noise: ExpInf, dim: int) -> ScoreLaw:
    """The score along an axis is s(r), -s(r) or 0 with probabilities 1/(2d), 1/(2d) and the rest."""
    return one_coordinate(_radial(noise, dim), dim)


@radius_rule(
    ExpInf,
    norm=np.inf,
    source="Yang et al. 2020, differential method",
    applies=lambda noise: noise.j == 0,
)
def yang_2020_linf(noise: ExpInf, dim: int) -> ScoreLaw:
    """Along a vector of signs the score is s(r) with a random sign; s falls in r for k < 1, so small radii lead."""
    return exponential_radial(dim, noise.k, noise.j)


@radius_rule(
    ExpInf,
    norm=np.inf,
    source="ours: differential method; s(r) = k r^(k-1) + j / r, large at both ends if k > 1",
    published=False,
    applies=lambda noise: noise.j > 0,
)
def pole(noise: ExpInf, dim: int) -> ScoreLaw:
    """As for j = 0, with the score s(r) of the density with a pole and its top sets."""
    return _radial(noise, dim)


@radius_rule(
    ExpInf,
    norm=2,
    source="ours: differential method, growth bounded by the Fisher information (Cauchy-Schwarz)",
    inverse=lambda noise, radius, dim: fisher_tail(_information(noise, dim), radius / noise.scale(dim)),
    two_sided="path",
    published=False,
)
def fisher(noise: ExpInf, tail: np.ndarray, dim: int) -> np.ndarray:
    """The score along a unit vector v is s(r) v_I with a random sign, I uniform: its variance is E[s(r)^2] / dim."""
    return noise.scale(dim) * fisher_radius(_information(noise, dim), tail)


convert_norm(ExpInf, norm=1, to=2)
convert_norm(ExpInf, norm=np.inf, to=2)
convert_norm(ExpInf, norm=2, to=np.inf)
