"""What holds for every rule of every family: order, units, inverses, caps, tables and identities between families."""

import dataclasses
import time
from typing import Any

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxsmooth as js
from tests.noises.families import FAMILIES

NOISES = [family.noise for family in FAMILIES]
NORMS = [1, 2, np.inf]
TAILS = np.array([0.4999, 0.45, 0.3, 0.1, 1e-2, 1e-4, 1e-6, 1e-9, 1e-14])
DIMS = [8, 64]

every_noise = pytest.mark.parametrize("noise", NOISES, ids=repr)
every_norm = pytest.mark.parametrize("norm", NORMS)


@every_noise
@every_norm
@pytest.mark.parametrize("dim", [64, pytest.param(8, marks=pytest.mark.slow)])
def test_order_units_and_norms(noise: Any, norm: float, dim: int) -> None:
    radius = js.certified_radius(noise, 1 - TAILS, norm=norm, dim=dim)
    assert np.all(np.diff(radius) > 0) and radius[0] > 0
    doubled = dataclasses.replace(noise, sigma=jnp.float32(2.0))
    np.testing.assert_allclose(js.certified_radius(doubled, 1 - TAILS, norm=norm, dim=dim), 2 * radius, rtol=1e-13)
    assert np.all(js.certified_radius(noise, [0.0, 0.3, 0.5], norm=norm, dim=dim) == 0)
    # a ball of one norm lies within that of the next
    larger, smaller = (js.certified_radius(noise, 1 - TAILS, norm=q, dim=dim) for q in (1, np.inf))
    assert np.all(smaller * (1 - 1e-9) <= radius) and np.all(radius <= larger * (1 + 1e-9))


@every_noise
def test_linf_radii_fall_with_the_dimension(noise: Any) -> None:
    # for the other norms they need not: those of ExpInf in l1 rise
    radius = [js.certified_radius(noise, [0.6, 0.9, 0.99], norm=np.inf, dim=dim) for dim in (8, 16, 64)]
    assert np.all(np.diff(radius, axis=0) < 0)


@every_noise
@every_norm
def test_required_probability_certifies(noise: Any, norm: float) -> None:
    radius = js.certified_radius(noise, 1 - TAILS[:-1], norm=norm, dim=64)
    required = js.required_probability(noise, radius, norm=norm, dim=64)
    assert np.all(js.certified_radius(noise, required, norm=norm, dim=64) >= radius)
    np.testing.assert_allclose(1 - required, TAILS[:-1], rtol=2e-6, atol=2e-12)
    assert js.required_probability(noise, 0.0, norm=norm, dim=64) == 0.5


@every_noise
@every_norm
def test_caps(noise: Any, norm: float) -> None:
    for dim in DIMS:
        radius = js.certified_radius(noise, 1 - TAILS, norm=norm, dim=dim)
        assert np.all(radius <= js.radii.chebyshev_cap(1 - TAILS, sigma=1.0, norm=norm, dim=dim))
        if norm == 1:
            assert np.all(radius <= js.radii.gauss_cap(1 - TAILS, sigma=1.0, norm=norm, dim=dim))


@every_noise
@every_norm
def test_a_bound_of_the_runner_up_helps_and_reduces_to_the_complement(noise: Any, norm: float) -> None:
    p_lower, dim = np.array([0.35, 0.45, 0.6, 0.9]), 64
    alone = js.certified_radius(noise, p_lower, norm=norm, dim=dim)
    complement = js.certified_radius(noise, p_lower, norm=norm, dim=dim, p_upper=1 - p_lower)
    np.testing.assert_allclose(complement, alone, rtol=1e-12)
    bounded = js.certified_radius(noise, p_lower, norm=norm, dim=dim, p_upper=0.05)
    assert np.all(bounded >= alone)
    assert np.all(bounded[:2] > 0)
    assert np.all(js.certified_radius(noise, [0.3, 0.2], norm=norm, dim=dim, p_upper=[0.3, 0.4]) == 0)


