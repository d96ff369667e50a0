"""What the worst classifier makes of a probability at another point with another scale of the noise."""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.radii import quadratic_law
from jaxsmooth.radii.bracket import bracket_root


def worst_case_mass(
    p_lower: ArrayLike, *, distance: ArrayLike, sigma: ArrayLike, other_sigma: ArrayLike, dim: int
) -> Any:
    r"""The largest probability of the other classes at a point where the Gaussian noise has another scale.

    Over all classifiers that give the top class at least ``p_lower`` under noise of scale ``sigma`` at x, the
    supremum of the probability of the other classes under noise of scale ``other_sigma`` at l2 distance
    ``distance``. It is attained by a ball (``other_sigma < sigma``), the complement of a ball
    (``other_sigma > sigma``) or a half-space; a point is certified iff it is below 1/2.

    Args:
        p_lower: probability of the top class at x, in [0, 1]; any shape. All arguments broadcast.
        distance: l2 distance of the other point, at least 0.
        sigma: scale at x, positive.
        other_sigma: scale at the other point, positive.
        dim: the number of coordinates of one input.

    Returns:
        float64 of the broadcast shape, in [0, 1]; not rounded to either side, relative error about 1e-11;
        in 1 to 3 dimensions an absolute one of up to 1e-8, because the law of the likelihood ratio ends in a root.

    Raises:
        ValueError: for values out of range.

    References:
        Sukenik, Kuvshinov and Guennemann 2022; the evaluation is ours.

    Example:
        >>> import jaxsmooth as js
        >>> wider = [
        ...     js.radii.worst_case_mass(0.99, distance=0.5, sigma=0.5, other_sigma=s, dim=784)
        ...     for s in (0.5, 0.52)
        ... ]
        >>> [round(float(mass), 3) for mass in wider]
        [0.092, 0.327]
    """
    p_lower = _check.probabilities("p_lower", p_lower)
    distance = _check.nonnegative("distance", distance)
    scales = [_check.positives("sigma", sigma), _check.positives("other_sigma", other_sigma)]
    dim = _check.integer("dim", dim, at_least=1)
    p_lower, distance, sigma, other_sigma = np.broadcast_arrays(p_lower, distance, *scales)
    shape = p_lower.shape
    tail, a, u = (v.ravel() for v in (1 - p_lower, distance / sigma, np.log(other_sigma / sigma)))
    mass = special.ndtr(a + special.ndtri(tail))
    open_ended = (tail > 0) & (tail < 1)
    concentric, moved = open_ended & (a == 0) & (u != 0), open_ended & (a > 0) & (u != 0)
    if concentric.any():
        mass[concentric] = _concentric(tail[concentric], u[concentric], dim)
    if moved.any():
        mass[moved] = _moved(tail[moved], a[moved], u[moved], dim)
    return mass.reshape(shape)[()]


def _concentric(tail: np.ndarray, u: np.ndarray, dim: int) -> np.ndarray:
    """At distance 0: balls about the point (smaller scale) or their complements, by the central chi-square."""
    squeeze = np.exp(-2 * u)
    inner = special.gammainc(dim / 2, squeeze * special.gammaincinv(dim / 2, tail))
    outer = special.gammaincc(dim / 2, squeeze * special.gammainccinv(dim / 2, tail))
    return np.where(u < 0, inner, outer)


def _moved(tail: np.ndarray, a: np.ndarray, u: np.ndarray, dim: int) -> np.ndarray:
    """Elsewhere: the threshold at x from its mass, the affine map to the other noise, the mass there."""
    e0 = -np.expm1(2 * u) / (2 * a)
    wanted = -special.ndtri(tail)
    # Beyond these the law has mass 1 or 0 to every digit; on the bounded side it ends.
    reach = 40 + np.abs(e0) * (40 * np.sqrt(2 * dim) + 1600)
    end = 1 / (4 * np.abs(e0)) + np.abs(e0) * dim
    low, high = np.where(e0 < 0, -np.minimum(end, reach), -reach), np.where(e0 > 0, np.minimum(end, reach), reach)

    def excess(tau: np.ndarray, index: np.ndarray) -> np.ndarray:
        return -special.ndtri(quadratic_law.survival(tau, e0[index], dim)) - wanted[index]

    tau0 = np.mean(bracket_root(excess, low, high, tolerance=2.0**-50), axis=0)
    tau1 = np.exp(-3 * u) * (tau0 - a * (1 + np.exp(2 * u)) / 2 - 2 * dim * a * e0**2)
    return quadratic_law.survival(tau1, e0 * np.exp(-u), dim)
