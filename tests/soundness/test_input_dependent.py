"""The worst classifier and the worst scale, through the real path: majorities, error rate, and what goes unnoticed.

Around the origin the scale grows as fast as it may, sigma(x) = s e^{r |x|}, and the region of class 1 is the ball
that is worst at the certified radius: its complement, class 0, has mass 1 - p at the origin and 1/2 at the radius.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
import jaxsmooth.scales
from jaxsmooth.radii.semi_elastic import scaled_radius
from tests.soundness.half_space import is_sound

SIGMA = 0.5
ALPHA = 0.05
DIM = 16


def worst_case(dim, rate, p):
    """The noise, the classifier that is worst at the radius of p, that radius, the direction it looks in."""
    radius = float(js.radii.semi_elastic_radius(p, sigma=SIGMA, rate=rate, dim=dim))
    scale = js.scales.LipschitzScale(
        jax.tree_util.Partial(lambda r, x: jnp.log(SIGMA) + r * jnp.linalg.norm(x, axis=-1), jnp.float32(rate)), rate
    )
    other = SIGMA * np.exp(rate * radius)
    behind = radius * SIGMA**2 / (other**2 - SIGMA**2)
    ball = SIGMA * np.sqrt(stats.ncx2.ppf(p, dim, (behind / SIGMA) ** 2))
    direction = np.full(dim, 1 / np.sqrt(dim))
    classify = jax.tree_util.Partial(_scores, jnp.asarray(-behind * direction, jnp.float32), jnp.float32(ball))
    return js.noises.InputDependentGaussian(scale), classify, radius, direction


def _scores(centre, ball, x):
    inside = ball - jnp.linalg.norm(x - centre, axis=-1)
    return jnp.stack([-inside, inside], -1)


CASES = [(2, 0.4, 0.9), (2, 1.5, 0.99), (64, 0.2, 0.99), (784, 0.05, 0.9)]


@pytest.mark.parametrize(
    "dim, rate, p", [CASES[1], *(pytest.param(*c, marks=pytest.mark.slow) for c in CASES if c != CASES[1])]
)
def test_the_majority_holds_just_inside_the_radius_and_is_lost_just_outside(dim, rate, p):
    noise, classify, radius, direction = worst_case(dim, rate, p)
    x = np.float32(np.array([0.0, 0.97 * radius, 1.03 * radius])[:, None] * direction)
    n = 60_000
    share = np.asarray(js.count_votes(jax.random.key(1), classify, noise, x, n, batch_size=4096).counts)[:, 1] / n
    error = 4.5 * 0.5 / np.sqrt(n)
    assert abs(share[0] - p) < error
    assert share[1] > 0.5 + error / 2 and share[2] < 0.5 - error / 2


RATE = 0.4
SAME_SCALES = {
    "lipschitz": lambda scale: scale,
    "clip": lambda scale: js.scales.clip(scale, 0.1, 10.0),
    "minimum": lambda scale: js.scales.minimum(scale, js.scales.Constant(10.0)),
    "maximum": lambda scale: js.scales.maximum(js.scales.Constant(SIGMA), scale),
    "nearest": lambda scale: js.scales.KNNScale(np.zeros((1, DIM), np.float32), SIGMA, RATE, k=1, offset=0.0),
}


@pytest.mark.parametrize(
    "name",
    ["nearest", *(pytest.param(n, marks=pytest.mark.slow) for n in ("lipschitz", "clip", "minimum", "maximum"))],
)
def test_every_scale_is_sound_where_it_grows_as_fast_as_it_says(name):
    """Each of these is s e^{r |x|} around the origin, the worst that its semi-elasticity allows."""
    noise, classify, truth, _ = worst_case(DIM, RATE, 0.9)
    noise = js.noises.InputDependentGaussian(SAME_SCALES[name](noise.sigma_at))
    x = np.zeros((500, DIM), np.float32)
    found = js.certify(jax.random.key(5), classify, noise, x, n0=20, n=600, alpha=ALPHA, batch_size=8192)
    wrong = int(((found.label == 0) | ((found.label == 1) & (found.radius > truth))).sum())
    assert is_sound(wrong, 500, ALPHA) and wrong > 0.3 * ALPHA * 500
    plain = js.certified_radius(js.noises.Gaussian(SIGMA), found.p_lower)
    assert not is_sound(int((plain > truth).sum()), 500, ALPHA)


def test_a_selected_scale_is_sound_for_both_of_its_parts():
    """Selector and classifier are half-spaces at one distance: a claim beyond it is wrong for each of them."""
    distance, images = 0.5, 500
    look = lambda axis: jax.tree_util.Partial(lambda x: jnp.stack([-x[:, axis], x[:, axis]], -1))
    x = np.full((images, 2), distance, np.float32)
    run = lambda key, classify, sigma, ids: js.certify(
        key, classify, js.noises.Gaussian(sigma), x[ids], n0=20, n=300, alpha=ALPHA / 2, image_ids=ids
    )
    selector = run(jax.random.key(6), look(0), 0.5, np.arange(images))
    part = lambda sigma, ids: run(jax.random.key(7), look(1), sigma, ids)
    both = js.scales.certify_selected(selector, [1.0, 0.5], part)
    alone = part(0.5, np.arange(images))
    wrong = lambda radius: int((radius > distance).sum())
    assert is_sound(wrong(both.radius), images, ALPHA)
    assert wrong(both.radius) <= min(wrong(selector.radius), wrong(alone.radius))
    assert is_sound(wrong(np.maximum(selector.radius, alone.radius)), images, ALPHA)
    # the fault: alpha spent in full by each
    assert both.alpha == pytest.approx(ALPHA)


@functools.cache
def certificates(dim=DIM, rate=0.4, p=0.9, images=1000, n=600):
    """Of the origin, many times: each image has a noise of its own."""
    noise, classify, truth, _ = worst_case(dim, rate, p)
    x = np.zeros((images, dim), np.float32)
    found = js.certify(jax.random.key(2), classify, noise, x, n0=20, n=n, alpha=ALPHA, batch_size=8192)
    return found, truth, rate


def count_wrong(radius):
    """How many certificates claim more than is true of the worst classifier."""
    found, truth, _ = certificates()
    return int(((found.label == 0) | ((found.label == 1) & (radius > truth))).sum()), len(found)


def as_if_sigma_were_constant(p, rate):
    """Cohen's radius at the sigma of the image."""
    return js.certified_radius(js.noises.Gaussian(SIGMA), p)


def smaller_scales_only(p, rate):
    """A certificate that forgets that the scale may also grow."""
    z = np.maximum(js.certified_radius(js.noises.Gaussian(1.0), p), 1e-9)
    return SIGMA * scaled_radius(z, np.full(len(p), SIGMA * rate), DIM, -1)


def rate_halved(p, rate):
    """A scale that declares half of its semi-elasticity."""
    return js.radii.semi_elastic_radius(p, sigma=SIGMA, rate=rate / 2, dim=DIM)


def test_the_error_rate_is_at_most_alpha_and_nearly_reached():
    wrong, images = count_wrong(certificates()[0].radius)
    assert is_sound(wrong, images, ALPHA)
    assert wrong > 0.3 * ALPHA * images  # the certificate is tight


@pytest.mark.parametrize("fault", [as_if_sigma_were_constant, smaller_scales_only, rate_halved])
def test_planted_faults_are_caught(fault):
    found, _, rate = certificates()
    wrong, images = count_wrong(fault(found.p_lower, rate))
    assert not is_sound(wrong, images, ALPHA), f"{wrong} of {images} went unnoticed"
