"""What the level-set method needs to know about noise whose density depends on the length alone."""

import dataclasses
from collections.abc import Callable

import numpy as np

# How much of a decrease may be rounding: the densities of high dimension are differences of large numbers.
_ROUNDING = 1e-9


class MassError(ValueError):
    """The radial law given to the level-set method does not integrate to one where its quantiles say it lies."""


@dataclasses.dataclass(frozen=True)
class SphericalDensity:
    """What the level-set method needs to know about noise of density g(||x||_2), at unit scale.

    g must decrease in the length: ``LevelSet`` refuses one that does not. With both ``spread`` functions the radii have
    a proved bound of the error of the quadrature; without them the error is estimated, panel by panel.

    Attributes:
        dim: the number of coordinates, at least 2.
        rms: the root mean square of one coordinate; it sets the range of radii that are tabulated.
        quantile: the inverse distribution function of the length r = ||x||_2, vectorised.
        upper_quantile: the inverse of its complement.
        log_density: the log of the density of ln r, normalised.
        log_level_ratio: ``(r, t) -> ln(s / r)`` with ``log g(s) = log g(r) + t``; -inf if g(r) e^t is above g(0).
        score: ``r -> -(log g)'(r)``, for a bound of the runner-up; None: such a bound is not used.
        mean_score: the mean of the score, in closed form.
        log_density_spread: ``(r, rho) ->`` how far, in absolute value, ``log_density`` can lie from its value at r
            within the complex disc of radius rho about ln r; inf where it is not analytic.
        level_spread: ``(r, t, ratio, rho) ->`` the same, as a pair, for ``log_level_ratio``, of which ``ratio`` is
            the value at r, and for ln s. Give it only if ``|ratio|`` decreases in r.
    """

    dim: int
    rms: float
    quantile: Callable[[np.ndarray], np.ndarray]
    upper_quantile: Callable[[np.ndarray], np.ndarray]
    log_density: Callable[[np.ndarray], np.ndarray]
    log_level_ratio: Callable[[np.ndarray, np.ndarray], np.ndarray]
    score: Callable[[np.ndarray], np.ndarray] | None = None
    mean_score: float = np.inf
    log_density_spread: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    level_spread: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = (
        None
    )


def check_decreasing(density: SphericalDensity, length: np.ndarray, weight: np.ndarray) -> None:
    """Refuse a density that does not decrease in the length, or whose level sets or score are those of another.

    Args:
        density: the density.
        length: nodes of the length.
        weight: their masses.
    """
    order = np.argsort(length)
    r, weight = length[order], weight[order]
    log_g = np.asarray(density.log_density(r)) - density.dim * np.log(r)
    seen = np.isfinite(log_g) & (weight > 0)
    r, log_g, weight = r[seen], log_g[seen], weight[seen]
    rises = np.diff(log_g) > _ROUNDING * (1 + np.abs(log_g[1:]) + density.dim)
    if rises.any():
        raise ValueError(
            "the density must decrease in the length, else its level sets are not those of the level-set method; "
            f"it rises at the length {r[:-1][rises][0]:.4g}. Noise on a ring has no radius by this method"
        )
    middle = slice(len(r) // 3, -(-2 * len(r) // 3), max(len(r) // 48, 1))
    for t in (-0.1, -1.0):
        s = r[middle] * np.exp(density.log_level_ratio(r[middle], np.full_like(r[middle], t)))
        change = density.log_density(s) - density.dim * np.log(s) - log_g[middle]
        wrong = ~(np.abs(change - t) <= 1e-6 * (1 + np.abs(log_g[middle])))
        if wrong.any():
            raise ValueError(
                "log_level_ratio must give ln(s / r) with log g(s) = log g(r) + t; at the length "
                f"{r[middle][wrong][0]:.4g} and t = {t} the density changes by {change[wrong][0]:.6g}"
            )
    if density.score is not None and np.isfinite(density.mean_score):
        mean = float((density.score(r) * weight).sum())
        if not mean <= density.mean_score * (1 + 1e-6):
            raise ValueError(f"mean_score must be the mean of the score, {mean:.6g}; got {density.mean_score!r}")
