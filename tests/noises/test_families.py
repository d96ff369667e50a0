"""Every noise: contracts of the class, and its law by tests that a right sampler fails once in a million runs."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
from jaxsmooth.noises import random, surfaces
from tests.noises.families import FAMILIES, NAMES, Family

FALSE_ALARM = 1e-6
KEY = jax.random.key(0)
DIM = 8


KEYS = 10_000


@functools.cache
def sampler(index: int) -> tuple[Any, list[None]]:
    """A compiled sampler of many events of the family, and a list that grows at every trace."""
    traces: list[None] = []

    @jax.jit
    def sample(noise: Any, keys: jax.Array) -> jax.Array:
        traces.append(None)
        return jax.vmap(lambda key: noise.sample(key, (DIM,)))(keys)

    return sample, traces


@functools.cache
def draws(index: int, sigma: float = 1.0) -> np.ndarray:
    """``(KEYS, DIM)``, float64."""
    noise = dataclasses.replace(FAMILIES[index].noise, sigma=sigma)
    return np.asarray(sampler(index)[0](noise, jax.random.split(jax.random.key(index), KEYS)), np.float64)


every_family = pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
one_of_each_class = pytest.mark.parametrize(
    "family", list({type(family.noise): family for family in FAMILIES}.values()), ids=lambda family: family.name
)
# In the scope of the module, so that the tests of one family follow each other and share its program.
every_index = pytest.mark.parametrize("index", range(len(FAMILIES)), ids=NAMES, scope="module")


@one_of_each_class
def test_an_event_of_any_shape_in_float32(family: Family) -> None:
    shapes = [(12,), (2, 3, 2)]
    sample = jax.jit(jax.vmap(lambda key: [family.noise.sample(key, shape) for shape in shapes]))
    one, other = zip(*sample(jax.random.split(jax.random.key(0))), strict=True)
    for shape, draw in zip(shapes, one, strict=True):
        assert draw.shape == shape
        assert draw.dtype == jnp.float32
        assert np.isfinite(np.asarray(draw)).all()
    flat, folded = other
    np.testing.assert_allclose(np.ravel(folded), flat, rtol=1e-6)


@every_index
def test_a_sweep_of_sigma_does_not_trace_again(index: int) -> None:
    np.testing.assert_allclose(draws(index, sigma=2.0), 2 * draws(index), rtol=1e-6)
    assert len(sampler(index)[1]) == 1


@one_of_each_class
def test_vmap_over_keys_and_sigmas(family: Family) -> None:
    keys = jax.random.split(jax.random.key(4), 3)
    noises = family.noise.at(jnp.zeros((3, DIM)))
    together = jax.jit(jax.vmap(lambda noise, key: noise.sample(key, (DIM,))))(noises, keys)
    sample = jax.jit(lambda key: family.noise.sample(key, (DIM,)))
    alone = jnp.stack([sample(key) for key in keys])
    np.testing.assert_allclose(together, alone, rtol=2e-6, atol=1e-30)


@every_family
@pytest.mark.parametrize("dim", [8, 64, 3072])
def test_scale_is_the_closed_form(family: Family, dim: int) -> None:
    np.testing.assert_allclose(family.noise.scale(dim), family.scale(dim), rtol=1e-9)


@every_index
def test_law_of_the_level_or_the_coordinates(index: int) -> None:
    family = FAMILIES[index]
    statistic = np.ravel(family.statistic(draws(index) / family.scale(DIM), DIM))
    assert stats.kstest(statistic, family.law(DIM).cdf).pvalue > FALSE_ALARM


@every_index
def test_sigma_is_the_root_mean_square_of_a_coordinate(index: int) -> None:
    energy = (draws(index) ** 2).mean(axis=1)
    # five standard errors: 6e-7 for a mean that is nearly normal; heavy tails get the room they take
    assert abs(energy.mean() - 1) < 5 * energy.std() / np.sqrt(len(energy)) + 0.01 * (energy.max() > 50)


@every_index
def test_signs_are_fair_and_independent_of_magnitudes(index: int) -> None:
    sample = draws(index)
    large = np.abs(sample) > np.median(np.abs(sample), axis=0)
    for selected in (sample, sample[large], sample[~large]):
        assert stats.binomtest(int((selected > 0).sum()), selected.size).pvalue > FALSE_ALARM
    pairs = (sample[:, :-1] > 0) == (sample[:, 1:] > 0)
    assert stats.binomtest(int(pairs.sum()), pairs.size).pvalue > FALSE_ALARM


@pytest.mark.parametrize("dim", [2, 64])
def test_surfaces(dim: int) -> None:
    keys = jax.random.split(jax.random.key(5), 10_000)
    sphere, cube, polytope = (
        np.asarray(jax.jit(jax.vmap(lambda key, draw=draw: draw(key, dim)))(keys), np.float64)
        for draw in (surfaces.sphere, surfaces.cube, surfaces.cross_polytope)
    )
    assert stats.kstest(sphere[:, 0] ** 2, stats.beta(0.5, (dim - 1) / 2).cdf).pvalue > FALSE_ALARM
    assert stats.kstest(np.abs(polytope[:, 0]), stats.beta(1, dim - 1).cdf).pvalue > FALSE_ALARM
    face = np.abs(cube) == 1
    assert np.all(face.sum(axis=1) == 1)
    assert stats.chisquare(face.sum(axis=0)).pvalue > FALSE_ALARM
    assert stats.kstest(cube[:, 0][~face[:, 0]], stats.uniform(-1, 2).cdf).pvalue > FALSE_ALARM


def test_transforms_are_exactly_symmetric_and_reach_far() -> None:
    word = jnp.array([0, 1, 12345, 2**31 - 1], jnp.uint32)
    magnitude = np.asarray(random._magnitude(word), np.float64)
    np.testing.assert_array_equal(magnitude, random._magnitude(word | jnp.uint32(2**31)))
    assert 0 < magnitude.min() < 2.0**-31
    assert magnitude.max() == 1


@pytest.mark.parametrize("p", [0.2, 0.5, 0.75, 1.5, 3.0, 8.0])
def test_quantile_function_of_the_generalised_normal(p: float) -> None:
    from jaxsmooth.noises.expp import _quantile

    exponential = np.geomspace(1e-6, 22, 2000).astype(np.float32)
    x = np.asarray(_quantile(p, jnp.asarray(exponential)), np.float64)
    exact = stats.gennorm(p).isf(np.exp(-exponential.astype(np.float64)) / 2)
    middle = exponential > 1e-3  # nearer to 0 the reference cancels, and the law is flat
    np.testing.assert_allclose(x[middle], exact[middle], rtol=1e-5)
    assert np.all(np.diff(x) > -1e-6 * x[1:])


@pytest.mark.parametrize(
    ("family", "name", "others"),
    [
        (js.noises.Exp1, "k", {}),
        (js.noises.Exp2, "k", {}),
        (js.noises.ExpInf, "k", {}),
        (js.noises.Pow2, "k", {"a": 1000.0}),
        (js.noises.Expp, "p", {}),
        (js.noises.Pareto, "a", {}),
    ],
)
def test_a_parameter_of_float32_is_the_number_that_it_is(family, name, others) -> None:
    value = np.float32(3.3)
    one, other = (family(1.0, **{name: k}, **others) for k in (value, float(value)))
    assert one == other and repr(one) == repr(other)
    assert js.certified_radius(one, 0.9, norm=1, dim=3072) == js.certified_radius(other, 0.9, norm=1, dim=3072)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: js.noises.Laplace(0.0), "sigma must be positive"),
        (lambda: js.noises.ExpInf(1.0, k=0.0), "k must be positive"),
        (lambda: js.noises.ExpInf(1.0, j=-1), "j must be finite and at least 0"),
        (lambda: js.noises.Exp2(1.0, j=8).scale(8), "j must be below the dimension 8"),
        (lambda: js.noises.PowInf(1.0, a=66.0).scale(64), "a must exceed dim"),
        (lambda: js.noises.Pow2(1.0, k=2.0, a=33.0).scale(64), "a must exceed"),
        (lambda: js.noises.Exp1(1.0, k=-1.0), "k must be positive"),
        (lambda: js.noises.Expp(1.0, p=0.0), "p must be positive"),
        (lambda: js.noises.Pareto(1.0, a=2.0), "a must exceed 2"),
        (lambda: js.noises.Exp2(1.0, k=0.01).scale(3072), "beyond double precision"),
    ],
)
def test_parameters_outside_the_family_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
