"""Bounds that hold at every draw at once: a mixture e-process for a binomial proportion."""

import math
from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth.bounds.clopper_pearson import checked_counts

# Log e-values are right to about 1e-9 absolute up to 1e7 draws; a rejection needs this much more.
_OUTWARD = 1e-8


def mixture_log_e_value(successes: Any, trials: Any, null: Any) -> Any:
    r"""Log of the evidence against "the proportion is at most tau", valid at every draw.

    The likelihood ratio of q against tau, averaged over q > tau with the Jeffreys prior truncated to q > tau:

    .. math:: \log E = \log \frac{B(S + \tfrac12, n - S + \tfrac12)\, \bar I_\tau(S + \tfrac12, n - S +
              \tfrac12)}{B(\tfrac12, \tfrac12)\, \bar I_\tau(\tfrac12, \tfrac12)} - S \log \tau - (n - S) \log(1 - \tau)

    with :math:`\bar I` the upper regularised incomplete beta function.

    *Proof of validity.* If the true proportion is p <= tau < q, one draw multiplies the likelihood ratio of q
    by :math:`p q / \tau + (1 - p)(1 - q) / (1 - \tau) \le 1` on average, so the average over q is a nonnegative
    supermartingale that starts at 1, and by Ville's inequality it ever reaches 1 / alpha with probability at
    most alpha, however often one looks.

    Args:
        successes: integers in ``[0, trials]``, any shape.
        trials: positive integers, broadcast against ``successes``.
        null: tau in (0, 1), broadcast.

    Returns:
        float64 of the broadcast shape; -inf where the evidence underflows (it is then below 1e-300).

    Raises:
        ValueError: if a count or ``null`` is out of range.
        TypeError: if a count is not an integer.

    References:
        Ville, 1939; Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of
        Mathematical Statistics 1970. The truncation, which makes it one-sided: ours, with the proof above.

    Example:
        >>> round(float(mixture_log_e_value(90, 100, 0.5)), 3)
        34.966
    """
    s, n = checked_counts(successes, trials)
    tau = _check.as_float64("null", null)
    if not np.all((tau > 0) & (tau < 1)):
        raise ValueError(f"null must lie strictly between 0 and 1; got {null!r}")
    return _log_e_value(s, n, tau)[()]


def anytime_threshold(trials: Any, null: Any, alpha: float) -> Any:
    """The fewest successes among ``trials`` with which the e-process rejects the null.

    The smallest S with ``E(S, n, null) >= 1 / alpha``. A walk that is checked after every draw reaches these
    counts with probability at most ``alpha``.

    Args:
        trials: positive integers, any shape.
        null: tau in (0, 1), broadcast.
        alpha: error probability over all draws together.

    Returns:
        int64 of the broadcast shape; ``trials + 1`` where no count suffices.

    Raises:
        ValueError: for values out of range.
        TypeError: for trials that are not integers.

    Example:
        >>> anytime_threshold([10, 100, 1000], 0.5, 0.001).tolist()
        [11, 71, 571]
    """
    alpha = _check.probability("alpha", alpha)
    _, n = checked_counts(0, trials)
    n, tau = np.broadcast_arrays(n, _check.as_float64("null", null))
    mixture_log_e_value(0, 1, tau)  # checks the range of the null
    low, high = np.floor(n * tau).astype(np.int64), n + 1  # E <= 1 at and below the mean
    for _ in range(int(n.max(initial=1) + 1).bit_length()):
        middle = (low + high) // 2
        inside = _log_e_value(np.minimum(middle, n), n, tau)
        enough = (middle > n) | (inside >= math.log(1 / alpha) + _OUTWARD)
        wide = high - low > 1
        low, high = np.where(wide & ~enough, middle, low), np.where(wide & enough, middle, high)
    return high[()]


