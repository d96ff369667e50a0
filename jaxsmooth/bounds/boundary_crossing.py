"""How likely a binomial walk crosses a boundary: exact dynamic programming over the looks."""

from typing import Any

import numpy as np

from jaxsmooth import _check

# Tails of less than exp(-60) = 9e-27 are cut off and counted as crossings.
_CUT = 60.0
# From this length on a fast Fourier transform is faster.
_LONG = 200
_EPS, _EXTENDED = float(np.finfo(np.float64).eps), float(np.finfo(np.longdouble).eps)


def crossing_probability(p: float, looks: Any, upper: Any, lower: Any | None = None) -> float:
    r"""The probability that a count ever reaches a boundary at one of the looks.

    :math:`P(\exists k: S_k \ge u_k \text{ or } S_k \le l_k)` for :math:`S_k \sim \mathrm{Bin}(n_k, p)`, the
    successes among the first :math:`n_k` draws. The distribution of the counts that have not crossed is
    carried from look to look by convolution with the binomial increment. Every term is nonnegative, so
    rounding errors are relative and are bounded; cut tails count as crossings: the value is an upper bound.

    Args:
        p: the true success probability, in [0, 1].
        looks: ``(looks,)`` increasing positive integers, the draws made by each look.
        upper: ``(looks,)`` integers; a count of at least this crosses. ``n + 1`` cannot be reached.
        lower: ``(looks,)`` integers; a count of at most this crosses, too. None: no lower boundary.

    Returns:
        A float in [0, 1], never below the true probability and about 1e-10 (relative) above it.

    Raises:
        ValueError: for ``p`` outside [0, 1], looks that do not increase, or boundaries of another length.
        TypeError: for looks or boundaries that are not integers.

    References:
        Armitage, McPherson and Rowe, "Repeated significance tests on accumulating data", JRSS A 1969.

    Example:
        >>> round(crossing_probability(0.5, [1, 2], [1, 2]), 12)  # the second look adds nothing
        0.5
    """
    p = float(_check.probabilities("p", _check.number("p", p)))
    looks = _integers("looks", looks)
    upper = _integers("upper", upper, len(looks))
    lower = None if lower is None else _integers("lower", lower, len(looks))
    draws = np.diff(looks, prepend=0)
    if len(looks) == 0 or np.any(draws < 1):
        raise ValueError(f"looks must be positive and increasing; got {looks.tolist()}")
    return Walk(p, looks).crossing(upper, lower)


class Walk:
    """A binomial walk seen at ``looks``, for crossing probabilities of several boundaries.

    ``cut``: tails of less than exp(-cut) are cut off at each look and count as crossings. ``fourier``: long
    convolutions by fast Fourier transforms, whose errors are absolute, about 1e-10, and counted as crossings, too.
    The probabilities are upper bounds whatever these are.
    """

    def __init__(self, p: float, looks: np.ndarray, *, cut: float = _CUT, fourier: bool = False) -> None:
        self._draws = np.diff(looks, prepend=0).tolist()
        self._increments = {m: _binomial(m, p, cut) for m in set(self._draws)}
        self._tail, self._fourier = np.exp(-cut), fourier

    def crossing(self, upper: np.ndarray, lower: np.ndarray | None = None) -> float:
        """``crossing_probability`` of checked boundaries."""
        lower = np.full(len(upper), -1) if lower is None else lower
        crossed, roundings, first, alive = 0.0, 0.0, 0, np.ones(1)
        for m, u, l in zip(self._draws, upper.tolist(), lower.tolist(), strict=True):
            offset, weights = self._increments[m]
            # In units of two roundings: half a term of each sum of the convolution, and 32 for the sums below; weights
            # are right to 5 units of extended precision a step from the mode and one rounding.
            roundings += 0.5 * min(len(alive), len(weights)) + 32 + 5 * len(weights) * _EXTENDED / _EPS
            alive, error = self._convolve(alive, weights)
            first, crossed = first + offset, crossed + error
            above, below = _cut(u - first, len(alive)), _cut(l + 1 - first, len(alive))
            below = min(below, above)
            crossed += alive[above:].sum() + alive[:below].sum() + 2 * self._tail
            alive, first = alive[below:above], first + below
            alive, first, dropped = _trim(alive, first, self._tail)
            crossed += dropped
            if not len(alive):
                break
        return min(float(crossed) * (1 + 1.01 * roundings * _EPS), 1.0)

    def _convolve(self, alive: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
        """The convolution and a bound of its absolute errors, summed over the counts."""
        if not self._fourier or min(len(alive), len(weights)) < _LONG:
            return np.convolve(alive, weights), 0.0
        size = len(alive) + len(weights) - 1
        length = 1 << (size - 1).bit_length()
        both = np.fft.irfft(np.fft.rfft(alive, length) * np.fft.rfft(weights, length), length)[:size]
        # A transform of length L errs by at most 16 eps log2(L) of its 2-norm (Higham, "Accuracy and Stability of
        # Numerical Algorithms", Theorem 24.2, gives 4 or so); by Cauchy and Schwarz this is an entry's error from
        # the two factors, and the sum's from the transform back.
        norms = [float(np.sqrt(np.square(part).sum())) for part in (alive, weights, both)]
        error = 16 * _EPS * length.bit_length() * (2 * size * norms[0] * norms[1] + 2 * np.sqrt(size) * norms[2])
        return np.maximum(both, 0.0), error


def _binomial(m: int, p: float, cut: float) -> tuple[int, np.ndarray]:
    """``(first count, probabilities)`` of Bin(m, p) but for tails of at most exp(-cut) on either side."""
    if p in (0.0, 1.0):
        return int(m * p), np.ones(1)
    # Bernstein's inequality gives the half-width; ratios of neighbours, multiplied outward from the
    # mode, are right to five roundings per step whatever m is, ten once they are normalised.
    half = cut / 3 + np.sqrt((cut / 3) ** 2 + 2 * m * p * (1 - p) * cut) + 2
    mode = min(int((m + 1) * p), m)
    up = np.arange(mode, min(m, int(mode + half)), dtype=np.longdouble)
    down = np.arange(mode, max(0, int(mode - half)), -1, dtype=np.longdouble)
    odds = np.longdouble(p) / (1 - np.longdouble(p))
    rising = np.cumprod((m - up) / (up + 1) * odds)
    falling = np.cumprod(down / (m - down + 1) / odds)
    weights = np.concatenate([falling[::-1], np.ones(1, np.longdouble), rising])
    return mode - len(falling), (weights / weights.sum()).astype(np.float64)


def _cut(index: int, size: int) -> int:
    return min(max(index, 0), size)


def _trim(alive: np.ndarray, first: int, tail: float) -> tuple[np.ndarray, int, float]:
    """Drop the outermost counts that are less likely than ``tail`` together, on either side."""
    if not len(alive):
        return alive, first, 0.0
    low = int(np.searchsorted(np.cumsum(alive), tail))
    high = len(alive) - int(np.searchsorted(np.cumsum(alive[::-1]), tail))
    high = max(low, high)
    return alive[low:high], first + low, float(alive[:low].sum() + alive[high:].sum())


def _integers(name: str, value: Any, size: int | None = None) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be a vector of integers; got dtype {array.dtype}, shape {array.shape}")
    if size is not None and len(array) != size:
        raise ValueError(f"{name} must have one entry per look ({size}); got {len(array)}")
    return array.astype(np.int64)
