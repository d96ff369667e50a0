r"""Masses of level sets of spherical noise, each with a bound of its error that is proved.

With u = ln r, the mass is :math:`\int f(u) B(c(u))\,du`: f is the density of u, and B the part of the sphere of radius
r on which the cosine of the angle to the shift is above (or below) :math:`c = (e^2 + r^2 - s^2) / 2 r e`. The line is
halved into panels until each has one of two small enough errors.

*Analytic*: where c stays within (-1, 1) on a complex disc about the panel, N nodes of Gauss and Legendre miss at most
:math:`\frac{64}{15} M \rho^{2 - 2N} / (1 - \rho^{-2})`, M being a bound of the integrand on the ellipse of parameter
:math:`\rho` inside the disc (Trefethen, "Approximation theory and approximation practice", theorem 19.3). On discs with
real centres a power series is bounded by that of its absolute coefficients.

*Monotone*: the mass of the panel times the least and the largest B, for panels that hold a kink, where a sphere
begins to be covered.
"""

import dataclasses
import math

import numpy as np
from scipy import special

from jaxsmooth.radii.spherical_density import MassError, SphericalDensity

# Quantiles of the length that bound the first panels, mirrored at 1/2.
_LEVELS = np.array([1e-32, 1e-26, 1e-21, 1e-17, 1e-14, 1e-11, 1e-8, 1e-6, 1e-4, 2e-3, 2e-2, 0.1, 0.25, 0.5])
_FINE, _ROUGH = (np.polynomial.legendre.leggauss(order) for order in (16, 10))
# Half-axes of the ellipses, in half-widths of the panel.
_AXES = (2.0, 3.0)
_HALVINGS, _PANELS = 60, 200
# A panel is accepted at this part of the error that is asked for.
_SHARE = 1 / 128
_SMALLEST_LENGTH = 1e-280
_ROUNDING = 2.0**-49


@dataclasses.dataclass(frozen=True)
class _Panels:
    """Intervals of ln r, and the level set that each is part of."""

    lo: np.ndarray
    hi: np.ndarray
    level: np.ndarray
    distance: np.ndarray
    tolerance: np.ndarray
    owner: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        return (self.lo + self.hi) / 2

    @property
    def half(self) -> np.ndarray:
        return (self.hi - self.lo) / 2

    def only(self, chosen: np.ndarray) -> "_Panels":
        return _Panels(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))

    def halves(self) -> "_Panels":
        both = {field.name: np.tile(getattr(self, field.name), 2) for field in dataclasses.fields(self)}
        ends = {"lo": np.concatenate([self.lo, self.middle]), "hi": np.concatenate([self.middle, self.hi])}
        return _Panels(**(both | ends))


