"""The public names with their signatures, one a line. ``python -m tests.public_surface`` writes the snapshot anew."""

import ast
import enum
import importlib
import inspect
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

SNAPSHOT = Path(__file__).with_name("public_surface.txt")
# What several public classes share, and nobody imports.
BASES_OF_PUBLIC_CLASSES = (
    "jaxsmooth.noises.lattice_noise",
    "jaxsmooth.denoisers.base",
    "jaxsmooth.designs.one_look",
    "jaxsmooth.noises.radial",
)
# A module whose other functions are for the sampling package.
LEDGER = ("Ledger", "read", "merge")


def names() -> dict[str, Any]:
    """Every public object by its name below ``jaxsmooth``: what the ``__init__`` files re-export."""
    found: dict[str, Any] = {}
    root = importlib.import_module("jaxsmooth")
    for name in _reexported(root):
        value = getattr(root, name)
        if not isinstance(value, ModuleType):
            found[name] = value
            continue
        inside = LEDGER if name == "ledger" else _reexported(value)
        for inner in inside:
            part = getattr(value, inner)
            if isinstance(part, ModuleType):
                found |= {f"{name}.{inner}.{below}": getattr(part, below) for below in _reexported(part)}
            else:
                found[f"{name}.{inner}"] = part
    return found


def functions() -> dict[str, FunctionType]:
    """The public functions."""
    return {name: value for name, value in names().items() if inspect.isfunction(value)}


def classes() -> dict[str, type]:
    """The public classes."""
    return {name: value for name, value in names().items() if isinstance(value, type)}


def methods(cls: type) -> dict[str, Any]:
    """Public methods and properties as they stand in the body of the class, or of a base that is not public."""
    kinds = FunctionType | property | classmethod | staticmethod
    bases = [base for base in cls.__mro__[:0:-1] if base.__module__ in BASES_OF_PUBLIC_CLASSES]
    own = {
        name: value
        for body in (*bases, cls)
        for name, value in vars(body).items()
        if isinstance(value, kinds) or hasattr(value, "func")
    }
    return {name: value for name, value in own.items() if not name.startswith("_") or name == "__call__"}


def lines() -> list[str]:
    """The snapshot: functions and classes as they are called, then members, then constants."""
    found = []
    for name, value in names().items():
        if not callable(value):
            found.append(f"{name} = {value!r}")
            continue
        found.append(f"{name}{signature(value)}")
        if isinstance(value, type):
            members = methods(value)
            found += [f"{name}.{member}{_member(members[member])}" for member in sorted(members)]
    return found


def signature(value: Any) -> str:
    """The parameters and their defaults, without annotations; of an Enum what Python makes of it, in one way."""
    if isinstance(value, enum.EnumMeta):
        return "(value)"
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # a class that inherits its constructor from C
        return ""
    plain = [p.replace(annotation=inspect.Parameter.empty, default=_Shown.of(p.default)) for p in parameters]
    return str(inspect.Signature(plain))


class _Shown(str):
    """A default as it is printed."""

    __repr__ = str.__str__

    @staticmethod
    def of(value: Any) -> Any:
        if value is inspect.Parameter.empty:
            return value
        if type(value).__module__.startswith("jaxsmooth"):
            return _Shown(str(value))
        return _Shown("..." if "object at 0x" in repr(value) or repr(value).startswith("<") else repr(value))


def _member(value: Any) -> str:
    return signature(value) if isinstance(value, FunctionType) else ""


def _reexported(module: ModuleType) -> list[str]:
    assert module.__file__ is not None
    statements = ast.parse(Path(module.__file__).read_text()).body
    return sorted(
        name.asname
        for statement in statements
        if isinstance(statement, ast.ImportFrom)
        for name in statement.names
        if name.asname
    )


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(lines()) + "\n")
