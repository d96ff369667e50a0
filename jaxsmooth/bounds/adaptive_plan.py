"""When to stop voting if the average radius is what counts: a bound at every look, and a price per vote."""

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxsmooth.bounds.clopper_pearson import clopper_pearson_lower
from jaxsmooth.bounds.curve_plan import CurvePlan, checked_range
from jaxsmooth.bounds.futility import ConditionalPower
from jaxsmooth.bounds.group_sequential import GroupSequential

# Chosen on populations of published logs for an average radius within 1% of that of n_max votes for
# everyone (benchmarks/samples_saved.py). Saturated images need a last look with most of alpha.
_FIRST_LOOK, _RATIO, _LAST_SHARE, _MIN_GAIN = 100, 2.0, 0.8, 0.0133


def adaptive_tests(n_max: int, alpha: float) -> GroupSequential:
    """The looks of ``AdaptivePlan`` at 100, 200, 400, ... draws and their shares of alpha.

    Args:
        n_max: the most draws an image may take.
        alpha: the probability, per image, of certifying too much.

    Returns:
        A ``GroupSequential``.

    Raises:
        ValueError: as ``GroupSequential``.
        TypeError: as ``GroupSequential``.

    Example:
        >>> adaptive_tests(1000, 0.001).looks.tolist()
        [100, 200, 400, 800, 1000]
    """
    return GroupSequential(n_max, alpha, first_look=_FIRST_LOOK, ratio=_RATIO, last_share=_LAST_SHARE)


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptivePlan:
    """Keep the best bound of all looks; stop when further votes promise too little.

    The bound is that of ``GroupSequential.lower_bound``: the largest over all looks exceeds the true
    proportion with probability at most ``tests.alpha``, whatever decides to stop. The promise is predicted on
    levels: proportions at which the radius has grown by equal steps.

    Args:
        tests: the looks and how they spend alpha; ``adaptive_tests`` makes good ones.
        p: increasing proportions, equally spaced in radius.
        min_gain: the share of the levels that ``n_max`` further draws must promise.

    Raises:
        ValueError: as ``CurvePlan``, and if ``min_gain`` is not positive.
        TypeError: if ``tests`` is not a ``GroupSequential``.

    References:
        Ours; the proof is at ``GroupSequential.lower_bound``.

    Example:
        >>> plan = AdaptivePlan(adaptive_tests(1000, 0.001), [0.5, 0.7, 0.9])
        >>> bound, stop = plan.decide(0, [45, 80, 100], [0.0, 0.0, 0.0])
        >>> bound.round(2).tolist(), stop.tolist()
        ([0.26, 0.61, 0.91], [True, False, True])
    """

    tests: GroupSequential
    p: Any
    min_gain: float = _MIN_GAIN

    def __post_init__(self) -> None:
        _ = self.levels  # refuses what cannot be planned

    @functools.cached_property
    def levels(self) -> CurvePlan:
        """The plan that would certify the levels; it predicts what further votes gain."""
        return CurvePlan(self.tests, self.p, futility=ConditionalPower(self.min_gain), calibrated=False)

    @property
    def looks(self) -> np.ndarray:
        """int64 ``(looks,)``: the draws made by each look."""
        return self.tests.looks

    def decide(self, look: Any, counts: Any, bound: Any) -> tuple[np.ndarray, np.ndarray]:
        """The best bound so far, and which images are finished.

        Args:
            look: index of the look, one for all images or one per image.
            counts: integers ``(images,)``: votes for a class chosen before the draws.
            bound: float64 ``(images,)``: the bounds of earlier looks, 0 at first.

        Returns:
            ``(bound, stop)``: float64, rounded down, and bool.

        Raises:
            ValueError: for a look or a count that is out of range.
            TypeError: for counts that are not integers.
        """
        look = np.broadcast_to(checked_range("look", look, len(self.looks) - 1), np.shape(counts))
        counts = checked_range("counts", counts, self.looks[look])
        now = np.zeros(counts.shape)
        for k in np.unique(look):
            at = look == k
            now[at] = clopper_pearson_lower(counts[at], self.looks[k], float(self.tests.alphas[k]))
        bound = np.maximum(bound, now)
        certified = np.searchsorted(self.levels.p, bound, side="right")
        _, stop = self.levels.decide(look, counts, certified)
        return bound, stop
