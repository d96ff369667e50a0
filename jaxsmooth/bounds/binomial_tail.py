r"""Tails of binomials with a proved error, and proportions at a given tail that are never on the wrong side.

Everything in this package that turns counts into probabilities, or back, rests on the one forward evaluation here;
no inverse of a special function is believed, not even ours.

*Forward.* With a = c, b = n - c + 1, N = a + b, x = p and y = 1 - p, :math:`P(\mathrm{Bin}(n, p) \ge c) = I_x(a, b) =
w K` with :math:`w = x^a y^b / B(a, b)` and a continued fraction K (Didonato and Morris) whose terms are all positive
where a >= N x; elsewhere the other tail is taken. Its convergents enclose it from both sides in turn, so the last two
bound what is left out; it ends after b terms. :math:`w = \sqrt{a b / (2 \pi N)}\, e^{-D + r(N) - r(a) - r(b)}` has the
deviance :math:`D = a \log(a / N x) + b \log(b / N y)` and the remainder r of Stirling's series, which encloses it.

*Rounding.* u = 2^-53; sums, products and quotients err by u of themselves, log, log1p, exp and expm1 by at most 8 u
(4 units in the last place). Sums of positive terms keep relative errors, and a fraction with positive terms passes
those of its coefficients on at most once each: 16 roundings of a coefficient pair, 6 of the recurrences, 32 u a term
as counted. a - N x, the one difference, is formed with N x split in two parts, one of them exact. D depends on
it, and on N x and N y, only by u |a - N x| for an error of u in them: D is stationary there. Sums of all this are the
``error`` that each evaluation returns; tests find no more than a fourth of it, against 50 digits.

*Inverse.* log I is concave in the log odds of p: its derivative is 1 / K = a y / R with R = sum_{j >= c} P(j) / P(c),
and both y and 1 / R decrease. A tangent lies above a concave function, so a step of Newton's method from anywhere,
from the upper bound of log I, ends where I <= alpha for certain: one forward evaluation checks the bound and moves it
to the safe side. Steps are repeated only to lose less, until the tangent is off by 2^-46 of the log odds.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from jaxsmooth.bounds import stirling

# Counts and their sums are exact in float64, with room to spare. Up to 2**32 trials errors are as small as they are
# below; from there on N x is no longer split exactly, which costs digits, not safety.
MOST_TRIALS = 2**48
# Below this level nothing is tested: it may still be divided many times before it nears 2e-308, the smallest normal
# number, from where on doubles have fewer digits and a tail is returned as that number.
SMALLEST_LEVEL = 1e-300
_U = 2.0**-53
_BLOCK = 4096  # what is evaluated at once stays in the cache
_TERMS = 20_000  # a fraction cut off here is still enclosed; needed for medians of more than 1e11 trials
_SMALLEST = 2.0**-1020


class _Log(NamedTuple):
    """log I_x(a, b) from above and in the middle, the derivatives in the log odds, and the error in the middle."""

    above: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    difference: np.ndarray
    error: np.ndarray


def tail_at_least(count: np.ndarray | int, trials: np.ndarray | int, p: np.ndarray | float) -> np.ndarray:
    """P(Bin(trials, p) >= count), never below it; the error is proved above, and about 1e-13 for 1e5 trials.

    Args:
        count: integers, at most ``trials + 1``.
        trials: positive integers below 2**48.
        p: proportions in [0, 1], float64 as they are: 1 - p is exact where it is smaller.

    Returns:
        float64 of the broadcast shape.
    """
    count, trials, p = np.broadcast_arrays(count, trials, np.asarray(p, np.float64))
    inside = (count >= 1) & (count <= trials) & (p > _SMALLEST) & (p < 1)
    tail = np.where((count <= 0) | ((p == 1) & (count <= trials)), 1.0, 0.0)
    tail = np.where((p > 0) & (p <= _SMALLEST) & (count >= 1) & (count <= trials), 2.0**-900, tail)
    c, n, p = count[inside].astype(np.float64), trials[inside].astype(np.float64), p[inside]
    above = np.empty_like(p)
    for i in range(0, len(p), _BLOCK):
        at = slice(i, i + _BLOCK)
        small = p[at] <= 0.5
        above[at] = _log_tail(c[at], n[at] - c[at] + 1, np.where(small, p[at], 1 - p[at]), small).above
    # Where exp underflows the smallest normal number is large enough.
    tail[inside] = np.maximum(np.minimum(np.exp(above) * (1 + 16 * _U), 1.0), np.finfo(np.float64).tiny)
    return tail


def proportion_with_tail(count: np.ndarray, trials: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    r"""The largest p with P(Bin(trials, p) >= count) <= alpha, and one minus it.

    Args:
        count: integers in ``[1, trials]``, one-dimensional.
        trials: integers below 2**48.
        alpha: in (0, 1).

    Returns:
        ``(p, complement)``: p is rounded down, 1 - p rounded up, each to a few units in the last place as it
        nears 0. The tail at either is at most ``alpha``.
    """
    p, complement = np.empty(len(count)), np.empty(len(count))
    for i in range(0, len(count), _BLOCK):
        at = slice(i, i + _BLOCK)
        a = count[at].astype(np.float64)
        p[at], complement[at] = _solve(a, trials[at] - a + 1, alpha)
    return p, complement


def one_minus(p: np.ndarray, *, up: bool) -> np.ndarray:
    """1 - p for p in [0, 1], rounded down or up."""
    rest = 1 - p
    # rest + p is 1 where rest is exact; 1 - rest is exact for p <= 1/2, and rest is for larger p.
    wrong = (1 - rest > p) if up else (1 - rest < p)
    return np.where(wrong & (p < 0.5), np.nextafter(rest, 2.0 if up else -1.0), rest)


def _solve(a: np.ndarray, b: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method from an approximation of any quality; what does not converge is (0, 1), which is true."""
    s, small = _approximate(a, b, alpha)
    # A smaller proportion is safe: down for p itself, up for 1 - p.
    found, is_p, going = np.zeros(len(a)), np.ones(len(a), bool), np.arange(len(a))
    target = math.log(alpha)
    for _ in range(200):
        log = _log_tail(a[going], b[going], s, small)
        excess = log.above - target + 16 * _U * (abs(target) + np.abs(log.above))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            step = np.clip(np.nan_to_num(-excess / log.slope, nan=-40.0), -40.0, 40.0)
        bend = log.difference - log.slope
        close = (np.abs(step) <= 0.25) & (np.abs(bend) * step**2 <= 2.0**-45)
        safe = np.where(close, step - np.abs(step) * (16 * log.error + 64 * _U), 0.0)
        moved = _moved(s, np.where(small, safe, -safe)) * np.where(small, 1 - 16 * _U, 1 + 16 * _U)
        found[going[close]], is_p[going[close]] = moved[close], small[close]
        if close.all():
            break
        # On the way Halley's method, where its correction is moderate: it needs one evaluation less.
        step = (step / np.clip(1 + 0.5 * step * bend, 0.5, 1.5))[~close]
        going, s, small = going[~close], s[~close], small[~close]
        s = np.clip(_moved(s, np.where(small, step, -step)), _SMALLEST, 1 - _U)
        small, s = np.where(s > 0.5, ~small, small), np.maximum(np.where(s > 0.5, 1 - s, s), _SMALLEST)
    found = np.where(found <= 1.0, found, np.where(is_p, 0.0, 1.0))
    p = np.where(is_p, found, one_minus(found, up=False))
    return p, np.where(is_p, one_minus(found, up=True), found)


