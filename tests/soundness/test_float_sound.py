"""Certificates that floating point breaks, the noise whose certificates it does not, and faults that would break those.

The classifier looks at the last bits of its input: whether some coordinate below far / 2 is finer than far / 2^24.
Around 0 a float32 sum x + delta has such coordinates, around (far, ..., far) it cannot: so each point is certified, for
another class, with a radius that reaches the other one.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from tests.soundness.half_space import is_sound

SIGMA, ALPHA = 0.5, 0.001
PLACES = [(64, 1 / 8, 2000), (128, 1 / 8, 5000), (512, 1 / 16, 5000), (3072, 1 / 64, 1000)]


def last_bits(far, batch):
    fine = batch * (2.0**24 / far)
    leaks = ((batch < far / 2) & (fine != jnp.round(fine))).any(-1)
    return jnp.stack([~leaks, leaks], -1).astype(jnp.float32)


def certificates_at_both(noise, dim, far, n, classify=last_bits):
    x = np.stack([np.zeros(dim, np.float32), np.full(dim, far, np.float32)])
    classify = jax.tree_util.Partial(classify, jnp.float32(far))
    return js.certify(jax.random.key(0), classify, noise, x, n0=50, n=n, alpha=ALPHA, batch_size=256)


def is_broken(certificates, distance):
    """Whether the two balls claim different labels for a point between or at their centres."""
    first, second = certificates
    different = first.label[0] != second.label[0] and min(first.label[0], second.label[0]) >= 0
    return bool(different and max(first.radius[0], second.radius[0]) >= distance)


@pytest.mark.parametrize(
    ("dim", "far", "n"), [PLACES[0], *(pytest.param(*place, marks=pytest.mark.slow) for place in PLACES[1:])]
)
def test_sums_of_floats_are_broken_and_sums_of_integers_are_not(dim, far, n):
    distance = far * np.sqrt(dim)
    broken = certificates_at_both(js.noises.Gaussian(SIGMA), dim, far, n)
    assert is_broken(broken, distance), broken
    holds = certificates_at_both(js.noises.LatticeGaussian(SIGMA, step=1 / 128), dim, far, n)
    assert not is_broken(holds, distance), holds
    assert (holds.radius > 0).all() and holds.label[0] == holds.label[1]


# --- planted faults ------------------------------------------------------------------------------------------


@js.frozen_pytree
class FloatSum(js.noises.AbstractNoise):
    """The draws of ``LatticeGaussian``, and its radius, added as floating-point numbers."""

    exact: js.noises.LatticeGaussian

    @property
    def sigma(self):
        return self.exact.sigma

    def __post_init__(self):
        pass

    def scale(self, dim):
        return self.exact.scale(dim)

    def at(self, x):
        return FloatSum(self.exact.at(x))

    def sample(self, key, shape):
        return self.exact.sample(key, shape)

    def checked_images(self, x):
        return self.exact.checked_images(x)


js.radii.radius_rule(FloatSum, norm=2, source="planted fault")(
    lambda noise, tail, dim: js.certified_radius(noise.exact, 1 - tail, dim=dim)
)


def off_the_integers(far, batch):
    """Whether some value is not the one that stands for its integer."""
    step = np.float32(1 / 255)
    leaks = (batch != jnp.round(batch * 255) * step).any(-1)
    return jnp.stack([~leaks, leaks], -1).astype(jnp.float32)


@pytest.mark.parametrize(("dim", "steps"), [(512, 13), pytest.param(3072, 5, marks=pytest.mark.slow)])
def test_a_sum_of_floats_in_place_of_integers_is_caught(dim, steps):
    far = steps / 255
    distance = far * np.sqrt(dim)
    noise = js.noises.LatticeGaussian(SIGMA)
    assert not is_broken(certificates_at_both(noise, dim, far, 2000, off_the_integers), distance)
    assert is_broken(certificates_at_both(FloatSum(noise), dim, far, 2000, off_the_integers), distance)


# --- the error rate ------------------------------------------------------------------------------------------


RATE, IMAGES = 0.05, 2000
STEP = 1 / 64


@functools.cache
def half_lattice(direction):
    """Class 1 from the integer 0 on, of one coordinate or of the sum of all."""
    w = np.eye(1, 16, dtype=np.float32)[0] if direction == "one-hot" else np.ones(16, np.float32)
    return jax.tree_util.Partial(_above, jnp.asarray(w))


def _above(w, batch):
    side = jnp.dot(batch, w, precision=jax.lax.Precision.HIGHEST) + STEP / 2
    return jnp.stack([-side, side], -1)


def wrong(noise, direction, place, norm, run):
    """Certificates of a point ``place`` steps inside that reach the boundary, half a step outside it."""
    x = np.zeros((IMAGES, 16), np.float32)
    x[:, 0] = place * STEP
    distance = (place + 0.5) * STEP / (1.0 if direction == "one-hot" or norm == 1 else 4.0)
    found = run(noise, half_lattice(direction), x, norm)
    return int(((found.label == 0) | ((found.label == 1) & (found.radius > distance))).sum())


def certify(noise, classify, x, norm, **options):
    return js.certify(jax.random.key(5), classify, noise, x, n0=20, n=400, alpha=RATE, norm=norm, **options)


def certify_on_mesh(noise, classify, x, norm):
    return certify(noise, classify, x, norm, mesh=jax.make_mesh((8,), ("draws",)))


def certify_adaptive(noise, classify, x, norm):
    return js.certify_adaptive(jax.random.key(5), classify, noise, x, n0=20, n_max=800, alpha=RATE, norm=norm)


def certify_curve(noise, classify, x, norm):
    radii = np.arange(0.0, 1.0, 0.02)
    found = js.certify_curve(jax.random.key(5), classify, noise, x, radii, n_max=800, alpha=RATE, norm=norm)
    return js.Certificates(found.label, np.maximum(found.radius, 1e-9), *[found.p_lower] * 2, found.samples)


GAUSSIAN, UNIFORM = js.noises.LatticeGaussian(0.5, step=STEP), js.noises.LatticeUniform(0.5, step=STEP)


@pytest.mark.parametrize(
    ("noise", "direction", "place", "norm", "run"),
    [
        pytest.param(GAUSSIAN, "one-hot", 0, 2, certify, marks=pytest.mark.slow),
        (GAUSSIAN, "one-hot", 26, 2, certify_on_mesh),
        pytest.param(GAUSSIAN, "all", 8, 2, certify, marks=pytest.mark.slow),
        (GAUSSIAN, "one-hot", 26, 1, certify_adaptive),
        pytest.param(GAUSSIAN, "one-hot", 26, 2, certify_curve, marks=pytest.mark.slow),
        (UNIFORM, "one-hot", 20, 1, certify),
        pytest.param(UNIFORM, "one-hot", 20, 1, certify_on_mesh, marks=pytest.mark.slow),
    ],
)
def test_the_error_rate_is_at_most_alpha(noise, direction, place, norm, run):
    found = wrong(noise, direction, place, norm, run)
    assert is_sound(found, IMAGES, RATE), f"{found} of {IMAGES} at alpha = {RATE}"
    if run in (certify, certify_on_mesh) and direction == "one-hot":
        assert found > 0.3 * RATE * IMAGES  # the certificates are tight


def test_the_radius_of_a_larger_sigma_is_caught():
    """As if the noise were not rounded but wider by a twelfth."""
    larger = lambda noise, classify, x, norm: _scaled(certify(noise, classify, x, norm), 13 / 12)
    assert not is_sound(wrong(GAUSSIAN, "one-hot", 26, 2, larger), IMAGES, RATE)


def _scaled(found, factor):
    return js.Certificates(found.label, found.radius * factor, found.p_lower, found.p_upper, found.samples)
