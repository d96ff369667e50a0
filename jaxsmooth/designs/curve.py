"""Curve: the largest of some radii that is certified, by sequential tests that share alpha exactly."""

import dataclasses
import functools
import math
from typing import Any, Self

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates, Reason
from jaxsmooth._noise import sigma_per_image
from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds import CurvePlan, calibrated_thresholds, curve_tests
from jaxsmooth.bounds.binomial_tail import one_minus
from jaxsmooth.bounds.group_sequential import unanimous_calibrated
from jaxsmooth.designs.base import AbstractDesign, Finished, Rows, Setting
from jaxsmooth.radii import explain_radius, required_probability, rules_for

# Plans for noise that depends on the image; each holds for the images of a narrow range of sigma.
_GROUPS = 32


@dataclasses.dataclass(frozen=True)
class Curve(AbstractDesign):
    r"""Looks at geometrically spaced numbers of draws certify the radii one by one: the design of ``certify_curve``.

    Args:
        radii: increasing radii, at least 0.
        n_max: the most votes an image may take.
        alpha: the probability, per image, that the certificate is wrong.
        norm: 1, 2 or ``np.inf``: the norm of the radii.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        The sequential test: ours, proved at ``bounds.GroupSequential`` and
        ``bounds.calibrated_thresholds``.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Curve([0, 0.25, 0.5], n_max=1000)
        Curve(radii=(0.0, 0.25, 0.5), n_max=1000, alpha=0.001, norm=2.0)
    """

    radii: Any
    n_max: int = 100_000
    alpha: float = 1e-3
    norm: float = 2

    def __post_init__(self) -> None:
        radii = _check.nonnegative("radii", self.radii)
        if radii.ndim != 1 or len(radii) == 0:
            raise ValueError(f"radii must be a vector of at least one radius; got shape {radii.shape}")
        if np.any(np.diff(radii) <= 0):
            raise ValueError(f"radii must increase; got {radii.tolist()}. Use np.unique(radii)")
        _check.keep(
            self,
            radii=tuple(radii.tolist()),
            norm=_check.norm(self.norm),
            n_max=_check.draws("n_max", self.n_max),
            alpha=_check.probability("alpha", self.alpha),
        )

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``; refuses radii that not even unanimous votes can certify of any image."""
        bound = super().bind(setting)
        rules_for(bound.noise_at_images, self.norm)
        if self.n_max < unanimous_calibrated(self.alpha, 0.5, any_class=not setting.labelled):
            raise ValueError(
                f"n_max = {self.n_max} can never certify at alpha = {self.alpha:g}, not even when all votes agree; "
                f"use n_max >= {bound._least_n_max()}"
            )
        _ = bound._plans
        return bound

    def _least_n_max(self) -> int:
        """The fewest votes that certify the smallest radius of some image, if any number does."""
        least = float(np.min(self._required))
        n_max = unanimous_calibrated(self.alpha, least if least < 1 else 0.5, any_class=not self.setting.labelled)
        while True:
            try:
                return curve_tests(n_max, self.alpha).n_max
            except ValueError:  # looks before the last one take a share of alpha
                n_max += 1

    @functools.cached_property
    def _required(self) -> np.ndarray:
        """The probability that each radius needs, ``(radii,)``, or ``(radii, images)`` where it depends on them."""
        radii = np.array(self.radii)
        column = radii[:, None] if sigma_per_image(self.noise_at_images) else radii
        required = required_probability(self.noise_at_images, column, norm=self.norm, dim=self.setting.dim)
        # Of radii that are a rounding apart the larger may seem to need less; it needs no less than the smaller.
        return np.maximum.accumulate(required, axis=0)

    @functools.cached_property
    def _plans(self) -> tuple[np.ndarray | None, list[CurvePlan | None]]:
        """The thresholds: one plan for all, or, where images differ in what they require, one per group of images.

        A group requires, at every radius, the largest probability of its images, which is safe for all of them. None
        for those of which no votes certify the smallest radius; they are a group of their own.
        """
        required = self._required
        if required.ndim == 1:
            return None, [self._plan(required)]
        self._plan(required.min(1))
        required = np.minimum(required, 1.0)  # a probability of 1 is as much out of reach as none
        hopeless = ~self._within_reach(required[0])
        # By the largest radius, and by smaller ones where that is out of reach.
        order = np.lexsort(required)
        going = order[~hopeless[order]]
        group = np.zeros(len(order), int)
        plans: list[CurvePlan | None] = [None]
        for members in np.array_split(going, min(_GROUPS, len(going))) if len(going) else ():
            group[members] = len(plans)
            together = required[:, members].max(1)
            plans.append(self._plan_of(together) if self._can_certify(together) else None)
        return group, plans

    def _can_certify(self, required: np.ndarray) -> bool:
        """Whether some look can certify one of these probabilities."""
        tests = curve_tests(self.n_max, self.alpha)
        thresholds = calibrated_thresholds(tests, required, any_class=not self.setting.labelled)
        return bool((thresholds <= tests.looks).any())

    def _within_reach(self, required: np.ndarray) -> np.ndarray:
        """Which of some probabilities, one an image, can be certified."""
        # The larger the harder: the smallest one that cannot be is looked for by halving, mostly in one step.
        found = np.unique(required)
        least, beyond, middle = 0, len(found), len(found) - 1
        while least < beyond:
            least, beyond = (middle + 1, beyond) if self._can_certify(found[middle : middle + 1]) else (least, middle)
            middle = (least + beyond) // 2
        return required < (found[least] if least < len(found) else math.inf)

    def _plan_of(self, required: np.ndarray) -> CurvePlan:
        return CurvePlan(curve_tests(self.n_max, self.alpha), required, any_class=not self.setting.labelled)

    def _plan(self, required: np.ndarray) -> CurvePlan:
        """The thresholds; refuse radii that not even unanimous votes can certify."""
        radii = np.array(self.radii)
        if not (required < 1).all():
            impossible = radii[~(required < 1)][0]
            raise ValueError(
                f"radii must be within reach of the noise; no probability below 1 certifies {impossible:g}"
            )
        plan = self._plan_of(required)
        out_of_reach = plan.thresholds[:, -1] > self.n_max
        if out_of_reach.any():
            largest = float(required[out_of_reach].max())
            needed = unanimous_calibrated(self.alpha, largest, any_class=not self.setting.labelled)
            raise ValueError(
                f"radii must be certifiable by n_max = {self.n_max} votes at alpha = {self.alpha:g}; "
                f"{radii[out_of_reach][0]:g} is not, even if all agree. Use smaller radii, or n_max >= {needed} for "
                "all of these"
            )
        return plan

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``."""
        return curve_tests(self.n_max, self.alpha).looks

    def init(self, images: int) -> Rows:
        """See ``AbstractDesign.init``."""
        return {
            "certified": np.zeros(images, np.int64),  # radii certified so far
            "label": np.zeros(images, np.int32),
            "reason": np.full(images, str(Reason.NOT_RECORDED), object),
            "image": np.arange(images),
        }

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """See ``AbstractDesign.look``."""
        tested = counts.argmax(-1) if labels is None else labels
        votes, before = counts[np.arange(len(counts)), tested], rows["certified"]
        certified, stop = np.empty_like(before), np.empty(len(before), bool)
        groups, plans = self._plans
        group = np.zeros(len(before), int) if groups is None else groups[rows["image"]]
        for g in np.unique(group):
            at = group == g
            plan = plans[g]
            certified[at], stop[at] = (0, True) if plan is None else plan.decide(look[at], votes[at], before[at])
        everything, last = certified == len(self.radii), look == len(self.looks) - 1
        return {
            "certified": certified,
            # Without labels the class that reached the radius is the certified one.
            "label": np.where(certified > before, tested, rows["label"]).astype(np.int32),
            "reason": np.select(
                [everything, last, stop],
                [str(Reason.ALL_RADII), str(Reason.LAST_LOOK), str(Reason.OUT_OF_REACH)],
                str(Reason.NOT_RECORDED),
            ).astype(object),
            "image": rows["image"],
        }, stop

    def conclude(self, rows: Rows, finished: Finished) -> Certificates:
        """See ``AbstractDesign.conclude``."""
        nothing, levels = rows["certified"] == 0, np.maximum(rows["certified"] - 1, 0)
        required = self._required[levels] if self._required.ndim == 1 else self._required[levels, rows["image"]]
        p_lower = np.where(nothing, 0.0, required)
        return Certificates(
            label=np.where(nothing, ABSTAIN, rows["label"]).astype(np.int32),
            radius=np.where(nothing, 0.0, np.array(self.radii)[levels]),
            p_lower=p_lower,
            p_upper=one_minus(p_lower, up=True),
            samples=finished.samples,
            votes=finished.votes,
            noise=self.setting.noise,
            norm=self.norm,
            alpha=self.alpha,
            rule=explain_radius(finished.at_images, p_lower, norm=self.norm, dim=self.setting.dim)[1],
            reason=rows["reason"],
        )
