"""Classifiers that draw, and votes of probabilities, with every verb: they work and say so, or are refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import Adaptive, Curve, Fixed, Outputs, Predict, TopK, Values

KEY, NOISE = jax.random.key(11), js.noises.Gaussian(0.5)
X = np.linspace(-0.6, 0.6, 12, dtype=np.float32).reshape(3, 4)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
RADII, EDGES = (0.0, 0.1), np.linspace(-3, 3, 13)


def blurred(weights, keys, batch):
    blur = jax.vmap(lambda key, image: image + 0.5 * jax.random.normal(key, image.shape))
    return jnp.tensordot(blur(keys, batch), weights, 1)


CLASSIFY = jax.tree_util.Partial(lambda weights, batch: jnp.tensordot(batch, weights, 1), WEIGHTS)
MAPS = jax.tree_util.Partial(
    lambda weights, batch: jnp.tensordot(batch, weights, 1), jax.random.normal(jax.random.key(2), (4, 2, 3))
)
BLURRED = js.randomized(jax.tree_util.Partial(blurred, WEIGHTS))
# What is asked: hard votes, those of a randomized function, and soft ones.
ASKED = {
    "winners": {"hard": CLASSIFY, "randomized": BLURRED, "soft": js.soft(CLASSIFY, 0.5)},
    "outputs": {
        "hard": MAPS,
        "randomized": js.randomized(jax.tree_util.Partial(blurred, MAPS.args[0])),
        "soft": js.soft(MAPS, 0.5),
    },
}
VERBS = {
    "certify": (Fixed(n=200), functools.partial(js.certify, n=200)),
    "certify_curve": (Curve(RADII, n_max=400), functools.partial(js.certify_curve, radii=RADII, n_max=400)),
    "certify_adaptive": (Adaptive(n_max=400), functools.partial(js.certify_adaptive, n_max=400)),
    "certify_top_k": (TopK(k=2, n=200), functools.partial(js.certify_top_k, k=2, n=200)),
    "certify_outputs": (
        Outputs(tau=0.5, n=100, alpha=0.05),
        functools.partial(js.certify_outputs, tau=0.5, n=100, alpha=0.05),
    ),
    "predict": (Predict(n=100), functools.partial(js.predict, n=100)),
}
KIND = {"hard": "hard", "randomized": "hard", "soft": "soft"}
slow = functools.partial(pytest.param, marks=pytest.mark.slow)
USUAL = [("certify_outputs", ("hard", "soft"))]


@pytest.mark.parametrize(("name", "kinds"), [*USUAL, *(slow(name, tuple(KIND)) for name in VERBS)])
def test_kinds_are_marked_and_kept_apart(name, kinds, tmp_path):
    """In certificates and their texts, in ledgers and what is made of them; nothing joins two kinds."""
    design, verb = VERBS[name]
    models = ASKED["outputs" if name == "certify_outputs" else "winners"]
    found = {}
    for kind in kinds:
        classify, path = models[kind], tmp_path / f"{kind}.jsonl"
        found[kind] = verb(KEY, classify, NOISE, X, ledger=path)
        assert js.ledger.read(path).header.get("votes", "hard").startswith(KIND[kind])
        again = js.recertify(path, NOISE, design)
        if name == "predict":
            np.testing.assert_array_equal(again, found[kind])
            continue
        assert again == found[kind] and again.votes_kind == KIND[kind]
        assert ("soft votes" in repr(again)) == (kind == "soft")
        again.save(tmp_path / "made.npz")
        assert type(again).load(tmp_path / "made.npz").votes_kind == KIND[kind]
    for kind in kinds[:-1]:
        with pytest.raises(ValueError, match="belongs to another run: its"):
            verb(KEY, models[kind], NOISE, X, ledger=tmp_path / "soft.jsonl")
        with pytest.raises(ValueError, match="belongs to another run"):
            js.ledger.merge([tmp_path / f"{kind}.jsonl", tmp_path / "soft.jsonl"], tmp_path / "merged")
        if name != "predict":
            with pytest.raises(ValueError, match="certificates must be of one kind"):
                js.concatenate([found[kind], found["soft"]])


def test_values_are_numbers_and_not_classes(tmp_path):
    numbers = js.randomized(jax.tree_util.Partial(blurred, WEIGHTS[:, :2]))
    path = tmp_path / "votes.jsonl"
    made = js.certify_values(KEY, numbers, NOISE, X, 0.1, edges=EDGES, n=200, ledger=path)
    assert js.recertify(path, NOISE, Values(0.1, EDGES, n=200)) == made and np.isfinite(made.value).all()
    plain = js.certify_values(KEY, lambda x: x @ WEIGHTS[:, :2], NOISE, X, 0.1, edges=EDGES, n=200)
    assert (made.votes.counts != plain.votes.counts).any()
    with pytest.raises(TypeError, match="predict must return numbers; got soft votes"):
        js.certify_values(KEY, js.soft(CLASSIFY), NOISE, X, 0.1, edges=EDGES, n=200)


@pytest.mark.slow
def test_inside_a_program():
    """``certify_batch`` gives the labels and radii of ``certify`` of the same classifier."""
    table = js.radius_table(NOISE, n=200, alpha=1e-3, dim=4)
    for classify in (BLURRED, js.soft(CLASSIFY, 0.5)):
        label, radius = jax.jit(lambda x, classify=classify: js.certify_batch(KEY, classify, NOISE, x, table))(X)
        whole = js.certify(KEY, classify, NOISE, X, n=200)
        np.testing.assert_array_equal(label, whole.label)
        np.testing.assert_allclose(radius, whole.radius, rtol=1e-6)


@pytest.mark.slow
def test_margins_of_classifiers_that_draw():
    """Near ties vote for nobody; the kind of the votes stays."""
    classify = js.soft(BLURRED)
    careful = js.count_votes(KEY, js.with_margin(classify, 0.3), NOISE, X, 200)
    plain = js.count_votes(KEY, classify, NOISE, X, 200)
    assert careful.kind == plain.kind == "soft"
    assert (careful.invalid > 0).all() and (careful.counts <= plain.counts).all()


def test_margins_of_outputs_and_of_integers():
    scores = jnp.array([[[1.0, 0.95], [2.0, 0.0]]])
    np.testing.assert_array_equal(jnp.isnan(js.with_margin(lambda x: scores, 0.1)(X[:1])), [[[True] * 2, [False] * 2]])
    assert js.with_margin(lambda x: jnp.array([[3, 2], [5, 2]]), 2.0)(X[:2]).tolist()[1] == [5.0, 2.0]
    for dtype, margin in ((jnp.bfloat16, 1.003), (jnp.float16, 1.0004)):  # which round to 1
        scores = jnp.array([[1.0, 0.0], [1.5, 0.0]], dtype)
        careful = js.with_margin(lambda x, scores=scores: scores, margin)
        kept = jax.jit(lambda classify: classify(X[:2]))(careful)
        assert kept.dtype == dtype and jnp.isnan(kept).tolist() == [[True] * 2, [False] * 2]
    with pytest.raises(ValueError, match="it returned shape"):
        js.with_margin(lambda x: x[:, 0], 0.1)(X)
    with pytest.raises(TypeError, match="classify must be deterministic for Splits"):
        js.certify_exact(BLURRED, js.noises.Splits(0.25), np.full((1, 4), 0.2, np.float32), margin=0.1)


@pytest.mark.slow
def test_attacks_ask_the_classifier_of_the_certificates():
    few = {"steps": 5, "draws": 16, "tries": 8, "n": 2000}
    cold = js.soft(CLASSIFY, 0.1)
    for classify, other in ((BLURRED, js.soft(CLASSIFY)), (cold, CLASSIFY)):
        made = js.certify(KEY, classify, NOISE, X, n=1000)
        found = js.diagnostics.attack(KEY, classify, NOISE, made, X, **few)
        assert not (found.upper < made.radius).any() and np.isfinite(found.upper[found.label >= 0]).any()
        with pytest.raises(ValueError, match="classify must be the classifier of the certificates, whose votes are"):
            js.diagnostics.attack(KEY, other, NOISE, made, X, **few)
