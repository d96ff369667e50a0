"""Keys, and the words that keys make: Threefry-2x32, of which no setting of JAX changes a bit.

``jax.random`` splits keys and draws words by counters of its own if ``jax_threefry_partitionable`` is off, takes
legacy keys for those of ``jax_default_prng_impl``, and draws 64 bits for one number if ``jax_enable_x64`` is on. Here
everything is what it is with the settings that JAX comes with.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def threefry(key: tuple[Array, Array], counter: tuple[Array, Array]) -> tuple[Array, Array]:
    """The Threefry-2x32-20 block function: two words of key, two of counter, two of output (uint32)."""
    k0, k1 = key
    schedule = (k0, k1, k0 ^ k1 ^ _PARITY)
    a, b = counter[0] + k0, counter[1] + k1
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            a = a + b
            b = a ^ ((b << np.uint32(rotation)) | (b >> np.uint32(32 - rotation)))
        a = a + schedule[(i + 1) % 3]
        b = b + schedule[(i + 2) % 3] + np.uint32(i + 1)
    return a, b


def key_words(key: Array) -> tuple[Array, Array]:
    """The two words of a Threefry key, typed or legacy; of another generator's key, two words that it draws."""
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        # Two words are a Threefry key whatever the default generator is, four a key of the rbg generators.
        impl = {2: "threefry2x32", 4: "rbg"}.get(key.size)
        key = jax.random.wrap_key_data(jnp.asarray(key), impl=impl)
    threefry_key = str(jax.random.key_impl(key)) == "threefry2x32"
    k = jax.random.key_data(key) if threefry_key else jax.random.bits(key, (2,), jnp.uint32)
    return k[0], k[1]


@functools.partial(jax.jit, static_argnames=("shape",), inline=True)
def split(key: Array, shape: int | tuple[int, ...] = 2) -> Array:
    """Typed Threefry keys: those of ``jax.random.split``."""
    words = threefry(key_words(key), _counter((shape,) if isinstance(shape, int) else shape))
    return jax.random.wrap_key_data(jnp.stack(words, -1), impl="threefry2x32")


@functools.partial(jax.jit, static_argnames=("shape",), inline=True)
def bits(key: Array, shape: tuple[int, ...]) -> Array:
    """uint32 words: those of ``jax.random.bits``."""
    first, second = threefry(key_words(key), _counter(shape))
    return first ^ second


@functools.partial(jax.jit, static_argnames=("shape",), inline=True)
def uniform(key: Array, shape: tuple[int, ...]) -> Array:
    """float32 in [0, 1): the numbers of ``jax.random.uniform``."""
    one = (bits(key, shape) >> np.uint32(9)) | np.uint32(0x3F800000)
    return jax.lax.bitcast_convert_type(one, jnp.float32) - np.float32(1)


@functools.partial(jax.jit, static_argnames=("number", "shape"), inline=True)
def index(key: Array, number: int, shape: tuple[int, ...] = ()) -> Array:
    """Numbers among 0, ..., ``number - 1``, int32: those of ``jax.random.randint``."""
    span, power = np.uint32(number), 2**16 % number
    high, low = jax.vmap(lambda k: bits(k, shape))(split(key))
    offset = (high % span) * np.uint32(power * power % 2**32 % number) + low % span
    return (offset % span).astype(jnp.int32)


def folded(keys: Array, number: int) -> Array:
    """Typed Threefry keys ``(batch,)`` with a number folded into each: those of ``jax.random.fold_in``."""
    data = jax.random.key_data(keys)
    counter = (jnp.zeros(data.shape[:1], jnp.uint32), jnp.full(data.shape[:1], number, jnp.uint32))
    words = threefry((data[:, 0], data[:, 1]), counter)
    return jax.random.wrap_key_data(jnp.stack(words, -1), impl="threefry2x32")


def _counter(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The high and the low words of 0, 1, ..., in this shape."""
    low = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return jnp.zeros_like(low), low
