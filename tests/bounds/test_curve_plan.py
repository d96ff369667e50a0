"""Decisions by integers: they agree with their definition, never err more than alpha, and lose little power."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from jaxsmooth.bounds import (
    AbstractFutility,
    ConditionalPower,
    ConfidentlyBelow,
    CurvePlan,
    GroupSequential,
    OptimalFutility,
    Unreachable,
    calibrated_thresholds,
    clopper_pearson_upper,
    curve_tests,
)

NULLS = special.ndtr(np.arange(0, 3.1, 0.5))
TESTS = GroupSequential(100_000, 1e-3)
RULES = [Unreachable(), ConfidentlyBelow(), ConfidentlyBelow(1e-4), ConditionalPower(), ConditionalPower(0.2)]
RULES += [OptimalFutility(), OptimalFutility(0.5)]
rules = pytest.mark.parametrize("rule", RULES, ids=repr)


def run(plan: CurvePlan, p: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``(certified levels, draws)`` of images whose tested class has probability ``p``."""
    rng = np.random.default_rng(seed)
    counts, certified, draws = np.zeros((3, len(p)), np.int64)
    going, drawn = np.ones(len(p), bool), 0
    for look, n in enumerate(plan.looks):
        active = np.flatnonzero(going)
        counts[active] += rng.binomial(n - drawn, p[active])
        certified[active], stop = plan.decide(look, counts[active], certified[active])
        draws[active], drawn = n, n
        going[active] = ~stop
    assert not going.any()
    return certified, draws


@rules
@pytest.mark.parametrize("any_class", [False, True])
@pytest.mark.parametrize("calibrated", [False, True])
def test_decisions_follow_the_definition(rule, any_class, calibrated):
    plan = CurvePlan(TESTS, NULLS, any_class=any_class, futility=rule, calibrated=calibrated)
    if calibrated:
        thresholds = calibrated_thresholds(TESTS, NULLS, any_class=any_class)
    else:
        thresholds = TESTS.thresholds(NULLS, any_class=any_class)
    for look, n in enumerate(plan.looks):
        counts = np.unique(np.concatenate([np.linspace(0, n, 50).astype(int), np.clip(thresholds[:, look], 0, n)]))
        for before in range(len(NULLS) + 1):
            certified, stop = plan.decide(look, counts, np.full(len(counts), before))
            expected = np.maximum(before, (counts >= thresholds[:, look, None]).sum(0))
            np.testing.assert_array_equal(certified, expected)
            assert np.all(stop[certified == len(NULLS)])
            assert np.all(np.diff(stop.astype(int)[certified == before]) <= 0)  # more votes, more hope
            if look == len(plan.looks) - 1:
                assert np.all(stop)


@rules
def test_images_at_the_null_are_certified_with_probability_at_most_alpha(rule):
    """False alarm 1e-6: the count of errors among many images against the binomial quantile."""
    images = 20_000
    for level, null in enumerate(NULLS):
        plan = CurvePlan(GroupSequential(20_000, 0.01), NULLS, futility=rule)
        certified, _ = run(plan, np.full(images, null), seed=level)
        assert np.sum(certified > level) <= stats.binom.isf(1e-6, images, 0.01)


def test_full_alpha_at_every_look_would_be_caught():
    plan = CurvePlan(GroupSequential(20_000, 0.01), NULLS, futility=Unreachable())
    greedy = np.array([stats.binom.isf(0.01, plan.looks, null).astype(int) + 1 for null in NULLS])
    plan.__dict__["thresholds"] = greedy
    certified, _ = run(plan, np.full(20_000, 0.5), seed=0)
    assert np.sum(certified > 0) > stats.binom.isf(1e-6, 20_000, 0.01)


def test_giving_up_what_is_unreachable_loses_nothing():
    p = np.random.default_rng(0).uniform(0.4, 1, 3000)
    always: AbstractFutility = Unreachable()
    plan = CurvePlan(GroupSequential(3000, 1e-3), NULLS, futility=always)
    never = CurvePlan(GroupSequential(3000, 1e-3), NULLS, futility=always)
    never.__dict__["minimal_counts"] = np.concatenate(
        [np.zeros((len(plan.looks), len(NULLS)), int), plan.looks[:, None] + 1], axis=1
    )
    never.minimal_counts[-1] = never.looks[-1] + 1
    # The same votes whether or not an image goes on: count paths are drawn first.
    rng = np.random.default_rng(1)
    paths = np.cumsum([rng.binomial(m, p) for m in np.diff(plan.looks, prepend=0)], axis=0)
    results = []
    for each in (plan, never):
        certified, going = np.zeros(len(p), np.int64), np.ones(len(p), bool)
        for look in range(len(each.looks)):
            active = np.flatnonzero(going)
            certified[active], stop = each.decide(look, paths[look, active], certified[active])
            going[active] = ~stop
        results.append(certified)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("rule", [ConditionalPower(), OptimalFutility()], ids=repr)
def test_a_price_per_draw_saves_draws_at_little_loss(rule):
    p = np.random.default_rng(0).beta(0.7, 0.5, 20_000)
    certified, draws = run(CurvePlan(TESTS, NULLS, futility=rule), p, seed=1)
    patient, patient_draws = run(CurvePlan(TESTS, NULLS, futility=ConfidentlyBelow(1e-3)), p, seed=2)
    assert draws.mean() < 0.75 * patient_draws.mean()
    assert certified.mean() > patient.mean() - 0.002 * len(NULLS)


