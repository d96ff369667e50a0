"""LipschitzScale: any function of the image with a known Lipschitz constant."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._program import jit
from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.scales.base import EXPONENTIAL_ERROR, AbstractScale, checked_images, one_by_one


@frozen_pytree
class LipschitzScale(AbstractScale):
    r"""The exponential of a Lipschitz function, :math:`\sigma(x) = e^{f(x)}`.

    Args:
        fn: log sigma: ``(images, *event) -> (images,)``, a function of each image alone, Lipschitz in the l2 norm
            with the constant below. That it is so is the assumption of every certificate made with it. If it
            is a pytree (``jax.tree_util.Partial(apply, weights)``), its weights are data.
        constant: the Lipschitz constant, at least 0: the semi-elasticity.
        error: how far ``fn``, as computed, may be from the function that has this constant. It is part of the
            assumption; the default does for a log sigma that is right to five decimals, and not for a network in
            bfloat16 or float16.

    Raises:
        TypeError: if ``fn`` cannot be called.
        ValueError: if ``constant`` or ``error`` is negative or not finite; when called, if ``fn`` returns another
            shape.

    References:
        Sukenik, Kuvshinov and Guennemann, "Intriguing properties of input-dependent randomized smoothing", 2022.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.scales
        >>> mean = lambda x: x.mean((1, 2, 3))  # of 64 pixels: its gradient has norm 1/8
        >>> scale = js.scales.LipschitzScale(mean, 1 / 8)
        >>> scale(jnp.zeros((2, 8, 8, 1))).tolist(), scale.semi_elasticity
        ([1.0, 1.0], 0.125)
    """

    fn: Callable[[Any], Any]
    constant: Any
    error: Any = 1e-5

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise TypeError(f"fn must be a function (images, *event) -> (images,); got {type(self.fn).__name__}")
        if jax.tree_util.all_leaves([self.fn]):
            _check.keep(self, fn=jax.tree_util.Partial(self.fn))
        if not _check.is_traced(self.constant):
            _check.nonnegative("constant", self.constant)
        if not _check.is_traced(self.error):
            _check.nonnegative("error", self.error)

    def __call__(self, x: ArrayLike) -> Array:
        """See ``AbstractScale.__call__``."""
        x = checked_images(x)
        single = (1, *x.shape[1:])
        shape = getattr(jax.eval_shape(self.fn, jax.ShapeDtypeStruct(single, jnp.float32)), "shape", None)
        if shape != (1,):
            raise ValueError(f"fn must map {single} to (1,), one number per image; got {shape}")
        return _sigma(self.fn, jnp.asarray(x, jnp.float32))

    @property
    def semi_elasticity(self) -> Any:
        """The Lipschitz constant of ``fn``."""
        return self.constant

    def rounding(self, x: ArrayLike, reach: Array) -> Any:
        """The error of ``fn`` and of the exponential, 4 units in the last place, at both ends."""
        return 2 * (self.error + EXPONENTIAL_ERROR)


@jit
def _sigma(fn: Any, x: Array) -> Array:
    return one_by_one(lambda image: jnp.exp(jnp.asarray(fn(image[None]), jnp.float32))[0], x)
