r"""A cone-shaped class region under Gaussian smoothing, in closed form.

The region is the right circular solid cone of half-angle theta, in d dimensions; a point on its axis at depth s lies s
below the apex, inside for s > 0. Smoothing with sigma moves the apex of the region by s* sigma down the axis, where s*
is the ``cone_rate``; a negative rate means that the region grows. Every region inside a cone loses at least what the
cone loses (Mohapatra et al. 2021, Lemma 2), so narrow cones are the worst case of half-bounded regions.
"""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike
from jaxsmooth.diagnostics import arguments
from jaxsmooth.radii.bracket import bracket_root


def cone_prob(depth: ArrayLike, theta: ArrayLike, sigma: ArrayLike, d: ArrayLike) -> Any:
    r"""The class probability at a point on the axis of the cone.

    .. math:: P(s) = P(C \cot\theta \le s/\sigma + Z) = 1 - F_{nct}(\sqrt{d-1} \cot\theta;\ d - 1,\ s/\sigma)

    with :math:`C \sim \chi_{d-1}` the distance from the axis and Z standard normal: the noncentral t law.

    Args:
        depth: s, the distance below the apex; negative above it. Any shape, broadcast against the rest.
        theta: half-angle in radians, in (0, pi / 2).
        sigma: standard deviation of the noise, positive, in the units of ``depth``.
        d: dimension, at least 2.

    Returns:
        float64 of the broadcast shape.

    Raises:
        ValueError: for a value out of range; an angle of pi / 2 or more hints at degrees.

    References:
        Mohapatra et al. 2021 give a one-dimensional integral (section on cones); the closed form is ours.

    Example:
        >>> import numpy as np
        >>> round(float(cone_prob(0.0, np.radians(45), 1.0, 2)), 6)
        0.25
    """
    sigma = _check.positives("sigma", sigma)
    scaled = arguments.finite("depth", depth) / sigma
    scaled, theta, d = np.broadcast_arrays(
        scaled, arguments.half_angles(theta), arguments.dimensions("d", d, at_least=2)
    )
    return _probability(scaled, theta, d)[()]


def cone_rate(theta: ArrayLike, d: ArrayLike, *, threshold: ArrayLike) -> Any:
    """The shrinkage rate s*: smoothing moves the apex of the cone by s* sigma into it.

    The root of ``cone_prob`` = threshold in units of sigma; the same for every sigma. Negative if the region grows,
    which takes a threshold below 1/2 and an angle above ``cone_critical_angle``.

    Args:
        theta: half-angle in radians, in (0, pi / 2); broadcast against the rest.
        d: dimension, at least 2.
        threshold: the probability that keeps a point in the region, in (0, 1): 1/2, or 1/c for c classes.

    Returns:
        float64 of the broadcast shape, a pure number, right to 1e-9 relative (absolute near 0).

    Raises:
        ValueError: for a value out of range.

    References:
        Mohapatra et al. 2021, Theorem 6: the shrinkage is proportional to sigma. The equation is ours.

    Example:
        >>> import numpy as np
        >>> cone_rate(np.radians([30, 45, 80]), 25, threshold=0.5).round(6).tolist()
        [8.379331, 4.842465, 0.854827]
    """
    theta, d, threshold = np.broadcast_arrays(
        arguments.half_angles(theta), arguments.dimensions("d", d, at_least=2), arguments.thresholds(threshold)
    )
    angle, dim, level = (np.atleast_1d(v).ravel() for v in (theta, d, threshold))
    cot = 1 / np.tan(angle)
    # C cot - Z is about normal: its quantile is the root, and a few of its deviations hold it.
    deviation = np.sqrt(1 + cot**2 / 2)
    guess = np.sqrt(dim - 1.5) * cot + special.ndtri(level) * deviation
    excess = lambda s, index: _probability(s, angle[index], dim[index]) - level[index]
    low, high = guess - deviation, guess + deviation
    everything = np.arange(len(guess))
    for _ in range(60):
        below, above = excess(low, everything) < 0, excess(high, everything) >= 0
        if below.all() and above.all():
            break
        low, high = np.where(below, low, low - 2 * (guess - low)), np.where(above, high, high + 2 * (high - guess))
    return np.mean(bracket_root(excess, low, high), axis=0).reshape(theta.shape)[()]


def cone_rate_bound(theta: ArrayLike, d: ArrayLike, *, threshold: ArrayLike) -> Any:
    r"""The published lower bound of ``cone_rate``; nan where its condition on the angle fails.

    .. math:: s^* \ge \sqrt{\frac{d-1}{c \tan^2\theta}}\;
        \frac{(d-1) - 2 c \tan^2\theta \log(c - 1)}{2(d-1)}, \quad c = 1 / \mathrm{threshold}

    Args:
        theta: as in ``cone_rate``.
        d: as in ``cone_rate``.
        threshold: as in ``cone_rate``, at most 1/2.

    Returns:
        float64 of the broadcast shape.

    Raises:
        ValueError: for a value out of range.

    References:
        Mohapatra et al. 2021, Theorem 7. For c = 2 it is 0.35 to 0.52 of the exact rate (ours).

    Example:
        >>> import numpy as np
        >>> round(float(cone_rate_bound(np.radians(45), 25, threshold=0.5)), 4)
        1.7321
    """
    theta, d, threshold = np.broadcast_arrays(
        arguments.half_angles(theta), arguments.dimensions("d", d, at_least=2), arguments.thresholds(threshold)
    )
    if (threshold > 0.5).any():
        raise ValueError(f"threshold must be at most 1/2 for this bound, stated for 1/c; got {threshold.max():g}")
    c, square = 1 / threshold, np.tan(theta) ** 2
    bound = np.sqrt((d - 1) / (c * square)) * (1 - 2 * square * c * np.log(c - 1) / (d - 1)) / 2
    return np.where(bound > 0, bound, np.nan)[()]


def cone_critical_angle(d: ArrayLike, threshold: ArrayLike) -> Any:
    r"""The half-angle below which the cone shrinks, in radians; pi / 2, any cone, for thresholds of at least 1/2.

    The probability at the apex is :math:`\frac12 I_{\sin^2\theta}(\frac{d-1}2, \frac12)`, whatever sigma; the cone
    shrinks exactly if it is below the threshold.

    Args:
        d: dimension, at least 2.
        threshold: as in ``cone_rate``.

    Returns:
        float64 of the broadcast shape, in radians.

    Raises:
        ValueError: for a value out of range.

    References:
        Ours: the apex probability is that of a cone's solid angle. Mohapatra et al. 2021, Theorem 5, have a
        sufficient angle, :math:`\tan\theta < \sqrt{(d-1) / (2 c \log(c-1))}`.

    Example:
        >>> import numpy as np
        >>> round(float(np.degrees(cone_critical_angle(784, threshold=0.1))), 4)
        87.3755
    """
    d, threshold = np.broadcast_arrays(arguments.dimensions("d", d, at_least=2), arguments.thresholds(threshold))
    double = np.minimum(2 * threshold, 1.0)
    # The complement of sin^2 is what is small for wide cones.
    cosine = np.sqrt(special.betaincinv(0.5, (d - 1) / 2, 1 - double))
    return np.where(double >= 1, np.pi / 2, np.arccos(cosine))[()]


def _probability(scaled: np.ndarray, theta: np.ndarray, d: np.ndarray) -> np.ndarray:
    # SciPy takes half a second to import it, which `import jaxsmooth` need not pay for.
    from scipy import stats

    return stats.nct.sf(np.sqrt(d - 1) / np.tan(theta), d - 1, scaled)
