"""Uniform noise on a cube and its radii."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import convert_norm, radius_rule


@frozen_pytree
class Uniform(AbstractNoise):
    r"""Uniform noise on the cube :math:`\|x\|_\infty \le \lambda`.

    Args:
        sigma: root mean square of each coordinate, :math:`\lambda / \sqrt 3`, in the units of ``x``; positive.

    References:
        Lee, Yuan, Chang and Jaakkola, "Tight certificates of adversarial robustness for randomly smoothed
        classifiers", 2019.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Uniform(0.25).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        return self.sigma * math.sqrt(3) * random.signed_uniform(key, shape)

    def scale(self, dim: int) -> Any:
        """Half of the side of the cube, whatever the dimension."""
        return float32_law.on_host(self.sigma) * math.sqrt(3)


# Two cubes shifted by v overlap in a fraction prod(1 - |v_i| / (2 lambda)) of their volume, and no probability
# changes by more than the rest. The class keeps its lead while the rest is at most half of the lead p_A - p_B.

# Tails are differences of numbers of size 1/2.
_ROUNDING = 2.0**-50


@radius_rule(
    Uniform,
    norm=1,
    source="Lee et al. 2019; Yang et al. 2020; exact",
    inverse=lambda noise, radius, dim: 0.5 - radius / (2 * noise.scale(1)) - _ROUNDING,
    two_sided=lambda noise, tail, p_upper, dim: noise.scale(1) * (1 - tail - p_upper),
    needs_dim=False,
    error=2.0**-50,
)
def lee_2019(noise: Uniform, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """2 lambda (p - 1/2): the overlap is smallest along an axis, 1 - R / (2 lambda)."""
    return noise.scale(1) * (1 - 2 * tail)


def half_width(noise: AbstractNoise, lost: np.ndarray, dim: int) -> np.ndarray:
    """2 lambda (1 - (1 - lost)^(1 / dim)): the shift of all coordinates that leaves so much of the cube."""
    # The plain form cancels in high dimension.
    return -2 * noise.scale(dim) * np.expm1(np.log1p(-lost) / dim)


def tail_of_half_width(noise: AbstractNoise, width: np.ndarray, dim: int) -> np.ndarray:
    """The tail, 1/2 less what is lost, at which all coordinates may be shifted so far; rounded down."""
    lost = -np.expm1(dim * np.log1p(-np.minimum(width / noise.scale(dim), 1) / 2))
    return 0.5 - lost * (1 + 1e-14) - _ROUNDING


@radius_rule(
    Uniform,
    norm=np.inf,
    source="Yang et al. 2020; exact",
    inverse=lambda noise, radius, dim: tail_of_half_width(noise, radius, dim),
    two_sided=lambda noise, tail, p_upper, dim: half_width(noise, (1 - tail - p_upper) / 2, dim),
    error=2.0**-50,
)
def yang_2020(noise: Uniform, tail: np.ndarray, dim: int) -> np.ndarray:
    """2 lambda (1 - (3/2 - p)^(1/d)): the overlap is smallest at a corner."""
    return half_width(noise, 0.5 - tail, dim)


@radius_rule(
    Uniform,
    norm=2,
    source="ours: sqrt(dim) times the linf radius; exact",
    inverse=lambda noise, radius, dim: tail_of_half_width(noise, radius / np.sqrt(dim), dim),
    two_sided=lambda noise, tail, p_upper, dim: np.sqrt(dim) * half_width(noise, (1 - tail - p_upper) / 2, dim),
    published=False,
    error=2.0**-50,
)
def even_spread(noise: Uniform, tail: np.ndarray, dim: int) -> np.ndarray:
    r"""Among shifts of one length the even one overlaps least, so the corner of the linf radius decides.

    :math:`-\ln(1 - \sqrt u)` is concave for :math:`\sqrt u \le 1/2`, and Jensen's inequality applies to the sum over
    coordinates: an overlap of 1/2 or more, all that is ever needed, keeps each shift within lambda.
    """
    return np.sqrt(dim) * yang_2020(noise, tail, dim)


convert_norm(Uniform, "lee_2019", norm=1, to=2)
convert_norm(Uniform, "yang_2020", norm=np.inf, to=2)
