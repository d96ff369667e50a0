"""One value: an integer, a number, a norm, a truth value, a path, one of several words."""

import math
import operator
import os
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._check.arrays import as_float64, is_traced

NORMS = (1.0, 2.0, math.inf)
_NAMES_OF_NORMS = {"l1": 1.0, "l2": 2.0, "linf": math.inf, "inf": math.inf}
# Draws are numbered in int32, with room for the batch that the last one is in.
MOST_DRAWS = 2**31 - 2**24


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


def dimension(dim: object) -> int | None:
    """``dim`` as a positive int, or None."""
    return None if dim is None else integer("dim", dim, at_least=1)


def batch_size(size: object) -> int | None:
    """``size`` as a positive int, or None."""
    return None if size is None else integer("batch_size", size, at_least=1)


def number(name: str, value: object) -> float:
    """``value`` as a float: one concrete real number, not a text or a truth value."""
    array = as_float64(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be one number; got shape {array.shape}")
    return float(array)


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


def boolean(name: str, value: object) -> bool:
    """``value`` as a truth value: True or False, not what could pass for one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def path(name: str, value: object) -> str | os.PathLike[str]:
    """``value`` as it is: the path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {value!r}")
    return value


def require_one_of(name: str, value: object, literal: object) -> None:
    """Refuse what is not one of the values of a ``Literal``."""
    choices = get_args(literal)
    if value not in choices:
        *first, last = map(repr, choices)
        words = f"one of {', '.join([*first, last])}" if len(choices) > 3 else f"{', '.join(first)} or {last}"
        raise ValueError(f"{name} must be {words}; got {value!r}")


def require_positive(name: str, value: object) -> None:
    """Refuse what is not one positive, finite number; leave tracers alone."""
    if not is_traced(value) and not 0 < number(name, value) < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def require_positive_leaf(name: str, value: object) -> None:
    """As ``require_positive``, of a leaf of a pytree, which JAX replaces by tracers, placeholders and arrays."""
    if isinstance(value, bool | str):
        raise TypeError(f"{name} must be a positive number; got {value!r}")
    if isinstance(value, int | float | np.integer | np.floating) and not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}")


def keep(instance: object, **values: object) -> None:
    """Set fields of a frozen dataclass to what a check made of them, in ``__post_init__``."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)