@every_noise
@every_norm
def test_certainty_is_refused_or_has_a_finite_radius(noise: Any, norm: float) -> None:
    try:
        radius = js.certified_radius(noise, 1.0, norm=norm, dim=64)
    except ValueError as error:
        assert "p_lower = 1" in str(error)
    else:
        assert np.isfinite(radius)
        assert radius >= js.certified_radius(noise, 1 - 1e-15, norm=norm, dim=64)


BOUNDED = [js.noises.Uniform(1.0), js.noises.UniformBall(1.0), js.noises.Expp(1.0, p=0.5), js.noises.ExpInf(1.0, k=0.5)]


@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_which_families_are_infinite_at_certainty(noise: Any) -> None:
    finite = (
        any(type(noise) is type(other) and noise == other for other in BOUNDED)
        or noise == js.noises.ExpInf(1.0, k=10.0, j=4)
        or noise == js.noises.Expp(1.0, p=0.75)
        or noise == js.noises.Exp1(1.0, k=0.5)
    )
    if finite:
        assert np.isfinite(js.certified_radius(noise, 1.0, norm=1, dim=64))
    else:
        with pytest.raises(ValueError, match="p_lower = 1"):
            js.certified_radius(noise, 1.0, norm=1, dim=64)


def test_limit_of_a_finite_family() -> None:
    # lambda zeta(1/p) Gamma(1/p) / p at p = 1/2
    noise = js.noises.Expp(1.0, p=0.5)
    limit = noise.scale(1) * np.pi**2 / 3
    radius = js.certified_radius(noise, 1.0, norm=1)
    assert limit * (1 - 1e-6) < radius <= limit


def test_moments_are_rounded_inward() -> None:
    # a closed form whose only error is that of the moments of the noise
    rng = np.random.default_rng(0)
    for i in range(200):
        dim, k = (
            int(np.exp(rng.uniform(np.log(3), np.log(150528)))),
            float(np.exp(rng.uniform(np.log(0.2), np.log(30)))),
        )
        noise = js.noises.ExpInf(1.0, k=k)
        radius = float(js.radii.published_radius(noise, 0.75, norm=1, dim=dim))
        with mpmath.workdps(40):
            shape = mpmath.mpf(dim) / mpmath.mpf(k)
            low, high = (mpmath.loggamma(shape + power / mpmath.mpf(k)) - mpmath.loggamma(shape) for power in (-1, 2))
            exact = dim / ((mpmath.mpf(dim) - 1) * mpmath.exp(low) * 2)
            exact *= mpmath.sqrt(dim / ((mpmath.mpf(dim) - 1) / 3 + 1)) * mpmath.exp(-high / 2)
            assert exact * (1 - 2e-12) < radius <= exact, (dim, k)
        if i < 5:
            assert js.required_probability(noise, radius, norm=1, dim=dim) >= 0.5 + radius / float(exact) / 4


@pytest.mark.parametrize("noise", [js.noises.Gaussian(1.0), js.noises.Uniform(1.0), js.noises.Laplace(1.0)], ids=repr)
def test_a_small_lead_of_two_classes_is_not_made_larger_by_rounding(noise: Any) -> None:
    rng = np.random.default_rng(1)
    p_upper = rng.uniform(0.05, 0.45, 200)
    p_lower = p_upper + 10 ** rng.uniform(-16, -9, 200)
    radius = js.certified_radius(noise, p_lower, norm=1, dim=8, p_upper=p_upper)
    with mpmath.workdps(40):
        number = {
            "Gaussian": lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1),
            "Laplace": lambda p: mpmath.log(2 * p),
        }
        scale = {"Gaussian": mpmath.mpf(1), "Laplace": 1 / mpmath.sqrt(2), "Uniform": 2 * mpmath.sqrt(3)}
        name = type(noise).__name__
        for a, b, r in zip(p_lower, p_upper, radius, strict=True):
            ends = [number.get(name, lambda p: p)(mpmath.mpf(p)) for p in (a, b)]
            assert r <= scale[name] * (ends[0] - ends[1]) / 2


