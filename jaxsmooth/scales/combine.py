"""Clipping, minimum and maximum: what keeps a semi-elasticity."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.scales.base import AbstractScale, check_scale


@frozen_pytree
class ClippedScale(AbstractScale):
    """A scale kept between two numbers; as semi-elastic as the scale itself. Made by ``clip``."""

    inner: AbstractScale
    smallest: Any
    largest: Any

    def __call__(self, x: ArrayLike) -> Array:
        """See ``AbstractScale.__call__``."""
        low, high = jnp.asarray(self.smallest, jnp.float32), jnp.asarray(self.largest, jnp.float32)
        return jnp.clip(self.inner(x), low, high)

    @property
    def semi_elasticity(self) -> Any:
        """That of the scale within."""
        return self.inner.semi_elasticity

    def rounding(self, x: ArrayLike, reach: Array) -> Any:
        """That of the scale within: both bounds are float32 numbers, and clipping log sigma moves nothing apart."""
        return self.inner.rounding(x, reach)


@frozen_pytree
class ExtremeScale(AbstractScale):
    """The smallest or the largest of several scales. Made by ``minimum`` and ``maximum``."""

    members: tuple[AbstractScale, ...]
    largest: bool = static()

    def __call__(self, x: ArrayLike) -> Array:
        """See ``AbstractScale.__call__``."""
        return functools.reduce(jnp.maximum if self.largest else jnp.minimum, [scale(x) for scale in self.members])

    @property
    def semi_elasticity(self) -> Any:
        """The largest of the members'."""
        rates = [scale.semi_elasticity for scale in self.members]
        return functools.reduce(jnp.maximum, rates) if _check.is_traced(rates) else np.max(rates)

    def rounding(self, x: ArrayLike, reach: Array) -> Any:
        """The largest of the members': two maxima differ by no more than some pair of members does."""
        return functools.reduce(jnp.maximum, [scale.rounding(x, reach) for scale in self.members])


def clip(scale: AbstractScale, smallest: float, largest: float) -> ClippedScale:
    r"""The scale kept in ``[smallest, largest]``; its semi-elasticity stays.

    Args:
        scale: a scale that declares a semi-elasticity.
        smallest: positive.
        largest: at least ``smallest``.

    Returns:
        A scale.

    Raises:
        TypeError: if ``scale`` is no scale.
        ValueError: for numbers out of order, or a scale without a semi-elasticity.

    References:
        Ours: clipping is 1-Lipschitz on log sigma.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.scales
        >>> js.scales.clip(js.scales.Constant(1.0), 0.1, 0.5)(jnp.zeros((1, 4))).tolist()
        [0.5]
    """
    _check_semi_elastic("scale", scale)
    _check.require_positive("smallest", smallest)
    _check.require_positive("largest", largest)
    if largest < smallest:
        raise ValueError(f"largest must be at least smallest = {smallest!r}; got {largest!r}")
    return ClippedScale(scale, smallest, largest)


def minimum(*scales: AbstractScale) -> ExtremeScale:
    """The smallest of several scales at each image; as semi-elastic as the most elastic of them.

    Args:
        *scales: at least one, each with a semi-elasticity.

    Returns:
        A scale.

    Raises:
        TypeError: if one of them is no scale.
        ValueError: if there is none, or one has no semi-elasticity.

    References:
        Ours: a minimum of r-Lipschitz functions is r-Lipschitz.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.scales
        >>> js.scales.minimum(js.scales.Constant(1.0), js.scales.Constant(0.5))(
        ...     jnp.zeros((1, 4))
        ... ).tolist()
        [0.5]
    """
    return _extreme(scales, largest=False)


def maximum(*scales: AbstractScale) -> ExtremeScale:
    """The largest of several scales at each image; as semi-elastic as the most elastic of them.

    Args:
        *scales: as in ``minimum``.

    Returns:
        A scale.

    Raises:
        TypeError: as ``minimum``.
        ValueError: as ``minimum``.

    References:
        As ``minimum``.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.scales
        >>> js.scales.maximum(js.scales.Constant(1.0), js.scales.Constant(0.5))(
        ...     jnp.zeros((1, 4))
        ... ).tolist()
        [1.0]
    """
    return _extreme(scales, largest=True)


def _extreme(scales: tuple[AbstractScale, ...], largest: bool) -> ExtremeScale:
    if not scales:
        raise ValueError("scales must hold at least one scale; got none")
    for i, scale in enumerate(scales):
        _check_semi_elastic(f"scales[{i}]", scale)
    return ExtremeScale(scales, largest)


def _check_semi_elastic(name: str, scale: Any) -> None:
    check_scale(name, scale)
    if scale.semi_elasticity is None:
        raise ValueError(f"{name} = {type(scale).__name__} must declare a semi_elasticity to be clipped or combined")
