"""Rows that depend on their batch are refused by every verb, and no honest network is; odd units are told."""

import warnings

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxsmooth as js
from jaxsmooth.interop import from_callable, from_linen, from_nnx
from jaxsmooth.sampling import suspicious
from jaxsmooth.sampling.remembered import Remembered
from jaxsmooth.sampling.row_independence import rows_are_independent

KEY, NOISE = jax.random.key(0), js.noises.Gaussian(0.5)
W = jnp.asarray(np.random.default_rng(0).standard_normal((16, 3)), jnp.float32)
X = np.random.default_rng(1).standard_normal((3, 16)).astype(np.float32)
P = jax.tree_util.Partial


class Net(nn.Module):
    """A bit of everything: convolution, three normalisations, attention, dropout."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Conv(8, (3, 3), dtype=self.dtype)(x.reshape(len(x), 4, 4, 1))
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.5)(x))
        x = nn.GroupNorm(4)(nn.max_pool(x, (2, 2), (2, 2)))
        x = nn.LayerNorm()(x.reshape(len(x), 4, 8))
        x = nn.MultiHeadDotProductAttention(2, deterministic=not train)(x)
        return nn.Dense(3)(nn.gelu(nn.Dropout(0.5, deterministic=not train)(x).mean(1)))


class NNXNet(nnx.Module):
    def __init__(self, rngs, dropout=0.0):
        self.inner, self.norm = nnx.Linear(16, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.dropout, self.outer = nnx.Dropout(dropout, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.outer(self.dropout(jax.nn.relu(self.norm(self.inner(x)))))


NET = Net()
VARIABLES = jax.jit(NET.init)(KEY, X)


def in_training(variables, batch, rngs=None):
    return NET.apply(variables, batch, train=True, mutable=["batch_stats"], rngs={"dropout": KEY})[0]


def group_means(groups):
    return jnp.broadcast_to(groups.mean(1, keepdims=True), groups.shape).reshape(-1, 16)


PROVED = {
    "linear": lambda b: b @ W,
    "stack": lambda b: jnp.stack([b.sum(-1), -b.sum(-1)], -1),
    "softmax": lambda b: jax.nn.softmax(b @ W),
    "vmap": lambda b: jax.vmap(lambda v: W.T @ v)(b),
    "whitened": lambda b: ((b - b.mean(-1, keepdims=True)) / b.std(-1, keepdims=True)) @ W,
    "attention": lambda b: jnp.einsum("bij,bjk->bik", b[:, :, None], b[:, None, :]).reshape(len(b), -1),
    "layout": lambda b: b.reshape(len(b), 4, 4).transpose(2, 0, 1).sum(0),
    "neighbours": lambda b: -((b[:, None] - W.T[None]) ** 2).sum(-1),
    "one hot": lambda b: jax.nn.one_hot(b.argmax(-1), 16),
    "gather": lambda b: b[:, jnp.array([0, 2])],
    "table": lambda b: W[(b[:, 0] > 0).astype(int)],
    "along": lambda b: jnp.take_along_axis(b, jnp.argsort(b, -1), -1),
    "masked class": lambda b: (b @ W).at[:, 1].set(-1e9),
    "bins": lambda b: jax.nn.one_hot(jnp.searchsorted(jnp.array([-1.0, 1.0]), b[:, 1]), 3),
    "sort": lambda b: jnp.sort(b, -1),
    "top": lambda b: jax.lax.top_k(b, 2)[0],
    "scan": lambda b: jax.lax.scan(lambda c, w: (jnp.tanh(c @ w), None), b @ W, jnp.ones((5, 3, 3)))[0],
    "loop": lambda b: jax.lax.fori_loop(0, 3, lambda i, c: c * 1.1 + i, b),
    "branch": lambda b: jax.lax.cond(W[0, 0] > 0, lambda c: c @ W, lambda c: c @ W + 1, b),
    "constant": lambda b: jnp.broadcast_to(W[0], (len(b), 3)),
    "fixed noise": lambda b: (b + jax.random.normal(KEY, (16,))) @ W,
    "gamma by row": lambda b: jax.vmap(lambda v: jax.random.gamma(KEY, jnp.exp(v)))(b),
    "linen": from_linen(NET, VARIABLES),
    "linen in bfloat16": from_linen(Net(jnp.bfloat16), VARIABLES),
    "nnx": from_nnx(NNXNet(nnx.Rngs(0))),
}
# Each is caught by what is compared; none may be proved.
COUPLED = {
    "batch mean": lambda b: (b - b.mean(0)) @ W,
    "largest of the batch": lambda b: (b @ W) ** 2 / jnp.abs(b).max(),
    "weak coupling": lambda b: (b @ W).at[:, 0].add(0.05 * b.mean()),
    "neighbour in the batch": lambda b: jnp.roll(b, 1, 0) @ W,
    "place in the batch": lambda b: b @ W + jnp.arange(len(b))[:, None] * jnp.array([1.0, 0.0, 0.0]),
    "first row": lambda b: (b @ W).at[0].set(0.0),
    "similarities": lambda b: jax.nn.softmax(b @ b.T) @ (b @ W),
    "ranks": lambda b: jnp.argsort(jnp.argsort(b @ W, 0), 0).astype(jnp.float32),
    "running sum": lambda b: jnp.cumsum(b @ W, 0),
    "softmax over the batch": lambda b: jax.nn.softmax(b @ W, 0),
    "branch on the batch": lambda b: jax.lax.cond((b**2).mean() > 1.3, jnp.cos, jnp.sin, b @ W),
    "loop until the batch": lambda b: jax.lax.while_loop(lambda c: (c**2).mean() > 1, lambda c: c * 0.9, b @ W),
    "dropout by place": lambda b: jnp.where(jax.random.bernoulli(KEY, 0.5, b.shape), b, 0) @ W,
    "dirichlet by place": lambda b: jax.random.dirichlet(KEY, jnp.exp(b)),
    "gamma by place": lambda b: jax.random.gamma(KEY, jnp.exp(b @ W)),
    "statistics of two groups": lambda b: (b - group_means(b.reshape(2, -1, 16))) @ W,
    "statistics of neighbours": lambda b: (b - group_means(b.reshape(-1, 2, 16))) @ W,
    "linen in training": P(in_training, VARIABLES),
    "nnx in training": P(lambda model, b: model(b), NNXNet(nnx.Rngs(0))),
    "nnx with dropout": P(lambda model, b: model(b), NNXNet(nnx.Rngs(0), 0.5)),
    "python": from_callable(lambda b: (b - b.mean(0)) @ np.asarray(W), 3),
}
as_pytree = lambda f: f if isinstance(f, P) or not jax.tree_util.all_leaves([f]) else P(f)
VERBS = {
    "count_votes": lambda f: js.count_votes(KEY, f, NOISE, X, 20),
    "certify": lambda f: js.certify(KEY, f, NOISE, X, n0=5, n=20, alpha=0.01),
    "certify_curve": lambda f: js.certify_curve(KEY, f, NOISE, X, [0.1], n_max=100, alpha=0.01),
    "certify_adaptive": lambda f: js.certify_adaptive(KEY, f, NOISE, X, n0=5, n_max=200, alpha=0.01),
    "predict": lambda f: js.predict(KEY, f, NOISE, X, n=20, alpha=0.01),
    "certify_stream": lambda f: next(js.certify_stream(KEY, f, NOISE, [X], js.designs.Fixed(n0=5, n=20, alpha=0.01))),
    "predict a stream": lambda f: next(js.certify_stream(KEY, f, NOISE, [X], js.designs.Predict(n=20, alpha=0.01))),
}


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    monkeypatch.setattr(suspicious, "_proved", Remembered())
    monkeypatch.setattr(suspicious, "_compared", Remembered())


@pytest.mark.parametrize("name", PROVED)
def test_honest_programs_are_proved_so_that_nothing_is_compiled_or_run(name):
    assert rows_are_independent(as_pytree(PROVED[name]), (16,))


@pytest.mark.parametrize("name", COUPLED)
def test_rows_that_depend_on_their_batch_are_refused(name):
    assert not rows_are_independent(as_pytree(COUPLED[name]), (16,))
    with pytest.raises(ValueError, match=r"classify must score every row on its own.*from_nnx\(model\)"):
        VERBS["count_votes"](COUPLED[name])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses(verb):
    for _ in range(2):  # also the second time
        with pytest.raises(ValueError, match="classify must score every row on its own"):
            VERBS[verb](COUPLED["batch mean"])


@pytest.mark.parametrize(
    "classify",
    [
        from_callable(lambda b: b @ np.asarray(W), 3),
        lambda b: jnp.concatenate([b[:1], b[1:]]) @ W,
        lambda b: jax.lax.map(lambda v: v @ W, b),
        lambda b: b @ W + 0 * b.mean(0, keepdims=True) @ W,
        lambda b: jnp.zeros((len(b), 3)) + 0 * b.mean(),
    ],
)
def test_honest_rows_without_a_proof_are_accepted(classify):
    assert not rows_are_independent(as_pytree(classify), (16,))
    assert np.asarray(VERBS["count_votes"](classify).total).tolist() == [20] * 3


def test_the_comparison_is_made_once_for_a_program_and_its_weights(monkeypatch):
    calls = []
    monkeypatch.setattr(suspicious, "_compare_batches", lambda *given: calls.append(given) or True)
    honest = lambda weights, b: jax.lax.map(lambda v: v @ weights, b)
    for scale in (1.0, 2.0, 3.0, 1.0):
        js.count_votes(KEY, P(honest, W * scale), NOISE, X, 10)
    assert len(calls) == 3
    js.count_votes(KEY, P(honest, W), NOISE, X.reshape(3, 16)[:, :16], 10)
    assert len(calls) == 3
    js.count_votes(KEY, P(lambda weights, b: honest(weights, b), W), NOISE, X, 10)  # the same to JAX
    assert len(calls) == 3
    js.count_votes(KEY, P(lambda weights, b: honest(2 * weights, b), W), NOISE, X, 10)
    assert len(calls) == 4


def normalised(b, batch_axis=0):
    return (b - b.mean(batch_axis)) / (b.std(batch_axis) + 1e-3)


BEFORE_AND_AFTER = {
    "a head of zeros": (lambda w, b: normalised(b) @ w, 0 * W, W),
    "a branch of zeros": (lambda w, b: b @ W + w * (normalised(b) @ W), jnp.zeros(()), jnp.ones(())),
    "a mode as data": (lambda t, b: (b - jnp.where(t, b.mean(0), 0)) @ W, jnp.array(False), jnp.array(True)),
}


@pytest.mark.parametrize("name", BEFORE_AND_AFTER)
def test_other_weights_of_a_program_are_compared_too(name):
    function, before, after = BEFORE_AND_AFTER[name]
    VERBS["count_votes"](P(function, before))
    with pytest.raises(ValueError, match="classify must score every row on its own"):
        VERBS["count_votes"](P(function, after))


def test_what_a_comparison_could_not_see_is_looked_at_again():
    """All scores of these images are 0, but not those of others."""
    dead = P(lambda b: jax.nn.relu(normalised(b) @ W) * (b.mean() > 50))
    VERBS["count_votes"](dead)
    with pytest.raises(ValueError, match="classify must score every row on its own"):
        js.count_votes(KEY, dead, NOISE, X + 60, 20)


COARSE = {
    "one hot": lambda z: jax.nn.one_hot(z.argmax(-1), 3),
    "saturated": lambda z: jax.nn.softmax(5000 * z),
    "signs": jnp.sign,
}


@pytest.mark.parametrize("name", COARSE)
def test_coarse_scores_do_not_hide_statistics_of_the_batch(name):
    for seed in range(3):
        w = jax.random.normal(jax.random.key(seed), (16, 3))
        with pytest.raises(ValueError, match="classify must score every row on its own"):
            VERBS["count_votes"](P(lambda w, b: COARSE[name](b @ w * 2 + 0.5 * normalised(b) @ w), w))


@pytest.mark.parametrize("name", COARSE)
def test_coarse_scores_of_rows_without_a_proof_are_told(name):
    with pytest.warns(UserWarning, match="does not prove that no row depends.*coarse.*Return logits") as caught:
        VERBS["count_votes"](P(lambda w, b: COARSE[name](jax.lax.map(lambda v: v @ w, b)), W))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["statistics of two groups", "statistics of neighbours", "first row"])
def test_few_batches_of_large_images_show_as_much(name, monkeypatch):
    monkeypatch.setattr(suspicious, "_NUMBERS", 0)
    with pytest.raises(ValueError, match="classify must score every row on its own"):
        VERBS["count_votes"](COUPLED[name])


def test_python_functions_are_compared_every_time(monkeypatch):
    """They may do another thing by now, such as use the statistics of the batch."""
    state = {"mode": "evaluation"}
    fn = lambda b: (b - b.mean(0) if state["mode"] == "training" else b) @ np.asarray(W)
    classify = from_callable(fn, 3)
    VERBS["certify"](classify)
    state["mode"] = "training"
    with pytest.raises(ValueError, match="classify must score every row on its own"):
        VERBS["certify"](classify)


def test_nothing_is_compared_inside_a_trace(monkeypatch):
    monkeypatch.setattr(suspicious, "_compare_batches", lambda *given: pytest.fail("compared"))
    jax.jit(lambda x: js.count_votes(KEY, COUPLED["batch mean"], NOISE, x, 10).counts)(X)


def test_a_closure_over_a_tracer_is_not_compared():
    """Its weights have no values yet."""
    count = jax.jit(lambda w: js.count_votes(KEY, lambda b: jax.lax.map(lambda v: v @ w, b), NOISE, X, 10).counts)
    assert np.asarray(count(W)).sum() == 30


def test_random_scores_are_told():
    rng = np.random.default_rng(0)
    dropout = from_callable(lambda b: (b * (rng.random(b.shape) > 0.5)) @ np.asarray(W), 3)
    with pytest.warns(UserWarning, match="other scores to the same inputs.*nobody can see.*dropout") as caught:
        VERBS["certify"](dropout)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("x", "sigma", "told"),
    [
        (np.linspace(0, 255, 48, dtype=np.float32).reshape(3, 16), 0.25, True),
        (np.linspace(0, 255, 48, dtype=np.float32).reshape(3, 16), 1.0, True),
        (np.linspace(0, 255, 48, dtype=np.float32).reshape(3, 16), 64.0, False),
        (np.linspace(0, 16, 48, dtype=np.float32).reshape(3, 16), 0.25, True),
        (np.linspace(0, 1, 48, dtype=np.float32).reshape(3, 16), 0.25, False),
        (np.linspace(0, 1, 48, dtype=np.float32).reshape(3, 16), 0.002, False),
        (np.linspace(-3, 3, 48, dtype=np.float32).reshape(3, 16), 0.12, False),
    ],
)
def test_pixels_of_another_unit_than_the_noise_are_told(x, sigma, told):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        js.certify(KEY, PROVED["linear"], js.noises.Gaussian(sigma), x, n0=5, n=20, alpha=0.01)
    messages = [str(w.message) for w in caught]
    assert len(messages) == told and all("times the sigma" in m and "x / 255" in m for m in messages)
    assert all(w.filename == __file__ for w in caught)


# --- bare models ---------------------------------------------------------------------------------------------


def test_a_bare_nnx_model_is_put_into_evaluation_mode():
    model = NNXNet(nnx.Rngs(0), dropout=0.5)
    before = jax.tree.map(np.asarray, nnx.state(model, nnx.BatchStat))
    found = [js.count_votes(KEY, model, NOISE, X, 100, batch_size=size).counts for size in (7, 64)]
    expected = js.count_votes(KEY, from_nnx(model), NOISE, X, 100).counts
    for counts in found:
        np.testing.assert_array_equal(counts, expected)
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.state(model, nnx.BatchStat)))


@pytest.mark.parametrize("bare", [nn.Dense(3), nn.Dense(3).apply, NET], ids=["module", "apply", "net"])
def test_a_linen_module_without_variables_is_refused(bare):
    for verb in VERBS.values():
        with pytest.raises(TypeError, match=r"^classify must .*from_linen\(model, variables\)"):
            verb(bare)


def test_a_bound_linen_module_works():
    model = nn.Dense(3)
    variables = model.init(KEY, X)
    expected = js.count_votes(KEY, from_linen(model, variables), NOISE, X, 20).counts
    np.testing.assert_array_equal(js.count_votes(KEY, model.bind(variables), NOISE, X, 20).counts, expected)
