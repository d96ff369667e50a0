"""Linen and NNX models as classifiers: evaluation mode, weights as data, the original untouched."""

import dataclasses
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxsmooth as js
import jaxsmooth.interop as interop

X = jax.random.normal(jax.random.key(0), (6, 5))


class LinenNet(nn.Module):
    """Batch normalisation and dropout; the subclasses spell the mode of their call differently."""

    def evaluate(self, x, evaluation):
        x = nn.Dense(7)(x)
        x = nn.BatchNorm(use_running_average=evaluation)(x)
        x = nn.Dropout(0.5, deterministic=evaluation)(x)
        return nn.Dense(3)(x)


class Train(LinenNet):
    @nn.compact
    def __call__(self, x, train=True):
        return self.evaluate(x, not train)


class Training(LinenNet):
    @nn.compact
    def __call__(self, x, *, training):
        return self.evaluate(x, not training)


class Deterministic(LinenNet):
    @nn.compact
    def __call__(self, x, deterministic=False):
        return self.evaluate(x, deterministic)


class RunningAverage(LinenNet):
    @nn.compact
    def __call__(self, x, use_running_average: bool):
        return self.evaluate(x, use_running_average)


class Plain(LinenNet):
    @nn.compact
    def __call__(self, x):
        return self.evaluate(x, True)


class Scaled(LinenNet):
    @nn.compact
    def __call__(self, x, scale, train=True):
        return scale * self.evaluate(x, not train)


LINEN = {
    Train: {"train": False},
    Training: {"training": False},
    Deterministic: {"deterministic": True},
    RunningAverage: {"use_running_average": True},
    Plain: {},
}


