"""The mean over trainings and how far it may be from the mean over all trainings."""

from typing import NamedTuple

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth._types import ArrayLike
from jaxsmooth.diagnostics import arguments


@short_repr
class SeedInterval(NamedTuple):
    """A mean over seeds with Student's interval.

    Attributes:
        mean: float64, the axis of seeds removed.
        low: lower end of the interval.
        high: upper end.
        deviation: standard deviation over seeds, with S - 1 in the denominator.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    deviation: np.ndarray


def seed_interval(values: ArrayLike, *, axis: int = 0, confidence: float = 0.95) -> SeedInterval:
    r"""Mean over seeds and Student's interval, :math:`\bar v \pm t_{S-1} s / \sqrt S`.

    It speaks of new trainings on the same images, and assumes roughly normal values; the minimum over classes varies
    so much between trainings that one seed shows nothing.

    Args:
        values: one number for each seed, any further axes; finite.
        axis: the axis of the seeds, at least 2 of them.
        confidence: in (0, 1).

    Returns:
        ``SeedInterval``.

    Raises:
        ValueError: for fewer than 2 seeds, or a value out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Student, "The probable error of a mean", 1908.

    Example:
        >>> found = seed_interval([0.81, 0.86, 0.79, 0.84, 0.80])
        >>> round(float(found.mean), 3), round(float(found.low), 3), round(float(found.high), 3)
        (0.82, 0.784, 0.856)
    """
    array, axis = arguments.finite("values", values), _check.integer("axis", axis)
    confidence = _check.probability("confidence", confidence)
    if array.ndim and not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis must be an axis of values, of shape {array.shape}; got {axis}")
    if array.ndim == 0 or array.shape[axis] < 2:
        raise ValueError(f"values must hold at least 2 seeds along axis {axis}; got shape {array.shape}")
    number = array.shape[axis]
    mean, deviation = array.mean(axis), array.std(axis, ddof=1)
    reach = special.stdtrit(number - 1, (1 + confidence) / 2) * deviation / np.sqrt(number)
    return SeedInterval(mean, mean - reach, mean + reach, deviation)
