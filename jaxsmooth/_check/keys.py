"""Random keys: of every generator of JAX one Threefry key."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _keys
from jaxsmooth._types import Array


def typed_key(key: object) -> Array:
    """One typed Threefry key.

    Keys of other generators are turned into one: under ``vmap`` the ``rbg`` generators draw a whole batch
    from the first key, which would make the noise depend on the batch size.
    """
    if not isinstance(key, jax.Array | np.ndarray):
        raise TypeError(f"key must be a JAX random key, as from jax.random.key(0); got {type(key).__name__}")
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        if key.dtype != jnp.uint32:
            raise TypeError(f"key must be a JAX random key, as from jax.random.key(0); got dtype {key.dtype}")
        if key.ndim != 1:
            raise ValueError(
                f"key must be a JAX random key, as from jax.random.key(0); got uint32 of shape {key.shape}"
            )
    elif key.shape != ():
        raise ValueError(f"key must be a single key; got an array of keys of shape {key.shape}")
    try:
        words = _keys.key_words(jnp.asarray(key))
    except TypeError:
        raise ValueError(
            f"key must be a JAX random key, as from jax.random.key(0); got uint32 of shape {key.shape}"
        ) from None
    return jax.random.wrap_key_data(jnp.stack(words), impl="threefry2x32")
