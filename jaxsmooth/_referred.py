"""What functions and objects refer to at this moment, so that a change is seen without a trace.

Everything that Python lets a function read is followed: closures, defaults, the globals it names and what it names in
modules and classes, attributes, containers, the methods of classes. What is missed could run an old program, hence what
is not understood says so. Too much may be followed: a change of what does not matter costs a trace and nothing else.
"""

import builtins
import collections
import functools
import gc
import hashlib
import importlib.util
import inspect
import operator
import os
import re
import sys
import sysconfig
import threading
import types
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxsmooth._code import WHOLE, Chains, Reads, reads
from jaxsmooth._same import Same

# Functions of installed packages read no globals that change; what they close over may.
_PACKAGES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_INSTALLED = tuple({os.path.realpath(path) + os.sep for path in (*_PACKAGES, os.path.dirname(__file__))})
_MOST = 20_000
_MADE_BY_PYTHON = 1 << 9  # a flag of types, Py_TPFLAGS_HEAPTYPE
# What says all in words, and what does so but for attributes of a class made of it.
PLAIN = frozenset({
    types.NoneType, types.EllipsisType, types.NotImplementedType, bool, int, float, complex, str, bytes, slice, range,
})  # fmt: skip
_WORDS = (int, float, complex, str, bytes, bytearray, np.generic, np.dtype)
# What has nothing beside what is looked at.
_BARE = frozenset({
    dict, list, tuple, set, frozenset, bytearray, property, functools.partial, types.ModuleType, types.FunctionType,
    types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType, types.MappingProxyType, weakref.ref,
    np.ndarray, np.memmap,
})  # fmt: skip
_UNCHANGING = frozenset({
    object, re.Pattern, types.GenericAlias, types.UnionType, types.CodeType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.MethodDescriptorType, types.WrapperDescriptorType,
    types.ClassMethodDescriptorType, type(vars(collections.namedtuple("One", "field"))["field"]), operator.itemgetter,
    operator.attrgetter, type(threading.Lock()), type(threading.RLock()),
})  # fmt: skip
# Classes of extensions whose objects are their attributes, and packages whose objects never change but for these.
_CACHED = type(functools.cache(id))
_ATTRIBUTES = frozenset({object, types.SimpleNamespace, staticmethod, classmethod, _CACHED})
_NEVER = ("numpy", "jaxlib", "jax")
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)
# Functions of Python that find what it is not known.
_FINDERS = frozenset({"globals", "eval", "exec"})
_NOTHING = Reads({}, (), False)


