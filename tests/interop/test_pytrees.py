"""Callables that are pytrees: arrays are data, the rest is the program; Equinox, Haiku and Keras where installed."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth import interop

KEY, NOISE = jax.random.key(4), js.noises.Gaussian(0.25)
X = np.linspace(-1, 1, 48, dtype=np.float32).reshape(4, 12)


@js.frozen_pytree
class Layer:
    """An activation and a name among the leaves, as modules of many libraries have them."""

    w: jax.Array
    rest: tuple

    def __call__(self, x):
        activation, name = self.rest
        return activation(x @ self.w) if name == "dense" else x


def layer(seed, activation=jnp.tanh):
    return Layer(jax.random.normal(jax.random.key(seed), (12, 3)), (activation, "dense"))


def traces(make, values):
    """How often a program is traced for several classifiers."""
    traced = []

    @jax.jit
    def scores(classify, x):
        traced.append(None)
        return classify(x)

    found = [np.asarray(scores(make(value), X)) for value in values]
    assert (found[0] != found[-1]).any()
    return len(traced)


def test_arrays_are_data_and_the_rest_is_the_program():
    model = layer(0)
    np.testing.assert_allclose(interop.from_pytree(model)(X), model(X), rtol=1e-6)
    assert [leaf.shape for leaf in jax.tree.leaves(interop.from_pytree(model))] == [(12, 3)]
    assert traces(interop.from_pytree, [layer(0), layer(1), layer(2)]) == 1
    assert traces(interop.from_pytree, [layer(0), layer(0, jnp.sin)]) == 2
    single = interop.from_pytree(model, vmap=True)
    np.testing.assert_allclose(single(X), model(X), rtol=1e-6)


def test_partials_of_functions_of_weights():
    apply = lambda params, scale, x, train: (x @ params["w"]) * scale if not train else None
    make = lambda seed: functools.partial(apply, {"w": layer(seed).w}, 2.0, train=False)
    np.testing.assert_allclose(interop.from_pytree(make(0))(X), 2 * X @ np.asarray(layer(0).w), rtol=1e-5, atol=1e-6)
    assert traces(lambda seed: interop.from_pytree(make(seed)), [0, 1]) == 1
    certificates = js.certify(KEY, interop.from_pytree(make(0)), NOISE, X, n=200)
    assert (certificates.label >= 0).any()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: interop.from_pytree(3), TypeError, "model must be callable"),
        (
            lambda: interop.from_pytree(Layer(X, ({1, 2}, "a"))),
            TypeError,
            "a leaf of model that is no array must be hashable",
        ),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_equinox():
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        first: eqx.nn.Linear
        norm: eqx.nn.BatchNorm
        dropout: eqx.nn.Dropout
        last: eqx.nn.Linear
        activation: object

        def __init__(self, key):
            keys = jax.random.split(key)
            self.first, self.last = eqx.nn.Linear(12, 8, key=keys[0]), eqx.nn.Linear(8, 3, key=keys[1])
            self.norm, self.dropout = eqx.nn.BatchNorm(8, axis_name="batch", mode="batch"), eqx.nn.Dropout(0.5)
            self.activation = jax.nn.relu

        def __call__(self, x, state):
            x, state = self.norm(self.first(x), state)
            return self.last(self.dropout(self.activation(x))), state

    made = [eqx.nn.make_with_state(Net)(key=jax.random.key(seed)) for seed in (0, 1)]
    classify = interop.from_equinox(*made[0])
    scores = classify(X)
    assert scores.shape == (4, 3)
    np.testing.assert_allclose(classify(X[:2]), scores[:2], rtol=1e-5, atol=1e-6)  # stored statistics, no dropout
    assert traces(lambda model: interop.from_equinox(*model), made) == 1
    assert (js.certify(KEY, classify, NOISE, X, n=200).label >= -1).all()
    mlp = eqx.nn.MLP(12, 3, 8, 1, key=jax.random.key(0))
    np.testing.assert_allclose(interop.from_equinox(mlp)(X), jax.vmap(mlp)(X), rtol=1e-6)
    with pytest.raises(TypeError, match=r"jaxsmooth.interop.from_equinox\(model\)"):
        js.certify(KEY, mlp, NOISE, X, n=200)
    with pytest.raises(TypeError, match=r"model must be an equinox\.Module"):
        interop.from_equinox(lambda x: x)


def test_haiku():
    hk = pytest.importorskip("haiku")
    network = hk.transform(lambda x: hk.nets.MLP([8, 3])(x))
    make = lambda seed: interop.from_pytree(
        functools.partial(network.apply, network.init(jax.random.key(seed), X), None)
    )  # fmt: skip
    assert make(0)(X).shape == (4, 3)
    assert traces(make, [0, 1]) == 1


def test_keras():
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras was imported with another backend")

    def make(seed):
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
        model = keras.Sequential([keras.Input((12,)), *layers, keras.layers.Dense(3)])
        model.layers[1].moving_mean.assign(np.full(8, 0.5 + seed))
        return model

    models = [make(0), make(1)]
    classify = interop.from_keras(models[0])
    np.testing.assert_allclose(classify(X), models[0](X, training=False), rtol=1e-5, atol=1e-6)
    weights = [np.asarray(variable.value) for variable in models[1].weights]
    before = np.asarray(classify(X))
    models[0].set_weights(weights)
    np.testing.assert_array_equal(classify(X), before)  # what happens to the model later does not reach it
    assert traces(lambda value: value, [classify, interop.from_keras(models[0])]) == 1
    found = js.certify(KEY, models[0], NOISE, X, n=200)
    assert found == js.certify(KEY, interop.from_keras(models[0]), NOISE, X, n=200)
    with pytest.raises(TypeError, match=r"model must be a keras\.Model"):
        interop.from_keras(lambda x: x)
    with pytest.raises(ValueError, match="model must be built"):
        interop.from_keras(keras.Sequential([keras.layers.Dense(3)]))
