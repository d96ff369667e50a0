"""Level-set radii are below the truth, by an independent quadrature, whatever the parameters and the dimension."""

import numpy as np
import pytest
from scipy import optimize, special

import jaxsmooth as js
from tests.radii.level_set_quadrature import masses, needed_tail

# The quadrature is right to about 1e-10 relative; in 3,072 dimensions to 1e-9.
_REFERENCE = 1e-8


def case(seed: int) -> tuple[str, int, float, float, float]:
    """A random family, dimension, k, j or a, and tail 1 - p."""
    rng = np.random.default_rng(seed)
    dim = int(np.exp(rng.uniform(np.log(2), np.log(3073))))
    k = float(np.exp(rng.uniform(np.log(0.2), np.log(24))))
    tail = float(10 ** -rng.uniform(0.302, 11))
    if rng.random() < 0.5:
        return "Pow2", dim, k, float((dim + 2) / k * (1 + np.exp(rng.uniform(-4, 2)))), tail
    return "Exp2", dim, k, float(rng.choice([0.0, rng.uniform(0, 0.95)]) * dim), tail


def tails(family: str, dim: int, k: float, parameter: float, tail: float) -> tuple[float, float]:
    """The tail given, as a double of p, and the one that the radius certified for it requires."""
    noise = js.noises.Pow2(1.0, k=k, a=parameter) if family == "Pow2" else js.noises.Exp2(1.0, k=k, j=parameter)
    radius = float(js.certified_radius(noise, 1 - tail, dim=dim))
    needed = needed_tail(family, dim, k, parameter, radius / float(noise.scale(dim))) if radius > 0 else 0.5
    return 1 - (1 - tail), needed


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 24))])
def test_no_radius_is_above_the_truth(seed: int) -> None:
    given, needed = tails(*case(seed))
    assert given <= needed * (1 + _REFERENCE)
    assert given >= needed * (1 - 1e-5)


@pytest.mark.parametrize(("k", "dim"), [(20.0, 2), (30.0, 3)])
def test_powers_that_underflow_near_the_origin(k: float, dim: int) -> None:
    """Where r^k keeps a few digits the density seemed to rise, and these were taken for noise on a ring."""
    given, needed = tails("Exp2", dim, k, 0.0, 0.1)
    assert given <= needed * (1 + _REFERENCE)
    assert given >= needed * (1 - 1e-5)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("block", range(40))
def test_none_of_two_thousand_radii_is_above_the_truth(block: int) -> None:
    for seed in range(50 * block, 50 * (block + 1)):
        given, needed = tails(*case(seed))
        assert given <= needed * (1 + _REFERENCE), case(seed)


FOUND = [  # family, dim, k, j or a, p; where a quadrature that took no notice of the kinks was too large
    ("Exp2", 2, 0.2, 1.8, 1 - 1.6e-6),
    ("Exp2", 2, 0.1, 1.0, 1 - 1.36e-7),
    ("Exp2", 2, 22.519, 0.4731, 1 - 5.18e-4),  # a sharp law, whose thresholds at large distances are beyond doubles
    ("Pow2", 2, 0.2, 20.05, 0.99999999947766971),
    ("Exp2", 2, 0.1, 0.0, 1 - 3.5e-6),
    ("Pow2", 8, 24.0, 0.75, 0.937807723877),
    ("Exp2", 8, 16.0, 0.0, 0.75792182225),
    ("Exp2", 3, 3.0, 0.0, 0.968916838984),
    ("Pow2", 2, 5.0, 2.4, 0.975466779997),
]


# By default the first of each family.
@pytest.mark.parametrize(
    ("family", "dim", "k", "parameter", "p_lower"),
    [pytest.param(*row, marks=() if place in (0, 3) else pytest.mark.slow) for place, row in enumerate(FOUND)],
)
def test_wide_and_sharp_laws_in_low_dimension(
    family: str, dim: int, k: float, parameter: float, p_lower: float
) -> None:
    given, needed = tails(family, dim, k, parameter, 1 - p_lower)
    assert needed * (1 - 1e-6) <= given <= needed * (1 + _REFERENCE)


