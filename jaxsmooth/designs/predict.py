"""Predict: the smoothed classifier's answer, or an abstention."""

import dataclasses
import functools

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds import GroupSequential, PredictPlan
from jaxsmooth.designs.base import AbstractDesign, Finished, Rows

# A clear image is decided by its first 16 votes.
_FIRST_LOOK = 16


@dataclasses.dataclass(frozen=True)
class Predict(AbstractDesign):
    r"""The class whose lead is significant at a look, 16, 24, 36, ... draws: the design of ``predict``.

    Args:
        n: the most votes an image may take; clear images take a few dozen.
        alpha: the probability, per image, of an answer that is not the smoothed classifier's.

    Raises:
        ValueError: for values out of range, or an ``n`` that can never decide at this ``alpha``.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen et al. 2019, algorithm PREDICT, after Hung and Fithian, "Rank verification for exponential families",
        2019; the looks: ``bounds.PredictPlan``.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Predict(n=100).looks.tolist()
        [16, 24, 36, 54, 81, 100]
    """

    n: int = 1000
    alpha: float = 1e-3

    def __post_init__(self) -> None:
        n, alpha = _check.draws("n", self.n), _check.probability("alpha", self.alpha)
        # Bounds are rounded up: at powers of 1/2 one vote more.
        unanimous = lambda level: int(np.floor(1 - np.log2(level))) + 1
        alone = unanimous(alpha)
        needed = alone if alone <= _FIRST_LOOK else unanimous(alpha / 2)
        if n < needed:
            raise ValueError(f"n = {n} votes can never decide at alpha = {alpha:g}; use n >= {needed}")
        _check.keep(self, n=n, alpha=alpha)

    @functools.cached_property
    def _plan(self) -> PredictPlan:
        return PredictPlan(GroupSequential(self.n, self.alpha, first_look=_FIRST_LOOK))

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``."""
        return self._plan.looks

    def init(self, images: int) -> Rows:
        """See ``AbstractDesign.init``."""
        return {"label": np.full(images, ABSTAIN, np.int32)}

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """See ``AbstractDesign.look``."""
        label, stop = self._plan.decide(look, counts)
        return {"label": np.where(stop, label, rows["label"]).astype(np.int32)}, stop

    def conclude(self, rows: Rows, finished: Finished) -> np.ndarray:
        """See ``AbstractDesign.conclude``."""
        return rows["label"]
