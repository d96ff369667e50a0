r"""The certificate of input-dependent smoothing: Gaussian noise whose scale moves with the input, but slowly.

The smoothed classifier answers for x with noise of scale sigma(x), where log sigma is r-Lipschitz in l2: at
distance a from x the scale lies in :math:`[\sigma e^{-ra}, \sigma e^{ra}]`. The worst classifier for one other
scale is a ball (smaller scale) or the complement of one (larger scale), by Neyman and Pearson. A scale that is
computed in float32 moves a little more: with a margin m the ends are :math:`\sigma e^{\pm(ra + m)}`, and nothing else
of what follows changes.

Why checking the two extreme scales at distance R is enough. (a) *Distance*: at fixed scales the worst mass of
the other classes grows with a: translate the ball away from x, or x' away from the ball's centre. (b) *Scale*:
if the worst mass reaches 1/2 at some scale, then also at any scale farther from sigma on the same side, with the same
region, whose mass at x does not depend on the other scale. *Smaller scale*: the region is a ball, and x' is in it,
for a ball that x' is outside of lies in an open half-space that ends at x' and has a mass below 1/2. The homothety
about x' that maps one noise to the other shrinks, and maps a ball holding x' into itself. *Larger scale*: the region
is the complement of a ball. If x' is in that ball, the homothety grows, and maps the complement into itself. If it
is not, the ball lies in a half-space as before, so that its complement has a mass above 1/2 at every scale. So the
distances that are not certified form an up-set. The worst mass itself is not monotone in the scale; only its
crossing of 1/2 is.
"""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.radii import quadratic_law
from jaxsmooth.radii.bracket import bracket_root
from jaxsmooth.radii.checked_inverse import normal_radius

# The quadrature is right to a few parts in 10^12; radii and tails are moved inward by more.
_INWARD = 1 - 2.0**-36
# And special functions to a few units in the last place, as for every rule.
_INWARD_COHEN = 1 - 2.0**-50
# Scale ratios beyond e^20 are never admissible for a probability that votes can show.
_LARGEST_EXPONENT = 20.0
# Distances so near that a margin alone makes the curvature larger are not certified: about 1e-5 sigma for CIFAR-10.
_LARGEST_CURVATURE = 30.0


def semi_elastic_radius(
    p_lower: ArrayLike, *, sigma: ArrayLike, rate: ArrayLike, dim: int, margin: ArrayLike = 0.0
) -> Any:
    r"""The l2 radius certified by Gaussian smoothing with an r-semi-elastic scale.

    The largest R at which the top class keeps the majority for both extreme scales,
    :math:`\sigma e^{-rR}` and :math:`\sigma e^{+rR}`; for r = 0 it is :math:`\sigma \Phi^{-1}(p)`. It is tight
    for scales of which only the semi-elasticity is known, and approximately
    :math:`\sigma \Phi^{-1}(p) / \sqrt{1 + 2 d r^2 \sigma^2}`.

    Args:
        p_lower: lower bound of the probability of the top class at x, in [0, 1); any shape.
        sigma: the scale sigma(x) at the same x; broadcasts against ``p_lower``.
        rate: r, a Lipschitz constant of log sigma in l2, at least 0; broadcasts too.
        dim: the number of coordinates of one input.
        margin: how much farther log sigma may move than :math:`r a`, as by rounding (``scale.rounding``); at least 0.

    Returns:
        float64 of the broadcast shape, rounded down; 0 for ``p_lower <= 1/2``.

    Raises:
        ValueError: for a probability outside [0, 1), a ``sigma`` that is not positive or a negative ``rate``.
        TypeError: for traced values; ``semi_elastic_radius_float32`` is for compiled programs.

    References:
        Sukenik, Kuvshinov and Guennemann, "Intriguing properties of input-dependent randomized smoothing",
        2022. The evaluation and the proof above are ours.

    Example:
        >>> import jaxsmooth as js
        >>> [
        ...     round(float(js.radii.semi_elastic_radius(0.99, sigma=0.5, rate=r, dim=3072)), 4)
        ...     for r in (0, 0.01)
        ... ]
        [1.1632, 1.0825]
    """
    p_lower = _check.probabilities("p_lower", p_lower)
    if (p_lower == 1).any():
        raise ValueError(
            "p_lower = 1 certifies an infinite radius; use a confidence bound, which is below 1 "
            "(bounds.clopper_pearson_lower)"
        )
    sigma, rate, dim = checked_scale(sigma, rate, dim)
    margin = _check.nonnegative("margin", margin)
    return (radius_of_tail(1 - p_lower, sigma, rate, dim, margin) * _INWARD_COHEN)[()]


