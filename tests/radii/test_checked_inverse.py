"""Inverses of special functions are on the safe side, also where they are wrong."""

import mpmath
import numpy as np
import pytest
from scipy import special

import jaxsmooth as js
from jaxsmooth.radii import checked_inverse

TAILS = np.concatenate(
    [0.5 * 10 ** -np.linspace(0.01, 300, 60), np.linspace(0.01, 0.499, 40), 0.5 - 10.0 ** -np.arange(3, 15)]
)


def test_normal_radii_against_forty_digits() -> None:
    radius = checked_inverse.normal_radius(TAILS)
    with mpmath.workdps(40):
        for z, tail in zip(radius, TAILS, strict=True):
            assert mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2)) / 2 >= mpmath.mpf(tail)
    np.testing.assert_allclose(radius, -special.ndtri(TAILS), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("dim", [1, 8, 1000, 1999, 3072, 150_528])
def test_beta_quantiles_against_forty_digits(dim: int) -> None:
    lost = np.array([1e-12, 1e-3, 0.1, 0.25, 0.4999])
    z = checked_inverse.beta_quantile_below(0.5, (dim + 1) / 2, lost)
    with mpmath.workdps(40):
        for value, mass in zip(z, lost, strict=True):
            assert mpmath.betainc(0.5, mpmath.mpf(dim + 1) / 2, 0, mpmath.mpf(value), regularized=True) <= mass


@pytest.mark.parametrize(
    ("name", "noise", "norm"),
    [
        ("ndtri", js.noises.Gaussian(1.0), 2),
        ("betaincinv", js.noises.UniformBall(1.0), 2),
        ("gammainccinv", js.noises.Expp(1.0, p=4.0), 1),
    ],
)
def test_an_inverse_that_is_wrong_changes_no_radius_to_the_unsafe_side(name, noise, norm, monkeypatch) -> None:
    p = np.array([0.51, 0.7, 0.99])
    right = js.certified_radius(noise, p, norm=norm, dim=64)
    inverse = getattr(special, name)
    monkeypatch.setattr(special, name, lambda *args: inverse(*args) * (1 + 1e-6))
    wrong = js.certified_radius(noise, p, norm=norm, dim=64)
    assert np.all(wrong <= right * (1 + 1e-12)) and np.all(wrong >= right * (1 - 1e-5))
