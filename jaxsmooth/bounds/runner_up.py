"""Bounds of the top class and of the runner-up from the same votes."""

from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth.bounds.clopper_pearson import checked_counts, clopper_pearson_lower, clopper_pearson_upper
from jaxsmooth.bounds.curve_plan import checked_range


def runner_up_bounds(
    counts: Any, top: Any, trials: Any, alpha: float, *, share: float = 0.9, invalid: Any = 0
) -> tuple[np.ndarray, np.ndarray]:
    r"""Lower bound of the probability of a class, upper bound of that of every other class.

    :math:`\underline{p_A}` is the Clopper-Pearson lower bound of the count of ``top`` at level
    ``share * alpha``; :math:`\overline{p_B}` the upper bound of the *largest* other count at level
    ``(1 - share) * alpha``. Both hold together with probability at least ``1 - alpha``.

    *Proof.* The class must have been chosen without these votes. Then j, the most likely of the other
    classes, is fixed. The upper bound U increases with the count, so :math:`U(\max_i c_i) \ge U(c_j)`, which
    is below p_j with probability at most (1 - share) alpha; no union over classes is needed.

    Draws that vote for nobody are a class of their own, which is never the answer. Where they might go to any class in
    another evaluation of the classifier, as near ties do (``with_margin``), pass them as ``invalid``: they are counted
    for the largest other class, and :math:`\overline{p_B}` bounds its probability in every such evaluation. For what
    then votes for j is part of the event "j or nobody", whose count is at most that; the proof is the same.

    Args:
        counts: integers ``(images, classes)``: votes per class.
        top: integers ``(images,)``: the class of each image, chosen before these draws.
        trials: integers, scalar or ``(images,)``: draws, votes for nobody (non-finite scores) included.
        alpha: error probability of the two bounds together.
        share: the part of alpha that the lower bound spends.
        invalid: integers, scalar or ``(images,)``: draws that voted for nobody and might vote for any class elsewhere.

    Returns:
        ``(p_lower, p_upper)``, float64 ``(images,)``, rounded outward. Pass both to ``certified_radius``.

    Raises:
        ValueError: for shapes that do not match, a class or a count out of range, counts whose sum, with
            ``invalid``, exceeds ``trials``, or fewer than two classes.
        TypeError: for counts that are not integers.

    References:
        Clopper and Pearson, Biometrika 1934; the argument without a union: ours, above.

    Example:
        >>> lower, upper = runner_up_bounds([[600, 200, 100]], [0], 1000, 0.001)
        >>> lower.round(3).tolist(), upper.round(3).tolist()
        ([0.551], [0.25])
    """
    alpha, share = _check.probability("alpha", alpha), _check.probability("share", share)
    counts, top = np.asarray(counts), np.asarray(top)
    if counts.ndim != 2 or counts.shape[1] < 2:
        raise ValueError(f"counts must have shape (images, classes) with at least 2 classes; got {counts.shape}")
    if top.shape != counts.shape[:1] or top.dtype.kind not in "iu":
        raise ValueError(f"top must be one class index per image ({len(counts)}); got shape {top.shape}, {top.dtype}")
    if np.any(top < 0) or np.any(top >= counts.shape[1]):
        bad = top[(top < 0) | (top >= counts.shape[1])][0]
        raise ValueError(
            f"top must lie between 0 and {counts.shape[1] - 1}; got {bad}. Drop images without a class first"
        )
    trials = np.broadcast_to(trials, top.shape)
    checked_counts(counts, trials[:, None], name="counts")
    nobody = checked_invalid(invalid, counts, trials)
    rows = np.arange(len(counts))
    others = counts.astype(np.int64)
    others[rows, top] = -1
    first, rest = divided(alpha, share)
    lower = clopper_pearson_lower(counts[rows, top], trials, first)
    upper = clopper_pearson_upper(others.max(axis=1) + nobody, trials, rest)
    return lower, upper


def checked_invalid(invalid: Any, counts: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Votes for nobody, int64 ``(images,)``, which are no more than the draws without a vote."""
    votes = counts.astype(np.int64).sum(-1)
    if np.any(votes > trials):
        raise ValueError(
            f"counts must not sum to more than trials, the number of draws; got {votes.max()} votes. Pass all draws"
        )
    return np.broadcast_to(checked_range("invalid", invalid, trials - votes), votes.shape)


def divided(alpha: float, share: float) -> tuple[float, float]:
    """``alpha`` in two parts, the first of them ``share * alpha``, which are not more than it together."""
    first = alpha * share
    rest = alpha - first
    if alpha - rest < first:  # it was rounded up, and both together would spend more than alpha
        rest = float(np.nextafter(rest, 0))
    return first, rest
