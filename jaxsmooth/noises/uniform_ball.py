"""Uniform noise on a Euclidean ball and its radii."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random, surfaces
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import convert_norm, radius_rule
from jaxsmooth.radii.checked_inverse import beta_quantile_below


@frozen_pytree
class UniformBall(AbstractNoise):
    r"""Uniform noise on the ball :math:`\|x\|_2 \le \lambda`.

    Args:
        sigma: root mean square of each coordinate, :math:`\lambda / \sqrt{d + 2}`, in the units of ``x``; positive.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.UniformBall(0.25).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        dim = math.prod(shape)
        key_radius, key_direction = random.split(key)
        radius = jnp.exp(jnp.log(random.open_uniform(random.words(key_radius, 1)[0])) / dim)
        return (self.sigma * math.sqrt(dim + 2) * radius * surfaces.sphere(key_direction, dim)).reshape(shape)

    def scale(self, dim: int) -> Any:
        """The radius of the ball."""
        return float32_law.on_host(self.sigma) * math.sqrt(dim + 2)


def _distance(noise: UniformBall, lost: np.ndarray, dim: int) -> np.ndarray:
    # Two balls at distance e share the mass beyond e / 2 along the line of centres, twice; the squared
    # coordinate along a line is Beta(1/2, (d + 1) / 2).
    return (1 - 1e-13) * 2 * noise.scale(dim) * np.sqrt(beta_quantile_below(0.5, (dim + 1) / 2, lost))


def _inverse(noise: UniformBall, radius: np.ndarray, dim: int) -> np.ndarray:
    half = np.minimum(radius / (2 * noise.scale(dim)), 1.0)
    return 0.5 - special.betainc(0.5, (dim + 1) / 2, half**2) * (1 + 1e-12) - 2.0**-50


@radius_rule(
    UniformBall,
    norm=2,
    source="Yang et al. 2020; exact",
    inverse=_inverse,
    two_sided=lambda noise, tail, p_upper, dim: _distance(noise, np.clip((1 - tail - p_upper) / 2, 0, 1), dim),
    error=2.0**-50,
)
def yang_2020(noise: UniformBall, tail: np.ndarray, dim: int) -> np.ndarray:
    """The distance at which two balls share 3/2 - p of their volume: no probability changes by more than the rest."""
    return _distance(noise, 0.5 - tail, dim)


convert_norm(UniformBall, "yang_2020", norm=2, to=1)
convert_norm(UniformBall, "yang_2020", norm=2, to=np.inf)
