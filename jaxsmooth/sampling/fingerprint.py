"""What a run is: the fingerprint that keeps the votes of another run out of a ledger."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxsmooth import ledger
from jaxsmooth._types import Array
from jaxsmooth._version import __version__


def run_header(key_data: Array, classify: Any, noise: Any, event: tuple[int, ...], classes: int) -> dict[str, Any]:
    """Everything that votes depend on, apart from the images: each of these must agree to add votes.

    The classifier is known by its weights and by its program as JAX traces it; what a Python function called
    back from the program keeps to itself is not seen.
    """
    example = jax.ShapeDtypeStruct((2, *event), jnp.float32)
    return {
        "jaxsmooth": __version__,
        "jax": jax.__version__,
        "backend": jax.default_backend(),
        "matmul_precision": _setting("jax_default_matmul_precision") or "default",
        "x64": bool(_setting("jax_enable_x64")),
        "key": np.asarray(key_data).tobytes().hex(),
        "noise": describe_noise(noise),
        "classifier": ledger.digest(_program(lambda classify, x: classify(x), classify, example), _leaves(classify)),
        "event": list(event),
        "classes": classes,
    }


def describe_noise(noise: Any) -> str:
    """The noise in words; arrays in it, such as the reference set of a scale, by their digests."""
    if dataclasses.is_dataclass(noise) and not isinstance(noise, type):
        values = [(field.name, getattr(noise, field.name)) for field in dataclasses.fields(noise)]
        return f"{type(noise).__name__}({', '.join(f'{name}={describe_noise(value)}' for name, value in values)})"
    if isinstance(noise, jax.Array | np.ndarray | np.generic | float) and np.ndim(noise) == 0:
        return str(np.float32(noise))
    if isinstance(noise, jax.Array | np.ndarray):
        return f"array{list(noise.shape)}:{ledger.digest(_leaves(noise))}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(noise))


def image_digest(event: np.ndarray) -> str:
    """The digest of one float32 image."""
    return ledger.digest(str(event.shape).encode(), np.ascontiguousarray(event).tobytes())


def _setting(name: str) -> Any:
    return getattr(jax.config, name)


def _program(function: Any, *arguments: Any) -> bytes:
    """The traced program and the constants in it."""
    program = jax.make_jaxpr(function)(*arguments)
    text = re.sub(r" at 0x[0-9a-f]+", "", str(program))
    return text.encode() + b"".join(_leaves(closed.consts) for closed in _closed_jaxprs(program))


def _closed_jaxprs(value: Any) -> Iterator[ClosedJaxpr]:
    """The program and every program inside it."""
    if isinstance(value, ClosedJaxpr):
        yield value
        value = value.jaxpr
    if isinstance(value, Jaxpr):
        for equation in value.eqns:
            for parameter in equation.params.values():
                yield from _closed_jaxprs(parameter)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _closed_jaxprs(part)


def _leaves(tree: Any) -> bytes:
    """Shape, dtype and checksum of every array; computed where the arrays are, however they are sharded."""
    parts = []
    for leaf in jax.tree.leaves(tree):
        leaf = jnp.asarray(leaf)
        parts.append(f"{leaf.shape}{leaf.dtype}".encode())
        parts.append(np.asarray(_checksum(leaf)).tobytes())
    return b"".join(parts)


@jax.jit
def _checksum(array: Array) -> Array:
    """Two 32-bit sums of scrambled (position, bits): sums, so that every sharding gives the same."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if array.dtype == jnp.bool_:
        array = array.astype(jnp.uint8)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        array = jnp.stack([array.real, array.imag], -1)
    # Eight bytes become two words; one and two bytes are widened.
    width = {1: jnp.uint8, 2: jnp.uint16}.get(array.dtype.itemsize, jnp.uint32)
    bits = jax.lax.bitcast_convert_type(array, width).astype(jnp.uint32)
    position = jnp.zeros(bits.shape, jnp.uint32)
    for axis, size in enumerate(bits.shape):
        position = position * jnp.uint32(size % 2**32) + jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
    mixed = [_scramble(bits ^ _scramble(position + jnp.uint32(seed))) for seed in (0x9E3779B9, 0x7F4A7C15)]
    return jnp.stack([m.sum(dtype=jnp.uint32) for m in mixed])


def _scramble(word: Array) -> Array:
    """A bijection of 32-bit words that spreads every bit over all of them."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)
