r"""A ball-shaped class region under Gaussian smoothing, in closed form.

The region is :math:`\{x: \|x\|_2 \le R\}` in d dimensions. Smoothing with :math:`\sigma` keeps the points at which
the class has probability at least the ``threshold``: 1/2 for what a certificate can speak of, 1/c for the most
generous case of c classes. Every bounded region shrinks at least as fast as its enclosing ball (Mohapatra et al.
2021, Lemma 2, as A within B implies A_sigma within B_sigma), so balls are the worst case of bounded regions.
"""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.theory.bessel_ratio import bessel_ratio
from jaxsmooth.diagnostics.theory.noncentral import ball_log_outside, ball_probability
from jaxsmooth.noises import Gaussian
from jaxsmooth.radii.bracket import bracket_root
from jaxsmooth.radii.limits import sampling_cap


def ball_prob(rho: ArrayLike, R: ArrayLike, sigma: ArrayLike, d: ArrayLike) -> Any:
    r"""The class probability at a distance from the centre of the ball.

    .. math:: P(\|\rho e_1 + \sigma Z\|_2 \le R) = F_{\chi'^2_d(\rho^2 / \sigma^2)}(R^2 / \sigma^2)

    Args:
        rho: distance from the centre, at least 0; any shape, broadcast against the rest.
        R: radius of the ball, positive, in the units of x.
        sigma: standard deviation of the noise, positive, in the units of x.
        d: dimension, at least 1.

    Returns:
        float64 of the broadcast shape.

    Raises:
        ValueError: for a value out of range.

    References:
        Mohapatra et al., "Hidden cost of randomized smoothing", 2021, gives the value at the centre; elsewhere
        it is the definition of the noncentral chi-squared law (ours).

    Example:
        >>> round(float(ball_prob(0.0, 1.0, 0.5, 3)), 6)
        0.738536
    """
    rho, R, sigma, d = _broadcast(_check.nonnegative("rho", rho), R, sigma, d)
    return ball_probability(rho / sigma, R / sigma, d)[()]


def ball_smoothed_radius(R: ArrayLike, sigma: ArrayLike, d: ArrayLike, *, threshold: ArrayLike = 0.5) -> Any:
    r"""The radius of the smoothed ball: 0 where it has vanished, above R where it has grown.

    The :math:`R_\sigma` at which ``ball_prob`` equals the threshold; by monotonicity in the distance the smoothed
    region is a ball. For threshold 1/2 it is at most :math:`\sqrt{R^2 - (d-1)\sigma^2}`.

    Args:
        R: radius of the ball, positive, in the units of x; broadcast against the rest.
        sigma: standard deviation of the noise, positive, in the units of x.
        d: dimension, at least 1.
        threshold: the probability that keeps a point in the region, in (0, 1): 1/2, or 1/c for c classes.

    Returns:
        float64 of the broadcast shape, right to 1e-9 relative.

    Raises:
        ValueError: for a value out of range.

    References:
        Mohapatra et al. 2021, Lemma 4 (the centre is the most probable point) and Figure 2 (numerical); the equation
        is ours. A ball lies in the half-space that touches it, which bounds the root from above.

    Example:
        >>> ball_smoothed_radius(1.0, [0.1, 0.5, 0.7], 3, threshold=0.5).round(6).tolist()
        [0.989932, 0.680893, 0.0]
    """
    threshold, R, sigma, d = _broadcast(arguments.thresholds(threshold), R, sigma, d)
    size = R / sigma
    most = size - special.ndtri(threshold)
    alive = ball_probability(np.zeros_like(size), size, d) >= threshold
    result = np.zeros(size.shape)
    if alive.any():
        size, d, level = size[alive], d[alive], threshold[alive]
        excess = lambda rho, index: level[index] - ball_probability(rho, size[index], d[index])
        # Two ulps above the bound, so that the bracket holds the root in one dimension, where the bound is attained.
        high = most[alive] * (1 + 2.0**-50)
        result[alive] = np.mean(bracket_root(excess, np.zeros_like(size), high), axis=0)
    return (result * sigma)[()]


