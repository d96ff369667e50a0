"""Error rates by exact dynamic programming, and planted faults that it must catch."""

import itertools
import re

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import special, stats

from jaxsmooth.bounds import GroupSequential, calibrated_thresholds, clopper_pearson_lower, crossing_probability

PLANS = {
    "default": GroupSequential(100_000, 1e-3),
    "short": GroupSequential(1000, 1e-3),
    "predict": GroupSequential(10_000, 1e-3, first_look=16),
    "dense": GroupSequential(5000, 0.05, first_look=1, ratio=1.05),
    "sparse": GroupSequential(50_000, 0.01, first_look=500, ratio=3.2, last_share=0.8),
    "one look": GroupSequential(500, 1e-3, first_look=500),
    "tiny": GroupSequential(12, 1e-3, first_look=3),
}
RADII = special.ndtr(np.arange(0, 3.6, 0.5))
plans = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def jump_points(plan: GroupSequential) -> np.ndarray:
    """Nulls at which a threshold changes: there a look spends all of its alpha."""
    rng = np.random.default_rng(0)
    looks = rng.integers(len(plan.looks), size=12)
    n = plan.looks[looks]
    points = np.array(
        [
            clopper_pearson_lower(int(rng.integers(1, m + 1)), int(m), a)
            for m, a in zip(n, plan.alphas[looks], strict=True)
        ]
    )
    return np.concatenate([points, np.nextafter(points, 0), np.nextafter(points, 1)])


@plans
def test_the_exact_error_is_at_most_alpha(plan):
    nulls = np.concatenate([[0, 1e-6, 0.1, 0.3, 0.52, 0.999, 1 - 1e-6, 1], RADII, jump_points(plan)])
    errors = np.array([plan.crossing_probability(p) for p in nulls])
    assert errors.max() <= plan.alpha
    assert errors.max() > 0.3 * plan.alpha  # nor is alpha wasted


@plans
def test_below_the_null_the_error_is_smaller_still(plan):
    errors = [plan.crossing_probability(p, null=0.8) for p in (0.0, 0.5, 0.7, 0.79, 0.8, 0.81)]
    assert np.all(np.diff(errors) >= 0)
    assert errors[-2] <= plan.alpha


@plans
def test_any_class_may_be_accepted(plan):
    """Two classes of p and 1 - p, each of which errs at the smallest null above its probability."""
    for nulls in ([0.5, 0.505, 0.51, 0.53, 0.6, 0.9], [0.503, 0.52], [0.7, 0.99]):
        thresholds = plan.thresholds(nulls, any_class=True)
        for j, (low, high) in enumerate(itertools.pairwise([0.5, *nulls])):
            for p in np.linspace(low, high, 4):
                error = crossing_probability(p, plan.looks, thresholds[j], plan.looks - thresholds[0])
                assert error <= plan.alpha, (nulls, p)


@plans
def test_any_class_with_many_small_classes(plan):
    lowest = plan.thresholds([0.5], any_class=True)[0]
    for classes in (2, 3, 5, 10):
        assert classes * crossing_probability(1 / classes, plan.looks, lowest) <= plan.alpha


def test_any_class_costs_nothing_but_near_one_half():
    plan = PLANS["default"]
    nulls = [0.5, 0.53, 0.6, 0.9]
    extra = plan.thresholds(nulls, any_class=True) - plan.thresholds(nulls)
    assert np.all(extra >= 0)
    assert extra[0].max() > 0
    assert extra[2:].max() <= 1


@pytest.mark.parametrize("null", [0.5, 0.84, 0.9987])
def test_planted_faults_are_caught(null):
    plan = PLANS["default"]
    peeking = np.arange(100, 20_001, 100)
    full_alpha = lambda n: stats.binom.isf(1e-3, n, null).astype(int) + 1
    assert crossing_probability(null, peeking, full_alpha(peeking)) > 3e-3  # Clopper-Pearson after every batch
    assert crossing_probability(null, plan.looks, full_alpha(plan.looks)) > 3e-3  # alpha not divided
    doubled = GroupSequential(100_000, 2e-3).thresholds([null])[0]
    if null < 0.99:  # near 1 counts are coarse and half of alpha is not spent
        assert crossing_probability(null, plan.looks, doubled) > 1e-3
    one_less = plan.thresholds([null])[0] - 1
    assert crossing_probability(null, plan.looks, one_less) > plan.crossing_probability(null)