IDENTITIES = [
    (js.noises.Exp2(1.0, k=2.0), js.noises.Gaussian(1.0), 1e-9),
    (js.noises.Expp(1.0, p=2.0), js.noises.Gaussian(1.0), 1e-11),
    (js.noises.Expp(1.0, p=1.0), js.noises.Laplace(1.0), 1e-11),
    (js.noises.Exp1(1.0, k=1.0), js.noises.Laplace(1.0), 1e-11),
]
LIMITS = [
    (js.noises.ExpInf(1.0, k=2000.0), js.noises.Uniform(1.0), [1], 3e-2),
    (js.noises.Exp2(1.0, k=500.0), js.noises.UniformBall(1.0), NORMS, 6e-2),
    (js.noises.Pareto(1.0, a=1e5), js.noises.Laplace(1.0), [1, 2], 2e-4),
    (js.noises.PowInf(1.0, a=1e7), js.noises.ExpInf(1.0), NORMS, 2e-4),
]


@pytest.mark.parametrize(("noise", "same", "tolerance"), IDENTITIES, ids=repr)
@every_norm
def test_identities(noise: Any, same: Any, tolerance: float, norm: float) -> None:
    one, two = (js.certified_radius(n, 1 - TAILS[1:-1], norm=norm, dim=64) for n in (noise, same))
    np.testing.assert_allclose(one, two, rtol=tolerance)


@pytest.mark.parametrize(("noise", "limit", "norms", "tolerance"), LIMITS, ids=repr)
def test_limits(noise: Any, limit: Any, norms: list[float], tolerance: float) -> None:
    for norm in norms:
        one, two = (js.certified_radius(n, np.array([0.55, 0.75, 0.9]), norm=norm, dim=64) for n in (noise, limit))
        np.testing.assert_allclose(one, two, rtol=tolerance)


@pytest.mark.parametrize("noise", [js.noises.Exp2(1.0, k=1.5), js.noises.Exp1(1.0, k=3.0)], ids=repr)
def test_a_thousand_radii_and_a_large_table_are_quick(noise: Any) -> None:
    norm = 2 if isinstance(noise, js.noises.Exp2) else np.inf
    start = time.process_time()
    js.certified_radius(noise, np.linspace(0.5, 0.9999, 1000), norm=norm, dim=784)
    first = time.process_time() - start
    table = js.radius_table(noise, n=100_000, alpha=1e-3, norm=norm, dim=784)
    assert first < 5
    assert time.process_time() - start - first < 2
    assert np.all(np.diff(table) >= 0)


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_low_dimensions(noise: Any, dim: int) -> None:
    spherical = isinstance(noise, js.noises.Exp2 | js.noises.Pow2)
    if getattr(noise, "j", 0) >= dim - 1 > 0 or (dim == 1 and (spherical or getattr(noise, "j", 0))):
        if spherical or noise.j >= dim - 1:
            with pytest.raises(ValueError, match="dim"):
                js.certified_radius(noise, 0.9, norm=1, dim=dim)
        return
    radius = [js.certified_radius(noise, 1 - TAILS, norm=norm, dim=dim) for norm in NORMS]
    assert np.all(np.diff(radius, axis=1)[:, :5] > 0) and np.all(np.diff(radius, axis=1) >= 0)
    if dim == 1:
        np.testing.assert_allclose(radius[1:], [radius[0]] * 2, rtol=1e-9)


@pytest.mark.slow
def test_gaussian_by_the_level_set_in_two_dimensions_is_never_above() -> None:
    tails = np.concatenate([np.geomspace(1e-12, 0.4, 300), np.linspace(0.4, 0.4999, 50)])
    for dim in (2, 3, 4):
        radius, exact = (
            js.certified_radius(n, 1 - tails, dim=dim) for n in (js.noises.Exp2(1.0, k=2.0), js.noises.Gaussian(1.0))
        )
        assert np.all(radius <= exact)
        assert np.all(radius >= exact * (1 - 2e-3))


