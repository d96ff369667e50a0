"""Losses: their identities, a float64 reference, bounds, symmetry, extreme logits, bad input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxsmooth import losses

M, B, K = 4, 6, 5
LOGITS = 3 * jax.random.normal(jax.random.key(0), (M, B, K))
LABELS = jnp.array([0, 1, 2, 3, 4, 0])
TARGET = jax.nn.softmax(jax.random.normal(jax.random.key(1), (B, K))).at[0].set(jnp.eye(K)[2])
CLEAN = jax.random.normal(jax.random.key(2), (B, K))
KEPT = jnp.array([1, 2, 3, 4, 4, 1])


def target_of(z):
    """The target, with probability 0 for further classes."""
    return jnp.pad(TARGET, ((0, 0), (0, z.shape[-1] - K)))


# name: logits (M, B, K) -> (B,), with everything else at hand
LOSSES = {
    "gaussian_cross_entropy": lambda z: losses.gaussian_cross_entropy(z, LABELS),
    "soft_smoothed_nll": lambda z: losses.soft_smoothed_nll(z, LABELS),
    "stability": lambda z: losses.stability(z[0], z, LABELS, 2.0),
    "noisy_stability": lambda z: losses.noisy_stability(z, LABELS, 6.0),
    "consistency_kl": losses.consistency_kl,
    "mean_entropy": losses.mean_entropy,
    **{
        f"consistency {kind}": lambda z, kind=kind: losses.consistency(z, LABELS, 10.0, 0.5, kind=kind)
        for kind in ("decoupled", "kl", "cross_entropy", "mse")
    },
    "macer": lambda z: losses.macer(z, LABELS, 0.5, 12.0),
    "mixup_kl": lambda z: losses.mixup_kl(z, target_of(z)),
    "mixup_kl to itself": lambda z: losses.mixup_kl(z, jnp.exp(losses.log_mean_softmax(z))),
    "lowest_cross_entropy": lambda z: losses.lowest_cross_entropy(z, LABELS, KEPT),
    "worst_kl": lambda z: losses.worst_kl(z, target_of(z)),
}
ASYMMETRIC = ("stability", "noisy_stability", "consistency mse")

each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def reference():
    """The same losses in float64 from their definitions, one number at a time in probability space."""
    z, y = np.asarray(LOGITS, np.float64), np.asarray(LABELS)
    target = np.asarray(TARGET, np.float64)
    p = special.softmax(z, -1)
    mean = p.mean(0)
    kl = lambda a, b: special.rel_entr(a, b).sum(-1)
    ce = -np.log(p[:, np.arange(B), y])
    agree, entropy = kl(mean, p).mean(0), special.entr(mean).sum(-1)
    q = np.sort(special.softmax(16 * z, -1).mean(0), -1)
    margin = special.ndtri(q[:, -1]) - special.ndtri(q[:, -2])
    active = (special.softmax(16 * z, -1).mean(0).argmax(-1) == y) & (np.abs(margin) <= 8)
    hinge = np.where(active, 0.25 * (8 - np.where(active, margin, 0)), 0)
    nll = -np.log(mean[np.arange(B), y] + 1e-10)
    return {
        "gaussian_cross_entropy": ce.mean(0),
        "soft_smoothed_nll": -np.log(mean[np.arange(B), y]),
        "stability": ce[0] - 2 * (p[0] * np.log(p)).sum(-1).mean(0),
        "noisy_stability": ce[0] + 6 * kl(p[0], p[1:]).mean(0),
        "consistency_kl": agree,
        "mean_entropy": entropy,
        "consistency decoupled": ce.mean(0) + 10 * agree + 0.5 * entropy,
        "consistency kl": ce.mean(0) + 10 * agree,
        "consistency cross_entropy": ce.mean(0) + 10 * (agree + entropy),
        "consistency mse": ce.mean(0) + 10 * ((p[0] - p[1]) ** 2).sum(-1),
        "macer": nll + 12 * hinge,
        "mixup_kl": kl(target, p).mean(0),
        "mixup_kl to itself": agree,
        "lowest_cross_entropy": [np.sort(ce[:, i])[:k].sum() / M for i, k in enumerate(np.asarray(KEPT))],
        "worst_kl": kl(target, p).max(0),
    }


@pytest.mark.parametrize("name", LOSSES)
def test_float64_reference(name):
    value = jax.jit(LOSSES[name])(LOGITS)
    assert value.shape == (B,) and value.dtype == jnp.float32
    np.testing.assert_allclose(value, reference()[name], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("lam", [0.0, 3.0, 20.0])
def test_identities_of_consistency(lam):
    consistency = functools.partial(losses.consistency, LOGITS, LABELS, lam)
    natural, kl = losses.gaussian_cross_entropy(LOGITS, LABELS), losses.consistency_kl(LOGITS)
    entropy = losses.mean_entropy(LOGITS)
    same = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    same(consistency(lam), consistency(kind="cross_entropy"))
    same(consistency(0.7), natural + lam * kl + 0.7 * entropy)
    same(consistency(0.0), consistency(kind="kl"))
    # the divergence and the entropy add up to the cross-entropy with the average
    mean = jnp.exp(losses.log_mean_softmax(LOGITS))
    same(kl + entropy, -(mean[None] * jax.nn.log_softmax(LOGITS)).sum(-1).mean(0))
    assert (losses.soft_smoothed_nll(LOGITS, LABELS) <= natural + 1e-6).all()


def test_identical_copies_have_no_divergence():
    copies = jnp.broadcast_to(LOGITS[:1], LOGITS.shape)
    np.testing.assert_allclose(losses.consistency_kl(copies), 0, atol=1e-6)
    cross_entropy = losses.gaussian_cross_entropy(LOGITS[:1], LABELS)
    expected = cross_entropy + 0.5 * losses.mean_entropy(LOGITS[:1])
    np.testing.assert_allclose(losses.consistency(copies, LABELS, 100.0, 0.5), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(losses.noisy_stability(copies, LABELS, 6.0), cross_entropy, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(losses.soft_smoothed_nll(copies, LABELS), cross_entropy, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
def test_bounds(scale):
    z = scale * LOGITS / 3
    assert (losses.consistency_kl(z) >= -1e-6).all()
    assert (losses.mean_entropy(z) >= 0).all() and (losses.mean_entropy(z) <= np.log(K) + 1e-6).all()
    assert (losses.mixup_kl(z, TARGET) >= -1e-6).all()
    assert (losses.worst_kl(z, TARGET) >= losses.mixup_kl(z, TARGET) - 1e-6).all()
    assert (losses.lowest_cross_entropy(z, LABELS, KEPT) <= losses.gaussian_cross_entropy(z, LABELS) * (1 + 1e-6)).all()


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ASYMMETRIC])
def test_order_of_copies_does_not_matter(name):
    np.testing.assert_allclose(
        LOSSES[name](LOGITS), LOSSES[name](LOGITS[jnp.array([2, 0, 3, 1])]), rtol=1e-5, atol=1e-6
    )


EXTREME = {
    "signs": 1e4 * jnp.sign(LOGITS),
    "one class": 1e4 * jnp.broadcast_to(jax.nn.one_hot(LABELS, K), (M, B, K)),
    "a wrong class": 1e4 * jnp.broadcast_to(jax.nn.one_hot(LABELS + 1, K), (M, B, K)),
    "copies that disagree": 1e4 * jax.nn.one_hot(jnp.arange(M)[:, None] + LABELS[None], K),
    "ties": jnp.zeros((M, B, K)),
    "large ties": jnp.full((M, B, K), -1e4),
    "a saturated float32": LOGITS.at[..., 0].add(20.0),
    "underflow": LOGITS.at[..., 0].add(100.0),
}


# Where divergences are infinite, or nearly: what has a class that others have masked, what float32 just holds.
ENDLESS = {
    "masked in the first copy": LOGITS.at[0, :, 4].set(-jnp.inf).at[:, 4].set(0.0),
    "masked in another copy": LOGITS.at[2, :, 4].set(-jnp.inf).at[:, 4].set(0.0),
    "the largest signs": 3e38 * jnp.sign(LOGITS),
    "one large copy": LOGITS.at[1].set(3e38 * jnp.sign(LOGITS[1])),
    "large copies that disagree": 3e38 * (2 * jax.nn.one_hot(jnp.arange(M)[:, None] + LABELS[None], K) - 1),
}


@each_loss
def test_extreme_logits_have_finite_values_and_gradients(loss):
    both = jax.jit(jax.vmap(jax.value_and_grad(lambda z: loss(z).sum())))
    extreme = EXTREME | ENDLESS
    value, gradient = both(jnp.stack([jnp.broadcast_to(z, (M, B, K)) for z in extreme.values()]))
    for i, name in enumerate(extreme):
        assert np.isfinite(value[i]) or (name in ENDLESS and value[i] == np.inf), name
        assert np.isfinite(gradient[i]).all(), name


@pytest.mark.slow
@each_loss
def test_masked_classes_do_not_count(loss):
    """Logits of -inf for a class that no label has: the values and gradients of the other classes alone."""
    masked = jnp.concatenate([LOGITS, jnp.full((M, B, 1), -jnp.inf)], -1)
    both = jax.value_and_grad(lambda z: loss(z).sum())
    for debug in (False, True):
        with jax.debug_nans(debug):
            value, gradient = both(masked)
            np.testing.assert_allclose(value, both(LOGITS)[0], rtol=1e-6)
            np.testing.assert_allclose(gradient[..., :K], both(LOGITS)[1], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(gradient[..., K], 0.0)


def test_a_class_masked_in_one_copy():
    """KL(p || q) is finite where p = 0, whatever q; infinite where q = 0 alone; only the label's class is needed."""
    z = jnp.array([[[0.0, 1.0, -jnp.inf]], [[0.5, 0.0, 2.0]]])
    labels = jnp.array([1])
    for loss in (lambda z: losses.noisy_stability(z, labels, 6.0)[0], lambda z: losses.soft_smoothed_nll(z, labels)[0]):
        value, gradient = jax.value_and_grad(loss)(z)
        assert np.isfinite(value) and np.isfinite(gradient).all()
    assert losses.noisy_stability(z[::-1], labels, 6.0) == np.inf
    assert losses.consistency_kl(z) == np.inf
    assert np.isnan(losses.consistency_kl(z.at[1, 0, 0].set(jnp.nan)))