def test_accepting_any_class_at_full_alpha_is_caught():
    plan = PLANS["default"]
    thresholds = plan.thresholds([0.5])[0]
    assert crossing_probability(0.5, plan.looks, thresholds, plan.looks - thresholds) > 1.5e-3


@plans
def test_thresholds_are_the_smallest_that_the_binomial_allows(plan):
    nulls = np.concatenate([RADII, [0.01, 0.3, 0.51, 0.999]])
    thresholds = plan.thresholds(nulls)
    for null, row in zip(nulls, thresholds, strict=True):
        assert np.all(stats.binom.sf(row - 1, plan.looks, null) <= plan.alphas)
        one_less_fails = stats.binom.sf(row - 2, plan.looks, null) > plan.alphas * (1 - 1e-9)
        assert np.all(one_less_fails | (row == plan.looks + 1))
    assert np.all(thresholds <= plan.looks + 1)


def test_one_look_is_clopper_pearson():
    plan = PLANS["one look"]
    counts = np.arange(501)
    certified = clopper_pearson_lower(counts, 500, 1e-3)[None, :] >= RADII[:, None]
    by_threshold = counts[None, :] >= plan.thresholds(RADII)
    np.testing.assert_array_equal(certified, by_threshold)


def test_lower_bounds_and_thresholds_say_the_same():
    plan = PLANS["short"]
    for look, n in enumerate(plan.looks):
        bound = plan.lower_bound(look, np.arange(n + 1))
        by_threshold = np.arange(n + 1) >= plan.thresholds(RADII)[:, look, None]
        np.testing.assert_array_equal(bound >= RADII[:, None], by_threshold)
    with pytest.raises(ValueError, match="look must be below 8"):
        plan.lower_bound(8, [1])


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.integers(20, 10**6),
    st.floats(1e-5, 0.3),
    st.integers(1, 1000),
    st.booleans(),
)
def test_thresholds_increase_with_the_null(nulls, n_max, alpha, first_look, any_class):
    plan = GroupSequential(n_max, alpha, first_look=first_look)
    if any_class:
        nulls = [0.5 + p / 2 for p in nulls]
    order = np.argsort(nulls, kind="stable")
    thresholds = plan.thresholds(nulls, any_class=any_class)
    assert thresholds.shape == (len(nulls), len(plan.looks))
    assert np.all(np.diff(thresholds[order], axis=0) >= 0)
    np.testing.assert_array_equal(thresholds[order], plan.thresholds(np.array(nulls)[order], any_class=any_class))
    assert np.all(thresholds <= GroupSequential(n_max, alpha / 2, first_look=first_look).thresholds(nulls)) or any_class


@given(st.integers(20, 10**7), st.floats(1e-5, 0.3), st.integers(1, 1000), st.floats(1.05, 5), st.floats(0.1, 0.9))
def test_looks_grow_geometrically_and_alphas_sum_to_alpha(n_max, alpha, first_look, ratio, last_share):
    plan = GroupSequential(n_max, alpha, first_look=first_look, ratio=ratio, last_share=last_share)
    assert plan.looks[-1] == n_max
    assert np.all(np.diff(plan.looks) > 0)
    assert np.all(plan.looks[1:] <= np.ceil(plan.looks[:-1] * ratio) + 1)
    np.testing.assert_allclose(plan.alphas.sum(), alpha, rtol=1e-14)
    if len(plan.looks) > 1:
        np.testing.assert_allclose(plan.alphas[-1], alpha * last_share, rtol=1e-14)