class LevelMasses:
    """The masses of the level sets of one density.

    Raises:
        MassError: if the density does not integrate to 1 within 1e-10 over the range its quantiles span.
    """

    def __init__(self, density: SphericalDensity) -> None:
        self._density = density
        self._proved = density.log_density_spread is not None and density.level_spread is not None
        nowhere = lambda r, *_: np.full_like(r, np.inf)
        self._log_spread = density.log_density_spread or nowhere
        self._level_spread = density.level_spread or (lambda *args: (nowhere(*args), nowhere(*args)))
        self._half = (density.dim - 1) / 2
        # the density of the cosine is e^log_peak (1 - c^2)^(half - 1)
        self._log_peak = (1 - 2 * self._half) * math.log(2) - float(special.betaln(self._half, self._half))
        self._edges, self._below = self._first_edges()
        self.nodes, self.weights = self._nodes()
        self._total = float(self.weights.sum()) + self._below
        if not abs(self._total - 1) < 1e-10:
            raise MassError(
                f"the radial density integrates to {self._total:.12g}, not 1, in {density.dim} dimensions; "
                "check log_density against quantile and upper_quantile"
            )

    def guess(self, level: np.ndarray, distance: np.ndarray, *, near: bool) -> np.ndarray:
        """The mass by one fixed quadrature: for first guesses, not accurate in low dimension."""
        part = self._part(self.nodes, distance[:, None], level[:, None], near)
        return ((part * self.weights).sum(-1) + (0.0 if near else self._below)) / self._total

    def enclose(
        self, level: np.ndarray, distance: np.ndarray, tolerance: np.ndarray, *, near: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mass of the points x that are within s(||x||) of the shift, or not within, and a bound of its error.

        Args:
            level: t, in ``log g(s) = log g(r) + t``; float64, 1-D.
            distance: the length of the shift, of the same shape.
            tolerance: the error that is asked for; the bound may be larger.
            near: whether the points within are meant.

        Returns:
            ``(value, error)``.
        """
        count, first = len(distance), len(self._edges) - 1
        repeat = lambda column: np.repeat(column, first)
        ends = np.tile(self._edges[:-1], count), np.tile(self._edges[1:], count)
        panels = _Panels(*ends, *map(repeat, (level, distance, tolerance * _SHARE, np.arange(count))))
        value, error = self._outer(level, distance, near)
        for halving in range(_HALVINGS):
            part, missed, rounding = self._best(panels, near)
            accept = (missed <= panels.tolerance) | (halving == _HALVINGS - 1) | (len(part) > _PANELS * count)
            value += np.bincount(panels.owner[accept], part[accept], count)
            error += np.bincount(panels.owner[accept], (missed + rounding)[accept], count)
            if accept.all():
                break
            panels = panels.only(~accept).halves()
        return value / self._total, error / self._total

    def _best(self, panels: _Panels, near: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Value, error and rounding of each panel, by the better of the two bounds; the value only where it will do."""
        if not self._proved:
            fine, rough = (self._gauss(panels, near, *rule) for rule in (_FINE, _ROUGH))
            return fine, np.abs(fine - rough), np.zeros_like(fine)
        height, r = self._height(panels.middle), np.exp(panels.middle)
        least, most = self._range(panels, near)
        with np.errstate(all="ignore"):
            spread = np.exp(self._log_spread(r, panels.half))
            low, high = (2 * panels.half * height * factor for factor in (least / spread, most * spread))
            value, error = (low + high) / 2, (high - low) / 2
            gauss = np.min([self._gauss_error(panels, near, height, least == most, axis) for axis in _AXES], axis=0)
        error = np.where(np.isfinite(error), error, np.inf)
        analytic = (gauss < error) & (most > 0)
        error[analytic] = gauss[analytic]
        evaluated = analytic & (error <= panels.tolerance)
        value[evaluated] = self._gauss(panels.only(evaluated), near, *_FINE)
        # lengths are rounded: as if each node were moved a little, which matters where the part changes fast
        with np.errstate(invalid="ignore", over="ignore"):
            moved = _ROUNDING * (1 + np.abs(panels.middle)) * height * spread * (most - least)
        rounding = np.where(evaluated, moved, 0.0)
        return value, error, np.nan_to_num(rounding, nan=np.inf)

    def _gauss_error(
        self, panels: _Panels, near: bool, height: np.ndarray, constant: np.ndarray, axis: float
    ) -> np.ndarray:
        """The bound for the ellipse of this half-axis; inf if the integrand is not analytic in the disc around it."""
        e, half, r, rho = panels.distance, panels.half, np.exp(panels.middle), axis * panels.half
        ratio, s, inner, outer = self._caps(r, e, panels.level)
        spreads = self._level_spread(r, panels.level, ratio, rho)
        reach = _reach(r, e, s, ratio, np.expm1(rho), *spreads)
        # 1 - c^2 on the disc, from above for powers that are positive and from below otherwise
        if self._half >= 1:
            square = 4 * inner * outer + 2 * np.abs(outer - inner) * reach + reach**2
        else:
            square = (2 * inner - reach) * (2 * outer - reach)
        part = special.betainc(self._half, self._half, np.clip(inner if near else outer, 0, 1))
        largest = part + reach * np.exp(self._log_peak + (self._half - 1) * np.log(square))
        largest = np.where(reach < 2 * np.minimum(inner, outer), largest, np.inf)
        largest = np.where(constant, 1.0, largest) * height * np.exp(self._log_spread(r, rho))
        shrink = (axis + math.sqrt(axis**2 - 1)) ** -2
        bound = half * 64 / 15 * largest * shrink ** (len(_FINE[0]) - 1) / (1 - shrink)
        return np.where(np.isnan(bound), np.inf, bound)

    def _gauss(self, panels: _Panels, near: bool, node: np.ndarray, weight: np.ndarray) -> np.ndarray:
        u = panels.middle[:, None] + panels.half[:, None] * node
        part = self._part(np.exp(u), panels.distance[:, None], panels.level[:, None], near)
        return panels.half * (part * self._height(u) * weight).sum(-1)

    def _part(self, r: np.ndarray, e: np.ndarray, t: np.ndarray, near: bool) -> np.ndarray:
        """The part of the sphere of radius r that lies within s of the shift, or not."""
        _, _, inner, outer = self._caps(r, e, t)
        return special.betainc(self._half, self._half, np.clip(inner if near else outer, 0, 1))

    def _caps(self, r: np.ndarray, e: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, ...]:
        """ln(s / r), s, (1 - c) / 2 and (1 + c) / 2, as products of which no factor cancels more than it must."""
        with np.errstate(over="ignore", invalid="ignore"):
            ratio = np.minimum(self._density.log_level_ratio(r, t), 300.0)
            s, small = r * np.exp(ratio), np.abs(ratio) < 0.5
            excess = np.where(small, r * np.expm1(ratio), s - r)
            inner = np.where(small, (e + excess) * (2 * r - e + excess), (s - (r - e)) * (s + (r - e)))
            outer = np.where(small, (e - excess) * (2 * r + e + excess), ((r + e) - s) * ((r + e) + s))
            return ratio, s, inner / (4 * e * r), outer / (4 * e * r)

    def _range(self, panels: _Panels, near: bool) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest part of a sphere on a panel; s increases with r, and |ln(s / r)| is monotone."""
        first, last, e = np.exp(panels.lo), np.exp(panels.hi), panels.distance
        with np.errstate(all="ignore"):
            ratios = [np.minimum(self._density.log_level_ratio(r, panels.level), 300.0) for r in (first, last)]
            inner = _inner_range(first, last, e, *ratios)
        ends = inner if near else tuple(1 - z for z in reversed(inner))
        least, most = (special.betainc(self._half, self._half, np.clip(z, 0, 1)) for z in ends)
        return least, most

    def _outer(self, level: np.ndarray, distance: np.ndarray, near: bool) -> tuple[np.ndarray, np.ndarray]:
        """What lies beyond the first and the last edge; where s(r) < e - r it is so for all smaller r."""
        first = np.exp(self._edges[0])
        with np.errstate(over="ignore"):
            unsure = first * (1 + np.exp(self._density.log_level_ratio(first, level))) >= distance
        return np.where(unsure | near, 0.0, self._below), np.where(unsure, self._below, 0.0) + 2 * _LEVELS[0]

    def _height(self, u: np.ndarray) -> np.ndarray:
        with np.errstate(under="ignore", over="ignore"):
            return np.exp(self._density.log_density(np.exp(u)))

    def _first_edges(self) -> tuple[np.ndarray, float]:
        """Logs of quantiles, and the mass below the first of them that double precision can hold."""
        with np.errstate(all="ignore"):
            length = np.concatenate([self._density.quantile(_LEVELS), self._density.upper_quantile(_LEVELS[-2::-1])])
        mass = np.concatenate([_LEVELS, 1 - _LEVELS[-2::-1]])
        good = np.isfinite(length) & (length > _SMALLEST_LENGTH)
        edges, first = np.unique(np.log(length[good]), return_index=True)
        if len(edges) < 2:
            raise MassError("the radial law lies beyond double precision: its quantiles are 0 or infinite")
        return edges, float(mass[good][first[0]])

    def _nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Lengths and weights of a quadrature of the density alone: for its total, and for first guesses."""
        # in low dimension the integrand of a guess bends where a sphere begins to be covered: shorter panels
        pieces = 4 if self._density.dim < 6 else 1
        place = np.arange(pieces * (len(self._edges) - 1) + 1) / pieces
        edges = np.interp(place, np.arange(len(self._edges)), self._edges)
        lo, hi, kept = edges[:-1], edges[1:], []
        for _ in range(_HALVINGS):
            middle, half = (lo + hi) / 2, (hi - lo) / 2
            u = [middle[:, None] + half[:, None] * node for node, _ in (_FINE, _ROUGH)]
            sums = [half * (self._height(v) * rule[1]).sum(-1) for v, rule in zip(u, (_FINE, _ROUGH), strict=True)]
            good = (np.abs(sums[0] - sums[1]) < 1e-14) | (half < 1e-12)
            kept.append((u[0][good].ravel(), (half[good, None] * _FINE[1] * self._height(u[0][good])).ravel()))
            lo, hi = np.concatenate([lo[~good], middle[~good]]), np.concatenate([middle[~good], hi[~good]])
            if not len(lo):
                break
        log_length, weight = (np.concatenate(column) for column in zip(*kept, strict=True))
        return np.exp(log_length), weight


def _reach(
    r: np.ndarray,
    e: np.ndarray,
    s: np.ndarray,
    ratio: np.ndarray,
    growth: np.ndarray,
    ratio_spread: np.ndarray,
    s_spread: np.ndarray,
) -> np.ndarray:
    """How far c can lie from its value on a disc on which r changes by at most r * growth: the best of three forms."""
    # 2 c = e / r + r x / e with x = 1 - (s / r)^2, where e and s - r are small
    x, x_spread = np.abs(np.expm1(2 * ratio)), np.exp(2 * ratio) * np.expm1(2 * ratio_spread)
    flat = e / r * growth + r / e * (growth * x + (1 + growth) * x_spread)
    # 2 c = r / e + (e^2 - s^2) / r e, where s hardly moves
    moved = s**2 * np.expm1(2 * s_spread)
    inside = r / e * growth + (growth * np.abs(e - s) * (e + s) + (1 + growth) * moved) / (r * e)
    # 2 c = 2 - (s^2 - (r - e)^2) / r e, where s and r - e are small
    moved = moved + 2 * np.abs(r - e) * r * growth + (r * growth) ** 2
    close = (growth * np.abs(s - (r - e)) * np.abs(s + (r - e)) + (1 + growth) * moved) / (r * e)
    return np.fmin(np.fmin(flat, inside), close) / 2 * (1 + 1e-12)


def _inner_range(
    first: np.ndarray, last: np.ndarray, e: np.ndarray, *ratios: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of (1 - c) / 2 on a panel, from the same three forms by intervals."""
    divide = lambda value, small, large: value / np.where(value >= 0, large, small)  # the least quotient
    x = [-np.expm1(2 * ratio) for ratio in ratios]
    s = [r * np.exp(ratio) for r, ratio in zip((first, last), ratios, strict=True)]
    small, large = np.minimum(*x), np.maximum(*x)
    low = e / last + np.where(small >= 0, first, last) * small / e
    high = e / first + np.where(large >= 0, last, first) * large / e
    small, large = ((e - end) * (e + end) / e for end in reversed(s))
    low = np.fmax(low, first / e + divide(small, first, last))
    high = np.fmin(high, last / e - divide(-large, first, last))
    # outward, by more than the rounding
    least, most = (2 - high) / 4 - 4e-15 * (1 + np.abs(high)), (2 - low) / 4 + 4e-15 * (1 + np.abs(low))
    slack = 1e-15 * (last + e)
    near = np.maximum(np.maximum(first - e, e - last) - slack, 0.0)
    far = np.maximum(np.abs(first - e), np.abs(last - e)) + slack
    below, above = s[0] ** 2 * (1 - 1e-14) - far**2, s[1] ** 2 * (1 + 1e-14) - near**2
    least = np.fmax(least, divide(below, first, last) / (4 * e) * np.where(below >= 0, 1 - 1e-14, 1 + 1e-14))
    return least, np.fmin(most, -divide(-above, first, last) / (4 * e) * np.where(above >= 0, 1 + 1e-14, 1 - 1e-14))
