r"""Class regions on the line: exact smoothing of unions of intervals, and the risk of noise-augmented training.

The setting of Pal and Sulam 2023, as their released code has it: a binary label h(x), base classifier
:math:`\phi(h * p_\alpha)` trained under noise of standard deviation alpha, smoothed classifier
:math:`\phi(\phi(h * p_\alpha) * p_\beta)` with :math:`\phi(u) = 1[u \ge 1/2]`; the marginal of x is uniform. What is
proved here about it is ours: if the class region D, or its complement, is convex, training noise never helps, for any
marginal and any noise symmetric about 0. (A supporting half-space gives D_s within D, so (D_alpha)_beta is within
D_beta within D, and the smaller set misses more of D.)
"""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.diagnostics import arguments
from jaxsmooth.radii.bracket import bracket_root

# The class probability moves on the scale of sigma: this many points per sigma find every sign change that is not
# within 1 / 64 sigma of another one.
_PER_SIGMA = 64


def smooth_intervals(intervals: ArrayLike, sigma: ArrayLike, *, threshold: ArrayLike) -> np.ndarray:
    r"""The points at which a union of intervals has at least a given probability under Gaussian noise.

    .. math:: \{x : \sum_j \Phi\big(\tfrac{b_j - x}\sigma\big) - \Phi\big(\tfrac{a_j - x}\sigma\big) \ge
        \mathrm{threshold}\}

    Args:
        intervals: ``(m, 2)``, each ``[a, b]``; they may overlap, and end at infinity. ``(0, 2)`` is the empty set.
        sigma: standard deviation of the noise, at least 0; 0 leaves the set as it is.
        threshold: the probability that keeps a point, in (0, 1).

    Returns:
        float64 ``(k, 2)``, the intervals of the smoothed set in increasing order; k is at most m.

    Raises:
        ValueError: for intervals that are not ``(m, 2)`` with a <= b, or a value out of range.

    References:
        Ours; k is at most m because convolution with a Gaussian does not add sign changes.

    Example:
        >>> smooth_intervals([[-1, 1]], 1.0, threshold=0.5).round(6).tolist()
        [[-0.933271, 0.933271]]
    """
    union = _union(intervals)
    sigma, level = float(_check.nonnegative("sigma", sigma)), float(arguments.thresholds(threshold))
    ends = union[np.isfinite(union)]
    # A sigma below the spacing of floating-point numbers around the ends moves nothing.
    if not ends.size or sigma <= np.finfo(np.float64).eps * np.abs(ends).max():
        return union
    excess = lambda x, _: _probability(union, x, sigma) - level
    reach = 9 + abs(float(special.ndtri(min(level, 1 - level))))
    steps = np.linspace(-reach, reach, int(2 * reach * _PER_SIGMA) + 1)
    grid = np.unique(ends[:, None] + sigma * steps)
    grid = np.sort(np.append(grid, _turning_points(excess, grid)))
    inside = excess(grid, None) >= 0
    turns = np.flatnonzero(inside[1:] != inside[:-1])
    sign = np.where(inside[turns], -1.0, 1.0)
    rising = lambda x, index: np.where((excess(x, None) >= 0) ^ (sign[index] < 0), 1.0, -1.0) * np.abs(excess(x, None))
    roots = np.mean(bracket_root(rising, grid[turns], grid[turns + 1]), axis=0)
    edges = np.concatenate([[-np.inf] if inside[0] else [], roots, [np.inf] if inside[-1] else []])
    return edges.reshape(-1, 2)


