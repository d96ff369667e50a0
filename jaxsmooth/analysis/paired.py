"""paired_difference: what one method has over another on the same images, with an interval."""

import math

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, alpha: float = 0.05, resamples: int = 4000, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of first - second over images and runs, with its bootstrap interval.

    Scores are radii (0 where the label is wrong), whether an image is certified at a radius, or anything else
    that is averaged over images. Images and runs are resampled together, the same ones for both methods, so
    that what both find hard cancels. With two or three runs the spread between runs is hardly sampled, and the
    interval is mostly that of the images.

    Args:
        first: scores of one method, numbers or truth values ``(images,)`` or ``(runs, images)``.
        second: those of the other, the same images in the same order, run i with the seed of run i of first.
        alpha: the probability with which the interval misses, in (0, 1); approximate, as of any bootstrap.
        resamples: how many times images and runs are resampled, at least 100.
        seed: of the resampling; equal seeds give equal intervals.

    Returns:
        ``(difference, lower, upper)``; of one image the last two are NaN. With fewer than about ten images the interval
        misses more often than ``alpha`` says.

    Raises:
        ValueError: if the shapes differ, there is no image, or a value is out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> hard = np.random.default_rng(0).uniform(size=500)
        >>> gain, lower, upper = js.analysis.paired_difference(1.1 * hard, hard)
        >>> print(f"{gain:.3f} [{lower:.3f}, {upper:.3f}]")
        0.053 [0.050, 0.056]
    """
    gap = _scores("first", first) - _same_shape(_scores("second", second), first)
    alpha = _check.probability("alpha", alpha)
    resamples = _check.integer("resamples", resamples, at_least=100)
    gap = np.atleast_2d(gap)
    if gap.shape[1] == 1:
        return float(gap.mean()), math.nan, math.nan
    random = np.random.default_rng(_check.integer("seed", seed, at_least=0))
    means = np.empty(resamples)
    for i in range(resamples):
        runs, images = (random.integers(0, size, size) for size in gap.shape)
        means[i] = gap[runs][:, images].mean()
    lower, upper = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return float(gap.mean()), float(lower), float(upper)


def _scores(name: str, value: object) -> np.ndarray:
    array = _check.as_array(name, value)
    scores = _check.as_float64(name, array.astype(np.int8) if array.dtype.kind == "b" else array)
    if scores.ndim not in (1, 2) or not scores.size:
        raise ValueError(f"{name} must have shape (images,) or (runs, images), none of them 0; got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{name} must be finite; got {scores[~np.isfinite(scores)][0]}. Use 0 where nothing is certified"
        )
    return scores


def _same_shape(second: np.ndarray, first: ArrayLike) -> np.ndarray:
    if second.shape != np.shape(first):
        raise ValueError(
            f"second must have the shape of first, {np.shape(first)}, to be compared in pairs; got {second.shape}"
        )
    return second
