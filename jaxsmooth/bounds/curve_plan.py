"""Decisions of a sequential certification, as integers to compare counts with."""

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth.bounds.calibration import calibrated_thresholds
from jaxsmooth.bounds.futility import AbstractFutility
from jaxsmooth.bounds.group_sequential import GroupSequential, check_tests, unanimous_calibrated
from jaxsmooth.bounds.optimal_futility import OptimalFutility

# Chosen on populations of published logs, with the price of OptimalFutility (benchmarks/samples_saved.py). An early
# look costs little once the shares are calibrated; later ones share most of alpha.
_RATIO, _LAST_SHARE = 1.12, 0.1


def curve_tests(n_max: int, alpha: float) -> GroupSequential:
    """The looks that ``CurvePlan`` does best with, at 64, 72, 81, ... draws, and their shares of alpha.

    Args:
        n_max: the most draws an image may take.
        alpha: the probability, per image, of certifying too much.

    Returns:
        A ``GroupSequential``.

    Raises:
        ValueError: as ``GroupSequential``.
        TypeError: as ``GroupSequential``.

    Example:
        >>> curve_tests(100_000, 0.001).looks[:5].tolist()
        [64, 72, 81, 90, 101]
    """
    return GroupSequential(n_max, alpha, ratio=_RATIO, last_share=_LAST_SHARE)


@dataclasses.dataclass(frozen=True, eq=False)
class CurvePlan:
    """Certify the largest of several radii, sequentially, from one count per image.

    Everything is decided by integers that are computed once: the counts that certify each level at each
    look, and the counts below which an image is given up. The largest certified level of an image is
    wrong with probability at most ``tests.alpha`` (see ``GroupSequential``).

    Args:
        tests: the looks and how they spend alpha; ``curve_tests`` makes good ones.
        p: null proportions, one per level, nondecreasing: ``required_probability`` of increasing radii.
        any_class: without labels. The count of an image is then that of its most voted class, which may
            change from look to look; the certified class is the one that reached the level.
        futility: when to give up an image; never affects the error rate.
        calibrated: lower the thresholds until the exact error is alpha (``calibrated_thresholds``), not its bound by
            the sum over the looks.

    Raises:
        ValueError: if ``p`` is empty, decreases or is out of range, or if no look can certify any level.
        TypeError: if ``tests`` is not a ``GroupSequential``.

    References:
        Ours, with the proofs in ``GroupSequential`` and ``calibrated_thresholds``.

    Example:
        >>> plan = CurvePlan(GroupSequential(1000, 0.001), [0.5, 0.84])
        >>> plan.looks[:3].tolist()
        [64, 96, 144]
        >>> certified, stop = plan.decide(1, [25, 60, 75, 96], [0, 0, 0, 0])
        >>> certified.tolist(), stop.tolist()
        ([0, 0, 1, 2], [True, False, True, True])
    """

    tests: GroupSequential
    p: Any
    _: dataclasses.KW_ONLY
    any_class: bool = False
    futility: AbstractFutility = dataclasses.field(default_factory=OptimalFutility)
    calibrated: bool = True

    def __post_init__(self) -> None:
        check_tests(self.tests)
        p = np.array(_check.as_float64("p", self.p))
        if p.ndim != 1 or len(p) == 0 or np.any(np.diff(p) < 0):
            raise ValueError(f"p must be a nondecreasing vector, one null proportion per level; got {self.p!r}")
        p.flags.writeable = False
        _check.keep(self, p=p)
        if not np.any(self.thresholds <= self.looks):
            remedy = "use a larger n_max or a smaller radius"
            if p[0] >= 1:
                remedy = "use a smaller radius"
            elif self.calibrated:
                needed = unanimous_calibrated(self.tests.alpha, float(p[0]), any_class=self.any_class)
                remedy = f"use n_max >= {needed} or a smaller radius"
            raise ValueError(
                f"n_max = {self.tests.n_max} votes at alpha = {self.tests.alpha:g} cannot certify p = {p[0]:g}, the "
                f"smallest level; {remedy}"
            )

    @property
    def looks(self) -> np.ndarray:
        """int64 ``(looks,)``: the draws made by each look."""
        return self.tests.looks

    @functools.cached_property
    def thresholds(self) -> np.ndarray:
        """int64 ``(levels, looks)``: counts of at least this certify the level."""
        if self.calibrated:
            return calibrated_thresholds(self.tests, self.p, any_class=self.any_class)
        return self.tests.thresholds(self.p, any_class=self.any_class)

    @functools.cached_property
    def minimal_counts(self) -> np.ndarray:
        """int64 ``(looks, levels + 1)``: an image with this many certified levels goes on from this count."""
        going = self.futility.minimal_counts(self.looks, self.p, self.thresholds)
        return np.concatenate([going, self.looks[:, None] + 1], axis=1)

    def decide(self, look: Any, counts: Any, certified: Any) -> tuple[np.ndarray, np.ndarray]:
        """What the counts at a look prove, and which images are finished.

        Args:
            look: index of the look, one for all images or one per image; ``looks[look]`` draws of the image
                have been made.
            counts: integers ``(images,)``: votes for the tested class; with ``any_class`` for the most
                voted class.
            certified: integers ``(images,)``: the number of levels certified at earlier looks, 0 at first.

        Returns:
            ``(certified, stop)``: int64, the number of levels certified by now (0: nothing; j: the radius of
            level j - 1), and bool, whether the image is finished. Everything stops at the last look.

        Raises:
            ValueError: for a look, a count or a number of levels that is out of range.
            TypeError: for counts that are not integers.
        """
        look = checked_range("look", look, len(self.looks) - 1)
        counts = checked_range("counts", counts, self.looks[look])
        reached = (counts[..., None] >= self.thresholds.T[look]).sum(axis=-1)
        certified = np.maximum(checked_range("certified", certified, len(self.p)), reached)
        return certified, counts < self.minimal_counts[look, certified]


def checked_range(name: str, value: Any, most: Any) -> np.ndarray:
    """``value`` as int64, between 0 and ``most``."""
    array = _check.as_array(name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers; got dtype {array.dtype}")
    if np.any(array < 0) or np.any(array > most):
        array, most = np.broadcast_arrays(array, most)
        bad = np.argmax(((array < 0) | (array > most)).ravel())
        raise ValueError(f"{name} must lie between 0 and {most.flat[bad]}; got {array.flat[bad]}")
    return array.astype(np.int64)
