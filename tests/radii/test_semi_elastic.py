"""The semi-elastic certificate: reference values, invariances, both extreme scales, an independent check, its speed."""

import json
import pathlib
import time

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import special, stats

import jaxsmooth as js
from jaxsmooth.radii import quadratic_law, semi_elastic
from jaxsmooth.radii.semi_elastic import largest_tail, scaled_radius

REFERENCE = json.loads((pathlib.Path(__file__).parent / "data" / "semi_elastic.json").read_text())

DIMS = st.sampled_from([1, 2, 3, 10, 64, 784, 3072, 150528])
TAILS = st.floats(-9, -0.31).map(lambda exponent: 10.0**exponent)
KAPPAS = st.floats(-4, 1).map(lambda exponent: 10.0**exponent)


def radius(p, sigma, rate, dim):
    return js.radii.semi_elastic_radius(p, sigma=sigma, rate=rate, dim=dim)


def quantile(p):
    return -special.ndtri(1 - np.asarray(p))


def rows(name, *columns):
    table = REFERENCE[name]
    for dim in sorted({row["d"] for row in table}):
        here = [row for row in table if row["d"] == dim]
        yield dim, *(np.array([row[column] for row in here]) for column in columns)


def test_radii_of_the_reference():
    names = ("sigma0", "r", "p_lower", "radius", "radius_gt_branch", "radius_lt_branch")
    for dim, sigma, rate, p, expected, smaller, larger in rows("radii", *names):
        np.testing.assert_allclose(radius(p, sigma, rate, dim), expected, rtol=1e-9)
        for side, branch in ((-1, smaller), (+1, larger)):
            np.testing.assert_allclose(sigma * scaled_radius(quantile(p), rate * sigma, dim, side), branch, rtol=1e-9)


@pytest.mark.parametrize(
    "dim, sigma, rate, p, expected",
    [
        (3072, 0.5, 0.01, 0.99, 1.0824712961),
        (3072, 0.25, 0.01, 0.999, 0.7580723532),
        (784, 0.5, 0.05, 0.99, 0.8211861427),
        (2, 1.0, 0.1, 0.9, 1.2677120281),
        (3072, 1.0, 0.1, 0.9999, 0.4635327849),
        (3072, 0.12, 0.005, 0.9, 0.1536163626),
    ],
)
def test_known_radii(dim, sigma, rate, p, expected):
    assert radius(p, sigma, rate, dim) == pytest.approx(expected, rel=2e-10)


def test_worst_case_masses_of_the_reference():
    names = ("a", "sigma0", "sigma1", "p_lower", "xi")
    for dim, distance, sigma, other, p, expected in rows("worst_case", *names):
        got = js.radii.worst_case_mass(p, distance=distance, sigma=sigma, other_sigma=other, dim=dim)
        np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_required_probabilities_of_the_reference():
    for dim, sigma, rate, r, expected in rows("required", "sigma0", "r", "R", "p_required"):
        got = js.radii.semi_elastic_required_probability(r, sigma=sigma, rate=rate, dim=dim)
        np.testing.assert_allclose(got, expected, rtol=1e-9)
        assert (got >= expected * (1 - 1e-12)).all()


def test_survival_of_the_reference():
    for dim, e, tau, expected in rows("survival", "eps", "tau", "S"):
        np.testing.assert_allclose(quadratic_law.survival(tau, e, dim), expected, rtol=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 30, 200, 3072])
@pytest.mark.parametrize("curvature", [0.02, 0.1, 0.3, 0.79, 0.81, 3.0, 30.0])
def test_survival_against_the_noncentral_chi_square(dim, curvature):
    """Where its noncentrality is small scipy's law is a second opinion, on both methods and where they meet."""
    for sign in (1, -1):
        e = np.full(25, sign * curvature / np.sqrt(2 * dim))
        tau = np.linspace(-2, 4, 25) * np.sqrt(1 + curvature**2)
        ball = dim + 1 / (4 * e**2) - tau / e
        inside = stats.ncx2.cdf(np.maximum(ball, 0), dim, 1 / (4 * e**2))
        expected = inside if sign > 0 else np.where(ball > 0, 1 - inside, 1.0)
        np.testing.assert_allclose(quadratic_law.survival(tau, e, dim), expected, atol=3e-11)


def test_rate_zero_is_cohen_to_the_last_bit():
    p = 1 - np.geomspace(1e-12, 0.6, 200)
    for sigma in (0.1, 0.25, 3.0):
        cohen = js.certified_radius(js.noises.Gaussian(sigma), p)
        sigma = float(np.float32(sigma))  # the number that is drawn
        assert (radius(p, sigma, 0.0, 3072) == cohen).all()
        tiny = radius(p, sigma, 1e-300, 3072)
        np.testing.assert_allclose(tiny, cohen, rtol=1e-10)
        assert (tiny <= cohen).all()


