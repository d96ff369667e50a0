"""Certified accuracy of every class, with exact confidence intervals."""

import dataclasses

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._printed import Printed
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.log_format import radius_text
from jaxsmooth.analysis.scores import num_classes_of, scored
from jaxsmooth.bounds import clopper_pearson_lower, clopper_pearson_upper


@dataclasses.dataclass(frozen=True, repr=False)
class ClassWiseAccuracy(Printed):
    """Certified accuracy by class; prints as a table.

    Attributes:
        accuracy: float64 ``(classes,)``; nan for a class without images.
        lower: float64 ``(classes,)``, lower confidence bounds, rounded down; 0 for a class without images.
        upper: float64 ``(classes,)``, upper confidence bounds, rounded up; 1 for a class without images.
        count: int64 ``(classes,)``, images of the class.
        radius: the radius at which the accuracy is certified.
        alpha: the probability with which the interval of a class misses; for each class, not for all.
    """

    accuracy: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    count: np.ndarray
    radius: float
    alpha: float

    @property
    def spread(self) -> float:
        """The best class's accuracy minus the worst's; classes without images aside."""
        present = self.accuracy[self.count > 0]
        return float(np.ptp(present)) if len(present) else float("nan")

    @property
    def standard_deviation(self) -> float:
        """The standard deviation over the classes that have images, all of them being the population."""
        present = self.accuracy[self.count > 0]
        return float(present.std()) if len(present) else float("nan")

    def __str__(self) -> str:
        interval = f"{100 * (1 - self.alpha):g}% interval"
        lines = [
            f"certified accuracy at radius {radius_text(self.radius)} by class",
            f"{'class':>5}  {'images':>6}  {'accuracy':>8}  {interval}",
        ]
        for label, count in enumerate(self.count):
            # Outward, so that the printed interval holds the computed one.
            low, high = np.floor(self.lower[label] * 1e4) / 1e4, np.ceil(self.upper[label] * 1e4) / 1e4
            accuracy = f"{self.accuracy[label]:.4f}" if count else "-"
            lines.append(f"{label:>5}  {count:>6}  {accuracy:>8}  [{low:.4f}, {high:.4f}]")
        lines.append(f"best minus worst {self.spread:.4f}, standard deviation {self.standard_deviation:.4f}")
        return "\n".join(lines)


def class_wise_accuracy(
    certificates: Certificates,
    labels: ArrayLike,
    *,
    radius: float = 0.0,
    num_classes: int | None = None,
    alpha: float = 0.05,
) -> ClassWiseAccuracy:
    """Certified accuracy of every class at a radius, with two-sided Clopper-Pearson intervals.

    The intervals speak of the sampled images of each class; they are exact, ``alpha / 2`` on each side.

    Args:
        certificates: of N images.
        labels: the true classes, integers ``(N,)``.
        radius: in the units of the certificates, at least 0; at 0 it is the accuracy of what is certified.
        num_classes: how many classes there are; by default as many as the votes show, else the largest
            label plus one.
        alpha: the probability with which one interval misses, in (0, 1).

    Returns:
        ``ClassWiseAccuracy``: accuracy, lower, upper and count, ``(num_classes,)`` each.

    Raises:
        ValueError: if the labels fit neither the certificates nor ``num_classes``, or a value is out of range.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> label, radius = np.repeat([0, 1], 20), np.linspace(0, 1, 40)
        >>> certificates = js.Certificates(label, radius, radius, radius, np.full(40, 1000))
        >>> print(js.analysis.class_wise_accuracy(certificates, label, radius=0.25))
        certified accuracy at radius 0.25 by class
        class  images  accuracy  95% interval
            0      20    0.5000  [0.2719, 0.7281]
            1      20    1.0000  [0.8315, 1.0000]
        best minus worst 0.5000, standard deviation 0.2500
    """
    alpha = _check.probability("alpha", alpha)
    threshold = _check.nonnegative("radius", radius)
    if threshold.ndim:
        raise ValueError(f"radius must be one number; got shape {threshold.shape}. Call once for each radius")
    certified_radius, correct = scored(certificates, labels)
    classes = np.asarray(labels, np.int64)
    present = int(classes.max(initial=-1)) + 1
    if num_classes is None:
        num_classes = num_classes_of(certificates) or max(present, 1)
    num_classes = _check.integer("num_classes", num_classes, at_least=1)
    if present > num_classes:
        raise ValueError(f"num_classes = {num_classes} is too small: there is a label {present - 1}")
    count = np.bincount(classes, minlength=num_classes)
    hits = np.bincount(classes[correct & (certified_radius >= threshold)], minlength=num_classes)
    trials = np.maximum(count, 1)
    return ClassWiseAccuracy(
        accuracy=np.where(count > 0, hits / trials, np.nan),
        lower=np.where(count > 0, clopper_pearson_lower(hits, trials, alpha / 2), 0.0),
        upper=np.where(count > 0, clopper_pearson_upper(hits, trials, alpha / 2), 1.0),
        count=count.astype(np.int64),
        radius=float(threshold),
        alpha=alpha,
    )
