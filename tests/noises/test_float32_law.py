"""Every noise draws its law in float32, or is refused: at the ends of its parameters and of the dimensions."""

import json
import pathlib

import jax
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
from jaxsmooth import noises

FALSE_ALARM = 1e-6
N = 2000
# Draws of earlier versions under the same keys: counts that were recorded stay what they were.
PINNED = json.loads((pathlib.Path(__file__).parent / "data" / "draws.json").read_text())
DEFAULTS = {
    cls.__name__: cls
    for cls in (
        noises.Gaussian,
        noises.Laplace,
        noises.Uniform,
        noises.UniformBall,
        noises.ExpInf,
        noises.PowInf,
        noises.Exp2,
        noises.Pow2,
        noises.Exp1,
        noises.Expp,
        noises.Pareto,
    )
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_draws_do_not_change(name):
    sample = DEFAULTS[name](0.25).sample(jax.random.key(7), (2, 4))
    np.testing.assert_allclose(np.ravel(sample), PINNED[name], rtol=1e-6, atol=1e-9)


def exponential(cls, order, k, j=0):
    """The noise, the order of its norm, and the law of that norm to the power k in units of lambda."""
    noise = cls(0.25, k) if j == 0 else cls(0.25, k, j)
    return noise, order, k, lambda dim: stats.gamma((dim - j) / k)


def power(noise, order, k):
    return noise, order, k, lambda dim: stats.betaprime(dim / k, noise.power(dim) - dim / k)


# Parameters whose scale lambda or whose radius, in units of lambda, float32 cannot hold.
EXTREME = [
    (exponential(noises.ExpInf, np.inf, 0.1), 576),
    (exponential(noises.Exp2, 2, 0.078), 64),
    (exponential(noises.Exp1, 1, 0.1), 784),
    (exponential(noises.ExpInf, np.inf, 0.12), 3),
    ((noises.Exp2(0.25, k=1e12), 2, 2, lambda dim: stats.uniform), 2),
    ((noises.Exp1(0.25, k=1e9), 1, 3, lambda dim: stats.uniform), 3),
    (exponential(noises.ExpInf, np.inf, 50.0, 1.5), 3),
    (power(noises.PowInf(0.25, a=5.01), np.inf, 1.0), 3),
    (power(noises.PowInf(0.25, a=1e14), np.inf, 1.0), 64),
    (power(noises.Pow2(0.25, k=0.1), 2, 0.1), 64),
    (power(noises.Pow2(0.25, k=50.0), 2, 50.0), 3),
]


# By default one of each family.
@pytest.mark.parametrize(
    "row, dim",
    [pytest.param(*case, marks=() if at in (0, 1, 2, 7, 9) else pytest.mark.slow) for at, case in enumerate(EXTREME)],
    ids=lambda value: repr(value[0]) if isinstance(value, tuple) else None,
)
def test_the_length_has_its_law(row, dim, optimized):
    noise, order, k, law = row
    draw = jax.jit(jax.vmap(lambda key: noise.sample(key, (dim,))))
    sample = np.asarray(draw(jax.random.split(jax.random.key(3), N)), np.float64)
    length = np.linalg.norm(sample, order, axis=-1) / noise.scale(dim)
    with np.errstate(over="ignore", under="ignore"):
        assert stats.kstest(length**k, law(dim).cdf).pvalue > FALSE_ALARM
    assert (sample != 0).all() and np.isfinite(sample).all()


@pytest.mark.parametrize("p", [0.08, 0.1, 40.0, 1000.0])
def test_coordinates_of_the_generalised_normal_have_their_law(p, optimized):
    noise = noises.Expp(0.25, p=p)
    sample = np.float64(noise.sample(jax.random.key(4), (20_000,))) / noise.scale(1)
    power, law = (np.abs(sample) ** p, stats.gamma(1 / p)) if p < 1000 else (np.abs(sample), stats.uniform)
    assert stats.kstest(power, law.cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("dim", [1, 2, 3, 64, 3072, 150528])
@pytest.mark.parametrize("name", DEFAULTS)
def test_every_dimension_is_legal_by_default(name, dim):
    DEFAULTS[name](0.25).check_event(dim)


KEY = jax.random.key(0)


@pytest.mark.parametrize(
    "noise, dim, message",
    [
        (noises.PowInf(0.25, a=1e39), 784, r"a must be at most 1e\+15; got 1e\+39. Use ExpInf"),
        (noises.Pow2(0.25, a=1e300), 784, "a must be at most"),
        (noises.Pareto(0.25, a=1e20), 4, "Use Laplace"),
        (noises.Exp2(0.25, k=1e300), 784, "Use UniformBall"),
        (
            noises.Exp1(0.25, k=0.01),
            1,
            r"Exp1 with k = 0.01 cannot be drawn in float32 for inputs of 1 coord.*k = 0\.\d+ can",
        ),
        (noises.ExpInf(0.25, k=0.001), 3072, r"its scale is too small or too large for it; k = .* can"),
        (noises.ExpInf(0.25, k=2.0, j=2.99), 3, r"j = 2.\d+ can"),
        (noises.Expp(0.25, p=0.05), 3, "p must lie between 0.08 and 1000"),
        (noises.Expp(0.25, p=2000.0), 3, "Its limit for large p is Uniform"),
    ],
    ids=lambda value: repr(value) if isinstance(value, noises.AbstractNoise) else None,
)
def test_what_float32_cannot_draw_is_refused(noise, dim, message):
    with pytest.raises(ValueError, match=message):
        noise.check_event(dim)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda: noise.sample(KEY, (dim,)))


@pytest.mark.parametrize("sigma", [1e-40, 1e-20, 1e20, 1e38, np.float64(1e-300)])
def test_a_sigma_at_the_ends_of_float32_is_refused(sigma):
    noise = noises.Gaussian(sigma)
    with pytest.raises(ValueError, match="sigma must lie between"):
        js.certified_radius(noise, 0.9)
    with pytest.raises(ValueError, match="sigma must lie between"):
        js.count_votes(KEY, lambda x: x, noise, np.zeros((1, 2), np.float32), 10)


def test_radii_are_of_the_sigma_that_is_drawn():
    assert js.certified_radius(noises.Gaussian(0.1), 0.9) == js.certified_radius(noises.Gaussian(np.float32(0.1)), 0.9)
    assert js.certified_radius(noises.Gaussian(0.1), 0.9) > 0.1 * stats.norm.ppf(0.9)  # the nearest float32 is larger


def test_scale_is_of_double_precision_on_the_host():
    noise = noises.ExpInf(jax.numpy.float32(0.25), k=0.1)
    assert noise.scale(576) == noises.ExpInf(0.25, k=0.1).scale(576) > 0


def test_a_vector_of_zeros_has_a_direction():
    from jaxsmooth.noises.surfaces import _kept

    zero = jax.numpy.array([-0.0, 0.0])
    assert _kept(zero / 0, zero).tolist() == [-1.0, 0.0]