def semi_elastic_required_probability(
    radius: ArrayLike, *, sigma: ArrayLike, rate: ArrayLike, dim: int, margin: ArrayLike = 0.0
) -> Any:
    r"""The smallest probability of the top class that certifies a radius: the inverse of ``semi_elastic_radius``.

    One minus the smaller of the masses that the worst regions of the two extreme scales have at x when they
    have mass 1/2 at distance R; no quantile in a tail is inverted.

    Args:
        radius: l2 radii, finite and at least 0; any shape.
        sigma: the scale sigma(x), as in ``semi_elastic_radius``.
        rate: r, as in ``semi_elastic_radius``.
        dim: the number of coordinates of one input.
        margin: as in ``semi_elastic_radius``.

    Returns:
        float64 of the broadcast shape, rounded up; 1/2 at radius 0, inf where no probability suffices.

    Raises:
        ValueError: for a negative or infinite radius, and as ``semi_elastic_radius``.
        TypeError: as ``semi_elastic_radius``.

    References:
        As ``semi_elastic_radius``.

    Example:
        >>> import jaxsmooth as js
        >>> p = js.radii.semi_elastic_required_probability(1.0, sigma=0.5, rate=0.01, dim=3072)
        >>> (
        ...     round(float(p), 4),
        ...     bool(js.radii.semi_elastic_radius(p, sigma=0.5, rate=0.01, dim=3072) >= 1.0),
        ... )
        (0.9842, True)
    """
    radius = _check.nonnegative("radius", radius)
    sigma, rate, dim = checked_scale(sigma, rate, dim)
    tail = tail_of_radius(radius, sigma, rate, dim, _check.nonnegative("margin", margin))
    required = np.nextafter(1 - tail * (1 - 2.0**-50), 1)
    return np.where(tail <= 0, np.inf, np.where(radius == 0, 0.5, np.minimum(required, 1.0)))[()]


def normalised_rate(sigma: ArrayLike, *, rate: ArrayLike, dim: int) -> Any:
    r"""What the moving scale costs, :math:`\kappa = r \sigma \sqrt{2d}`.

    The radius shrinks by a factor of about :math:`\sqrt{1 + \kappa^2}`. It is the only dimensionless cost: the same
    loss in another dimension needs the same kappa.

    Args:
        sigma: the scale sigma(x), any shape.
        rate: r, the semi-elasticity.
        dim: the number of coordinates of one input.

    Returns:
        float64 of the broadcast shape.

    Raises:
        ValueError: as ``semi_elastic_radius``.

    References:
        Ours: the Fisher-Rao metric of isotropic Gaussians is :math:`(dx^2 + 2d\,d\sigma^2) / \sigma^2`.

    Example:
        >>> import jaxsmooth as js
        >>> round(float(js.radii.normalised_rate(0.5, rate=0.01, dim=3072)), 4)
        0.3919
    """
    sigma, rate, dim = checked_scale(sigma, rate, dim)
    return (rate * sigma * np.sqrt(2 * dim))[()]


