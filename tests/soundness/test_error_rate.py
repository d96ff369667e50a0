"""The stated error rate is real, through the sharded path; and planted faults are caught by the same checks."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from scipy import special

import jaxsmooth as js
from jaxsmooth.bounds import binomial_tail
from jaxsmooth.sampling import sampler
from tests.soundness.half_space import half_space, is_sound, worst_error_rate, wrong_certificates

ALPHA = 0.05  # large, so that a few thousand certificates tell alpha from two alpha
NOISE = js.noises.Gaussian(0.5)
N = 800


def mesh():
    return jax.make_mesh((8,), ("draws",))


# --- sound methods -------------------------------------------------------------------------------------------


def certify(key, classify, x, *, noise=NOISE, alpha=ALPHA, n=N, norm=2, **options):
    certificates = js.certify(key, classify, noise, x, n0=20, n=n, alpha=alpha, norm=norm, **options)
    return certificates.label, certificates.radius


def certify_on_mesh(key, classify, x):
    return certify(key, classify, x, mesh=mesh())


def certify_on_device(key, classify, x):
    table = js.radius_table(NOISE, n=N, alpha=ALPHA)
    return jax.jit(lambda x: js.certify_batch(key, classify, NOISE, x, table, n0=20))(x)


def certify_bfloat16_network(key, classify, x):
    """A network in bfloat16 is another classifier; this one decides the same half-space."""
    low = jax.tree_util.Partial(lambda f, batch: f(batch).astype(jnp.bfloat16), classify)
    return certify(key, low, x, mesh=mesh())


def certify_with_runner_up(key, classify, x):
    return certify(key, classify, x, runner_up="bounded")


CURVE = np.arange(0.0, 1.4, 0.05)  # a fine grid: the truth always lies just below some radius


def certify_curve(key, classify, x, *, labels=None, alpha=ALPHA):
    certificates = js.certify_curve(
        key, classify, NOISE, x, CURVE, labels=labels, n_max=2000, alpha=alpha, mesh=mesh(), batch_size=512
    )
    # radius 0 claims that the label wins, which is wrong on the boundary
    return certificates.label, np.maximum(certificates.radius, 1e-9)


def certify_curve_of_labels(key, classify, x):
    return certify_curve(key, classify, x, labels=np.ones(len(x), int))


def certify_adaptive(key, classify, x):
    certificates = js.certify_adaptive(key, classify, NOISE, x, n0=20, n_max=2000, alpha=ALPHA, mesh=mesh())
    return certificates.label, certificates.radius


SOUND = [
    certify,
    certify_on_mesh,
    certify_on_device,
    certify_bfloat16_network,
    certify_with_runner_up,
    certify_curve,
    certify_curve_of_labels,
    certify_adaptive,
]


PLACES = [("one-hot", 0.0), ("one-hot", 0.8), ("all", 0.3)]
# By default one of each kind at one place; CI runs all of them at every place.
USUAL = (certify_on_mesh, certify_curve, certify_adaptive)


@pytest.mark.parametrize(
    "method, direction, distance",
    [
        pytest.param(method, *place, marks=() if place == PLACES[2] and method in USUAL else pytest.mark.slow)
        for method in SOUND
        for place in PLACES
    ],
)
def test_error_rate_is_at_most_alpha(method, direction, distance):
    wrong = wrong_certificates(method, direction=direction, dim=16, distance=distance, images=2000)
    assert is_sound(wrong, 2000, ALPHA), f"{wrong} wrong certificates of 2000 at alpha = {ALPHA}"


@pytest.mark.slow
def test_error_rate_in_high_dimension():
    """w = 1/sqrt(d) adds up any bias of the noise: a mean of 1e-3 sigma would shift the point by 0.06 sigma."""
    wrong = wrong_certificates(certify_on_mesh, direction="all", dim=3072, distance=0.0, images=200)
    assert is_sound(wrong, 200, ALPHA)


def test_linf_radius_of_the_diagonal_half_space():
    """Along (1, ..., 1) the linf distance to the boundary is the l2 distance over sqrt(d), and it is attained."""
    scaled = lambda key, classify, x: _scale(certify(key, classify, x, norm=np.inf), 4.0)
    wrong = wrong_certificates(scaled, direction="all", dim=16, distance=0.3, images=2000)
    assert is_sound(wrong, 2000, ALPHA)
    assert wrong > 20  # the certificate is tight: it is wrong nearly as often as it may be


def _scale(result, factor):
    return result[0], result[1] * factor


@pytest.mark.parametrize("n, alpha", [(20, 0.05), (1000, 0.001), (20_000, 0.001)])
def test_bound_by_enumeration(n, alpha):
    assert worst_error_rate(js.bounds.clopper_pearson_lower, n, alpha) <= alpha


# --- planted faults ------------------------------------------------------------------------------------------


def alpha_doubled(key, classify, x):
    return certify(key, classify, x, alpha=2 * ALPHA)


def selection_reused(key, classify, x):
    """The votes that select the class also estimate its probability."""
    counts = np.asarray(js.count_votes(key, classify, NOISE, x, N).counts)
    bound = js.bounds.clopper_pearson_lower(counts.max(-1), N, ALPHA)
    radius = js.certified_radius(NOISE, bound)
    return np.where(radius > 0, counts.argmax(-1), -1), radius


def same_key_on_every_device(key, classify, x):
    """Eight devices draw the same noise: n votes that are worth n / 8."""

    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh(), in_specs=(), out_specs=PartitionSpec(), check_vma=False)
    def count():
        return jax.lax.psum(js.count_votes(key, classify, NOISE, x, N // 8).counts, "draws")

    counts = np.asarray(count())
    radius = js.certified_radius(NOISE, js.bounds.clopper_pearson_lower(counts[:, 1], N, ALPHA))
    return np.where(radius > 0, 1, -1), radius


@js.frozen_pytree
class BFloat16Gaussian(js.noises.AbstractNoise):
    """Noise drawn in bfloat16: 128 distinct values with a mean of -0.012 sigma."""

    sigma: float

    def scale(self, dim):
        return self.sigma

    def sample(self, key, shape):
        return (self.sigma * jax.random.normal(key, shape, jnp.bfloat16)).astype(jnp.float32)


js.radii.radius_rule(BFloat16Gaussian, norm=2, source="planted fault", needs_dim=False)(
    lambda noise, tail, dim: -noise.sigma * special.ndtri(tail)
)


def bfloat16_noise(key, classify, x):
    return certify(key, classify, x, noise=BFloat16Gaussian(0.5), n=200)


@js.frozen_pytree
class DrawnByAnother(js.noises.AbstractNoise):
    """Laplace noise with the radius of a Gaussian: what a program found by its structure alone would do."""

    sigma: float

    def scale(self, dim):
        return self.sigma

    def sample(self, key, shape):
        return js.noises.Laplace(self.sigma).sample(key, shape)


js.radii.radius_rule(DrawnByAnother, norm=2, source="planted fault", needs_dim=False)(
    lambda noise, tail, dim: -noise.sigma * special.ndtri(tail)
)


def program_of_another_noise(key, classify, x):
    return certify(key, classify, x, noise=DrawnByAnother(0.5))


def float32_bound(successes, n, alpha):
    """The same bound by bisection of a float32 incomplete beta."""
    k, low, high = (jnp.asarray(v, jnp.float32) for v in (successes, jnp.zeros(n + 1), jnp.ones(n + 1)))
    for _ in range(40):
        middle = (low + high) / 2
        ok = jax.scipy.special.betainc(jnp.maximum(k, 1), n - k + 1, middle) <= alpha
        low, high = jnp.where(ok, middle, low), jnp.where(ok, high, middle)
    return np.maximum.accumulate(np.where(np.asarray(k) == 0, 0, low).astype(np.float64))


def beta_inverse_too_high(successes, n, alpha):
    """The bound from an inverse of the incomplete beta function that is 1e-6 too high."""
    return np.append(0.0, special.betaincinv(successes[1:], n - successes[1:] + 1, alpha) * (1 + 1e-6))


def start_too_high(a, b, alpha):
    """The same fault where the library's own inverse starts."""
    s = np.minimum(special.betaincinv(a, b, alpha) * (1 + 1e-6), 0.5)
    return s, np.ones(len(a), bool)


