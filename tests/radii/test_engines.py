"""The engines: chains of tangents, level sets and their inverse table, and the gamma functions beneath them."""

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

import jaxsmooth as js
from jaxsmooth.radii import growth_bounds, score_laws
from jaxsmooth.radii.gamma_laws import gamma_ratio, log_beta_prime_density, log_gamma_density
from jaxsmooth.radii.inverse_table import InverseTable

TAILS = np.array([0.4999, 0.45, 0.1, 1e-2, 1e-4, 1e-8, 1e-15])

LAWS = {
    "exponential k=2": lambda: score_laws.exponential_radial(64, 2.0, 0.0),
    "exponential k=1/2": lambda: score_laws.exponential_radial(64, 0.5, 0.0),
    "exponential with a pole": lambda: score_laws.exponential_radial(64, 10.0, 32.0),
    "power": lambda: score_laws.power_radial(64, 74.0),
    "one coordinate": lambda: score_laws.one_coordinate(score_laws.exponential_radial(64, 2.0, 0.0), 64),
    "sum of signs": lambda: score_laws.sign_sum_law(64),
    "odd sum of signs": lambda: score_laws.sign_sum_law(7),
    "sum of signs times k=2": lambda: score_laws.sign_sum_product(64, 2.0),
    "sum of signs times k=1/2": lambda: score_laws.sign_sum_product(63, 0.5),
}


def chord_radius(law: js.radii.ScoreLaw, tail: float) -> float:
    """An upper bound of the integral: a concave growth lies above its chords."""
    order = np.argsort(law.probability, kind="stable")
    p, first = np.unique(law.probability[order], return_index=True)
    growth = law.growth[order][first]
    points = np.concatenate([[tail], p[(p > tail) & (p < 0.5)], [0.5]])
    values = np.interp(points, p, growth)
    slope = np.diff(values) / np.diff(points)
    flat = np.diff(points) / values[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(np.abs(slope * flat) < 1e-9, flat, np.log(values[1:] / values[:-1]) / slope).sum())


@pytest.mark.parametrize("name", LAWS)
def test_tangents_are_below_chords_and_close(name: str) -> None:
    law = LAWS[name]()
    radius = law.radius(TAILS)
    upper = np.array([chord_radius(law, tail) for tail in TAILS])
    assert np.all(radius <= upper * (1 + 1e-9))
    np.testing.assert_allclose(radius, upper, rtol=1e-6)
    np.testing.assert_allclose(law.tail(radius), TAILS, rtol=1e-11)
    assert np.all(law.radius(law.tail(radius)) >= radius * (1 - 1e-12))


@pytest.mark.parametrize("name", LAWS)
def test_growth_is_concave_and_the_levels_are_its_slopes(name: str) -> None:
    law = LAWS[name]()
    p, growth, level = law.probability, law.growth, law.level
    step = -np.diff(p) > 1e-9 * p[:-1]
    chord = (np.diff(growth) / np.where(step, np.diff(p), np.nan))[step]
    tolerance = 1e-4 * np.abs(level[1:][step]) + 1e-12
    assert np.all(chord >= level[:-1][step] - tolerance)
    assert np.all(chord <= level[1:][step] + tolerance)


def test_the_odd_binomial_and_the_normal_approximation() -> None:
    # the approximation overstates in odd dimension, by about 1 / (4 d) near p = 1/2
    exact = score_laws.sign_sum_law(3).radius(np.array([0.45]))
    approximate = -special.ndtri(0.45) / np.sqrt(3)
    assert exact < approximate
    # three signs: the growth is 3 p on [0, 1/8] and 3/8 + (p - 1/8) above
    by_hand = np.log((3 / 8 + 3 / 8) / (3 / 8 + 0.45 - 1 / 8))
    np.testing.assert_allclose(exact, by_hand, rtol=1e-11)


def test_score_of_a_product_against_quadrature() -> None:
    dim, k, level = 9, 2.0, 6.0
    value, mass = score_laws.sign_sum(dim)
    density = lambda r: 2 * r ** (dim - 1) * np.exp(-(r**2)) / special.gamma(dim / 2)
    probability = sum(m * integrate.quad(density, level / (2 * v), 30)[0] for v, m in zip(value, mass, strict=True))
    law = score_laws.sign_sum_product(dim, k)
    np.testing.assert_allclose(np.interp(level, law.level, law.probability), probability, rtol=1e-4)