@given(DIMS, TAILS, KAPPAS, st.floats(1e-3, 1e3))
def test_the_radius_scales_with_sigma(dim, tail, kappa, factor):
    rate = kappa / np.sqrt(2 * dim)
    one, many = radius(1 - tail, 1.0, rate, dim), radius(1 - tail, factor, rate / factor, dim)
    assert many == pytest.approx(factor * one, rel=1e-9)


@given(DIMS, TAILS, KAPPAS)
def test_the_radius_grows_with_p_and_falls_with_rate_and_dimension(dim, tail, kappa):
    rate = kappa / np.sqrt(2 * dim)
    here = radius(1 - tail, 1.0, rate, dim)
    slack = 1 + 1e-10
    assert 0 < here <= quantile(1 - tail)
    assert here <= radius(1 - tail / 1.1, 1.0, rate, dim) * slack
    assert here >= radius(1 - tail, 1.0, rate * 1.1, dim) / slack
    assert here >= radius(1 - tail, 1.0, rate, dim + 1 + dim // 5) / slack


@given(DIMS, TAILS, KAPPAS)
def test_inside_the_radius_the_majority_holds_and_outside_it_does_not(dim, tail, kappa):
    """By another route: the quantile in the tail is inverted, at the radius and at both extreme scales."""
    rate = kappa / np.sqrt(2 * dim)
    here = radius(1 - tail, 1.0, rate, dim)
    inside, outside = (
        [
            js.radii.worst_case_mass(1 - tail, distance=a, sigma=1.0, other_sigma=np.exp(side * rate * a), dim=dim)
            for side in (1, -1)
        ]
        for a in (here * (1 - 1e-7), here * (1 + 1e-7))
    )
    assert max(inside) < 0.5 < max(outside)


@settings(max_examples=25)
@given(DIMS, TAILS, KAPPAS)
def test_required_probability_is_the_inverse(dim, tail, kappa):
    rate = kappa / np.sqrt(2 * dim)
    here = radius(1 - tail, 1.0, rate, dim)
    required = js.radii.semi_elastic_required_probability(here, sigma=1.0, rate=rate, dim=dim)
    assert 1 - required == pytest.approx(tail, rel=1e-6)
    assert radius(required, 1.0, rate, dim) >= here


def test_the_larger_scale_alone_decides_and_dropping_it_over_certifies():
    for dim, kappa, excess in ((3072, 0.4, 1.001), (64, 1.1, 1.05), (2, 1.0, 1.2)):
        rho, z = np.array([kappa / np.sqrt(2 * dim)]), quantile([0.999])
        larger, smaller = (float(scaled_radius(z, rho, dim, side)[0]) for side in (1, -1))
        assert smaller > excess * larger
        # A certificate that only looks at smaller scales claims a radius at which the majority is lost.
        lost = js.radii.worst_case_mass(
            0.999, distance=smaller, sigma=1.0, other_sigma=np.exp(float(rho[0]) * smaller), dim=dim
        )
        assert lost > 0.5


def test_once_lost_the_majority_stays_lost_farther_from_the_scale():
    """The fact that lets the extreme scales stand for all between: not monotone, but 1/2 is crossed once."""
    rng = np.random.default_rng(0)
    for dim in (2, 64, 784):
        for side in (1, -1):
            tail, a = 10 ** rng.uniform(-3, -0.4, 20), rng.uniform(0.05, 3, 20)
            reach = rng.uniform(0.1, 4, 20) / np.sqrt(2 * dim)
            other = np.exp(side * np.linspace(0.03, 1, 20)[:, None] * reach)
            mass = js.radii.worst_case_mass(1 - tail, distance=a, sigma=1.0, other_sigma=other, dim=dim)
            lost = mass >= 0.5
            assert (lost[1:] >= lost[:-1]).all()
    falls = js.radii.worst_case_mass(0.99, distance=1.0, sigma=1.0, other_sigma=np.array([0.999, 0.74]), dim=2)
    assert falls[1] < falls[0]


def test_at_distance_zero_nothing_is_lost():
    assert largest_tail(np.zeros(1), np.ones(1), 784, 1)[0] == 0.5
    assert js.radii.worst_case_mass(0.9, distance=0.0, sigma=0.5, other_sigma=0.5, dim=784) == pytest.approx(0.1)


def test_broadcasting_and_what_is_never_certified():
    sigma, p = np.array([0.25, 0.5, 1.0]), np.array([[0.3], [0.5], [0.9]])
    got = radius(p, sigma, 0.01, 784)
    assert got.shape == (3, 3) and (got[:2] == 0).all() and (np.diff(got[2]) > 0).all()
    assert got[2, 1] == pytest.approx(radius(0.9, 0.5, 0.01, 784), rel=1e-11)
    required = js.radii.semi_elastic_required_probability([0.0, 1.0, 1e6], sigma=0.5, rate=0.01, dim=784)
    assert required[0] == 0.5 and 0.97 < required[1] < 1 and np.isinf(required[2])


def test_a_thousand_certificates_take_less_than_three_seconds():
    rng = np.random.default_rng(0)
    p, sigma = 1 - 10 ** rng.uniform(-4, -0.4, 1000), rng.uniform(0.1, 1.0, 1000)
    for rate in (0.01, 0.05):
        start = time.process_time()
        semi_elastic.semi_elastic_radius(p, sigma=sigma, rate=rate, dim=3072)
        assert time.process_time() - start < 3


@pytest.mark.parametrize("dim", [784, *(pytest.param(d, marks=pytest.mark.slow) for d in (1, 2, 150528))])
def test_float32_never_claims_more_and_little_less(dim):
    rng = np.random.default_rng(dim)
    tail = np.concatenate([10 ** rng.uniform(-10, -0.302, 400), rng.uniform(0.45, 0.55, 100)]).astype(np.float32)
    sigma = (10 ** rng.uniform(-1, 1, 500)).astype(np.float32)
    limit = min(0.8, 0.1 * np.sqrt(dim))
    kappa = limit * 10 ** rng.uniform(-5, 1, 500)
    rate = (kappa / sigma / np.sqrt(2 * dim)).astype(np.float32)
    sweep = jax.jit(lambda *args: js.radii.semi_elastic_radius_float32(args[0], sigma=args[1], rate=args[2], dim=dim))
    got = np.asarray(sweep(tail, sigma, rate), np.float64)
    exact = semi_elastic.radius_of_tail(tail.astype(float), sigma.astype(float), rate.astype(float), dim)
    assert (got <= exact).all()
    near = kappa <= limit / 2
    assert (got >= exact - 2e-5 * (exact + sigma))[near].all()


@given(DIMS, TAILS, KAPPAS, st.floats(-8, -3).map(lambda exponent: 10.0**exponent))
def test_a_margin_is_a_scale_that_moves_farther(dim, tail, kappa, margin):
    """By another route: the worst masses at the radius, with the scales at the ends of what rate and margin allow."""
    rate, p = kappa / np.sqrt(2 * dim), 1 - tail
    with_margin = js.radii.semi_elastic_radius(p, sigma=1.0, rate=rate, dim=dim, margin=margin)
    assert with_margin <= radius(p, 1.0, rate, dim)
    if with_margin > 0:
        ends = np.exp(np.array([1, -1]) * (rate * with_margin + margin))
        mass = js.radii.worst_case_mass(p, distance=with_margin * (1 - 1e-7), sigma=1.0, other_sigma=ends, dim=dim)
        assert mass.max() < 0.5
        required = js.radii.semi_elastic_required_probability(with_margin, sigma=1.0, rate=rate, dim=dim, margin=margin)
        assert 1 - required == pytest.approx(tail, rel=1e-5)


def test_a_margin_costs_little_and_no_more_than_needed():
    with_margin = js.radii.semi_elastic_radius(0.99, sigma=0.5, rate=0.01, dim=3072, margin=2e-6)
    without = radius(0.99, 0.5, 0.01, 3072)
    assert 0.9998 * without < with_margin < without
    lost = js.radii.worst_case_mass(
        0.99,
        distance=with_margin * 1.000001,
        sigma=0.5,
        other_sigma=0.5 * np.exp(0.01 * with_margin + 2.01e-6),
        dim=3072,
    )
    assert lost > 0.5


@pytest.mark.parametrize("dim", [1, 784])
def test_float32_claims_no_more_in_the_farthest_tails_and_with_a_margin(dim):
    rng = np.random.default_rng(dim)
    tail = np.float32(10 ** rng.uniform(-37, -8, 100))
    kappa = min(0.8, 0.1 * np.sqrt(dim)) * 10 ** rng.uniform(-5, 0, 100)
    rate, margin = np.float32(kappa / np.sqrt(2 * dim)), np.float32(10 ** rng.uniform(-8, -4, 100))
    for m in (np.zeros(100, np.float32), margin):
        got = js.radii.semi_elastic_radius_float32(tail, sigma=1.0, rate=rate, dim=dim, margin=m)
        exact = semi_elastic.radius_of_tail(tail.astype(float), 1.0, rate.astype(float), dim, m.astype(float))
        assert (np.asarray(got, np.float64) <= exact).all() and (np.asarray(got) > 0).any()


def test_float32_knows_rate_zero_and_batches():
    tail = jnp.array([0.01, 0.5, 0.7])
    got = jax.vmap(lambda t: js.radii.semi_elastic_radius_float32(t, sigma=0.5, rate=0.0, dim=784))(tail)
    np.testing.assert_allclose(got, [0.5 * quantile(0.99), 0, 0], rtol=3e-5)


def test_kappa_predicts_the_loss():
    for rate in (0.001, 0.005, 0.01):
        kappa = js.radii.normalised_rate(0.5, rate=rate, dim=3072)
        predicted = 0.5 * quantile(0.99) / np.sqrt(1 + kappa**2)
        assert radius(0.99, 0.5, rate, 3072) == pytest.approx(predicted, rel=0.015)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(p_lower=1.5), "p_lower must lie in"),
        (dict(p_lower=1.0), "infinite radius"),
        (dict(sigma=0.0), "sigma must be positive"),
        (dict(sigma=-0.5), "sigma must be positive and finite; got -0.5"),
        (dict(rate=-0.01), "rate must be finite and at least 0; got -0.01"),
        (dict(rate=np.nan), "rate must be finite"),
        (dict(dim=0), "dim must be at least 1"),
        (dict(dim=2.0), "dim must be a Python integer"),
        (dict(p_lower="high"), "p_lower must be a number or an array of numbers"),
    ],
)
def test_bad_input(change, message):
    arguments = dict(p_lower=0.9, sigma=0.5, rate=0.01, dim=784) | change
    with pytest.raises((TypeError, ValueError), match=message):
        js.radii.semi_elastic_radius(arguments.pop("p_lower"), **arguments)


