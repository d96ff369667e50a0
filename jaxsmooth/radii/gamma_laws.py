"""Gamma functions and densities without the cancellation of ``gammaln`` at the large shapes of high dimension."""

import math

import numpy as np
from scipy import special


def gamma_ratio(a: float, shift: float) -> float:
    """Gamma(a + shift) / Gamma(a), to 1e-14 relative at any size of a; inf where the integral behind it diverges."""
    b = a + shift
    if b <= 0:
        return math.inf
    if max(a, b) < 150:
        return float(special.gamma(b) / special.gamma(a))
    log_ratio = log_gamma_ratio(a, shift)
    if abs(log_ratio) > 700:
        raise ValueError(f"a moment of the noise, e^{log_ratio:.0f}, is beyond double precision; use a larger k or p")
    return math.exp(log_ratio)


def log_gamma_ratio(a: float, shift: float) -> float:
    """The log of Gamma(a + shift) / Gamma(a), for a and a + shift positive."""
    b = a + shift
    return (a - 0.5) * math.log1p(shift / a) + shift * math.log(b) - shift + _stirling(b) - _stirling(a)


def log_gamma_density(shape: float, y: np.ndarray) -> np.ndarray:
    """The log of the density of ln Y at y, for Y a Gamma(shape) number."""
    deviation = (y - shape) / shape
    constant = 0.5 * math.log(shape / (2 * math.pi)) - _stirling(shape)
    return shape * (_log(y / shape, deviation) - deviation) + constant


def log_beta_prime_density(a: float, b: float, z: np.ndarray) -> np.ndarray:
    """The log of the density of ln Z at z, for Z a Beta prime(a, b) number."""
    # x = z / (1 + z) is Beta(a, b), of mode near a / (a + b); both powers are taken relative to their value there
    deviation = (z * b - a) / (1 + z)
    constant = 0.5 * math.log(a * b / (2 * math.pi * (a + b))) + _stirling(a + b) - _stirling(a) - _stirling(b)
    up, down = z * (a + b) / (a * (1 + z)), (a + b) / (b * (1 + z))
    return a * _log(up, deviation / a) + b * _log(down, -deviation / b) + constant


def _log(ratio: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """ln(ratio), where ratio - 1 is known more precisely: each is right where the other cancels."""
    with np.errstate(divide="ignore"):
        return np.where(np.abs(deviation) < 0.5, np.log1p(np.maximum(deviation, -0.9)), np.log(ratio))


def _stirling(x: float) -> float:
    """ln Gamma(x) less its Stirling approximation (x - 1/2) ln x - x + ln(2 pi) / 2, for any positive x.

    ``bounds/stirling.py`` has it at integers, to the last digits; elsewhere there is no table to look small x up in,
    and what cancels in ``lgamma`` leaves an error of up to 3e-14.
    """
    if x < 30:
        return math.lgamma(x) - ((x - 0.5) * math.log(x) - x + 0.5 * math.log(2 * math.pi))
    square = x * x
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / x
