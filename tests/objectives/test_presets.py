"""Presets hold the published numbers; the collapse monitor sees what is missing."""

import jax
import jax.numpy as jnp
import pytest

import jaxsmooth as js
from jaxsmooth import objectives
from jaxsmooth.objectives import presets
from tests.objectives.networks import APPLY, LABELS, TARGETS, X


@pytest.mark.parametrize(("method", "dataset"), presets._TABLE)
def test_every_preset_can_be_called(method, dataset):
    for sigma in (0.25, 0.5, 1.0):
        found = objectives.preset(method, dataset, sigma, steps_per_epoch=10)
        assert found.source and found.recipe.epochs >= 90
    if method == "smoothadv_consistency":  # as the two it consists of
        return
    call = lambda step: found.objective(
        jax.random.key(0), APPLY, js.noises.Gaussian(sigma), X, LABELS, step=step, targets=TARGETS
    )
    loss, _ = jax.eval_shape(call, jnp.int32(0))
    assert loss.shape == () and loss.dtype == jnp.float32


@pytest.mark.parametrize(
    ("dataset", "sigma", "lam", "eta"),
    [
        ("mnist", 0.25, 10, 0.5), ("mnist", 0.5, 5, 0.5), ("mnist", 1.0, 5, 0.5),
        ("cifar10", 0.25, 20, 0.5), ("cifar10", 0.5, 10, 0.5), ("cifar10", 1.0, 10, 0.5),
        ("imagenet2012", 0.25, 10, 0.5), ("imagenet2012", 0.5, 5, 0.5), ("imagenet2012", 1.0, 5, 0.1),
    ],
)  # fmt: skip
def test_published_weights_of_consistency(dataset, sigma, lam, eta):
    found = objectives.preset("consistency", dataset, sigma, steps_per_epoch=1)
    assert found.objective == objectives.Consistency(lam, eta, 2)


def test_warm_ups_are_counted_in_steps():
    attack = objectives.preset("smoothadv", "cifar10", 1.0, steps_per_epoch=100).objective
    assert attack.steps == 10 and attack.num_samples == 2
    assert [round(float(attack.epsilon(100 * epoch)), 3) for epoch in (0, 4, 9, 50)] == [0.2, 1.0, 2.0, 2.0]
    macer = objectives.preset("macer", "mnist", 0.5, steps_per_epoch=100).objective
    assert [float(macer.lam(100 * epoch)) for epoch in (0, 30, 31)] == [0, 0, 16]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dropout", "mnist", 0.5), "no preset for method 'dropout'.*consistency, cifar10"),
        (("catrs", "mnist", 0.5), r"there are .*\(catrs, cifar10\)"),
        (("gaussian", "mnist", 0.3), "sigma = 0.3; published are 0.25, 0.5, 1.0"),
    ],
)
def test_what_was_not_published(arguments, message):
    with pytest.raises(ValueError, match=message):
        objectives.preset(*arguments, steps_per_epoch=1)


def test_class_collapse():
    labelled = [100, 100, 100, 0]
    fine = objectives.class_collapse([90, 110, 100, 0], labelled, warn=True)
    assert not fine and fine.missing == () and "no class is missing" in str(fine)
    assert fine.effective_classes == pytest.approx(3, abs=0.05)
    with pytest.warns(objectives.ClassCollapseWarning, match=r"classes \[1, 2\] are hardly predicted.*Ramp"):
        bad = objectives.class_collapse(jnp.array([290, 1, 9, 0]), [100, 100, 100, 0], warn=True)
    assert bad.missing == (1, 2)
    with pytest.raises(ValueError, match="one count per class"):
        objectives.class_collapse([1, 2], [1, 2, 3])
    with pytest.raises(TypeError, match="look at it outside"):
        jax.jit(lambda counts: objectives.class_collapse(counts, counts).effective_classes)(jnp.ones(3))


def test_collapse_is_seen_in_aux():
    always_zero = lambda batch: jnp.zeros((len(batch), 3)).at[:, 0].set(5.0)
    _, aux = objectives.GaussianAugmentation(8)(jax.random.key(0), always_zero, js.noises.Gaussian(0.1), X, LABELS)
    assert objectives.class_collapse(aux.predicted, aux.labelled).missing == (1, 2)
