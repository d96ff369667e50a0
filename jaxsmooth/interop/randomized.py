"""randomized: a classifier, or a part of one, that draws random numbers, each draw from a key of its own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array
from jaxsmooth.interop.bare_models import function_in_evaluation_mode


@frozen_pytree
class Randomized:
    """A function of keys and a batch; made by ``randomized``.

    Attributes:
        fn: ``(keys, batch)`` to scores; its weights are data if it is a pytree.
        fixed_key: uint32 ``(2,)``, the data of the key that all rows get, or None.
    """

    fn: Callable[..., Array]
    fixed_key: Any = None

    def __call__(self, x: Array, *more: Array, keys: Array | None = None) -> Array:
        """What the function makes of a batch and a key for each row.

        Args:
            x: the batch.
            *more: what the function takes beside it.
            keys: a typed key for each row; not needed with ``fixed_key``.

        Returns:
            What the function returns.

        Raises:
            TypeError: without keys.
        """
        if self.fixed_key is not None:
            data = jnp.broadcast_to(jnp.asarray(self.fixed_key), (x.shape[0], 2))
            keys = jax.random.wrap_key_data(data, impl="threefry2x32")
        elif keys is None:
            raise TypeError(
                "a randomized function needs a key for each row: the verbs, js.denoised and js.soft pass them on. To "
                "call it yourself give keys=jax.random.split(key, len(batch)); for a deterministic function use "
                "js.randomized(fn, fixed_key=key)"
            )
        return self.fn(keys, x, *more)

    @property
    def takes_keys(self) -> bool:
        """Whether each row needs a key of its own."""
        return self.fixed_key is None


def randomized(fn: Callable[..., Array], fixed_key: Array | None = None) -> Randomized:
    r"""A function that draws random numbers, such as dropout or a sampler, as a classifier or the denoiser of one.

    Each draw of an image gets a key of its own, derived from the key of its noise: (noise, randomness) are independent
    over draws, votes are those of :math:`u \mapsto P(f(u, r) = c)`, and every certificate holds as it stands.
    Randomness that is shared between draws breaks the error rate: with 1000 votes at alpha = 0.001, 0.41 of
    certificates were wrong when 500 draws shared theirs. A function whose rows share a key is refused by the verbs.

    With ``fixed_key`` all rows of all batches get that key: a deterministic function of the image, certified as
    such. Predictions must then use the same key.

    Args:
        fn: ``(keys, batch)`` to ``(batch, classes)``, or to whatever its place asks for: ``keys`` are typed JAX keys
            ``(batch,)``, row i may use ``keys[i]`` alone: ``jax.vmap`` over both. A pytree makes weights data.
        fixed_key: one JAX random key, or None.

    Returns:
        A pytree callable for all verbs, for ``jaxsmooth.denoised`` and ``jaxsmooth.soft``.

    Raises:
        TypeError: if ``fn`` is not callable or ``fixed_key`` is no key.
        ValueError: if ``fixed_key`` is several keys.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> def blurred(key, image):  # an image under noise of its own
        ...     margin = (image + 0.5 * jax.random.normal(key, image.shape)).sum()
        ...     return jnp.stack([margin, -margin])
        >>> classify = js.randomized(jax.vmap(blurred))
        >>> js.certify(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), jnp.ones((1, 4)), n=1000
        ... ).label.tolist()
        [0]
    """
    if not callable(fn):
        raise TypeError(f"fn must be callable, (keys, batch) to (batch, classes); got {type(fn).__name__}")
    if fixed_key is not None:
        fixed_key = jax.random.key_data(_check.typed_key(fixed_key))
    return Randomized(function_in_evaluation_mode(fn, "fn"), fixed_key)
