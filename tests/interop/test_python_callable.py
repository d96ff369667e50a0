"""Python functions as classifiers: every transformation, several devices, large batches, bad functions."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.interop as interop
from jaxsmooth.interop.python_callable import _call_from_device

X = np.random.default_rng(0).normal(size=(6, 4, 4, 1)).astype(np.float32)


def columns(x):
    """A classifier with two classes: the first two coordinates."""
    return x.reshape(len(x), -1)[:, :2]


CLASSIFY = interop.from_callable(columns, 2)

EXECUTIONS = {
    "eager": lambda x: CLASSIFY(x),
    "jit": lambda x: jax.jit(CLASSIFY)(x),
    "jit argument": lambda x: jax.jit(lambda classify, x: classify(x))(CLASSIFY, x),
    "vmap": lambda x: jax.vmap(CLASSIFY)(x[:, None])[:, 0],
    "vmap of vmap": lambda x: jax.jit(jax.vmap(jax.vmap(CLASSIFY)))(x[:, None, None])[:, 0, 0],
    "map": lambda x: jax.lax.map(lambda image: CLASSIFY(image[None])[0], x),
    "scan": lambda x: jax.lax.scan(lambda carry, image: (carry, CLASSIFY(image[None])[0]), 0, x)[1],
    "cond": lambda x: jax.lax.cond(x.sum() > 1e9, lambda x: jnp.zeros((len(x), 2)), CLASSIFY, x),
}


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_scores_are_the_function(execution):
    scores = EXECUTIONS[execution](jnp.asarray(X))
    assert scores.dtype == jnp.float32
    np.testing.assert_array_equal(np.asarray(scores), columns(X))


def test_the_path_of_accelerators():
    """What GPUs and TPUs run, here on a small batch on the CPU."""
    scores = lambda x: _call_from_device(CLASSIFY, 4, x)
    np.testing.assert_array_equal(np.asarray(jax.jit(scores)(X)), columns(X))
    np.testing.assert_array_equal(np.asarray(jax.jit(jax.vmap(scores))(X[:, None]))[:, 0], columns(X))


def test_one_trace_and_no_leaves():
    count = 0

    @jax.jit
    def scores(classify, x):
        nonlocal count
        count += 1
        return classify(x)

    for _ in range(3):
        scores(interop.from_callable(columns, 2), X)
    assert count == 1
    assert jax.tree.leaves(CLASSIFY) == []


def test_an_empty_batch_and_vectors():
    assert jax.jit(CLASSIFY)(jnp.zeros((0, 4))).shape == (0, 2)
    np.testing.assert_array_equal(jax.jit(CLASSIFY)(X[:, 0, :, 0]), X[:, 0, :2, 0])


def test_the_function_owns_its_batch():
    kept = []

    def greedy(x):
        kept.append(x)
        scores = columns(x).copy()
        x[...] = np.nan  # writable, and writing reaches nobody
        return scores

    def votes(x):
        body = lambda i, total: total + classify(x + i)
        return jax.lax.fori_loop(0, 3, body, jnp.zeros((len(x), 2)))

    classify = interop.from_callable(greedy, 2)
    np.testing.assert_allclose(jax.jit(votes)(X), 3 * columns(X) + 3, rtol=1e-6)
    np.testing.assert_array_equal(classify(X), columns(X))
    assert np.isfinite(X).all()


def test_scikit_learn_and_torch():
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression().fit(X.reshape(6, -1), [0, 1, 2] * 2)
    classify = interop.from_callable(lambda x: model.predict_proba(x.reshape(len(x), -1)), 3)
    np.testing.assert_allclose(jax.jit(classify)(X), model.predict_proba(X.reshape(6, -1)), rtol=1e-5)

    with pytest.raises(TypeError, match=r"got LogisticRegression. Use .*from_callable\(lambda x: model.predict_proba"):
        js.count_votes(jax.random.key(0), model, js.noises.Gaussian(0.25), X, 10)

    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))

    def scores(x):
        with torch.no_grad():
            return network(torch.from_numpy(x)).numpy()

    np.testing.assert_allclose(jax.jit(interop.from_callable(scores, 3))(X), scores(X.copy()), rtol=1e-5, atol=1e-6)


BAD = {
    "columns": (lambda x: x.reshape(len(x), -1)[:, :3], ValueError, r"= \(6, 2\) for a batch .* got \(6, 3\)"),
    "labels": (lambda x: x.reshape(len(x), -1).argmax(-1), ValueError, r"got \(6,\)"),
    "rows": (lambda x: columns(x)[:1], ValueError, r"got \(1, 2\)"),
    "strings": (lambda x: np.full((len(x), 2), "cat"), TypeError, "must return numbers"),
    "nothing": (lambda x: None, TypeError, "must return numbers"),
    "ragged": (lambda x: [[1.0], [1.0, 2.0]], TypeError, "must return numbers"),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_a_function_that_does_not_fit(case, compiled):
    fn, error, message = BAD[case]
    classify = interop.from_callable(fn, 2)
    with pytest.raises(error, match=message):
        (jax.jit(classify) if compiled else classify)(X)


@pytest.mark.parametrize(
    ("fn", "num_classes", "error", "message"),
    [
        (3, 2, TypeError, "fn must be callable"),
        (columns, 1, ValueError, "num_classes must be at least 2; got 1"),
        (columns, 2.0, TypeError, "num_classes must be a Python integer"),
        (type("Unhashable", (), {"__call__": columns, "__hash__": None})(), 2, TypeError, "fn must be hashable"),
    ],
)
def test_refuses(fn, num_classes, error, message):
    with pytest.raises(error, match=message):
        interop.from_callable(fn, num_classes)


# A deadlock would hang the test run, hence a process of its own with a limit; it takes a few seconds.
_LARGE = """
import functools, jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec as P
import jaxsmooth.interop

