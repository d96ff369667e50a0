"""Differences between two methods on the same images, with an interval over images and seeds."""

import numpy as np


def difference(first: np.ndarray, second: np.ndarray, resamples: int = 4000) -> tuple[float, float, float]:
    """Mean of first - second, both ``(seeds, images)``, and its 95 % bootstrap interval.

    Images and seeds are resampled together, the same ones for both methods. With two or three seeds the
    spread between seeds is hardly sampled, and the interval is mostly that of the images.
    """
    gap = first - second
    random = np.random.default_rng(0)
    draws = []
    for _ in range(resamples):
        seeds, images = (random.integers(0, size, size) for size in gap.shape)
        draws.append(gap[seeds][:, images].mean())
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(gap.mean()), float(low), float(high)