class Referred:
    """What a tree of values refers to: in ``parts`` by where it was found, as long as ``complete``."""

    def __init__(self, *values: Any) -> None:
        self.parts: dict[tuple[Any, ...], Any] = {}
        self.complete = True
        # By number: the object, kept so that no other gets its number, and where it was first.
        self._visited: dict[int, tuple[Any, tuple[Any, ...]]] = {}
        try:
            for place, value in enumerate(values):
                self._tree(value, (place,))
            self._all(("told",), dict(_told()))
        except Exception:  # of attributes and containers of users, and of too many functions inside each other
            self.complete = False

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

    def _value(self, value: Any, path: tuple[Any, ...]) -> None:
        kind = type(value)
        if len(self.parts) >= _MOST or isinstance(value, Tracer):
            self.complete = False
        elif kind in PLAIN:
            self.parts[path] = (kind, repr(value))
        elif kind is jax.tree_util.PyTreeDef:  # of which == compares neither classes nor functions
            self.parts[path] = (kind, value.num_nodes, value.num_leaves)
            self._structure(value, path)
        elif isinstance(value, jax.Array):
            self.parts[path] = Same(value)
        elif runs_on_host(kind):
            self.parts[path] = _only(value)
        elif id(value) in self._visited:
            self.parts[path] = ("as", self._visited[id(value)][1])
        else:
            self._visited[id(value)] = (value, path)
            self._object(value, path)

    def _object(self, value: Any, path: tuple[Any, ...]) -> None:
        kind = type(value)
        if isinstance(value, type):
            return self._class(value, path)
        if isinstance(value, np.generic):  # whose own words may be an address
            self.parts[path] = (kind, value.dtype.str, value.tobytes())
            self.complete &= not value.dtype.hasobject
        elif isinstance(value, _WORDS):
            base: Any = next(base for base in _WORDS if isinstance(value, base))
            self.parts[path] = (kind, base.__repr__(value))
        elif isinstance(value, np.ndarray):
            self._array(value, path)
        elif isinstance(value, types.ModuleType):
            self._module(value, path, WHOLE)
        elif isinstance(value, types.FunctionType):
            self._function(value, path)
        elif isinstance(value, types.MethodType):
            self._all(path, {"self": value.__self__, "func": value.__func__})
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            self.parts[path] = value.__name__
            self._value(value.__self__, (*path, "self"))
        elif isinstance(value, property):
            self._all(path, {"get": value.fget})
        elif isinstance(value, weakref.ref):
            self._value(value(), (*path, "to"))
        elif isinstance(value, functools.partial):
            self._all(path, {"func": value.func, "args": value.args, "keywords": value.keywords})
        elif isinstance(value, Mapping):
            self.parts[path] = (kind, "of length", len(value))
            if isinstance(value, collections.defaultdict):
                self._value(value.default_factory, (*path, "default"))
            for place, (key, one) in enumerate(value.items()):
                self._value(key, (*path, place, "key"))
                self._value(one, (*path, place))
        elif isinstance(value, tuple):
            self.parts[path] = (kind, "of length", len(value))
            self._all(path, dict(enumerate(value)))
        elif isinstance(value, list | set | frozenset):
            self.parts[path] = kind
            self.parts[*path, "length" if isinstance(value, list) else "number"] = len(value)
            words = not isinstance(value, list) and all(type(one) in PLAIN for one in value)
            # The order of words in a set is another one in every process.
            self._all(path, dict(enumerate(sorted(value, key=repr) if words else value)))
        else:
            return self._attributes(value, path)
        if kind not in _BARE:
            self._members(value, path)

    def _array(self, value: np.ndarray, path: tuple[Any, ...]) -> None:
        self.parts[path] = (value.shape, value.dtype.str)
        if not value.dtype.hasobject:
            self.parts[*path, "content"] = _content(value)
        elif value.dtype == object:
            self._all(path, dict(enumerate(value.flat)))
        else:
            self.complete = False

    def _members(self, value: object, path: tuple[Any, ...]) -> bool:
        """The class and the attributes, whatever the class makes of being asked for them; whether there are any."""
        kind, found = type(value), {}
        for name in [*(name for base in kind.__mro__ for name in _slots(base)), "__dict__"]:
            try:
                found[name] = object.__getattribute__(value, name)
            except AttributeError:  # no such slot is filled
                continue
        has_any = bool(found)
        found |= found.pop("__dict__", {})
        if "__wrapped__" not in found and hasattr(kind, "__wrapped__"):
            found["__wrapped__"] = getattr(value, "__wrapped__")  # noqa: B009
        self._value(kind, (*path, "class"))
        self._all(path, found)
        return has_any or bool(found)

    def _attributes(self, value: object, path: tuple[Any, ...]) -> None:
        kind, has_any = type(value), self._members(value, path)
        if kind is _CACHED:
            code = getattr(inspect.unwrap(value), "__code__", None)  # pyright: ignore[reportArgumentType]
            if code is None or not _is_installed(code.co_filename):
                # What it has returned, which may have changed since.
                self._all((*path, "cached"), dict(enumerate(gc.get_referents(value))))
        if not jax.tree_util.all_leaves([value]):
            leaves, structure = jax.tree.flatten(value)
            self._structure(structure, (*path, "tree"))
            self._all((*path, "tree"), dict(enumerate(leaves)))
        elif not has_any and _of_installed(kind) and all("__slots__" in vars(base) for base in kind.__mro__[:-1]):
            # Of a class of Python that has slots alone, none of them filled.
            self.parts[path] = kind
        elif not has_any:
            # An object of an extension: of installed ones, such as functions of NumPy, most never change.
            self.parts[path] = Same(value)
            self.complete &= kind in _UNCHANGING or _never_changes(value)
        elif not _never_changes(value) and any(map(_holds_more, kind.__mro__)):
            self.parts[*path, "itself"] = Same(value)
            self.complete = False

    def _class(self, kind: type, path: tuple[Any, ...]) -> None:
        self.parts[path] = kind
        for place, base in enumerate((*kind.__mro__, *inspect.getmro(type(kind)))):
            if not _of_installed(base):
                found = {name: one for name, one in vars(base).items() if name not in _OF_CLASSES}
                self._all((*path, place), found)

    def _function(self, function: types.FunctionType, path: tuple[Any, ...]) -> None:
        code, space = function.__code__, function.__globals__
        self.parts[path] = code
        for name, one in vars(function).items():
            if name != "__signature__":  # of which nothing is computed
                self._value(one, (*path, "own", name))
        for place, defaults in enumerate((function.__defaults__, function.__kwdefaults__)):
            if defaults:
                self._value(defaults, (*path, place))
        read = _NOTHING if _is_installed(code.co_filename) else reads(code)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not yet assigned
                self.parts[*path, "closure", name] = None
            else:
                self._reached(value, (*path, "closure", name), read.names.get(name, WHOLE))
        self.complete &= not read.finds
        for name, chains in read.names.items():
            if name in space:
                self._reached(space[name], (*path, "global", name), chains)
            elif name in _FINDERS:
                self.complete = False
            elif name in vars(builtins):
                self._value(vars(builtins)[name], (*path, "builtin", name))
        for name, level, chains in read.imported:
            module = importlib.util.resolve_name("." * level + name, space.get("__package__")) if level else name
            self._reached(sys.modules.get(module), (*path, "import", module), chains)

    def _reached(self, value: object, path: tuple[Any, ...], chains: Chains) -> None:
        """What code reads of a value: of a module these attributes, of anything else all."""
        if isinstance(value, types.ModuleType):
            self._module(value, path, chains)
        else:
            self._value(value, path)

    def _module(self, module: types.ModuleType, path: tuple[Any, ...], chains: Chains) -> None:
        installed = _is_installed_module(module)
        if () in chains:
            self.parts[path] = module if installed else Same(module)
        if () in chains and not installed:
            return self._all(path, {name: one for name, one in vars(module).items() if name not in _OF_MODULES})
        for name in {chain[0] for chain in chains if chain}:
            # A module may make what it does not have.
            value = vars(module).get(name, vars(module).get("__getattr__"))
            complete = self.complete
            self._reached(value, (*path, name), frozenset(chain[1:] for chain in chains if chain[:1] == (name,)))
            if installed and not isinstance(getattr(value, "__self__", None), _GENERATORS):
                # What is inside of a package is taken not to change, but for which one it is.
                self.parts[*path, name, "itself"] = Same(value)
                self.complete = complete

    def _all(self, path: tuple[Any, ...], values: Mapping[Any, Any]) -> None:
        for name, value in values.items():
            self._value(value, (*path, name))


