"""What a curve run knows of each image: from votes at looks to certificates, on the host."""

from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._progress import Done
from jaxsmooth._types import ABSTAIN, Certificates
from jaxsmooth.bounds import CurvePlan, GroupSequential
from jaxsmooth.noises.input_dependent import kappa_at
from jaxsmooth.radii import explain_radius, required_probability
from jaxsmooth.sampling.packing import Finished
from jaxsmooth.sampling.suspicious import warn_of_invalid

# What an image takes on average, about, for choosing a batch size.
USUAL_DRAWS = 5000
# Plans for noise that depends on the image; each holds for the images of a narrow range of sigma.
GROUPS = 32
REASONS = ("all radii certified", "no further radius in reach", "n_max reached", "no more votes recorded")


class CurveRun:
    """The tests of a curve, and what is known of each image, by its number in the order of arrival.

    Attributes:
        looks: the numbers of draws after which images are looked at.
    """

    def __init__(
        self,
        noise: Any,
        at_images: Any,
        radii: np.ndarray,
        labels: Any,
        *,
        dim: int,
        norm: float,
        n_max: int,
        alpha: float,
    ) -> None:
        """``at_images``: the noise as radius rules see it at the images; ``labels[images]``: their labels."""
        self.noise, self.at_images, self.radii, self.labels = noise, at_images, radii, labels
        self.dim, self.norm, self.alpha = dim, _check.norm(norm), alpha
        self.required = required_probability(at_images, _column(at_images, radii), norm=norm, dim=dim)
        self._group, self._plans = plans_for(radii, self.required, n_max, alpha, any_class=labels is None)
        self.looks = self._plans[0].looks
        self._kappa = kappa_at(at_images, dim)
        self._certified = np.zeros(0, np.int64)  # levels certified so far
        self._label = np.zeros(0, np.int32)
        self._reason = np.full(0, 3, np.int8)

    def decide(self, images: np.ndarray, looks: np.ndarray, counts: np.ndarray, invalid: np.ndarray) -> np.ndarray:
        """Look at the votes of some images; which of them are finished."""
        self._make_room(int(images.max()) + 1)
        if isinstance(self.labels, np.ndarray) and images.max() >= len(self.labels):
            raise ValueError(f"labels must have one entry for each image; got {len(self.labels)}, but more images came")
        tested = counts.argmax(-1) if self.labels is None else self.labels[images]
        votes = counts[np.arange(len(counts)), tested]
        before = self._certified[images]
        certified, stop = np.empty_like(before), np.empty(len(before), bool)
        group = np.zeros(len(images), int) if self._group is None else self._group[images]
        for g in np.unique(group):
            at = group == g
            certified[at], stop[at] = self._plans[g].decide(looks[at], votes[at], before[at])
        # Without labels the class that reached the level is the certified one.
        self._label[images] = np.where(certified > before, tested, self._label[images])
        self._certified[images] = certified
        everything, last = certified == len(self.radii), looks == len(self.looks) - 1
        self._reason[images] = np.where(everything, 0, np.where(last, 2, np.where(stop, 1, 3)))
        return stop

    def done(self, finished: Finished) -> Done:
        """What finished images add to the progress."""
        return Done(len(finished.images), finished.drawn, int((self._certified[finished.images] > 0).sum()))

    def certificates(self, finished: Finished) -> Certificates:
        """The certificates of some images, in their order."""
        images = finished.images
        warn_of_invalid(finished.votes.invalid, finished.votes.total)
        self._make_room(int(images.max(initial=-1)) + 1)
        certified = self._certified[images]
        nothing, levels = certified == 0, np.maximum(certified - 1, 0)
        required = self.required[levels] if self.required.ndim == 1 else self.required[levels, images]
        p_lower = np.where(nothing, 0.0, required)
        return Certificates(
            label=np.where(nothing, ABSTAIN, self._label[images]).astype(np.int32),
            radius=np.where(nothing, 0.0, self.radii[levels]),
            p_lower=p_lower,
            p_upper=1 - p_lower,
            samples=finished.samples,
            votes=finished.votes,
            noise=self.noise,
            norm=self.norm,
            alpha=self.alpha,
            rule=explain_radius(self.at_images, p_lower, norm=self.norm, dim=self.dim)[1],
            reason=np.array(REASONS)[self._reason[images]],
            kappa=None if self._kappa is None else self._kappa[images],
        )

    def _make_room(self, images: int) -> None:
        missing = images - len(self._certified)
        if missing > 0:
            self._certified = np.concatenate([self._certified, np.zeros(missing, np.int64)])
            self._label = np.concatenate([self._label, np.zeros(missing, np.int32)])
            self._reason = np.concatenate([self._reason, np.full(missing, 3, np.int8)])


def _column(noise: Any, radii: np.ndarray) -> np.ndarray:
    """The radii as a column where the noise has one sigma per image."""
    return radii if np.ndim(noise.sigma) == 0 else radii[:, None]


def plans_for(
    radii: np.ndarray, required: np.ndarray, n_max: int, alpha: float, any_class: bool
) -> tuple[np.ndarray | None, list[CurvePlan]]:
    """The thresholds: one plan for all, or, where images differ in what they require, one per group of images.

    A group requires, at every radius, the largest probability of its images, which is safe for all of them.
    """
    if required.ndim == 1:
        return None, [_plan(radii, required, n_max, alpha, any_class)]
    _plan(radii, required.min(1), n_max, alpha, any_class)
    order = np.argsort(required[-1], kind="stable")
    group = np.empty(len(order), int)
    plans = []
    for g, members in enumerate(np.array_split(order, min(GROUPS, len(order)))):
        group[members] = g
        plans.append(CurvePlan(GroupSequential(n_max, alpha), required[:, members].max(1), any_class=any_class))
    return group, plans


def _plan(radii: np.ndarray, required: np.ndarray, n_max: int, alpha: float, any_class: bool) -> CurvePlan:
    """The thresholds; refuse radii that not even unanimous votes can certify."""
    tests = GroupSequential(n_max, alpha)
    if not np.isfinite(required).all():
        impossible = radii[~np.isfinite(required)][0]
        raise ValueError(f"radii must be within reach of the noise; no probability certifies {impossible:g}")
    plan = CurvePlan(tests, required, any_class=any_class)
    out_of_reach = plan.thresholds[:, -1] > n_max
    if out_of_reach.any():
        # Another class may need a share of alpha, hence the slightly larger p.
        needed = GroupSequential(n_max, alpha * (1 - 1e-9)).required_n_max(required[out_of_reach].max())
        raise ValueError(
            f"radii must be certifiable by n_max = {n_max} votes at alpha = {alpha:g}; {radii[out_of_reach][0]:g} is "
            f"not, even if all agree. Use smaller radii, or n_max >= {needed} for all of these"
        )
    return plan


def checked_curve(radii: Any, *, norm: Any, n_max: Any, alpha: Any) -> tuple[np.ndarray, float, int, float]:
    """The radii as float64, increasing; the norm, n_max and alpha; before anything is sampled."""
    radii = _check.nonnegative("radii", radii)
    if radii.ndim != 1 or len(radii) == 0:
        raise ValueError(f"radii must be a vector of at least one radius; got shape {radii.shape}")
    if np.any(np.diff(radii) <= 0):
        raise ValueError(f"radii must increase; got {radii.tolist()}. Use np.unique(radii)")
    return radii, _check.norm(norm), _check.draws("n_max", n_max), _check.probability("alpha", alpha)
