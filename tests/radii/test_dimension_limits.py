"""The curse of dimension: reference values, the order of the bounds, and that certificates respect them."""

import mpmath
import numpy as np
import pytest

import jaxsmooth as js
from tests.radii.test_semi_elastic import rows


def test_reference():
    names = ("ratio_min_chernoff", "ratio_max_chernoff", "ratio_min_simple", "ratio_min_exact_a0", "ratio_max_exact_a0")
    for dim, p, *expected in rows("limits", "p_A", *names):
        got = [
            *js.radii.chernoff_ratios(p, dim=dim),
            js.radii.simple_ratio(p, dim=dim),
            *js.radii.admissible_ratios(p, dim=dim),
        ]
        np.testing.assert_allclose(got, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "dim, p, distance, smallest, largest",
    [
        (3072, 0.99, 0.25, 0.9706, 1.0297),
        (3072, 0.99, 2.0, 0.9849, 1.0152),
        (3072, 0.9, 1.0, 0.9898, 1.0102),
        (784, 0.99, 1.0, 0.9474, 1.0535),
    ],
)
def test_ratios_at_a_distance(dim, p, distance, smallest, largest):
    got = js.radii.admissible_ratios(p, dim=dim, distance=distance)
    np.testing.assert_allclose(got, (smallest, largest), atol=5.1e-5)
    for ratio, sign in zip(got, (-1, 1), strict=True):
        mass = [
            js.radii.worst_case_mass(p, distance=distance, sigma=1.0, other_sigma=ratio * np.exp(sign * step), dim=dim)
            for step in (-1e-7, 1e-7)
        ]
        assert mass[0] < 0.5 < mass[1]


@pytest.mark.parametrize("dim", [1, 2, 64, 3072, 196608])
def test_the_order_of_the_bounds(dim):
    p = np.array([0.6, 0.9, 0.999, 1 - 1e-9])
    exact, chernoff = js.radii.admissible_ratios(p, dim=dim), js.radii.chernoff_ratios(p, dim=dim)
    assert (js.radii.simple_ratio(p, dim=dim) <= chernoff[0]).all()
    assert (chernoff[0] <= exact[0]).all() and (exact[1] <= chernoff[1]).all()
    near = js.radii.admissible_ratios(p, dim=dim, distance=0.2)
    assert (exact[0] <= near[0] * (1 + 1e-12)).all() and (near[1] <= exact[1] * (1 + 1e-12)).all()


@pytest.mark.parametrize("dim", [2, 784, 3072])
def test_no_certificate_exceeds_the_ceiling(dim):
    p, rate = np.array([0.75, 0.99, 0.9999]), np.geomspace(1e-3, 1, 7)[:, None]
    radius = js.radii.semi_elastic_radius(p, sigma=1.0, rate=rate, dim=dim)
    ceiling = js.radii.rate_radius_ceiling(p, dim=dim)
    assert (rate * radius < ceiling).all()
    # and for a large rate it is nearly reached
    assert (rate[-1] * radius[-1] > 0.8 * ceiling).all()


def test_where_nothing_can_be_certified():
    for p in (0.5, 0.2):
        assert js.radii.admissible_ratios(p, dim=784) == (1.0, 1.0)
        assert js.radii.rate_radius_ceiling(p, dim=784) == 0
    assert js.radii.admissible_ratios(0.6, dim=784, distance=5.0) == (1.0, 1.0)


@pytest.mark.parametrize("p", [0.0, 1e-16, 1e-14, 1e-12, 1e-8, 3e-7, 1e-4, 1.5e-3, 1.6e-3, 0.1])
def test_chernoff_where_both_roots_meet(p):
    """Roots of y - log y - 1 = -2 log(1 - p) / dim on both sides of 1."""
    smallest, largest = js.radii.chernoff_ratios(p, dim=3072)
    distance = -2 * mpmath.log1p(-mpmath.mpf(p)) / 3072
    for ratio, side in ((smallest, -1), (largest * np.sqrt(3071 / 3072), 1)):
        guess = 1 + side * mpmath.sqrt(2 * distance)
        root = mpmath.findroot(lambda y: y - mpmath.log(y) - 1 - distance, guess) if p else 1
        np.testing.assert_allclose(ratio, float(mpmath.sqrt(root)), rtol=1e-11)


@pytest.mark.parametrize("function", ["admissible_ratios", "chernoff_ratios", "simple_ratio", "rate_radius_ceiling"])
def test_bad_input(function):
    with pytest.raises(ValueError, match="p_lower must lie in"):
        getattr(js.radii, function)(-0.1, dim=784)
    with pytest.raises(ValueError, match="p_lower must be below 1"):
        getattr(js.radii, function)(1.0, dim=784)
    with pytest.raises(ValueError, match="dim must be at least 1"):
        getattr(js.radii, function)(0.9, dim=0)
