"""Certificates that classes stay among the k most probable."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from jaxsmooth._certificates.base import SHOWN, AbstractCertificates, average_radius, rounded_down
from jaxsmooth._types import Votes


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TopKCertificates(AbstractCertificates):
    """That a class stays among the k most probable; arrays ``(images,)`` where labels were given.

    Without labels ``(images, k)``, a column for each of the k classes most voted in the selection.

    Attributes:
        label: int32, the class that stays among the top k, or ``ABSTAIN`` (-1).
        radius: float64, how far, in the units of ``x``; 0 where nothing is certified.
        p_lower: float64, lower confidence bound of the probability of the class.
        sums_upper: float64, a last axis of length k: in column t - 1 the upper confidence bound of the sum of the t
            smallest of the k largest probabilities of other classes; ``1 - p_lower`` where none was spent on it.
        samples: int64 ``(images,)``, draws spent on the image, selection included.
        votes: the ``Votes`` (NumPy) behind the bounds.
        noise: the noise that was used.
        norm: 1, 2 or ``np.inf``.
        alpha: the probability with which a certificate may be wrong: of each class, or of an image's k together if
            they are ``joint``.
        k: how many classes the answer has.
        joint: whether ``alpha`` is for all k classes of an image together.
        rule: the rule behind each radius; empty where the radius is 0.
        reason: why an image got no more votes, in words, one string per image.
    """

    shared: ClassVar[tuple[str, ...]] = ("k", "norm", "alpha", "joint", "noise")

    label: np.ndarray
    radius: np.ndarray
    p_lower: np.ndarray
    sums_upper: np.ndarray
    samples: np.ndarray
    votes: Votes | None = None
    noise: Any = None
    norm: float = 2
    alpha: float | None = None
    k: int = 5
    joint: bool = False
    rule: np.ndarray | None = None
    reason: np.ndarray | None = None

    def to_dict(self) -> dict[str, np.ndarray]:
        """The columns by name; without labels a row for each class of each image, with columns ``image`` and ``rank``.

        Returns:
            ``label``, ``radius``, ``p_lower``, ``sum_1_upper`` to ``sum_k_upper``, ``samples``; ``invalid``, ``rule``
            and ``reason`` where they are known.
        """
        shape = self.label.shape
        per_image = lambda column: np.repeat(column, shape[1]) if len(shape) == 2 else column
        columns = {}
        if len(shape) == 2:
            columns = {
                "image": np.repeat(np.arange(shape[0]), shape[1]),
                "rank": np.tile(np.arange(shape[1]), shape[0]),
            }
        columns |= {name: getattr(self, name).ravel() for name in ("label", "radius", "p_lower")}
        columns |= {f"sum_{t + 1}_upper": self.sums_upper[..., t].ravel() for t in range(self.sums_upper.shape[-1])}
        columns["samples"] = per_image(self.samples)
        if self.votes is not None:
            columns["invalid"] = per_image(np.asarray(self.votes.invalid))
        if self.rule is not None:
            columns["rule"] = self.rule.ravel()
        return columns if self.reason is None else {**columns, "reason": per_image(self.reason)}

    def _certified(self) -> str:
        of = "" if self.label.ndim == 1 else f" of {self.label.size} classes"
        return f": {(self.label >= 0).sum()}{of} certified{average_radius(self.radius)}"

    def _rows(self) -> list[tuple[str, ...]]:
        first = lambda column, i: column[i] if self.label.ndim == 1 else column[i, 0]
        row = lambda i: (
            str(i), str(first(self.label, i)), rounded_down(first(self.radius, i)),
            rounded_down(first(self.p_lower, i)), str(self.samples[i]),
        )  # fmt: skip
        return [("image", "label", "radius", "p_lower", "samples"), *(row(i) for i in range(min(len(self), SHOWN)))]