@pytest.mark.parametrize("p", [0.0, 0.5, 0.9, 0.9987, 0.99999])
def test_required_n_max_is_the_smallest_that_certifies(p):
    plan = GroupSequential(1000, 1e-3)
    needed = int(plan.required_n_max(p))
    reaches = lambda n: bool(np.any(GroupSequential(n, 1e-3).thresholds([p])[0, -1] <= n))
    assert reaches(max(needed, 10))
    if needed > 10:
        assert not reaches(needed - 1)


@given(st.integers(1, 60), st.floats(1e-9, 0.3), st.integers(1, 40), st.floats(1.05, 3), st.floats(1e-6, 0.999))
@example(20, 0.001, 8, 1.5, 1e-4)  # by the look at 12 draws
def test_refused_where_no_look_can_reject_one_half(n_max, alpha, first_look, ratio, last_share):
    options = {"first_look": first_look, "ratio": ratio, "last_share": last_share}
    try:
        plan = GroupSequential(n_max, alpha, **options)
    except ValueError as error:
        needed = int(re.search(r"n_max >= (\d+)", str(error))[1])
        assert needed > n_max
        plan = GroupSequential(needed, alpha, **options)
    thresholds = plan.thresholds([0.5])[0]
    assert np.any(thresholds <= plan.looks)
    assert np.all(stats.binom.sf(thresholds - 1, plan.looks, 0.5) <= plan.alphas * (1 + 1e-12))


def test_numbers_of_other_libraries_are_numbers():
    made = GroupSequential(1000, jnp.float32(0.001), last_share=np.float64(0.1), ratio=np.float32(1.5))
    assert type(made.alpha) is type(made.last_share) is type(made.ratio) is float
    plain = GroupSequential(1000, made.alpha, last_share=0.1)
    np.testing.assert_array_equal(calibrated_thresholds(made, [0.5]), calibrated_thresholds(plain, [0.5]))


def test_no_probability_suffices():
    assert np.all(PLANS["short"].thresholds([np.inf, 1.0]) == PLANS["short"].looks + 1)
    assert np.all(PLANS["short"].thresholds([np.inf], any_class=True) == PLANS["short"].looks + 1)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((9, 1e-3), {}, ValueError, "n_max = 9 can never certify at alpha = 0.001.*use n_max >= 10"),
        ((10, 1e-3), {"first_look": 2}, ValueError, "use n_max >= 11"),
        ((100, 0.0), {}, ValueError, "alpha must be strictly between 0 and 1; got 0.0"),
        ((100, 1.0), {}, ValueError, "alpha must be strictly between 0 and 1; got 1.0"),
        ((100.0, 0.1), {}, TypeError, "n_max must be a Python integer.*got 100.0"),
        ((100, 0.1), {"first_look": 0}, ValueError, "first_look must be at least 1; got 0"),
        ((2, 1e-3), {"ratio": 1e308, "first_look": 1}, ValueError, "use n_max >= "),
        ((100, 0.1), {"ratio": 1.0}, ValueError, "ratio must be at least 1.01.*got 1.0"),
        ((100, 0.1), {"last_share": 1.0}, ValueError, "last_share must be strictly between 0 and 1; got 1.0"),
    ],
)
def test_bad_plans(arguments, options, error, message):
    with pytest.raises(error, match=message):
        GroupSequential(*arguments, **options)


@pytest.mark.parametrize(
    ("p", "any_class", "message"),
    [
        ([-0.1], False, "p must lie in"),
        ([1.1], False, "p must lie in"),
        ([np.nan], False, "p must lie in"),
        ([[0.5]], False, "p must be a vector"),
        ([0.4, 0.6], True, "p must be at least 1/2 when any class may be accepted; got 0.4"),
    ],
)
def test_bad_nulls(p, any_class, message):
    with pytest.raises(ValueError, match=message):
        PLANS["short"].thresholds(p, any_class=any_class)


def test_required_n_max_refuses_certainty():
    with pytest.raises(ValueError, match="p = 1 cannot be rejected by any number of votes"):
        PLANS["short"].required_n_max([0.9, 1.0])