classify = jaxsmooth.interop.from_callable(lambda x: x.reshape(len(x), -1)[:, :10], 10)
x = jnp.asarray(np.random.default_rng(0).random((256, 28, 28, 1)), jnp.float32)
expected = np.zeros((256, 10), np.int64)
for i in range(24):
    expected += np.eye(10, dtype=np.int64)[np.asarray(x + i).reshape(256, -1)[:, :10].argmax(-1)]

def votes(x, ids):
    vote = lambda i: jax.nn.one_hot(classify(x + ids[i]).argmax(-1), 10, dtype=jnp.int32)
    return jax.lax.fori_loop(1, len(ids), lambda i, total: total + vote(i), vote(0))

np.testing.assert_array_equal(jax.jit(votes)(x, jnp.arange(24)), expected)
mesh = jax.make_mesh((2,), ("mc",), axis_types=(AxisType.Auto,))
for check_vma in (True, False):
    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh, in_specs=(P(), P("mc")), out_specs=P(), check_vma=check_vma)
    def sharded(x, ids):
        return jax.lax.psum(votes(x, ids), "mc")
    np.testing.assert_array_equal(sharded(x, jnp.arange(24)), expected)
images = jax.device_put(x, jax.NamedSharding(mesh, P("mc")))
np.testing.assert_array_equal(jax.jit(classify)(images), np.asarray(x).reshape(256, -1)[:, :10])
"""


def test_large_batches_in_loops_and_on_two_devices():
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-W", "error", "-c", _LARGE]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def test_numbers_are_not_shifted():
    """Scores of which rounding changes the winner become differences; numbers stay what they are."""
    close = lambda x: np.stack([np.full(len(x), 3.0), np.full(len(x), 3.0 + 1e-9)], -1)
    scores, numbers = interop.from_callable(close, 2), interop.from_callable(close, 2, numbers=True)
    assert float(scores(X)[0, 1]) == 0.0 and np.asarray(numbers(X)).tolist() == [[3.0, 3.0]] * 6
    one = interop.from_callable(lambda x: x.sum((1, 2, 3))[:, None], 1, numbers=True)
    np.testing.assert_allclose(np.asarray(jax.jit(one)(X))[:, 0], X.sum((1, 2, 3)), rtol=1e-5)
    flat = interop.from_callable(lambda x: x.sum((1, 2, 3)), (), numbers=True)
    assert jax.jit(flat)(X).shape == (6,)
    noise, key = js.noises.Gaussian(0.5), jax.random.key(0)
    for predict in (scores, numbers, jax.tree_util.Partial(lambda f, x: f(x), scores)):
        made = js.certify_values(key, predict, noise, X[:2], 0.1, edges=[2.5, 3.5], n=200)
        assert made.lower.tolist() == [[2.5] * 2] * 2 and made.upper.tolist() == [[3.5] * 2] * 2


def test_maps_of_scores():
    """The winners of the function's own scores, output by output."""
    signs = lambda x: np.stack([np.ones((len(x), 16)), 1 + 1e-9 * np.sign(x.reshape(len(x), -1).astype(float))], -1)
    classify = interop.from_callable(signs, (16, 2))
    assert jax.jit(classify)(X).shape == (6, 16, 2) and jax.vmap(classify)(X[:, None]).shape == (6, 1, 16, 2)
    own = lambda x: jnp.stack([-(y := x.reshape(len(x), -1)), y], -1)
    run = lambda f, **more: js.certify_outputs(
        jax.random.key(0), f, js.noises.Gaussian(0.5), X[:2], tau=0.6, n=100, alpha=0.05, **more
    )
    assert run(classify) == run(own) == run(classify, mesh=jax.make_mesh((2,), ("draws",)))
    with pytest.raises(ValueError, match=r"got \(\d+, 16, 2\)"):
        interop.from_callable(signs, (15, 2))(X)
    for shape, message in (
        ((16, 1), "num_classes must be at least 2"),
        ((), "num_classes must be a number or a shape"),
    ):
        with pytest.raises(ValueError, match=message):
            interop.from_callable(signs, shape)