def peeking(key, classify, x):
    """Look after every 100 draws at full alpha, keep the best radius."""
    radius = np.zeros(len(x))
    votes = js.count_votes(key, classify, NOISE, x, 100, batch_size=512)
    for look in range(1, 20):
        radius = np.maximum(radius, _radius_of_label(votes, 100 * look))
        votes += js.count_votes(key, classify, NOISE, x, 100, first=100 * look, batch_size=512)
    return np.where(radius > 0, 1, -1), radius


def _radius_of_label(votes, n):
    return js.certified_radius(NOISE, js.bounds.clopper_pearson_lower(np.asarray(votes.counts)[:, 1], n, ALPHA))


def batch_statistics(key, classify, x):
    """A network that normalises by its batch, as BatchNorm does in training mode: votes of no smoothed classifier."""
    return certify(key, jax.tree_util.Partial(_normalised, classify), x)


def _normalised(classify, batch):
    return classify(batch - batch.mean(0) + 0.1)


FAULTS = [
    (peeking, "all", 16, 0.3, 1000),
    (alpha_doubled, "all", 16, 0.0, 2000),
    (alpha_doubled, "one-hot", 16, 0.3, 2000),
    (selection_reused, "all", 16, 0.0, 2000),
    (same_key_on_every_device, "all", 16, 0.3, 2000),
    (bfloat16_noise, "all", 3072, 0.0, 200),
    (program_of_another_noise, "one-hot", 16, 0.3, 1000),
]


# By default one of each kind: of alpha, of votes used twice, of the program that runs.
@pytest.mark.parametrize(
    "method, direction, dim, distance, images",
    [pytest.param(*fault, marks=() if at in (1, 3, 6) else pytest.mark.slow) for at, fault in enumerate(FAULTS)],
)
def test_planted_faults_are_caught(method, direction, dim, distance, images):
    wrong = wrong_certificates(method, direction=direction, dim=dim, distance=distance, images=images)
    assert not is_sound(wrong, images, ALPHA), f"{wrong} of {images} went unnoticed"


