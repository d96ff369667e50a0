r"""The level-set method: l2 radii of noise whose density decreases in the length, exact but for a proved error.

By Neyman and Pearson the worst classifier for a shift v of length e answers on a level set of the likelihood
ratio, :math:`S_t = \{\log q(x - v) - \log q(x) \ge t\}`, and for every set S and every number t

.. math:: q(S) \ge q(S_t) + e^{-t} (q_v(S) - q_v(S_t)),

so that the tail :math:`q(S_t) + e^{-t} (1/2 - q_v(S_t))` is certified at distance e whatever t is. It is the largest
one where :math:`q_v(S_t) = 1/2`, and errors of t are of second order. For a density decreasing in the length both
masses are those of points within or beyond a distance :math:`s_t(\|x\|)` of a centre; for x uniform on a sphere of
radius r

.. math:: P(\|x - v\| \ge s) = I_z\left(\tfrac{d - 1}{2}, \tfrac{d - 1}{2}\right),
          \quad z = \frac{(r + e)^2 - s^2}{4 e r} \text{ clipped to } [0, 1],

which leaves one integral over the radius: ``proved_quadrature``. No inverse is believed: a radius is guessed from a
table, and returned if its own tail, evaluated there and rounded down, is large enough.
"""

import functools

import numpy as np

from jaxsmooth.radii.differential import ScoreLaw, log_gain
from jaxsmooth.radii.gamma_laws import gamma_ratio
from jaxsmooth.radii.level_guess import LevelGuess
from jaxsmooth.radii.proved_quadrature import LevelMasses
from jaxsmooth.radii.score_laws import spherical
from jaxsmooth.radii.spherical_density import SphericalDensity, check_decreasing

# Special functions and densities are right to about 1e-13 relative.
_ROUNDING = 1e-12
# Up to so many tails are answered one by one; more are continued from so many. Fewer in low dimension, where
# the panels around the kinks take time.
_ONE_BY_ONE, _CONTINUED_FROM = {True: 2048, False: 512}, {True: 1024, False: 384}
_HIGH_DIM = 16
# How close, in parts of themselves, radii come to what their tails require, and tails to theirs.
_CLOSE, _PRECISION = 2e-9, 1e-12
_ATTEMPTS, _CHUNK = 4, 128
# What is taken off a distance between two classes until it is proved, and the smallest bound of a class that is used.
_LOSSES, _SMALLEST_BOUND = (1e-7, 1e-5, 1e-3, 1e-2, 0.1, 0.5), 1e-15


