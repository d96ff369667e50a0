"""Whether a denoiser fits the noise and the images."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._classifier import takes_keys
from jaxsmooth._noise import depends_on_input
from jaxsmooth._types import Noise
from jaxsmooth.noises import Gaussian, LatticeGaussian

# Differences of float32 sigmas are smaller.
_TOLERANCE = 1e-6
# Images may leave the range of values by this share of it, as after resizing.
_BEYOND = 0.01


def checked_range(value: Any) -> tuple[float, float]:
    """``value`` as (least, largest)."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        raise TypeError(f"value_range must be (least, largest) value of a coordinate; got {value!r}")
    low, high = (_check.number("value_range", bound) for bound in value)
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"value_range must be (least, largest) value of a coordinate; got {value!r}")
    return low, high


def check_noise(expected: Any, noise: Noise, why: str, for_any_noise: str) -> None:
    """Refuse a noise that is not Gaussian with the expected sigma; None expects nothing."""
    all_the_same = f"To use it all the same {for_any_noise}"
    if expected is None or _check.is_traced(expected, noise):
        return
    if depends_on_input(noise):
        raise TypeError(
            f"noise must have one sigma behind a denoiser, {why} is that of sigma = {float(expected):g}; got "
            f"{type(noise).__name__}. {all_the_same}"
        )
    if not isinstance(noise, Gaussian | LatticeGaussian):
        raise TypeError(
            f"noise must be Gaussian: {why} of the denoiser assumes it; got {type(noise).__name__}. {all_the_same}"
        )
    expected, drawn = float(expected), float(noise.sigma)
    if abs(drawn - expected) > _TOLERANCE * max(1.0, expected):
        raise ValueError(
            f"noise.sigma must be that of the denoiser, {expected:g}; got {drawn:g}. Make the denoiser for this sigma. "
            f"{all_the_same}"
        )


def check_images(value_range: tuple[float, float], x: Any) -> None:
    """Refuse images that leave the range of values by more than one percent of it."""
    if x is None or _check.is_traced(x):
        return
    low, high = value_range
    least, largest, room = float(np.min(x)), float(np.max(x)), _BEYOND * (high - low)
    if least < low - room or largest > high + room:
        raise ValueError(
            f"x must lie in the value_range of the denoiser, {low:g} to {high:g}; its values are from {least:g} to "
            f"{largest:g}. Scale the images, or pass value_range to the denoiser"
        )


def check_takes(name: str, function: Callable[..., Any], arguments: int, message: str) -> None:
    """Refuse a function that cannot be called with so many arguments, where its signature says so."""
    if takes_keys(function):
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of C, which says nothing
        return
    try:
        signature.bind(*[None] * arguments)
    except TypeError as error:
        raise TypeError(f"{name} must {message}; got {getattr(function, '__name__', function)!r}: {error}") from None
