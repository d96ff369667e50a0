"""Bounds of a class and of sums of the largest others from the same votes."""

import math
from typing import Any, Literal

import numpy as np

from jaxsmooth import _check
from jaxsmooth.bounds.binomial_tail import SMALLEST_LEVEL
from jaxsmooth.bounds.clopper_pearson import checked_counts, clopper_pearson_lower, clopper_pearson_upper
from jaxsmooth.bounds.runner_up import checked_invalid, divided

Subsets = Literal["ends", "all"]


def top_k_bounds(
    counts: Any,
    label: Any,
    trials: Any,
    alpha: float,
    *,
    k: int,
    share: float = 0.9,
    subsets: Subsets = "ends",
    invalid: Any = 0,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Lower bound of the probability of a class, upper bounds of sums of the largest probabilities of the others.

    :math:`S_t` is the sum of the t smallest of the k largest probabilities of other classes. Its bound is the
    Clopper-Pearson upper bound of the t smallest of the k largest other *counts*, at level
    ``(1 - share) * alpha`` over the number of t that are used and over :math:`\binom kt`.

    *Proof.* The class must have been chosen without these votes. Let T be the k most probable others, a fixed set. For
    a subset U of T with t classes, :math:`S_t \le P(U)`. The t smallest counts inside T belong to some U, one of
    :math:`\binom kt`; and the t smallest of the k largest counts overall have at least their sum, since the k
    largest, sorted, dominate those of T. So no union over classes is needed, only one over the subsets of T.

    Draws that vote for nobody but might vote for any class in another evaluation of the classifier, as near ties do
    (``with_margin``), are passed as ``invalid`` and counted in every sum. With q the probability of such a draw the
    bounds are then those of :math:`S_t + q`. That suffices: k others that reach the class in some evaluation have there
    at most what they have and q *together*, so the t of them that are smallest at x have at most
    :math:`P(U \cup \text{nobody})`, one event, in the place of P(U) here and in the proof of ``radii.top_k_radius``.

    Args:
        counts: integers ``(images, classes)``: votes per class.
        label: integers ``(images,)``: the class of each image, chosen before these draws.
        trials: integers, scalar or ``(images,)``: draws, votes for nobody included.
        alpha: error probability of all bounds together.
        k: how many classes the answer has, fewer than there are.
        share: the part of alpha that the lower bound spends.
        subsets: ``"ends"``: t = 1 and t = k, which decide where the others are spread or level; ``"all"``: 1 to k.
        invalid: integers, scalar or ``(images,)``: draws that voted for nobody and might vote for any class elsewhere.

    Returns:
        ``(p_lower, sums_upper)``, float64 ``(images,)`` and ``(images, k)``, with :math:`S_t` in column t - 1;
        ``1 - p_lower`` where t is not used. Pass both to ``radii.top_k_radius``.

    Raises:
        ValueError: for shapes that do not match, or values out of range.
        TypeError: for counts that are not integers.

    References:
        Jia et al., "Certified robustness for top-k predictions", 2020, with a union over all classes; the argument
        without it: ours, above.

    Example:
        >>> lower, upper = top_k_bounds([[3000, 4000, 2000, 1000]], [0], 10_000, 0.001, k=2)
        >>> lower.round(3).tolist(), upper.round(3).tolist()
        ([0.286], [[0.217, 0.619]])
    """
    alpha, share = _check.probability("alpha", alpha), _check.probability("share", share)
    k = _check.integer("k", k, at_least=1)
    _check.require_one_of("subsets", subsets, Subsets)
    counts = _check.as_array("counts", counts)
    if counts.ndim != 2:
        raise ValueError(f"counts must have shape (images, classes); got {counts.shape}")
    check_fewer_than_classes(k, counts.shape[1])
    label = _check.class_labels(label, "label", images=len(counts), classes=counts.shape[1])
    trials = np.broadcast_to(_check.as_array("trials", trials), label.shape)
    checked_counts(counts, trials[:, None], name="counts")
    counts = counts.astype(np.int64)
    nobody = checked_invalid(invalid, counts, trials)
    rows = np.arange(len(counts))
    first, rest = divided(alpha, share)
    lower = clopper_pearson_lower(counts[rows, label], trials, first)
    others = counts.copy()
    others[rows, label] = -1
    largest = np.sort(others, -1)[:, -k:]  # increasing: column t - 1 ends the t smallest
    sums = np.cumsum(largest, -1) + nobody[:, None]
    upper = np.repeat(1 - np.asarray(lower)[:, None], k, 1)
    used = sorted({1, k}) if subsets == "ends" else range(1, k + 1)
    for t in used:
        level = rest if k == 1 else _level(rest, len(used), math.comb(k, t))
        if level > SMALLEST_LEVEL:  # else C(k, t) is astronomical, and nothing is bounded
            upper[:, t - 1] = clopper_pearson_upper(sums[:, t - 1], trials, level)
    return lower, upper


def _level(rest: float, used: int, subsets: int) -> float:
    """The level of one bound; all together are at most ``rest``, also as rounded."""
    return rest / used * (1 - 2.0**-50) / subsets if subsets < 2**1000 else 0.0


def check_fewer_than_classes(k: int, classes: int) -> None:
    """Refuse a top k that holds every class."""
    if k >= classes:
        raise ValueError(
            f"k must be below the number of classes: the top {k} of {classes} classes always contains every class"
        )