def _moved(s: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The proportion whose log odds are ``step`` larger."""
    growth = np.expm1(step)
    return s * (1 + growth) / (1 + s * growth)


def _approximate(a: np.ndarray, b: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """``(s, small)``: about the quantile of Beta(a, b), p itself or 1 - p, whichever is smaller.

    Abramowitz and Stegun, 26.5.22.
    """
    z = -np.clip(special.ndtri(alpha), -37.0, 37.0)
    h = 2 / (1 / (2 * a - 1) + 1 / (2 * b - 1))
    shift = (z**2 - 3) / 6
    w = z * np.sqrt(h + shift) / h - (1 / (2 * b - 1) - 1 / (2 * a - 1)) * (shift + 5 / 6 - 2 / (3 * h))
    odds = np.log(a / b) - 2 * w
    s = special.expit(-np.abs(odds))
    return np.clip(s, _SMALLEST, 0.5), odds <= 0


def _log_tail(a: np.ndarray, b: np.ndarray, s: np.ndarray, small: np.ndarray) -> _Log:
    """log I_x(a, b) at x = s where ``small``, else at x = 1 - s."""
    total, rest = a + b, 1 - s
    x, y = np.where(small, s, rest), np.where(small, rest, s)
    # a - N x = N y - b, from the exact s: its 21 leading bits times N <= 2**32 are exact, the others small.
    high = _leading_bits(s)
    near = (np.where(small, a, b) - total * high) - total * (s - high)
    difference = np.where(small, near, -near)
    slip = _U * np.where(total < 2**32, 2.0**-20, 4.0) * total * s
    log_weight, error = _log_weight(a, b, total * x, total * y, difference, slip)
    upper = difference >= 0
    fraction, relative = _fraction(
        np.where(upper, a, b), np.where(upper, b, a), np.where(upper, x, y), np.abs(difference), slip
    )
    value = log_weight + np.log(fraction)
    error = error + relative + 16 * _U * (np.abs(value) + np.abs(log_weight))
    # The far tail is at most 1 - 1/e there; where it were more, the cap would only raise the bound.
    other = lambda log: np.log1p(-np.exp(np.minimum(log, math.log(0.75))))
    above = np.where(upper, value + error, other(value - error) * (1 - 32 * _U))
    value = np.where(upper, value, other(value))
    return _Log(above, value, np.exp(log_weight - value), difference, error)


def _leading_bits(s: np.ndarray) -> np.ndarray:
    """The 21 leading bits of a double (Veltkamp)."""
    scaled = s * (2.0**32 + 1)
    return scaled - (scaled - s)


def _log_weight(
    a: np.ndarray, b: np.ndarray, mean: np.ndarray, rest: np.ndarray, difference: np.ndarray, slip: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``(log(x^a y^b / B(a, b)), error)`` with N x = ``mean`` and N y = ``rest``."""
    total = a + b
    first, second = a * np.log1p(difference / mean), b * np.log1p(-difference / rest)
    root = 0.5 * np.log(a / total * b / (2 * math.pi))
    value = root - (first + second) + (stirling.remainder(total) - stirling.remainder(a) - stirling.remainder(b))
    error = 16 * _U * (np.abs(first) + np.abs(second) + np.abs(difference) + np.abs(root) + 8) + 4 * slip
    return value, error


def _fraction(
    a: np.ndarray, b: np.ndarray, x: np.ndarray, difference: np.ndarray, slip: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``(K, relative error)`` with I_x(a, b) = K x^a y^b / B(a, b), for a - N x = ``difference`` >= 0."""
    value, relative, at = np.empty_like(a), np.empty_like(a), np.arange(len(a))
    below = a / (a + 1) * (difference + 1)
    above, above_before, below_before = np.ones_like(a), np.zeros_like(a), np.ones_like(a)
    for m in range(1, _TERMS + 1):
        factor, term = _coefficients(m, a, b, x, difference)
        above, above_before = term * above + factor * above_before, above
        below, below_before = term * below + factor * below_before, below
        if m % 4 and m < _TERMS:
            continue
        now, before = above / below, above_before / below_before
        gap = np.abs(now / before - 1)
        done = (gap <= 2.0**-48) | (m == _TERMS)
        if done.any():
            roundings = _U * 32 * (m + 1) + (m + 1) * slip[done] / (difference[done] + 1)
            value[at[done]], relative[at[done]] = now[done], gap[done] * 1.01 + roundings
            at, a, b, x, difference, slip = (each[~done] for each in (at, a, b, x, difference, slip))
            above, above_before, below, below_before = (
                each[~done] for each in (above, above_before, below, below_before)
            )
        if not len(at):
            break
        scale = 1 / below
        above, above_before, below, below_before = (each * scale for each in (above, above_before, below, below_before))
    return value, relative


def _coefficients(
    m: int, a: np.ndarray, b: np.ndarray, x: np.ndarray, difference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Didonato and Morris, "Significant digit computation of the incomplete beta function ratios", 1992."""
    share = x / (a + (2 * m - 1))
    product = m * np.maximum(b - m, 0.0) * share  # after b terms the fraction has ended
    factor = product * share * (a + (m - 1)) * (a + b + (m - 1))
    term = m + product + (a + m) / (a + (2 * m + 1)) * (difference + 1 + m * (2 - x))
    return factor, term
