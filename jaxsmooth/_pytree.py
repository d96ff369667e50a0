"""frozen_pytree: values that JAX can look into, and tells from those of every other class.

JAX compares structures of classes registered with ``jax.tree_util.register_dataclass`` by their static fields alone,
not by their class, and ``jit`` may then run the program of another class on the same leaves: one pair of classes in
128 or so, another pair in every process. Nodes registered with their own functions are compared with their class.
"""

import dataclasses
import html
import types
import typing
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxsmooth._printed import brief_repr

_T = typing.TypeVar("_T")


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """A field of a ``frozen_pytree`` that shapes the program: hashable, known before tracing.

    Args:
        default: its value where none is given.

    Returns:
        A field for ``dataclasses``.

    Example:
        >>> import jax, jaxsmooth as js
        >>> @js.frozen_pytree
        ... class Power:
        ...     scale: float
        ...     exponent: int = js.static(default=2)
        >>> jax.tree.leaves(Power(3.0))
        [3.0]
    """
    return dataclasses.field(default=default, metadata={"static": True})


@typing.dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
def frozen_pytree(cls: type[_T]) -> type[_T]:
    """Make ``cls`` a frozen dataclass whose fields are data, unless they are ``static`` or plain functions.

    Fields are leaves or trees of leaves, which ``jit`` does not re-trace for. Static fields, and functions that
    are no pytrees themselves, such as schedules, are part of the program. ``__post_init__`` sees what users pass
    and nothing else: JAX rebuilds objects from tracers and placeholders without it. Two values are equal if they
    are of one class and all their numbers are.

    Args:
        cls: a class with annotated fields.

    Returns:
        The class.

    Example:
        >>> import jax, jaxsmooth as js
        >>> @js.frozen_pytree
        ... class Shifted(js.noises.AbstractNoise):
        ...     sigma: float
        ...     by: float = 0.0
        ...
        ...     def scale(self, dim):
        ...         return self.sigma
        ...
        ...     def sample(self, key, shape):
        ...         return self.by + self.sigma * jax.random.normal(key, shape)
        >>> jax.tree.leaves(Shifted(0.25, by=1.0)), Shifted(0.25) == Shifted(0.25)
        ([0.25, 1.0], True)
    """
    own_repr = cls.__repr__ is not object.__repr__
    made: Any = dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
    names = tuple(field.name for field in dataclasses.fields(made))
    fixed = frozenset(field.name for field in dataclasses.fields(made) if field.metadata.get("static"))

    def is_program(name: str, value: Any) -> bool:
        return name in fixed or (callable(value) and jax.tree_util.all_leaves([value]))

    def flatten_with_keys(value: Any) -> tuple[tuple[Any, ...], "_Program"]:
        fields = [(name, getattr(value, name)) for name in names]
        program = tuple(field for field in fields if is_program(*field))
        leaves = [field for field in fields if not is_program(*field)]
        keyed = tuple((jax.tree_util.GetAttrKey(name), leaf) for name, leaf in leaves)
        return keyed, _Program(tuple(name for name, _ in leaves), program)

    def flatten(value: Any) -> tuple[tuple[Any, ...], "_Program"]:
        keyed, program = flatten_with_keys(value)
        return tuple(leaf for _, leaf in keyed), program

    def unflatten(program: "_Program", leaves: Any) -> Any:
        value = object.__new__(made)
        for name, leaf in (*zip(program.leaves, leaves, strict=True), *program.static):
            object.__setattr__(value, name, leaf)
        return value

    jax.tree_util.register_pytree_with_keys(made, flatten_with_keys, unflatten, flatten)
    made.__eq__, made.__hash__ = _equal, _hash
    if not own_repr:
        made.__repr__ = _repr
    if not hasattr(made, "_repr_html_"):
        made._repr_html_ = lambda value: f"<code>{html.escape(repr(value))}</code>"
    _CLASSES[f"{made.__module__}:{made.__qualname__}"] = made
    return made


_CLASSES: dict[str, type] = {}


def name_of_class(cls: type) -> str | None:
    """The name in saved files, which are unreadable once the class moves; None for what is no frozen pytree."""
    name = f"{cls.__module__}:{cls.__qualname__}"
    return name if _CLASSES.get(name) is cls else None


def named_class(name: str) -> type:
    """The frozen pytree of this name, if the module that defines it is imported."""
    if name not in _CLASSES:
        raise ValueError(f"the file holds a {name}, which is not known; import the module that defines it")
    return _CLASSES[name]


class _Program(typing.NamedTuple):
    """The names of the data, and the static fields."""

    leaves: tuple[str, ...]
    static: tuple[tuple[str, Any], ...]

    # Numbers that Python takes for equal are not the same program: 1 and 1.0 and True promote differently.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Program) and tuple.__eq__(self, other) and _kinds(self) == _kinds(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple(self), _kinds(self)))


def _kinds(program: _Program) -> tuple[Any, ...]:
    return tuple(kind_of(value) for _, value in program.static)


def kind_of(value: Any) -> Any:
    """What tells values apart that ``==`` does not: types, the signs of zeros, and the classes inside structures."""
    if isinstance(value, tuple):
        return (type(value), *map(kind_of, value))
    if isinstance(value, jax.tree_util.PyTreeDef):
        return (type(value), classes_in(value))
    return (type(value), str(value)) if isinstance(value, float) else type(value)


def classes_in(structure: Any) -> Any:
    """The class of every node of a structure, and the kinds of its static fields, all of which ``==`` may leave out."""
    node = structure.node_data()
    if node is None:
        return None
    kind, static = node
    children = tuple(map(classes_in, structure.children()))
    return (kind, children) if kind in (tuple, list, dict, None) else (kind, kind_of(static), children)


class _Opaque:
    """A callable that is equal to itself alone, whatever its class compares."""

    __slots__ = ("value",)

    def __init__(self, value: Callable[..., Any]) -> None:
        self.value = value

    def __call__(self, *arguments: object, **options: object) -> Any:
        return self.value(*arguments, **options)

    def __repr__(self) -> str:
        return repr(self.value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.value, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opaque) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def opaque(value: Any) -> Any:
    """A callable as a static part of a program: equal to itself alone, though classes of users compare their fields.

    Args:
        value: anything.

    Returns:
        It; in a wrapper if it is a callable, no pytree, and its class has an equality of its own, such as a dataclass.
    """
    kind = type(value)
    compares = callable(value) and kind.__eq__ is not object.__eq__ and not isinstance(value, _COMPARED_BY_OWNER)
    ours = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return _Opaque(value) if compares and not ours and jax.tree_util.all_leaves([value]) else value


# Two methods are equal if they are the same one of the same object.
_COMPARED_BY_OWNER = (types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType)


def _equal(self: Any, other: object) -> bool:
    if self is other:
        return True
    if type(self) is not type(other):
        return NotImplemented
    (mine, structure), (others, structure_of_other) = jax.tree.flatten(self), jax.tree.flatten(other)
    return structure == structure_of_other and all(map(_same_leaf, mine, others))


def _same_leaf(a: Any, b: Any) -> bool:
    traced = isinstance(a, Tracer) or isinstance(b, Tracer)
    return a is b or (not traced and np.array_equal(np.asarray(a), np.asarray(b)))


def _hash(self: Any) -> int:
    return hash((type(self), jax.tree.structure(self)))


def _repr(self: Any) -> str:
    fields = ", ".join(f"{field.name}={brief_repr(getattr(self, field.name))}" for field in dataclasses.fields(self))
    return f"{type(self).__qualname__}({fields})"
