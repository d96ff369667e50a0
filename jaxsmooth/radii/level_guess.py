"""First guesses for the level-set method: where the worst set lies, and which distance a tail allows.

Nothing here is believed: any threshold gives a valid certificate, and every distance is checked.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

from jaxsmooth.radii.inverse_table import InverseTable
from jaxsmooth.radii.proved_quadrature import LevelMasses

_SMALLEST_TAIL = 1e-18
# Of the logarithm of the distance.
_SPACING = 0.15
_FIRST = 1e-4


class LevelGuess:
    """Thresholds and distances by one fixed quadrature.

    Args:
        masses: the masses of the level sets.
        rms: the root mean square of one coordinate; distances are tabulated from 1e-4 of it or less.
    """

    def __init__(self, masses: LevelMasses, rms: float) -> None:
        self._masses = masses
        last = rms
        with np.errstate(all="ignore"):
            while self._tail(np.array([last]), self._root(np.array([last])))[0] > _SMALLEST_TAIL and last < 1e30 * rms:
                last *= 1.4
        first = _FIRST * rms
        while self._tail(np.array([first]), self._root(np.array([first])))[0] < 0.499 and first > 1e-12 * rms:
            first /= 16
        number = int(np.ceil(np.log(last / first) / _SPACING)) + 1
        log_distance = np.linspace(np.log(first), np.log(last), num=number)
        distance = np.exp(log_distance)
        with np.errstate(all="ignore"):
            level = self._root(distance)
            further = [self._masses.guess(-level * factor, distance, near=False) for factor in (0.999, 1.001)]
            steepness = np.maximum((further[0] - further[1]) / (0.002 * level), 1e-300)
        # Sharp laws: at large distances thresholds are beyond doubles, and the tail is 0.
        known = np.isfinite(level) & np.isfinite(steepness)
        log_distance, level, steepness = log_distance[known], level[known], steepness[known]
        self._ends = float(log_distance[0]), float(log_distance[-1])
        first, last = np.exp(self._ends)
        from scipy import interpolate  # which takes as long to import as this library

        self._curves = [interpolate.CubicSpline(log_distance, np.log(value)) for value in (level, steepness)]
        self._table = InverseTable(lambda e: self._tail(e, self.level(e)[0]), first, last)

    def level(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The threshold t at which q_v(S_t) = 1/2, and minus the derivative of that mass by t."""
        log_distance = np.log(distance)
        inside = np.clip(log_distance, *self._ends)
        # beyond the ends: the threshold is proportional to a power of the distance, and its effect to its inverse
        power = (log_distance - inside) * self._curves[0](inside, 1)
        level, steepness = (np.exp(np.clip(curve(inside), -690, 690)) for curve in self._curves)
        factor = np.exp(np.clip(power, -300, 300))
        return level * factor, steepness / factor

    def radius(self, tail: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distance that a tail allows, and minus the derivative of its logarithm by that of the tail."""
        tail = np.maximum(tail, _SMALLEST_TAIL)
        radius, smaller = self._table.radius(tail), self._table.radius(np.minimum(tail * 1.001, 0.5))
        with np.errstate(all="ignore"):
            steepness = np.log(radius / smaller) / 1e-3
        return radius, np.where(np.isfinite(steepness) & (steepness > 1e-6), np.minimum(steepness, 1e9), 1.0)

    def _tail(self, distance: np.ndarray, level: np.ndarray) -> np.ndarray:
        tail = np.empty_like(distance)
        for start in range(0, len(distance), 64):
            part = slice(start, start + 64)
            e, t = distance[part], level[part]
            off = self._masses.guess(-t, e, near=False) - 0.5
            tail[part] = self._masses.guess(t, e, near=True) - np.exp(-t) * off
        return np.clip(tail, 0.0, 0.5)

    def _root(self, distance: np.ndarray) -> np.ndarray:
        parts = [distance[start : start + 64] for start in range(0, len(distance), 64)]
        solve = lambda e: -_root(lambda t: self._masses.guess(t, e, near=False), e)
        return np.maximum(np.concatenate([solve(e) for e in parts]), 1e-300)


def _root(mass: Callable[[np.ndarray], np.ndarray], shift: np.ndarray) -> np.ndarray:
    """t with mass(t) = 1/2, mass increasing and at least 1/2 at 0: secants of the normal quantile, in a bracket."""
    high, low = np.zeros_like(shift), -0.5 * shift * np.minimum(shift, 1.0)
    value = lambda t: special.ndtri(np.clip(mass(t), 1e-300, 1 - 1e-16))
    value_high, value_low = value(high), value(low)
    for _ in range(200):
        short = value_low > 0
        if not short.any():
            break
        high, value_high = np.where(short, low, high), np.where(short, value_low, value_high)
        low = np.where(short, 2 * low, low)
        value_low = np.where(short, value(low), value_low)
    # Regula falsi on a nearly linear function; an end kept twice in a row counts half (the Illinois rule).
    side, middle = np.zeros_like(shift), high
    for _ in range(100):
        middle = low - value_low * (high - low) / np.maximum(value_high - value_low, 1e-300)
        middle = np.clip(middle, low, high)
        value_middle = value(middle)
        up = value_middle > 0
        value_low = np.where(up & (side > 0), value_low / 2, value_low)
        value_high = np.where(~up & (side < 0), value_high / 2, value_high)
        high, value_high = np.where(up, middle, high), np.where(up, value_middle, value_high)
        low, value_low = np.where(up, low, middle), np.where(up, value_low, value_middle)
        side = np.where(up, 1, -1)
        if np.all((np.abs(value_middle) < 1e-7) | (high - low <= 1e-9 * np.abs(low))):
            break
    return middle
