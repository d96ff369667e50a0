"""What the level-set method needs to know about noise whose density depends on the length alone."""

import dataclasses
from collections.abc import Callable

import numpy as np


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
    level_spread: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
