"""estimate_curve: close to the truth, and not a certificate."""

import numpy as np
import pytest

import jaxsmooth as js

NOISE = js.noises.Gaussian(0.5)
RADII = np.array([0.0, 0.25, 0.5, 1.0])


def population(votes, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(4, 1, size=5000)
    counts = rng.binomial(votes, p)
    truth = np.array([np.mean(p > js.required_probability(NOISE, r)) for r in RADII])
    return js.Votes(np.stack([counts, votes - counts], -1), np.zeros(5000, int)), truth


@pytest.mark.parametrize("votes, tolerance", [(300, 0.02), (3000, 0.01)])
def test_the_estimate_is_near_the_curve_of_infinitely_many_votes(votes, tolerance):
    drawn, truth = population(votes)
    estimate = js.analysis.estimate_curve(drawn, np.zeros(5000, int), NOISE, RADII)
    np.testing.assert_allclose(estimate.accuracy, truth, atol=tolerance)
    assert "no certificate" in str(estimate) and estimate.votes_per_image == votes


def test_an_estimate_is_no_certificate():
    estimate = js.analysis.estimate_curve(population(100)[0], np.zeros(5000, int), NOISE, RADII)
    assert not isinstance(estimate, js.Certificates) and not hasattr(estimate, "radius")
    with pytest.raises((TypeError, AttributeError, ValueError)):
        js.analysis.certified_accuracy(estimate, np.zeros(5000, int), RADII)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0], ValueError, r"labels must have shape \(5000,\)"),
        (np.zeros(5000), TypeError, "labels must be integers"),
        (np.full(5000, 2), ValueError, "labels must be between 0 and 1.*got 2"),
        (np.full(5000, -1), ValueError, "labels must be between 0 and 1.*got -1"),
    ],
)
def test_bad_labels(labels, error, message):
    with pytest.raises(error, match=message):
        js.analysis.estimate_curve(population(10)[0], labels, NOISE, RADII)


def test_a_sigma_for_every_image():
    """Each image needs the probability of its own sigma, also where radii are as many as images."""
    noise, votes = (
        js.noises.GaussianAt(np.array([0.1, 0.5, 1.0]), rate=0.0),
        js.Votes(np.full((3, 2), [99, 1]), np.zeros(3, int)),
    )
    one = [js.analysis.estimate_curve(votes, [0, 0, 0], js.noises.Gaussian(s), [0, 0.5, 1.5]) for s in (0.1, 0.5, 1.0)]
    found = js.analysis.estimate_curve(votes, [0, 0, 0], noise, [0, 0.5, 1.5], dim=4)
    assert found.accuracy.tolist() == np.mean([e.accuracy for e in one], 0).tolist() == [1, 2 / 3, 1 / 3]
