"""predict: the binomial test of the two leading classes, looked at again and again at a total of alpha."""

import jax
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js

KEY = jax.random.key(5)
NOISE = js.noises.Gaussian(1.0)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = jax.random.normal(jax.random.key(2), (40, 4))


@pytest.mark.parametrize("n, alpha", [(100, 0.05), (1000, 0.001)])
def test_every_answer_is_significant_and_late_ones_are_not_missed(n, alpha):
    labels = js.predict(KEY, CLASSIFY, NOISE, X, n=n, alpha=alpha)
    votes = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, n).counts)
    clear = 0
    for label, counts in zip(labels, votes, strict=True):
        second, first = np.sort(counts)[-2:]
        p_value = stats.binomtest(int(first), int(first + second), 0.5).pvalue
        if label >= 0 and p_value < 0.01 * alpha:
            clear += 1
            assert label == counts.argmax()
        if label == js.ABSTAIN:  # never where all votes together are overwhelming
            assert p_value > 1e-4 * alpha
    assert labels.dtype == np.int32 and (labels == js.ABSTAIN).any() and clear > 10


def test_the_answer_is_that_of_the_plan_on_the_same_votes():
    plan = js.bounds.PredictPlan(js.bounds.GroupSequential(300, 0.01, first_look=16))
    expected = np.full(40, -2)
    for look, draws in enumerate(plan.looks):
        counts = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, int(draws)).counts)
        label, stop = plan.decide(look, counts)
        expected = np.where((expected == -2) & stop, label, expected)
    np.testing.assert_array_equal(js.predict(KEY, CLASSIFY, NOISE, X, n=300, alpha=0.01), expected)


def test_the_way_of_running_changes_nothing():
    base = js.predict(KEY, CLASSIFY, NOISE, X, n=300)
    mesh = jax.make_mesh((8,), ("mc",))
    for options in ({"batch_size": 5}, {"mesh": mesh}, {"progress": True}):
        np.testing.assert_array_equal(js.predict(KEY, CLASSIFY, NOISE, X, n=300, **options), base)
    stream = js.certify_stream(KEY, CLASSIFY, NOISE, [X[:7], X[7:9], X[9:]], js.designs.Predict(n=300))
    np.testing.assert_array_equal(np.concatenate(list(stream)), base)


def test_clear_images_are_cheap():
    seen = []

    def classify(batch):
        jax.debug.callback(lambda size: seen.append(int(size)), batch.shape[0])
        return batch[:, :2]

    x = np.tile(np.array([[50.0, 0.0]], np.float32), (8, 1))
    labels = js.predict(KEY, classify, NOISE, x, n=10_000, batch_size=16)
    jax.effects_barrier()
    assert (labels == 0).all() and sum(seen) <= 8 * 16 + 16


def test_the_answer_is_wrong_at_most_alpha_of_the_time():
    # two classes of probability 1/2 each: any answer is an error
    classify = lambda batch: batch[:, :2] * np.array([1.0, -1.0], np.float32)
    labels = js.predict(KEY, classify, NOISE, np.zeros((4000, 2), np.float32), n=200, alpha=0.05)
    assert stats.binomtest(int((labels >= 0).sum()), 4000, 0.05, alternative="greater").pvalue > 1e-6


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n": 10}, "use n >= 11"),
        ({"n": 2, "alpha": 0.5}, "use n >= 3"),
        ({"alpha": 2.0}, "alpha must be"),
        ({"n": 0}, "n must be"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        js.predict(KEY, CLASSIFY, NOISE, X, **change)


@pytest.mark.parametrize("n", [11, 16, 17])
def test_the_smallest_n_decides_a_clear_image(n):
    classify = lambda batch: batch[:, :2]
    assert js.predict(KEY, classify, NOISE, np.array([[50.0, 0.0]], np.float32), n=n).tolist() == [0]