class LevelSet:
    """The l2 radii of spherical noise, from below: each is checked by one evaluation whose error is bounded.

    Args:
        density: the noise, at unit scale; multiply radii by the scale.

    Raises:
        MassError: if the density does not integrate to 1 within 1e-10 over the range its quantiles span.
        ValueError: if ``dim`` is below 2, or if the density does not decrease in the length (a ring): its level sets
            are not what the method takes them for.

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
        ...     log_density=lambda r: (
        ...         np.log(2) + shape * np.log(r**2 / 2) - r**2 / 2 - special.gammaln(shape)
        ...     ),
        ...     log_level_ratio=lambda r, t: (
        ...         np.log1p(np.maximum(-2 * t / r**2, -1 + 1e-15)) / 2
        ...     ),
        ... )
        >>> LevelSet(gaussian).radius(np.array([0.1, 0.01])).round(6)
        array([1.281552, 2.326348])
    """

    def __init__(self, density: SphericalDensity) -> None:
        if density.dim < 2:
            raise ValueError(f"the level-set method needs dim >= 2; got {density.dim}")
        self._density = density
        self._masses = LevelMasses(density)
        check_decreasing(density, self._masses.nodes, self._masses.weights)
        # E[cos; cos > 0] for a direction of the sphere: with it, the growth of a probability of 1/2
        self._mean_cosine = gamma_ratio((density.dim - 1) / 2, 0.5) / ((density.dim - 1) * np.sqrt(np.pi))
        self._growth = density.mean_score * self._mean_cosine * (1 + 1e-11)

    def required_tail(self, radius: np.ndarray) -> np.ndarray:
        """The largest tail 1 - p at which a radius is certified, rounded down.

        Args:
            radius: at unit scale, float64, 1-D, at least 0.

        Returns:
            float64 of the same shape, in [0, 1/2].
        """
        radius = np.atleast_1d(np.asarray(radius, np.float64))
        return np.where(radius > 0, self._certified(np.maximum(radius, 1e-300))[0], 0.5)

    def radius(self, tail: np.ndarray) -> np.ndarray:
        """The certified radius of tails 1 - p, rounded down.

        To 1e-8 or so where the score has a mean and the density does not nearly end in a step.

        Beyond 2,048 different tails (512 below 16 dimensions) the radii of some are continued to the others by the
        growth of probabilities near 1/2, which loses 1e-3 at most, below 16 dimensions 4e-3, for very wide laws and
        strong poles 4e-2.

        Args:
            tail: one minus the probability, float64, 1-D, in [0, 1/2].

        Returns:
            float64 of the same shape, at unit scale; inf at tail 0.
        """
        tail = np.asarray(tail, np.float64)
        unique, where = np.unique(tail, return_inverse=True)
        inside = (unique > 0) & (unique < 0.5)
        radius = np.where(unique == 0, np.inf, 0.0)
        wanted = unique[inside]
        if len(wanted) > _ONE_BY_ONE[self._density.dim >= _HIGH_DIM]:
            radius[inside] = self._many(wanted)
        elif len(wanted):
            radius[inside] = self._radius(wanted)
        return radius[where].reshape(tail.shape)

    def tail(self, radius: np.ndarray) -> np.ndarray:
        """The largest tail that certifies a radius by ``radius``: required directly, a little further out.

        Args:
            radius: at unit scale, float64, 1-D, at least 0.

        Returns:
            float64 of the same shape.
        """
        return self.required_tail(np.asarray(radius, np.float64) * (1 + 4 * _CLOSE))

    def between(self, tail: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        r"""The radius when another class is known to have at most probability ``p_upper``.

        By the same inequality, :math:`q_v(S) \le U(p) = q_v(S_t) + e^t (p - q(S_t))` for every set with
        :math:`q(S) \le p`, so that the class leads at distance e if U(tail) + U(p_upper) is at most 1. Both grow with
        e, as what a ball has outside another one does when they part. The distance is that of the differential method,
        whose quadrature is not proved; it is returned if it passes this test, else a smaller one that does.

        Args:
            tail: one minus the probability of the class, in (0, 1).
            p_upper: the bound, in [0, tail].

        Returns:
            float64, at unit scale; 0 if the score is not given or has no mean.
        """
        tail, p_upper = np.broadcast_arrays(np.asarray(tail, np.float64), p_upper)
        law = self._score_law
        if law is None:
            return np.zeros(tail.shape)
        pairs, where = np.unique([tail.ravel(), p_upper.ravel()], axis=1, return_inverse=True)
        parts = [self._between(law, *pairs[:, i : i + _CHUNK]) for i in range(0, pairs.shape[1], _CHUNK)]
        return np.concatenate(parts)[where.ravel()].reshape(tail.shape)

    def _between(self, law: ScoreLaw, tail: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        lead, masses = 1 - tail - p_upper, np.maximum([tail, p_upper], _SMALLEST_BOUND)
        proved = np.maximum(lead, 0.0) / (2 * self._growth) * (1 - _ROUNDING)
        candidate = law.between(*masses)
        index = np.flatnonzero((lead > 0) & (candidate > proved))
        for loss in _LOSSES:
            distance = candidate[index] * (1 - loss)
            precision = loss / 16 * lead[index]
            good = sum(self._upper(law, mass[index], distance, precision) for mass in masses) <= 1 - _ROUNDING
            proved[index[good]] = np.maximum(distance[good], proved[index[good]])
            index = index[~good]
            if not len(index):
                break
        return proved

    def _upper(self, law: ScoreLaw, mass: np.ndarray, distance: np.ndarray, precision: np.ndarray) -> np.ndarray:
        """U(mass) at the distance, rounded up, with a threshold from the differential method: any is valid."""
        level = log_gain(law, mass, distance)
        gain = np.exp(level)
        before, error = self._masses.enclose(level, distance, precision / gain, near=True)
        after, other = self._masses.enclose(-level, distance, precision, near=False)
        upper = after + gain * (mass - before) + (other + gain * error) + _ROUNDING * (after + gain * (mass + before))
        return np.where(np.isfinite(upper), upper, np.inf)

    @functools.cached_property
    def _score_law(self) -> ScoreLaw | None:
        density = self._density
        if density.score is None or not np.isfinite(density.mean_score):
            return None
        return spherical(density.dim, self._masses.weights, density.score(self._masses.nodes), density.mean_score)

    @functools.cached_property
    def _guess(self) -> LevelGuess:
        return LevelGuess(self._masses, self._density.rms)

    def _certified(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tail certified at each distance, rounded down, and e^-t: what it loses per loss of q_v(S)."""
        parts = [self._certified_part(distance[i : i + _CHUNK]) for i in range(0, len(distance), _CHUNK)]
        tail, ratio = (np.concatenate(column) for column in zip(*parts, strict=True))
        return tail, ratio

    def _certified_part(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        level, steepness = self._guess.level(distance)
        best, slope = np.zeros_like(distance), np.ones_like(distance)
        index, scale = np.arange(len(distance)), np.full_like(distance, 1e-3)
        for _ in range(_ATTEMPTS):
            t, e = level[index], distance[index]
            ratio, precision = np.exp(-t), _PRECISION * scale[index]
            here, error_here = self._masses.enclose(t, e, precision, near=True)
            there, error_there = self._masses.enclose(-t, e, precision / ratio, near=False)
            off = there - 0.5
            tail = here - ratio * off - error_here - ratio * error_there - _ROUNDING * (here + ratio / 2)
            better = tail > best[index]
            best[index[better]], slope[index[better]] = tail[better], ratio[better]
            step = off / steepness[index]
            level[index] = np.maximum(t + step, t / 4)
            # again where an error of t, or the tolerance, costs more than it should
            rough = (np.abs(ratio * off * step) > 1e-12 * here) | (error_here + ratio * error_there > 1e-11 * here)
            scale[index] = np.minimum(scale[index], np.maximum(here, 1e-25))
            index = index[rough]
            if not len(index):
                break
        return np.clip(best, 0.0, 0.5), slope

    def _radius(self, tail: np.ndarray) -> np.ndarray:
        """Distances whose certified tails are at least these."""
        return np.max([(0.5 - tail) / self._growth * (1 - _ROUNDING), self._checked(tail)[0]], axis=0)

    def _many(self, tail: np.ndarray) -> np.ndarray:
        """The same for more tails than are answered one by one; they increase."""
        # even in the logarithms of the tail and of the distance, where one is known
        distance = self._guess.radius(tail)[0]
        distance = np.maximum(distance, np.min(distance, where=distance > 0, initial=self._density.rms))
        place = np.log(tail) - np.log(np.minimum.accumulate(distance))
        count = _CONTINUED_FROM[self._density.dim >= _HIGH_DIM]
        chosen = np.unique(np.searchsorted(place, np.linspace(place[0], place[-1], count)))
        _, start, value, ratio = self._checked(tail[chosen])
        # the nearest distance that is certified for a tail at least as large
        above = np.searchsorted(tail[chosen], tail)
        reach = np.where(value[above] >= tail, self._continued(start[above], value[above], ratio[above], tail), 0.0)
        return np.maximum(reach, (0.5 - tail) / self._growth * (1 - _ROUNDING))

    def _checked(self, tail: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Radii of tails; and the distances, their certified tails and ratios, that they are continued from."""
        best, start, value, ratio = (np.full_like(tail, first) for first in (0.0, 0.0, 0.0, 1.0))
        guess, steepness = self._guess.radius(tail)
        low, before = guess * (1 - _CLOSE / 2), np.full((2, len(tail)), np.nan)
        index = np.flatnonzero(low > 0)
        for _ in range(3 * _ATTEMPTS):
            at, wanted = low[index], tail[index]
            here, slope = self._certified(at)
            reach = np.where(here >= wanted, self._continued(at, here, slope, wanted), 0.0)
            gain = reach > best[index]
            for column, new in ((best, reach), (start, at), (value, here), (ratio, slope)):
                column[index[gain]] = new[gain]
            # secants of ln(distance) against ln(tail), the first with the slope of the table
            point = np.log([at, np.maximum(here, 1e-300)])
            with np.errstate(all="ignore"):
                change = point - before[:, index]
                secant = -change[0] / change[1]
            steepness[index] = np.where(np.isfinite(secant) & (secant > 0), secant, steepness[index])
            before[:, index] = point
            step = (point[1] - np.log(wanted)) * steepness[index]
            done = (here >= wanted) & (step < _CLOSE)
            low[index] = at * np.exp(np.clip(step, -1.0, 1.0) - _CLOSE / 2)
            index = index[~done]
            if not len(index):
                break
        return best, start, value, ratio

    def _continued(self, distance: np.ndarray, here: np.ndarray, ratio: np.ndarray, tail: np.ndarray) -> np.ndarray:
        """The radius of a tail that is ``here - tail`` below what a distance requires.

        So much mass in hand at x is that over e^-t at the distance, and from there it is lost no faster than the
        growth of a probability of 1/2.
        """
        return distance + np.maximum(here - tail, 0.0) / (ratio * self._growth) * (1 - _ROUNDING)
