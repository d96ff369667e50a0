"""Constant: the same sigma everywhere, which is ordinary randomized smoothing."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.scales.base import AbstractScale, checked_images


@frozen_pytree
class Constant(AbstractScale):
    """The same sigma at every image; semi-elasticity 0, so that the radius is that of the Gaussian.

    Args:
        sigma: the scale, in the units of ``x``; positive.

    Raises:
        ValueError: if ``sigma`` is not positive and finite.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.scales
        >>> js.scales.Constant(0.25)(jnp.zeros((2, 8, 8, 1))).tolist()
        [0.25, 0.25]
    """

    sigma: Any

    def __post_init__(self) -> None:
        _check.require_positive("sigma", self.sigma)

    def __call__(self, x: ArrayLike) -> Array:
        """See ``AbstractScale.__call__``."""
        return jnp.full(checked_images(x).shape[:1], self.sigma, jnp.float32)

    @property
    def semi_elasticity(self) -> float:
        """Nothing moves, 0."""
        return 0.0

    def rounding(self, x: ArrayLike, reach: Array) -> float:
        """Nothing moves, 0."""
        return 0.0

    def on_host(self, x: ArrayLike) -> np.ndarray:
        """The float32 number that is drawn, in double precision, as the radii of ``Gaussian`` have it."""
        return np.full(checked_images(x).shape[:1], _check.sampled_sigma("sigma", self.sigma))