def interval_risk(intervals: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Any:
    r"""The risk of smoothing with beta after training with alpha: the length on which the answer is wrong.

    The length of the symmetric difference of D and :math:`(D_\alpha)_\beta`, both steps at threshold 1/2, which is
    part of the setting. The benefit of training noise is ``interval_risk(D, 0, beta) - interval_risk(D, alpha,
    beta)``; it is never positive for a single interval.

    Args:
        intervals: ``(m, 2)``, the intervals of the class region D.
        alpha: standard deviation of the training noise, at least 0; any shape, broadcast against ``beta``.
        beta: standard deviation of the smoothing noise, at least 0.

    Returns:
        float64 of the broadcast shape, a length in the units of ``intervals``.

    Raises:
        ValueError: as ``smooth_intervals``.

    References:
        The risk is Pal and Sulam's (released code); evaluating it by exact roots is ours.

    Example:
        >>> two = [[-1.1, -0.1], [0.1, 1.1]]
        >>> interval_risk(two, [0.0, 0.3], 0.9).round(6).tolist()
        [0.47677, 0.235178]
    """
    union = _union(intervals)
    alpha, beta = np.broadcast_arrays(_check.nonnegative("alpha", alpha), _check.nonnegative("beta", beta))
    risk = np.zeros(alpha.shape)
    for at in np.ndindex(alpha.shape):
        base = smooth_intervals(union, alpha[at], threshold=0.5)
        risk[at] = _difference_length(union, smooth_intervals(base, beta[at], threshold=0.5))
    return risk[()]


def closing_sigma(gap: float, width: float = 1.0) -> float:
    r"""The smallest training noise that closes the gap between two intervals; inf if none does.

    The middle of the gap joins the class where
    :math:`2 [\Phi((\zeta/2 + w)/\alpha) - \Phi(\zeta / 2\alpha)] \ge 1/2`. For gaps small against the width the
    solution is :math:`\zeta / (2 z_{0.75}) = 0.7413\, \zeta`; no noise closes a gap above 0.937539 widths.

    Args:
        gap: zeta, the distance between the intervals, positive.
        width: w, the length of each interval, positive.

    Returns:
        alpha, in the units of ``gap``.

    Raises:
        ValueError: for a value out of range.

    References:
        Ours.

    Example:
        >>> round(closing_sigma(0.2), 6), closing_sigma(0.95)
        (0.14826, inf)
    """
    gap, width = float(_check.positives("gap", gap)), float(_check.positives("width", width))
    near, far = gap / 2, gap / 2 + width
    # The middle is most probable where the densities of its two ends agree.
    best = np.sqrt((far**2 - near**2) / (2 * np.log(far / near)))
    middle = lambda alpha: 2 * (special.ndtr(-near / alpha) - special.ndtr(-far / alpha)) - 0.5
    if middle(best) < 0:
        return float("inf")
    root = bracket_root(lambda alpha, _: middle(alpha), np.array([gap / 10]), np.array([best]))
    return float(np.mean(root))


def _union(intervals: ArrayLike) -> np.ndarray:
    """The intervals checked, sorted and merged where they touch."""
    array = _check.as_float64("intervals", intervals)
    if array.ndim != 2 or array.shape[1] != 2 or np.isnan(array).any() or (array[:, 0] > array[:, 1]).any():
        raise ValueError(f"intervals must be pairs (m, 2), each [a, b] with a <= b; got {array.tolist()}")
    merged: list[list[float]] = []
    for a, b in sorted(array.tolist()):
        if merged and a <= merged[-1][1]:
            merged[-1][1] = max(b, merged[-1][1])
        else:
            merged.append([a, b])
    return np.array(merged, np.float64).reshape(-1, 2)


def _probability(intervals: np.ndarray, x: np.ndarray, sigma: float) -> np.ndarray:
    """The probability of the intervals around each x, ``(points,)``, each term from its smaller tails."""
    low, high = ((intervals[:, i, None] - x) / sigma for i in (0, 1))
    flip = low > 0
    return np.where(flip, special.ndtr(-low) - special.ndtr(-high), special.ndtr(high) - special.ndtr(low)).sum(0)


def _turning_points(excess: Any, grid: np.ndarray) -> np.ndarray:
    """Where the excess has a local extremum on the side of 0 that the grid may have missed: vertices of parabolas."""
    left, middle, right = grid[:-2], grid[1:-1], grid[2:]
    f, g, h = excess(left, None), excess(middle, None), excess(right, None)
    near = ((g >= f) & (g >= h) & (g < 0)) | ((g <= f) & (g <= h) & (g >= 0))
    left, middle, right, f, g, h = (v[near] for v in (left, middle, right, f, g, h))
    first, second = (middle - left) * (g - h), (middle - right) * (g - f)
    with np.errstate(all="ignore"):
        vertex = middle - ((middle - left) * first - (middle - right) * second) / (2 * (first - second))
    return vertex[(vertex > left) & (vertex < right)]


def _difference_length(first: np.ndarray, second: np.ndarray) -> float:
    """The length of the symmetric difference of two unions of intervals."""
    ends = np.concatenate([first.ravel(), second.ravel()])
    cuts = np.unique(ends)
    if len(cuts) < 2:
        return 0.0
    with np.errstate(invalid="ignore"):
        middle = np.where(
            np.isneginf(cuts[:-1]),
            cuts[1:] - 1,
            np.where(np.isposinf(cuts[1:]), cuts[:-1] + 1, (cuts[:-1] + cuts[1:]) / 2),
        )
    covered = [((middle[:, None] > s[:, 0]) & (middle[:, None] < s[:, 1])).any(1) for s in (first, second)]
    return float(np.diff(cuts)[covered[0] != covered[1]].sum())
