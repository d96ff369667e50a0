"""certify and certify_batch: Cohen's algorithm, on the host and inside compiled programs."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js

KEY = jax.random.key(3)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = jax.random.normal(jax.random.key(2), (20, 4))


def test_certificates_follow_from_fresh_votes():
    certificates = js.certify(KEY, CLASSIFY, NOISE, X, n0=50, n=2000, alpha=0.01)
    selection = js.count_votes(KEY, CLASSIFY, NOISE, X, 50)
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X, 2000, first=50)
    top = np.asarray(selection.counts.argmax(-1))
    for i, k in enumerate(np.asarray(votes.counts)[np.arange(20), top]):
        bound = stats.binomtest(int(k), 2000, alternative="greater").proportion_ci(0.99, "exact").low
        assert certificates.p_lower[i] == pytest.approx(bound, abs=1e-11)
        assert certificates.radius[i] == pytest.approx(max(0.5 * stats.norm.ppf(bound), 0), abs=1e-10)
        assert certificates.label[i] == (top[i] if bound > 0.5 else js.ABSTAIN)
    np.testing.assert_array_equal(certificates.votes.counts, votes.counts)
    np.testing.assert_array_equal(certificates.samples, 2050)
    assert certificates.label.dtype == np.int32 and certificates.radius.dtype == np.float64
    assert certificates.samples.dtype == np.int64 and isinstance(certificates.votes.counts, np.ndarray)
    assert (certificates.noise, certificates.norm, certificates.alpha) == (NOISE, 2, 0.01)
    assert set(certificates.rule[certificates.radius > 0]) == {"cohen_2019: Cohen et al. 2019, Theorem 1; exact"}
    np.testing.assert_allclose(certificates.p_upper, 1 - certificates.p_lower, rtol=3e-16)
    above = [1 - Fraction(p) <= Fraction(q) for p, q in zip(certificates.p_lower, certificates.p_upper, strict=True)]
    assert all(above)


@pytest.mark.parametrize("norm, factor", [(1, 1.0), (2, 1.0), (np.inf, 0.5)])
def test_norms(norm, factor):
    certificates = js.certify(KEY, CLASSIFY, NOISE, X, n=500, norm=norm)
    euclidean = js.certify(KEY, CLASSIFY, NOISE, X, n=500)
    np.testing.assert_allclose(certificates.radius, euclidean.radius * factor, rtol=1e-12)
    assert certificates.norm == norm


def test_the_way_of_running_changes_nothing():
    base = js.certify(KEY, CLASSIFY, NOISE, X, n=500)
    mesh = jax.make_mesh((8,), ("mc",))
    for options in ({"batch_size": 3}, {"mesh": mesh}, {"progress": True}, {"batch_size": 2, "mesh": mesh}):
        other = js.certify(KEY, CLASSIFY, NOISE, X, n=500, **options)
        np.testing.assert_array_equal(other.radius, base.radius)
        np.testing.assert_array_equal(other.votes.counts, base.votes.counts)
    ids = np.arange(20)[::-1].copy()
    turned = js.certify(KEY, CLASSIFY, NOISE, X[::-1], n=500, image_ids=ids)
    np.testing.assert_array_equal(turned.radius[::-1], base.radius)


def test_images_of_any_shape():
    classify = lambda batch: batch.reshape(batch.shape[0], -1) @ WEIGHTS
    flat = js.certify(KEY, CLASSIFY, NOISE, X, n=200)
    square = js.certify(KEY, classify, NOISE, X.reshape(20, 2, 2, 1), n=200)
    np.testing.assert_array_equal(flat.radius, square.radius)


def test_all_invalid_votes_abstain():
    nan = lambda batch: jnp.full((batch.shape[0], 2), jnp.nan)
    with pytest.warns(UserWarning, match="NaN or infinite, which vote for nobody") as caught:
        certificates = js.certify(KEY, nan, NOISE, X, n=200)
    assert caught[0].filename == __file__
    assert (certificates.label == js.ABSTAIN).all() and (certificates.radius == 0).all()
    np.testing.assert_array_equal(certificates.votes.invalid, 200)


def test_slices_of_certificates():
    certificates = js.certify(KEY, CLASSIFY, NOISE, X, n=200)
    part = certificates[5:8]
    assert len(part) == 3 and len(certificates[-1]) == 1
    np.testing.assert_array_equal(part.votes.counts, certificates.votes.counts[5:8])


def test_certify_batch_is_certify_under_jit_and_vmap():
    table = js.radius_table(NOISE, n=1000, alpha=0.01)
    host = js.certify(KEY, CLASSIFY, NOISE, X, n0=30, n=1000, alpha=0.01)
    batch = jax.jit(lambda key, noise, x: js.certify_batch(key, CLASSIFY, noise, x, table, n0=30))
    label, radius = batch(KEY, NOISE, X)
    np.testing.assert_array_equal(label, host.label)
    assert (np.asarray(radius, np.float64) <= host.radius).all()
    np.testing.assert_allclose(radius, host.radius, rtol=1e-6)
    assert radius.dtype == jnp.float32 and label.dtype == jnp.int32
    keys = jax.random.split(KEY, 3)
    labels, _ = jax.vmap(lambda key: js.certify_batch(key, CLASSIFY, NOISE, X, table, n0=30))(keys)
    one, _ = js.certify_batch(keys[2], CLASSIFY, NOISE, X, table, n0=30)
    np.testing.assert_array_equal(labels[2], one)


def test_sweeping_sigma_alpha_and_table_does_not_retrace():
    traces = []

    @jax.jit
    def step(key, classify, noise, x, table):
        traces.append(None)
        return js.certify_batch(key, classify, noise, x, table)

    for sigma, alpha in ((0.1, 0.01), (0.5, 0.001), (1.0, 0.05)):
        noise = js.noises.Gaussian(sigma)
        classify = jax.tree_util.Partial(CLASSIFY.func, WEIGHTS * sigma)
        step(KEY, classify, noise, X, js.radius_table(noise, n=100, alpha=alpha))
    assert len(traces) == 1


def test_radius_table_is_rounded_down():
    table = js.radius_table(NOISE, n=1000, alpha=0.001)
    exact = js.certified_radius(NOISE, js.bounds.clopper_pearson_lower(np.arange(1001), 1000, 0.001))
    assert table.shape == (1001,) and table.dtype == np.float32
    assert (table.astype(np.float64) <= exact).all() and (np.diff(table) >= 0).all()
    np.testing.assert_allclose(table, exact, rtol=2e-7)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"alpha": 0.0}, "alpha must be strictly between 0 and 1"),
        ({"alpha": 1}, "alpha must be strictly between 0 and 1"),
        ({"n": 9}, "use n >= 10"),
        ({"n0": 0}, "n0 must be at least 1"),
        ({"norm": 3}, "norm must be 1, 2 or np.inf"),
        ({"norm": "l3"}, "norm must be 1, 2 or np.inf"),
    ],
)
def test_bad_input_is_refused_before_sampling(change, message):
    def classify(batch):
        raise AssertionError("sampled before the arguments were checked")

    with pytest.raises(ValueError, match=message):
        js.certify(KEY, classify, NOISE, X, **change)


def test_host_verbs_refuse_to_be_traced():
    with pytest.raises(TypeError, match="inside jit use certify_batch"):
        jax.jit(lambda x: js.certify(KEY, CLASSIFY, NOISE, x).radius)(X)
    with pytest.raises(TypeError, match="inside jit use count_votes"):
        jax.jit(lambda x: js.predict(KEY, CLASSIFY, NOISE, x))(X)
    with pytest.raises(ValueError, match="made by radius_table"):
        js.certify_batch(KEY, CLASSIFY, NOISE, X, np.zeros((3, 3), np.float32))
