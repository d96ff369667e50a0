"""TopK: classes that stay among the k most probable."""

import dataclasses
from typing import Any, Self

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import TopKCertificates
from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds.binomial_tail import one_minus
from jaxsmooth.bounds.top_k import Subsets, check_fewer_than_classes, top_k_bounds
from jaxsmooth.designs.base import AbstractDesign, Finished, Rows, Setting, reason_of, votes_since
from jaxsmooth.designs.fixed import draws_to_record
from jaxsmooth.designs.gaussian_law import GaussianLaw, gaussian_law
from jaxsmooth.radii import explain_radius, top_k_radius

# More votes than this nobody draws.
_MOST = 2**30

RULE = "jia_2020: Jia et al. 2020, Theorem 1, sums over the k largest others"
_KNOWN = "the growth of a sum of probabilities"


@dataclasses.dataclass(frozen=True)
class TopK(AbstractDesign):
    r"""``n`` votes prove that classes stay among the k most probable: the design of ``certify_top_k``.

    Votes for nobody are counted in the sums of the others; see ``bounds.top_k_bounds``.

    Args:
        k: how many classes the answer has.
        n0: votes that select the classes where there are no labels.
        n: votes that bound the probabilities.
        alpha: the probability, per class that is certified, that the certificate is wrong.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        share: the part of alpha that the bound of the class itself spends; see ``bounds.top_k_bounds``.
        subsets: ``"ends"`` or ``"all"``: which sums of other classes are bounded.
        joint: whether the k classes of an image share alpha, where there are no labels.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Jia, Cao, Wang and Gong, "Certified robustness for top-k predictions against adversarial perturbations via
        randomized smoothing", 2020; the bounds: ours, see ``bounds.top_k_bounds``.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.TopK(k=3, n=1000).n
        1000
    """

    k: int = 5
    n0: int = 100
    n: int = 10_000
    alpha: float = 1e-3
    norm: float = 2
    share: float = 0.9
    subsets: Subsets = "ends"
    joint: bool = False

    def __post_init__(self) -> None:
        n0 = _check.draws("n0", self.n0)
        _check.keep(
            self,
            k=_check.integer("k", self.k, at_least=1),
            n0=n0,
            n=_check.draws("n", self.n, first=n0),
            alpha=_check.probability("alpha", self.alpha),
            norm=_check.norm(self.norm),
            share=_check.probability("share", self.share),
            joint=_check.boolean("joint", self.joint),
        )
        _check.require_one_of("subsets", self.subsets, Subsets)

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``."""
        gaussian_law(setting.noise, setting.dim, _KNOWN)
        check_fewer_than_classes(self.k, setting.classes)
        bound = super().bind(setting)
        if not bound._largest(self.n):
            raise ValueError(
                f"n = {self.n} votes can never certify a top {self.k} at alpha = {self.alpha:g}, not even unanimous "
                f"ones; use {bound._remedy()}"
            )
        return bound

    def _remedy(self) -> str:
        """The least n at which unanimous votes certify something: it is found by halving, for it may be large."""
        fails, holds = self.n, 2 * self.n
        while not self._largest(holds):
            if holds > _MOST:
                return "a larger alpha"
            fails, holds = holds, 2 * holds
        while holds - fails > 1:
            middle = (fails + holds) // 2
            fails, holds = (fails, middle) if self._largest(middle) else (middle, holds)
        return f"n >= {holds}"

    def _largest(self, n: int) -> float:
        """The radius of unanimous votes."""
        counts = np.zeros((1, self.setting.classes), np.int64)
        counts[0, 0] = n
        return float(self._radius(counts, np.zeros(1, np.int64), n)[2][0])

    @property
    def _selecting(self) -> int:
        """Draws that select the classes: none where labels are tested."""
        return 0 if self.setting.labelled else self.n0

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``; the first one selects classes, unless labels are tested."""
        return np.array([self._selecting, self._selecting + self.n][not self._selecting :])

    @property
    def checkpoints(self) -> np.ndarray:
        """As those of ``Fixed``."""
        return self._selecting + draws_to_record(self.n)

    def init(self, images: int) -> Rows:
        """See ``AbstractDesign.init``."""
        width = () if self.setting.labelled else (self.k,)
        return {
            "selection": np.zeros((images, self.setting.classes), np.int32),
            "tested": np.zeros((images, *width), np.int64),
        }

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """See ``AbstractDesign.look``."""
        if labels is not None:
            return {"selection": rows["selection"], "tested": labels}, np.ones(len(look), bool)
        selecting = look == 0
        most_voted = np.argsort(-counts, axis=-1, kind="stable")[:, : self.k]
        return {
            "selection": np.where(selecting[:, None], counts, rows["selection"]),
            "tested": np.where(selecting[:, None], most_voted, rows["tested"]),
        }, ~selecting

    def conclude(self, rows: Rows, finished: Finished) -> TopKCertificates:
        """See ``AbstractDesign.conclude``."""
        complete, tested = finished.complete, rows["tested"]
        selection = np.where(complete[:, None], rows["selection"], 0)
        votes = votes_since(finished, selection, self._selecting)
        columns = tested[:, None] if tested.ndim == 1 else tested
        found = [self._radius(votes.counts, column, self.n, votes.invalid) for column in columns.T]
        p_lower, sums_upper, radius, rule = (
            np.stack(part, 1) if tested.ndim == 2 else part[0] for part in zip(*found, strict=True)
        )
        known = complete.reshape(-1, *(1,) * (tested.ndim - 1))
        return TopKCertificates(
            label=np.where(radius > 0, tested, ABSTAIN).astype(np.int32),
            radius=radius,
            p_lower=p_lower,
            sums_upper=np.where(known[..., None], sums_upper, 1.0),
            samples=np.where(complete, finished.samples, 0),
            votes=votes,
            noise=self.setting.noise,
            norm=self.norm,
            alpha=self.alpha,
            k=self.k,
            joint=self.joint and tested.ndim == 2,
            rule=rule,
            reason=reason_of(complete),
        )

    def _radius(self, counts: np.ndarray, label: np.ndarray, n: int, invalid: Any = 0) -> tuple[np.ndarray, ...]:
        """``(p_lower, sums_upper, radius, rule)`` of one class an image."""
        alpha = self.alpha / self.k if self.joint and not self.setting.labelled else self.alpha
        p_lower, sums = top_k_bounds(
            counts, label, n, alpha, k=self.k, share=self.share, subsets=self.subsets, invalid=invalid
        )
        noise, dim = self.setting.noise, self.setting.dim
        # For t = 1 the rule of a runner-up.
        radius, rule = explain_radius(
            noise, p_lower, norm=self.norm, dim=dim, p_upper=np.minimum(sums[:, 0], one_minus(p_lower, up=True))
        )
        law = gaussian_law(noise, dim, _KNOWN)
        together = top_k_radius(p_lower, sums, law.sigma, total_variation=law.variation)
        together = together / (np.sqrt(dim) if np.isinf(self.norm) else 1.0) * (1 - 2.0**-50)
        # Where both are the root of t = 1 that of the runner-up is as large.
        larger = together > radius * (1 + 1e-9)
        return p_lower, sums, np.where(larger, together, radius), np.where(larger, np.array(_rule(law), object), rule)


def _rule(law: GaussianLaw) -> str:
    if not law.variation:
        return RULE
    name, _, source = RULE.partition(": ")
    return f"{name}: gaussian l2, lattice, eta={law.variation:.3g}; {source}"
