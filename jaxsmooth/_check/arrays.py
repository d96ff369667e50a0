"""Arrays: of any library, of numbers in a range."""

import reprlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxsmooth._types import Array


def is_traced(*trees: object) -> bool:
    """Whether any leaf is a tracer, so that its value cannot be looked at."""
    known = [tree for tree in trees if not isinstance(tree, Iterator)]
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(known))


def is_real(dtype: np.dtype) -> bool:
    """Whether numbers of this type are integers or floating point, of JAX's types or NumPy's."""
    return jax.dtypes.issubdtype(dtype, np.integer) or jax.dtypes.issubdtype(dtype, np.floating)


def as_array(name: str, value: object) -> np.ndarray:
    """``value`` as an array of any type; lists of unequal length are none."""
    refuse_masked(name, value)
    try:
        return np.asarray(value)
    except ValueError:
        kind = type(value).__name__
        raise ValueError(f"{name} must be an array, its rows of one length; got {kind} {reprlib.repr(value)}") from None
    except (TypeError, RuntimeError) as error:
        raise TypeError(_unreadable(name, value, error)) from None


def as_float64(name: str, value: object) -> np.ndarray:
    """``value`` as a float64 array; a tracer is refused, since certificates are made on the host."""
    if is_traced(value):
        raise TypeError(
            f"{name} is traced by JAX; certificates are computed on the host in float64. "
            "Inside jit use radius_table and certify_batch"
        )
    refuse_masked(name, value)
    try:
        array = np.asarray(value)
        if not is_real(array.dtype):
            raise TypeError
        return np.asarray(array, np.float64)
    except RuntimeError as error:  # a tensor that needs a gradient
        raise TypeError(_unreadable(name, value, error)) from None
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a number or an array of numbers; got {kind} {reprlib.repr(value)}") from None


def float32(name: str, value: object) -> jax.Array:
    """``value`` as a float32 array; it may be traced."""
    return jnp.asarray(value if is_traced(value) else as_float64(name, value), jnp.float32)


def numpy_or_jax(name: str, value: Any) -> Array | np.ndarray:
    """``value`` as a NumPy or JAX array: what is one, lists, and whatever has ``__array__`` or ``__dlpack__``."""
    if isinstance(value, jax.Array):
        return value
    refuse_masked(name, value)
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        try:
            return as_array(name, value)
        except TypeError:
            if not hasattr(value, "__dlpack__"):
                raise
    try:
        return np.from_dlpack(value)
    except Exception:
        try:  # on an accelerator, or of a type that NumPy does not have
            return jnp.from_dlpack(value)
        except Exception as error:
            raise TypeError(_unreadable(name, value, error)) from None


def probabilities(name: str, value: object) -> np.ndarray:
    """``value`` as float64 in [0, 1], any shape."""
    array = as_float64(name, value)
    return _all_good(name, array, (array >= 0) & (array <= 1), "lie in [0, 1]")


def nonnegative(name: str, value: object) -> np.ndarray:
    """``value`` as float64, finite and at least 0, any shape."""
    array = as_float64(name, value)
    return _all_good(name, array, (array >= 0) & np.isfinite(array), "be finite and at least 0")


def positives(name: str, value: object) -> np.ndarray:
    """``value`` as float64, positive and finite, any shape."""
    array = as_float64(name, value)
    return _all_good(name, array, (array > 0) & np.isfinite(array), "be positive and finite")


def _all_good(name: str, array: np.ndarray, good: np.ndarray, must: str) -> np.ndarray:
    """The array, if all of its entries are good."""
    if not good.all():
        raise ValueError(f"{name} must {must}; got {first_bad(array, good)}")
    return array


def first_bad(array: np.ndarray, good: np.ndarray) -> float:
    """The first entry that is not good."""
    return float(array[~good].flat[0])


def refuse_masked(name: str, value: Any) -> None:
    """Refuse a masked array, or a list of them: NumPy would read what the mask hides."""
    parts = value if isinstance(value, list | tuple) else ()
    if any(isinstance(part, np.ma.MaskedArray) for part in (value, *parts)):
        raise TypeError(
            f"{name} must not be a masked array, whose masked entries would count as numbers; got "
            f"{type(value).__name__} of shape {np.shape(value)}. Pass masked.compressed() or masked.filled(value)"
        )


def _unreadable(name: str, value: object, error: Exception) -> str:
    return (
        f"{name} must be an array; {type(value).__name__} cannot be read as one: {error}. "
        "Pass a NumPy array; of a PyTorch tensor x.detach().cpu().numpy()"
    )
