"""Certificates of numbers: intervals that a smoothed quantile does not leave."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from jaxsmooth._certificates.base import AbstractCertificates
from jaxsmooth._printed import significant_down, significant_up
from jaxsmooth._types import Votes

_OUTWARD = {"lower": significant_down, "upper": significant_up, "radius": significant_down}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ValueCertificates(AbstractCertificates):
    """Intervals of a smoothed quantile; NumPy arrays ``(images,)``, or ``(images, outputs)`` of several outputs.

    Attributes:
        value: float64, the quantile as estimated: the middle of its bin, or the finite edge of an end bin.
        lower: float64, with a last axis for the radii if there are several: no quantile within the radius is below it.
        upper: float64, of the same shape: no quantile within the radius is above it.
        samples: int64 ``(images,)``, draws spent on the image.
        votes: the ``Votes`` (NumPy): counts with a last axis of bins, and draws that were no numbers.
        reason: why an image got no more votes, in words, one string per image.
        radius: the radii, one or a tuple, in the units of ``x``.
        edges: those of the bins.
        quantile: which one.
        noise: the noise that was used.
        norm: 1, 2 or ``np.inf``.
        alpha: the probability with which an interval may be wrong: any of an image's, if they are ``simultaneous``.
        simultaneous: whether ``alpha`` is for all outputs and radii of an image together.
    """

    shared: ClassVar[tuple[str, ...]] = ("quantile", "radius", "norm", "alpha", "edges", "simultaneous", "noise")

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    samples: np.ndarray
    votes: Votes | None = None
    reason: np.ndarray | None = None
    radius: float | tuple[float, ...] = 0.0
    edges: tuple[float, ...] = ()
    quantile: float = 0.5
    noise: Any = None
    norm: float = 2
    alpha: float | None = None
    simultaneous: bool = True

    @property
    def width(self) -> np.ndarray:
        """``upper - lower``; inf where a bound is missing."""
        return self.upper - self.lower

    def to_dict(self) -> dict[str, np.ndarray]:
        """The columns by name, a row for each image, output and radius: what ``pandas.DataFrame`` takes.

        Returns:
            ``image``, ``output``, ``radius``, ``value``, ``lower``, ``upper``, ``samples``.
        """
        radii = np.atleast_1d(np.asarray(self.radius, np.float64))
        outputs = self.value.reshape(len(self), -1).shape[1] if len(self) else 1
        shape = (len(self), outputs, len(radii))
        spread = lambda column, *axes: np.broadcast_to(np.expand_dims(column, axes), shape).ravel()
        return {
            "image": spread(np.arange(len(self)), 1, 2),
            "output": spread(np.arange(outputs), 0, 2),
            "radius": spread(radii, 0, 1),
            "value": spread(self.value.reshape(shape[:2]), 2),
            "lower": self.lower.reshape(shape).ravel(),
            "upper": self.upper.reshape(shape).ravel(),
            "samples": spread(self.samples, 1, 2),
        }

    def _certified(self) -> str:
        bounded = np.isfinite(self.width)
        middle = f", median width {significant_up(float(np.median(self.width[bounded])), 3)}" if bounded.any() else ""
        return f": {bounded.mean():.1%} of the intervals bounded{middle}" if len(self) else ""

    def _text(self, name: str, value: Any) -> str:
        """Bounds are rounded outward, and radii down."""
        if name in _OUTWARD and isinstance(value, float | np.floating):
            return _OUTWARD[name](float(value))
        return super()._text(name, value)

    def _settings(self) -> list[str]:
        bins = f"{len(self.edges)} edges from {self.edges[0]:g} to {self.edges[-1]:g}" if self.edges else "no edges"
        words = [text for text in super()._settings() if not text.startswith(("edges", "simultaneous"))]
        return [bins, *words]