def test_closed_forms_are_the_integrals_they_claim() -> None:
    growth = lambda p: min(np.sqrt(p / 2), p * np.sqrt(2 * np.log(1 / p)))
    for tail in (0.3, 0.05, 1e-4):
        integral = integrate.quad(lambda s: np.exp(s) / growth(np.exp(s)), np.log(tail), np.log(0.5), limit=200)[0]
        np.testing.assert_allclose(growth_bounds.sub_gaussian_radius(1.0, np.array(tail)), integral, rtol=1e-8)
        fisher = integrate.quad(lambda p: 1 / np.sqrt(p / 2), tail, 0.5)[0]
        np.testing.assert_allclose(growth_bounds.fisher_radius(1.0, np.array(tail)), fisher, rtol=1e-9)
    radius = growth_bounds.sub_gaussian_radius(3.0, TAILS)
    tail = growth_bounds.sub_gaussian_tail(3.0, radius)
    np.testing.assert_allclose(tail, TAILS, rtol=1e-8)
    assert np.all(growth_bounds.sub_gaussian_radius(3.0, tail) >= radius)


@pytest.mark.parametrize("a", [3.0, 6.0, 100.0])
def test_pareto_against_fifty_digits(a: float) -> None:
    noise = js.noises.Pareto(1.0, a=a)
    with mpmath.workdps(50):
        for tail in (0.49, 0.3, 0.2, 0.1, 1e-3, 1e-9, 2.0**-50):
            b, q = mpmath.mpf(a) / (a + 1), 1 - 2 * mpmath.mpf(1 - (1 - tail))
            exact = q / a * mpmath.hyp2f1(1, b, 1 + b, q ** (1 / b)) / mpmath.sqrt(2 / mpmath.mpf((a - 1) * (a - 2)))
            radius = js.certified_radius(noise, 1 - tail, norm=1)
            assert exact * (1 - 3e-12) < radius <= exact


def test_gamma_functions_against_fifty_digits() -> None:
    with mpmath.workdps(50):
        for a, shift in [(0.5, 1.0), (30.0, -0.5), (149.0, 2.0), (3072.0, 4.0), (150528.0, 2.0), (150528.0, -1.0)]:
            exact = mpmath.gamma(mpmath.mpf(a) + shift) / mpmath.gamma(a)
            np.testing.assert_allclose(gamma_ratio(a, shift), float(exact), rtol=2e-13)
        for a in (0.5, 12.0, 3072.0):
            for y in (a * 1e-9, a * 0.9, a * 1.1):
                exact = mpmath.mpf(a) * mpmath.log(y) - y - mpmath.loggamma(a)
                np.testing.assert_allclose(log_gamma_density(a, np.array(y)), float(exact), rtol=1e-12, atol=1e-12)
                exact = a * mpmath.log(y) - (a + 5) * mpmath.log1p(y) - mpmath.log(mpmath.beta(a, 5))
                density = log_beta_prime_density(a, 5.0, np.array(y))
                np.testing.assert_allclose(density, float(exact), rtol=1e-12, atol=1e-11)
    assert gamma_ratio(1.0, -2.0) == np.inf


def _gaussian(**changes) -> js.radii.SphericalDensity:
    shape = 32.0
    return js.radii.SphericalDensity(
        **{
            "dim": 64,
            "rms": 1.0,
            "quantile": lambda q: np.sqrt(2 * special.gammaincinv(shape, q)),
            "upper_quantile": lambda q: np.sqrt(2 * special.gammainccinv(shape, q)),
            "log_density": lambda r: np.log(2) + shape * np.log(r**2 / 2) - r**2 / 2 - special.gammaln(shape),
            "log_level_ratio": lambda r, t: np.log1p(np.maximum(-2 * t / r**2, -1 + 1e-15)) / 2,
            **changes,
        }
    )


