"""What functions and objects refer to at this moment, so that a change is seen without a trace.

Everything that Python lets a function read is followed: closures, defaults, the globals it names and what it names in
modules and classes, attributes, containers, the methods of classes. What is missed could run an old program, hence what
is not understood says so. Too much may be followed: a change of what does not matter costs a trace and nothing else.
"""

import enum
import functools
import hashlib
import os
import sys
import sysconfig
import types
import weakref
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

# Functions of installed packages read no globals that change; what they close over may.
_PACKAGES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_INSTALLED = tuple({os.path.realpath(path) + os.sep for path in (*_PACKAGES, os.path.dirname(__file__))})
_MOST = 20_000
_MADE_BY_PYTHON = 1 << 9  # a flag of types, Py_TPFLAGS_HEAPTYPE
_PLAIN = (
    types.NoneType, types.EllipsisType, types.NotImplementedType, bool, int, float, complex, str, bytes, slice, range,
    np.generic, np.dtype, enum.Enum, jax.tree_util.PyTreeDef,
)  # fmt: skip


class Referred:
    """What a tree of values refers to: in ``parts`` by where it was found, as long as ``complete``."""

    def __init__(self, *values: Any) -> None:
        self.parts: dict[tuple[Any, ...], Any] = {}
        self.complete = True
        # By number: the object, kept so that no other gets its number, and where it was first. A module is another
        # thing to every function, which looks at its own names in it.
        self._visited: dict[Any, tuple[Any, tuple[Any, ...]]] = {}
        for place, value in enumerate(values):
            self._tree(value, (place,))

    def without(self, volatile: frozenset[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """The parts but those at or below these places."""
        if not volatile:
            return self.parts
        below = lambda path: any(path[:depth] in volatile for depth in range(1, len(path) + 1))
        return {path: part for path, part in self.parts.items() if not below(path)}

    def counters(self, later: "Referred") -> frozenset[tuple[Any, ...]]:
        """Where two moments differ by an integer, or by the length of a list: what counts the calls in between."""
        paths = self.parts.keys() | later.parts.keys()
        differ = [path for path in paths if self.parts.get(path, self) != later.parts.get(path, self)]
        grown = frozenset(path[:-1] for path in differ if path[-1] == "length")
        number = lambda moment, path: isinstance(part := moment.parts.get(path), tuple) and part[:1] == (int,)
        return grown | {path for path in differ if number(self, path) and number(later, path)}

    def _tree(self, value: Any, path: tuple[Any, ...]) -> None:
        """A tree whose leaves are data: its classes and static fields."""
        self._structure(jax.tree.structure(value), path)

    def _structure(self, structure: Any, path: tuple[Any, ...]) -> None:
        node = structure.node_data()
        if node is None:
            return
        kind, static = node
        self._value(kind, (*path, "class"))
        if runs_on_host(kind):
            self.parts[*path, "static"] = _only(static)
        else:
            self._value(static, (*path, "static"))
        for place, child in enumerate(structure.children()):
            self._structure(child, (*path, place))

    def _value(self, value: Any, path: tuple[Any, ...], names: frozenset[str] = frozenset()) -> None:
        if len(self.parts) >= _MOST:
            self.complete = False
        elif isinstance(value, Tracer):
            self.complete = False
        elif isinstance(value, _PLAIN):
            self.parts[path] = (type(value), value if isinstance(value, jax.tree_util.PyTreeDef) else repr(value))
        elif isinstance(value, jax.Array):
            self.parts[path] = _Same(value)
        elif runs_on_host(type(value)):
            self.parts[path] = _only(value)
        else:
            known_by = (id(value), names if isinstance(value, types.ModuleType) else None)
            if known_by in self._visited:
                self.parts[path] = ("as", self._visited[known_by][1])
            else:
                self._visited[known_by] = (value, path)
                self._object(value, path, names)

    def _object(self, value: Any, path: tuple[Any, ...], names: frozenset[str]) -> None:
        if isinstance(value, np.ndarray) and value.dtype != object:
            self.parts[path] = (value.shape, value.dtype.str, _content(value))
        elif isinstance(value, types.ModuleType):
            if not _is_installed_module(value):
                self._all(path, {name: vars(value)[name] for name in names if name in vars(value)}, names)
        elif isinstance(value, type):
            self._class(value, path)
        elif isinstance(value, types.FunctionType):
            self._function(value, path)
        elif isinstance(value, types.MethodType):
            self._all(path, {"self": value.__self__, "func": value.__func__})
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            self.parts[path] = value.__name__
            self._value(value.__self__, (*path, "self"))
        elif isinstance(value, property):
            self._all(path, {"get": value.fget})
        elif isinstance(value, functools.partial):
            self._all(path, {"func": value.func, "args": value.args, **value.keywords})
        elif isinstance(value, Mapping):
            self.parts[*path, "len"] = len(value)
            for place, (key, one) in enumerate(value.items()):
                self._value(key, (*path, place, "key"))
                self._value(one, (*path, place))
        elif isinstance(value, tuple | list | set | frozenset) or (
            isinstance(value, np.ndarray) and value.dtype == object
        ):
            self.parts[*path, "length"] = len(value)
            self._all(path, dict(enumerate(value)))
        else:
            self._attributes(value, path)

    def _attributes(self, value: Any, path: tuple[Any, ...]) -> None:
        kind = type(value)
        slots = [name for base in kind.__mro__ for name in _slots(base) if hasattr(value, name)]
        found = {name: getattr(value, name) for name in slots} | getattr(value, "__dict__", {})
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            found["__wrapped__"] = wrapped
        self._value(kind, (*path, "class"))
        self._all(path, found)
        if not jax.tree_util.all_leaves([value]):
            leaves, structure = jax.tree.flatten(value)
            self._structure(structure, (*path, "tree"))
            self._all((*path, "tree"), dict(enumerate(leaves)))
        elif not found and not hasattr(value, "__dict__"):
            # An object of an extension: of installed ones, such as functions of NumPy, most never change.
            self.parts[path] = id(value)
            self.complete &= kind.__module__.partition(".")[0] in ("builtins", "numpy", "jaxlib", "jax")

    def _class(self, kind: type, path: tuple[Any, ...]) -> None:
        self.parts[path] = kind
        for base in kind.__mro__:
            if not _of_installed(base):
                found = {name: one for name, one in vars(base).items() if name not in _OF_CLASSES}
                self._all((*path, base.__qualname__), found)

    def _function(self, function: types.FunctionType, path: tuple[Any, ...]) -> None:
        code = function.__code__
        self.parts[path] = code
        names = _names(code)
        own: dict[Any, Any] = {
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
            **vars(function),
        }
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                own["closure", name] = cell.cell_contents
            except ValueError:  # not yet assigned
                self.parts[*path, name] = None
        if not _is_installed(code.co_filename):
            own |= {("global", name): function.__globals__[name] for name in names if name in function.__globals__}
        self._all(path, own, names)

    def _all(self, path: tuple[Any, ...], values: Mapping[Any, Any], names: frozenset[str] = frozenset()) -> None:
        for name, value in values.items():
            self._value(value, (*path, name), names)


# What every class has, and nothing of which a method reads.
_OF_CLASSES = frozenset(
    "__dict__ __weakref__ __doc__ __module__ __annotations__ __annotate__ __annotate_func__ __slots__ "
    "__abstractmethods__ _abc_impl __parameters__ __orig_bases__ __static_attributes__ __firstlineno__ __match_args__ "
    "__dataclass_fields__ __dataclass_params__".split()
)


def _only(value: Any) -> Any:
    """What stands for what a classifier of Python functions holds, which they look up when they run."""
    if isinstance(value, tuple):
        return tuple(map(_only, value))
    if isinstance(value, _PLAIN):
        return value
    try:
        return _Same(value)
    except TypeError:  # not every object can be referred to without being kept
        return value


class _Same:
    """An object that is equal to itself alone, and is not kept: programs are remembered longer than weights."""

    def __init__(self, value: Any) -> None:
        self._reference, self._hash = weakref.ref(value), id(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        value = self._reference()
        return self is other or (value is not None and value is other._reference())

    def __hash__(self) -> int:
        return self._hash


def runs_on_host(kind: type) -> bool:
    """Whether these classifiers call Python, which looks up what it refers to when it runs."""
    return getattr(kind, "runs_on_host", False) is True


def _content(array: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> frozenset[str]:
    """The names in a function and in the functions inside it."""
    inside = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return frozenset(code.co_names).union(*map(_names, inside))


def _of_installed(kind: type) -> bool:
    """Whether a class is one of C, or of an installed package."""
    module = sys.modules.get(kind.__module__)
    return not kind.__flags__ & _MADE_BY_PYTHON or (
        kind.__module__ != "builtins" and module is not None and _is_installed_module(module)
    )


def _is_installed_module(module: types.ModuleType) -> bool:
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    return _is_installed(file) if file else spec is not None


@functools.lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    return file.startswith("<frozen") or os.path.realpath(file).startswith(_INSTALLED)
