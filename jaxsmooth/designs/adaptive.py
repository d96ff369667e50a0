"""Adaptive: a radius of any value, with votes spent where they raise the average certified radius."""

import dataclasses
import functools
from typing import Self

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates, Reason
from jaxsmooth._noise import sigma_per_image
from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds import AdaptivePlan, adaptive_tests
from jaxsmooth.bounds.binomial_tail import one_minus
from jaxsmooth.designs.base import AbstractDesign, Finished, Rows, Setting, votes_since
from jaxsmooth.noises.gaussian import Gaussian
from jaxsmooth.radii import certified_radius, explain_radius, required_probability, rules_for

# Steps of the grid of radii on which the gain of further votes is predicted.
_LEVELS = 150


@dataclasses.dataclass(frozen=True)
class Adaptive(AbstractDesign):
    r"""The best Clopper-Pearson bound over looks at 100, 200, 400, ... draws: the design of ``certify_adaptive``.

    Args:
        n0: votes that select the class where there are no labels.
        n_max: the most votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong.
        norm: 1, 2 or ``np.inf``: the norm of the radius.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        The bound over looks: ours, proved at ``bounds.GroupSequential.lower_bound``.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Adaptive(n_max=1000)
        Adaptive(n0=100, n_max=1000, alpha=0.001, norm=2.0)
    """

    n0: int = 100
    n_max: int = 100_000
    alpha: float = 1e-3
    norm: float = 2

    def __post_init__(self) -> None:
        n0 = _check.draws("n0", self.n0)
        _check.keep(
            self,
            n0=n0,
            n_max=_check.draws("n_max", self.n_max, first=n0),
            alpha=_check.probability("alpha", self.alpha),
            norm=_check.norm(self.norm),
        )

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``."""
        bound = super().bind(setting)
        rules_for(bound.noise_at_images, self.norm)
        _ = bound._plan
        return bound

    @functools.cached_property
    def _plan(self) -> AdaptivePlan:
        """The looks, and the gains expected there: of equally spaced radii, up to the largest that votes certify."""
        noise, dim = self.noise_at_images, self.setting.dim
        # Gains are predicted at the mean sigma where the noise depends on the image; they decide no certificate.
        typical = Gaussian(float(np.mean(noise.sigma))) if sigma_per_image(noise) else noise
        tests = adaptive_tests(self.n_max, self.alpha)
        largest = certified_radius(typical, float(tests.lower_bound(-1, self.n_max)), norm=self.norm, dim=dim)
        radii = np.linspace(0, largest, _LEVELS, endpoint=False)
        return AdaptivePlan(tests, required_probability(typical, radii, norm=self.norm, dim=dim))

    @property
    def _selecting(self) -> int:
        """Draws that select the class: none where labels are tested."""
        return 0 if self.setting.labelled else self.n0

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``; the first one selects the class, unless labels are tested."""
        estimating = adaptive_tests(self.n_max, self.alpha).looks
        return np.concatenate([[self._selecting], self._selecting + estimating]) if self._selecting else estimating

    def init(self, images: int) -> Rows:
        """See ``AbstractDesign.init``."""
        return {
            "bound": np.zeros(images),
            "tested": np.zeros(images, np.int64),
            "selection": np.zeros((images, self.setting.classes), np.int32),
            "reason": np.full(images, str(Reason.NOT_RECORDED), object),
        }

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """See ``AbstractDesign.look``."""
        selecting = (look == 0) & (self._selecting > 0)
        selection = np.where(selecting[:, None], counts, rows["selection"])
        tested = np.where(selecting, counts.argmax(-1), rows["tested"]) if labels is None else labels
        bound, stop, at = rows["bound"].copy(), np.zeros(len(look), bool), ~selecting
        if at.any():
            votes = (counts - selection)[at, tested[at]]
            bound[at], stop[at] = self._plan.decide(look[at] - (self._selecting > 0), votes, bound[at])
        why = [str(Reason.LAST_LOOK), str(Reason.LITTLE_TO_GAIN)]
        reason = np.select([stop & (look == len(self.looks) - 1), stop], why, str(Reason.NOT_RECORDED))
        return {"bound": bound, "tested": tested, "selection": selection, "reason": reason.astype(object)}, stop

    def conclude(self, rows: Rows, finished: Finished) -> Certificates:
        """See ``AbstractDesign.conclude``."""
        bound, started = rows["bound"], finished.samples >= self._selecting
        radius, rule = explain_radius(finished.at_images, bound, norm=self.norm, dim=self.setting.dim)
        return Certificates(
            label=np.where(radius > 0, rows["tested"], ABSTAIN).astype(np.int32),
            radius=radius,
            p_lower=bound,
            p_upper=one_minus(bound, up=True),
            samples=finished.samples,
            votes=votes_since(finished._replace(complete=started), rows["selection"], self._selecting),
            noise=self.setting.noise,
            norm=self.norm,
            alpha=self.alpha,
            rule=rule,
            reason=rows["reason"],
        )