def test_confidently_below_is_the_clopper_pearson_upper_bound():
    looks = np.array([50, 500, 5000])
    minimal = ConfidentlyBelow(0.01).minimal_counts(looks, NULLS, np.tile(looks // 2, (len(NULLS), 1)))
    for look, n in enumerate(looks[:-1]):
        upper = clopper_pearson_upper(np.arange(n + 1), int(n), 0.01)
        for level, null in enumerate(NULLS):
            assert minimal[look, level] == np.searchsorted(upper, null, side="right")


@given(st.lists(st.floats(0.5, 0.9999), min_size=1, max_size=5), st.integers(200, 10**6), st.floats(1e-3, 1))
def test_minimal_counts_increase_with_the_certified_levels(nulls, n_max, min_gain):
    tests = GroupSequential(n_max, 1e-3)
    if tests.required_n_max(min(nulls)) > n_max:
        return
    for rule in (Unreachable(), ConfidentlyBelow(), ConditionalPower(min_gain), OptimalFutility(min_gain)):
        minimal = CurvePlan(tests, sorted(nulls), futility=rule).minimal_counts
        assert minimal.shape == (len(tests.looks), len(nulls) + 1)
        assert np.all(np.diff(minimal, axis=1) >= 0)
        assert np.all((minimal >= 0) & (minimal <= tests.looks[:, None] + 1))
        np.testing.assert_array_equal(minimal[-1], tests.looks[-1] + 1)


def test_images_may_be_at_different_looks():
    plan = CurvePlan(GroupSequential(1000, 1e-3), NULLS[:3])
    looks, counts, before = np.array([0, 3, 3, 7]), np.array([60, 170, 120, 900]), np.array([0, 1, 0, 0])
    together = plan.decide(looks, counts, before)
    apart = [plan.decide(int(k), counts[i : i + 1], before[i : i + 1]) for i, k in enumerate(looks)]
    for part, each in zip(together, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(part, np.concatenate(each))


def test_unreachable_levels_are_not_waited_for():
    plan = CurvePlan(GroupSequential(1000, 1e-3), [0.5, 0.9999, np.inf])
    certified, stop = plan.decide(0, [64], [0])
    assert certified.tolist() == [1]
    assert stop.tolist() == [True]


@pytest.mark.parametrize(
    ("p", "options", "error", "message"),
    [
        ([], {}, ValueError, "p must be a nondecreasing vector"),
        ([0.6, 0.5], {}, ValueError, "p must be a nondecreasing vector"),
        (0.5, {}, ValueError, "p must be a nondecreasing vector"),
        ([1.2], {}, ValueError, "p must lie in"),
        ([0.4], {"any_class": True}, ValueError, "p must be at least 1/2 when any class"),
        ([0.9999], {}, ValueError, "n_max = 1000 votes at alpha = 0.001 cannot certify p = 0.9999, .* n_max >= 69075 "),
        ([0.9999], {"calibrated": False}, ValueError, "cannot certify p = 0.9999, .*; use a larger n_max or"),
        ([1.0], {}, ValueError, "cannot certify p = 1, the smallest level; use a smaller radius"),
    ],
)
def test_bad_plans(p, options, error, message):
    with pytest.raises(error, match=message):
        CurvePlan(GroupSequential(1000, 1e-3), p, **options)


@pytest.mark.parametrize(("p", "any_class"), [(0.5, True), (0.7, False), (0.7, True), (0.99, False), (0.99, True)])
def test_the_n_max_of_the_refusal_certifies_and_one_less_does_not(p, any_class):
    make = lambda n_max: CurvePlan(curve_tests(n_max, 1e-4), [p], any_class=any_class)
    with pytest.raises(ValueError, match="n_max >= ") as found:
        make(14)
    needed = int(re.search(r"n_max >= (\d+)", str(found.value))[1])
    plan = make(needed)
    # No proof at all where one look at all draws, or the other class there, takes more than alpha.
    assert plan.thresholds.min() <= needed and p**needed + (1 - p) ** needed * any_class <= 1e-4
    with pytest.raises(ValueError, match="n_max >= "):
        make(needed - 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((99, [1], [0]), ValueError, "look must lie between 0 and 7; got 99"),
        ((0.0, [1], [0]), TypeError, "look must be integers; got dtype float64"),
        ((0, [1.0], [0]), TypeError, "counts must be integers; got dtype float64"),
        ((0, [65], [0]), ValueError, "counts must lie between 0 and 64; got 65"),
        ((0, [1], [8]), ValueError, "certified must lie between 0 and 7; got 8"),
    ],
)
def test_bad_counts(arguments, error, message):
    with pytest.raises(error, match=message):
        CurvePlan(GroupSequential(1000, 1e-3), NULLS).decide(*arguments)


def test_bad_rules():
    with pytest.raises(ValueError, match="beta must be strictly between 0 and 1"):
        ConfidentlyBelow(1.0)
    with pytest.raises(ValueError, match="min_gain must be positive"):
        ConditionalPower(0.0)
