"""The table of noises that the tests run through: one row a noise, with its law written down independently."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

from jaxsmooth import noises


@dataclasses.dataclass(frozen=True)
class Family:
    """A noise of sigma 1 in ``dim`` coordinates, and what is known about it.

    Attributes:
        noise: the noise.
        scale: ``dim -> lambda``, by the closed form of its second moment.
        log_density: ``(x / lambda, dim) -> log density`` up to a constant, over the last axis.
        statistic: ``(x / lambda, dim) -> numbers``, one an event or more, independent of each other.
        law: ``dim -> `` the SciPy distribution of the statistic.
    """

    noise: Any
    scale: Callable[[int], float]
    log_density: Callable[[np.ndarray, int], np.ndarray]
    statistic: Callable[[np.ndarray, int], np.ndarray]
    law: Callable[[int], Any]

    @property
    def name(self) -> str:
        return repr(self.noise)


def _norm(order: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.linalg.norm(x, order, axis=-1)


def _moment(dim: int, k: float, j: float) -> float:
    return float(np.exp(special.gammaln((dim + 2 - j) / k) - special.gammaln((dim - j) / k)))


def _exponential(noise: Any, order: float, k: float, j: float, second: Callable[[int], float]) -> Family:
    """Density r^-j e^(-r^k) of a norm r: r^k is a Gamma number."""
    norm = _norm(order)
    return Family(
        noise,
        lambda dim: 1 / np.sqrt(second(dim) * _moment(dim, k, j)),
        lambda x, dim: -(norm(x) ** k) - (j * np.log(norm(x)) if j else 0.0),
        lambda x, dim: norm(x) ** k,
        lambda dim: stats.gamma((dim - j) / k),
    )


_CUBE = lambda dim: ((dim - 1) / 3 + 1) / dim
_SPHERE = lambda dim: 1 / dim
_POLYTOPE = lambda dim: 2 / (dim * (dim + 1))


def _pow_inf(noise: Any, a: Callable[[int], float]) -> Family:
    norm = _norm(np.inf)
    return Family(
        noise,
        lambda dim: np.sqrt((a(dim) - dim - 1) * (a(dim) - dim - 2) / ((dim + 1) * ((dim - 1) / 3 + 1))),
        lambda x, dim: -a(dim) * np.log1p(norm(x)),
        lambda x, dim: norm(x),
        lambda dim: stats.betaprime(dim, a(dim) - dim),
    )


def _pow2(noise: Any, k: float, a: Callable[[int], float]) -> Family:
    norm = _norm(2)
    log_gamma = special.gammaln
    return Family(
        noise,
        lambda dim: np.exp(
            -0.5
            * (
                log_gamma((dim + 2) / k)
                + log_gamma(a(dim) - (dim + 2) / k)
                - log_gamma(dim / k)
                - log_gamma(a(dim) - dim / k)
                - np.log(dim)
            )
        ),
        lambda x, dim: -a(dim) * np.log1p(norm(x) ** k),
        lambda x, dim: norm(x) ** k,
        lambda dim: stats.betaprime(dim / k, a(dim) - dim / k),
    )


def _independent(noise: Any, second: float, log_density: Callable[[np.ndarray], np.ndarray], law: Any) -> Family:
    """Independent coordinates, each of this law in units of lambda."""
    return Family(
        noise, lambda dim: 1 / np.sqrt(second), lambda x, dim: log_density(x).sum(-1), lambda x, dim: x, lambda dim: law
    )


def _expp(p: float) -> Family:
    second = special.gamma(3 / p) / special.gamma(1 / p)
    return _independent(noises.Expp(1.0, p=p), second, lambda x: -(np.abs(x) ** p), stats.gennorm(p))


class _Lomax:
    """The symmetric Lomax law."""

    def __init__(self, a: float) -> None:
        self.cdf = lambda x: 0.5 + np.sign(x) * (1 - (1 + np.abs(x)) ** -a) / 2


def _pareto(a: float) -> Family:
    log_density = lambda x: -(1 + a) * np.log1p(np.abs(x))
    return _independent(noises.Pareto(1.0, a=a), 2 / ((a - 1) * (a - 2)), log_density, _Lomax(a))


_inside = lambda inside: np.where(inside, 0.0, -np.inf)

FAMILIES = [
    _independent(noises.Gaussian(1.0), 1.0, lambda x: -(x**2) / 2, stats.norm),
    _independent(noises.Laplace(1.0), 2.0, lambda x: -np.abs(x), stats.laplace),
    _independent(noises.Uniform(1.0), 1 / 3, lambda x: _inside(np.abs(x) <= 1), stats.uniform(-1, 2)),
    Family(
        noises.UniformBall(1.0),
        lambda dim: np.sqrt(dim + 2),
        lambda x, dim: _inside(_norm(2)(x) <= 1),
        lambda x, dim: _norm(2)(x) ** dim,
        lambda dim: stats.uniform,
    ),
    _exponential(noises.ExpInf(1.0), np.inf, 1, 0, _CUBE),
    _exponential(noises.ExpInf(1.0, k=2.0), np.inf, 2, 0, _CUBE),
    _exponential(noises.ExpInf(1.0, k=0.5), np.inf, 0.5, 0, _CUBE),
    _exponential(noises.ExpInf(1.0, k=10.0, j=4), np.inf, 10, 4, _CUBE),
    _pow_inf(noises.PowInf(1.0), lambda dim: dim + 100.0),
    _exponential(noises.Exp2(1.0), 2, 1, 0, _SPHERE),
    _exponential(noises.Exp2(1.0, k=3.0), 2, 3, 0, _SPHERE),
    _exponential(noises.Exp2(1.0, k=2.0, j=5), 2, 2, 5, _SPHERE),
    _pow2(noises.Pow2(1.0), 1, lambda dim: dim + 10.0),
    _pow2(noises.Pow2(1.0, k=2.0), 2, lambda dim: (dim + 10) / 2),
    _exponential(noises.Exp1(1.0), 1, 1, 0, _POLYTOPE),
    _exponential(noises.Exp1(1.0, k=2.0), 1, 2, 0, _POLYTOPE),
    _exponential(noises.Exp1(1.0, k=0.5), 1, 0.5, 0, _POLYTOPE),
    _expp(0.5),
    _expp(0.75),
    _expp(1.0),
    _expp(2.0),
    _expp(4.0),
    _pareto(3.0),
    _pareto(6.0),
]
NAMES = [family.name for family in FAMILIES]
