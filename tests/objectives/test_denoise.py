"""Denoise: the two losses of denoised smoothing, and what they measure."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsmooth as js

KEY, NOISE = jax.random.key(7), js.noises.Gaussian(0.25)
X = jax.random.uniform(jax.random.key(1), (4, 2, 3))
LABELS = jnp.array([0, 1, 2, 1])
WEIGHTS = jax.random.normal(jax.random.key(2), (6, 3))


def classify(weights, batch):
    return batch.reshape(len(batch), -1) @ weights


CLASSIFY = jax.tree_util.Partial(classify, WEIGHTS)


def denoise(w, batch):
    return w * batch


def seen_by(objective, w=0.8):
    seen = []
    apply = lambda batch: seen.append(batch) or denoise(w, batch)
    loss, aux = jax.jit(lambda key: objective(key, apply, NOISE, X, LABELS))(KEY)
    seen.clear()
    copies = jax.jit(lambda key: objective(key, apply, NOISE, X, LABELS) and seen[-1])(KEY)
    return loss, aux, copies


@pytest.mark.parametrize("samples", [1, 3])
def test_mse_is_the_mean_square_of_what_is_left(samples):
    loss, aux, copies = seen_by(js.objectives.Denoise(num_samples=samples))
    clean = jnp.repeat(X, samples, 0)
    assert abs(float((copies - clean).std()) - 0.25) < 0.1
    np.testing.assert_allclose(loss, jnp.square(0.8 * copies - clean).mean(), rtol=1e-5)
    assert aux.terms["mse"] == loss and np.isnan(aux.accuracy) and aux.predicted.size == 0


def test_stab_is_the_cross_entropy_of_the_answers_of_the_clean_images():
    loss, aux, copies = seen_by(js.objectives.Denoise(CLASSIFY, "stab", 2))
    answers = jnp.argmax(CLASSIFY(X), -1)
    logits = CLASSIFY(0.8 * copies)
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.repeat(answers, 2)).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(aux.accuracy, jnp.mean(logits.argmax(-1) == jnp.repeat(LABELS, 2)))
    assert aux.predicted.sum() == aux.labelled.sum() == 8 and sorted(aux.terms) == ["mse", "stab"]
    measured = seen_by(js.objectives.Denoise(CLASSIFY, num_samples=2))
    assert measured[0] == measured[1].terms["mse"] and measured[1].accuracy == aux.accuracy


@pytest.mark.parametrize("kind", ["mse", "stab"])
def test_gradients_reach_the_denoiser_and_not_the_classifier(kind):
    def loss(w, weights):
        objective = js.objectives.Denoise(jax.tree_util.Partial(classify, weights), kind)
        return objective(KEY, functools.partial(denoise, w), NOISE, X, LABELS)[0]

    of_denoiser, of_classifier = jax.jit(jax.grad(loss, (0, 1)))(0.5, WEIGHTS)
    assert abs(float(of_denoiser)) > 1e-3 and not np.asarray(of_classifier).any()


def test_states_of_the_denoiser_come_back():
    apply = lambda batch: (batch, {"seen": jnp.float32(len(batch))})
    _, aux = js.objectives.Denoise()(KEY, apply, NOISE, X, LABELS, has_state=True)
    assert aux.states["noisy"]["seen"] == 4


def test_it_trains_a_denoiser():
    """The best factor in front of data of variance 1 under noise of variance 1/16 is 16/17."""
    x = jax.random.normal(jax.random.key(3), (512, 8))
    gradient = jax.jit(jax.grad(lambda w, key: js.objectives.Denoise(num_samples=8)(
        key, functools.partial(denoise, w), NOISE, x, jnp.zeros(512, jnp.int32))[0]))  # fmt: skip
    w = jnp.float32(0.5)
    for step in range(20):
        w -= 0.3 * gradient(w, jax.random.fold_in(KEY, step))
    assert float(w) == pytest.approx(16 / 17, abs=0.01)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: js.objectives.Denoise(kind="mae"), ValueError, "kind must be 'mse' or 'stab'"),
        (lambda: js.objectives.Denoise(kind="stab"), ValueError, "classify must be the classifier"),
        (lambda: js.objectives.Denoise(3), TypeError, "classify must be callable"),
        (lambda: js.objectives.Denoise(num_samples=0), ValueError, "num_samples must be at least 1"),
        (lambda: js.objectives.Denoise()(KEY, CLASSIFY, NOISE, X, LABELS), ValueError, "apply must map .* to images"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_function_classifies_too():
    """The loss is that of the same classifier as a pytree, and weights that it closes over get no gradient."""
    objective = js.objectives.Denoise(lambda batch: classify(WEIGHTS, batch), "stab", 2)
    expected = seen_by(js.objectives.Denoise(CLASSIFY, "stab", 2))[0]
    np.testing.assert_allclose(objective(KEY, lambda b: denoise(0.8, b), NOISE, X, LABELS)[0], expected, rtol=1e-6)

    def loss(weights):
        objective = js.objectives.Denoise(lambda batch: classify(weights, batch), "stab", 2)
        return objective(KEY, lambda b: denoise(0.8, b), NOISE, X, LABELS)[0]

    assert not np.any(jax.grad(loss)(WEIGHTS))


def test_a_denoiser_is_not_attacked():
    with pytest.raises(ValueError, match=r"objective must be of a network that returns logits.*got Denoise"):
        js.objectives.SmoothAdv(objective=js.objectives.Denoise())


def test_copies_may_share_dropout():
    """Every copy is a batch of its own, with one mask for all of them."""
    seen = []

    def apply(batch):
        seen.append(batch.shape)
        noise = jax.random.normal(jax.random.fold_in(KEY, 5), batch.shape)
        return jax.lax.pmean(0.0, "copies") + 0.8 * batch + noise

    whole = js.objectives.Denoise(num_samples=3)(KEY, apply, NOISE, X, LABELS, share_dropout=True)[0]
    assert set(seen) == {X.shape}
    copies = seen_by(js.objectives.Denoise(num_samples=3))[2].reshape(4, 3, 2, 3)
    mask = jax.random.normal(jax.random.fold_in(KEY, 5), X.shape)[:, None]
    np.testing.assert_allclose(whole, jnp.square(0.8 * copies + mask - X[:, None]).mean(), rtol=1e-5)
