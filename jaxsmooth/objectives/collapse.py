"""A monitor for class collapse: classes that a network in training has stopped predicting."""

import dataclasses
import math

import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import Printed
from jaxsmooth._types import ArrayLike
from jaxsmooth._warn import warn_user


class ClassCollapseWarning(UserWarning):
    """A class is hardly predicted any more, though images have its label."""


@dataclasses.dataclass(frozen=True, repr=False)
class ClassCollapse(Printed):
    """Which classes are missing among the predictions.

    Attributes:
        missing: classes predicted less often than the fraction of their labels.
        effective_classes: exponential of the entropy of the predictions; the number of classes if all are
            predicted equally often.
        expected_classes: the same of the labels.
    """

    missing: tuple[int, ...]
    effective_classes: float
    expected_classes: float

    def __bool__(self) -> bool:
        return bool(self.missing)

    def __str__(self) -> str:
        state = f"classes {list(self.missing)} are hardly predicted" if self.missing else "no class is missing"
        return f"{state}; {self.effective_classes:.1f} effective classes, {self.expected_classes:.1f} among the labels"


def class_collapse(
    predicted: ArrayLike, labelled: ArrayLike, *, fraction: float = 0.25, warn: bool = False
) -> ClassCollapse:
    """Find the classes that are predicted much more rarely than they occur.

    A regularizer that rewards confidence can make a network forget classes while its loss goes down. Sum
    ``aux.predicted`` and ``aux.labelled`` over an epoch, or at least a few hundred images, and look here.

    Args:
        predicted: how often each class was predicted, ``(classes,)``.
        labelled: how often each class was the label, ``(classes,)``.
        fraction: a class is missing if predicted less often than this fraction of its labels.
        warn: warn if a class is missing.

    Returns:
        ``ClassCollapse``; true if a class is missing.

    Raises:
        ValueError: if the counts have different shapes, or a count is negative.
        TypeError: if the counts are traced; look at them outside of ``jit``.

    Example:
        >>> import jaxsmooth.objectives
        >>> print(jaxsmooth.objectives.class_collapse([50, 0, 50], [34, 33, 33]))
        classes [1] are hardly predicted; 2.0 effective classes, 3.0 among the labels
    """
    fraction = _check.probability("fraction", fraction)
    if _check.is_traced(predicted, labelled):
        raise TypeError("predicted and labelled are traced by JAX; return aux from the step and look at it outside")
    predicted, labelled = _check.nonnegative("predicted", predicted), _check.nonnegative("labelled", labelled)
    if predicted.ndim != 1 or predicted.shape != labelled.shape:
        raise ValueError(
            f"predicted and labelled must have one count per class; got shapes {predicted.shape} and {labelled.shape}"
        )
    missing = np.flatnonzero((labelled > 0) & (predicted < fraction * labelled))
    report = ClassCollapse(tuple(int(c) for c in missing), _effective(predicted), _effective(labelled))
    if warn and report:
        warn_user(
            f"class collapse: {report}. Lower the weight of the regularizer or raise it slowly, "
            "for example with jaxsmooth.objectives.Ramp",
            ClassCollapseWarning,
        )
    return report


def _effective(counts: np.ndarray) -> float:
    share = counts[counts > 0] / max(counts.sum(), 1)
    return float(math.exp(-(share * np.log(share)).sum()))
