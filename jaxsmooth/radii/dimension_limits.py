r"""How far the scale of input-dependent smoothing may move: the curse of dimension, as numbers.

Whatever the distance, a point whose noise has t times the scale cannot be certified unless t lies in an interval
around 1 that shrinks like :math:`\Phi^{-1}(p) / \sqrt{2d}`.
"""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.radii.bracket import bracket_root
from jaxsmooth.radii.semi_elastic import largest_tail


def admissible_ratios(p_lower: ArrayLike, *, dim: int, distance: ArrayLike = 0.0) -> tuple[Any, Any]:
    r"""The smallest and the largest ratio of scales at which a point can still be certified.

    At distance 0, where the interval is widest, :math:`t_{min}^2 = Q_d(1 - p) / m_d` and
    :math:`t_{max}^2 = Q_d(p) / m_d` with the quantiles :math:`Q_d` and the median :math:`m_d` of the chi-square law.

    Args:
        p_lower: probability of the top class, in [0, 1); any shape.
        dim: the number of coordinates of one input.
        distance: l2 distance over sigma, at least 0; broadcasts against ``p_lower``.

    Returns:
        ``(smallest, largest)`` float64 of the broadcast shape; both 1 where nothing can be certified.

    Raises:
        ValueError: for values out of range.

    References:
        Sukenik, Kuvshinov and Guennemann 2022 for the phenomenon; the exact form is ours: the worst mass grows
        with the distance, and at distance 0 the worst regions are balls about x.

    Example:
        >>> import jaxsmooth as js
        >>> [round(float(t), 4) for t in js.radii.admissible_ratios(0.99, dim=3072)]
        [0.9705, 1.0298]
    """
    p_lower, dim = _checked(p_lower, dim)
    p_lower, distance = np.broadcast_arrays(p_lower, _check.nonnegative("distance", distance))
    tail = np.minimum(1 - p_lower, 0.5)
    half, z = special.gammaincinv(dim / 2, 0.5), -special.ndtri(tail)
    smallest = np.asarray(np.sqrt(special.gammaincinv(dim / 2, tail) / half))
    largest = np.asarray(np.sqrt(special.gammainccinv(dim / 2, tail) / half))
    moved = distance > 0
    if moved.any():
        ends = (_ratio_at(z[moved], distance[moved], dim, side) for side in (-1, +1))
        smallest[moved], largest[moved] = ends
    return smallest[()], largest[()]


def chernoff_ratios(p_lower: ArrayLike, *, dim: int) -> tuple[Any, Any]:
    r"""Bounds of ``admissible_ratios`` without special functions: beyond them nothing can be certified.

    The roots on both sides of 1 of :math:`\log t^2 + 1 - t^2 = 2 \log(1 - p) / d`, for the larger one with
    :math:`t^2 (d - 1) / d` in place of :math:`t^2`.

    Args:
        p_lower: probability of the top class, in [0, 1); any shape.
        dim: the number of coordinates of one input.

    Returns:
        ``(smallest, largest)`` float64; the largest is inf in one dimension.

    Raises:
        ValueError: for values out of range.

    References:
        Sukenik, Kuvshinov and Guennemann 2022. Proof: a ball of radius :math:`t \sigma \sqrt d` about x (for
        the larger ratio :math:`t \sigma \sqrt{d - 1}`) splits the other noise at its median or worse, and
        Chernoff's bound of the chi-square law gives its mass at x.

    Example:
        >>> import jaxsmooth as js
        >>> [round(float(t), 4) for t in js.radii.chernoff_ratios(0.99, dim=3072)]
        [0.9615, 1.0391]
    """
    p_lower, dim = _checked(p_lower, dim)
    distance = -2 * np.log1p(-p_lower) / dim  # y - log y - 1 of both roots y
    # Where they meet, by the series of the inverse.
    u = np.sqrt(2 * distance)
    near = [1 + side * u + u**2 / 3 + side * u**3 / 36 - u**4 / 270 for side in (-1, 1)]
    with np.errstate(invalid="ignore"):
        far = [-special.lambertw(-np.exp(-distance - 1), branch).real for branch in (0, -1)]
    lower, upper = (np.where(distance < 1e-6, a, b) for a, b in zip(near, far, strict=True))
    with np.errstate(divide="ignore"):
        return np.sqrt(lower)[()], np.sqrt(upper * np.divide(dim, dim - 1))[()]


def simple_ratio(p_lower: ArrayLike, *, dim: int) -> Any:
    r"""A closed form below the smallest of ``chernoff_ratios``: :math:`\sqrt{1 - 2\sqrt{-\log(1 - p) / d}}`.

    Args:
        p_lower: probability of the top class, in [0, 1); any shape.
        dim: the number of coordinates of one input.

    Returns:
        float64; 0 where the expression under the root is negative.

    Raises:
        ValueError: for values out of range.

    References:
        Sukenik, Kuvshinov and Guennemann 2022: :math:`\log z + 1 - z \le -(1 - z)^2 / 2` for z below 1.

    Example:
        >>> import jaxsmooth as js
        >>> round(float(js.radii.simple_ratio(0.99, dim=3072)), 4)
        0.9605
    """
    p_lower, dim = _checked(p_lower, dim)
    return np.sqrt(np.maximum(1 - 2 * np.sqrt(-np.log1p(-p_lower) / dim), 0.0))[()]


def rate_radius_ceiling(p_lower: ArrayLike, *, dim: int) -> Any:
    r"""The largest product of semi-elasticity and radius, whatever the scale: about :math:`\Phi^{-1}(p) / \sqrt{2d}`.

    Within radius R the scale may move by :math:`e^{\pm rR}`, which must be admissible on both sides.

    Args:
        p_lower: probability of the top class, in [0, 1); any shape.
        dim: the number of coordinates of one input.

    Returns:
        float64; 0 where nothing can be certified.

    Raises:
        ValueError: for values out of range.

    References:
        Ours: ``admissible_ratios`` at distance 0.

    Example:
        >>> import jaxsmooth as js
        >>> round(float(js.radii.rate_radius_ceiling(0.99, dim=3072)), 4)
        0.0294
    """
    smallest, largest = admissible_ratios(p_lower, dim=dim)
    return np.minimum(-np.log(smallest), np.log(largest))[()]


def _checked(p_lower: ArrayLike, dim: Any) -> tuple[np.ndarray, int]:
    p_lower = _check.probabilities("p_lower", p_lower)
    if (p_lower == 1).any():
        raise ValueError("p_lower must be below 1: a certain classifier allows any ratio of scales; got 1.0")
    return p_lower, _check.integer("dim", dim, at_least=1)


def _ratio_at(z: np.ndarray, a: np.ndarray, dim: int, side: int) -> np.ndarray:
    """The ratio at which the worst mass at distance ``a`` reaches 1/2; 1 if it does so at equal scales."""

    def excess(u: np.ndarray, index: np.ndarray) -> np.ndarray:
        return -special.ndtri(largest_tail(a[index], u / a[index], dim, side)) - z[index]

    reachable = a < z
    u = np.zeros_like(a)
    if reachable.any():
        z, a = z[reachable], a[reachable]
        u[reachable] = bracket_root(excess, np.zeros_like(a), np.full_like(a, 19.0))[0]
    return np.exp(side * u)