@each_loss
def test_jit_and_vmap(loss):
    np.testing.assert_allclose(jax.jit(loss)(LOGITS), loss(LOGITS), rtol=1e-5, atol=1e-5)
    stacked = jax.jit(jax.vmap(loss))(jnp.stack([LOGITS, 2 * LOGITS]))
    np.testing.assert_allclose(stacked[1], loss(2 * LOGITS), rtol=1e-5, atol=1e-5)


def test_half_precision_logits_lose_only_their_own_digits():
    half = LOGITS.astype(jnp.bfloat16)
    kl = losses.consistency_kl(half)
    assert kl.dtype == jnp.float32
    np.testing.assert_array_equal(kl, losses.consistency_kl(half.astype(jnp.float32)))


def macer_logits():
    """Four images: right and narrow, wrong, wider than gamma, right with q1 = 1 in float32."""
    return jnp.array([[[0.05, 0.0], [0.05, 0.0], [0.9, 0.0], [50.0, 0.0]]])


def test_macer_counts_the_active_and_leaves_the_others_alone():
    z, labels = macer_logits(), jnp.array([0, 1, 0, 0])
    margin, active = losses.macer_margin(z, labels, gamma=6.0)
    assert active.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(margin[1:], 6.0)
    hinge = jax.jit(lambda z: (6.0 - losses.macer_margin(z, labels, gamma=6.0)[0]).sum())
    gradient = jax.grad(hinge)(z)
    assert (gradient[0, 0] != 0).all() and (gradient[0, 1:] == 0).all()
    # a mean over the batch, not over the active
    total = jax.jit(lambda lam: losses.macer(z, labels, 0.5, lam, gamma=6.0))
    added = total(12.0) - total(0.0)
    np.testing.assert_allclose(added[0], 3 * (6.0 - margin[0]), rtol=1e-4)
    np.testing.assert_array_equal(added[1:], 0)