@pytest.mark.slow
def test_a_batch_coupled_classifier_is_caught(monkeypatch):
    """The verb refuses it. Without the refusal it certifies what is not so, and its counts depend on the batch size."""
    problem = {"direction": "all", "dim": 16, "distance": 0.0, "images": 200}
    with pytest.raises(ValueError, match="classify must score every row on its own"):
        wrong_certificates(batch_statistics, **problem)
    monkeypatch.setattr(sampler, "check_rows", lambda *given, **named: None)
    assert not is_sound(wrong_certificates(batch_statistics, **problem), 200, ALPHA)
    classify = jax.tree_util.Partial(_normalised, half_space("all", 16)[0])
    x = np.linspace(-1, 1, 48, dtype=np.float32).reshape(3, 16)
    small, large = (js.count_votes(jax.random.key(0), classify, NOISE, x, 200, batch_size=size) for size in (10, 64))
    assert (np.asarray(small.counts) != np.asarray(large.counts)).any()


# The point is 0.01 sigma from the boundary, the classifier's own noise as large as sigma: p = 0.5028.
RANDOM = {"direction": "all", "dim": 16, "distance": 0.005, "images": 1000}


def one_sided(classify_of, batch_size, key, classify, x):
    """Certificates of votes of a randomized half-space at alpha = 0.001, from 1000 draws in such batches."""
    randomized = js.randomized(jax.tree_util.Partial(classify_of, classify))
    counts = np.asarray(js.count_votes(key, randomized, NOISE, x, 1000, batch_size=batch_size).counts)
    radius = js.certified_radius(NOISE, js.bounds.clopper_pearson_lower(counts[:, 1], 1000, 0.001))
    return np.where(radius > 0, 1, -1), radius


def own_keys(classify, keys, batch):
    return classify(batch + jax.vmap(lambda key: 0.5 * jax.random.normal(key, batch.shape[1:]))(keys))


def shared_keys(classify, keys, batch):
    """The randomness of a batch of draws is that of its first: a generator that is seeded once a batch."""
    return classify(batch + 0.5 * jax.random.normal(keys[0], batch.shape[1:]))


def test_a_randomized_classifier_keeps_the_error_rate():
    wrong = wrong_certificates(functools.partial(one_sided, own_keys, 500), **RANDOM)
    assert is_sound(wrong, 1000, 0.001), wrong


@pytest.mark.parametrize(
    ("batch_size", "share"),
    [(500, 0.407), *(pytest.param(*row, marks=pytest.mark.slow) for row in ((100, 0.295), (10, 0.057)))],
)
def test_randomness_shared_between_draws_is_caught(monkeypatch, batch_size, share):
    """The verbs refuse it; without the refusal, so many certificates at alpha = 0.001 are wrong."""
    method = functools.partial(one_sided, shared_keys, batch_size)
    with pytest.raises(ValueError, match="classify must score every row on its own"):
        wrong_certificates(method, **RANDOM)
    monkeypatch.setattr(sampler, "check_rows", lambda *given, **named: None)
    wrong = wrong_certificates(method, **RANDOM)
    assert not is_sound(wrong, 1000, 0.001)
    assert abs(wrong / 1000 - share) < 5 * math.sqrt(share * (1 - share) / 1000)


def test_float32_statistics_are_caught():
    assert worst_error_rate(float32_bound, 20_000, 0.001) > 0.001


@pytest.mark.parametrize("n, alpha", [(20, 0.05), (1000, 0.001), (20_000, 0.001)])
def test_a_beta_inverse_that_is_too_high_is_caught(n, alpha):
    assert worst_error_rate(beta_inverse_too_high, n, alpha) > alpha * (1 + 1e-7)


@pytest.mark.parametrize("n, alpha", [(20, 0.05), (20_000, 0.001)])
def test_a_beta_inverse_that_is_too_high_does_not_reach_the_bounds(monkeypatch, n, alpha):
    monkeypatch.setattr(binomial_tail, "_approximate", start_too_high)
    assert 0.99 * alpha < worst_error_rate(js.bounds.clopper_pearson_lower, n, alpha) <= alpha


def test_bfloat16_noise_has_the_bias_that_the_diagonal_test_catches():
    draws = BFloat16Gaussian(1.0).sample(jax.random.key(0), (1_000_000,))
    assert abs(float(draws.mean())) > 5 / math.sqrt(draws.size)
    honest = js.noises.Gaussian(1.0).sample(jax.random.key(0), (1_000_000,))
    assert abs(float(honest.mean())) < 5 / math.sqrt(honest.size)


def test_half_space_truth_is_the_distance():
    classify, w = half_space("all", 16)
    inside, outside = (np.float32(w * s)[None] for s in (0.01, -0.01))
    assert np.argmax(classify(inside)) == 1 and np.argmax(classify(outside)) == 0
