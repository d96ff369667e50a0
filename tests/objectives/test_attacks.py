"""Attacks: inside the ball and the box, no-ops where they must be, optimal where the optimum is known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.objectives import SmoothMix, balls, smooth_ddn, smooth_pgd
from tests.objectives.networks import APPLY, X

LABELS = APPLY(X).argmax(-1)  # else there is nothing to attack
DELTA = 0.25 * jax.random.normal(jax.random.key(4), (8, 4, 2, 3))
NORMS = [1, 2, np.inf]
PROBLEM = (APPLY, X, LABELS, DELTA)


def distance(x, norm):
    return np.linalg.norm(np.asarray(x - X).reshape(8, -1), ord=norm, axis=-1)


ATTACKS = {
    **{
        f"pgd {norm}": (norm, lambda epsilon, norm=norm: smooth_pgd(*PROBLEM, epsilon=epsilon, norm=norm))
        for norm in NORMS
    },
    "ddn": (2, lambda epsilon: smooth_ddn(*PROBLEM, epsilon=epsilon, steps=6)),
    "ddn exact": (2, lambda epsilon: smooth_ddn(*PROBLEM, epsilon=epsilon, steps=6, levels=None)),
}


@pytest.mark.parametrize(
    ("norm", "attack"),
    [pytest.param(*a, id=n, marks=() if n in ("pgd 2", "ddn") else pytest.mark.slow) for n, a in ATTACKS.items()],
)
def test_ball_box_and_radius_zero(norm, attack):
    attack = jax.jit(attack)
    for epsilon in (0.05, 0.4, 3.0):
        x = attack(epsilon)
        assert (distance(x, norm) <= epsilon * (1 + 1e-5)).all() and (x >= 0).all() and (x <= 1).all()
    assert distance(x, norm).max() > 0.05
    np.testing.assert_array_equal(attack(0.0), X)
    # a radius for each image
    radii = jnp.linspace(0, 0.5, 8)
    assert (distance(attack(radii), norm) <= radii + 1e-5).all()


@pytest.mark.parametrize("attack", [smooth_pgd, smooth_ddn])
def test_a_zero_gradient_changes_nothing(attack):
    attack = jax.jit(functools.partial(attack, steps=2), static_argnums=0)
    constant = lambda batch: jnp.zeros((len(batch), 3))
    x = attack(constant, X, jnp.zeros(8, int), DELTA, epsilon=0.5)
    np.testing.assert_array_equal(x, X)
    saturated = lambda batch: 1e4 * APPLY(batch)
    assert np.isfinite(attack(saturated, X, LABELS, DELTA, epsilon=0.5)).all()


@pytest.mark.parametrize("name", ["pgd 2", "ddn"])
def test_a_loop_and_its_unrolled_form_agree(monkeypatch, name):
    attack = ATTACKS[name][1]
    unrolled = jax.jit(lambda epsilon: attack(epsilon))(0.4)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    looped = jax.jit(lambda epsilon: attack(epsilon))
    assert "while" in looped.lower(0.4).as_text()
    np.testing.assert_allclose(looped(0.4), unrolled, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_finds_the_optimum_of_a_linear_classifier(norm):
    w = jnp.array([1.0, -3.0, 0.5, 2.0, 0.0, -1.0])
    apply = lambda batch: jnp.stack([batch.reshape(len(batch), -1) @ w, jnp.zeros(len(batch))], -1)
    attack = jax.jit(lambda x: smooth_pgd(apply, x, jnp.zeros(8, int), DELTA, epsilon=0.1, norm=norm, box=None))
    x = attack(X)
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    drop = (X - x).reshape(8, -1) @ w
    np.testing.assert_allclose(drop, 0.1 * np.linalg.norm(w, ord=dual), rtol=1e-4)


@pytest.mark.slow
def test_l1_goes_on_with_another_coordinate_at_the_wall():
    apply = lambda batch: jnp.stack([-3 * batch[:, 0] - batch[:, 1], jnp.zeros(len(batch))], -1)
    x = smooth_pgd(apply, jnp.array([[0.9, 0.5]]), jnp.array([0]), jnp.zeros((1, 1, 2)), epsilon=0.4, steps=16, norm=1)
    np.testing.assert_allclose(x, [[1.0, 0.8]], atol=0.05)


def test_an_image_outside_the_box_may_stay():
    far = X + 2.0
    np.testing.assert_array_equal(smooth_pgd(APPLY, far, LABELS, DELTA, epsilon=0.0, steps=1), far)


def test_ddn_returns_the_smallest_success_or_nothing():
    apply = lambda batch: jnp.stack([batch.sum((1, 2)) - 2.0, 2.0 - batch.sum((1, 2))], -1)
    x, labels, delta = jnp.full((1, 2, 3), 0.5), jnp.array([0]), jnp.zeros((1, 1, 2, 3))
    nearest = 1.0 / np.sqrt(6)  # the distance of the plane sum = 2
    attack = jax.jit(lambda labels, epsilon: smooth_ddn(apply, x, labels, delta, epsilon=epsilon, steps=20))
    assert nearest < np.linalg.norm(attack(labels, 0.6) - x) < 1.1 * nearest
    np.testing.assert_array_equal(attack(labels, 0.1), x)
    np.testing.assert_array_equal(attack(1 - labels, 0.6), x)


@pytest.mark.parametrize("norm", NORMS)
def test_projection_and_ascent(norm):
    rows = jax.random.normal(jax.random.key(0), (64, 7))
    inside = balls.project(rows, 1.0, norm)
    assert (balls.length(inside, norm) <= 1 + 1e-5).all()
    np.testing.assert_allclose(balls.project(inside, 1.0, norm), inside, atol=1e-6)
    np.testing.assert_allclose(balls.project(rows, 1e3, norm), rows, rtol=1e-6)
    # no other point of the ball is closer
    others = balls.project(inside + 0.1 * jax.random.normal(jax.random.key(1), rows.shape), 1.0, norm)
    assert (balls.length(rows - inside, 2) <= balls.length(rows - others, 2) + 1e-6).all()
    direction = balls.ascent(1e-25 * rows, norm)
    np.testing.assert_allclose(balls.length(direction, norm), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(jax.jit(balls.ascent, static_argnums=1)(jnp.zeros((1, 7)), norm), 0.0)


def test_smoothmix_moves_images_outside_the_box_by_its_steps_only():
    """As the other attacks: the box is widened where an image is outside already."""
    x, seen = jnp.linspace(-2, 2, 12).reshape(3, 4), []
    weights = jax.random.normal(jax.random.key(1), (4, 3))

    def apply(batch):
        seen.extend([] if isinstance(batch, jax.core.Tracer) else [batch])
        return batch @ weights

    objective = SmoothMix(steps=2, step_size=0.25, num_samples=1)
    objective(jax.random.key(0), apply, js.noises.Gaussian(1e-6), x, jnp.array([0, 1, 2]))
    assert len(seen) == 2 and max(float(jnp.linalg.norm(batch - x, axis=-1).max()) for batch in seen) < 0.5001
