"""A vectorised root finder whose answer is a verified bracket, for monotone certificates."""

from collections.abc import Callable

import numpy as np

_STEPS = 60


def bracket_root(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    *,
    tolerance: float = 2.0**-44,
) -> tuple[np.ndarray, np.ndarray]:
    """Shrink ``[low, high]`` around the sign change of non-decreasing functions, one per element.

    Every round takes a secant step, then one twice as long from where that ended, which lands on the other
    side of the root; a bracket that this does not halve is bisected. Only signs decide which end moves, so
    that on return ``function`` was seen negative at every ``low`` that moved.

    Args:
        function: ``(points, index) -> values``, for the elements ``index`` (int array) at ``points``; may be inf.
        low: float64 ``(elements,)``, where the functions are negative.
        high: float64 ``(elements,)``, where they are not, or beyond which nobody asks.
        tolerance: stop when ``high - low`` is below this part of the larger magnitude.

    Returns:
        ``(low, high)``.
    """
    ends = np.array([low, high], np.float64)
    everything = np.arange(ends.shape[1])
    values = np.stack([function(end, everything) for end in ends])
    for _ in range(_STEPS):
        index = np.flatnonzero(ends[1] - ends[0] > tolerance * np.abs(ends).max(0))
        if not len(index):
            break
        width = ends[1, index] - ends[0, index]
        with np.errstate(all="ignore"):
            slope = (values[1, index] - values[0, index]) / width
            point = _inside(ends[:, index], ends[0, index] - values[0, index] / slope)
            value = _move(function, ends, values, index, point)
            step = np.maximum(2 * np.abs(value / slope), tolerance / 4 * np.abs(point))
            point = _inside(ends[:, index], point - np.copysign(step, value))
        _move(function, ends, values, index, point)
        wide = index[ends[1, index] - ends[0, index] > width / 2]
        if len(wide):
            _move(function, ends, values, wide, ends[:, wide].mean(0))
    return ends[0], ends[1]


def _inside(ends: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The point if it lies strictly inside the bracket, else the bracket's middle."""
    return np.where((point > ends[0]) & (point < ends[1]), point, ends.mean(0))


def _move(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ends: np.ndarray,
    values: np.ndarray,
    index: np.ndarray,
    point: np.ndarray,
) -> np.ndarray:
    """Let the point replace the end on its side of the root; returns the values there."""
    value = function(point, index)
    side = np.where(value < 0, 0, 1)
    ends[side, index], values[side, index] = point, value
    return value
