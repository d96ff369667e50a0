"""Training with a sigma for every image: the noise each image gets, its own sigma in the margin, leave-one-out."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.scales
from jaxsmooth import losses, objectives
from tests.objectives.networks import APPLY, LABELS, TARGETS, WEIGHTS, X, mlp

KEY = jax.random.key(7)
# The images trained on, among others: near each image is the image itself.
REFERENCE = np.concatenate([np.asarray(X), np.random.default_rng(0).uniform(size=(40, 2, 3))]).astype(np.float32)
SCALE = js.scales.KNNScale(REFERENCE, sigma=0.25, rate=2.0, k=3)
VARYING = js.noises.InputDependentGaussian(SCALE)
SIGMA = SCALE.leave_one_out(np.arange(8))

OBJECTIVES = {
    "gaussian": objectives.GaussianAugmentation(2),
    "stability": objectives.Stability(2.0),
    "consistency": objectives.Consistency(10.0, 0.5, 2),
    "smoothadv": objectives.SmoothAdv(0.5, 1, objectives.Consistency(1.0, 0.5, 2)),
    "macer": objectives.MACER(4.0, num_samples=4),
    "smoothmix": objectives.SmoothMix(5.0, 1, 0.5),
    "catrs": objectives.CatRS(1.0, 0.5, 1),
}


def noise_seen(noise, copies=4000):
    """The standard deviation of what is added to every image, ``(batch,)``."""
    seen = []
    objectives.GaussianAugmentation(copies)(KEY, lambda batch: seen.append(batch) or APPLY(batch), noise, X, LABELS)
    delta = np.asarray(seen[0]).reshape(len(X), copies, 6) - np.asarray(X).reshape(len(X), 1, 6)
    return delta.std((1, 2))


@jax.jit
def value_and_grad(weights, objective, noise):
    loss = lambda weights: objective(KEY, functools.partial(mlp, weights), noise, X, LABELS, targets=TARGETS)
    return jax.value_and_grad(loss, has_aux=True)(weights)


def test_every_image_gets_its_own_sigma():
    assert np.ptp(SIGMA) > 0.02
    np.testing.assert_allclose(noise_seen(js.noises.GaussianAt(SIGMA)), SIGMA, rtol=0.02)
    np.testing.assert_allclose(noise_seen(VARYING), SCALE(X), rtol=0.02)


def test_leaving_one_out_is_what_a_new_image_would_get():
    """With itself among its neighbours an image has too little noise; without, as if it were not a reference."""
    for i in range(len(X)):
        others = js.scales.KNNScale(np.delete(REFERENCE, i, 0), 0.25, 2.0, k=3, offset=SCALE.offset)
        np.testing.assert_allclose(SIGMA[i], others(X[i : i + 1])[0], rtol=1e-6)
    assert (noise_seen(js.noises.GaussianAt(SIGMA)) > 1.1 * noise_seen(VARYING)).all()


# Longer, and alike.
LONG = ("stability", "smoothmix", "catrs", "macer")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in OBJECTIVES])
def test_every_objective_takes_it(name):
    (loss, aux), gradient = value_and_grad(WEIGHTS, OBJECTIVES[name], js.noises.GaussianAt(SIGMA))
    chex.assert_tree_all_finite((loss, aux, gradient))
    # one sigma for all is ordinary training, to the last bit
    same = value_and_grad(WEIGHTS, OBJECTIVES[name], js.noises.GaussianAt(jnp.full(8, 0.25)))
    plain = value_and_grad(WEIGHTS, OBJECTIVES[name], js.noises.Gaussian(0.25))
    chex.assert_trees_all_close(same, plain, rtol=1e-6, atol=1e-7)
    assert plain[0][0] != loss


def test_a_constant_scale_trains_like_the_gaussian():
    constant = js.noises.InputDependentGaussian(js.scales.Constant(0.25))
    value = lambda noise: value_and_grad(WEIGHTS, OBJECTIVES["consistency"], noise)[0][0]
    assert value(constant) == value(js.noises.Gaussian(0.25))


def test_the_margin_of_macer_is_in_units_of_each_sigma():
    # All copies alike and right with a margin below gamma: the hinge is sigma / 2 of what is missing.
    logits = 0.1 * jax.nn.one_hot(LABELS, 3)
    apply = lambda batch: jnp.repeat(logits, 4, 0)
    call = jax.jit(lambda sigma: OBJECTIVES["macer"](KEY, apply, js.noises.GaussianAt(sigma), X, LABELS)[1])
    aux = call(SIGMA)
    margin, active = losses.macer_margin(jnp.broadcast_to(logits, (4, 8, 3)), LABELS)
    assert active.all()
    np.testing.assert_allclose(aux.terms["hinge"], np.mean(SIGMA / 2 * (8 - margin)), rtol=1e-5)
    assert abs(aux.terms["hinge"] / np.mean(0.25 / 2 * (8 - margin)) - 1) > 0.01


def test_another_sigma_or_rate_does_not_trace_again():
    traces = []

    @jax.jit
    def run(noise):
        traces.append(None)
        return OBJECTIVES["consistency"](KEY, APPLY, noise, X, LABELS)[0]

    values = {float(run(js.noises.GaussianAt(factor * SIGMA))) for factor in (1.0, 1.5, 2.0)}
    assert len(traces) == 1 and len(values) == 3
    for rate in (0.5, 1.0):
        run(js.noises.InputDependentGaussian(js.scales.KNNScale(REFERENCE, 0.25, rate, k=3)))
    assert len(traces) == 2


def test_sigmas_of_another_batch_are_refused():
    with pytest.raises(ValueError, match=r"noise.sigma must have one entry for each image of x, shape \(8,\); got .*5"):
        OBJECTIVES["gaussian"](KEY, APPLY, js.noises.GaussianAt(SIGMA[:5]), X, LABELS)
