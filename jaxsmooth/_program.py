"""What makes a program: the classes of a tree of values, and what its functions refer to at this moment.

``jax.jit`` finds programs by the structure of their arguments, in which dataclasses of different classes can be equal
(``jaxsmooth._pytree``), and takes a function for the same as long as it is the same object, though the weights that
it closes over may be others by now. ``program_of`` tells both apart, as a static argument.
"""

import dataclasses
import dis
import functools
import hashlib
import os
import sysconfig
import types
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import jax
import jax.extend.core
import numpy as np
from jax.core import Tracer

from jaxsmooth._pytree import kind_of

# Functions of installed packages are not looked into: they change with their versions only.
_PACKAGES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_INSTALLED = tuple({os.path.realpath(path) + os.sep for path in (*_PACKAGES, os.path.dirname(__file__))})


def jit(function: Callable[..., Any], *, static_argnames: tuple[str, ...] = (), **settings: Any) -> Callable[..., Any]:
    """``jax.jit`` for arguments of users: programs are found by everything that ``program_of`` tells apart.

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
        return compiled(*arguments, program=program_of(arguments), **options)

    return call


def shapes_of(function: Callable[..., Any], *arguments: Any) -> Any:
    """``jax.eval_shape``, which remembers functions as ``jit`` does: a function made anew it has never met."""
    return jax.eval_shape(lambda *arguments: function(*arguments), *arguments)


def jaxpr_of(function: Callable[..., Any], *arguments: Any) -> jax.extend.core.ClosedJaxpr:
    """``jax.make_jaxpr``, likewise."""
    return jax.make_jaxpr(lambda *arguments: function(*arguments))(*arguments)


def program_of(tree: Any) -> Hashable:
    """What, beside the types of its leaves, decides which program a tree of values stands for.

    Args:
        tree: any pytree, such as a classifier or a noise.

    Returns:
        The class of every node; the kinds of its static fields; and, of functions among them, the arrays, numbers
        and words that they close over or find among their globals: JAX arrays by identity, NumPy arrays by content.
    """
    visited: set[int] = set()
    return _of_structure(jax.tree.structure(tree), visited)


def referred_by(cls: type) -> Hashable:
    """The arrays and numbers that the methods of a class refer to, which no comparison of its instances sees."""
    visited: set[int] = set()
    methods = [
        method for base in cls.__mro__ for method in vars(base).values() if isinstance(method, types.FunctionType)
    ]
    return tuple(part for method in methods for part in _referred(method, visited))


def _of_structure(structure: Any, visited: set[int]) -> Hashable:
    node = structure.node_data()
    if node is None:
        return None
    kind, static = node
    referred = () if getattr(kind, "runs_on_host", False) is True else tuple(_referred(static, visited))
    children = tuple(_of_structure(child, visited) for child in structure.children())
    if kind in (tuple, list, dict, None):
        return (kind, children)
    return (kind, kind_of(static), referred, children)


class _Same:
    """An array that is equal to itself alone, and is not kept: programs are remembered longer than weights."""

    def __init__(self, value: jax.Array) -> None:
        self._reference, self._hash = weakref.ref(value), id(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        value = self._reference()
        return self is other or (value is not None and value is other._reference())

    def __hash__(self) -> int:
        return self._hash


def _referred(value: Any, visited: set[int]) -> Iterator[Hashable]:
    """The arrays and numbers that a static value leads to.

    Of integers and words those alone that a function has by name: lists, dictionaries and objects count its calls.
    """
    if isinstance(value, Tracer):
        return
    if isinstance(value, jax.Array):
        yield _Same(value)
    elif isinstance(value, np.ndarray):
        if value.dtype != object:
            content = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=16).digest()
            yield value.shape, value.dtype.str, content
    elif isinstance(value, float | np.floating | bool):
        yield kind_of(value), value
    elif isinstance(value, _Named):
        yield kind_of(value.value), value.value
    elif not isinstance(value, int | str | bytes | type | types.ModuleType | None) and id(value) not in visited:
        visited.add(id(value))
        for part in _parts(value):
            yield from _referred(part, visited)


def _parts(value: Any) -> Iterator[Any]:
    """What a static value is made of or refers to."""
    if isinstance(value, types.FunctionType):
        if not _is_installed(value.__code__):
            yield from _parts_of_function(value)
    elif isinstance(value, types.MethodType | types.MethodWrapperType | types.BuiltinMethodType):
        yield value.__self__
        yield getattr(value, "__func__", None)
    elif isinstance(value, functools.partial):
        yield value.func
        yield from map(_named, (*value.args, *value.keywords.values()))
    elif isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, tuple | list | set | frozenset):
        yield from value
    elif not jax.tree_util.all_leaves([value]):
        yield from jax.tree.leaves(value)
    else:
        yield from vars(value).values() if hasattr(value, "__dict__") else ()


def _parts_of_function(function: types.FunctionType) -> Iterator[Any]:
    yield from map(_named, (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()))
    counted = _assigned(function.__code__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
        yield value if name in counted else _named(value)
    for name in _names(function.__code__):
        if name in function.__globals__:
            value = function.__globals__[name]
            yield value if name in counted else _named(value)


@dataclasses.dataclass(frozen=True)
class _Named:
    """An integer or a word that a function has by name."""

    value: int | str | bytes


def _named(value: Any) -> Any:
    return _Named(value) if isinstance(value, int | str | bytes) and not isinstance(value, bool) else value


@functools.lru_cache(maxsize=4096)
def _assigned(code: types.CodeType) -> frozenset[str]:
    """The names outside of a function that it, or a function inside it, assigns: its own counters."""
    inside = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("STORE_GLOBAL", "STORE_DEREF")}
    return frozenset(own).union(*map(_assigned, inside))


def _names(code: types.CodeType) -> Iterator[str]:
    """The global names in a function and in the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


@functools.lru_cache(maxsize=4096)
def _is_installed(code: types.CodeType) -> bool:
    return code.co_filename.startswith("<frozen") or os.path.realpath(code.co_filename).startswith(_INSTALLED)
