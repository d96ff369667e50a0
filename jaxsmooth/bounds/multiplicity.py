"""Many hypotheses at once: which are rejected with a bounded probability of a false one among them."""

import math
from typing import Literal

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike

Method = Literal["holm", "bonferroni", "k_fwer"]


def holm(p: ArrayLike, alpha: float) -> np.ndarray:
    r"""Reject hypotheses so that with probability ``1 - alpha`` none of them is true, whatever their dependence.

    In increasing order, the j-th smallest of m p-values is compared with :math:`\alpha / (m - j + 1)`, up to the first
    that is larger.

    Args:
        p: p-values in [0, 1], ``(..., m)``; each row is a family of its own.
        alpha: the probability of any false rejection in a family.

    Returns:
        bool of the shape of ``p``.

    Raises:
        ValueError: for values out of range.
        TypeError: for what are no numbers.

    References:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Example:
        >>> import jaxsmooth as js
        >>> js.bounds.holm([0.03, 0.01, 0.02], 0.05).tolist()
        [True, True, True]
        >>> js.bounds.holm([0.03, 0.01, 0.04], 0.05).tolist()
        [False, True, False]
    """
    return _step_down(p, alpha, 1)


def k_fwer(p: ArrayLike, alpha: float, k: int) -> np.ndarray:
    r"""Reject hypotheses so that with probability ``1 - alpha`` fewer than k of them are true.

    This holds whatever their dependence. In increasing order, the j-th smallest of m p-values is compared with
    :math:`k \alpha / m` for j <= k and :math:`k \alpha / (m + k - j)` beyond, up to the first that is larger. With
    k = 1 this is ``holm``.

    Args:
        p: p-values in [0, 1], ``(..., m)``; each row is a family of its own.
        alpha: the probability of k or more false rejections in a family.
        k: false rejections that are too many; at least 1.

    Returns:
        bool of the shape of ``p``.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Lehmann and Romano, "Generalizations of the familywise error rate", 2005, Theorem 2.2.

    Example:
        >>> import jaxsmooth as js
        >>> js.bounds.k_fwer([0.03, 0.01, 0.04], 0.05, 2).tolist()
        [True, True, True]
    """
    return _step_down(p, alpha, _check.integer("k", k, at_least=1))


def critical_values(m: int, alpha: float, k: int) -> np.ndarray:
    """What the sorted p-values of a family of m are compared with, float64 ``(m,)``, increasing."""
    j = np.arange(1, m + 1)
    return k * alpha / np.where(j <= k, m, m + k - j)


def _step_down(p: ArrayLike, alpha: float, k: int) -> np.ndarray:
    p, alpha = _check.probabilities("p", p), _check.probability("alpha", alpha)
    if p.ndim == 0:
        raise ValueError(f"p must have shape (..., m), a row for each family; got one number, {p}")
    rejected = np.zeros(p.shape, bool)
    families = (math.prod(p.shape[:-1]), p.shape[-1])  # also of no hypotheses
    for family, out in zip(p.reshape(families), rejected.reshape(families), strict=True):
        # The largest critical value is k alpha: whatever is above it needs no place in the order.
        small = np.flatnonzero(family <= k * alpha)
        order = small[np.argsort(family[small], kind="stable")]
        fails = family[order] > critical_values(len(family), alpha, k)[: len(order)]
        out[order[: int(np.argmax(fails)) if fails.any() else len(order)]] = True
    return rejected


def least_rejected(histogram: np.ndarray, p: np.ndarray, alpha: float, method: Method, k: int) -> int:
    """The smallest count whose hypothesis is rejected, where p-values are a decreasing function of counts.

    Equal p-values share a decision, since critical values increase: the first of them meets the smallest.

    Args:
        histogram: integers ``(n + 1,)``: how many hypotheses of the family have each count.
        p: float64 ``(n + 1,)``, decreasing.
        alpha: as for ``holm``.
        method: ``"holm"``, ``"bonferroni"`` or ``"k_fwer"``.
        k: as for ``k_fwer``; 1 for the other methods.

    Returns:
        The count; n + 1 if no hypothesis of the family can be rejected.
    """
    m, n = int(histogram.sum()), len(p) - 1
    if m == 0:
        return n + 1
    before = m - np.cumsum(histogram)  # hypotheses with a larger count: their p-values come first
    place = before + 1.0
    level = k * alpha / np.where((place <= k) | (method == "bonferroni"), m, np.maximum(m + k - place, 1))
    fails = (p > level)[::-1]
    return n + 1 - (int(np.argmax(fails)) if fails.any() else n + 1)
