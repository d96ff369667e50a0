"""Both bounds at once: exact enumeration of small multinomials and simulation of large ones."""

import itertools

import numpy as np
import pytest
from scipy import stats

from jaxsmooth.bounds import clopper_pearson_lower, clopper_pearson_upper, runner_up_bounds


def every_outcome(n: int, classes: int) -> np.ndarray:
    grids = itertools.product(range(n + 1), repeat=classes - 1)
    return np.array([(*c, n - sum(c)) for c in grids if sum(c) <= n])


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
@pytest.mark.parametrize("alpha", [0.1, 0.01])
def test_the_exact_error_is_at_most_alpha(share, alpha):
    n = 30
    outcomes = every_outcome(n, 4)  # the last class: draws that vote for nobody
    lower, upper = runner_up_bounds(outcomes[:, :3], np.zeros(len(outcomes), int), n, alpha, share=share)
    jumps = clopper_pearson_lower(np.arange(1, n + 1), n, alpha * share)[::5]
    for p_top in (*jumps, 0.5, 0.9):
        for second in (0.0, 0.3, 0.5, 0.9, 1.0):
            p = np.array([p_top, (1 - p_top) * second, (1 - p_top) * (1 - second) * 0.7])
            probability = stats.multinomial.pmf(outcomes, n, [*p, 1 - p.sum()])
            wrong = (lower > p[0]) | (upper < p[1:].max())
            assert probability[wrong].sum() <= alpha


@pytest.mark.parametrize("shares", [(0.0, 0.0, 0.3), (0.2, 0.1, 0.7), (0.6, 0.4, 0.0), (0.3, 0.3, 0.4)])
def test_votes_for_nobody_may_go_to_any_other_class(shares):
    """The last class votes for nobody: wherever it goes, the exact error is at most alpha; without it, it is not."""
    n, alpha = 30, 0.1
    outcomes = every_outcome(n, 4)
    counts, nobody = outcomes[:, :3], outcomes[:, 3]
    lower, upper = runner_up_bounds(counts, np.zeros(len(counts), int), n, alpha, share=0.5, invalid=nobody)
    careless = runner_up_bounds(counts, np.zeros(len(counts), int), n, alpha, share=0.5)[1]
    rest = 1 - np.array(clopper_pearson_upper([2, 9], n, alpha / 2)) + 1e-9
    for p_top in (*(1 - rest), *rest, 0.4):
        p = np.array([p_top, *((1 - p_top) * np.array(shares) / sum(shares))])
        probability = stats.multinomial.pmf(outcomes, n, p)
        most = p[1:3].max() + p[3]
        assert probability[(lower > p[0]) | (upper < most)].sum() <= alpha
        if p[3] > 0.2:
            assert probability[careless < most].sum() > alpha


def test_spending_all_of_alpha_on_both_sides_is_caught():
    n, alpha = 30, 0.1
    outcomes = every_outcome(n, 3)
    lower = clopper_pearson_lower(outcomes[:, 0], n, alpha)
    upper = clopper_pearson_upper(outcomes[:, 1], n, alpha)
    p_top = float(np.nextafter(clopper_pearson_lower(25, n, alpha), 0))
    p_second = float(clopper_pearson_upper(0, n, alpha)) * (1 + 1e-9)
    probability = stats.multinomial.pmf(outcomes, n, [p_top, p_second, 1 - p_top - p_second])
    assert probability[(lower > p_top) | (upper < p_second)].sum() > 1.5 * alpha


@pytest.mark.parametrize("p", [(0.6, 0.2, 0.1, 0.05), (0.45, 0.2, 0.2, 0.15), (0.99, 0.004, 0.003, 0.002)])
def test_simulated_error_at_a_thousand_draws(p):
    """False alarm 1e-6 against the binomial quantile."""
    images, n, alpha = 20_000, 1000, 0.02
    counts = np.random.default_rng(0).multinomial(n, [*p, 1 - sum(p)], size=images)[:, :4]
    lower, upper = runner_up_bounds(counts, np.zeros(images, int), n, alpha)
    wrong = (lower > p[0]) | (upper < max(p[1:]))
    assert wrong.sum() <= stats.binom.isf(1e-6, images, alpha)


def test_it_is_two_clopper_pearson_bounds():
    counts = np.array([[10, 700, 90], [5, 1, 900]])
    lower, upper = runner_up_bounds(counts, [1, 2], np.array([1000, 950]), 0.001, share=0.75)
    np.testing.assert_array_equal(lower, clopper_pearson_lower([700, 900], [1000, 950], 0.001 * 0.75))
    np.testing.assert_array_equal(upper, clopper_pearson_upper([90, 5], [1000, 950], 0.001 * 0.25))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[1, 2]], [0], 2, 0.1), ValueError, "counts must not sum to more than trials"),
        (([[1, 2]], [2], 5, 0.1), ValueError, "top must lie between 0 and 1"),
        (([[1, 2]], [-1], 5, 0.1), ValueError, "top must lie between 0 and 1"),
        (([[1, 2]], [0, 1], 5, 0.1), ValueError, "top must be one class index per image"),
        (([[1.0, 2.0]], [0], 5, 0.1), TypeError, "counts must be integer counts"),
        (([1, 2], [0], 5, 0.1), ValueError, "counts must have shape"),
        (([[1]], [0], 5, 0.1), ValueError, "at least 2 classes"),
        (([[1, 2]], [0], 5, 0.0), ValueError, "alpha must be strictly between 0 and 1"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        runner_up_bounds(*arguments)
    with pytest.raises(ValueError, match="invalid must lie between 0 and 2; got 3"):
        runner_up_bounds([[1, 2]], [0], 5, 0.1, invalid=3)
