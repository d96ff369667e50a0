"""Training sees what certification does: noises with a ``perturb`` of their own, and the sums of the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth import _keys, objectives
from jaxsmooth._verbs.check_classifier import _noisy
from jaxsmooth.noises.base import is_additive
from jaxsmooth.objectives.attacks import with_slope
from tests.noises.families import FAMILIES
from tests.objectives.networks import APPLY, LABELS, TARGETS, X

KEY = jax.random.key(7)
OBJECTIVES = {
    "gaussian": objectives.GaussianAugmentation(2),
    "stability": objectives.Stability(2.0),
    "consistency": objectives.Consistency(10.0, 0.5, 2),
    "smoothadv pgd": objectives.SmoothAdv(0.5, 2),
    "smoothadv ddn": objectives.SmoothAdv(0.5, 2, attack="ddn"),
    "macer": objectives.MACER(4.0, num_samples=4),
    "smoothmix": objectives.SmoothMix(5.0, 2, 0.5),
}


class Own(js.noises.AbstractNoise):
    def scale(self, dim):
        return self.sigma

    def sample(self, key, shape):
        return js.noises.Gaussian(self.sigma).sample(key, shape)


@js.frozen_pytree
class Same(Own):
    """A sum by another way."""

    sigma: float

    def perturb(self, key, x):
        return x + self.sample(key, x.shape)


@js.frozen_pytree
class Scaled(Own):
    """Nothing added: every coordinate is multiplied."""

    sigma: float

    def perturb(self, key, x):
        return x * (1 + self.sample(key, x.shape))


@js.frozen_pytree
class Rounded(Own):
    """On a grid of 1/255, where no derivative is seen."""

    sigma: float

    def perturb(self, key, x):
        return jnp.round(255 * (x + self.sample(key, x.shape))) / 255


@js.frozen_pytree
class Masked(Own):
    """Some coordinates, and which they are: a coordinate more than the image."""

    sigma: float

    def perturb(self, key, x):
        kept = self.sample(key, x.shape) > 0
        return jnp.concatenate([x * kept, kept[:1].astype(x.dtype)])


class Bare:
    """A noise that derives from nothing and has no ``perturb``."""

    sigma = 0.25


def trained_on(objective, noise):
    """The noisy batch that the network sees: here it is its state, too."""
    apply = lambda batch: (APPLY(batch[:, :2]), batch)
    return jax.jit(lambda noise: objective(KEY, apply, noise, X, LABELS, has_state=True)[1].states["noisy"])(noise)


@pytest.mark.parametrize("noise", [js.noises.Gaussian(0.25), js.noises.Exp2(0.25, k=1.0)], ids=["Gaussian", "Exp2"])
def test_a_sample_is_added_to_the_bit(noise):
    keys = _keys.split(_keys.split(KEY)[0], (len(X), 2))
    draw = lambda noise, keys: jax.vmap(lambda key: noise.sample(key, X.shape[1:]))(keys)
    copies = jax.jit(lambda noise: X[:, None] + jax.vmap(draw)(noise.at(X), keys))(noise)
    batch = trained_on(objectives.GaussianAugmentation(2), noise)
    np.testing.assert_array_equal(batch.reshape(len(X), 2, 2, 3), copies)


def test_which_noises_add():
    assert all(is_additive(family.noise) for family in FAMILIES)
    assert is_additive(Bare()) and is_additive(js.noises.GaussianAt(jnp.ones(2)))
    assert not any(is_additive(noise(0.25)) for noise in (Same, Scaled, Rounded, Masked))


LONG = ("stability", "smoothadv ddn", "smoothmix")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in OBJECTIVES])
def test_a_sum_by_another_way_is_the_same(name):
    """Attacks through ``perturb`` find what attacks through the sum find."""
    call = jax.jit(lambda noise: OBJECTIVES[name](KEY, APPLY, noise, X, LABELS))
    (loss, aux), (other, other_aux) = call(Same(0.25)), call(js.noises.Gaussian(0.25))
    np.testing.assert_allclose(loss, other, rtol=1e-5)
    for term, value in aux.terms.items():
        np.testing.assert_allclose(value, other_aux.terms[term], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["gaussian", "consistency", *(pytest.param(n, marks=pytest.mark.slow) for n in ("stability", "macer"))]
)
def test_a_perturb_of_its_own_is_what_is_trained_on(name):
    keys = _keys.split(_keys.split(KEY)[0], (len(X), OBJECTIVES[name].num_samples))
    around = jax.vmap(jax.vmap(Scaled(0.25).perturb, (0, None)))
    batch = trained_on(OBJECTIVES[name], Scaled(0.25))
    np.testing.assert_allclose(batch, around(keys, X).reshape(-1, 2, 3), atol=1e-6)


@pytest.mark.parametrize("noise", [Scaled(0.25), Rounded(0.25)], ids=["scaled", "rounded"])
@pytest.mark.parametrize("attack", ["pgd", pytest.param("ddn", marks=pytest.mark.slow)])
def test_attacks_see_the_perturb(noise, attack):
    """Where it is rounded they would stand still if they did not look through it."""
    objective = objectives.SmoothAdv(0.3, 4, attack=attack)
    aux = jax.jit(lambda noise: objective(KEY, APPLY, noise, X, APPLY(X).argmax(-1))[1])(noise)
    assert 0.05 < aux.terms["moved"] <= 0.3 * (1 + 1e-5)


def test_the_slope_of_what_has_none_is_that_of_the_identity():
    keys = jax.random.split(KEY, (len(X), 2))
    around = lambda noise: lambda points: jax.vmap(jax.vmap(noise.perturb, (0, None)))(keys, points)
    slope = lambda noise: jax.grad(lambda x: with_slope(around(noise), x)(x).sum())(X)
    np.testing.assert_array_equal(slope(Rounded(0.25)), 2.0)
    assert len(np.unique(slope(Scaled(0.25)))) > 10
    np.testing.assert_array_equal(with_slope(around(Rounded(0.25)), X)(X), around(Rounded(0.25))(X))


def test_copies_may_have_another_shape():
    assert trained_on(objectives.GaussianAugmentation(2), Masked(0.25)).shape == (16, 3, 3)
    apply = lambda batch: APPLY(batch[:, :2])
    for objective in (OBJECTIVES["smoothadv pgd"], OBJECTIVES["smoothmix"]):
        assert np.isfinite(jax.jit(lambda noise, one=objective: one(KEY, apply, noise, X, LABELS)[0])(Masked(0.25)))


def test_an_objective_that_moves_the_noise_says_so():
    with pytest.raises(ValueError, match="noise must add a sample for CatRS"):
        objectives.CatRS()(KEY, APPLY, Scaled(0.25), X, LABELS, targets=TARGETS)


def test_check_classifier_sees_the_perturb():
    noisy = _noisy(KEY, Rounded(0.25), np.asarray(X))
    np.testing.assert_allclose(255 * noisy, np.round(255 * noisy), atol=1e-3)
