"""The radius within which a class stays among the k most probable, under Gaussian noise."""

import math

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.radii.checked_inverse import normal_quantile_above, normal_quantile_below

# Log tails of the normal law are taken to be wrong by this, relative and absolute: far more than SciPy's are.
_ERROR = 2.0**-44
_STEPS = 60


def top_k_radius(
    p_lower: ArrayLike, sums_upper: ArrayLike, sigma: float, *, total_variation: float = 0.0
) -> np.ndarray:
    r"""The l2 radius within which a class stays among the k most probable, under Gaussian noise.

    With p the probability of the class and :math:`S_t` the sum of the t smallest of the k largest probabilities of
    other classes, the largest over t of the roots of

    .. math:: \Phi(\Phi^{-1}(p) - R / \sigma) = \Phi(\Phi^{-1}(S_t) + R / \sigma) / t.

    *Proof.* If k others reach the class at distance R, the t of them that are smallest at x have together at most
    :math:`S_t` there, hence at most :math:`\Phi(\Phi^{-1}(S_t) + R/\sigma)` at that distance, though each has at least
    :math:`\Phi(\Phi^{-1}(p) - R/\sigma)`. The left side decreases in R and the right side increases: one root.

    Where the law of a draw differs from the Gaussian one by eta, that much is taken off p and added to the sums, at x
    and again at that distance: :math:`\Phi(\Phi^{-1}(p - \eta) - R / \sigma) - \eta = (\Phi(\Phi^{-1}(S_t + \eta) +
    R / \sigma) + \eta) / t`, since each side is about the probability of one event.

    For k = 1 and eta = 0 this is :math:`\frac{\sigma}{2}(\Phi^{-1}(p) - \Phi^{-1}(S_1))`.

    Args:
        p_lower: lower bound of the probability of the class, any shape, in [0, 1].
        sums_upper: upper bounds of the sums, the same shape and a last axis of length k, with :math:`S_t` in column
            t - 1; more than ``1 - p_lower`` is taken for that, so that 1 stands where nothing is known. 0 in column 0
            says that there are fewer than k other classes.
        sigma: standard deviation of the noise.
        total_variation: eta, such as ``noise.total_variation(dim)`` of ``LatticeGaussian``.

    Returns:
        float64 of the shape of ``p_lower``, rounded down; 0 where nothing is certified, inf where no distance changes
        the answer.

    Raises:
        ValueError: for values out of range or shapes that do not fit.
        TypeError: for arguments of the wrong kind.

    References:
        Jia, Cao, Wang and Gong, "Certified robustness for top-k predictions against adversarial perturbations via
        randomized smoothing", 2020, Theorem 1.

    Example:
        >>> import jaxsmooth as js
        >>> float(js.radii.top_k_radius(0.3, [0.2, 0.6], 0.5).round(4))
        0.0793
    """
    p_lower, sums_upper = _check.probabilities("p_lower", p_lower), _check.probabilities("sums_upper", sums_upper)
    if sums_upper.shape[:-1] != p_lower.shape or sums_upper.ndim == 0 or sums_upper.shape[-1] < 1:
        raise ValueError(
            f"sums_upper must have the shape of p_lower, {p_lower.shape}, and a last axis of length k; got "
            f"{sums_upper.shape}"
        )
    _check.require_positive("sigma", sigma)
    eta = _check.number("total_variation", total_variation)
    if not 0 <= eta <= 1:
        raise ValueError(f"total_variation must be between 0 and 1; got {total_variation}")
    return (float(sigma) * (1 - 2.0**-50) * unit_radii(p_lower, sums_upper, eta).max(-1))[()]


def unit_radii(p_lower: np.ndarray, sums_upper: np.ndarray, eta: float = 0.0) -> np.ndarray:
    """The radius of every t at sigma 1, ``(..., k)``; 0 where a sum says nothing."""
    p, most = np.broadcast_arrays(p_lower[..., None], sums_upper)
    sums = np.minimum(most, np.nextafter(1 - p, 1))
    if eta:
        # A sum of no classes stays 0.
        more = np.where(most == 0, 0.0, np.minimum(np.nextafter(sums + eta, 2), 1.0))
        p, sums = np.maximum(np.nextafter(p - eta, -1), 0.0), more
    t = np.broadcast_to(np.arange(1, sums.shape[-1] + 1), sums.shape)
    radius = np.where((sums == 0) & (p > 0), np.inf, 0.0)
    open_ = (sums > 0) & (p > sums / t)
    radius[open_] = _roots(p[open_], sums[open_], t[open_], eta)
    return radius


def _roots(p: np.ndarray, sums: np.ndarray, t: np.ndarray, eta: float) -> np.ndarray:
    """The largest R, up to rounding down, at which the class is still above the mean of the t others."""
    high, low = normal_quantile_below(p), normal_quantile_above(sums)
    log_t = np.log(t)

    def holds(radius: np.ndarray) -> np.ndarray:
        ours, theirs = special.log_ndtr(high - radius), special.log_ndtr(low + radius)
        slack = _ERROR * (1 + np.abs(ours) + np.abs(theirs))
        # Positions are rounded: the density over the tail is at most 1 + |z| where z is negative.
        slip = 2.0**-52 * (np.abs(high) + np.abs(low) + 2 * radius) * (3 + np.abs(high - radius) + np.abs(low + radius))
        ours, theirs = ours - slack - slip, theirs + slack + slip
        if eta:
            # What is added to eta is far more than these functions are wrong by.
            more = eta * (1 + 2.0**-30)
            with np.errstate(divide="ignore", over="ignore"):
                ours = ours + np.log1p(-np.minimum(more * np.exp(-ours), 1.0))
            theirs = np.logaddexp(theirs, math.log(more))
        return ours >= theirs - log_t

    certain = np.zeros_like(p)
    beyond = np.ones_like(p)
    while (growing := holds(beyond)).any():
        certain, beyond = np.where(growing, beyond, certain), np.where(growing, 2 * beyond, beyond)
    for _ in range(_STEPS):
        middle = (certain + beyond) / 2
        inside = holds(middle)
        certain, beyond = np.where(inside, middle, certain), np.where(inside, beyond, middle)
    return np.where(np.isinf(high), math.inf, certain)