@pytest.mark.parametrize("dim", [2, 3, 8, 64, 3072])
def test_gaussian_noise_to_the_last_digits(dim: int) -> None:
    p = np.array([0.5001, 0.612840103572, 0.9, 0.999, 0.9999943694614587, 1 - 1e-12])
    exact = -special.ndtri(1 - p)
    radius = js.radii.published_radius(js.noises.Exp2(1.0, k=2.0), p, dim=dim)
    assert np.all(radius <= exact) and np.all(radius >= exact * (1 - 2e-8))


P_LOWER, P_UPPER = np.array([0.3, 0.5, 0.6, 0.9, 0.999, 0.4]), np.array([0.1, 0.3, 0.02, 0.05, 1e-5, 0.4 - 1e-7])


@pytest.mark.parametrize("dim", [2, 64, 3072])
@pytest.mark.parametrize("too_far", [1.0, 1.001])
def test_two_classes_under_gaussian_noise(dim: int, too_far: float, monkeypatch) -> None:
    # whatever distance the differential method proposes
    between = js.radii.ScoreLaw.between
    monkeypatch.setattr(js.radii.ScoreLaw, "between", lambda *args: between(*args) * too_far)
    exact = (special.ndtri(P_LOWER) - special.ndtri(P_UPPER)) / 2
    radius = js.certified_radius(js.noises.Exp2(1.0, k=2.0), P_LOWER, dim=dim, p_upper=P_UPPER)
    assert np.all(radius <= exact) and np.all(radius >= exact * (1 - (2e-5 if too_far == 1 else 2e-2)) - 1e-9)


def largest_mass(parameters: tuple[str, int, float, float], distance: float, mass: float) -> float:
    """After a shift, of any set that has this mass before it."""
    over = lambda t: masses(*parameters, distance, t)[0] - mass
    low, high = -1e-3, 1e-3
    while over(high) > 0:
        high *= 2
    while over(low) < 0:
        low *= 2
    t = optimize.brentq(over, low, high, xtol=1e-12)
    before, after = masses(*parameters, distance, t)
    return after + np.exp(t) * (mass - before)


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 12))])
def test_two_classes_by_another_quadrature(seed: int) -> None:
    family, dim, k, parameter, _ = case(1000 + seed)
    dim = max(dim, int(parameter) + 3) if family == "Exp2" else dim
    noise = js.noises.Pow2(1.0, k=k, a=parameter) if family == "Pow2" else js.noises.Exp2(1.0, k=k, j=parameter)
    p_lower, p_upper = P_LOWER[seed % 4], P_UPPER[seed % 4]
    radius = float(js.certified_radius(noise, p_lower, dim=dim, p_upper=p_upper)) / float(noise.scale(dim))
    with np.errstate(all="ignore"):
        others = [largest_mass((family, dim, k, parameter), radius, mass) for mass in (1 - p_lower, p_upper)]
    assert 0 < radius and sum(others) <= 1 + 1e-9


@pytest.mark.parametrize(("k", "lost"), [(1.0, 5e-3), pytest.param(0.2, 0.05, marks=pytest.mark.slow)])
def test_what_a_large_request_loses(k: float, lost: float) -> None:
    noise, p = (
        js.noises.Exp2(1.0, k=k),
        np.concatenate([np.linspace(0.5005, 0.999, 500), 1 - np.geomspace(1e-9, 9e-4, 200)]),
    )
    few = slice(0, None, 70)
    many, exact = js.certified_radius(noise, p, dim=2)[few], js.certified_radius(noise, p[few], dim=2)
    assert np.all(many <= exact * (1 + 1e-8)) and np.all(many >= exact * (1 - lost))
