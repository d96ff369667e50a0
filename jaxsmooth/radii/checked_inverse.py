"""Inverses of special functions, none of which is believed: each is checked by one forward evaluation.

That evaluation is SciPy's, and how far it may be off is taken on trust: ``_FORWARD``. The radius rules of
``LatticeGaussian``, whose promise is that nothing is, use ``normal_tail``, whose error is proved.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

# What forward evaluations are taken to be wrong by, relative: eight units in the last place, as SciPy's are at most.
_FORWARD = 2.0**-49


def inward(value: np.ndarray, certifies: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The value where it certifies, else the largest of a few smaller ones that does, else 0."""
    value = np.asarray(value, np.float64)
    for halving in range(40):
        good = certifies(value)
        if good.all():
            return value
        value = np.where(good, value, value * (1 - 2.0 ** (halving - 50)))
    return np.where(certifies(value), value, 0.0)


def normal_radius(tail: np.ndarray) -> np.ndarray:
    """The largest z, up to rounding down, with Phi(-z) >= tail; tail in [0, 1/2]."""

    def certifies(z: np.ndarray) -> np.ndarray:
        # near 1/2 what is left of it is known to more digits
        near = special.erf(z / np.sqrt(2)) / 2 * (1 + _FORWARD) <= 0.5 - tail
        # an exponent of z^2 / 2 is rounded
        far = special.ndtr(-z) * (1 - _FORWARD * (1 + np.minimum(z, 40.0) ** 2)) >= tail
        return np.where(tail > 0.25, near, far)

    return inward(-special.ndtri(tail), certifies)


def beta_quantile_below(a: float, b: float, probability: np.ndarray) -> np.ndarray:
    """A number at which the Beta(a, b) distribution function is at most this, the largest up to rounding."""
    certifies = lambda z: special.betainc(a, b, z) * (1 + 8 * _FORWARD) <= probability
    return inward(special.betaincinv(a, b, probability), certifies)


def normal_quantile_below(p: np.ndarray) -> np.ndarray:
    """The largest z, up to rounding down, with Phi(z) <= p; p in [0, 1]."""
    p = np.asarray(p, np.float64)
    tail = 1 - p
    tail = np.where(1 - tail > p, np.nextafter(tail, 1), tail)
    return np.where(p >= 0.5, normal_radius(np.minimum(tail, 0.5)), _negative_quantile(np.minimum(p, 0.5)))


def normal_quantile_above(p: np.ndarray) -> np.ndarray:
    """The smallest z, up to rounding up, with Phi(z) >= p; p in [0, 1]."""
    p = np.asarray(p, np.float64)
    tail = 1 - p  # exact from 1/2 on
    far = -_negative_quantile(np.where(p > 0.5, tail, 0.5))
    return np.where(p > 0.5, far, -normal_radius(np.minimum(p, 0.5)))


def _negative_quantile(p: np.ndarray) -> np.ndarray:
    """z <= 0 with Phi(z) <= p, the largest up to rounding; p in [0, 1/2]."""
    z = np.minimum(special.ndtri(p), 0.0)
    step = 2.0**-52 * (1 + np.abs(z))
    good = np.zeros(np.shape(z), bool)
    for _ in range(40):
        far = special.ndtr(z) * (1 + _FORWARD * (1 + np.minimum(np.abs(z), 40.0) ** 2)) <= p
        near = special.erf(-z / np.sqrt(2)) / 2 * (1 - _FORWARD) >= 0.5 - p
        good = np.where(p > 0.25, near, far) | np.isinf(z)
        if good.all():
            return z
        z, step = np.where(good, z, z - step), 2 * step
    return np.where(good, z, -np.inf)
