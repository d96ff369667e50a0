"""Printed: what prints as a table shows the table at a prompt and in notebooks; and values in few words."""

import html
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

# Longer trees of arrays are counted.
_LONG = 120


class Printed:
    """A base of results: ``str`` at the prompt and in notebooks. Dataclasses leave it alone with ``repr=False``."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def in_words(value: Any) -> str:
    """``repr`` with arrays as their type and shape, and large trees of arrays as their number."""
    if isinstance(value, jax.Array | np.ndarray) and value.ndim:
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, jax.Array | np.ndarray | np.generic) and not isinstance(value, Tracer):
        return repr(value.item())
    if isinstance(value, Mapping):
        words = "{" + ", ".join(f"{name!r}: {in_words(part)}" for name, part in value.items()) + "}"
    else:
        words = repr(value)
    if len(words) <= _LONG:
        return words
    leaves = jax.tree.leaves(value)
    if len(leaves) < 2 and jax.tree_util.all_leaves([value]):
        return words
    return f"{type(value).__name__} of {len(leaves)} arrays, {sum(map(np.size, leaves)):,} numbers"
