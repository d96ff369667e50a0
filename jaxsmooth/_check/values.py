"""Integers, numbers, probabilities, norms and arrays."""

import math
import operator
import os
import reprlib
from collections.abc import Iterator
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxsmooth._types import Array

NORMS = (1.0, 2.0, math.inf)
_NAMES_OF_NORMS = {"l1": 1.0, "l2": 2.0, "linf": math.inf, "inf": math.inf}
# Draws are numbered in int32, with room for the batch that the last one is in.
MOST_DRAWS = 2**31 - 2**24
# Far inside the range of float32, so that the draws of every noise that is not refused are normal numbers of it.
SMALLEST_SIGMA, LARGEST_SIGMA = 2.0**-40, 2.0**40


def is_traced(*trees: object) -> bool:
    """Whether any leaf is a tracer, so that its value cannot be looked at."""
    known = [tree for tree in trees if not isinstance(tree, Iterator)]
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(known))


def integer(name: str, value: Any, *, at_least: int | None = None, floats: bool = False) -> int:
    """``value`` as a Python int, whose products do not overflow; 1e5 is one if ``floats``. It is never traced."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        result = int(value) if floats and _is_whole(value) else int(operator.index(value))
    except TypeError:
        raise TypeError(
            f"{name} must be a Python integer known before tracing; got {value!r} of type {type(value).__name__}"
        ) from None
    if at_least is not None and result < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {result}")
    return result


def keep(instance: object, **values: object) -> None:
    """Set fields of a frozen dataclass to what a check made of them, in ``__post_init__``."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def _is_whole(value: object) -> bool:
    """Whether this is one floating-point number without a fraction."""
    if is_traced(value) or not isinstance(value, float | np.floating | np.ndarray | jax.Array) or np.ndim(value):
        return False
    return bool(jax.dtypes.issubdtype(np.asarray(value).dtype, np.floating)) and float(value).is_integer()


def draws(name: str, value: object, *, first: int = 0) -> int:
    """``value`` as a number of draws: at least 1, and few enough to be numbered from ``first`` on."""
    n = integer(name, value, at_least=1, floats=True)
    if first + n >= MOST_DRAWS:
        raise ValueError(f"{name} must be below {MOST_DRAWS - first}, so that draws can be numbered; got {n}")
    return n


def first_draw(first: Any, n: int) -> Any:
    """The number of the first draw, int32; concrete ones must leave room for n."""
    if is_traced(first):
        return first.astype(jnp.int32)
    first = integer("first", first, at_least=0)
    if first + n >= MOST_DRAWS:
        raise ValueError(f"first + n must stay below {MOST_DRAWS}; got first = {first}, n = {n}")
    return np.int32(first)


