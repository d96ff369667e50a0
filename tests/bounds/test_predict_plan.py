"""Sequential prediction: exact error of every path, and what it saves."""

import numpy as np
import pytest
from scipy import stats

from jaxsmooth.bounds import GroupSequential, PredictPlan, crossing_probability, leader_p_value


def exact_error(p: tuple[float, float, float], plan: PredictPlan, scale: float = 1.0) -> float:
    """P(a class that is not the most likely one is returned), for three classes; ties: any return errs.

    Carries the distribution of (votes of class 0, votes of class 1) from draw to draw; ``scale`` plants a
    fault by multiplying the p-value.
    """
    n_max = plan.looks[-1]
    alive = np.zeros((n_max + 2, n_max + 2))
    alive[0, 0], wrong, first, second = 1.0, 0.0, *np.indices((n_max + 1, n_max + 1))
    best = {j for j in range(3) if p[j] == max(p)} if len({*p}) == 3 else set()
    alive = alive[:-1, :-1]
    for n in range(1, n_max + 1):
        step = p[2] * alive
        step[1:] += p[0] * alive[:-1]
        step[:, 1:] += p[1] * alive[:, :-1]
        alive = step
        if n not in plan.looks:
            continue
        look = int(np.flatnonzero(plan.looks == n)[0])
        counts = np.stack([first, second, n - first - second], axis=-1)
        reached = counts[..., 2] >= 0
        ordered = np.sort(np.where(reached[..., None], counts, 0), axis=-1)
        decided = reached & (scale * leader_p_value(ordered[..., 2], ordered[..., 1]) <= plan.tests.alphas[look])
        errs = decided & ~np.isin(counts.argmax(-1), list(best))
        wrong += alive[errs].sum()
        alive = np.where(decided, 0.0, alive)
    return wrong


PLANS = [
    PredictPlan(GroupSequential(40, 0.1, first_look=5)),
    PredictPlan(GroupSequential(60, 0.02, first_look=8, ratio=2.0)),
    PredictPlan(GroupSequential(30, 0.1, first_look=30)),
]
TIES = [(0.5, 0.5, 0.0), (0.45, 0.45, 0.1), (1 / 3, 1 / 3, 1 / 3), (0.4, 0.4, 0.2)]
CLOSE = [(0.49, 0.51, 0.0), (0.3, 0.4, 0.3), (0.33, 0.34, 0.33), (0.42, 0.48, 0.1), (0.2, 0.5, 0.3)]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan.looks[-1]))
@pytest.mark.parametrize("p", TIES + CLOSE)
def test_the_exact_error_is_at_most_alpha(plan, p):
    assert exact_error(p, plan) <= plan.tests.alpha


def test_a_one_sided_test_is_caught():
    assert exact_error((0.5, 0.5, 0.0), PLANS[2]) > 0.05
    assert exact_error((0.5, 0.5, 0.0), PLANS[2], scale=0.4) > 0.1


@pytest.mark.parametrize("tests", [GroupSequential(10_000, 1e-3, first_look=16), GroupSequential(1000, 0.01)])
def test_two_equal_classes_by_dynamic_programming(tests):
    wins = np.array([_smallest_win(n, a) for n, a in zip(tests.looks, tests.alphas, strict=True)])
    error = crossing_probability(0.5, tests.looks, wins, tests.looks - wins)
    assert 0.3 * tests.alpha < error <= tests.alpha


