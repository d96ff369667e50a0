"""Attempts to refute every radius: the worst classifier for a shift of that length, by Monte Carlo.

For a shift v and a set of probability ``tail`` under the noise, the largest probability it can have after the
shift is that of a level set of the likelihood ratio (Neyman and Pearson), with a share of its boundary where
the ratio has atoms. A radius is refuted if the mass that the others can win, plus what the class
can lose, exceeds what separates them.
"""

import functools

import jax
import numpy as np
import pytest

import jaxsmooth as js
from tests.noises.families import FAMILIES, NAMES, Family

SAMPLES = {2: 40_000, 3: 40_000, 8: 10_000, 64: 20_000}
NORMS = [1, 2, np.inf]


@functools.cache
def draws(index: int, dim: int) -> np.ndarray:
    """``(samples, dim)`` in units of lambda."""
    family = FAMILIES[index]
    keys = jax.random.split(jax.random.key(100 + index), SAMPLES[dim])
    sample = jax.jit(lambda noise, keys: jax.vmap(lambda key: noise.sample(key, (dim,)))(keys))
    return np.asarray(sample(family.noise, keys), np.float64) / family.scale(dim) * (1 - 1e-6)


def directions(dim: int, norm: float) -> list[np.ndarray]:
    """An axis, a sparse and an even vector of signs, and a random direction, of unit norm."""
    rng = np.random.default_rng(dim)
    axis, sparse, even = np.zeros(dim), np.zeros(dim), rng.choice([-1.0, 1.0], dim)
    axis[0] = 1
    sparse[: dim // 4] = 1
    return [v / np.linalg.norm(v, norm) for v in (axis, sparse, even, rng.normal(size=dim))]


def worst_mass(family: Family, x: np.ndarray, v: np.ndarray, tail: float) -> tuple[float, float]:
    """The largest mass after the shift of a set of mass ``tail`` before it, and its standard error."""
    n, dim = x.shape
    here = family.log_density(x, dim)
    before = np.sort(family.log_density(x - v, dim) - here)
    after = here - family.log_density(x + v, dim)
    threshold = before[int(np.ceil((1 - tail) * n)) - 1]
    # ties in exact arithmetic differ by rounding
    slack = 1e-9 * (1 + abs(threshold)) if np.isfinite(threshold) else 0.0
    above = np.mean(before > threshold + slack)
    boundary = np.exp(np.minimum(threshold, 700.0)) * max(tail - above, 0.0) if np.isfinite(threshold) else 0.0
    mass = np.mean(after > threshold + slack) + boundary
    variance = 0.25 + np.exp(2 * np.minimum(threshold, 300.0)) * tail if np.isfinite(threshold) else 0.25
    return float(mass), float(np.sqrt(variance / n))


def excess(index: int, dim: int, norm: float, p_lower: float, p_upper: float | None, factor: float = 1.0) -> float:
    """How far the worst directions go beyond what the certificate allows, in standard errors."""
    family, x = FAMILIES[index], draws(index, dim)
    radius = js.certified_radius(family.noise, p_lower, norm=norm, dim=dim, p_upper=p_upper)
    runner_up = 1 - p_lower if p_upper is None else p_upper
    worst = -np.inf
    for v in directions(dim, norm):
        shift = factor * radius / family.scale(dim) * v
        lost, error = worst_mass(family, x, shift, 1 - p_lower)
        won, other_error = (lost, error) if p_upper is None else worst_mass(family, x, shift, runner_up)
        worst = max(worst, (lost + won - 1) / (error + other_error))
    return worst


LATER = js.noises.ExpInf | js.noises.PowInf | js.noises.Exp2
ONE_OF_EACH_CLASS = set({type(family.noise): index for index, family in enumerate(FAMILIES)}.values())
every_family_and_dim = pytest.mark.parametrize(
    ("index", "dim"),
    [
        pytest.param(
            index,
            dim,
            id=f"{name}-{dim}",
            marks=() if dim == 64 and index in ONE_OF_EACH_CLASS else pytest.mark.slow,
        )
        for index, name in enumerate(NAMES)
        for dim in (8, 64)
    ],
)


@every_family_and_dim
def test_no_radius_is_refuted(index: int, dim: int) -> None:
    for norm in NORMS:
        for p_lower in (0.55, 0.75, 0.99) if dim == 8 else (0.75, 0.99):
            # five standard errors: 3e-7 for each of the 12 directions and probabilities
            assert excess(index, dim, norm, p_lower, None) < 5, (norm, p_lower)


# By default those of a closed form, and one of the level set.
@pytest.mark.parametrize(
    "index",
    [
        pytest.param(i, id=NAMES[i], marks=[pytest.mark.slow] * isinstance(FAMILIES[i].noise, LATER))
        for i in sorted(ONE_OF_EACH_CLASS)
    ],
)
def test_no_two_sided_radius_is_refuted(index: int) -> None:
    for norm in NORMS:
        for p_lower, p_upper in ((0.4, 0.1), (0.7, 0.05)):
            assert excess(index, 8, norm, p_lower, p_upper) < 5, (norm, p_lower)


def between_axis_and_diagonal(dim: int) -> list[np.ndarray]:
    """Unit vectors of l2 from a coordinate axis to the diagonal, through vectors of fewer ones as well."""
    sparse = [
        np.repeat([1.0, t, 0.0], [ones, 1, dim - ones - 1]) for ones in range(1, dim) for t in np.linspace(0, 1, 5)
    ]
    even = [np.append(1.0, np.full(dim - 1, t)) for t in np.linspace(0.1, 0.9, 5)]
    return [v / np.linalg.norm(v) for v in sparse + even]


CUBICAL = [
    i for i, f in enumerate(FAMILIES) if isinstance(f.noise, js.noises.ExpInf | js.noises.PowInf | js.noises.Exp1)
]


FIRST = set({type(FAMILIES[index].noise): index for index in reversed(CUBICAL)}.values())


@pytest.mark.parametrize(
    ("index", "dim"),
    [
        pytest.param(
            index,
            dim,
            id=f"{NAMES[index]}-{dim}",
            marks=() if dim == 2 and index in FIRST else pytest.mark.slow,
        )
        for index in CUBICAL
        for dim in (2, 3)
    ],
)
def test_no_direction_refutes_an_l2_radius(index: int, dim: int) -> None:
    family, p_lower = FAMILIES[index], np.array([0.55, 0.75, 0.95])
    if getattr(family.noise, "j", 0) >= dim - 1:
        pytest.skip("there is no such noise in so few dimensions")
    radius = js.certified_radius(family.noise, p_lower, dim=dim)
    for v in between_axis_and_diagonal(dim):
        for p, length in zip(p_lower, radius / family.scale(dim), strict=True):
            mass, error = worst_mass(family, draws(index, dim), length * v, 1 - p)
            # five standard errors: 3e-7 for each of the 15 directions or fewer, and three probabilities
            assert mass < 0.5 + 5 * error, (v, p)


@pytest.mark.parametrize(
    "index", [i for i in CUBICAL if not getattr(FAMILIES[i].noise, "j", 0)], ids=lambda i: NAMES[i]
)
def test_an_l2_radius_twice_too_large_is_refuted(index: int) -> None:
    family = FAMILIES[index]
    length = 2 * js.certified_radius(family.noise, 0.75, dim=2) / family.scale(2)
    found = [worst_mass(family, draws(index, 2), length * v, 0.25) for v in between_axis_and_diagonal(2)]
    assert max((mass - 0.5) / error for mass, error in found) > 5


EXACT = [
    (name, norm)
    for name in ("Gaussian(sigma=1.0)", "UniformBall(sigma=1.0)", "Exp2(sigma=1.0, k=3.0, j=0)", "Uniform(sigma=1.0)")
    for norm in NORMS
] + [("Laplace(sigma=1.0)", 1), ("Expp(sigma=1.0, p=4.0)", 1), ("ExpInf(sigma=1.0, k=1.0, j=0)", np.inf)]


@pytest.mark.parametrize(("name", "norm"), EXACT)
def test_a_radius_ten_percent_too_large_is_refuted(name: str, norm: float) -> None:
    assert excess(NAMES.index(name), 64, norm, 0.9, None, factor=1.1) > 5


@pytest.mark.parametrize("name", ["Gaussian(sigma=1.0)", "Uniform(sigma=1.0)", "UniformBall(sigma=1.0)"])
def test_a_two_sided_radius_ten_percent_too_large_is_refuted(name: str) -> None:
    assert excess(NAMES.index(name), 64, 2, 0.7, 0.05, factor=1.1) > 5
