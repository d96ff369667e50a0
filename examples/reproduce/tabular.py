"""Tables and intervals in Markdown, for the table makers of this folder."""

import decimal
import math
from collections.abc import Sequence

import numpy as np


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def rounded_down(value: float, digits: int = 4) -> str:
    """A radius with this many digits, never above it."""
    context = decimal.Context(prec=digits, rounding=decimal.ROUND_FLOOR)
    return f"{context.create_decimal(repr(float(value))).normalize():f}"


def interval(value: float, low: float, high: float, digits: int = 4) -> str:
    """A signed number and its interval."""
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def mean_interval(values: np.ndarray) -> str:
    """The mean over images, such as of paired differences, and its 95 % interval by the normal law."""
    error = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    return interval(values.mean(), values.mean() - error, values.mean() + error)
