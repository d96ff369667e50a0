"""Family-wise errors of many outputs, and intervals of numbers, through the real path; and planted faults."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
from tests.soundness.half_space import is_sound

ALPHA, IMAGES, DIM = 0.05, 1500, 20
NOISE = js.noises.Gaussian(0.5)
TAU, N, OUTPUTS, AT_BOUNDARY = 0.75, 100, 60, 30

# Correlated half-spaces: normals that lean the same way, half of the outputs exactly at the boundary of tau.
_rng = np.random.default_rng(0)
NORMALS = _rng.normal(size=(DIM, OUTPUTS)) + 2.0
NORMALS /= np.linalg.norm(NORMALS, axis=0)
MARGINS = np.where(np.arange(OUTPUTS) < AT_BOUNDARY, 0.5 * stats.norm.ppf(TAU), 2.0)
HALF_SPACES = jax.tree_util.Partial(
    lambda w, margin, batch: jnp.stack([-(s := batch @ w + margin), s], -1),
    jnp.asarray(NORMALS, jnp.float32),
    jnp.asarray(MARGINS, jnp.float32),
)


def certified(**options):
    """Agreement and certified outputs of many independent images of one point."""
    x = np.zeros((IMAGES, DIM), np.float32)
    made = js.certify_outputs(
        jax.random.key(2), HALF_SPACES, NOISE, x, tau=TAU, n=N, alpha=ALPHA, mesh=jax.make_mesh((8,), ("d",)), **options
    )
    return made, (made.label >= 0)[:, :AT_BOUNDARY].sum(-1)


# The options of each, and how many false rejections have probability alpha.
METHODS = {"holm": ({}, 1), "bonferroni": ({"method": "bonferroni"}, 1), "k_fwer": ({"method": "k_fwer", "k": 3}, 3)}


@pytest.mark.parametrize("name", ["holm", *(pytest.param(n, marks=pytest.mark.slow) for n in ("k_fwer", "bonferroni"))])
def test_family_wise_error_is_at_most_alpha(name):
    """At exactly tau nothing may be rejected; the other outputs are, so that the last steps of Holm are tested."""
    options, most = METHODS[name]
    made, false = certified(**options)
    assert (made.label[:, AT_BOUNDARY:] == 1).mean() > 0.99
    assert is_sound(int((false >= most).sum()), IMAGES, ALPHA)
    # The planted fault: alpha for every output.
    wrong = (made.p_value[:, :AT_BOUNDARY] <= ALPHA).sum(-1) >= most
    assert not is_sound(int(wrong.sum()), IMAGES, ALPHA)


def test_simultaneous_radii_are_all_right():
    made, _ = certified(method="bonferroni")
    truth = np.where(made.label == 1, MARGINS, -np.inf)
    wrong = ((made.label >= 0) & (made.radius > truth * (1 + 1e-6))).any(-1)
    assert is_sound(int(wrong.sum()), IMAGES, ALPHA)


EDGES = np.linspace(-4, 4, 8001)


def test_intervals_of_a_linear_model():
    """It attains both ends: w.x -/+ radius; half of alpha is spent on each side, and about that often it is wrong."""
    predict = jax.tree_util.Partial(lambda w, batch: batch @ w, jnp.asarray(NORMALS[:, 0], jnp.float32))
    x, radius = np.zeros((IMAGES, DIM), np.float32), 0.25
    made = js.certify_values(jax.random.key(4), predict, NOISE, x, radius, edges=EDGES, n=200, alpha=ALPHA)
    for wrong in (made.lower > -radius, made.upper < radius):
        assert is_sound(int(wrong.sum()), IMAGES, ALPHA / 2)
        assert wrong.sum() > 0.2 * IMAGES * ALPHA / 2
    # The planted fault: the order statistics of a radius that is a fifth smaller.
    _, upper = js.bounds.quantile_indices(200, stats.norm.cdf(-0.4), stats.norm.cdf(0.4), ALPHA)
    reached = np.cumsum(made.votes.counts, -1) >= upper
    assert not is_sound(int((EDGES[reached.argmax(-1)] < radius).sum()), IMAGES, ALPHA / 2)


def test_at_an_atom_the_bound_is_met_and_not_exceeded():
    """f in {0, 1}, 0 with exactly the probability of the lower level: the lower bound is wrong where it is 1."""
    radius, n = 0.25, 200
    q = stats.norm.cdf(-0.5)
    step = lambda batch: (batch[:, 0] > 0.5 * stats.norm.ppf(q)).astype(jnp.float32)
    x = np.zeros((IMAGES, DIM), np.float32)
    made = js.certify_values(jax.random.key(5), step, NOISE, x, radius, edges=[0.5, 1.0], n=n, alpha=ALPHA)
    lower, _ = js.bounds.quantile_indices(n, q, 1 - q, ALPHA)
    wrong, exact = int((made.lower == 1.0).sum()), stats.binom.cdf(lower - 1, n, q)
    assert exact <= ALPHA / 2 and is_sound(wrong, IMAGES, ALPHA / 2)
    assert abs(wrong / IMAGES - exact) < 5 * np.sqrt(exact / IMAGES)