def ball_vanishing_sigma(R: ArrayLike, d: ArrayLike, *, threshold: ArrayLike) -> Any:
    r"""The sigma beyond which nothing is left of the ball.

    .. math:: \sigma_{van} = R / \sqrt{F_{\chi^2_d}^{-1}(\mathrm{threshold})}

    Args:
        R: radius of the ball, positive, in the units of x; broadcast against the rest.
        d: dimension, at least 1.
        threshold: as in ``ball_smoothed_radius``.

    Returns:
        float64 of the broadcast shape, in the units of x.

    Raises:
        ValueError: for a value out of range.

    References:
        Exact: ours, since the centre is the last point to go. Mohapatra et al. 2021, Theorem 4, bound it by
        ``ball_vanishing_bound``.

    Example:
        >>> round(float(ball_vanishing_sigma(1.0, 3072, threshold=0.5)), 6)
        0.018044
    """
    R, d, threshold = np.broadcast_arrays(
        _check.positives("R", R), arguments.dimensions("d", d), arguments.thresholds(threshold)
    )
    return (R / np.sqrt(2 * special.gammaincinv(d / 2, threshold)))[()]


def ball_vanishing_bound(R: ArrayLike, d: ArrayLike, *, threshold: ArrayLike) -> Any:
    r"""The published upper bound of ``ball_vanishing_sigma``, :math:`R \sqrt{c / d}` with c = 1 / threshold.

    Args:
        R: as in ``ball_vanishing_sigma``.
        d: dimension, at least 2: at d = 1 the bound is false (ours; it is 1.414 and the exact value 1.483 for c = 2).
        threshold: as in ``ball_vanishing_sigma``.

    Returns:
        float64 of the broadcast shape.

    Raises:
        ValueError: for a value out of range.

    References:
        Mohapatra et al. 2021, Theorem 4.

    Example:
        >>> round(float(ball_vanishing_bound(1.0, 3072, threshold=0.5)), 6)
        0.025516
    """
    R, d, threshold = (
        _check.positives("R", R),
        arguments.dimensions("d", d, at_least=2),
        arguments.thresholds(threshold),
    )
    return (R / np.sqrt(threshold * d))[()]


def ball_shrink_onset(R: ArrayLike, d: ArrayLike, *, threshold: ArrayLike) -> Any:
    r"""The sigma beyond which the smoothed ball is smaller than the ball; below it, it is larger.

    0 for thresholds of at least 1/2, where every sigma shrinks it. Below 1/2 a small sigma makes the region grow.

    Args:
        R: radius of the ball, positive, in the units of x; broadcast against the rest.
        d: dimension, at least 1.
        threshold: as in ``ball_smoothed_radius``.

    Returns:
        float64 of the broadcast shape, in the units of x.

    Raises:
        ValueError: for a value out of range.

    References:
        Ours: the root of ``ball_prob`` at the boundary, which falls from 1/2 as sigma grows. (Theorem 3 of Mohapatra
        et al. 2021 gives a sufficient sigma, at which nothing of the ball was left wherever we looked.)

    Example:
        >>> ball_shrink_onset(1.0, 10, threshold=[0.5, 1 / 3, 0.01]).round(6).tolist()
        [0.0, 0.095578, 0.525997]
    """
    R, d, threshold = np.broadcast_arrays(
        _check.positives("R", R), arguments.dimensions("d", d), arguments.thresholds(threshold)
    )
    result = np.zeros(R.shape)
    grows = threshold < 0.5
    if grows.any():
        dim, level = d[grows], threshold[grows]
        boundary = lambda sigma, index: level[index] - ball_probability(1 / sigma, 1 / sigma, dim[index])
        # P at the boundary is at least 1/2 - (d - 1) sigma phi(0) / 2 - Phi(-2 / sigma); start well below its root.
        low = 0.1 * (0.5 - level) / dim
        result[grows] = np.mean(bracket_root(boundary, low, ball_vanishing_sigma(1.0, dim, threshold=level)), axis=0)
    return (result * R)[()]


