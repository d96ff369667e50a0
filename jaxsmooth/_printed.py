"""Printed: what prints as a table shows the table at a prompt and in notebooks; and values in few words."""

import dataclasses
import decimal
import html
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer

_Kind = TypeVar("_Kind")

# Longer trees of arrays are counted.
_LONG = 120
# Numbers that a line shows of an array.
_FEW = 10
# Of the largest doubles all digits.
_EXACT = decimal.Context(prec=400)


class Printed:
    """A base of results: ``str`` at the prompt and in notebooks. Dataclasses leave it alone with ``repr=False``."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def short_repr(cls: type[_Kind]) -> type[_Kind]:
    """Give named arrays a repr of one line: few numbers as they are, more of them as their type and shape.

    Args:
        cls: a named tuple, or a dataclass with ``repr=False``; numbers of its fields in ``PROVED_AT_LEAST``, if it has
            that, are rounded down.

    Returns:
        The class.
    """
    made: Any = cls
    made.__repr__ = _line
    made._repr_html_ = lambda self: f"<code>{html.escape(_line(self))}</code>"
    return cls


def _line(self: Any) -> str:
    names = getattr(self, "_fields", None) or [field.name for field in dataclasses.fields(self)]
    down = getattr(self, "PROVED_AT_LEAST", ())
    texts = [f"{name}={_numbers(getattr(self, name), name in down)}" for name in names]
    return f"{type(self).__name__}({', '.join(texts)})"


def _numbers(value: Any, down: bool) -> str:
    if isinstance(value, float | np.floating):
        return significant_down(float(value)) if down else f"{value:.4g}"
    if isinstance(value, np.ndarray) and 0 < value.size <= _FEW and value.dtype.kind in "biuf":
        form: Any = {"float_kind": lambda number: significant_down(float(number))} if down else None
        return np.array2string(value, precision=4, separator=", ", formatter=form).replace("\n", "")
    return brief_repr(value)


def brief_repr(value: Any) -> str:
    """``repr`` with arrays as their type and shape, and large trees of arrays as their number."""
    if isinstance(value, jax.Array | np.ndarray) and value.ndim:
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, jax.Array | np.ndarray | np.generic) and not isinstance(value, Tracer):
        return repr(value.item())
    if isinstance(value, Mapping):
        words = "{" + ", ".join(f"{name!r}: {brief_repr(part)}" for name, part in value.items()) + "}"
    else:
        words = repr(value)
    if len(words) <= _LONG:
        return words
    leaves = jax.tree.leaves(value)
    if len(leaves) < 2 and jax.tree_util.all_leaves([value]):
        return words
    return f"{type(value).__name__} of {len(leaves)} arrays, {sum(map(np.size, leaves)):,} numbers"


def norm_in_words(norm: float) -> str:
    """``l1``, ``l2`` or ``linf``; messages about the argument name its number instead."""
    return "linf" if math.isinf(norm) else f"l{norm:g}"


def rounded_down(value: float, places: int) -> str:
    """A radius as text with this many decimal places, never above its value."""
    return _rounded(value, places, decimal.ROUND_FLOOR)


def rounded_up(value: float, places: int) -> str:
    """The end of an interval as text with this many decimal places, never below its value."""
    return _rounded(value, places, decimal.ROUND_CEILING)


def significant_down(value: float, digits: int = 4) -> str:
    """A lower bound of any size as text with this many digits, as ``g`` formats them, never above its value."""
    return _significant(value, digits, decimal.ROUND_FLOOR)


def significant_up(value: float, digits: int = 4) -> str:
    """An upper bound of any size as text with this many digits, never below its value."""
    return _significant(value, digits, decimal.ROUND_CEILING)


def _significant(value: float, digits: int, rounding: str) -> str:
    if not math.isfinite(value) or value == 0:
        return f"{value + 0.0:g}"
    exact = decimal.Decimal(repr(float(value)))
    rounded = exact.quantize(decimal.Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding, _EXACT)
    return f"{float(rounded):.{digits}g}"  # so many digits survive the conversion


def _rounded(value: float, places: int, rounding: str) -> str:
    if not math.isfinite(value):
        return str(value)
    step = decimal.Decimal(1).scaleb(-places)
    # Plus 0, so that there is no -0.
    return str(_EXACT.add(decimal.Decimal(repr(float(value))).quantize(step, rounding, _EXACT), 0))
