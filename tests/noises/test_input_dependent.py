"""InputDependentGaussian is a noise like any other, and its certificates know that sigma moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxsmooth as js
import jaxsmooth.scales
from jaxsmooth import _check
from jaxsmooth._noise import frozen

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
REFERENCE = RNG.uniform(size=(60, 4, 4, 1)).astype(np.float32)
X = RNG.uniform(size=(9, 4, 4, 1)).astype(np.float32)
RATE = 0.3
KNN = js.noises.InputDependentGaussian(js.scales.KNNScale(REFERENCE, 0.5, RATE, k=5))
WEIGHTS = jnp.asarray(RNG.normal(size=(16, 3)), jnp.float32)
CLASSIFY = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, WEIGHTS)


@js.frozen_pytree
class Steps(js.scales.AbstractScale):
    """Sigma 0.25 or 0.5 by the first pixel: constant up to the distance to the step."""

    def __call__(self, x):
        return jnp.where(x.reshape(len(x), -1)[:, 0] < 0.5, 0.25, 0.5)

    def local_constancy_radius(self, x):
        return jnp.abs(x.reshape(len(x), -1)[:, 0] - 0.5)


@js.frozen_pytree
class Silent(js.scales.AbstractScale):
    def __call__(self, x):
        return jnp.ones(len(x))


def test_at_gives_sigma_of_each_image():
    at = KNN.at(X)
    sigma = np.asarray(KNN.sigma_at(X))
    assert at.sigma.shape == (9,) and len(set(sigma.tolist())) == 9
    assert (np.asarray(at.sigma) == sigma).all() and (np.asarray(at.at(X).sigma) == sigma).all()
    assert (np.asarray(at.margin, np.float64) >= KNN.frozen_at(X).margin).all()
    assert (np.asarray(at.rate, np.float64) >= RATE).all() and (np.asarray(at.constant_within) == 0).all()
    frozen = KNN.frozen_at(X)
    assert frozen.sigma.dtype == np.float64 and (frozen.sigma == sigma).all() and (frozen.rate == RATE).all()
    assert (frozen[2:4].sigma == sigma[2:4]).all() and frozen[2:4].rate.shape == (2,)


class Dropped(nnx.Module):
    def __init__(self, rngs):
        self.dense, self.dropout = nnx.Linear(16, 1, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return 0.1 * self.dropout(self.dense(x.reshape(len(x), -1)))[:, 0]


def in_the_precision_of_its_weights(factor, weights, x):
    return factor * jnp.tanh(x.reshape(len(x), -1).astype(weights.dtype) @ weights).sum(-1)


P = jax.tree_util.Partial
LOG_SIGMA = {
    "bfloat16": P(in_the_precision_of_its_weights, 0.3, WEIGHTS.astype(jnp.bfloat16)),
    "a factor in float64": P(in_the_precision_of_its_weights, np.float64(0.3), WEIGHTS.astype(jnp.float16)),
    "indices": P(lambda order, x: 0.1 * x.reshape(len(x), -1)[:, order][:, 0], np.arange(16)[::-1]),
    "keys": js.interop.from_nnx(Dropped(nnx.Rngs(0))),
}


@pytest.mark.parametrize("name", LOG_SIGMA)
def test_sigma_is_drawn_as_it_is_certified(name):
    noise = js.noises.InputDependentGaussian(js.scales.LipschitzScale(LOG_SIGMA[name], 0.1))
    drawn = jax.jit(lambda noise, x: noise.at(x).sigma)(_check.float32_noise(noise), X)
    np.testing.assert_array_equal(drawn, noise.frozen_at(X).sigma)
    assert len(set(noise.frozen_at(X).sigma.tolist())) > 1


def test_draws_have_the_sigma_of_their_image():
    keys = jax.random.split(KEY, 20_000)
    draws = jax.vmap(lambda noise: jax.vmap(lambda key: noise.sample(key, (4,)))(keys))(KNN.at(X))
    np.testing.assert_allclose(np.asarray(draws).std((1, 2)), np.asarray(KNN.sigma_at(X)), rtol=0.02)


def test_counts_do_not_depend_on_batching_or_the_mesh():
    whole = js.count_votes(KEY, CLASSIFY, KNN, X, 700)
    assert (np.asarray(whole.total) == 700).all()
    mesh = jax.make_mesh((8,), ("draws",))
    for votes in (
        js.count_votes(KEY, CLASSIFY, KNN, X, 700, batch_size=64),
        js.count_votes(KEY, CLASSIFY, KNN, X, 700, mesh=mesh),
        js.count_votes(KEY, CLASSIFY, KNN, X, 500) + js.count_votes(KEY, CLASSIFY, KNN, X, 200, first=500),
    ):
        assert (np.asarray(votes.counts) == np.asarray(whole.counts)).all()
    alone = js.count_votes(KEY, CLASSIFY, KNN, X[3:4], 700, image_ids=np.array([3]))
    assert (np.asarray(alone.counts) == np.asarray(whole.counts)[3:4]).all()


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_certify_uses_sigma_and_rate_of_each_image(norm):
    certificates = js.certify(KEY, CLASSIFY, KNN, X, n0=20, n=2000, norm=norm)
    frozen = KNN.frozen_at(X)
    assert (frozen.margin > 0).all()
    expected = js.radii.semi_elastic_radius(
        certificates.p_lower, sigma=frozen.sigma, rate=RATE, dim=16, margin=frozen.margin
    )
    expected = expected / 4 if norm == np.inf else expected
    np.testing.assert_allclose(certificates.radius, expected, rtol=1e-12)
    assert (certificates.radius > 0).any() and certificates.noise is KNN
    named = certificates.rule[certificates.radius > 0]
    assert all(rule.startswith("sukenik_2022") for rule in named)
    bounded = js.certify(KEY, CLASSIFY, KNN, X, n0=20, n=2000, norm=norm, runner_up="bounded")
    assert (bounded.radius <= certificates.radius * (1 + 1e-12)).all()


def test_a_constant_scale_is_the_gaussian_to_the_last_bit():
    for sigma in (0.25, 0.1):
        constant = js.noises.InputDependentGaussian(js.scales.Constant(sigma))
        ours = js.certify(KEY, CLASSIFY, constant, X, n0=20, n=1000)
        cohen = js.certify(KEY, CLASSIFY, js.noises.Gaussian(sigma), X, n0=20, n=1000)
        assert (ours.votes.counts == cohen.votes.counts).all()
        np.testing.assert_allclose(ours.radius, cohen.radius, rtol=1e-15)
        for norm, dim in ((1, None), (2, None), (np.inf, 16)):
            table = js.radius_table(constant, n=200, alpha=0.01, norm=norm, dim=dim)
            assert (table == js.radius_table(js.noises.Gaussian(sigma), n=200, alpha=0.01, norm=norm, dim=dim)).all()
        assert js.required_probability(constant, 0.3) == js.required_probability(js.noises.Gaussian(sigma), 0.3)
        label, radius = js.certify_batch(KEY, CLASSIFY, constant, X, table, n0=20)
        assert label.shape == radius.shape == (9,)


def test_rate_zero_is_cohen_at_each_sigma():
    still = js.noises.GaussianAt(np.array([0.25, 0.5]), rate=0.0)
    p = np.array([0.9, 0.99])
    cohen = [js.certified_radius(js.noises.Gaussian(s), q) for s, q in zip((0.25, 0.5), p, strict=True)]
    assert js.certified_radius(still, p, dim=784).tolist() == cohen


def test_radii_and_probabilities_align_with_the_images():
    frozen = KNN.frozen_at(X)
    p = np.linspace(0.3, 0.999, 9)  # some certify nothing
    radius = js.certified_radius(frozen, p, dim=16)
    one_by_one = [float(js.certified_radius(frozen[i : i + 1], p[i : i + 1], dim=16)[0]) for i in range(9)]
    np.testing.assert_allclose(radius, one_by_one, rtol=1e-11)
    grid = js.required_probability(frozen, np.array([0.1, 0.3])[:, None], dim=16)
    assert grid.shape == (2, 9)
    back = js.certified_radius(frozen, grid, dim=16)
    np.testing.assert_allclose(back, np.broadcast_to([[0.1], [0.3]], (2, 9)), rtol=1e-8)
    assert (back >= [[0.1], [0.3]]).all()  # what is required suffices
    assert js.certified_radius(frozen, 0.9, dim=16).shape == (9,)
    # the runner-up's bound is not used: no larger radius, and nothing below 1/2
    assert (js.certified_radius(frozen, p, dim=16, p_upper=0.0 * p) == radius).all()


def test_float32_leaves_claim_no_more():
    device, host = js.certified_radius(KNN.at(X), 0.99, dim=16), js.certified_radius(KNN.frozen_at(X), 0.99, dim=16)
    assert (device <= host).all()
    np.testing.assert_allclose(device, host, rtol=1e-6)


def test_local_constancy_caps_the_radius():
    noise = js.noises.InputDependentGaussian(Steps())
    certificates = js.certify(KEY, CLASSIFY, noise, X, n0=20, n=5000)
    cap = np.abs(X.reshape(9, -1)[:, 0].astype(np.float64) - 0.5)
    cohen = noise.frozen_at(X).sigma * np.maximum(jax.scipy.special.ndtri(certificates.p_lower), 0)
    np.testing.assert_allclose(certificates.radius, np.minimum(cohen, cap), rtol=1e-5, atol=1e-7)
    assert (certificates.radius <= cap).all() and (certificates.radius == cap * (1 - 2.0**-50)).any()
    far = js.required_probability(noise.frozen_at(X), cap + 0.01, dim=16)
    assert np.isinf(far).all()


@pytest.mark.parametrize("shape", [(9, 1), ()])
def test_a_scale_of_another_shape_is_refused(shape):
    class Odd(Steps):
        def __call__(self, x):
            return jnp.full(shape, 0.5)

    with pytest.raises(TypeError, match=r"sigma_at must be a pytree: put @js\.frozen_pytree before the class Odd$"):
        js.noises.InputDependentGaussian(Odd())
    noise = js.noises.InputDependentGaussian(js.frozen_pytree(Odd)())
    with pytest.raises(ValueError, match=r"Odd must give one sigma for each image, shape \(\d,\); got "):
        js.certify(KEY, CLASSIFY, noise, X, n0=20, n=100)
    with pytest.raises(ValueError, match="Odd must give one sigma for each image"):
        noise.frozen_at(X)


def test_predict_and_logs_take_it(tmp_path):
    labels = js.predict(KEY, CLASSIFY, KNN, X, n=500, alpha=0.01)
    assert labels.shape == (9,) and (labels >= -1).all()
    certificates = js.certify(KEY, CLASSIFY, KNN, X, n0=20, n=500, alpha=0.01)
    js.analysis.write_log(tmp_path / "log.tsv", certificates, np.zeros(9, int))
    again, _ = js.analysis.read_log(tmp_path / "log.tsv")
    np.testing.assert_allclose(again.radius, certificates.radius, rtol=1e-8)
    assert "InputDependentGaussian" in str(js.analysis.summary(certificates, np.zeros(9, int), [0.1]))


def test_new_references_and_rates_do_not_trace_again():
    traces = []

    def classify(x):
        traces.append(None)
        return x.reshape(len(x), -1) @ WEIGHTS

    for seed in range(3):
        reference = np.random.default_rng(seed).uniform(size=(60, 4, 4, 1)).astype(np.float32)
        scale = js.scales.KNNScale(reference, 0.1 * (seed + 1), 0.05 * seed, k=5)
        js.count_votes(KEY, classify, js.noises.InputDependentGaussian(scale), X, 64)
        if seed == 0:
            once = len(traces)
    assert len(traces) == once


def test_frozen_leaves_other_noises_alone():
    gaussian = js.noises.Gaussian(0.5)
    assert frozen(gaussian, X) is gaussian
    assert isinstance(frozen(KNN, X), js.noises.GaussianAt)


NEEDS_IMAGES = r"noise\.frozen_at\(x\)"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: js.noises.InputDependentGaussian(0.5), "sigma_at must be a scale"),
        (lambda: js.noises.InputDependentGaussian(lambda x: 0.5), "declares how fast sigma may change; got function"),
        (lambda: js.noises.InputDependentGaussian(Silent()), "declares neither semi_elasticity nor local_constancy"),
        (lambda: js.certified_radius(KNN, 0.9, dim=16), NEEDS_IMAGES),
        (lambda: js.required_probability(KNN, 0.1, dim=16), NEEDS_IMAGES),
        (lambda: js.radius_table(KNN, n=100, alpha=0.01, dim=16), NEEDS_IMAGES),
        (lambda: js.certify_batch(KEY, CLASSIFY, KNN, X, np.zeros(101, np.float32)), NEEDS_IMAGES),
        (lambda: KNN.sample(KEY, (4,)), r"sample from noise\.at\(x\)"),
        (lambda: KNN.scale(4), r"use noise\.at\(x\)\.sigma"),
        (lambda: jax.jit(KNN.frozen_at)(X), "frozen_at works on the host"),
        (lambda: js.certify(KEY, CLASSIFY, KNN, X.reshape(9, 8, 2, 1), n0=20, n=100), "shape of the references"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_scale_that_overflows_is_refused():
    scale = js.scales.LipschitzScale(lambda x: 100 * x.reshape(len(x), -1)[:, 0] + 90, 100.0)
    with pytest.raises(ValueError, match=r"image 0 has inf\. Clip the scale"):
        js.noises.InputDependentGaussian(scale).frozen_at(np.ones((1, 4), np.float32))


@pytest.mark.parametrize("name", ["rate", "constant_within", "margin"])
@pytest.mark.parametrize("value", [-0.01, np.nan])
def test_what_is_known_of_the_scale_is_no_negative_number(name, value):
    """It claimed the radius of a scale that is constant."""
    given = {"rate": 0.01, name: value}
    for ask in (js.certified_radius, js.required_probability):
        with pytest.raises(ValueError, match=f"{name} of the scale must be at least 0; got {value}"):
            ask(js.noises.GaussianAt(np.array([0.5]), **given), [0.9], norm=2, dim=3072)
