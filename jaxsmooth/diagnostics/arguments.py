"""Checked arguments of the closed forms and estimators: float64 arrays in range, or an error that says what to do."""

import numpy as np

from jaxsmooth import _check


def finite(name: str, value: object) -> np.ndarray:
    """``value`` as float64, finite, any shape."""
    array = _check.as_float64(name, value)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array[~np.isfinite(array)].flat[0]}")
    return array


def dimensions(name: str, value: object, *, at_least: int = 1) -> np.ndarray:
    """``value`` as whole numbers in float64, any shape."""
    array = _check.as_float64(name, value)
    good = (array >= at_least) & (array == np.floor(array)) & np.isfinite(array)
    if not good.all():
        raise ValueError(f"{name} must be a whole number of at least {at_least}; got {array[~good].flat[0]:g}")
    return array


def thresholds(value: object) -> np.ndarray:
    """``value`` as float64 strictly between 0 and 1, any shape."""
    array = _check.as_float64("threshold", value)
    if not ((array > 0) & (array < 1)).all():
        bad = array[~((array > 0) & (array < 1))].flat[0]
        raise ValueError(
            "threshold must be strictly between 0 and 1: 1/2 for what can be certified, 1/c for the most generous "
            f"region of c classes; got {bad:g}"
        )
    return array


def half_angles(value: object) -> np.ndarray:
    """``value`` as float64 radians strictly between 0 and pi / 2, any shape."""
    array = _check.as_float64("theta", value)
    good = (array > 0) & (array < np.pi / 2)
    if not good.all():
        raise ValueError(
            f"theta must lie strictly between 0 and pi / 2, a half-angle in radians; got {array[~good].flat[0]:g}. "
            "Convert degrees with np.radians"
        )
    return array


def labelled(labels: object, name: str = "labels", number: int | None = None) -> np.ndarray:
    """``labels`` as int64 ``(number,)``, at least 0, not empty."""
    array = _check.class_labels(labels, name, images=number)
    if not array.size:
        raise ValueError(f"{name} must not be empty")
    return array


def sigmas(name: str, value: object) -> np.ndarray:
    """``value`` as float64 ``(S,)``, finite and at least 0; a single number becomes one entry."""
    array = np.atleast_1d(_check.nonnegative(name, value))
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be a list of numbers (S,), not empty; got shape {array.shape}")
    return array


def events(name: str, value: object) -> np.ndarray:
    """``value`` as float32 ``(N, *event)``, finite and not empty."""
    array = _check.as_array(name, value)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"{name} must be floating point, in the units of the noise (pixels in [0, 1]); got dtype {array.dtype}. "
            f"Convert it first, for example {name}.astype(np.float32) / 255"
        )
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"{name} must be a batch (N, *event), not empty; got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; it holds NaN or infinite values")
    return array.astype(np.float32)


def points(name: str, value: object) -> np.ndarray:
    """``value`` as float32 ``(N, dim)``, finite and not empty."""
    array = events(name, value)
    return array.reshape(len(array), -1)
