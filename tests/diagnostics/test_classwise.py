"""Class accuracies and the null of their extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.diagnostics as diagnostics


def predictions(hits, n):
    """Labels of classes with n images each, of which so many are right; the rest abstains."""
    labels = np.repeat(np.arange(len(hits)), n)
    return labels, np.where(np.arange(len(labels)) % n < np.repeat(hits, n), labels, -1)


def test_accuracy_and_percentiles_of_ten_classes():
    labels, preds = predictions([10, 90, 20, 80, 30, 70, 40, 60, 50, 100], 100)
    found = diagnostics.classwise_accuracy(labels, preds, 10)
    assert (found.min, found.max, found.gap) == (0.1, 1.0, 0.9)
    # The percentiles of ten classes are those of the published tables: lowest, 3rd, 5th and 8th lowest, highest.
    assert found.percentiles.tolist() == [0.1, 0.3, 0.5, 0.8, 1.0]
    assert found.n.tolist() == [100] * 10
    one = js.Certificates(preds, np.ones(1000), np.ones(1000), np.ones(1000), np.ones(1000, int))
    known = js.analysis.class_wise_accuracy(one, labels)
    np.testing.assert_array_equal(found.interval, known.interval)


def test_a_class_without_images_is_nobodys_minimum():
    found = diagnostics.classwise_accuracy([0, 0, 2], [0, 1, 2], 4)
    np.testing.assert_array_equal(found.acc, [0.5, np.nan, 1.0, np.nan])
    assert (found.min, found.max) == (0.5, 1.0) and found.interval[1].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("n", "p"), [([72] * 10, 0.9), ([20, 50, 50, 200], 0.6), ([30] * 3, 0.02)])
def test_the_null_against_simulation(n, p):
    rng = np.random.default_rng(0)
    draws = rng.binomial(n, p, (100_000, len(n))) / n
    labels = np.repeat(np.arange(len(n)), n)
    hits = round(p * len(labels))
    preds = np.where(np.arange(len(labels)) < hits, labels, -1)
    found = diagnostics.classwise_accuracy(labels, preds, len(n))
    draws = rng.binomial(n, hits / len(labels), (100_000, len(n))) / n
    for expected, simulated in ((found.null_min, draws.min(1)), (found.null_max, draws.max(1))):
        assert abs(expected - simulated.mean()) < 4 * simulated.std() / np.sqrt(len(draws))
    low, high = found.null_band
    assert ((draws >= low) & (draws <= high)).all(1).mean() > 0.95 - 0.003
    # For equal classes the rule of thumb of the docstring.
    if len(set(n)) == 1 and p == 0.9:
        assert found.null_min == pytest.approx(p - 1.54 * np.sqrt(p * (1 - p) / n[0]), abs=0.01)


@pytest.mark.parametrize("p", [0, 1])
def test_the_null_where_everything_is_right_or_wrong(p):
    labels, preds = predictions([10 * p] * 3, 10)
    found = diagnostics.classwise_accuracy(labels, preds, 3)
    assert found.null_min == found.null_max == p and found.null_band.tolist() == [p, p]


def test_certified_accuracy_by_class_is_that_of_the_analysis():
    rng = np.random.default_rng(1)
    labels, preds, radii = rng.integers(0, 3, 200), rng.integers(-1, 3, 200), rng.uniform(0, 1, 200)
    grid = [0.0, 0.3, 0.9]
    found = diagnostics.classwise_certified(labels, preds, radii, grid)
    certificates = js.Certificates(preds, radii, radii, radii, np.ones(200, int))
    for row, radius in zip(found, grid, strict=True):
        known = js.analysis.class_wise_accuracy(certificates, labels, radius=radius)
        np.testing.assert_allclose(row, known.acc)
    assert np.isnan(diagnostics.classwise_certified(labels, preds, radii, grid, K=5)[:, 3:]).all()


def test_over_sigma():
    disc = lambda x: jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)
    x = jax.random.uniform(jax.random.key(0), (40, 2), minval=-2, maxval=2)
    y = np.asarray(disc(x)).argmax(-1)
    found = diagnostics.classwise_over_sigma(jax.random.key(1), disc, x, y, [0.0, 0.3, 2.0], 300)
    assert found.votes.shape == (3, 40, 2) and found.votes.dtype == np.int32 and found.acc.shape == (3, 2)
    assert found.acc[0].tolist() == [1, 1] and found.acc[2].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.classwise_accuracy([0, 1], [0], 2), r"preds must be integers of shape \(2,\)"),
        (lambda: diagnostics.classwise_accuracy([0, 2], [0, 1], 2), "K = 2 is too small: there is a label 2"),
        (lambda: diagnostics.classwise_accuracy([0.0], [0], 2), "labels must be integers"),
        (lambda: diagnostics.classwise_accuracy([-1], [0], 2), "labels must be at least 0; got -1"),
        (lambda: diagnostics.classwise_accuracy([0], [0], 2, alpha=2), "alpha must be strictly between 0 and 1"),
        (lambda: diagnostics.classwise_certified([0], [0], [-1.0], [0.0]), "radii must be finite and at least 0"),
        (lambda: diagnostics.classwise_certified([0], [0], [1.0, 2.0], [0.0]), r"radii must have shape \(1,\)"),
        (lambda: diagnostics.classwise_certified([3], [0], [1.0], [0.0], K=2), "K must be at least 4"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_scores_that_are_not_finite_are_right_for_no_class():
    """A training that has diverged is wrong everywhere, and not right for class 0."""
    x, labels = np.zeros((4, 2), np.float32), np.array([0, 0, 1, 2])
    classify = lambda batch: jnp.full((len(batch), 3), jnp.nan)
    found = diagnostics.classwise_over_sigma(jax.random.key(0), classify, x, labels, [0.0, 0.5], 4)
    np.testing.assert_array_equal(found.acc, 0.0)
    grid = diagnostics.sigma_grid(lambda key, alpha: classify, (x, labels), [0.0], [0.5], [0], 4)
    assert grid.risk.tolist() == [[[1.0]]]
