"""Bounds that hold at every draw at once: a mixture e-process for a binomial proportion."""

import math
from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth.bounds import stirling
from jaxsmooth.bounds.binomial_tail import tail_at_least
from jaxsmooth.bounds.clopper_pearson import checked_counts

_U = 2.0**-53


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
        float64 of the broadcast shape, to about 1e-9 up to 1e7 draws, either way; -inf where the mass of proportions
        above tau underflows, far below it, where the evidence is at most 1 (every likelihood ratio is).
        ``anytime_threshold`` and ``anytime_lower`` use a proved lower bound of it.

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
    log_e, _ = _log_e_value(s, n, tau)
    return log_e[()]


def anytime_threshold(trials: Any, null: Any, alpha: float) -> Any:
    r"""The fewest successes among ``trials`` with which the e-process rejects the null.

    The smallest S with ``E(S, n, null) >= 1 / alpha``. A walk that is checked after every draw reaches these
    counts with probability at most ``alpha``. Each is checked by a lower bound of the evidence: every term with its
    rounding error, and :math:`I_\tau(S + \tfrac12, n - S + \tfrac12) \le I_\tau(S, n - S + 1) = P(\mathrm{Bin}(n,
    \tau) \ge S)`, whose error is proved; a count that fails goes one up.

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
        inside, _ = _log_e_value(np.minimum(middle, n), n, tau)
        enough = (middle > n) | (inside >= -math.log(alpha))
        wide = high - low > 1
        low, high = np.where(wide & ~enough, middle, low), np.where(wide & enough, middle, high)
    while np.any(wrong := (high <= n) & (_missing(np.minimum(high, n), n, tau, alpha) > 0)):
        high = high + wrong
    return high[()]


def anytime_lower(successes: Any, trials: Any, alpha: float) -> Any:
    r"""Lower confidence bound of a proportion that holds at every number of draws simultaneously.

    The largest tau with :math:`E(S, n, \tau) \ge 1 / \alpha`, by bisection, then checked by the lower bound of the
    evidence of ``anytime_threshold`` and stepped down in the log odds until that reaches 1 / alpha.

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
    for _ in range(64):
        middle = (low + high) / 2
        rejected = _log_e_value(s, n, special.expit(middle))[0] >= -math.log(alpha)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return _checked(low, s, n, alpha)[()]


def _checked(odds: np.ndarray, s: np.ndarray, n: np.ndarray, alpha: float) -> np.ndarray:
    """The proportion of these log odds, or a smaller one, that is rejected for certain; 0 where none is."""
    shape, odds, s, n = odds.shape, odds.ravel(), s.ravel(), n.ravel()
    bound, going, further = special.expit(odds), np.flatnonzero(s > 0), 1.0
    bound[s == 0] = 0.0
    while len(going):
        missing = _missing(s[going], n[going], bound[going], alpha)
        going, missing = going[missing > 0], missing[missing > 0]
        # The evidence falls by s - n tau or so for each unit of the log odds.
        slope = np.maximum(s[going] - n[going] * bound[going], 0.5)
        odds[going] -= np.clip(missing / slope * (1 + 1e-3), 2.0**-50 * np.abs(odds[going]), 1.0) * further
        bound[going] = np.where(odds[going] > -700, special.expit(odds[going]), 0.0)
        going, further = going[bound[going] > 0], 2 * further
    return bound.reshape(shape)


def _missing(s: np.ndarray, n: np.ndarray, tau: np.ndarray, alpha: float) -> np.ndarray:
    """What is missing to log E(s, n, tau) >= log(1 / alpha) for certain; at most 0 where that is proved."""
    value, error = _log_e_value(s, n, tau, certain=True)
    missing = -math.log(alpha) * (1 + 16 * _U) - (value - error)
    return np.where(np.isfinite(missing), missing, 1.0)


def _log_e_value(
    s: np.ndarray, n: np.ndarray, tau: np.ndarray, *, certain: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The value and its rounding error; the terms of order n are combined in a divergence: nothing large cancels.

    ``certain``: a lower bound, by the bound of ``anytime_threshold`` of the mass below tau.
    """
    whole = n
    s, f, n = s.astype(np.float64), (n - s).astype(np.float64), n.astype(np.float64)
    divergence = _relative_entropy(s, n * tau) + _relative_entropy(f, n * (1 - tau))
    remainders = stirling.remainder_at_half(s) + stirling.remainder_at_half(f) - stirling.remainder(n)
    with np.errstate(divide="ignore"):
        if certain:
            tail = np.log1p(-tail_at_least(s.astype(np.int64), whole, tau))
        else:
            tail = np.log(special.betaincc(s + 0.5, f + 0.5, tau))
    # B(1/2, 1/2) times its upper tail, where neither function is steep.
    angle = np.where(tau < 0.5, np.arccos(np.sqrt(tau)), np.arcsin(np.sqrt(1 - tau)))
    prior = np.log(2 * angle)
    spread = 0.5 * np.log(2 * np.pi / n)
    value = divergence + spread + remainders + tail - prior
    # As in binomial_tail: n tau errs by 2 u of itself, to which the divergence is as sensitive as s is far from it.
    far = np.abs(s - n * tau)
    error = 32 * _U * (far + divergence + np.abs(spread) + np.abs(prior) + np.where(tail > -1, np.abs(tail), 0) + 8)
    return value, error


def _relative_entropy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x log(x / y) - x + y >= 0, accurate where x is close to y."""
    safe = np.maximum(x, 1.0)
    u = (y - safe) / safe
    log_ratio = np.where(u < -0.5, np.log(y / safe), np.log1p(np.maximum(u, -0.5)))
    return np.where(x == 0, y, safe * (u - log_ratio))