@pytest.mark.parametrize("dim", [2, 8, 64])
def test_exp1_against_linf_for_large_k(dim: int) -> None:
    # the noise becomes uniform on the cross-polytope, and its score a rare and large number
    radius = [js.certified_radius(js.noises.Exp1(1.0, k=k), 0.6, norm=np.inf, dim=dim) for k in (300.0, 1000.0)]
    np.testing.assert_allclose(*radius, rtol=1e-3)
    assert 0 < radius[0] < js.radii.chebyshev_cap(0.6, sigma=1.0, norm=np.inf, dim=dim)


def test_limit_scale_is_labelled_and_known() -> None:
    np.testing.assert_allclose(js.radii.limit_scale(np.inf, 150528), 0.00258, rtol=2e-3)
    assert js.radii.limit_scale(1, 100) == js.radii.limit_scale(2, 100) == 1
    assert "not a cap" in js.radii.limit_scale.__doc__
    np.testing.assert_allclose(js.radii.sampling_cap(js.noises.Gaussian(1.0), n=10**5, alpha=5e-4), 3.788, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: js.certified_radius(js.noises.ExpInf(1.0), 0.9, norm=1), "dim is needed"),
        (lambda: js.certified_radius(js.noises.ExpInf(1.0, j=7), 0.9, norm=1, dim=8), "j < dim - 1"),
        (lambda: js.certified_radius(js.noises.Exp2(1.0, j=70), 0.9, dim=64), "j must be below"),
        (lambda: js.certified_radius(js.noises.Pow2(1.0, a=10.0), 0.9, dim=64), "a must exceed"),
        (lambda: js.certified_radius(js.noises.Exp2(1.0), 0.9, dim=1), "use Expp"),
        (lambda: js.certified_radius(js.noises.Exp2(1.0, k=3.0), 0.9, dim=1), "use Expp"),
        (lambda: js.certified_radius(js.noises.Exp2(1.0, k=3.0, j=0.5), 0.9, dim=1), "use ExpInf"),
        (lambda: js.certified_radius(js.noises.Pow2(1.0, k=1.0, a=4.0), 0.9, dim=1), "use Pareto"),
        (lambda: js.certified_radius(js.noises.Pow2(1.0, k=2.0), 0.9, dim=1), "dim >= 2; got 1$"),
        (lambda: js.radii.published_radius(js.noises.ExpInf(1.0, j=2), 0.9, norm=np.inf, dim=8), "no published"),
        (lambda: js.radii.convert_norm(js.noises.Laplace, "nobody_1999", norm=1, to=2), "got 'nobody_1999'"),
        (lambda: js.radii.chebyshev_cap(0.9, sigma=1.0, norm=np.inf), "dim is needed"),
        (lambda: js.radii.chebyshev_cap(0.9, sigma=-1.0), "sigma must be positive"),
        (lambda: js.radii.limit_scale(0.5, 8), "norm must be at least 1"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_explain_names_the_rule_that_won() -> None:
    rule = lambda *args, **kwargs: js.radii.explain_radius(*args, **kwargs)[1].split(":")[0]
    assert rule(js.noises.Laplace(1.0), 0.99, norm=2, dim=64) == "sub_gaussian"
    assert rule(js.noises.Uniform(1.0), 0.9, norm=2, dim=64) == "even_spread"
    assert rule(js.noises.ExpInf(1.0), 0.9999, norm=1, dim=64) == "one_coordinate_score"
    assert rule(js.noises.Exp2(1.0), 0.9, norm=np.inf, dim=64) == "level_set_from_l2"


def test_a_second_rule_of_one_name_replaces_the_first_or_is_refused() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(js.noises.AbstractNoise):
        sigma: float = 1.0
        sample = scale = lambda self, *args: self.sigma

    class Law:
        radius, tail = staticmethod(lambda tail: 1 - 2 * tail), staticmethod(lambda radius: 0.5 - radius / 2)

    def register(source: str, factor: float) -> None:
        def rule(noise, dim):
            return Law()

        rule.__name__ = "rule" if factor == 1 else "closed"
        closed = lambda noise, tail, dim: factor * noise.sigma * (1 - 2 * tail)
        closed.__name__ = "closed"
        decorate = js.radii.radius_rule(Own, norm=2, source=source, needs_dim=False)
        decorate(rule if factor == 1 else closed)

    register("a law", 1.0)
    np.testing.assert_allclose(js.certified_radius(Own(2.0), 0.75), 1.0, rtol=1e-12)
    np.testing.assert_allclose(js.required_probability(Own(2.0), 1.0), 0.75, rtol=1e-11)
    assert js.certified_radius(Own(2.0), 0.4, p_upper=0.1) == 0  # a law without ``between``
    for factor in (2.0, 3.0):
        register("a paper", factor)
        assert [rule.name for rule in js.radii.rules_for(Own, 2)] == ["rule", "closed"]
        np.testing.assert_allclose(js.certified_radius(Own(1.0), 0.75), factor / 2, rtol=1e-12)
    with pytest.raises(ValueError, match="has a rule 'closed' for norm 2 from 'a paper'"):
        register("another paper", 4.0)
    js.radii.convert_norm(Own, norm=2, to=1)
    assert [rule.name for rule in js.radii.rules_for(Own, 1)] == ["rule_from_l2", "closed_from_l2"]


@pytest.mark.parametrize("p", [1.0, 1.5, 7.0, 50.0, 100.0, 300.0, 1000.0])
def test_expp_of_any_power(p):
    """Its one coordinate decides in l1: against 60 digits, also where |x / lambda|^p underflows in doubles."""
    noise = js.noises.Expp(0.7, p=p)
    x = np.array([1e-12, 1e-6, 1e-3, 0.01, 0.1, 0.3, 0.45, 0.52, 0.6, 0.9, 0.99, 0.999, 1.0, 1.001])
    with mpmath.workdps(60):
        shape = 1 / mpmath.mpf(p)
        mass = lambda v: mpmath.gammainc(shape, 0, mpmath.mpf(v) ** mpmath.mpf(p)) / mpmath.gamma(shape) / 2
        within = [mass(v) for v in x.tolist()]  # between 0 and x
        truth = np.array([float(m) for m in within])
        tail = np.array([float(mpmath.mpf(1) / 2 - m) for m in within])
    radius = noise.scale(1) * x
    required = js.required_probability(noise, radius, norm=1, dim=3)
    assert (required >= 0.5 + truth).all()
    assert (tail - (1 - required) <= 2e-8).all()
    wide = tail < 0.4999
    found = js.certified_radius(noise, 1 - tail[wide], norm=1, dim=3)
    assert (found <= radius[wide] * (1 + 1e-9)).all()
    np.testing.assert_allclose(found, radius[wide], rtol=1e-6)


@pytest.mark.parametrize(
    ("noise", "norm", "dim", "message"),
    [
        (js.noises.Exp2(1.0, k=3000.0), 2, 2, "k must be at most 1000 for a radius of Exp2; got 3000.*UniformBall"),
        (js.noises.Pow2(1.0, k=300.0), 2, 2, r"those of Pow2\(sigma=1.0, k=300.0.*in 2 dimensions.*use a smaller k"),
        (js.noises.Pow2(1.0, k=300.0), np.inf, 3072, r"those of Pow2\(sigma=1.0, k=300.0.*use a smaller k"),
        (js.noises.ExpInf(1.0, k=100.0, j=1.0), 1, 3, r"those of ExpInf\(.*use a smaller k or j = 0"),
        (js.noises.ExpInf(1.0, k=100.0, j=1.0), np.inf, 3, r"those of ExpInf\(.*use a smaller k or j = 0"),
    ],
)
def test_radii_beyond_double_precision_are_refused_by_name(noise, norm, dim, message):
    with pytest.raises(ValueError, match=message):
        js.certified_radius(noise, 0.9, norm=norm, dim=dim)
