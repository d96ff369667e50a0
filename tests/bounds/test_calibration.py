"""Calibrated thresholds: the exact error is at most alpha, by dynamic programming, and not much less."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from jaxsmooth.bounds import (
    CurvePlan,
    GroupSequential,
    calibrated_thresholds,
    clopper_pearson_lower,
    crossing_probability,
    curve_tests,
    optimal_futility,
)
from jaxsmooth.bounds import calibration as module
from jaxsmooth.bounds.boundary_crossing import Walk

PLANS = {
    "curve": curve_tests(100_000, 1e-3),
    "half": GroupSequential(100_000, 1e-3),
    "small alpha": curve_tests(20_000, 1e-8),
    "dense": GroupSequential(2000, 0.05, first_look=1, ratio=1.05),
    "sparse": GroupSequential(50_000, 0.01, first_look=500, ratio=3.2, last_share=0.8),
    "one look": GroupSequential(500, 1e-3, first_look=500),
    "tiny": GroupSequential(12, 1e-3, first_look=3),
    "large alpha": curve_tests(300, 0.3),
}
RADII = special.ndtr(np.arange(0, 3.6, 0.5))
plans = pytest.mark.parametrize("tests", PLANS.values(), ids=PLANS.keys())


@pytest.mark.parametrize(("n_max", "alpha"), [(2, 0.3), (20, 0.5), (64, 0.66), (72, 0.1), (100, 0.9)])
@pytest.mark.parametrize("any_class", [False, True])
def test_a_look_may_spend_all_of_probability(n_max, alpha, any_class):
    """It returns, and the exact error is at most alpha also where shares of it would be above 1."""
    for tests in (curve_tests(n_max, alpha), GroupSequential(n_max, alpha)):
        thresholds = calibrated_thresholds(tests, [0.5, 0.9, 0.99997], any_class=any_class)
        assert (thresholds >= 1).all() and (thresholds <= tests.looks + 1).all()
        for null, row in zip((0.5, 0.9, 0.99997), thresholds, strict=True):
            error = crossing_probability(null, tests.looks, row)
            other = crossing_probability(1 - null, tests.looks, thresholds[0]) if any_class else 0.0
            assert error + other <= alpha


@plans
def test_the_exact_error_is_at_most_alpha(tests):
    nulls = np.concatenate([[0, 1e-6, 0.1, 0.3], RADII, [1 - 1e-6, 1]])
    thresholds = calibrated_thresholds(tests, nulls)
    assert np.all(np.diff(thresholds, axis=0) >= 0)
    assert np.all(thresholds <= tests.thresholds(nulls))
    errors = [crossing_probability(p, tests.looks, row) for p, row in zip(nulls, thresholds, strict=True)]
    assert max(errors) <= tests.alpha


@plans
@pytest.mark.parametrize("nulls", [[0.5, 0.505, 0.51, 0.53, 0.6, 0.9], [0.503, 0.52], [0.7, 0.99]], ids=str)
def test_any_class_may_be_accepted(tests, nulls):
    """Two classes of p and 1 - p, each of which errs at the smallest null above its probability."""
    thresholds = calibrated_thresholds(tests, nulls, any_class=True)
    assert np.all(np.diff(thresholds, axis=0) >= 0)
    for j, (low, high) in enumerate(itertools.pairwise([0.5, *nulls])):
        for p in np.linspace(low, high, 3):
            error = crossing_probability(p, tests.looks, thresholds[j], tests.looks - thresholds[0])
            assert error <= tests.alpha, p
    for tau, row in zip(nulls, thresholds, strict=True):  # what the proof starts from
        both = Walk(tau, tests.looks).crossing(row) + Walk(1 - tau, tests.looks).crossing(thresholds[0])
        assert both <= tests.alpha * (1 + 1e-9)
        n, s = tests.looks, np.minimum(row, tests.looks + 1)
        convex = s * (s - 1) - 2 * s * (n - 1) * tau + n * (n - 1) * tau**2
        assert np.all((convex >= 0) & (s >= n * tau))


@plans
def test_any_class_with_many_small_classes(tests):
    lowest = calibrated_thresholds(tests, [0.5], any_class=True)[0]
    for classes in (2, 3, 5):
        assert classes * crossing_probability(1 / classes, tests.looks, lowest) <= tests.alpha * (1 + 1e-9)


@pytest.mark.parametrize("any_class", [False, True])
@pytest.mark.parametrize("name", ["curve", "half", "small alpha"])
def test_alpha_is_used_up(name, any_class):
    tests, nulls = PLANS[name], special.ndtr([0, 0.5, 1, 1.5])
    thresholds = calibrated_thresholds(tests, nulls, any_class=any_class)
    errors = np.array([crossing_probability(p, tests.looks, row) for p, row in zip(nulls, thresholds, strict=True)])
    assert np.all(errors >= 0.92 * tests.alpha / np.array([1 + any_class, 1, 1, 1]))


def test_more_than_the_factor_is_caught():
    tests = PLANS["curve"]
    for null in special.ndtr([0, 1, 2]):
        row = calibrated_thresholds(tests, [null])[0]
        assert crossing_probability(null, tests.looks, row - 1) > tests.alpha
    lowest = calibrated_thresholds(tests, [0.5])[0]  # for one class: accepting any would err twice as often
    assert crossing_probability(0.5, tests.looks, lowest, tests.looks - lowest) > 1.9 * tests.alpha


@given(st.lists(st.floats(0.5, 1), min_size=1, max_size=4), st.integers(20, 3000), st.floats(1e-4, 0.3), st.booleans())
def test_order_and_monotonicity(nulls, n_max, alpha, any_class):
    tests = GroupSequential(n_max, alpha, ratio=1.3, last_share=0.2, first_look=50)
    thresholds = calibrated_thresholds(tests, nulls, any_class=any_class)
    order = np.argsort(nulls, kind="stable")
    assert np.all(np.diff(thresholds[order], axis=0) >= 0)
    np.testing.assert_array_equal(thresholds[order], calibrated_thresholds(tests, np.sort(nulls), any_class=any_class))
    for p, row in zip(nulls, thresholds, strict=True):
        assert crossing_probability(p, tests.looks, row) <= alpha


@pytest.mark.parametrize("p", [0.0, 1e-4, 0.5, 0.84, 0.9987, 1.0])
def test_what_a_walk_cuts_off_only_adds(p):
    tests = PLANS["curve"]
    row = tests.thresholds([max(p, 0.5)])[0]
    exact = crossing_probability(p, tests.looks, row)
    assert exact <= Walk(p, tests.looks, cut=25.0, fourier=True).crossing(row) <= exact + 1e-8


def test_too_many_nulls_keep_their_shares():
    nulls, tests = np.linspace(0.5, 0.9, 81), PLANS["sparse"]
    np.testing.assert_array_equal(calibrated_thresholds(tests, nulls), tests.thresholds(nulls))


@pytest.mark.parametrize("any_class", [False, True])
@pytest.mark.parametrize("levels", [1, 100])
def test_unanimous_votes_reject_what_one_look_at_all_of_alpha_does(levels, any_class):
    tests = curve_tests(1000, 1e-3)
    largest = float(clopper_pearson_lower(1000, 1000, 1e-3))
    nulls = np.append(np.linspace(0.5, 0.9, levels), [largest - 1e-9, largest + 1e-6])
    thresholds = calibrated_thresholds(tests, nulls, any_class=any_class)
    assert tests.thresholds(nulls)[-2, -1] == 1001
    assert thresholds[-2:, -1].tolist() == [1000, 1001]
    assert crossing_probability(nulls[-2], tests.looks, thresholds[-2]) <= 1e-3


@pytest.mark.parametrize("alpha", [1e-4, 1e-3, 0.01])
@pytest.mark.parametrize("n_max", range(7, 17))
def test_unanimous_votes_of_any_class_may_be_those_of_either(n_max, alpha):
    """Of an even pair both are as likely: 2 ** (1 - n) is what n unanimous votes have to be below."""
    if 2.0**-n_max > alpha:
        return
    tests = GroupSequential(n_max, alpha)
    for p in (0.5, 0.5001, 0.6):
        row = calibrated_thresholds(tests, [p], any_class=True)[0]
        error = crossing_probability(p, tests.looks, row) + crossing_probability(1 - p, tests.looks, row)
        assert error <= alpha
    assert calibrated_thresholds(tests, [0.5], any_class=True)[0, -1] <= n_max + (2.0 ** (1 - n_max) > alpha)


@pytest.mark.parametrize("any_class", [False, True])
def test_planning_takes_less_than_a_second_and_is_remembered(any_class):
    module._calibrated.cache_clear()
    optimal_futility._plan.cache_clear()
    nulls = special.ndtr(np.arange(0, 3.1, 0.5))
    start = time.process_time()
    plan = CurvePlan(PLANS["curve"], nulls, any_class=any_class)
    assert plan.minimal_counts.shape == (len(plan.looks), 8)
    assert time.process_time() - start < 1.0
    assert CurvePlan(curve_tests(100_000, 1e-3), nulls, any_class=any_class).thresholds is plan.thresholds


@pytest.mark.parametrize(
    ("tests", "p", "any_class", "error", "message"),
    [
        (PLANS["tiny"], [1.1], False, ValueError, "p must lie in"),
        (PLANS["tiny"], [0.4], True, ValueError, "p must be at least 1/2"),
        ((12, 1e-3), [0.5], False, TypeError, "tests must be a GroupSequential"),
    ],
)
def test_bad_input(tests, p, any_class, error, message):
    with pytest.raises(error, match=message):
        calibrated_thresholds(tests, p, any_class=any_class)
