"""The inverse of a required tail: thousands of radii from a few hundred evaluations of an exact but slow function."""

from collections.abc import Callable

import numpy as np
from scipy import special

_NODES = 8
_PANEL = 0.4
# Panels whose polynomials miss more than this, relative to the radius, are read as steps instead.
_LARGEST_ERROR = 1e-3


class InverseTable:
    """Radii certified by tails, for a function that gives the tail that a radius requires.

    With w the normal quantile of the tail, ln w is nearly linear in ln e, exactly so for Gaussian noise: a
    polynomial in each short panel of ln e, twice the size of its last coefficients being subtracted from what it
    says. A node of the table certifies its own radius whatever the polynomials do, so that where the function is
    rough the table falls back to steps.

    Args:
        required_tail: radius -> the largest tail that certifies it, vectorised, decreasing up to rounding.
        first: the smallest radius tabulated; smaller ones are given up.
        last: the largest.
    """

    def __init__(self, required_tail: Callable[[np.ndarray], np.ndarray], first: float, last: float) -> None:
        panels = int(np.ceil(np.log(last / first) / _PANEL))
        self._bounds = np.linspace(np.log(first), np.log(last), panels + 1)
        self._half = (self._bounds[1] - self._bounds[0]) / 2
        nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        radius = np.exp(self._bounds[:-1, None] + self._half * (1 + nodes))
        tail = required_tail(radius.ravel()).reshape(radius.shape)
        value = _log_quantile(np.minimum(tail, 0.5 - 1e-16))
        chebyshev = np.polynomial.chebyshev
        self._coefficients = chebyshev.chebfit(nodes, value.T, _NODES - 1)
        left, right = (np.asarray(chebyshev.chebval(end, self._coefficients)) for end in (-1.0, 1.0))
        slope = np.maximum((right - left) / (2 * self._half), 1e-300)
        self._error = 2 * np.abs(self._coefficients[-3:]).sum(axis=0) / slope + 1e-11
        self._edges = np.maximum.accumulate(np.append(left, right[-1]))
        # the nodes as steps: the largest radius among those that need no more than a value
        order = np.argsort(value, axis=None, kind="stable")
        self._step_value = value.ravel()[order]
        self._step_radius = np.append(0.0, np.maximum.accumulate(radius.ravel()[order]))

    def radius(self, tail: np.ndarray) -> np.ndarray:
        """The radius certified by each tail; 0 below the range of the table, its last radius above."""
        target = _log_quantile(np.asarray(tail, np.float64))
        step = self._step_radius[np.searchsorted(self._step_value, target, side="right")]
        inside = np.clip(target, self._edges[0], self._edges[-1])
        panel = np.clip(np.searchsorted(self._edges, inside, side="right") - 1, 0, len(self._error) - 1)
        values, chebyshev = self._coefficients[:, panel], np.polynomial.chebyshev
        slopes = chebyshev.chebder(values)
        position = np.zeros_like(inside)
        for _ in range(8):
            residual = chebyshev.chebval(position, values, tensor=False) - inside
            slope = np.maximum(chebyshev.chebval(position, slopes, tensor=False), 1e-300)
            position = np.clip(position - residual / slope, -1.0, 1.0)
        smooth = np.exp(self._bounds[panel] + self._half * (1 + position) - self._error[panel])
        usable = (self._error[panel] < _LARGEST_ERROR) & (target >= self._edges[0])
        return np.where(usable, np.maximum(smooth, step), step)


def _log_quantile(tail: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(tail < 0.5, np.log(-special.ndtri(np.clip(tail, 1e-300, 0.5))), -np.inf)
