"""Certificates of one class for each image."""

import dataclasses
from typing import Any

import numpy as np

from jaxsmooth._certificates.base import SHOWN, AbstractCertificates, average_radius, rounded_down
from jaxsmooth._types import Votes


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificates(AbstractCertificates):
    """What was proved about each image; NumPy arrays of shape ``(images,)`` on the host, a sequence of images.

    Attributes:
        label: int32, the certified class, or ``ABSTAIN`` (-1).
        radius: float64, the certified radius in the units of ``x``; 0 where nothing is certified.
        p_lower: float64, lower confidence bound of the probability of the class that was tested.
        p_upper: float64, upper confidence bound of the probability of every other class.
        samples: int64, draws spent on the image, selection included.
        votes: the ``Votes`` (NumPy) behind the bounds.
        noise: the noise that was used.
        norm: 1, 2 or ``np.inf``.
        alpha: the probability, per image, with which the certificate may be wrong.
        rule: the radius rule behind each radius, one ``Rule`` per image; empty where the radius is 0.
        reason: why an image got no more votes, in words, one string per image.
    """

    label: np.ndarray
    radius: np.ndarray
    p_lower: np.ndarray
    p_upper: np.ndarray
    samples: np.ndarray
    votes: Votes | None = None
    noise: Any = None
    norm: float = 2
    alpha: float | None = None
    rule: np.ndarray | None = None
    reason: np.ndarray | None = None

    def _certified(self) -> str:
        return f": {(self.label >= 0).sum()} certified{average_radius(self.radius)}"

    def _rows(self) -> list[tuple[str, ...]]:
        row = lambda i: (
            str(i), str(self.label[i]), rounded_down(self.radius[i]), rounded_down(self.p_lower[i]),
            str(self.samples[i]),
        )  # fmt: skip
        return [("image", "label", "radius", "p_lower", "samples"), *(row(i) for i in range(min(len(self), SHOWN)))]
