"""Exponential noise of the l1 norm and its radii."""

import math
from typing import Any, ClassVar

import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth.noises import surfaces
from jaxsmooth.noises.radial import AbstractExponentialNoise
from jaxsmooth.radii import ScoreLaw, convert_norm, radius_rule
from jaxsmooth.radii.gamma_laws import gamma_ratio
from jaxsmooth.radii.growth_bounds import fisher_radius, fisher_tail, sub_gaussian_radius, sub_gaussian_tail
from jaxsmooth.radii.score_laws import exponential_radial, sign_sum_product


@frozen_pytree
class Exp1(AbstractExponentialNoise):
    r"""Noise of density proportional to :math:`e^{-\|x / \lambda\|_1^k}`; ``Exp1(sigma, k=1)`` is ``Laplace(sigma)``.

    The l1 norm to the power k, in units of lambda, is Gamma(dim / k).

    Args:
        sigma: root mean square of a coordinate, in the units of ``x``; positive.
        k: the power in the exponent; positive.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Exp1(0.25, k=2.0).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    k: float = static(default=1.0)

    _surface = staticmethod(surfaces.cross_polytope)
    _limits: ClassVar = {"k": "k = 1e15"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.require_positive("k", self.k)

    def _root(self, dim: int) -> float:
        return math.sqrt(2 * gamma_ratio(dim / self.k, 2 / self.k) / (dim * (dim + 1)))

    def _order(self, dim: int) -> float:
        return dim


@radius_rule(
    Exp1,
    norm=1,
    source="Yang et al. 2020, differential method",
)
def yang_2020(noise: Exp1, dim: int) -> ScoreLaw:
    """Along an axis the score is s(r) = k r^(k-1) with a random sign."""
    return exponential_radial(dim, noise.k, 0.0)


@radius_rule(
    Exp1,
    norm=np.inf,
    source="ours: differential method with the law of the score, s(r) times a sum of random signs",
    published=False,
)
def sign_sum(noise: Exp1, dim: int) -> ScoreLaw:
    """Along a vector of signs the score is s(r) times the sum of the signs of all coordinates, independent of r."""
    return sign_sum_product(dim, noise.k)


def _information(noise: Exp1, dim: int) -> float:
    """Fisher information along any unit vector of the l2 norm, at scale one: k^2 E[r^(2k-2)]."""
    return noise.k**2 * gamma_ratio(dim / noise.k, 2 - 2 / noise.k)


@radius_rule(
    Exp1,
    norm=2,
    source="ours: differential method, growth bounded by the Fisher information (Cauchy-Schwarz)",
    inverse=lambda noise, radius, dim: fisher_tail(_information(noise, dim), radius / noise.scale(dim)),
    two_sided="path",
    published=False,
)
def fisher(noise: Exp1, tail: np.ndarray, dim: int) -> np.ndarray:
    """The score along a unit vector is s(r) times a weighted sum of random signs of variance one."""
    return noise.scale(dim) * fisher_radius(_information(noise, dim), tail)


@radius_rule(
    Exp1,
    norm=2,
    source="ours: Laplace noise, of which the score is sub-Gaussian by Hoeffding's lemma",
    inverse=lambda noise, radius, dim: sub_gaussian_tail(1.0, radius / noise.scale(dim)),
    two_sided="path",
    published=False,
    applies=lambda noise: noise.k == 1,
)
def sub_gaussian(noise: Exp1, tail: np.ndarray, dim: int) -> np.ndarray:
    """For k = 1 the factor s(r) is 1 and the score a weighted sum of random signs."""
    return noise.scale(dim) * sub_gaussian_radius(1.0, tail)


convert_norm(Exp1, "yang_2020", norm=1, to=2)
convert_norm(Exp1, "yang_2020", norm=1, to=np.inf)
convert_norm(Exp1, "fisher", norm=2, to=np.inf)