def test_level_set_of_a_noise_of_ones_own() -> None:
    level_set = js.radii.LevelSet(_gaussian(score=lambda r: r, mean_score=np.sqrt(2) * gamma_ratio(32.0, 0.5)))
    exact = -special.ndtri(TAILS)
    radius = level_set.radius(TAILS)
    assert np.all(radius <= exact)
    np.testing.assert_allclose(radius, exact, rtol=2e-8)
    assert level_set.radius(np.array([0.0]))[0] == np.inf
    between = level_set.between(np.array([0.7]), np.array([0.1]))
    np.testing.assert_allclose(between, (special.ndtri(0.3) - special.ndtri(0.1)) / 2, rtol=1e-3)
    assert between < (special.ndtri(0.3) - special.ndtri(0.1)) / 2


def test_a_density_that_misses_mass_is_refused() -> None:
    cut = _gaussian(upper_quantile=lambda q: np.sqrt(2 * special.gammaincinv(32.0, np.minimum(1 - q, 0.95))))
    with pytest.raises(js.radii.MassError, match="not 1, in 64 dimensions"):
        js.radii.LevelSet(cut)
    with pytest.raises(ValueError, match="dim >= 2"):
        js.radii.LevelSet(_gaussian(dim=1))


def test_a_rough_function_is_inverted_by_steps() -> None:
    required = lambda radius: np.where(radius < 1, 0.4, special.ndtr(-np.ceil(radius)))
    table = InverseTable(required, 1e-3, 9.0)
    tails = np.geomspace(1e-15, 0.39, 400)
    radius = table.radius(tails)
    assert np.all(required(np.maximum(radius, 1e-3) * (1 - 1e-9)) >= tails)
    assert radius.max() > 6


def test_a_density_on_a_ring_is_refused() -> None:
    ring = stats.norm(np.log(5.0), 0.1)
    density = js.radii.SphericalDensity(
        dim=2,
        rms=3.5,
        quantile=lambda q: np.exp(ring.ppf(q)),
        upper_quantile=lambda q: np.exp(ring.isf(q)),
        log_density=lambda r: ring.logpdf(np.log(r)),
        log_level_ratio=lambda r, t: np.broadcast_to(-0.1 * t, np.broadcast_shapes(np.shape(r), np.shape(t))),
    )
    with pytest.raises(ValueError, match="must decrease in the length"):
        js.radii.LevelSet(density)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"log_level_ratio": lambda r, t: np.log1p(np.maximum(-t / r**2, -1 + 1e-15)) / 2},
            "log_level_ratio must give",
        ),
        ({"score": lambda r: r, "mean_score": 5.0}, "mean_score must be the mean"),
    ],
)
def test_level_sets_and_scores_of_another_density_are_refused(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        js.radii.LevelSet(_gaussian(**changes))


def test_a_density_that_jumps_is_refused() -> None:
    # a normal density cut at 1.5: what moves through the cut is not in the score
    cut, x = 1.5, np.linspace(0, 1.5, 20_001)
    mass = special.ndtr(cut) - special.ndtr(-cut)
    phi = lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    columns = x, (special.ndtr(cut) - special.ndtr(x)) / mass, (phi(x) - phi(cut)) / mass
    with pytest.raises(ValueError, match="the density jumps"):
        js.radii.ScoreLaw(*columns, variation=2 * phi(0.0) / mass)
    whole = np.linspace(0, 30, 20_001)
    js.radii.ScoreLaw(whole, special.ndtr(-whole), phi(whole), variation=2 * phi(0.0))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1.0, 2.0], [0.1], [0.1, 0.2]), "of one length"),
        (([np.nan], [0.1], [0.1]), "no finite tangent"),
        (([1.0], [0.7], [0.8]), "probability in"),
        (([-1.0], [0.1], [0.2]), "level must be at least 0"),
        (([2.0], [0.4], [0.1]), "at least c P"),
        (([1.0, 2.0], [0.4, 0.1], [0.41, 0.4]), "not the law of one score"),
    ],
)
def test_what_is_not_the_law_of_a_score_is_refused(columns, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        js.radii.ScoreLaw(*(np.array(column) for column in columns))