def ball_shrinkage_rate(R: ArrayLike, sigma: ArrayLike, d: ArrayLike, *, threshold: ArrayLike) -> Any:
    r"""How fast the smoothed ball shrinks, :math:`-dR_\sigma / d\sigma`; nan where it has vanished.

    .. math:: -\frac{dR_\sigma}{d\sigma} = \frac1\sigma \left(R \frac{I_{d/2-1}(z)}{I_{d/2}(z)} - R_\sigma\right),
        \quad z = R R_\sigma / \sigma^2

    It grows without bound as sigma nears ``ball_vanishing_sigma``.

    Args:
        R: as in ``ball_smoothed_radius``.
        sigma: as in ``ball_smoothed_radius``.
        d: as in ``ball_smoothed_radius``.
        threshold: as in ``ball_smoothed_radius``.

    Returns:
        float64 of the broadcast shape, a pure number.

    Raises:
        ValueError: for a value out of range.

    References:
        The rate of Mohapatra et al. 2021; the closed form is ours: differentiate F(x; d, l) = threshold with
        x = R^2 / sigma^2, l = R_sigma^2 / sigma^2, dF/dx = f_d and dF/dl = -f_{d+2}, and take the ratio of the
        noncentral chi-squared densities, :math:`f_d / f_{d+2} = \sqrt{l / x}\, I_{d/2-1}(z) / I_{d/2}(z)`.

    Example:
        >>> round(float(ball_shrinkage_rate(1.0, 0.5, 3, threshold=0.5)), 6)
        1.755959
    """
    threshold, R, sigma, d = _broadcast(arguments.thresholds(threshold), R, sigma, d)
    left = np.asarray(ball_smoothed_radius(R, sigma, d, threshold=threshold))
    rate = np.full(left.shape, np.nan)
    alive = left > 0
    if alive.any():
        R, sigma, d, left = R[alive], sigma[alive], d[alive], left[alive]
        rate[alive] = (R / bessel_ratio(d / 2 - 1, R * left / sigma**2) - left) / sigma
    return rate[()]


def ball_certified_radius(
    R: ArrayLike,
    sigma: ArrayLike,
    d: ArrayLike,
    rho: ArrayLike = 0.0,
    *,
    n: int | None = None,
    alpha: float | None = None,
) -> Any:
    r"""The l2 radius certified at a point of the ball, :math:`\sigma \Phi^{-1}(p)`, 0 where p is at most 1/2.

    With ``n`` and ``alpha`` it is what unanimous votes could certify at best, :math:`\sigma \min(\Phi^{-1}(p),
    \Phi^{-1}(\alpha^{1/n}))`: the line through the origin that makes curves of measured radii rise with sigma.
    Without, it falls with sigma and tends to the distance to the boundary.

    Args:
        R: radius of the ball, positive, in the units of x; broadcast against the rest.
        sigma: standard deviation of the noise, positive, in the units of x.
        d: dimension, at least 1.
        rho: distance of the point from the centre, at least 0.
        n: number of votes that estimate the probability; None for the exact probability.
        alpha: error probability per image, in (0, 1); given with ``n`` only.

    Returns:
        float64 of the broadcast shape, in the units of x.

    Raises:
        ValueError: for a value out of range, or for one of ``n`` and ``alpha`` without the other.

    References:
        Cohen et al. 2019, Theorem 1. That it falls with sigma, for every convex region, is ours: by Ehrhard's
        inequality :math:`t \mapsto \Phi^{-1}(\gamma(tA))` is concave, and at most linear, so its ratio to t = 1 /
        sigma cannot decrease in t.

    Example:
        >>> (
        ...     round(float(ball_certified_radius(1.0, 0.1, 3)), 4),
        ...     round(float(ball_certified_radius(1.0, 1e-3, 3)), 4),
        ... )
        (0.9459, 1.0)
        >>> round(float(ball_certified_radius(1.0, 0.1, 3, n=100_000, alpha=0.001)), 4)
        0.3811
    """
    if (n is None) != (alpha is None):
        raise ValueError(f"n and alpha belong together; got n = {n!r} and alpha = {alpha!r}")
    rho, R, sigma, d = _broadcast(_check.nonnegative("rho", rho), R, sigma, d)
    # -Phi^-1 of the probability of the outside, from its logarithm: it is below 1e-300 where sigma is small.
    quantile = -special.ndtri_exp(np.minimum(ball_log_outside(rho / sigma, R / sigma, d), 0.0))
    if n is not None:
        quantile = np.minimum(quantile, sampling_cap(Gaussian(1.0), n=n, alpha=alpha))  # pyright: ignore[reportArgumentType]
    return (sigma * np.maximum(quantile, 0.0))[()]


def _broadcast(*values: ArrayLike) -> tuple[np.ndarray, ...]:
    """Checked ``(..., R, sigma, d)`` of one shape; what stands before R was checked by the caller."""
    *first, R, sigma, d = values
    checked = [*first, _check.positives("R", R), _check.positives("sigma", sigma), arguments.dimensions("d", d)]
    return tuple(np.array(v) for v in np.broadcast_arrays(*checked))
