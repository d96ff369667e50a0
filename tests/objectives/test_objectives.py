"""Objectives: one table of contracts, then what each promises."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsmooth as js
from jaxsmooth import losses, objectives
from tests.objectives.networks import (
    APPLY,
    CLASSES,
    LABELS,
    TARGETS,
    VARIABLES,
    WEIGHTS,
    Dropped,
    X,
    mlp,
    normed_eval,
    normed_train,
)  # fmt: skip

KEY = jax.random.key(7)
NOISE = js.noises.Gaussian(0.25)

OBJECTIVES = {
    "gaussian": objectives.GaussianAugmentation(),
    "soft": objectives.GaussianAugmentation(num_samples=4, soft=True),
    "stability": objectives.Stability(2.0),
    "noisy stability": objectives.Stability(6.0, kind="noisy_noisy"),
    "consistency": objectives.Consistency(10.0, 0.5, 2),
    "smoothadv pgd": objectives.SmoothAdv(0.5, 2),
    "smoothadv ddn": objectives.SmoothAdv(0.5, 2, attack="ddn"),
    "smoothadv linf": objectives.SmoothAdv(0.1, 2, norm=np.inf),
    "smoothadv l1": objectives.SmoothAdv(0.5, 2, norm=1),
    "smoothadv consistency": objectives.SmoothAdv(0.5, 2, objectives.Consistency(1.0, 0.5, 4)),
    "macer": objectives.MACER(4.0, num_samples=4),
    "smoothmix": objectives.SmoothMix(5.0, 2, 0.5, detach_target=True),
    "catrs": objectives.CatRS(1.0, 0.5, 2),
    "catrs teacher": objectives.CatRS(1.0, 0.5, 2, confidence="teacher"),
}
each_objective = pytest.mark.parametrize("name", OBJECTIVES)


def loss_of(weights, objective, key, noise=NOISE, x=X, labels=LABELS, step=0, targets=TARGETS):
    return objective(key, functools.partial(mlp, weights), noise, x, labels, step=step, targets=targets)


value_and_grad = jax.jit(jax.value_and_grad(loss_of, has_aux=True))


@each_objective
def test_contract(name):
    objective = OBJECTIVES[name]
    (loss, aux), gradient = value_and_grad(WEIGHTS, objective, KEY)
    assert loss.shape == () and loss.dtype == jnp.float32
    chex.assert_tree_all_finite((loss, aux, gradient))
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
    assert aux.predicted.sum() == aux.labelled.sum() == objective.num_samples * len(X)
    np.testing.assert_array_equal(aux.labelled, objective.num_samples * np.bincount(LABELS))
    assert 0 <= aux.accuracy <= 1 and aux.terms and aux.states == {}
    # the same key is the same result; another key is another
    assert value_and_grad(WEIGHTS, objective, KEY)[0][0] == loss
    assert value_and_grad(WEIGHTS, objective, jax.random.key(8))[0][0] != loss


@pytest.mark.parametrize(
    "name", ["macer", *(pytest.param(n, marks=pytest.mark.slow) for n in ("smoothadv consistency", "catrs"))]
)
def test_seeds_can_be_mapped(name):
    seeds = jax.random.split(KEY, 2)
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), WEIGHTS)
    run = jax.jit(jax.vmap(lambda weights, key: loss_of(weights, OBJECTIVES[name], key)[0]))
    (expected, _), _ = value_and_grad(WEIGHTS, OBJECTIVES[name], seeds[0])
    np.testing.assert_allclose(run(stacked, seeds)[0], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("consistency", "Laplace"),
        ("macer", "UniformBall"),
        *(pytest.param(*c, marks=pytest.mark.slow) for c in (("smoothadv linf", "Uniform"), ("catrs", "ExpInf"))),
    ],
)
def test_any_noise(name, noise):
    (loss, _), gradient = value_and_grad(WEIGHTS, OBJECTIVES[name], KEY, getattr(js.noises, noise)(0.25))
    chex.assert_tree_all_finite((loss, gradient))


def test_gaussian_is_the_cross_entropy_of_noisy_images():
    seen = []
    loss, aux = objectives.GaussianAugmentation(3)(
        KEY, lambda batch: seen.append(batch) or APPLY(batch), NOISE, X, LABELS
    )
    (batch,) = seen
    assert batch.shape == (24, 2, 3)
    # copies of an image lie together, so that a batch split over devices stays in place
    labels = jnp.repeat(LABELS, 3)
    np.testing.assert_allclose(
        loss, optax.softmax_cross_entropy_with_integer_labels(APPLY(batch), labels).mean(), rtol=1e-6
    )
    np.testing.assert_allclose(aux.accuracy, jnp.mean(APPLY(batch).argmax(-1) == labels))
    deltas = batch.reshape(8, 3, -1) - X.reshape(8, 1, -1)
    assert abs(deltas.std() - 0.25) < 0.05 and len(np.unique(np.asarray(deltas).round(6))) == deltas.size


def test_consistency_without_weights_is_gaussian_with_copies():
    m = 4
    gaussian = value_and_grad(WEIGHTS, objectives.GaussianAugmentation(m), KEY)
    consistency = value_and_grad(WEIGHTS, objectives.Consistency(0.0, 0.0, m), KEY)
    np.testing.assert_allclose(gaussian[0][0], consistency[0][0], rtol=1e-6)
    chex.assert_trees_all_close(gaussian[1], consistency[1], rtol=1e-5, atol=1e-6)


def test_terms_add_up():
    aux = {name: value_and_grad(WEIGHTS, OBJECTIVES[name], KEY)[0] for name in ("consistency", "stability", "macer")}
    total = lambda name, **weights: sum(weights.get(term, 0.0) * value for term, value in aux[name][1].terms.items())
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5)
    close(aux["consistency"][0], total("consistency", natural=1, divergence=10, entropy=0.5))
    close(aux["stability"][0], total("stability", natural=1, agreement=2))
    close(aux["macer"][0], total("macer", natural=1, hinge=4), rtol=1e-4)
    # Where images are wrong, which SmoothMix mixes in vain and the likelihood of MACER has a floor for, and where
    # copies are, so that CAT-RS leaves the worst out.
    wrong = lambda batch: 200.0 * jax.nn.one_hot(jnp.arange(len(batch)) // 3 % CLASSES, CLASSES)
    weights = {
        objectives.MACER(4.0, num_samples=1): {"natural": 1, "hinge": 4},
        objectives.SmoothMix(5.0, 2, 0.5): {"natural": 1, "mixed": 5},
        objectives.CatRS(3.0, 0.5, 2, num_samples=2): {"low": 1, "worst": 3},
    }
    for objective, factors in weights.items():
        loss, measured = objective(KEY, wrong, NOISE, X, LABELS, targets=TARGETS)
        assert measured.accuracy < 1
        close(loss, sum(factor * measured.terms[name] for name, factor in factors.items()))


def test_smoothmix_asks_nothing_of_masked_classes():
    masked = lambda batch: jnp.concatenate([APPLY(batch), jnp.full((len(batch), 2), -jnp.inf)], -1)
    objective = objectives.SmoothMix(5.0, 2, 0.5)
    plain, masks = (objective(KEY, apply, NOISE, X, LABELS)[0] for apply in (APPLY, masked))
    np.testing.assert_allclose(masks, plain, rtol=1e-5)


# --- schedules ---


def test_a_schedule_and_a_sweep_trace_once():
    traces = []

    @jax.jit
    def run(objective, step):
        traces.append(None)
        return objective(KEY, APPLY, NOISE, X, LABELS, step=step)[0]

    ramp = objectives.Ramp(10.0, 100)
    values = [run(objectives.Consistency(objectives.Ramp(10.0, 100), ramp), step) for step in range(0, 120, 20)]
    assert len(traces) == 1 and len({float(value) for value in values}) == 6
    for lam in (1.0, 5.0, 20.0):
        run(objectives.Consistency(lam, lam / 10), 0)
    assert len(traces) == 2
    for epsilon in (0.0, 0.5, 1.0):
        run(objectives.SmoothAdv(epsilon, 1, objectives.Consistency(epsilon)), 0)
    assert len(traces) == 3
    run(objectives.Consistency(1.0, 0.1, 3), 0)
    assert len(traces) == 4


def test_schedules_of_equal_numbers_are_equal():
    for made in (lambda v: objectives.Ramp(v, 10, v), lambda v: objectives.Deferred(v, 10)):
        assert len({made(5.0), made(jnp.float32(5)), made(np.float32(5)), made(5)}) == 1


@pytest.mark.parametrize("schedule", [optax.linear_schedule(0.0, 10.0, 100), objectives.Ramp(10.0, 100)])
def test_a_schedule_is_its_value_at_the_step(schedule):
    scheduled = objectives.Consistency(schedule, eta=lambda step: step / 100)
    for step in (0, 50, 300):
        fixed = objectives.Consistency(min(step / 10, 10.0), step / 100)
        (expected, _), _ = value_and_grad(WEIGHTS, fixed, KEY)
        (value, _), _ = value_and_grad(WEIGHTS, scheduled, KEY, step=jnp.int32(step))
        np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_deferred_macer_starts_as_plain_likelihood():
    deferred = objectives.MACER(objectives.Deferred(4.0, 10), num_samples=4)
    soft = value_and_grad(WEIGHTS, OBJECTIVES["soft"], KEY)
    np.testing.assert_allclose(value_and_grad(WEIGHTS, deferred, KEY, step=9)[0][0], soft[0][0], rtol=1e-5)
    np.testing.assert_allclose(
        value_and_grad(WEIGHTS, deferred, KEY, step=10)[0][0], value_and_grad(WEIGHTS, OBJECTIVES["macer"], KEY)[0][0]
    )


def test_numbers_are_data_and_schedules_are_the_program():
    objective = objectives.SmoothAdv(0.5, 2, objectives.Consistency(objectives.Ramp(1.0, 10), 0.5))
    leaves, structure = jax.tree.flatten(objective)
    assert leaves == [0.5, 0.5]
    assert jax.tree.unflatten(structure, leaves) == objective
    again = objectives.SmoothAdv(0.5, 2, objectives.Consistency(objectives.Ramp(1.0, 10), 0.5))
    assert jax.tree.structure(again) == structure and hash(structure) is not None
    assert dataclasses.replace(objective, steps=3).steps == 3


# --- networks with a state ---


def with_statistics(objective, params, stats, key=KEY, **options):
    train = functools.partial(normed_train, params, stats)
    attack = functools.partial(normed_eval, params, stats)
    return objective(key, train, NOISE, X, LABELS, has_state=True, attack_apply=attack, targets=TARGETS, **options)


PASSES = {"stability": {"clean", "noisy"}, "smoothmix": {"noisy", "mixed"}, "catrs": {"noisy", "adversarial"}}


@pytest.mark.parametrize("name", ["stability", "consistency", "smoothadv pgd", "smoothmix", "catrs"])
def test_every_pass_returns_its_own_state(name):
    params, stats = VARIABLES["params"], VARIABLES["batch_stats"]
    loss, aux = jax.jit(functools.partial(with_statistics, OBJECTIVES[name]))(params, stats)
    assert set(aux.states) == PASSES.get(name.split()[0], {"noisy"})
    for state in aux.states.values():
        chex.assert_trees_all_equal_structs(state, stats)
        assert any((a != b).any() for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(stats), strict=True))
    assert np.isfinite(loss)


@pytest.mark.parametrize("name", ["smoothadv pgd", "smoothadv ddn", "smoothadv consistency", "smoothmix", "catrs"])
def test_no_attack_touches_the_statistics(name):
    """Every state is that of one training pass from the statistics at the start; attacks make no such pass."""
    params, stats = VARIABLES["params"], VARIABLES["batch_stats"]

    @jax.jit
    def states_and_batches(params, stats):
        seen = []

        def train(batch):
            seen.append(batch)
            return normed_train(params, stats, batch)

        attack = functools.partial(normed_eval, params, stats)
        options = {"has_state": True, "attack_apply": attack, "targets": TARGETS}
        return OBJECTIVES[name](KEY, train, NOISE, X, LABELS, **options)[1].states, seen

    states, seen = states_and_batches(params, stats)
    assert len(seen) == len(states)
    once = jax.jit(lambda batch: normed_train(params, stats, batch)[1])
    expected = [jax.tree.leaves(once(batch)) for batch in seen]
    for state in states.values():
        leaves = jax.tree.leaves(state)
        assert any(all(np.allclose(a, b, rtol=1e-6) for a, b in zip(leaves, e, strict=True)) for e in expected)


@pytest.mark.slow
def test_the_attack_leaves_statistics_and_weights_alone():
    """The state is that of one training pass at the attacked point, the gradient that of the point held fixed."""
    params, stats = VARIABLES["params"], VARIABLES["batch_stats"]
    objective, seen = OBJECTIVES["smoothadv pgd"], []

    def train(params, batch):
        seen.append(batch)
        return normed_train(params, stats, batch)

    attack = functools.partial(normed_eval, params, stats)
    call = lambda params: objective(
        KEY, functools.partial(train, params), NOISE, X, LABELS, has_state=True, attack_apply=attack
    )
    _, aux = call(params)
    (batch,) = seen
    expected_logits, expected = normed_train(params, stats, batch)
    chex.assert_trees_all_close(aux.states["noisy"], expected, rtol=1e-6)
    np.testing.assert_allclose(aux.accuracy, jnp.mean(expected_logits.argmax(-1) == jnp.repeat(LABELS, 4)))

    def held_fixed(params):
        logits, _ = normed_train(params, stats, batch)
        return losses.gaussian_cross_entropy(jnp.moveaxis(logits.reshape(8, 4, CLASSES), 1, 0), LABELS).mean()

    whole = lambda params: with_statistics(objective, params, stats)[0]
    gradient = lambda loss: jax.jit(jax.grad(loss))(params)
    chex.assert_trees_all_close(gradient(whole), gradient(held_fixed), rtol=1e-4, atol=1e-6)
    # nor does the attack leave anything behind for the backward pass
    through_attack = lambda params: call_with_attack(objective, VARIABLES["params"], params, stats)
    chex.assert_trees_all_close(gradient(through_attack), jax.tree.map(jnp.zeros_like, params), atol=0)


def call_with_attack(objective, params, attack_params, stats):
    train = functools.partial(normed_train, params, stats)
    attack = functools.partial(normed_eval, attack_params, stats)
    return objective(KEY, train, NOISE, X, LABELS, has_state=True, attack_apply=attack)[0]


def test_attack_and_loss_see_the_same_noise():
    attacked, trained = [], []
    objectives.SmoothAdv(0.0, 1, objectives.GaussianAugmentation(4))(
        KEY,
        lambda batch: trained.append(batch) or APPLY(batch),
        NOISE, X, LABELS,
        attack_apply=lambda batch: jax.debug.callback(lambda batch: attacked.append(batch), batch) or APPLY(batch),
    )  # fmt: skip
    jax.effects_barrier()
    np.testing.assert_array_equal(attacked[0], trained[0])
    alone = value_and_grad(WEIGHTS, objectives.GaussianAugmentation(4), KEY)[0][0]
    inside = value_and_grad(WEIGHTS, objectives.SmoothAdv(0.0, 2), KEY)[0][0]
    np.testing.assert_allclose(alone, inside, rtol=1e-6)


@pytest.mark.parametrize("name", ["smoothmix", "catrs"])
def test_a_loop_and_its_unrolled_form_agree(monkeypatch, name):
    (unrolled, _), _ = value_and_grad(WEIGHTS, OBJECTIVES[name], KEY)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    looped, _ = jax.jit(lambda weights: loss_of(weights, OBJECTIVES[name], KEY))(WEIGHTS)
    np.testing.assert_allclose(looped, unrolled, rtol=1e-5)


def test_an_attack_raises_the_loss():
    plain, _ = value_and_grad(WEIGHTS, objectives.GaussianAugmentation(4), KEY)
    for name in ("smoothadv pgd", "smoothadv linf", "smoothadv l1"):
        assert value_and_grad(WEIGHTS, OBJECTIVES[name], KEY)[0][0] > plain[0]


# --- dropout ---


def test_dropout_masks_can_be_shared_over_copies():
    model = Dropped()
    variables = model.init(jax.random.key(0), X)
    apply = functools.partial(model.apply, variables, train=True, rngs={"dropout": jax.random.key(1)})
    objective, still = objectives.Consistency(10.0, 0.5, 4), js.noises.Gaussian(1e-6)
    divergence = lambda share: objective(KEY, apply, still, X, LABELS, share_dropout=share)[1].terms["divergence"]
    assert divergence(True) < 1e-5 < 1e-3 < divergence(False)


@pytest.mark.slow
def test_shared_masks_and_batch_norm_go_together():
    params, stats = VARIABLES["params"], VARIABLES["batch_stats"]
    flat, flat_aux = with_statistics(OBJECTIVES["consistency"], params, stats)
    train = functools.partial(normed_train, params, stats, axis_name="copies")
    mapped, aux = OBJECTIVES["consistency"](KEY, train, NOISE, X, LABELS, has_state=True, share_dropout=True)
    np.testing.assert_allclose(flat, mapped, rtol=1e-5)
    chex.assert_trees_all_close(aux.states, flat_aux.states, rtol=1e-5, atol=1e-6)


# --- CAT-RS ---


def test_frequencies():
    votes = js.Votes(jnp.array([[3, 1, 0], [0, 0, 0]]), jnp.array([0, 4]))
    np.testing.assert_allclose(objectives.frequencies(votes), [[0.75, 0.25, 0], [1 / 3] * 3], rtol=1e-6)
    with pytest.raises(TypeError, match="votes must be Votes"):
        objectives.frequencies(votes.counts)


def test_cat_rs_keeps_as_many_copies_as_are_right():
    sure = lambda batch: 50.0 * jax.nn.one_hot(jnp.repeat(LABELS, 4), CLASSES)
    _, aux = objectives.CatRS(steps=1)(KEY, sure, NOISE, X, LABELS, targets=TARGETS)
    assert aux.terms["kept"] == 4
    wrong = lambda batch: 50.0 * jax.nn.one_hot(jnp.repeat(LABELS + 1, 4) % CLASSES, CLASSES)
    loss, aux = objectives.CatRS(steps=1)(KEY, wrong, NOISE, X, LABELS, targets=TARGETS)
    assert aux.terms["kept"] == 1
    np.testing.assert_allclose(loss, 50 / 4, rtol=1e-5)


# --- bad input ---

BAD = {
    "lam": (lambda: objectives.Consistency(-1.0), ValueError, "lam must be at least 0"),
    "lam's type": (lambda: objectives.Stability("2"), TypeError, "callable from the step"),
    "copies": (lambda: objectives.Consistency(num_samples=1), ValueError, "num_samples must be at least 2"),
    "float copies": (lambda: objectives.GaussianAugmentation(2.0), TypeError, "num_samples"),
    "kind": (lambda: objectives.Consistency(kind="js"), ValueError, "kind must be one of"),
    "stability": (lambda: objectives.Stability(kind="noisy"), ValueError, "clean_noisy"),
    "attack": (lambda: objectives.SmoothAdv(attack="fgsm"), ValueError, "'pgd' or 'ddn'"),
    "ddn": (lambda: objectives.SmoothAdv(attack="ddn", norm=1), ValueError, "attack='pgd'"),
    "ddn's steps": (lambda: objectives.SmoothAdv(steps=1, attack="ddn"), ValueError, "steps must be at least 2"),
    "norm": (lambda: objectives.SmoothAdv(norm=3), ValueError, "norm must be 1, 2"),
    "steps": (lambda: objectives.SmoothAdv(steps=0), ValueError, "steps must be at least 1"),
    "gamma": (lambda: objectives.MACER(gamma=0.0), ValueError, "gamma must be positive"),
    "eta": (lambda: objectives.SmoothMix(eta=float("nan")), ValueError, "eta"),
    "confidence": (lambda: objectives.CatRS(confidence="no"), ValueError, "confidence"),
    "ramp": (lambda: objectives.Ramp(1.0, 0), ValueError, "steps"),
    "x": (lambda: run(x=jnp.zeros((8, 2), int)), TypeError, "x must be floating point"),
    "labels": (lambda: run(labels=LABELS[:4]), ValueError, "labels must be an integer array"),
    "labels' range": (lambda: run(labels=LABELS + 1), ValueError, "labels must lie in"),
    "noise": (lambda: run(noise=0.25), TypeError, "noise must be an instance"),
    "key": (lambda: run(key=0), TypeError, "key must be a JAX random key"),
    "apply": (lambda: run(apply=None), TypeError, "apply must be callable"),
    "state": (lambda: run(apply=lambda x: (APPLY(x), {})), TypeError, "has_state=True"),
    "no state": (lambda: run(has_state=True), TypeError, "Leave has_state out"),
    "logits": (lambda: run(apply=lambda x: APPLY(x)[:3]), ValueError, "apply must map"),
    "targets": (lambda: run(objectives.CatRS()), ValueError, "targets must be given"),
    "votes": (lambda: run(objectives.CatRS(), targets=100 * TARGETS), ValueError, "targets must be probabilities"),
    "weights": (lambda: run(objectives.Consistency(np.ones((8, 1)))), ValueError, r"lam must be a number or an array"),
    "attacked": (
        lambda: run(objectives.SmoothAdv(), attack_apply=lambda x: (APPLY(x), {})),
        ValueError, "attack_apply must map",
    ),
    "targets' shape": (lambda: run(targets=TARGETS[0]), ValueError, "targets must have shape"),
    "training mode": (
        lambda: run(objectives.SmoothAdv(), apply=lambda x: (APPLY(x), {}), has_state=True),
        ValueError, "evaluation mode",
    ),
}  # fmt: skip


GAUSSIAN = objectives.GaussianAugmentation()


def run(objective=GAUSSIAN, key=KEY, apply=APPLY, noise=NOISE, x=X, labels=LABELS, **options):
    return objective(key, apply, noise, x, labels, **options)


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