def test_macer_keeps_the_digits_of_a_probability_near_one():
    z = jnp.array([[[1.5, 0.0]]])  # the other class has e^-24, which 1 - q1 cannot show in float32
    margin, _ = losses.macer_margin(z, jnp.array([0]), gamma=100.0, clip=1e-30)
    np.testing.assert_allclose(margin, -2 * special.ndtri(special.expit(-24.0)), rtol=1e-5)


BAD = {
    "rank": (lambda: losses.consistency_kl(LOGITS[0]), ValueError, "num_samples, batch, classes"),
    "integers": (lambda: losses.mean_entropy(jnp.zeros((2, 3, 4), int)), TypeError, "floating point"),
    "one class": (lambda: losses.mean_entropy(LOGITS[..., :1]), ValueError, "at least 2 classes"),
    "one copy": (lambda: losses.consistency(LOGITS[:1], LABELS, 1.0), ValueError, "at least 2 noisy copies"),
    "kind": (lambda: losses.consistency(LOGITS, LABELS, 1.0, kind="js"), ValueError, "one of 'decoupled', 'kl'"),
    "labels' shape": (lambda: losses.gaussian_cross_entropy(LOGITS, LABELS[:3]), ValueError, "one per image"),
    "labels' dtype": (lambda: losses.gaussian_cross_entropy(LOGITS, LABELS.astype(jnp.float32)), TypeError, "integers"),
    "labels' range": (lambda: losses.gaussian_cross_entropy(LOGITS, LABELS + 1), ValueError, r"\[0, 4\].*got 5"),
    "negative labels": (lambda: losses.soft_smoothed_nll(LOGITS, LABELS - 1), ValueError, "got -1"),
    "clean logits": (lambda: losses.stability(CLEAN[:2], LOGITS, LABELS, 1.0), ValueError, "clean_logits"),
    "target": (lambda: losses.mixup_kl(LOGITS, TARGET[:, :2]), ValueError, "target"),
    "count": (lambda: losses.lowest_cross_entropy(LOGITS, LABELS, KEPT.astype(jnp.float32)), TypeError, "count"),
    "count's shape": (lambda: losses.lowest_cross_entropy(LOGITS, LABELS, KEPT[:2]), ValueError, "count"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_label_that_is_none_is_no_number_inside_jit():
    """-1, as of padding, is not the last class; nor is one class too many."""
    loss = jax.jit(losses.gaussian_cross_entropy)
    for label in (-1, -2, LOGITS.shape[-1]):
        np.testing.assert_array_equal(jnp.isnan(loss(LOGITS, LABELS.at[0].set(label))), np.arange(len(LABELS)) == 0)
