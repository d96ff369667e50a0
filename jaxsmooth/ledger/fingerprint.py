"""What a run is: the fingerprint that keeps the votes of another run out of a ledger."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.sharding import Mesh

from jaxsmooth._types import Array
from jaxsmooth._version import __version__
from jaxsmooth.ledger.file import digest


def run_header(
    key_data: Array, classify: Any, noise: Any, event: tuple[int, ...], classes: int, mesh: Mesh | None
) -> dict[str, Any]:
    """Everything that votes depend on, apart from the images: each of these must agree to add votes.

    Classifier and noise are known by their arrays and by their programs as JAX traces them; what a Python
    function called back from a program keeps to itself is not seen.
    """
    devices = [jax.devices()[0]] if mesh is None else mesh.devices.flat
    example = jax.ShapeDtypeStruct((2, *event), jnp.float32)
    return {
        "jaxsmooth": __version__,
        "jax": jax.__version__,
        "devices": sorted({f"{device.platform} {device.device_kind}" for device in devices}),
        "matmul_precision": _setting("jax_default_matmul_precision") or "default",
        "x64": bool(_setting("jax_enable_x64")),
        "key": np.asarray(key_data).tobytes().hex(),
        **noise_header(noise, event),
        "classifier": digest(_program(lambda classify, x: classify(x), classify, example), _leaves(classify)),
        "event": list(event),
        "classes": classes,
    }


def noise_header(noise: Any, event: tuple[int, ...]) -> dict[str, str]:
    """The noise in words, and the digest of its arrays and of the programs that find and draw it."""

    def draw(noise: Any, x: Array, data: Array) -> Array:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.wrap_key_data(data), jnp.arange(2))
        return jax.vmap(lambda noise, key: noise.sample(key, event))(noise.at(x), keys)

    example = jax.ShapeDtypeStruct((2, *event), jnp.float32)
    program = _program(draw, noise, example, jax.ShapeDtypeStruct((2,), jnp.uint32))
    return {"noise": _in_words(noise), "noise_digest": digest(program, _leaves(noise))}


def _in_words(noise: Any) -> str:
    if dataclasses.is_dataclass(noise) and not isinstance(noise, type):
        values = [(field.name, getattr(noise, field.name)) for field in dataclasses.fields(noise)]
        return f"{type(noise).__name__}({', '.join(f'{name}={_in_words(value)}' for name, value in values)})"
    if isinstance(noise, jax.Array | np.ndarray | np.generic | float) and np.ndim(noise) == 0:
        return str(np.float32(noise))
    if isinstance(noise, jax.Array | np.ndarray):
        return f"array{list(noise.shape)}:{digest(_leaves(noise))}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(noise))[:200]


def image_digest(event: np.ndarray) -> str:
    """The digest of one float32 image."""
    return digest(str(event.shape).encode(), np.ascontiguousarray(event).tobytes())


def _setting(name: str) -> Any:
    return getattr(jax.config, name)


def _program(function: Any, *arguments: Any) -> bytes:
    """The traced program and the constants in it."""
    program = jax.make_jaxpr(function)(*arguments)
    # str() would colour the text on a terminal.
    text = re.sub(r" at 0x[0-9a-f]+", "", program.pretty_print(use_color=False))
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
    if array.dtype == jnp.bool_ or (jnp.issubdtype(array.dtype, jnp.integer) and jnp.iinfo(array.dtype).bits < 8):
        array = array.astype(jnp.int8)
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
