"""Python functions that no program holds, by their code and what it refers to: the same words in every process."""

import re
import types
from collections.abc import Callable
from typing import Any

import jax

from jaxsmooth._program import checksums
from jaxsmooth._referred import Referred
from jaxsmooth._same import Same
from jaxsmooth.ledger.lines import digest


def function_digest(function: Callable[..., Any]) -> str:
    """What a function is at this moment: its code, defaults, closure and globals, as far as these can be followed.

    Where its lines stand, and where its objects are in memory, is no part of it.

    Args:
        function: any callable of Python.

    Returns:
        A digest.
    """
    parts = Referred(jax.tree_util.Partial(lambda: function)).parts
    return digest(*(f"{path}: {_in_words(part)}".encode() for path, part in parts.items() if path[0] != "told"))


def _in_words(part: object) -> str:
    if isinstance(part, tuple):
        return f"({', '.join(map(_in_words, part))})"
    if isinstance(part, types.CodeType):
        names = (part.co_names, part.co_varnames, part.co_freevars, part.co_cellvars, part.co_argcount)
        return f"{part.co_code.hex()} {names} {part.co_kwonlyargcount} {part.co_flags} {_in_words(part.co_consts)}"
    if isinstance(part, frozenset):
        return f"{{{', '.join(sorted(map(_in_words, part)))}}}"
    if isinstance(part, type):
        return f"{part.__module__}.{part.__qualname__}"
    if isinstance(part, types.ModuleType):
        return part.__name__
    if isinstance(part, Same):
        value = part.value
        return checksums(value).hex() if isinstance(value, jax.Array) else _in_words(type(value))
    return re.sub(r" at 0x[0-9a-f]+", "", repr(part))
