"""The futility rule that is optimal under a prior: backward induction over the looks."""

import dataclasses
import functools
import math

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth.bounds.futility import AbstractFutility, Unreachable

# Cells of the angle per posterior standard deviation at least, half of these many; converged to 1% of the draws.
_CELL = 0.1
# More levels than these are represented by these many.
_MOST_LEVELS = 32


@dataclasses.dataclass(frozen=True)
class OptimalFutility(AbstractFutility):
    r"""Give up when, under a prior of p, no way to go on is worth its draws.

    Of all rules, the one with the largest expectation of

    .. math:: \frac{\text{levels certified}}{J} - g \, \frac{\text{draws}}{n_\max}.

    *Dynamic programming.* Let :math:`V_k(S, j)` be the best value to come after look k, with S votes and j levels
    certified; V is 0 after the last look, and otherwise

    .. math:: V_k(S, j) = \max\Big(0, E\Big[\frac{j' - j}{J} + V_{k+1}(S', j') \,\Big|\, S\Big] - g \, \frac{n_{k+1} -
              n_k}{n_\max}\Big),

    j' being the levels certified by the votes S' at the next look. An image goes on while the second term is positive,
    and it is nondecreasing in S.

    *Prior.* :math:`\mathrm{Beta}(1/2, 1/2)`, Jeffreys': uniform in the angle :math:`x = \arcsin \sqrt p`, with
    much of its mass near 0 and 1, as models have. In the normal limit the observed angle is a walk with independent
    steps of variance :math:`(1 / n_k - 1 / n_{k+1}) / 4`, so each expectation is one convolution. Steeper priors move
    along the same trade of draws for levels as another g does (``benchmarks/samples_saved.py``).

    Neither the prior nor the limit matters to the error rate: a rule only decides when to stop.

    Args:
        min_gain: g, the price of ``n_max`` draws as a share of the curve's radii. Larger: fewer draws, more radii
            given up.

    Raises:
        ValueError: if ``min_gain`` is not positive.

    References:
        Backward induction: Arrow, Blackwell and Girshick, "Bayes and minimax solutions of sequential decision
        problems", Econometrica 1949; the limit by a walk: Chernoff, "Sequential tests for the mean of a normal
        distribution", 1961. For certified radii: ours.

    Example:
        >>> looks, thresholds = np.array([100, 1000]), np.array([[70, 550]])
        >>> OptimalFutility(0.05).minimal_counts(looks, np.array([0.5]), thresholds).tolist()
        [[47], [1001]]
    """

    min_gain: float = 0.065

    def __post_init__(self) -> None:
        _check.require_positive("min_gain", self.min_gain)

    def minimal_counts(self, looks: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """See ``AbstractFutility.minimal_counts``."""
        levels = len(thresholds)
        every = -(-levels // _MOST_LEVELS)
        kept = np.arange((every - 1) // 2, levels, every)
        planned = _plan(tuple(looks.tolist()), tuple(map(tuple, thresholds[kept].tolist())), self.min_gain)
        # With j levels certified the kept ones from the first of index j or more are pending.
        counts = planned[:, np.minimum(np.searchsorted(kept, np.arange(levels)), len(kept) - 1)]
        return np.maximum(counts, Unreachable().minimal_counts(looks, p, thresholds))


@functools.lru_cache(maxsize=512)
def _plan(looks: tuple[int, ...], thresholds: tuple[tuple[int, ...], ...], min_gain: float) -> np.ndarray:
    """``(looks, levels)`` minimal counts, on a grid of angles that is coarser by halves where there are fewer draws."""
    n, levels = np.array(looks), len(thresholds)
    coarser = [int(math.log2(n[-1] / draws) / 2) for draws in looks]
    finest = math.ceil(math.log2(math.pi / 2 * math.sqrt(n[-1]) / _CELL))
    counts = np.full((len(n), levels), n[-1] + 1)
    value = np.zeros((levels + 1, 2**finest))
    for k in range(len(n) - 2, -1, -1):
        after = _worth(np.array(thresholds)[:, k + 1], int(n[k + 1]), value)
        spread, halvings = 0.5 * math.sqrt(1 / n[k] - 1 / n[k + 1]), coarser[k] - coarser[k + 1]
        # What is smoothed over many cells needs no small ones; otherwise the coarser grid comes after.
        first = min(max(int(math.log2(spread * after.shape[1] / 10)), 0), halvings)
        goes_on = _coarser(_smooth(_coarser(after, first), spread), halvings - first)
        goes_on -= min_gain * (n[k + 1] - n[k]) / n[-1]
        counts[k] = _first_count(goes_on[:-1], int(n[k]))
        value = np.maximum(goes_on, 0.0)
    # More certified levels leave less to gain; exactly so but for the grid.
    return np.maximum.accumulate(counts, axis=1)


def _angle(count: np.ndarray, n: int) -> np.ndarray:
    """Anscombe's variance-stabilising transformation."""
    return np.arcsin(np.sqrt(np.clip((count + 0.375) / (n + 0.75), 0.0, 1.0)))


def _worth(thresholds: np.ndarray, n: int, value: np.ndarray) -> np.ndarray:
    """``(levels + 1, cells)``: the levels gained at a look of ``n`` draws and the value after it."""
    levels, cells = len(thresholds), value.shape[1]
    cell = math.pi / 2 / cells
    start = np.where(thresholds > n, np.inf, _angle(thresholds - 0.5, n)) / cell
    share = np.clip(np.arange(1, cells + 1) - start[:, None], 0.0, 1.0)  # of each cell that certifies each level
    gain = np.zeros_like(value)
    gain[:-1] = np.cumsum(share[::-1], axis=0)[::-1] / levels
    reached = (share > 0.5).sum(axis=0)
    return gain + np.take_along_axis(value, np.maximum(np.arange(levels + 1)[:, None], reached), axis=0)


def _smooth(values: np.ndarray, spread: float) -> np.ndarray:
    """The expectation after a normal step of the angle, reflected at 0 and at pi / 2."""
    cell = math.pi / 2 / values.shape[1]
    half = int(6 * spread / cell) + 1
    kernel = np.diff(special.ndtr((np.arange(-half, half + 2) - 0.5) * cell / spread))
    from scipy import ndimage  # slow to import

    return ndimage.convolve1d(values, kernel, axis=1, mode="reflect")


def _coarser(values: np.ndarray, halvings: int) -> np.ndarray:
    """Means of 2 ** halvings neighbouring cells."""
    return values.reshape(len(values), -1, 2**halvings).mean(axis=2)


def _first_count(goes_on: np.ndarray, n: int) -> np.ndarray:
    """The smallest count of each row with a positive value, between cells by interpolation; n + 1 if there is none."""
    good = goes_on > 0
    first, rows = good.argmax(axis=1), np.arange(len(good))
    here, before = goes_on[rows, first], goes_on[rows, np.maximum(first - 1, 0)]
    back = np.where(first > 0, here / np.maximum(here - before, 1e-300), first + 0.5)
    angle = (first + 0.5 - back) * (math.pi / 2 / goes_on.shape[1])
    count = np.ceil(np.sin(angle) ** 2 * (n + 0.75) - 0.375)
    return np.where(good.any(axis=1), np.clip(count, 0, n), n + 1).astype(np.int64)
