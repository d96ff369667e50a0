"""Gaussian noise and its radii."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import radius_rule
from jaxsmooth.radii.checked_inverse import normal_radius


@frozen_pytree
class Gaussian(AbstractNoise):
    r"""Independent normal noise, density proportional to :math:`e^{-\|x\|_2^2 / 2\sigma^2}`.

    Args:
        sigma: standard deviation of each coordinate, in the units of ``x``; positive.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Gaussian(0.25).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        return self.sigma * random.normal(key, shape)

    def scale(self, dim: int) -> Any:
        """The standard deviation, whatever the dimension."""
        return float32_law.on_host(self.sigma)


def _inverse(noise: Gaussian, radius: np.ndarray, dim: int | None) -> np.ndarray:
    return special.ndtr(-radius / noise.sigma)


@radius_rule(
    Gaussian,
    norm=2,
    source="Cohen et al. 2019, Theorem 1; exact",
    inverse=_inverse,
    two_sided="path",
    needs_dim=False,
    error=2.0**-50,
)
def cohen_2019(noise: Gaussian, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """sigma Phi^-1(p). Exact: a half-space attains it (Neyman-Pearson)."""
    return noise.sigma * normal_radius(tail)


@radius_rule(
    Gaussian,
    norm=1,
    source="Cohen et al. 2019, Theorem 1, with ||v||_2 <= ||v||_1; exact",
    inverse=_inverse,
    two_sided="path",
    needs_dim=False,
    error=2.0**-50,
)
def cohen_2019_l1(noise: Gaussian, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """The l1 ball touches the l2 ball of the same radius at the coordinate axes."""
    return cohen_2019(noise, tail, dim)


@radius_rule(
    Gaussian,
    norm=np.inf,
    source="Cohen et al. 2019, Theorem 1, with ||v||_2 <= sqrt(dim) ||v||_inf; exact",
    inverse=lambda noise, radius, dim: _inverse(noise, radius * np.sqrt(dim), dim),
    two_sided="path",
    error=2.0**-50,
)
def cohen_2019_linf(noise: Gaussian, tail: np.ndarray, dim: int) -> np.ndarray:
    """The largest cube inside the l2 ball."""
    return cohen_2019(noise, tail, dim) / np.sqrt(dim)
