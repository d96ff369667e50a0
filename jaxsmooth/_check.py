"""Checks of what users pass; every message names the argument, its value and the remedy."""

import math
import operator
import os
import reprlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

NORMS = (1.0, 2.0, math.inf)
# Draws are numbered in int32, with room for the batch that the last one is in.
MOST_DRAWS = 2**31 - 2**24


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


def draws(name: str, value: Any, *, first: int = 0) -> int:
    """``value`` as a number of draws: at least 1, and few enough to be numbered from ``first`` on."""
    n = integer(name, value, at_least=1)
    if first + n >= MOST_DRAWS:
        raise ValueError(f"{name} must be below {MOST_DRAWS - first}, so that draws can be numbered; got {n}")
    return n


def number(name: str, value: Any) -> float:
    """``value`` as a float: one concrete real number, not a text or a truth value."""
    array = as_float64(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be one number; got shape {array.shape}")
    return float(array)


def positive(name: str, value: Any) -> None:
    """Reject what is not one positive, finite number; leave tracers alone."""
    if not is_traced(value) and not 0 < number(name, value) < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def positive_leaf(name: str, value: Any) -> None:
    """As ``positive``, for a leaf of a pytree, which JAX replaces by tracers, placeholders and arrays of any shape."""
    if isinstance(value, bool) or isinstance(value, str):
        raise TypeError(f"{name} must be a positive number; got {value!r}")
    if isinstance(value, int | float | np.integer | np.floating) and not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def probability(name: str, value: Any) -> float:
    """``value`` as a float strictly between 0 and 1."""
    result = number(name, value)
    if not 0.0 < result < 1.0:
        raise ValueError(f"{name} must be strictly between 0 and 1; got {result}")
    return result


def norm(value: Any, name: str = "norm") -> float:
    """``value`` as 1.0, 2.0 or inf, in the convention of ``numpy.linalg.norm``."""
    if not isinstance(value, str | bool) and np.ndim(value) == 0 and value in NORMS:
        return float(value)
    raise ValueError(f"{name} must be 1, 2 or np.inf (as in numpy.linalg.norm); got {value!r}")


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
        array = np.asarray(value)
        if not is_real(array.dtype):
            raise TypeError
        return np.asarray(array, np.float64)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a number or an array of numbers; got {kind} {reprlib.repr(value)}") from None


def float32(name: str, value: Any) -> jax.Array:
    """``value`` as a float32 array; it may be traced."""
    return jnp.asarray(value if is_traced(value) else as_float64(name, value), jnp.float32)


def is_real(dtype: Any) -> bool:
    """Whether numbers of this type are integers or floating point, of JAX's types or NumPy's."""
    return jax.dtypes.issubdtype(dtype, np.integer) or jax.dtypes.issubdtype(dtype, np.floating)


def positives(name: str, value: Any) -> np.ndarray:
    """``value`` as float64, positive and finite, any shape."""
    array = as_float64(name, value)
    good = (array > 0) & np.isfinite(array)
    if not good.all():
        raise ValueError(f"{name} must be positive and finite; got {_first_bad(array, good)}")
    return array


def as_array(name: str, value: Any) -> np.ndarray:
    """``value`` as an array of any type; lists of unequal length are none."""
    try:
        return np.asarray(value)
    except ValueError:
        kind = type(value).__name__
        raise ValueError(f"{name} must be an array, its rows of one length; got {kind} {reprlib.repr(value)}") from None


def class_labels(
    value: Any, name: str = "labels", *, images: int | None = None, classes: int | None = None
) -> np.ndarray:
    """``value`` as int64 ``(images,)``: classes, below ``classes`` where their number is known."""
    array = as_array(name, value)
    if array.dtype.kind not in "iu" and (array.size or array.dtype.kind != "f"):  # an empty list is float to NumPy
        raise TypeError(f"{name} must be integers, the true classes; got dtype {array.dtype}")
    if array.ndim != 1 or (images is not None and len(array) != images):
        wanted = "(images,)" if images is None else f"({images},), one for each image"
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    good = array >= 0 if classes is None else (array >= 0) & (array < classes)
    if not good.all():
        wanted = "at least 0" if classes is None else f"between 0 and {classes - 1}, the classes of the classifier"
        raise ValueError(f"{name} must be {wanted}; got {array[~good][0]}")
    return array.astype(np.int64)


def path(name: str, value: Any) -> str | os.PathLike[str]:
    """``value`` as it is: the path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {value!r}")
    return value


def _first_bad(array: np.ndarray, good: np.ndarray) -> float:
    return float(array[~good].flat[0])