def checked_scale(sigma: ArrayLike, rate: ArrayLike, dim: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """``sigma`` positive, ``rate`` at least 0, both finite float64, and ``dim`` an int."""
    return _check.positives("sigma", sigma), _check.nonnegative("rate", rate), _check.integer("dim", dim, at_least=1)


def radius_of_tail(
    tail: np.ndarray, sigma: np.ndarray, rate: np.ndarray, dim: int, margin: ArrayLike = 0.0
) -> np.ndarray:
    """The radius for ``tail = 1 - p_lower``: the smaller of the radii of the two extreme scales.

    The larger scale is solved first. Where its radius passes the test of the smaller scale, that one's radius
    is no smaller, since what it does not certify is an up-set; elsewhere it is solved too.
    """
    tail, sigma, rate, margin = np.broadcast_arrays(tail, sigma, rate, np.asarray(margin, np.float64))
    z = normal_radius(np.minimum(tail, 0.5))
    radius = np.asarray(sigma * z)
    moves = (tail < 0.5) & ((rate > 0) | (margin > 0))
    if moves.any():
        z, rho, m = z[moves], (rate * sigma)[moves], margin[moves]
        scaled = scaled_radius(z, rho, dim, +1, m)
        fails = largest_tail(scaled, rho, dim, -1, m) <= tail[moves]
        if fails.any():
            scaled[fails] = np.minimum(scaled[fails], scaled_radius(z[fails], rho[fails], dim, -1, m[fails]))
        radius[moves] = np.minimum(sigma[moves] * scaled * _INWARD, radius[moves])
    return radius


def tail_of_radius(
    radius: np.ndarray, sigma: np.ndarray, rate: np.ndarray, dim: int, margin: ArrayLike = 0.0
) -> np.ndarray:
    """The largest ``1 - p_lower`` that certifies the radius; 0 if there is none."""
    # ``radius_of_tail`` moves what it finds inward.
    radius = np.asarray(radius, np.float64) * (1 + 4 * (1 - _INWARD))
    radius, sigma, rate, margin = np.broadcast_arrays(radius, sigma, rate, np.asarray(margin, np.float64))
    tail = np.asarray(special.ndtr(-radius / sigma))
    moves = (radius > 0) & ((rate > 0) | (margin > 0))
    if moves.any():
        a, rho = (radius / sigma)[moves], (rate * sigma)[moves]
        both = [largest_tail(a, rho, dim, side, margin[moves]) for side in (+1, -1)]
        tail[moves] = np.minimum(np.minimum(*both), tail[moves])
    return tail


def scaled_radius(z: np.ndarray, rho: np.ndarray, dim: int, side: int, margin: ArrayLike = 0.0) -> np.ndarray:
    """The radius over sigma, for the larger (side +1) or the smaller (-1) extreme scale, approached from below.

    ``z`` is the normal quantile of p_lower, at least 0, and ``rho`` the rate times sigma. In normal quantiles the
    required probability is nearly a line through 0, so that few evaluations find where it meets z.
    """

    margin = np.broadcast_to(np.asarray(margin, np.float64), z.shape)

    def excess(a: np.ndarray, index: np.ndarray) -> np.ndarray:
        return -special.ndtri(largest_tail(a, rho[index], dim, side, margin[index])) - z[index]

    return bracket_root(excess, np.zeros_like(z), z)[0]


def largest_tail(a: np.ndarray, rho: np.ndarray, dim: int, side: int, margin: ArrayLike = 0.0) -> np.ndarray:
    r"""The largest mass of the other classes at x that stays below 1/2 at distance ``a`` sigma, one extreme scale.

    The worst region has mass 1/2 at the other point, which fixes its threshold there, the median of the
    quadratic law; the affine map between the two noises gives its threshold at x.
    """
    a, rho, margin = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (a, rho, margin)))
    tail = np.where(a > 0, 0.0, 0.5)
    u = side * (rho * a + margin)
    fits = (a > 0) & (np.abs(u) <= _LARGEST_EXPONENT) & (margin * np.sqrt(2 * dim) <= _LARGEST_CURVATURE * a)
    if not fits.any():
        return tail
    a, u = a[fits], u[fits]
    e0 = -np.expm1(2 * u) / (2 * a)
    e0 = np.where(np.abs(e0) < 1e-200, -side * 1e-200, e0)
    e1 = e0 * np.exp(-u)
    tau = np.exp(3 * u) * quadratic_law.median(e1, dim) + a * (1 + np.exp(2 * u)) / 2 + 2 * dim * a * e0**2
    tail[fits] = quadratic_law.survival(tau, e0, dim)
    return tail