class NNXNet(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(5, 7, rngs=rngs)
        self.norm = nnx.BatchNorm(7, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(7, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(self.norm(self.first(x))))


class NNXTrain(NNXNet):
    def __call__(self, x, *, scale=1.0, train):
        self.train() if train else self.eval()
        return scale * super().__call__(x)


def trained_nnx(kind=NNXNet, seed=0):
    model = kind(nnx.Rngs(seed))
    NNXNet.__call__(model, 3 * X + 1)  # moves the batch statistics away from (0, 1)
    return model


def linen_variables(model, **arguments):
    keys = {"params": jax.random.key(1), "dropout": jax.random.key(2)}
    variables = model.init(keys, X, **arguments)
    return variables | {"batch_stats": jax.tree.map(lambda leaf: leaf + 0.5, variables["batch_stats"])}


def traces(classifiers):
    """How often one jitted function is traced over these arguments."""
    count = 0

    @jax.jit
    def scores(classify, x):
        nonlocal count
        count += 1
        return classify(x)

    outputs = [scores(classify, X) for classify in classifiers]
    assert not np.allclose(outputs[0], outputs[-1])
    return count


@pytest.mark.parametrize("kind", LINEN, ids=lambda kind: kind.__name__)
def test_linen_is_evaluated(kind):
    model = kind()
    variables = linen_variables(model, **LINEN[kind])
    classify = interop.from_linen(model, variables)
    expected = model.apply(variables, X, **LINEN[kind])
    np.testing.assert_array_equal(classify(X), expected)
    np.testing.assert_allclose(jax.jit(classify)(X), expected, rtol=1e-5, atol=1e-6)
    # Evaluation treats every row by itself: batch statistics of the batch would not.
    np.testing.assert_allclose(classify(X[:2]), classify(X)[:2], rtol=1e-5, atol=1e-6)


def test_linen_arguments_override():
    model = Scaled()
    variables = linen_variables(model, scale=1.0, train=False)
    classify = interop.from_linen(model, variables, scale=2.0)
    np.testing.assert_allclose(classify(X), 2 * interop.from_linen(model, variables, scale=1.0)(X))
    training = interop.from_linen(Train(), linen_variables(Train(), train=False), train=True)
    with pytest.raises(Exception, match=r"dropout|batch_stats"):
        training(X)


def test_linen_new_weights_do_not_retrace():
    model = Train()
    variables = linen_variables(model, train=False)
    first = interop.from_linen(model, variables)
    moved = jax.tree.map(lambda leaf: leaf + 0.1, variables)
    again = interop.from_linen(Train(), moved)
    assert traces([first, dataclasses.replace(first, variables=moved), again]) == 1
    assert len(jax.tree.leaves(first)) == len(jax.tree.leaves(variables))


@pytest.mark.parametrize(
    ("model", "variables", "arguments", "error", "message"),
    [
        (Plain, {}, {}, TypeError, "an instance"),
        (np.tanh, {}, {}, TypeError, "from_callable"),
        (Plain(), [1], {}, TypeError, "variables must be a mapping"),
        (Plain(), {"Dense_0": {}}, {}, ValueError, "collection 'params'; got .*Dense_0"),
        (Plain(), {"params": {}}, {"train": True}, TypeError, "takes no argument 'train'; it takes the batch alone"),
        (Scaled(), {"params": {}}, {}, TypeError, "needs 'scale'"),
        (Scaled(), {"params": {}}, {"scale": [1.0]}, TypeError, "scale must be hashable"),
    ],
)
def test_linen_refuses(model, variables, arguments, error, message):
    with pytest.raises(error, match=message):
        interop.from_linen(model, variables, **arguments)


@pytest.mark.parametrize("kind", [NNXNet, NNXTrain])
def test_nnx_is_evaluated(kind):
    model = trained_nnx(kind)
    mean = np.array(model.norm.mean[...])
    classify = interop.from_nnx(model)
    scores = classify(X)
    np.testing.assert_array_equal(scores, classify(X))
    np.testing.assert_allclose(classify(X[:2]), scores[:2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(classify)(X), scores, rtol=1e-5, atol=1e-6)
    # The caller's model is as it was: still in training mode, its statistics unmoved.
    assert (model.dropout.deterministic, model.norm.use_running_average) == (False, False)
    np.testing.assert_array_equal(model.norm.mean[...], mean)
    model.eval()
    np.testing.assert_allclose(NNXNet.__call__(model, X), scores, rtol=1e-5, atol=1e-6)


class Masked(nnx.Module):
    """Rows of a batch under one mask, which is no fault of any row."""

    def __init__(self, rngs):
        self.dropout = nnx.Dropout(0.5, rngs=rngs, broadcast_dims=(0,))

    def __call__(self, x):
        return self.dropout(x)


class Depth(nnx.Module):
    """Leaves its layer out now and then; a module of a user, which knows no views."""

    def __init__(self, rngs):
        self.deterministic, self.rngs, self.layers = False, rngs, nnx.List([nnx.Linear(5, 5, rngs=rngs)])

    def __call__(self, x):
        left_out = not self.deterministic and jax.random.bernoulli(self.rngs.params())
        return x if left_out is False else jnp.where(left_out, x, x + self.layers[0](x))


class Nested(nnx.Module):
    def __init__(self, rngs):
        self.parts = nnx.List([Depth(rngs) for _ in range(8)])

    def __call__(self, x):
        for part in self.parts:
            x = part(x)
        return x


class Says(nnx.Module):
    """Its modes are no attributes that can be set."""

    @property
    def deterministic(self):
        return True

    def use_running_average(self):
        return True

    def __call__(self, x):
        return x * self.deterministic * self.use_running_average()


def test_only_attributes_that_are_modes_are_set():
    np.testing.assert_array_equal(interop.from_nnx(Says())(X), X)


def test_modules_of_users_are_evaluated_as_by_eval():
    model = Nested(nnx.Rngs(0))
    scores = interop.from_nnx(model)(X)
    assert not any(part.deterministic for part in model.parts)
    model.eval()
    np.testing.assert_array_equal(scores, model(X))


class MaskedWithTime(Masked):
    def __call__(self, x, t):
        return self.dropout(x) + 0 * t[:, None]


class MaskedWithKeys(Masked):
    def __call__(self, keys, x):
        return self.dropout(x) + 0 * jax.vmap(jax.random.normal)(keys)[:, None]


@pytest.mark.parametrize(
    "scores",
    [
        lambda model: js.soft(model).classify(X),
        lambda model: js.denoised(lambda x: x, model)(X),
        lambda model: js.denoised(model, lambda x: x)(X),
        lambda model: js.denoisers.trained(model, 0.25)(X),
        lambda model: js.randomized(MaskedWithKeys(nnx.Rngs(0)))(X, keys=jax.random.split(jax.random.key(0), len(X))),
    ],
    ids=["soft", "classifier of denoised", "denoiser", "trained", "randomized"],
)
def test_nnx_is_evaluated_inside_others(scores):
    np.testing.assert_array_equal(scores(Masked(nnx.Rngs(0))), X)


def test_nnx_is_evaluated_in_one_shot():
    """Half of the image and half of what the network returns, which is the image up to rounding."""
    edm = {"sigma": 0.5, "output": "edm", "sigma_data": 1.0, "clip": False}
    denoiser = js.denoisers.one_shot(MaskedWithTime(nnx.Rngs(0)), None, **edm)
    np.testing.assert_allclose(denoiser(X), X, atol=1e-5)


def test_nnx_is_a_snapshot():
    model = trained_nnx()
    classify = interop.from_nnx(model)
    before = np.array(classify(X))
    model.last.kernel[...] = model.last.kernel[...] * 2
    NNXNet.__call__(model, X)
    np.testing.assert_array_equal(classify(X), before)
    assert not np.allclose(interop.from_nnx(model)(X), before)


def test_nnx_new_weights_do_not_retrace():
    first, second = (interop.from_nnx(trained_nnx(seed=seed)) for seed in (0, 1))
    assert traces([first, dataclasses.replace(first, state=second.state), second]) == 1


def test_nnx_arguments():
    model = trained_nnx(NNXTrain)
    np.testing.assert_allclose(interop.from_nnx(model, scale=2.0)(X), 2 * interop.from_nnx(model)(X))


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (Plain(), {}, "use from_linen"),
        (nnx.Linear(5, 3, rngs=nnx.Rngs(0)), {"train": False}, "takes no argument 'train'"),
        (NNXTrain(nnx.Rngs(0)), {"scale": []}, "scale must be hashable"),
    ],
)
def test_nnx_refuses(model, arguments, message):
    with pytest.raises(TypeError, match=message):
        interop.from_nnx(model, **arguments)


def test_gradients_reach_the_weights_and_the_input():
    for classify in (
        interop.from_linen(Plain(), linen_variables(Plain())),
        interop.from_nnx(nnx.Linear(5, 3, rngs=nnx.Rngs(0))),
    ):
        assert jax.grad(lambda x, classify=classify: classify(x).sum())(X).shape == X.shape
        gradient = jax.grad(lambda classify: classify(X).sum())(classify)
        assert any(jnp.abs(leaf).sum() > 0 for leaf in jax.tree.leaves(gradient))


_IMPORTS = """
import sys
import jaxsmooth, jaxsmooth.analysis, jaxsmooth.datasets, jaxsmooth.interop
optional = {"flax", "tensorflow_datasets", "matplotlib", "sklearn", "torch"} & set(sys.modules)
assert not optional, optional
sys.modules["flax"] = None
try:
    jaxsmooth.interop.from_nnx(object())
except ImportError as error:
    assert 'pip install "jaxsmooth[flax]"' in str(error), error
else:
    raise SystemExit("no ImportError")
"""


def test_optional_libraries_are_imported_on_use():
    result = subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
