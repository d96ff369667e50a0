r"""The level-set method: exact l2 radii of noise whose density depends on the length alone.

By Neyman and Pearson the worst classifier for a shift v of length e answers on a level set of the likelihood
ratio, :math:`U_t = \{\log q(x) - \log q(x - v) > -t\}`. For a density decreasing in the length it is
:math:`\{\|x - v\| > s_t(\|x\|)\}`, and for x uniform on a sphere of radius r

.. math:: P(\|x - v\| \ge s) = I_z\left(\tfrac{d - 1}{2}, \tfrac{d - 1}{2}\right),
          \quad z = \frac{(r + e)^2 - s^2}{4 e r} \text{ clipped to } [0, 1],

so that :math:`P(t, e) = q(U_t)` is one integral over the radius. The reflection :math:`x \to v - x` maps
:math:`U_t` to the complement of :math:`U_{-t}`: with :math:`P(t^*, e) = 1/2`, the probability that a radius
e requires is exactly :math:`P(-t^*, e)`. Everything is vectorised over e; tails are carried, not probabilities.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy import special

from jaxsmooth.radii.differential import ScoreLaw
from jaxsmooth.radii.inverse_table import InverseTable
from jaxsmooth.radii.score_laws import spherical

# Quantiles of the radius that bound the panels of the quadrature, mirrored at 1/2: tails of 1e-17 need far ones.
_PANELS = np.array([1e-32, 1e-26, 1e-21, 1e-17, 1e-14, 1e-11, 1e-8, 1e-6, 1e-4, 2e-3, 2e-2, 0.1, 0.25, 0.5])
_SMALLEST_TAIL = 1e-18
# By how much the difference of two quadratures is taken to understate the error of the better one, at worst.
_SAFETY = 4.0


class MassError(ValueError):
    """The radial law given to the level-set method does not integrate to one where its quantiles say it lies."""


@dataclasses.dataclass(frozen=True)
class SphericalDensity:
    """What the level-set method needs to know about noise of density g(||x||_2), at unit scale.

    Attributes:
        dim: the number of coordinates, at least 2.
        rms: the root mean square of one coordinate; it sets the range of radii that are tabulated.
        quantile: the inverse distribution function of the length r = ||x||_2, vectorised.
        upper_quantile: the inverse of its complement.
        log_density: the log of the density of ln r, normalised.
        log_level_ratio: ``(r, t) -> ln(s / r)`` with ``log g(s) = log g(r) + t``; -inf if g(r) e^t is above g(0).
        score: ``r -> -(log g)'(r)``, for a bound of the runner-up; None: such a bound is not used.
        mean_score: the mean of the score, in closed form.
    """

    dim: int
    rms: float
    quantile: Callable[[np.ndarray], np.ndarray]
    upper_quantile: Callable[[np.ndarray], np.ndarray]
    log_density: Callable[[np.ndarray], np.ndarray]
    log_level_ratio: Callable[[np.ndarray, np.ndarray], np.ndarray]
    score: Callable[[np.ndarray], np.ndarray] | None = None
    mean_score: float = np.inf


class LevelSet:
    """Exact l2 radii of spherical noise by root finding: no tables on disk, no approximation but rounding.

    Args:
        density: the noise, at unit scale; multiply radii by the scale.

    Raises:
        MassError: if the density does not integrate to 1 within 1e-10 over the range its quantiles span.
        ValueError: if ``dim`` is below 2.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020, section 4 and appendix (level sets).

    Example:
        Gaussian noise, of which the radius is known:

        >>> import numpy as np
        >>> from scipy import special
        >>> shape = 32.0  # half of the dimension: r**2 / 2 is a Gamma number
        >>> gaussian = SphericalDensity(
        ...     dim=64,
        ...     rms=1.0,
        ...     quantile=lambda q: np.sqrt(2 * special.gammaincinv(shape, q)),
        ...     upper_quantile=lambda q: np.sqrt(2 * special.gammainccinv(shape, q)),
        ...     log_density=lambda r: np.log(2) + shape * np.log(r**2 / 2) - r**2 / 2 - special.gammaln(shape),
        ...     log_level_ratio=lambda r, t: np.log1p(np.maximum(-2 * t / r**2, -1 + 1e-15)) / 2,
        ... )
        >>> LevelSet(gaussian).radius(np.array([0.1, 0.01])).round(6)
        array([1.281552, 2.326348])
    """

    def __init__(self, density: SphericalDensity) -> None:
        if density.dim < 2:
            raise ValueError(f"the level-set method needs dim >= 2; got {density.dim}. In one dimension use Expp")
        self._density = density
        self._fine = _quadrature(density, 24)
        self._rough = _quadrature(density, 16)

    def required_tail(self, radius: np.ndarray) -> np.ndarray:
        """The largest tail 1 - p at which a radius is certified, less an estimate of the quadrature's error.

        Args:
            radius: at unit scale, float64, 1-D, at least 0.

        Returns:
            float64 of the same shape, in [0, 1/2].
        """
        radius = np.atleast_1d(np.asarray(radius, np.float64))
        tail = np.full(radius.shape, 0.5)
        positive = np.flatnonzero(radius > 0)
        for start in range(0, len(positive), 128):
            part = positive[start : start + 128]
            tail[part] = self._required_tail(radius[part])
        return tail

    def radius(self, tail: np.ndarray) -> np.ndarray:
        """The certified radius of tails 1 - p.

        The required tail is tabulated once and inverted, to 1e-10 or so, on the safe side.

        Args:
            tail: one minus the probability, float64, 1-D, in [0, 1/2].

        Returns:
            float64 of the same shape, at unit scale; inf at tail 0, and 0 for radii below 1e-4 of the rms.
        """
        tail = np.asarray(tail, np.float64)
        return np.where(tail == 0, np.inf, self._table.radius(tail))

    def tail(self, radius: np.ndarray) -> np.ndarray:
        """The largest tail that certifies a radius by ``radius``: required directly, a little further out.

        Args:
            radius: at unit scale, float64, 1-D, at least 0.

        Returns:
            float64 of the same shape.
        """
        return self.required_tail(self._table.above(np.asarray(radius, np.float64)))

    def between(self, tail: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        """The radius when another class is known to have at most probability ``p_upper``.

        The level-set radius is exact for one class against its complement; two classes are followed
        along a path by the differential method, which for spherical noise loses little.

        Args:
            tail: one minus the probability of the class, in (0, 1).
            p_upper: the bound, in [0, tail].

        Returns:
            float64, at unit scale; 0 if the score is not given or has no mean.
        """
        if self._score_law is None:
            return np.zeros(np.broadcast(tail, p_upper).shape)
        return self._score_law.between(tail, p_upper)

    @functools.cached_property
    def _score_law(self) -> ScoreLaw | None:
        density = self._density
        if density.score is None or not np.isfinite(density.mean_score):
            return None
        r, weight = self._rough
        return spherical(density.dim, weight, density.score(r), density.mean_score)

    @functools.cached_property
    def _table(self) -> InverseTable:
        last = self._density.rms
        while self.required_tail(np.array([last]))[0] > _SMALLEST_TAIL and last < 1e30:
            last *= 1.4
        return InverseTable(self.required_tail, 1e-4 * self._density.rms, last)

    def _required_tail(self, distance: np.ndarray) -> np.ndarray:
        level = _root(lambda t: self._mass(self._fine, t, distance), distance / self._density.rms)
        tail = self._mass(self._fine, -level, distance, outside=True)
        # An error in P(t) = 1/2 moves the tail by at most its likelihood ratio e^t, t < 0, times as much.
        half_error = np.abs(self._mass(self._rough, level, distance) - 0.5) + 1e-15
        tail_error = np.abs(self._mass(self._rough, -level, distance, outside=True) - tail)
        error = tail_error + np.exp(np.minimum(level, 0)) * half_error
        return np.clip(tail * (1 - 2e-12) - _SAFETY * error, 0.0, 0.5)

    def _mass(
        self, rule: tuple[np.ndarray, np.ndarray], t: np.ndarray, distance: np.ndarray, outside: bool = False
    ) -> np.ndarray:
        """P(t, e), or 1 - P(t, e) if ``outside``, which keeps the digits of a small tail."""
        r, weight = rule
        e = distance[:, None]
        # s - r, without the cancellation of the difference
        excess = r * np.expm1(np.minimum(self._density.log_level_ratio(r[None, :], t[:, None]), 700.0))
        sign = 1.0 if outside else -1.0
        with np.errstate(over="ignore"):
            z = (e + sign * excess) * (2 * r - sign * e + excess) / (4 * e * r)
        half = (self._density.dim - 1) / 2
        return special.betainc(half, half, np.clip(z, 0, 1)) @ weight


def _quadrature(density: SphericalDensity, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Radii and weights: composite Gauss-Legendre in ln r between quantiles of the radius; the weights sum to one."""
    edges = np.log(np.concatenate([density.quantile(_PANELS), density.upper_quantile(_PANELS[-2::-1])]))
    edges = np.unique(edges[np.isfinite(edges)])
    # In low dimension the integrand bends sharply where a sphere begins to be covered: shorter panels.
    pieces = 8 if density.dim < 6 else 2 if density.dim < 16 else 1
    edges = np.interp(np.arange(pieces * (len(edges) - 1) + 1) / pieces, np.arange(len(edges)), edges)
    node, weight = np.polynomial.legendre.leggauss(order)
    half = np.diff(edges)[:, None] / 2
    log_r = (edges[:-1, None] + half * (1 + node)).ravel()
    mass = (half * weight).ravel() * np.exp(density.log_density(np.exp(log_r)))
    if not abs(mass.sum() - 1) < 1e-10:
        raise MassError(
            f"the radial density integrates to {mass.sum():.12g}, not 1, in {density.dim} dimensions; "
            "check log_density against quantile and upper_quantile"
        )
    return np.exp(log_r), mass / mass.sum()


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
        if np.all((np.abs(value_middle) < 1e-14) | (high - low <= 1e-15 * np.abs(low))):
            break
    return middle
