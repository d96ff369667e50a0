"""Laplace noise and its radii."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import ScoreLaw, convert_norm, radius_rule
from jaxsmooth.radii.growth_bounds import sub_gaussian_radius, sub_gaussian_tail
from jaxsmooth.radii.score_laws import sign_sum_law


@frozen_pytree
class Laplace(AbstractNoise):
    r"""Independent double-exponential noise, density proportional to :math:`e^{-\|x\|_1 / \lambda}`.

    Args:
        sigma: root mean square of each coordinate, :math:`\sqrt 2 \lambda`, in the units of ``x``; positive.

    References:
        Teng, Lee and Yuan, "l1 adversarial robustness certificates: a randomized smoothing approach", 2019.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Laplace(0.25).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        return self.sigma / math.sqrt(2) * random.laplace(key, shape)

    def scale(self, dim: int) -> Any:
        """The mean of the absolute value of a coordinate, whatever the dimension."""
        return float32_law.on_host(self.sigma) / math.sqrt(2)


def _inverse_l1(noise: Laplace, radius: np.ndarray, dim: int | None) -> np.ndarray:
    return np.exp(-radius / noise.scale(1)) / 2


@radius_rule(
    Laplace,
    norm=1,
    source="Teng et al. 2019; exact",
    inverse=_inverse_l1,
    two_sided="path",
    needs_dim=False,
    error=2.0**-50,
)
def teng_2019(noise: Laplace, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """-lambda ln(2(1 - p)). The score along an axis is a random sign, so growth is p; a half-space attains it."""
    return -noise.scale(1) * np.log(2 * tail)


@radius_rule(
    Laplace,
    norm=np.inf,
    source="Yang et al. 2020, differential method with the exact binomial law of the score",
)
def yang_2020(noise: Laplace, dim: int) -> ScoreLaw:
    """Along a vector of signs the score is a sum of dim random signs: growth is a polygon, integrated exactly."""
    return sign_sum_law(dim)


@radius_rule(
    Laplace,
    norm=2,
    source="ours: differential method, score sub-Gaussian by Hoeffding's lemma",
    inverse=lambda noise, radius, dim: sub_gaussian_tail(1.0, radius / noise.scale(1)),
    two_sided="path",
    published=False,
    needs_dim=False,
)
def sub_gaussian(noise: Laplace, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """Along a unit vector the score is a weighted sum of random signs, sub-Gaussian with variance 1 / lambda^2."""
    return noise.scale(1) * sub_gaussian_radius(1.0, tail)


convert_norm(Laplace, "teng_2019", norm=1, to=2)
convert_norm(Laplace, "yang_2020", norm=np.inf, to=2)
convert_norm(Laplace, "sub_gaussian", norm=2, to=np.inf)
