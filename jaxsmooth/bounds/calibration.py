"""Group-sequential thresholds that spend all of alpha: the shares are scaled until the exact error is alpha."""

import functools
import math
from typing import Any

import numpy as np

from jaxsmooth.bounds.boundary_crossing import Walk
from jaxsmooth.bounds.group_sequential import GroupSequential, check_tests, checked_nulls, thresholds_at, union_bound

# A factor is good enough when the error is this share of what is allowed; the next one aims at that.
_ENOUGH, _AIM = 0.98, 0.992
# Trials for one null, and for all of them together: planning stays below a second.
_TRIALS, _ALL_TRIALS = 6, 80
# What walks cut off counts as crossed: less than this share of alpha. Errors of Fourier transforms are absolute.
_CUT_SHARE, _FOURIER_FROM = 1e-5, 1e-7
# More than the roundings of a difference, and of a power.
_INWARD, _OUTWARD = 1 - 2.0**-50, 1 + 1e-10


def calibrated_thresholds(tests: GroupSequential, p: Any, *, any_class: bool = False) -> np.ndarray:
    r"""``tests.thresholds``, lowered until the exact probability of an error is alpha, all but a few per cent.

    The union bound over the looks overstates the error, because looks share votes. Let :math:`C_\tau(p) =
    P(\exists k: S_k \ge c_k(\tau))` be the probability itself (``crossing_probability``). All shares of alpha are
    multiplied by one factor for each null tau: the largest that was found with :math:`C_\tau(\tau) \le \alpha`, and
    at least 1. A null that no look can reject so is rejected by :math:`n_\max` unanimous votes if :math:`\tau^{n_\max}
    \le \alpha`, as by one look; of any class if they and those of another one together are as improbable.

    *Proof.* C increases in p, so for a true proportion below tau the error is smaller still. Thresholds are made
    nondecreasing in tau by raising some, which lowers C. The argument of ``GroupSequential`` for many radii needs no
    more, and stopping early only removes looks.

    *Any class.* With :math:`\tau_1 \ge 1/2` the smallest null, the thresholds satisfy :math:`C_{\tau_j}(\tau_j) +
    C_{\tau_1}(1 - \tau_j) \le \alpha` for all j and, for each threshold s among n draws, :math:`s (s - 1) - 2 s
    (n - 1) \tau + n (n - 1) \tau^2 \ge 0` with :math:`s \ge n \tau`. The proof of ``GroupSequential.thresholds``
    holds with C in place of the union bound U, of which it needs only that it is 0 at 0 and convex up to tau. So is
    C: it is the sum, over the counts s at which walks cross first, of terms :math:`N p^s (1 - p)^{n - s}`. The second
    derivative of one has the sign of :math:`s (s - 1) - 2 s (n - 1) p + n (n - 1) p^2`, which decreases in p up to
    s / n >= tau, and increases in s from :math:`n \tau` on.

    Args:
        tests: the looks and their shares of alpha.
        p: null proportions in [0, 1], any order; inf is never rejected. Beyond 80 of them factors are 1.
        any_class: accept any class, not one chosen before the draws. Then every ``p`` >= 1/2.

    Returns:
        int64 ``(len(p), looks)``, read-only, nondecreasing in ``p`` at each look. Cached in the process.

    Raises:
        ValueError: for proportions out of range.
        TypeError: if ``tests`` is not a ``GroupSequential``.

    References:
        Exact boundaries by numerical integration: Armitage, McPherson and Rowe, JRSS A 1969; the scaling and the
        proof for any class: ours.

    Example:
        >>> tests = GroupSequential(1000, 0.001)
        >>> (
        ...     calibrated_thresholds(tests, [0.5, 0.84])[:, -1].tolist(),
        ...     tests.thresholds([0.5, 0.84])[:, -1].tolist(),
        ... )
        ([552, 877], [553, 878])
    """
    check_tests(tests)
    return _calibrated(tests, tuple(checked_nulls(p, any_class).tolist()), any_class)