def test_bad_radius_and_traced_values():
    with pytest.raises(ValueError, match="radius must be finite and at least 0"):
        js.radii.semi_elastic_required_probability(-1.0, sigma=0.5, rate=0.01, dim=784)
    with pytest.raises(TypeError, match="p_lower is traced"):
        jax.jit(lambda p: js.radii.semi_elastic_radius(p, sigma=0.5, rate=0.01, dim=784))(0.9)


def test_what_programs_are_told_to_compute_is_never_more_than_is_certified():
    """By sigma, rate and margin of ``noise.at(x)``, as the refusal of a table says; float32 of a scale has a margin."""
    reference = np.random.default_rng(0).uniform(size=(50, 3072)).astype(np.float32)
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(reference, sigma=0.5, rate=0.01, k=5))
    x, tail = reference[:3] + np.float32(0.1), 0.01
    with pytest.raises(ValueError, match=r"with sigma, rate and margin of noise.at\(x\), all three"):
        js.radius_table(noise, n=100, alpha=0.001, dim=3072)
    at, certified = noise.at(x), js.certified_radius(noise.frozen_at(x), np.full(3, 1 - tail), dim=3072)
    told = lambda margin: js.radii.semi_elastic_radius_float32(
        tail, sigma=at.sigma, rate=at.rate, margin=margin, dim=3072
    )
    assert (np.asarray(told(at.margin)) <= certified).all()
    assert (np.asarray(told(0.0)) > certified).all()


@pytest.mark.parametrize("function", [js.radius_table, js.radii.sampling_cap])
def test_a_sigma_for_every_image_has_no_table(function):
    """An entry would be the radius of one image and another's sigma."""
    noise = js.noises.GaussianAt(np.linspace(0.1, 1, 50), rate=0.0)
    with pytest.raises(ValueError, match=r"noise.sigma must be one number"):
        function(noise, n=100, alpha=0.001, dim=4)


@pytest.mark.parametrize("name", ["rate", "margin"])
def test_float32_claims_nothing_of_a_negative_rate_or_margin(name):
    given = {"sigma": 0.5, "rate": 0.01, "margin": 0.0}
    with pytest.raises(ValueError, match=f"{name} must be"):
        js.radii.semi_elastic_radius_float32(0.01, dim=8, **given | {name: -0.01})
    traced = jax.jit(lambda value: js.radii.semi_elastic_radius_float32(0.01, dim=8, **given | {name: value}))
    assert traced(-0.01) == traced(np.nan) == 0 and traced(0.01) > 0
    # Of a scale of which nothing is known.
    assert js.radii.semi_elastic_radius_float32(0.01, dim=8, **given | {"rate": np.inf}) == 0
