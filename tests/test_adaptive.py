"""certify_adaptive: the bound of the plan on the votes of count_votes, and what it is for."""

import jax
import numpy as np
import pytest

import jaxsmooth as js

KEY = jax.random.key(13)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = np.asarray(jax.random.normal(jax.random.key(2), (60, 4)))
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))


@pytest.mark.parametrize("labels", [None, LABELS])
def test_radii_follow_from_the_best_bound_over_the_looks(labels):
    certificates = js.certify_adaptive(KEY, CLASSIFY, NOISE, X, labels=labels, n0=50, n_max=3000, alpha=0.01)
    tests = js.bounds.adaptive_tests(3000, 0.01)
    first = 50 if labels is None else 0
    tested = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, 50).counts).argmax(-1) if labels is None else labels
    best = np.zeros(60)
    for look, draws in enumerate(tests.looks):
        counts = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, int(draws), first=first).counts)
        bound = tests.lower_bound(look, counts[np.arange(60), tested])
        best = np.where(certificates.samples - first >= draws, np.maximum(best, bound), best)
    np.testing.assert_array_equal(certificates.p_lower, best)
    np.testing.assert_array_equal(certificates.radius, js.certified_radius(NOISE, best))
    np.testing.assert_array_equal(certificates.label, np.where(certificates.radius > 0, tested, js.ABSTAIN))
    np.testing.assert_array_equal(certificates.votes.total + first, certificates.samples)
    assert len(set(certificates.samples)) > 2


def test_the_average_radius_is_kept_with_fewer_votes():
    fixed = js.certify(KEY, CLASSIFY, NOISE, X, n=30_000)
    adaptive = js.certify_adaptive(KEY, CLASSIFY, NOISE, X, labels=LABELS, n_max=30_000)
    full, kept = (js.analysis.average_certified_radius(c, LABELS) for c in (fixed, adaptive))
    assert kept > 0.98 * full and adaptive.samples.mean() < 0.9 * 30_000


def test_the_way_of_running_changes_nothing():
    base = js.certify_adaptive(KEY, CLASSIFY, NOISE, X, n_max=1000)
    other = js.certify_adaptive(
        KEY, CLASSIFY, NOISE, X, n_max=1000, batch_size=7, mesh=jax.make_mesh((8,), ("mc",)), progress=True
    )
    np.testing.assert_array_equal(base.radius, other.radius)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n_max": 5}, "n_max = 5 can never certify"),
        ({"labels": LABELS + 5}, "labels must be between"),
        ({"n0": 0}, "n0 must be at least 1"),
        ({"norm": "2"}, "norm must be"),
        ({"alpha": 1.0}, "alpha must be"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        js.certify_adaptive(KEY, CLASSIFY, NOISE, X, **change)