@functools.lru_cache(maxsize=512)
def _calibrated(tests: GroupSequential, p: tuple[float, ...], any_class: bool) -> np.ndarray:
    nulls = np.array(p, np.float64)
    thresholds = tests.thresholds(nulls, any_class=any_class)
    order = np.argsort(nulls, kind="stable")
    order = order[nulls[order] < 1]
    if len(order):
        rows = (_any_class if any_class else _one_class)(tests, nulls[order])
        thresholds[order] = np.maximum.accumulate(rows, axis=0)
    thresholds.flags.writeable = False
    return thresholds


def _one_class(tests: GroupSequential, p: np.ndarray) -> np.ndarray:
    return _scaled(tests, p, np.full(len(p), tests.alpha), tests.thresholds(p))


def _any_class(tests: GroupSequential, p: np.ndarray) -> np.ndarray:
    convex = _convex_from(tests.looks, p)
    plain = tests.thresholds(p[:1], any_class=True)
    lowest = _scaled(tests, p[:1], np.array([tests.alpha]), plain, others=True)
    lowest = np.maximum(lowest, convex[:1])
    rows, later = np.repeat(lowest, len(p), axis=0), p > p[0]
    if np.any(later):
        # At most half of alpha, since C at 1 - p is below C at 1 - tau_1, the smaller of two that sum to alpha.
        others = np.minimum(union_bound(tests.looks, lowest[0], 1 - p[later]), tests.alpha / 2)
        left = (tests.alpha - others) * _INWARD
        rows[later] = _scaled(tests, p[later], left, thresholds_at(tests, p[later], left))
    return np.maximum(np.maximum(rows, lowest), convex)


def _scaled(
    tests: GroupSequential, p: np.ndarray, allowed: np.ndarray, plain: np.ndarray, *, others: bool = False
) -> np.ndarray:
    """Thresholds at ``factor * allowed`` whose exact error is at most ``allowed``; ``plain`` where none is found.

    ``others``: the error is that at p and at 1 - p together.
    """
    least = 0.5 if others else 1.0  # always valid
    rows, factor, largest_share = plain.copy(), 1.5 * least, float(tests.alphas.max() / tests.alpha)
    trials = min(_ALL_TRIALS // len(p), _TRIALS)
    for i, (null, most) in enumerate(zip(p.tolist(), allowed.tolist(), strict=True) if trials else ()):
        walks = _walks(tests.looks, (null, 1 - null) if others else (null,), most)
        # Where a look may spend all of probability there is nothing more to allow.
        low, high, highest = least, math.inf, 1 / (most * largest_share)
        factor = min(factor, highest)
        for _ in range(trials):
            row = thresholds_at(tests, p[i : i + 1], np.array([most * factor]))[0]
            error = sum(walk.crossing(row) for walk in walks)
            if error > most:
                high = min(high, factor)
            elif factor >= low:
                low, rows[i] = factor, row
            if _ENOUGH * most <= error <= most or low >= min(1 / tests.last_share, highest):
                break
            aim = factor * _AIM * most / max(error, most / 4)
            factor = min(aim if low < aim < high else math.sqrt(low * min(high, 4 * low)), highest)
        factor = low  # about right for the next null
    chance = p ** float(tests.n_max) + (1 - p) ** float(tests.n_max) * others
    unanimous = np.all(rows > tests.looks, axis=1) & (chance * _OUTWARD <= allowed)
    rows[unanimous, -1] = tests.n_max
    return rows


def _walks(looks: np.ndarray, p: tuple[float, ...], most: float) -> list[Walk]:
    cut = math.log(4 * len(looks) / (_CUT_SHARE * most))
    return [Walk(truth, looks, cut=cut, fourier=most >= _FOURIER_FROM) for truth in p]


def _convex_from(looks: np.ndarray, p: np.ndarray) -> np.ndarray:
    """``(nulls, looks)``: from these counts on the terms of the crossing probability are convex up to the null."""
    n, p = looks, p[:, None]
    root = (1 + 2 * (n - 1) * p + np.sqrt(1 + 4 * (n - 1) * p * (1 - p))) / 2
    return np.minimum(np.floor(root + 1e-3).astype(np.int64) + 1, n + 1)
