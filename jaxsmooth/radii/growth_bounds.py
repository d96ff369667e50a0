r"""Radii from moments of the score alone: bounds of its growth that integrate in closed form.

Where the law of the score along the worst direction is not known, its variance (the Fisher information) still
bounds :math:`\Phi` of the differential method; a sub-Gaussian score bounds it better at small probabilities.
All functions are at unit scale and move their results inward by more than their rounding errors.
"""

import numpy as np


def fisher_radius(information: float, tail: np.ndarray) -> np.ndarray:
    r"""A radius from the Fisher information along a direction: no law of the score is needed.

    By Cauchy and Schwarz on the half where the score is positive, :math:`\Phi(p) \le \sqrt{p I / 2}` for
    symmetric noise, so that :math:`R = \frac{2}{\sqrt I} (1 - \sqrt{2 (1 - p_A)})`.

    Args:
        information: :math:`I = \sup_v E[S_v^2]`, at unit scale; inf certifies nothing.
        tail: one minus the probability, in [0, 1/2].

    Returns:
        float64 of the shape of ``tail``.

    Example:
        >>> round(float(fisher_radius(1.0, np.array(0.02))), 9)
        1.6
    """
    # 1 - sqrt(x) as (1 - x) / (1 + sqrt(x)): no cancellation near x = 1
    return (1 - 1e-12) * 2 / np.sqrt(information) * (1 - 2 * tail) / (1 + np.sqrt(2 * tail))


def fisher_tail(information: float, radius: np.ndarray) -> np.ndarray:
    """The largest tail that certifies a radius by ``fisher_radius``; 0 if none does.

    Args:
        information: as in ``fisher_radius``.
        radius: at unit scale.

    Returns:
        float64 of the shape of ``radius``.

    Example:
        >>> round(float(fisher_tail(1.0, np.array(1.6))), 9)
        0.02
    """
    return np.maximum(1 - radius * (1 + 1e-11) * np.sqrt(information) / 2, 0.0) ** 2 / 2


# Where sqrt(p / 2) and p sqrt(2 ln(1/p)) cross: p ln(1/p) = 1/4, the smaller root (any other would be sound).
_CROSSING = 0.116101280145156
_SUB_GAUSSIAN_AT_CROSSING = (2 * (1 - np.sqrt(2 * _CROSSING)), np.sqrt(-2 * np.log(_CROSSING)))


def sub_gaussian_radius(information: float, tail: np.ndarray) -> np.ndarray:
    r"""A radius for a symmetric score of variance I with :math:`E e^{t S} \le e^{t^2 I / 2}` in every direction.

    By the Gibbs variational principle :math:`\Phi(p) \le p \sqrt{2 I \ln(1/p)}`, besides the bound of
    ``fisher_radius``; the smaller of the two is integrated in closed form.

    Args:
        information: I, at unit scale.
        tail: one minus the probability, in [0, 1/2].

    Returns:
        float64 of the shape of ``tail``; inf at tail 0.

    Example:
        >>> round(float(sub_gaussian_radius(2.0, np.array(0.01))), 4)
        1.4113
    """
    at_crossing, offset = _SUB_GAUSSIAN_AT_CROSSING
    with np.errstate(divide="ignore"):
        far = at_crossing + np.sqrt(-2 * np.log(tail)) - offset
    near = (1 - 2 * tail) * 2 / (1 + np.sqrt(2 * tail))
    return (1 - 1e-12) * np.where(tail < _CROSSING, far, near) / np.sqrt(information)


def sub_gaussian_tail(information: float, radius: np.ndarray) -> np.ndarray:
    """The largest tail that certifies a radius by ``sub_gaussian_radius``.

    Args:
        information: as in ``sub_gaussian_radius``.
        radius: at unit scale.

    Returns:
        float64 of the shape of ``radius``.

    Example:
        >>> round(float(sub_gaussian_tail(1.0, np.array(1.4113 * np.sqrt(2)))), 4)
        0.01
    """
    at_crossing, offset = _SUB_GAUSSIAN_AT_CROSSING
    radius = radius * (1 + 1e-11) * np.sqrt(information)
    far = np.exp(-(np.maximum(radius - at_crossing + offset, 0.0) ** 2) / 2)
    return np.where(radius > at_crossing, far, np.maximum(1 - radius / 2, 0.0) ** 2 / 2)