def _smallest_win(n: int, alpha: float) -> int:
    counts = np.arange((n + 1) // 2, n + 1)
    good = counts[leader_p_value(counts, n - counts) <= alpha]
    return int(good[0]) if len(good) else int(n) + 1


def test_p_value_is_the_two_sided_binomial_test():
    for leader, second in [(0, 0), (1, 0), (5, 5), (11, 0), (60, 41), (5200, 4800)]:
        expected = stats.binomtest(leader, leader + second, 0.5).pvalue if leader else 1.0
        np.testing.assert_allclose(leader_p_value(leader, second), expected, rtol=1e-9)


def test_eleven_votes_decide_a_clear_image_and_ten_never_can():
    assert PredictPlan(GroupSequential(11, 1e-3, first_look=11)).decide(0, [[11, 0]])[0].tolist() == [0]
    assert PredictPlan(GroupSequential(10, 1e-3, first_look=10)).decide(0, [[0, 10]])[0].tolist() == [-1]


@pytest.mark.parametrize("min_gain", [None, 0.05])
def test_clear_images_stop_early_and_ties_abstain(min_gain):
    plan = PredictPlan(GroupSequential(1000, 1e-3, first_look=16), min_gain=min_gain)
    rng, images = np.random.default_rng(0), 2000
    p = np.array([[0.02, 0.97, 0.01], [0.5, 0.5, 0.0], [0.6, 0.3, 0.1]])[np.arange(images) % 3]
    counts, label, draws = np.zeros((images, 3), np.int64), np.full(images, -1), np.zeros(images)
    going, drawn = np.ones(images, bool), 0
    for look, n in enumerate(plan.looks):
        active = np.flatnonzero(going)
        counts[active] += rng.multinomial(n - drawn, p[active])
        label[active], stop = plan.decide(look, counts[active])
        draws[active], going[active], drawn = n, ~stop, n
    clear, tie, likely = (np.arange(images) % 3 == k for k in range(3))
    assert np.all(label[clear] == 1) and np.median(draws[clear]) <= 24
    assert np.mean(label[tie] == -1) > 0.995
    assert np.mean(label[likely] == 0) > 0.99
    assert np.all((label != -1) | (draws > 0))
    if min_gain is not None:
        assert draws[tie].mean() < 750


def test_an_answer_is_that_of_votes_for_nobody_wherever_they_go():
    """Every way in which 24 draws can vote for two classes and for nobody, and every way in which the last may vote."""
    plan, n = PredictPlan(GroupSequential(24, 0.05, first_look=24)), 24
    counts = np.array([(a, b, 0) for a in range(n + 1) for b in range(n + 1 - a)])
    label = plan.decide(0, counts)[0]
    assert (label[counts.sum(-1) < n - 3] != -1).any()
    for row, found in zip(counts[label != -1], label[label != -1], strict=True):
        nobody = n - row.sum()
        ways = [(i, j, nobody - i - j) for i in range(nobody + 1) for j in range(nobody + 1 - i)]
        assert (plan.decide(0, row + np.array(ways))[0] == found).all()


@pytest.mark.parametrize("min_gain", [None, 0.05])
def test_images_may_be_at_different_looks(min_gain):
    plan = PredictPlan(GroupSequential(1000, 1e-3, first_look=16), min_gain=min_gain)
    looks, counts = np.array([0, 3, 5, len(plan.looks) - 1]), np.array([[16, 0], [30, 20], [60, 61], [500, 500]])
    together = plan.decide(looks, counts)
    apart = [plan.decide(int(k), counts[i : i + 1]) for i, k in enumerate(looks)]
    for part, each in zip(together, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(part, np.concatenate(each))


def test_abstention_is_decided_as_soon_as_no_look_can_succeed():
    plan = PredictPlan(GroupSequential(1000, 1e-3, first_look=500), min_gain=None)
    label, stop = plan.decide(1, [[375, 375], [450, 300]])
    assert plan.looks.tolist() == [500, 750, 1000]
    assert label.tolist() == [-1, 0]
    assert stop.tolist() == [False, True]
    assert PredictPlan(GroupSequential(1000, 1e-3, first_look=980), min_gain=None).decide(0, [[490, 490]])[1].all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((9, [[1, 2]]), ValueError, "look must lie between 0 and 7; got 9"),
        ((0, [[1.0, 2.0]]), TypeError, "counts must be integers; got dtype float64"),
        ((0, [1, 2]), ValueError, "counts must have shape"),
        ((0, [[60, 5]]), ValueError, "sum to at most the 64 draws made; got 65"),
        ((0, [[-1, 5]]), ValueError, "counts must be at least 0"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        PredictPlan(GroupSequential(1000, 1e-3)).decide(*arguments)
    with pytest.raises(ValueError, match="min_gain must be positive"):
        PredictPlan(GroupSequential(1000, 1e-3), min_gain=-1.0)
