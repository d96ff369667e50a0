"""What makes a program: what JAX traces at this moment.

``jax.jit`` finds programs by the structure of their arguments, in which dataclasses of different classes can be equal
(``jaxsmooth._pytree``), and takes a function for the same as long as it is the same object, though what it refers to
may be other by now: weights it closes over, a flag of its object, a function that was defined anew. Here a program is
known by its trace, as a static argument; and it is traced again when anything that it refers to has changed.
"""

import collections
import dataclasses
import functools
import hashlib
import re
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from jaxsmooth._counters import moved, still_counting, without
from jaxsmooth._pytree import classes_in, opaque
from jaxsmooth._referred import Referred

_PACKAGE = __name__.partition(".")[0]


@dataclasses.dataclass(frozen=True)
class Program:
    """What decides, beside the types of its arguments, what a function of trees of arrays computes.

    Attributes:
        classes: the class of every node of the trees, and the kinds of their static fields.
        trace: the digest of what JAX traced, with the values of its constants; an object equal to itself alone where
            these are being traced, so that they have no values.
        callbacks: the Python functions that it calls, which look up what they refer to when they run.
    """

    classes: Hashable
    trace: Hashable
    callbacks: tuple[Any, ...] = ()


def jit(function: Callable[..., Any], *, static_argnames: tuple[str, ...] = (), **settings: Any) -> Callable[..., Any]:
    """``jax.jit`` for arguments of users: programs are found by what they are at this moment.

    Args:
        function: of positional arguments that are trees of arrays, and of static keyword arguments.
        static_argnames: the names of the latter.
        **settings: passed on to ``jax.jit``.

    Returns:
        The compiled function.
    """

    @functools.partial(jax.jit, static_argnames=("program", *static_argnames), **settings)
    def compiled(*arguments: Any, program: Hashable, **options: Any) -> Any:
        del program
        return function(*arguments, **options)

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        found = find_program(function, *arguments, **options)
        result = compiled(*arguments, program=found.program, **options)
        find_counters(found, *arguments)
        return result

    return call


def shapes_of(function: Callable[..., Any], *arguments: Any) -> Any:
    """``jax.eval_shape``, which remembers functions as ``jit`` does: a function made anew it has never met."""
    return jax.eval_shape(lambda *arguments: function(*arguments), *arguments)


def traced(function: Callable[..., Any], *arguments: Any) -> tuple[ClosedJaxpr, Any]:
    """What JAX traces, whether or not it is debugged without ``jit``; and the shapes of the results."""
    with jax.disable_jit(False):
        return jax.make_jaxpr(lambda *arguments: function(*arguments), return_shape=True)(*arguments)


def jaxpr_of(function: Callable[..., Any], *arguments: Any) -> ClosedJaxpr:
    """What JAX traces."""
    return traced(function, *arguments)[0]


class Found(NamedTuple):
    """The program of a function of trees of arrays.

    Attributes:
        program: what it is known by.
        results: the shapes of what it returns.
        jaxpr: what was traced, if it was now; it holds weights, and is not kept.
        moved: what may have counted this trace, for ``find_counters``.
    """

    program: Program
    results: Any
    jaxpr: ClosedJaxpr | None
    moved: Any = None


class _Known(NamedTuple):
    """What was found, as long as these are what the arguments refer to, but for counters."""

    parts: Mapping[Any, Any]
    counters: Mapping[Any, Any]
    found: Found


# Functions that differ in what they refer to alone; and others, of which the longest unused go first.
_MOST_ALIKE, _MOST = 16, 256
_known: collections.OrderedDict[Hashable, list[_Known]] = collections.OrderedDict()
_known_lock = threading.RLock()


def find_program(function: Callable[..., Any], *arguments: Any, **options: Any) -> Found:
    """The program of a function at this moment, traced if anything has changed that its arguments refer to.

    Args:
        function: one of this library, of positional arguments that are trees of arrays, or of their shapes.
        *arguments: these.
        **options: static, hashable.

    Returns:
        What was found.
    """
    kinds = tuple(map(_kind_of_leaf, jax.tree.leaves(arguments)))
    of = (function, tuple(options.items()), classes_of(arguments), kinds, _settings())
    before, alike = Referred(*arguments), _alike(of)
    for known in reversed(alike):
        if before.complete and without(before.parts, known.counters) == known.parts:
            return known.found
    jaxpr, results = traced(functools.partial(function, **options), *arguments)
    after = Referred(*arguments)
    found = Found(program_from(jaxpr, arguments), results, None)
    if after.complete and not isinstance(found.program.trace, _Once):
        _keep(of, _Known(after.parts, {}, found))
        found = found._replace(
            moved=(of, after.parts, counters) if (counters := moved(before.parts, after.parts)) else None
        )
    return found._replace(jaxpr=jaxpr)


def find_counters(found: Found, *arguments: Any) -> None:
    """Once a program was traced again since it was found: what has counted that, too, may count on.

    What counts the calls of a function moves at each of them; what is made at the first one, such as layers and numbers
    that are resolved late, does so once. Where nothing has moved since, for want of a trace or because nothing counts,
    the program is traced once more to know.
    """
    if found.moved is None:
        return
    of, parts, first = found.moved
    now = Referred(*arguments)
    if now.parts == parts:
        function, options, *_ = of
        again, _ = traced(functools.partial(function, **dict(options)), *arguments)
        if program_from(again, arguments) != found.program:
            return
        now = Referred(*arguments)
    counters = still_counting(first, parts, now.parts)
    began = {path: first[path] for path in counters}
    if counters and now.complete and without(now.parts, began) == without(parts, began):
        _keep(of, _Known(without(now.parts, counters), counters, found._replace(jaxpr=None, moved=None)))


