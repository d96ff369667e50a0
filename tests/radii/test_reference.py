"""Radii of every family against reference radii computed with an independent float64 engine."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

import jaxsmooth as js

REFERENCE = json.loads((pathlib.Path(__file__).parent / "reference_radii.json").read_text())
P_LOWER = np.array(REFERENCE["p_lower"])
NORMS = {"l1": 1, "l2": 2, "linf": np.inf}
# The growth of Exp1 along a vector of signs has a bend at every sum of signs. The reference integrates across the
# bends and is off by up to 3e-5 either way; ``test_engines.py`` brackets the integral between chords and tangents.
BENDS = [("Exp1", "linf")]

every_entry = pytest.mark.parametrize(
    ("noise", "dim", "norm", "published", "best"),
    [
        pytest.param(getattr(js.noises, name)(1.0, **parameters), *rest, id=f"{name}-{parameters}-{rest[0]}-{rest[1]}")
        for name, parameters, *rest in REFERENCE["entries"]
    ],
)


@every_entry
def test_certified_radius_is_the_best_that_is_proved(noise: Any, dim: int, norm: str, published, best) -> None:
    del published
    radius = js.certified_radius(noise, P_LOWER, norm=NORMS[norm], dim=dim)
    slack = 3e-5 if (type(noise).__name__, norm) in BENDS else 1e-6
    assert np.all(radius >= np.array(best) * (1 - slack))
    if type(noise).__name__ != "Pareto":  # its sub-Gaussian rule is sharper than the reference
        np.testing.assert_allclose(radius, best, rtol=max(slack, 1.1e-6))


@every_entry
def test_published_radius_reproduces_the_literature(noise: Any, dim: int, norm: str, published, best) -> None:
    del best
    if published is None:
        with pytest.raises(ValueError, match="no published radius"):
            js.radii.published_radius(noise, P_LOWER, norm=NORMS[norm], dim=dim)
    else:
        radius = js.radii.published_radius(noise, P_LOWER, norm=NORMS[norm], dim=dim)
        np.testing.assert_allclose(radius, published, rtol=1e-6)


@pytest.mark.parametrize(
    ("noise", "norm", "dim", "p_lower", "radius"),
    [
        (js.noises.Uniform(1.0), 1, 64, 0.9, 1.385641),
        (js.noises.Laplace(1.0), 1, 64, 0.99, 2.766218),
        (js.noises.Laplace(1.0), np.inf, 64, 0.99, 0.20639389468),
        (js.noises.UniformBall(1.0), 2, 64, 0.99, 1.33064694408),
        (js.noises.ExpInf(1.0, k=2), np.inf, 64, 0.99, 0.0925314954),
        (js.noises.Pareto(1.0), 1, 64, 0.99, 1.03240994),
        (js.noises.Expp(1.0, p=0.75), 1, 64, 0.99, 1.04716998273),
        (js.noises.Exp2(1.0, k=3), 2, 64, 0.99, 2.31146736301),
        (js.noises.Pow2(1.0, k=2, a=40), 2, 64, 0.99, 2.24709752155),
    ],
    ids=repr,
)
def test_golden_radii(noise: Any, norm: float, dim: int, p_lower: float, radius: float) -> None:
    np.testing.assert_allclose(js.certified_radius(noise, p_lower, norm=norm, dim=dim), radius, rtol=4e-7)
