"""The optimal futility rule against exact backward induction, and against the other rules."""

import numpy as np
import pytest
from scipy import special, stats

from jaxsmooth.bounds import (
    ConditionalPower,
    ConfidentlyBelow,
    CurvePlan,
    GroupSequential,
    OptimalFutility,
    Unreachable,
)

NULLS = special.ndtr(np.array([0, 0.5, 1, 1.5]))
TESTS = GroupSequential(600, 0.01, first_look=20, ratio=1.5, last_share=0.3)
PRICE = 0.2


def value(looks: np.ndarray, thresholds: np.ndarray, minimal: np.ndarray | None) -> float:
    """The expected gain less the price under the prior, by exact beta-binomials; of the best rule without ``minimal``.

    ``minimal``: int64 ``(looks, levels)``, the smallest counts that go on.
    """
    levels, after = len(thresholds), np.zeros((len(thresholds) + 1, looks[-1] + 1))
    certified = np.arange(levels + 1)[:, None]
    for k in range(len(looks) - 1, -1, -1):
        n, before = looks[k], looks[k - 1] if k else 0
        now = np.maximum(certified, (np.arange(n + 1) >= thresholds[:, k, None]).sum(0))
        worth = (now - certified) / levels + np.take_along_axis(after, now, axis=0)
        s = np.arange(before + 1)[:, None]
        to = np.arange(n - before + 1)[None, :]
        step = stats.betabinom.pmf(to, n - before, s + 0.5, before - s + 0.5)
        expected = np.array([[row @ part[i : i + len(row)] for i, row in enumerate(step)] for part in worth])
        after = expected - PRICE * (n - before) / looks[-1]
        if k == 0:
            continue
        if minimal is None:
            after = np.maximum(after, 0.0)
        else:
            ahead = np.append(minimal[k - 1], before + 1)
            after = np.where(np.arange(before + 1) >= ahead[:, None], after, 0.0)
    return float(after[0, 0])


def test_no_rule_is_better_but_for_the_normal_limit():
    plan = CurvePlan(TESTS, NULLS, futility=OptimalFutility(PRICE))
    achieved = lambda rule: value(plan.looks, plan.thresholds, rule.minimal_counts(plan.looks, NULLS, plan.thresholds))
    best = value(plan.looks, plan.thresholds, None)
    ours = achieved(OptimalFutility(PRICE))
    assert 0.995 * best < ours <= best + 1e-12
    others = [Unreachable(), ConfidentlyBelow(), ConfidentlyBelow(0.1)]
    others += [ConditionalPower(g) for g in (0.01, 0.05, 0.2, 0.5)] + [OptimalFutility(g) for g in (0.05, 0.8)]
    assert max(map(achieved, others)) < ours


def test_one_look_and_nothing_to_win_are_given_up():
    looks = np.array([100])
    assert OptimalFutility().minimal_counts(looks, NULLS[:1], np.array([[60]])).tolist() == [[101]]
    looks, thresholds = np.array([100, 200]), np.array([[60, 110], [101, 201]])
    assert OptimalFutility().minimal_counts(looks, np.array([0.5, np.inf]), thresholds)[0, 1] == 101


def test_a_higher_price_gives_up_earlier():
    minimal = [CurvePlan(TESTS, NULLS, futility=OptimalFutility(g)).minimal_counts for g in (1e-3, 0.05, 0.3, 100.0)]
    assert np.all(np.diff(minimal, axis=0) >= 0)
    assert np.all(minimal[-1] == TESTS.looks[:, None] + 1)


def test_many_levels_are_represented_by_some():
    nulls = np.linspace(0.5, 0.95, 60)
    looks, thresholds = TESTS.looks, TESTS.thresholds(nulls)
    minimal = OptimalFutility().minimal_counts(looks, nulls, thresholds)
    assert minimal.shape == (len(looks), 60)
    assert np.all(np.diff(minimal, axis=1) >= 0)
    few = OptimalFutility().minimal_counts(looks, nulls[::2], thresholds[::2])
    assert np.abs(minimal[:, ::2] - few).max() <= 0.05 * looks[-1]


@pytest.mark.parametrize("n_max", [2, 30, 10**6])
def test_any_number_of_draws(n_max):
    looks = np.unique([1, n_max // 2, n_max])
    thresholds = np.array([looks, looks + 1])
    minimal = OptimalFutility(1e-6).minimal_counts(looks, np.array([0.5, 0.6]), thresholds)
    assert np.all((minimal >= 0) & (minimal <= looks[:, None] + 1))


def test_bad_input():
    with pytest.raises(ValueError, match="min_gain must be positive"):
        OptimalFutility(0.0)
