"""Accuracy of every class, with exact intervals and the extremes that equal classes would show by chance."""

import dataclasses

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._printed import Printed
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.log_format import radius_text
from jaxsmooth.analysis.scores import interval_of_share, num_classes_of, scored

_PERCENTILES = (1, 25, 50, 75, 100)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ClassWiseAccuracy(Printed):
    """Accuracy by class with exact intervals, and what equal classes would show; prints as a table.

    Attributes:
        acc: float64 ``(K,)``; nan for a class without images.
        n: int64 ``(K,)``, images of each class.
        interval: float64 ``(K, 2)``, Clopper-Pearson interval of each class, rounded outward; [0, 1] for a class
            without images.
        null_min: the expected minimum if every class had the overall accuracy.
        null_max: the expected maximum then.
        null_band: float64 ``(2,)``, which then holds the accuracies of all classes at once with probability at least
            ``1 - alpha``.
        alpha: the probability with which the interval of a class misses; for each class, not for all.
        radius: the radius at which answers are certified; None for answers without certificates.
    """

    acc: np.ndarray
    n: np.ndarray
    interval: np.ndarray
    null_min: float
    null_max: float
    null_band: np.ndarray
    alpha: float
    radius: float | None = None

    @property
    def min(self) -> float:
        """The lowest accuracy of a class; classes without images aside. Compare it with ``null_min``."""
        return float(self._present.min()) if len(self._present) else float("nan")

    @property
    def max(self) -> float:
        """The highest."""
        return float(self._present.max()) if len(self._present) else float("nan")

    @property
    def gap(self) -> float:
        """``max - min``."""
        return self.max - self.min

    @property
    def standard_deviation(self) -> float:
        """The standard deviation over the classes that have images, all of them being the population."""
        return float(self._present.std()) if len(self._present) else float("nan")

    @property
    def percentiles(self) -> np.ndarray:
        """Accuracies of the classes at percentiles 1, 25, 50, 75 and 100 by nearest rank, float64 ``(5,)``.

        Of ten classes the lowest, the 3rd, 5th and 8th lowest and the highest.
        """
        if not len(self._present):
            return np.full(len(_PERCENTILES), np.nan)
        return np.percentile(self._present, _PERCENTILES, method="inverted_cdf")

    @property
    def _present(self) -> np.ndarray:
        return self.acc[self.n > 0]

    def __str__(self) -> str:
        what = "accuracy" if self.radius is None else f"certified accuracy at radius {radius_text(self.radius)}"
        lines = [
            f"{what} by class",
            f"{'class':>5}  {'images':>6}  {'accuracy':>8}  {100 * (1 - self.alpha):g}% interval",
        ]
        for label, (n, acc, (low, high)) in enumerate(zip(self.n, self.acc, self.interval, strict=True)):
            # Outward, so that the printed interval holds the computed one.
            low, high = np.floor(low * 1e4) / 1e4, np.ceil(high * 1e4) / 1e4
            lines.append(f"{label:>5}  {n:>6}  {f'{acc:.4f}' if n else '-':>8}  [{low:.4f}, {high:.4f}]")
        lines.append(f"lowest {self.min:.4f}, highest {self.max:.4f}, standard deviation {self.standard_deviation:.4f}")
        lines.append(f"of equal classes chance alone would show {self.null_min:.4f} and {self.null_max:.4f}")
        return "\n".join(lines)


def accuracy_by_class(
    classes: np.ndarray, right: np.ndarray, number: int, *, alpha: float, radius: float | None = None
) -> ClassWiseAccuracy:
    """The table of images whose answers are right or not.

    Args:
        classes: int ``(N,)``, the true classes, below ``number``.
        right: bool ``(N,)``.
        number: K, of classes.
        alpha: as in ``class_wise_accuracy``.
        radius: at which ``right`` is certified, or None.
    """
    n, hits = np.bincount(classes, minlength=number), np.bincount(classes[right], minlength=number)
    present, trials = n > 0, np.maximum(n, 1)
    return ClassWiseAccuracy(
        np.where(present, hits / trials, np.nan),
        n.astype(np.int64),
        np.where(present[:, None], np.stack(interval_of_share(hits, trials, alpha), -1), [0.0, 1.0]),
        *_null_extremes(n[present], float(right.mean()) if len(right) else 0.0, alpha),
        alpha,
        radius,
    )


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
        ``ClassWiseAccuracy``.

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
        lowest 0.5000, highest 1.0000, standard deviation 0.2500
        of equal classes chance alone would show 0.6959 and 0.8041
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
    right = correct & (certified_radius >= threshold)
    return accuracy_by_class(classes, right, num_classes, alpha=alpha, radius=float(threshold))


def _null_extremes(n: np.ndarray, p: float, alpha: float) -> tuple[float, float, np.ndarray]:
    """Expected minimum and maximum, and the band of all, of independent fractions Bin(n_k, p) / n_k."""
    if not len(n):
        return float("nan"), float("nan"), np.array([0.0, 1.0])
    # The values fractions can take, from 0 to 1, and what each class has up to there.
    at = np.unique(np.concatenate([np.arange(size + 1) / size for size in np.unique(n)]))
    size, number = np.unique(n, return_counts=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        up_to = special.bdtr(np.floor(at * size[:, None] + 1e-9), size[:, None], p)
        largest = np.exp((number[:, None] * np.log(up_to)).sum(0))
        smallest = np.exp((number[:, None] * np.log1p(-up_to)).sum(0))
    steps = np.diff(at)
    # Between two values the distribution functions are constant.
    lower = float((smallest[:-1] * steps).sum())
    upper = float(((1 - largest[:-1]) * steps).sum())
    low = at[np.searchsorted(1 - smallest, alpha / 2, side="right")]
    high = at[np.searchsorted(largest, 1 - alpha / 2)]
    return lower, upper, np.array([low, high])