def boolean(name: str, value: object) -> bool:
    """``value`` as a truth value: True or False, not what could pass for one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def one_of(name: str, value: object, literal: object) -> None:
    """Reject what is not one of the values of a ``Literal``."""
    choices = get_args(literal)
    if value not in choices:
        *first, last = map(repr, choices)
        words = f"one of {', '.join([*first, last])}" if len(choices) > 3 else f"{', '.join(first)} or {last}"
        raise ValueError(f"{name} must be {words}; got {value!r}")


def number(name: str, value: object) -> float:
    """``value`` as a float: one concrete real number, not a text or a truth value."""
    array = as_float64(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be one number; got shape {array.shape}")
    return float(array)


def positive(name: str, value: object) -> None:
    """Reject what is not one positive, finite number; leave tracers alone."""
    if not is_traced(value) and not 0 < number(name, value) < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def positive_leaf(name: str, value: object) -> None:
    """As ``positive``, for a leaf of a pytree, which JAX replaces by tracers, placeholders and arrays of any shape."""
    if isinstance(value, bool) or isinstance(value, str):
        raise TypeError(f"{name} must be a positive number; got {value!r}")
    if isinstance(value, int | float | np.integer | np.floating) and not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def probability(name: str, value: object) -> float:
    """``value`` as a float strictly between 0 and 1."""
    result = number(name, value)
    if not 0.0 < result < 1.0:
        raise ValueError(f"{name} must be strictly between 0 and 1; got {result}")
    return result


def norm(value: Any, name: str = "norm") -> float:
    """``value`` as 1.0, 2.0 or inf, in the convention of ``numpy.linalg.norm``; "l1", "l2", "linf" are understood."""
    if isinstance(value, str):
        value = _NAMES_OF_NORMS.get(value.lower(), value)
    if not isinstance(value, str | bool) and np.ndim(value) == 0 and value in NORMS:
        return float(value)
    raise ValueError(f"{name} must be 1, 2 or np.inf (as in numpy.linalg.norm); got {value!r}")


def dimension(dim: object) -> int | None:
    """``dim`` as a positive int, or None."""
    return None if dim is None else integer("dim", dim, at_least=1)


def probabilities(name: str, value: object) -> np.ndarray:
    """``value`` as float64 in [0, 1], any shape."""
    array = as_float64(name, value)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name} must lie in [0, 1]; got {_first_bad(array, (array >= 0) & (array <= 1))}")
    return array


def nonnegative(name: str, value: object) -> np.ndarray:
    """``value`` as float64, finite and at least 0, any shape."""
    array = as_float64(name, value)
    good = (array >= 0) & np.isfinite(array)
    if not good.all():
        raise ValueError(f"{name} must be finite and at least 0; got {_first_bad(array, good)}")
    return array


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


def is_real(dtype: np.dtype) -> bool:
    """Whether numbers of this type are integers or floating point, of JAX's types or NumPy's."""
    return jax.dtypes.issubdtype(dtype, np.integer) or jax.dtypes.issubdtype(dtype, np.floating)


def positives(name: str, value: object) -> np.ndarray:
    """``value`` as float64, positive and finite, any shape."""
    array = as_float64(name, value)
    good = (array > 0) & np.isfinite(array)
    if not good.all():
        raise ValueError(f"{name} must be positive and finite; got {_first_bad(array, good)}")
    return array


def refuse_masked(name: str, value: Any) -> None:
    """Refuse a masked array, or a list of them: NumPy would read what the mask hides."""
    parts = value if isinstance(value, list | tuple) else ()
    if any(isinstance(part, np.ma.MaskedArray) for part in (value, *parts)):
        raise TypeError(
            f"{name} must not be a masked array, whose masked entries would count as numbers; got "
            f"{type(value).__name__} of shape {np.shape(value)}. Pass masked.compressed() or masked.filled(value)"
        )


def sigma(name: str, value: object) -> None:
    """Refuse a sigma that is not positive, or so small or large that float32 draws would lose their law."""
    array = positives(name, value)
    good = (array >= SMALLEST_SIGMA) & (array <= LARGEST_SIGMA)
    if not good.all():
        raise ValueError(
            f"{name} must lie between {SMALLEST_SIGMA:.2g} and {LARGEST_SIGMA:.2g}, for noise is drawn in float32; got "
            f"{_first_bad(array, good)!r}. Rescale the inputs"
        )


def sampled_sigma(name: str, value: object) -> Any:
    """A checked sigma as sampling sees it, the nearest float32, in double precision: a float, or an array of them."""
    sigma(name, value)
    array = np.asarray(value, np.float64).astype(np.float32).astype(np.float64)
    return array if array.ndim else float(array)


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


def _unreadable(name: str, value: object, error: Exception) -> str:
    return (
        f"{name} must be an array; {type(value).__name__} cannot be read as one: {error}. "
        "Pass a NumPy array; of a PyTorch tensor x.detach().cpu().numpy()"
    )


def path(name: str, value: object) -> str | os.PathLike[str]:
    """``value`` as it is: the path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {value!r}")
    return value


def _first_bad(array: np.ndarray, good: np.ndarray) -> float:
    return float(array[~good].flat[0])
