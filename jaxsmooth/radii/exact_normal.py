r"""The normal tail in exact arithmetic: integers with a proved error, from which tables of noise and anchors are made.

With F(z) = P(N(0, 1) > z), density f and Hermite polynomials He_n, a step is Taylor's series
:math:`F(z + \delta) = F(z) - f(z) \sum_{n \le N} (-1)^n He_n(z) \delta^{n+1} / (n+1)!`, and f itself moves by products:
:math:`f(z + \delta) = f(z) E(z)`, :math:`E(z + \delta) = E(z) e^{-\delta^2}`. Everything is an integer number of units
of 2^-bits, ``>>`` rounds down.

*Error*, in units, after i steps of at most 1/32 up to z = 12. delta and z are rounded once, by 1 and i: F moves by at
most 0.4 i for it. A recurrence of the terms rounds four times and damps what came before: 4 a term, 200 in the sum,
80 in F. E starts with 128 (its series has fewer than 60 terms, each rounded twice) and gains at most 130 a step, so f
gains 0.4 * 130 i + 1 a step, at most 60 (i + 1)^2 in all; it enters F with at most 1.2 delta a step, and delta i is
at most 12: 900 (i + 1)^2. The remainder of a step is at most :math:`0.44 \delta^{N+2} / ((N+2) \sqrt{(N+1)!})`, since
:math:`f(z) |He_n(z)| \le 0.44 \sqrt{n!}` (Cramer); N is chosen so that 2^21 of them stay below 2^42 units.
"""

import functools
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

# Steps are at most this long.
_LONGEST = Fraction(1, 32)
_MOST_STEPS = 2**21


def _error(steps: int) -> int:
    """In units, after so many steps."""
    return 2**11 * (steps + 1) ** 2 + 2**42


def march(
    start: Fraction, step: Fraction, bits: int, state: tuple[int, int] | None = None
) -> Iterator[tuple[int, int]]:
    """F and the density at ``start + step``, ``start + 2 step``, ..., in units of 2^-bits.

    Args:
        start: where ``state`` is known; 0 without one.
        step: at most 1/32.
        bits: what a unit is.
        state: F and the density at ``start``.
    """
    one = 1 << bits
    tail, density = state or (one // 2, math.isqrt((one << bits) * one // (2 * _pi(bits))))
    delta = int(step * one)
    square, z = delta * delta >> bits, int(start * one)
    growth, decay = _exp_minus((z * delta >> bits) + square // 2, bits), _exp_minus(square, bits)
    terms = _terms(float(step), bits)
    while True:
        slope = z * delta >> bits
        before, term = 0, delta
        total, sign = delta, -1
        for n in range(terms):
            before, term = (
                term,
                (slope * term >> bits) // (n + 2) - n * (square * before >> bits) // ((n + 1) * (n + 2)),
            )
            total += sign * term
            sign = -sign
        tail -= density * total >> bits
        density, growth, z = density * growth >> bits, growth * decay >> bits, z + delta
        yield tail, density


def thresholds(s: Fraction) -> tuple[list[int], Fraction]:
    r"""The table of a rounded normal number :math:`K = round(N(0, s^2))`, and what drawing from it loses.

    :math:`t_m = \lfloor 2^{63} P(|K| \ge m) \rfloor` for m = 1, 2, ... while it is positive: |K| is the number of t_m
    above a uniform 63-bit integer. The probabilities of |K| differ from the exact ones by the differences of
    neighbouring fractional parts :math:`\varepsilon_m = 2^{63} P(|K| \ge m) - t_m`, so that half of the sum of their
    absolute values, the total variation, is at most :math:`2^{-63} \sum_m \varepsilon_m`.

    Args:
        s: the standard deviation before rounding, in units of the lattice.

    Returns:
        ``(t, variation)``: integers, and an upper bound of the total variation.

    Raises:
        ArithmeticError: if a value is within 2^-500 of an integer.
    """
    for bits in (192, 320, 640):
        found = _thresholds(s, bits)
        if found is not None:
            return found
    raise ArithmeticError(f"the table for s = {s} needs more than 640 bits")


def _thresholds(s: Fraction, bits: int) -> tuple[list[int], Fraction] | None:
    half_parts, parts = math.ceil(1 / (2 * s * _LONGEST)), math.ceil(1 / (s * _LONGEST))
    first = next(itertools.islice(march(Fraction(0), 1 / (2 * s * half_parts), bits), half_parts - 1, None))
    walk = march(1 / (2 * s), 1 / (s * parts), bits, first)
    found, lost, shift = [], 0, bits - 64
    for m in itertools.count(1):
        tail = first[0] if m == 1 else next(itertools.islice(walk, parts - 1, None))[0]
        error = _error(half_parts + (m - 1) * parts)
        # 2^63 P(|K| >= m) = 2^64 F
        below, above = (tail - error) >> shift, (tail + error) >> shift
        if below != above:
            return None
        lost += tail + error - (below << shift)
        if below > 0:
            found.append(below)
        elif tail >> (shift - 24) == 0:
            # F(z + 1/s) <= F(z) e^(-z/s): what follows is at most F s / z, a geometric series.
            lost += int((tail + error) * s * s / Fraction(2 * m - 1, 2)) + 1
            return found, Fraction(2 * lost, 1 << bits)
    raise AssertionError


@functools.cache
def anchors(last: int) -> tuple[list[float], list[float]]:
    """F and the density at 0, 1/32, 2/32, ..., ``last``, each rounded once to a double."""
    bits = 192
    walk = march(Fraction(0), _LONGEST, bits)
    start = (1 << bits - 1, math.isqrt((1 << 3 * bits) // (2 * _pi(bits))))
    values = [start, *itertools.islice(walk, 32 * last)]
    return [tail / (1 << bits) for tail, _ in values], [density / (1 << bits) for _, density in values]


def _terms(step: float, bits: int) -> int:
    """How many terms after the first one."""
    wanted = (bits - 42 + math.log2(_MOST_STEPS)) * math.log(2)
    log_remainder = lambda n: (n + 2) * math.log(step) - math.log(n + 2) - math.lgamma(n + 2) / 2
    return next(n for n in itertools.count(2) if log_remainder(n) < -wanted)


def _exp_minus(x: int, bits: int) -> int:
    """e^-x for x below 1."""
    term = total = 1 << bits
    for n in itertools.count(1):
        term = -(term * x >> bits) // n
        if term in (0, -1):
            return total
        total += term
    raise AssertionError


@functools.cache
def _pi(bits: int) -> int:
    """Machin's formula, to a unit."""
    guard = bits + 32

    def arctan_of_inverse(n: int) -> int:
        power = total = (1 << guard) // n
        for k in itertools.count(1):
            power //= -n * n
            if power in (0, -1):
                return total
            total += power // (2 * k + 1)
        raise AssertionError

    return (16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)) >> 32
