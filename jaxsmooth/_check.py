"""Checks of what users pass; every message names the argument, its value and the remedy."""

import math
import operator
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

NORMS = (1.0, 2.0, math.inf)


def is_traced(*trees: Any) -> bool:
    """Whether any leaf is a tracer, so that its value cannot be looked at."""
    known = [tree for tree in trees if not isinstance(tree, Iterator)]
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(known))


def integer(name: str, value: Any, *, at_least: int | None = None) -> int:
    """``value`` as a Python int; integers shape the program and are never traced."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be a Python integer known before tracing; got {value!r} of type {type(value).__name__}"
        ) from None
    if at_least is not None and result < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {result}")
    return result


def positive(name: str, value: Any) -> None:
    """Reject a concrete number that is not positive and finite; leave tracers and placeholders alone."""
    if isinstance(value, bool) or isinstance(value, str):
        raise TypeError(f"{name} must be a positive number; got {value!r}")
    if isinstance(value, int | float | np.integer | np.floating) and not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def probability(name: str, value: Any) -> float:
    """``value`` as a float strictly between 0 and 1."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number strictly between 0 and 1; got {value!r}") from None
    if not 0.0 < result < 1.0:
        raise ValueError(f"{name} must be strictly between 0 and 1; got {result}")
    return result


def norm(value: Any) -> float:
    """``value`` as 1.0, 2.0 or inf, in the convention of ``numpy.linalg.norm``."""
    if not isinstance(value, str) and np.ndim(value) == 0 and value in NORMS:
        return float(value)
    raise ValueError(f"norm must be 1, 2 or np.inf (as in numpy.linalg.norm); got {value!r}")


def dimension(dim: Any) -> int | None:
    """``dim`` as a positive int, or None."""
    return None if dim is None else integer("dim", dim, at_least=1)


def probabilities(name: str, value: Any) -> np.ndarray:
    """``value`` as float64 in [0, 1], any shape."""
    array = as_float64(name, value)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name} must lie in [0, 1]; got {_first_bad(array, (array >= 0) & (array <= 1))}")
    return array


def nonnegative(name: str, value: Any) -> np.ndarray:
    """``value`` as float64, finite and at least 0, any shape."""
    array = as_float64(name, value)
    good = (array >= 0) & np.isfinite(array)
    if not good.all():
        raise ValueError(f"{name} must be finite and at least 0; got {_first_bad(array, good)}")
    return array


def as_float64(name: str, value: Any) -> np.ndarray:
    """``value`` as a float64 array; a tracer is refused, since certificates are made on the host."""
    if is_traced(value):
        raise TypeError(
            f"{name} is traced by JAX; certificates are computed on the host in float64. "
            "Inside jit use radius_table and certify_batch"
        )
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numeric; got {type(value).__name__}") from None


def _first_bad(array: np.ndarray, good: np.ndarray) -> float:
    return float(array[~good].flat[0])
