"""Trees of classes: a node stands for the classes below it, which are told apart where draws do."""

from typing import Any

import numpy as np

from jaxsmooth import _check

# The node of every class, from the classes themselves up.
Hierarchy = tuple[tuple[int, ...], ...]

# The share of the first draws that must agree on a node for it to be taken instead of a coarser one.
_SHARE = 0.9
_MOST_NODES = 2**16


def checked_hierarchy(value: Any) -> Hierarchy | None:
    """``value`` as a tree, or None: integers ``(levels, classes)``, whose first row numbers the classes.

    Raises:
        ValueError: if a number stands for two sets of classes, or a level does not join those before.
        TypeError: if it holds no integers.
    """
    if value is None:
        return None
    table = _check.as_array("hierarchy", value)
    if table.dtype.kind not in "iu":
        raise TypeError(f"hierarchy must be integers, the node of every class on every level; got dtype {table.dtype}")
    if table.ndim != 2 or table.shape[1] < 2 or not table.size:
        raise ValueError(f"hierarchy must have shape (levels, classes); got {table.shape}")
    table = table.astype(np.int64)
    if not 0 <= table.min() <= table.max() < _MOST_NODES:
        raise ValueError(f"hierarchy must number nodes from 0 to {_MOST_NODES - 1}; got {table.min()} to {table.max()}")
    if (table[0] != np.arange(table.shape[1])).any():
        raise ValueError(
            f"hierarchy must begin with the classes themselves, 0 to {table.shape[1] - 1}; got {table[0].tolist()}"
        )
    known: dict[int, frozenset[int]] = {}
    for level, row in enumerate(table):
        for node in np.unique(row).tolist():
            below = frozenset(np.flatnonzero(row == node).tolist())
            if known.setdefault(node, below) != below:
                raise ValueError(
                    f"hierarchy must give every set of classes a number of its own; node {node} stands for "
                    f"{sorted(known[node])} and, on level {level}, for {sorted(below)}"
                )
    for level, (row, finer) in enumerate(zip(table[1:], table, strict=False), start=1):
        for node in np.unique(finer).tolist():
            if len(set(row[finer == node].tolist())) > 1:
                raise ValueError(f"hierarchy must join nodes from level to level; level {level} parts node {node}")
    return tuple(tuple(row) for row in table.tolist())


def members(hierarchy: Hierarchy) -> np.ndarray:
    """Which classes are below each node: bool ``(nodes, classes)``."""
    table = np.array(hierarchy)
    found = np.zeros((int(table.max()) + 1, table.shape[1]), bool)
    for row in table:
        found[row, np.arange(table.shape[1])] = True
    return found


def finest_agreed(counts: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """The finest level on which nine tenths of the draws agree with the node of the leading class; else the coarsest.

    Args:
        counts: integers ``(outputs, classes)``, votes of the first draws.
        hierarchy: the tree.

    Returns:
        int64 ``(outputs,)``.
    """
    table, lead = np.array(hierarchy), counts.argmax(-1)
    drawn = np.maximum(counts.sum(-1), 1)
    agreed = [(counts * (row[None] == row[lead][:, None])).sum(-1) >= np.ceil(_SHARE * drawn) for row in table[:-1]]
    levels = np.full(len(counts), len(table) - 1)
    for level in reversed(range(len(agreed))):
        levels = np.where(agreed[level], level, levels)
    return levels


def counts_of(table: np.ndarray, classes: int) -> np.ndarray:
    """Votes ``(outputs, classes)`` of the classes, plus one, that draws gave: ``(draws, outputs)``; 0 is none."""
    outputs = table.shape[1]
    place = np.arange(outputs)[None] * (classes + 1) + table
    return np.bincount(place.ravel(), minlength=outputs * (classes + 1)).reshape(outputs, -1)[:, 1:]