def _alike(of: Hashable) -> list[_Known]:
    with _known_lock:
        if of in _known:
            _known.move_to_end(of)
        return _known.get(of, [])


def _keep(of: Hashable, known: _Known) -> None:
    with _known_lock:
        # A new list, since other threads may look at the old one.
        _known[of] = [*_known.pop(of, [])[1 - _MOST_ALIKE :], known]
        if len(_known) > _MOST:
            _known.popitem(last=False)


def forget() -> None:
    """Trace everything again, changed or not: before votes of a ledger, which says what is traced when it is opened."""
    with _known_lock:
        _known.clear()


def _kind_of_leaf(leaf: Any) -> Hashable:
    return np.shape(leaf), str(getattr(leaf, "dtype", type(leaf))), getattr(leaf, "weak_type", False)


def _settings() -> Hashable:
    """The settings of JAX on which a trace depends."""
    return (*(getattr(jax.config, name) for name in _OF_TRACES), jax.sharding.get_abstract_mesh())


_OF_TRACES = (
    "jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion", "jax_default_prng_impl",
    "jax_threefry_partitionable",
)  # fmt: skip


class _Once:
    """The trace of a program whose constants are being traced: equal to itself alone."""


def program_from(program: ClosedJaxpr, arguments: Any) -> Program:
    """The program of what was traced with these arguments."""
    if any(isinstance(value, Tracer) for value in _constants(program)):
        return Program(classes_of(arguments), _Once())
    known_by = hashlib.blake2b(text_of(program), digest_size=16).digest()
    return Program(classes_of(arguments), known_by, tuple(_callbacks(program)))


def classes_of(tree: Any) -> Hashable:
    """The class of every node of a tree, and the kinds of its static fields."""
    return classes_in(jax.tree.structure(tree))


def is_of_library(tree: Any) -> bool:
    """Whether every node of a tree is of this library or a plain container, and holds no function."""
    return _is_known(jax.tree.structure(tree))


def text_of(program: ClosedJaxpr) -> bytes:
    """A traced program in words, and the values of the constants in it."""
    # str() would colour the text on a terminal.
    text = re.sub(r" at 0x[0-9a-f]+", "", program.pretty_print(use_color=False))
    return text.encode() + checksums(list(_constants(program)))


def primitives(program: ClosedJaxpr) -> Iterator[str]:
    """The names of the primitives that a program is made of."""
    yield from (equation.primitive.name for equation in _equations(program))


def checksums(tree: Any) -> bytes:
    """Shape, dtype and checksum of every array; computed where the arrays are, however they are sharded."""
    parts = []
    with jax.ensure_compile_time_eval():
        for leaf in map(jnp.asarray, jax.tree.leaves(tree)):
            parts.append(f"{leaf.shape}{leaf.dtype}".encode())
            parts.append(np.asarray(_checksum(leaf)).tobytes())
    return b"".join(parts)


def _is_known(structure: Any) -> bool:
    node = structure.node_data()
    if node is None:
        return True
    kind, static = node
    known = kind in (tuple, list, dict, type(None)) or kind.__module__.partition(".")[0] == _PACKAGE
    return known and _is_plain(static) and all(map(_is_known, structure.children()))


def _is_plain(value: Any) -> bool:
    """Whether a static value is made of numbers and words."""
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _parts(value: object) -> Iterator[ClosedJaxpr | Jaxpr]:
    """The program and every program inside it."""
    if isinstance(value, ClosedJaxpr):
        yield value
        value = value.jaxpr
    if isinstance(value, Jaxpr):
        yield value
        for equation in value.eqns:
            for parameter in equation.params.values():
                yield from _parts(parameter)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _parts(part)


def _equations(program: ClosedJaxpr) -> Iterator[Any]:
    for part in _parts(program):
        if isinstance(part, Jaxpr):
            yield from part.eqns


def _constants(program: ClosedJaxpr) -> Iterator[Any]:
    """The arrays inside a program, also those that its text abbreviates."""
    for part in _parts(program):
        if isinstance(part, ClosedJaxpr):
            yield from part.consts
        else:
            atoms = [*part.outvars, *(atom for equation in part.eqns for atom in equation.invars)]
            yield from (atom.val for atom in atoms if isinstance(atom, Literal) and np.ndim(atom.val))


def _callbacks(program: ClosedJaxpr) -> Iterator[Any]:
    """The Python functions whose results are used."""
    for equation in _equations(program):
        if "callback" in equation.primitive.name and equation.primitive.name != "debug_callback":
            called = equation.params.get("callback")
            yield opaque(getattr(called, "callback_func", called))


@jax.jit
def _checksum(array: jax.Array) -> jax.Array:
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


def _scramble(word: jax.Array) -> jax.Array:
    """A bijection of 32-bit words that spreads every bit over all of them."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)
