"""The ratio of two modified Bessel functions of neighbouring orders, without overflow or underflow."""

import numpy as np
from scipy import special

_SAFE = 1e-280
_STEPS = 4000


def bessel_ratio(order: np.ndarray, z: np.ndarray) -> np.ndarray:
    r""":math:`I_{\nu+1}(z) / I_\nu(z)` for order nu of at least -1/2 and z > 0.

    By SciPy's scaled functions where they do not underflow. Elsewhere the order is large against :math:`\sqrt z`, and
    the recurrence :math:`r_{k-1} = 1 / (2k/z + r_k)`, run downwards, forgets where it started: every step multiplies
    the relative error by less than :math:`r_k^2`.

    Args:
        order: float64.
        z: float64 of the same shape.

    Returns:
        float64 of this shape, between 0 and 1.
    """
    lower, upper = special.ive(order, z), special.ive(order + 1, z)
    safe = (lower > _SAFE) & (upper > _SAFE)
    ratio = np.where(safe, upper / np.where(safe, lower, 1.0), 0.0)
    if not safe.all():
        nu, at = order[~safe], z[~safe]
        k = nu + _STEPS
        r = at / (k + np.sqrt(k**2 + at**2))
        for i in range(_STEPS, 0, -1):
            r = 1 / (2 * (nu + i) / at + r)
        ratio[~safe] = r
    return ratio
