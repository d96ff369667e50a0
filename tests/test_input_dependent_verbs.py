"""The sequential verbs under noise whose sigma depends on the image."""

import jax
import numpy as np
import pytest

import jaxsmooth as js

KEY = jax.random.key(17)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = np.asarray(jax.random.normal(jax.random.key(2), (50, 4)))
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))
REFERENCE = np.asarray(jax.random.normal(jax.random.key(3), (80, 4)))
VARYING = js.noises.InputDependentGaussian(js.scales.KNNScale(REFERENCE, sigma=0.5, rate=0.2, k=5))
CONSTANT = js.noises.InputDependentGaussian(js.scales.Constant(0.5))
RADII = np.array([0.0, 0.1, 0.25, 0.5])


@pytest.mark.parametrize("labels", [None, LABELS])
def test_a_constant_scale_is_the_gaussian(labels):
    arguments = {"labels": labels, "n_max": 1000, "alpha": 0.01}
    plain = js.certify_curve(KEY, CLASSIFY, js.noises.Gaussian(0.5), X, RADII, **arguments)
    same = js.certify_curve(KEY, CLASSIFY, CONSTANT, X, RADII, **arguments)
    np.testing.assert_array_equal(same.votes.counts, plain.votes.counts)
    np.testing.assert_array_equal(same.radius, plain.radius)


def test_every_radius_is_one_that_its_votes_certify():
    curve = js.certify_curve(KEY, CLASSIFY, VARYING, X, RADII, labels=LABELS, n_max=3000, alpha=0.01)
    votes = curve.votes.counts[np.arange(50), LABELS]
    assert set(curve.samples) <= set(js.bounds.curve_tests(3000, 0.01).looks)
    # A look spends at most all of alpha; that all looks together do not spend more is tested with the thresholds.
    bound = js.bounds.clopper_pearson_lower(votes, curve.samples, 0.01)
    radius = js.certified_radius(VARYING.frozen_at(X), bound, dim=4)
    full = curve.reason == "all radii certified"
    assert full.any() and (curve.radius[full] <= radius[full] + 1e-9).all()
    assert {0.0, 0.5} <= set(curve.radius) and (curve.label[curve.radius > 0] >= 0).all()
    own = js.required_probability(VARYING.frozen_at(X), curve.radius, dim=4)
    certified = curve.radius > 0
    np.testing.assert_allclose(curve.p_lower[certified], own[certified], rtol=1e-12)


def test_adaptive_radii_are_those_of_the_bounds():
    adaptive = js.certify_adaptive(KEY, CLASSIFY, VARYING, X, labels=LABELS, n_max=3000, alpha=0.01)
    expected = js.certified_radius(VARYING.frozen_at(X), adaptive.p_lower, dim=4)
    np.testing.assert_array_equal(adaptive.radius, expected)
    assert (adaptive.radius > 0).sum() > 20


def test_a_stream_of_sequential_designs_is_refused():
    for design in (js.designs.Curve(RADII), js.designs.Adaptive()):
        with pytest.raises(TypeError, match="not a stream"):
            list(js.certify_stream(KEY, CLASSIFY, VARYING, [X], design))


@pytest.mark.parametrize("labelled", [True, False])
def test_images_that_nothing_can_certify_abstain_and_leave_the_others_alone(labelled):
    """Of 40 images, more than there are groups, sigma falls below what the smallest radius needs, also to none."""
    shrinking = js.scales.LipschitzScale(lambda x: 0.01 * x[:, 0], 0.01)
    noise, sure = js.noises.InputDependentGaussian(shrinking), lambda batch: batch @ np.zeros((2, 3)) + np.eye(3)[0]
    x = np.zeros((40, 2), np.float32)
    x[1::4], x[2::4] = -200.0, -2000.0
    x[:, 1] = np.arange(40)
    labels = np.zeros(40, int) if labelled else None
    for radii in ([0.5], [0.5, 2.0]):
        found = js.certify_curve(KEY, sure, noise, x, radii, labels=labels, n_max=1000)
        reached = x[:, 0] == 0
        assert (found.label[reached] == 0).all() and (found.radius[reached] == radii[-1]).all()
        assert (found.label[~reached] == js.ABSTAIN).all() and (found.samples[~reached] == 64).all()
        assert set(found.reason[~reached]) == {"no further radius in reach"}
    with pytest.raises(ValueError, match=r"n_max = 1000 votes at alpha = 0.001 cannot certify"):
        js.certify_curve(KEY, sure, noise, x[~reached], [0.5], labels=None, n_max=1000)
