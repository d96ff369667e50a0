"""The stated error rate of top-k certificates, through the real path, where the radius cannot be larger."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import jaxsmooth as js
from jaxsmooth.bounds import top_k_bounds
from tests.soundness.half_space import is_sound

ALPHA, IMAGES, DIM, N = 0.05, 2000, 4, 400
NOISE = js.noises.Gaussian(0.5)


def level_others(batch):
    """Class 0 on one side of a hyperplane; three others share the other side equally, whatever the shift."""
    third = special.ndtri(1 / 3) * 0.5
    side = jnp.searchsorted(jnp.array([third, -third], jnp.float32), batch[:, 1]) + 1
    return jax.nn.one_hot(jnp.where(batch[:, 0] < 0, 0, side), 4)


def truth(position):
    """The distance at which the three others reach the class: it has Phi(-z), each of them Phi(z) / 3."""
    crossing = -0.5 * special.ndtri(1 / 4)  # where Phi(-z) = (1 - Phi(-z)) / 3
    return crossing - position


@pytest.mark.parametrize("position", [0.0, pytest.param(0.3, marks=pytest.mark.slow)])
def test_error_rate_is_at_most_alpha(position):
    x = np.zeros((IMAGES, DIM), np.float32)
    x[:, 0] = position
    made = js.certify_top_k(
        jax.random.key(3), level_others, NOISE, x, np.zeros(IMAGES, int), k=3, n=N, alpha=ALPHA,
        mesh=jax.make_mesh((8,), ("draws",)),
    )  # fmt: skip
    wrong = int((made.radius > truth(np.float64(np.float32(position)))).sum())
    assert is_sound(wrong, IMAGES, ALPHA) and made.radius.max() > 0
    # Nearly tight, so that a level that is spent twice shows.
    lower, upper = top_k_bounds(made.votes.counts, np.zeros(IMAGES, int), N, 6 * ALPHA, k=3)
    planted = int((js.radii.top_k_radius(lower, upper, 0.5) > truth(position)).sum())
    assert not is_sound(planted, IMAGES, ALPHA)
