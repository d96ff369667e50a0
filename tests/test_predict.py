"""predict: the binomial test of the two leading classes."""

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
def test_predict_is_the_two_sided_binomial_test(n, alpha):
    labels = js.predict(KEY, CLASSIFY, NOISE, X, n=n, alpha=alpha)
    votes = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, n).counts)
    for label, counts in zip(labels, votes, strict=True):
        second, first = np.sort(counts)[-2:]
        p_value = stats.binomtest(int(first), int(first + second), 0.5).pvalue
        assert label == (counts.argmax() if p_value <= alpha else js.ABSTAIN)
    assert labels.dtype == np.int32 and (labels == js.ABSTAIN).any() and (labels >= 0).any()


def test_the_answer_is_wrong_at_most_alpha_of_the_time():
    # two classes of probability 1/2 each: any answer is an error
    classify = lambda batch: batch[:, :2] * np.array([1.0, -1.0], np.float32)
    labels = js.predict(KEY, classify, NOISE, np.zeros((4000, 2), np.float32), n=200, alpha=0.05)
    assert stats.binomtest(int((labels >= 0).sum()), 4000, 0.05, alternative="greater").pvalue > 1e-6


@pytest.mark.parametrize(
    "change, message", [({"n": 10}, "use n >= 11"), ({"alpha": 2.0}, "alpha must be"), ({"n": 0}, "n must be")]
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        js.predict(KEY, CLASSIFY, NOISE, X, **change)