def anytime_lower(successes: Any, trials: Any, alpha: float) -> Any:
    r"""Lower confidence bound of a proportion that holds at every number of draws simultaneously.

    The largest tau with :math:`E(S, n, \tau) \ge 1 / \alpha`, by bisection from below.

    *Proof.* It suffices that the rejected tau form an interval (0, L]: L > p then means that p itself was
    rejected. Let h(tau) = E(S, n, tau) and lambda the hazard rate of the prior. Then :math:`(\log h)' =
    -(S - n \tau) / (\tau (1 - \tau)) + \lambda (1 - 1 / h)`, and with tau = cos^2 x, :math:`\lambda \tau (1 - \tau)
    = \sin(x) \cos(x) / (2 x) \le 1/2`: h decreases wherever S - n tau >= 1/2. Elsewhere h is at most the
    largest likelihood ratio, which is at most 2 there, less than 1 / alpha.

    Args:
        successes: integers in ``[0, trials]``, any shape.
        trials: positive integers, broadcast against ``successes``.
        alpha: error probability over all draws together, below 1/2.

    Returns:
        float64 of the broadcast shape, rounded down; 0 where nothing is rejected.

    Raises:
        ValueError: if a count or ``alpha`` is out of range.
        TypeError: if a count is not an integer.

    References:
        Ours, with the proof above and that of ``mixture_log_e_value``.

    Example:
        >>> round(float(anytime_lower(990, 1000, 0.001)), 4)
        0.9712
    """
    alpha = _check.probability("alpha", alpha)
    if alpha >= 0.5:
        raise ValueError(f"alpha must be below 1/2 for an anytime bound; got {alpha}")
    s, n = checked_counts(successes, trials)
    # Bisection in the log odds, where proportions near 0 and near 1 are resolved alike.
    low = np.full(s.shape, -700.0)
    high = np.where(s == n, 36.0, special.logit(np.minimum(s / n, 1 - 2.0**-53)))
    high = np.maximum(high, low)
    rejects = lambda odds: _log_e_value(s, n, special.expit(odds)) >= math.log(1 / alpha) + _OUTWARD
    any_rejected = (s > 0) & rejects(low)
    for _ in range(64):
        middle = (low + high) / 2
        rejected = rejects(middle)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return np.where(any_rejected, special.expit(low), 0.0)[()]


def _log_e_value(s: np.ndarray, n: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """The terms of order n are combined in a divergence first, so that nothing large cancels."""
    s, f = s.astype(np.float64), (n - s).astype(np.float64)
    divergence = _relative_entropy(s, n * tau) + _relative_entropy(f, n * (1 - tau))
    stirling = _half_remainder(s) + _half_remainder(f) - _remainder(n.astype(np.float64))
    with np.errstate(divide="ignore"):
        tail = np.log(special.betaincc(s + 0.5, f + 0.5, tau))
    prior = np.log(2 * np.arcsin(np.sqrt(1 - tau)))  # B(1/2, 1/2) times its upper tail
    return divergence + 0.5 * np.log(2 * np.pi / n) + stirling + tail - prior


def _relative_entropy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x log(x / y) - x + y >= 0, accurate where x is close to y."""
    safe = np.maximum(x, 1.0)
    u = (y - safe) / safe
    log_ratio = np.where(u < -0.5, np.log(y / safe), np.log1p(np.maximum(u, -0.5)))
    return np.where(x == 0, y, safe * (u - log_ratio))


def _half_remainder(x: np.ndarray) -> np.ndarray:
    """log Gamma(x + 1/2) - (x log x - x + log(2 pi) / 2)."""
    z = np.maximum(x, 20.0)
    series = (-1 / 24 + (7 / 2880 + (-31 / 40320 + 127 / 215040 / z**2) / z**2) / z**2) / z
    return np.where(x < 20, special.gammaln(x + 0.5) - special.xlogy(x, x) + x - 0.5 * math.log(2 * math.pi), series)


def _remainder(n: np.ndarray) -> np.ndarray:
    """log n! - (n log n - n + log(2 pi n) / 2), for n >= 1."""
    z = np.maximum(n, 20.0)
    series = (1 / 12 + (-1 / 360 + (1 / 1260 - 1 / 1680 / z**2) / z**2) / z**2) / z
    direct = special.gammaln(n + 1) - special.xlogy(n, n) + n - 0.5 * np.log(2 * np.pi * n)
    return np.where(n < 20, direct, series)