# What every class has, and nothing of which a method reads.
_OF_CLASSES = frozenset(
    "__dict__ __weakref__ __doc__ __module__ __annotations__ __annotate__ __annotate_func__ __slots__ "
    "__abstractmethods__ _abc_impl __parameters__ __orig_bases__ __static_attributes__ __firstlineno__ __match_args__ "
    "__dataclass_fields__ __dataclass_params__".split()
)
_OF_MODULES = frozenset(
    "__builtins__ __spec__ __loader__ __cached__ __file__ __path__ __doc__ __name__ __package__ __annotations__".split()
)


def _only(value: Any) -> Any:
    """What stands for what a classifier of Python functions holds, which they look up when they run."""
    if isinstance(value, tuple):
        return tuple(map(_only, value))
    return value if type(value) in PLAIN or isinstance(value, _WORDS) else Same(value)


def runs_on_host(kind: type) -> bool:
    """Whether these classifiers call Python, which looks up what it refers to when it runs."""
    return getattr(kind, "runs_on_host", False) is True


def _content(array: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()


def _never_changes(value: object) -> bool:
    """Whether an object is of a package whose objects do not change; generators of random numbers do."""
    return type(value).__module__.partition(".")[0] in _NEVER and not isinstance(value, _GENERATORS)


def _holds_more(base: type) -> bool:
    """Whether a class is of an extension that may keep what is in no attribute, as tensors and queues do."""
    return base not in _ATTRIBUTES and isinstance(vars(base).get("__new__"), types.BuiltinFunctionType)


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    private = lambda name: name.startswith("__") and not name.endswith("__")
    return tuple(f"_{kind.__name__.lstrip('_')}{name}" if private(name) else name for name in names)


def _told() -> Iterator[tuple[Any, Any]]:
    """What libraries are told beside their models, which is among their globals."""
    for module, name, attribute in _OF_LIBRARIES:
        told = getattr(getattr(sys.modules.get(module), name, None), attribute, None)
        if told:
            yield (module, attribute), told if isinstance(told, dict) else tuple(told)


# Functions that intercept the methods of Flax and Haiku, and the precisions of Haiku.
_OF_LIBRARIES = (
    ("flax.linen.module", "_global_interceptor_stack", "_storage"),
    ("haiku._src.module", "interceptor_stack", "_storage"),
    ("haiku._src.mixed_precision", "_thread_local_state", "_cls_policy"),
)


def _of_installed(kind: type) -> bool:
    """Whether a class is one of C, or of an installed package."""
    module = sys.modules.get(kind.__module__)
    return not kind.__flags__ & _MADE_BY_PYTHON or (
        kind.__module__ != "builtins" and module is not None and _is_installed_module(module)
    )


def _is_installed_module(module: types.ModuleType) -> bool:
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    # A folder without a file is a package, too.
    folders = [os.path.join(folder, "") for folder in getattr(spec, "submodule_search_locations", None) or ()]
    return _is_installed(file or folders[0]) if file or folders else spec is not None


@functools.lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    return file.startswith("<frozen") or os.path.realpath(file).startswith(_INSTALLED)
