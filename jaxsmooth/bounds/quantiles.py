"""Order statistics that bound a quantile: exact, from the binomial."""

from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.bounds.binomial_tail import MOST_TRIALS, one_minus, tail_at_least


def quantile_indices(n: ArrayLike, q_lower: ArrayLike, q_upper: ArrayLike, alpha: float) -> tuple[Any, Any]:
    r"""The order statistics between which two quantiles lie with probability ``1 - alpha``.

    Of n draws sorted, :math:`X_{(1)} \le \dots \le X_{(n)}`: l is the largest index with
    :math:`P(\mathrm{Bin}(n, q_-) \le l - 1) \le \alpha / 2`, u the smallest with
    :math:`P(\mathrm{Bin}(n, q_+) \ge u) \le \alpha / 2`.

    *Proof.* :math:`X_{(l)}` exceeds the quantile at :math:`q_-` only if fewer than l draws are at most the quantile,
    each of which is with probability :math:`q_-` or more. :math:`X_{(u)}` is below the quantile at :math:`q_+` only if
    u draws are, each of which is with probability :math:`q_+` or less. Atoms and ties need no care.

    Args:
        n: positive integers, how many draws.
        q_lower: the lower level :math:`q_-`, in [0, 1]; the arguments are broadcast.
        q_upper: the upper level :math:`q_+`.
        alpha: the probability that either is wrong, half of it for each side.

    Returns:
        ``(l, u)``, int64 of the broadcast shape, from 1 on; 0 and n + 1 say that there is no bound.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Chiang et al., "Detection as regression: certified object detection by median smoothing", 2020; the indices by
        the exact binomial, as in David and Nagaraja, "Order statistics", section 7.1.

    Example:
        >>> import jaxsmooth as js
        >>> tuple(map(int, js.bounds.quantile_indices(1000, 0.5, 0.5, 0.001)))
        (448, 553)
    """
    alpha = _check.probability("alpha", alpha)
    n = _check.as_array("n", n)
    if n.dtype.kind not in "iu":
        raise TypeError(f"n must be integers, the numbers of draws; got dtype {n.dtype}")
    n = n.astype(np.int64)
    if np.any(n < 1) or np.any(n >= MOST_TRIALS):
        raise ValueError(f"n must be at least 1 and below 2**48; got {n.min()} to {n.max()}")
    q_lower, q_upper = _check.probabilities("q_lower", q_lower), _check.probabilities("q_upper", q_upper)
    n, q_lower, q_upper = np.broadcast_arrays(n, q_lower, q_upper)
    lower = n + 1 - _least_count(n, one_minus(q_lower, up=True), alpha / 2)
    return lower[()], _least_count(n, q_upper, alpha / 2)[()]


def _least_count(n: np.ndarray, p: np.ndarray, alpha: float) -> np.ndarray:
    """The smallest c with P(Bin(n, p) >= c) <= alpha; n + 1 at most."""
    fails, holds = np.zeros_like(n), n + 1
    while (holds - fails > 1).any():
        middle = (fails + holds) // 2
        small = tail_at_least(middle, n, p) <= alpha
        fails, holds = np.where(small, fails, middle), np.where(small, middle, holds)
    return holds
