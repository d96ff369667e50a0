r"""The normal tail in float64 with a proved error, and quantiles on the safe side of it.

Between anchors of exact arithmetic, z = z_j + u with \|u\| <= 1/64, the tail is :math:`F_j - f_j \sum_{n < 12} (-1)^n
He_n(z_j) u^{n+1} / (n+1)!`. Terms with all signs positive, :math:`A_n \le |u|^{n+1} (z + \sqrt n)^n / (n+1)!`, sum to
at most 1.1 \|u\| for z <= 10. Each recurrence rounds six times, so the sum is wrong by at most 14 \|u\| units of 2^-53;
with f_j / F_j <= 10.1 this is 2.2 units of F_j, its product and F_j itself add 2.5, and F is at least 0.84 F_j: 6
units. What is left out is below 2^-61 of F. Near the middle :math:`1/2 - F(z) = f(0) (z - z^3 / 6 + z^5 / 40 - ...)`
alternates, its terms decrease by 24 or more, and it is right to 6 units as well. Both are taken to be wrong by 32.

For the radius rules of ``LatticeGaussian``, whose promise is that nothing is taken on trust. It ends at z = 10, farther
than a probability below 1 leads in double precision; ``checked_inverse`` is for tails of any size, and other laws.
"""

from typing import Any

import numpy as np
from scipy import special

from jaxsmooth.radii.checked_inverse import inward
from jaxsmooth.radii.exact_normal import anchors

_LAST = 10
_ERROR = 2.0**-48
_TERMS = 12
# Below it the distance of the tail from 1/2 is evaluated, which has all digits.
_MIDDLE = 0.5


def tail(z: Any) -> tuple[np.ndarray, np.ndarray]:
    """A lower and an upper bound of P(N(0, 1) > z), for z >= 0."""
    z = np.asarray(z, np.float64)
    tails, densities = (np.array(values) for values in anchors(_LAST))
    inside = np.minimum(z, _LAST)
    j = np.rint(32 * inside).astype(np.int64)
    at = j / 32
    u = inside - at
    slope, square = at * u, u * u
    before, term = np.zeros_like(u), u
    total = u
    for n in range(_TERMS - 1):
        before, term = term, (slope * term - (n / (n + 1)) * square * before) / (n + 2)
        total = total + (term if n % 2 else -term)
    value = tails[j] - densities[j] * total
    return np.where(z <= _LAST, value * (1 - _ERROR), 0.0), value * (1 + _ERROR)


def middle(z: Any) -> tuple[np.ndarray, np.ndarray]:
    """A lower and an upper bound of 1/2 - P(N(0, 1) > z), for z in [0, 1/2]."""
    z = np.asarray(z, np.float64)
    square = z * z / 2
    total, power = np.zeros_like(z), z
    for k in range(14):
        total = total + power / (2 * k + 1)
        power = -power * square / (k + 1)
    value = anchors(_LAST)[1][0] * total
    return value * (1 - _ERROR), value * (1 + _ERROR) + np.finfo(np.float64).tiny


def quantile_below(probability: np.ndarray) -> np.ndarray:
    """The largest z >= 0, up to rounding down, at which the normal tail is at least this; in [0, 1/2]."""

    def certifies(z: np.ndarray) -> np.ndarray:
        near = middle(np.minimum(z, _MIDDLE))[1] <= 0.5 - probability  # exact from 1/4 on
        return np.where(z <= _MIDDLE, near, tail(z)[0] >= probability)

    with np.errstate(divide="ignore"):
        guess = np.minimum(-special.ndtri(probability), _LAST)
    return inward(np.maximum(guess, 0.0), certifies)


def quantile_above(excess: np.ndarray) -> np.ndarray:
    """The smallest z >= 0, up to rounding up, at which P(N(0, 1) <= z) is at least 1/2 plus this; inf from 1/2 on."""
    excess = np.asarray(excess, np.float64)

    def certifies(z: np.ndarray) -> np.ndarray:
        near = middle(np.minimum(z, _MIDDLE))[0] >= excess
        # 1/2 - excess is rounded by 2^-54 at most
        return np.where(z <= _MIDDLE, near, tail(np.minimum(z, 2.0 * _LAST))[1] + 2.0**-54 <= 0.5 - excess)

    # Of small ones ndtri has few digits.
    series = excess * np.sqrt(2 * np.pi) * (1 + np.pi / 3 * excess**2)
    guess = np.where(excess < 1e-5, series, -special.ndtri(0.5 - np.minimum(excess, 0.5)))
    value = np.maximum(guess, 0.0)
    for widening in range(40):
        good = certifies(value)
        if good.all():
            return value
        value = np.where(good, value, value * (1 + 2.0 ** (widening - 50)))
    return np.where(certifies(value), value, np.inf)
