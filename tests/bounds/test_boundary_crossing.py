"""The dynamic programme against enumeration of all paths and against exact fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from jaxsmooth.bounds import crossing_probability


def by_enumeration(p: Fraction, looks, upper, lower) -> Fraction:
    total = Fraction(0)
    for path in itertools.product((0, 1), repeat=looks[-1]):
        counts = np.cumsum(path)[np.array(looks) - 1]
        if np.any(counts >= upper) or np.any(counts <= lower):
            wins = sum(path)
            total += p**wins * (1 - p) ** (len(path) - wins)
    return total


@pytest.mark.parametrize("p", [Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(7, 8), Fraction(1)])
@pytest.mark.parametrize(
    ("looks", "upper", "lower"),
    [
        ([12], [9], [-1]),
        ([3, 5, 12], [3, 5, 9], [-1, 0, 2]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [2, 3, 3, 4, 5, 5, 6, 6], [-1, -1, 0, 0, 1, 1, 1, 2]),
        ([2, 4], [3, 5], [-1, -1]),
        ([2, 4], [0, 5], [-1, -1]),
        ([2, 4], [1, 5], [0, -1]),
    ],
)
def test_every_path_is_counted_once(p, looks, upper, lower):
    exact = float(by_enumeration(p, looks, np.array(upper), np.array(lower)))
    ours = crossing_probability(float(p), looks, upper, lower)
    assert exact <= ours <= exact * (1 + 1e-12) + 1e-24


@pytest.mark.parametrize("p", [1e-5, 0.3, 0.5, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("n", [1, 10, 1000, 1_000_000])
def test_one_look_is_the_binomial_tail(p, n):
    for count in np.unique(np.clip(stats.binom.isf([0.5, 1e-3, 1e-12], n, p).astype(int) + 1, 0, n + 1)):
        tail = stats.binom.sf(count - 1, n, p)
        ours = crossing_probability(p, [n], [count])
        assert tail * (1 - 1e-9) <= ours <= min(tail * (1 + 1e-8) + 1e-24, 1.0)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.97])
def test_looks_that_cannot_cross_change_nothing(p):
    n, step = 20_000, np.arange(100, 20_001, 100)
    count = int(stats.binom.isf(1e-3, n, p))
    never = np.append(step[:-1] + 1, count)
    np.testing.assert_allclose(crossing_probability(p, step, never), crossing_probability(p, [n], [count]), rtol=1e-9)


def test_more_looks_cross_more_often():
    every = np.arange(1, 201)
    upper = stats.binom.isf(0.01, every, 0.5).astype(int) + 1
    probabilities = [crossing_probability(0.5, every[::-step][::-1], upper[::-step][::-1]) for step in (100, 10, 1)]
    assert probabilities[0] < probabilities[1] < probabilities[2]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1.5, [1], [1]), ValueError, "p must lie in"),
        ((0.5, [], []), TypeError, "looks must be a vector of integers"),
        ((0.5, [2, 2], [1, 1]), ValueError, "looks must be positive and increasing"),
        ((0.5, [0, 2], [1, 1]), ValueError, "looks must be positive and increasing"),
        ((0.5, [1.0], [1]), TypeError, "looks must be a vector of integers; got dtype float64"),
        ((0.5, [1, 2], [1]), ValueError, "upper must have one entry per look"),
        ((0.5, [1], [1], [0.5]), TypeError, "lower must be a vector of integers"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        crossing_probability(*arguments)
