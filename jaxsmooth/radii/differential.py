r"""The differential method: radii from the law of the score, for any norm.

It holds for symmetric noise whose density is absolutely continuous along every line. Where the density jumps,
probability moves through the edge and the score does not show it: of a normal density that is cut at 1.5 standard
deviations the score alone would certify 49 to 134 % too much.

Let :math:`S_v = \langle v, -\nabla \log q(\delta) \rangle` be the score of the noise density q along v. A set
of probability p under q loses or gains at most :math:`\Phi(p) = \sup_{\|v\| \le 1} \sup_{P(U) = p} E[S_v; U]`
per unit of distance, so the probability of a class obeys :math:`|p'| \le \Phi(p)` along every path, and

.. math:: R(p_A) = \int_{1 - p_A}^{1/2} \frac{dp}{\Phi(p)}

is certified. For symmetric noise :math:`\Phi(1 - p) = \Phi(p)`, so that a bound of the runner-up may be moved
along the same path.

Here no quadrature is involved: :math:`\Phi` is concave, so it lies below its tangents, and the integral of
one over a chain of tangents is a sum of logarithms that can only be too small. The chain is exact where
:math:`\Phi` is piecewise linear (a score with atoms); elsewhere 75,000 tangents lose about 1e-8 of the radius.
"""

from collections.abc import Callable

import numpy as np

from jaxsmooth import _check

# SciPy's incomplete gamma and beta functions are right to about 1e-13 relative; growths are raised by more.
_OUTWARD = 1 + 1e-12
_DIFFERENCE = 2.0**-40


class ScoreLaw:
    r"""The law of a symmetric score, as tangents of :math:`\Phi`; the sup over directions is already taken.

    The noise must be symmetric and its density absolutely continuous along lines: the score of a density that
    jumps, such as a uniform or a truncated one, leaves out what moves through the jump, and the radius is too large.
    No law of a score can show that, so give ``variation`` to have it checked.

    For every level c, whatever its law, :math:`\Phi(p) \le E[S; S > c] + c (p - P(S > c))`. A level of
    an atom may be listed twice, with and without the atom, but need not be.

    Args:
        level: c, any order; at least 0.
        probability: :math:`P(S > c)`, in [0, 1/2].
        growth: :math:`E[S; S > c]`.
        diverges: whether the radius is infinite at tail 0, which no finite chain of tangents shows.
        variation: the total variation of the density along the worst direction, jumps included: the integral of
            :math:`|\partial_v q|`, for a unimodal coordinate twice the peak of its density. It is checked against
            :math:`E|S|`, which is smaller where the density jumps.

    Raises:
        ValueError: if the arrays differ in shape, hold no tangent, or are not the law of one score; if the density
            jumps according to ``variation``.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020, section 4 (the method);
        Rockafellar and Uryasev, "Optimization of conditional value-at-risk", 2000 (the tangents).

    Example:
        A standard normal score gives back the Gaussian radius, from below:

        >>> import numpy as np
        >>> from scipy.special import ndtr
        >>> c = np.linspace(0, 30, 10_001)
        >>> law = ScoreLaw(c, ndtr(-c), np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi))
        >>> law.radius(np.array([0.1, 0.01])).round(4)
        array([1.2816, 2.3263])
        >>> law.tail(np.array([1.0])).round(4)
        array([0.1587])
    """

    level: np.ndarray
    probability: np.ndarray
    growth: np.ndarray
    diverges: bool

    def __init__(
        self,
        level: np.ndarray,
        probability: np.ndarray,
        growth: np.ndarray,
        *,
        diverges: bool = False,
        variation: float | None = None,
    ) -> None:
        given = {"level": level, "probability": probability, "growth": growth}
        columns = [_check.as_float64(name, column) for name, column in given.items()]
        shapes = [column.shape for column in columns]
        if columns[0].ndim != 1 or len(set(shapes)) > 1:
            raise ValueError(f"level, probability and growth must be 1-D and of one length; got shapes {shapes}")
        finite = np.isfinite(columns).all(axis=0)
        if not finite.any():
            raise ValueError("level, probability and growth hold no finite tangent; check the moments of the score")
        # From p = 1/2 downward; at one p, from the flat tangent to the steep one.
        level, probability, growth = (column[finite] for column in columns)
        order = np.lexsort((level, -probability))
        self.level, self.probability, self.growth = level[order], probability[order], growth[order] * _OUTWARD
        self.diverges = diverges
        _check_law(self.level, self.probability, self.growth, variation)
        # Each tangent serves the interval around its point; ``upper`` is the bound of growth at its upper end.
        middle = (self.probability[1:] + self.probability[:-1]) / 2
        self._bounds = np.concatenate([[0.5], middle, [0.0]])
        self._upper = self.growth + self.level * (self._bounds[:-1] - self.probability)
        lower = np.maximum(self.growth + self.level * (self._bounds[1:] - self.probability), 0.0)
        whole = _reciprocal_integral(self.level, lower, self._bounds[:-1] - self._bounds[1:])
        self._radius = np.concatenate([[0.0], np.cumsum(whole)])

    def radius(self, tail: np.ndarray) -> np.ndarray:
        """The radius certified by a probability, for a score of unit scale.

        Args:
            tail: one minus the probability, float64 in [0, 1/2].

        Returns:
            float64 of the same shape; inf where the growth vanishes linearly and ``tail`` is 0.
        """
        tail = np.asarray(tail, np.float64)
        # bounds decrease: the piece that holds the tail
        piece = np.clip(np.searchsorted(-self._bounds, -tail, side="left") - 1, 0, len(self.level) - 1)
        length = np.maximum(self._bounds[piece] - tail, 0.0)
        # from the point of contact: exact for a line through the origin, at tails however small
        low = np.maximum(self.growth[piece] + self.level[piece] * (tail - self.probability[piece]), 0.0)
        radius = self._radius[piece] + _reciprocal_integral(self.level[piece], low, length)
        return np.where(tail == 0, np.inf, radius) if self.diverges else radius

    def tail(self, radius: np.ndarray) -> np.ndarray:
        """The largest tail that certifies a radius: the inverse of ``radius``.

        Args:
            radius: for a score of unit scale, float64, at least 0.

        Returns:
            float64 of the same shape; 0 where no probability suffices.
        """
        radius = np.asarray(radius, np.float64)
        piece = np.clip(np.searchsorted(self._radius, radius, side="right") - 1, 0, len(self.level) - 1)
        level, upper = self.level[piece], self._upper[piece]
        within = radius - self._radius[piece]
        exponent = level * within
        # the growth at the tail is upper * exp(-exponent), and the tail is where the tangent has that height
        with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
            shrink = np.where(exponent > 1e-300, -np.expm1(-exponent) / exponent, 1.0)
            from_contact = self.probability[piece] + (upper * np.exp(-exponent) - self.growth[piece]) / level
        # each of the two forms is exact where the other cancels
        from_end = self._bounds[piece] - upper * within * shrink
        tail = np.where((from_end > 0.1 * self._bounds[piece]) | (level == 0), from_end, from_contact)
        return np.maximum(tail, 0.0) * (1 - 1e-12)

    def between(self, tail: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        r"""The radius when another class is known to have at most probability ``p_upper``.

        Both probabilities obey the same bound of growth, so each is moved to where they meet: half of
        :math:`\tau(p_A) - \tau(p_B)`, with :math:`\tau` the radius, continued by :math:`\tau(1 - p) = -\tau(p)`.

        Args:
            tail: one minus the probability of the class, in (0, 1).
            p_upper: the bound, in [0, tail].

        Returns:
            float64, negative where the bound lies above the probability.
        """
        odd = lambda below: np.where(below < 0.5, 1, -1) * self.radius(np.minimum(below, 1 - below))
        ends = odd(tail), odd(np.maximum(p_upper, np.finfo(np.float64).tiny))
        # a difference of two that are rounded
        return (ends[0] + ends[1] - _DIFFERENCE * (np.abs(ends[0]) + np.abs(ends[1]))) / 2


def log_gain(law: ScoreLaw, probability: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """The log of what a little more of a probability becomes at a distance: of the growth there over that here.

    Args:
        law: the law of the score.
        probability: in (0, 1).
        distance: of the shift, at least 0.

    Returns:
        float64 of the broadcast shape; an estimate, as thresholds of the level-set method need.
    """

    def growth(p: np.ndarray) -> np.ndarray:
        piece = np.clip(np.searchsorted(-law._bounds, -p, side="left") - 1, 0, len(law.level) - 1)
        return np.maximum(law.growth[piece] + law.level[piece] * (p - law.probability[piece]), 1e-300)

    here = np.minimum(probability, 1 - probability)
    left = np.where(probability < 0.5, 1, -1) * law.radius(here) - distance
    return np.log(growth(law.tail(np.abs(left))) / growth(here))


def _check_law(level: np.ndarray, probability: np.ndarray, growth: np.ndarray, variation: float | None) -> None:
    """Refuse what cannot be the law of one score, and a density that jumps; the columns are in order."""
    if np.any(level < 0) or np.any(probability < 0) or np.any(probability > 0.5 * (1 + 1e-9)):
        raise ValueError("level must be at least 0 and probability in [0, 1/2], of a symmetric score")
    slack = 1e-9 * growth.max()
    short = growth < level * probability * (1 - 1e-9) - slack
    if short.any():
        i = int(np.argmax(short))
        raise ValueError(
            f"growth must be E[S; S > c], at least c P(S > c) = {level[i] * probability[i]:.6g} "
            f"at level {level[i]:.6g}; got {growth[i]:.6g}"
        )
    # a concave function lies below its tangents: each touches at its own point and passes above its neighbours'
    below = level[:-1] * (probability[1:] - probability[:-1]) + growth[:-1] < growth[1:] - slack
    below |= level[1:] * (probability[:-1] - probability[1:]) + growth[1:] < growth[:-1] - slack
    if below.any():
        i = int(np.argmax(below))
        raise ValueError(
            f"level, probability and growth are not the law of one score: between the levels {level[i]:.6g} and "
            f"{level[i + 1]:.6g} growth changes by {growth[i + 1] - growth[i]:.6g} while the probability does by "
            f"{probability[i + 1] - probability[i]:.6g}"
        )
    if variation is not None:
        mean = 2 * float(np.min(growth + level * (0.5 - probability)))
        _check.require_positive("variation", variation)
        if variation > mean * (1 + 1e-6):
            raise ValueError(
                f"the density jumps: its total variation {variation:.6g} exceeds the mean of the absolute score, "
                f"{mean:.6g}. What moves through a jump is not in the score, and the differential method does not hold"
            )


def _reciprocal_integral(slope: np.ndarray, low: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The integral of 1 / (low + slope * t) over t in [0, length]."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        flat = length / low
        ratio = slope * flat
        # log1p(z) / slope, by its series where z is tiny; low = 0 with a positive slope is a divergent integral
        value = np.where(ratio < 1e-8, flat * (1 - ratio / 2), np.log1p(ratio) / slope)
    return np.where(length <= 0, 0.0, value)


def quantile_grid(
    quantile: Callable[[np.ndarray], np.ndarray], upper_quantile: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Points of a positive law at which a chain of tangents is accurate, dense in the logit of its probability.

    The quantile functions are called at 1,200 points and interpolated: tangents are exact wherever they touch.

    Args:
        quantile: the inverse of the distribution function, vectorised.
        upper_quantile: the inverse of its complement.

    Returns:
        float64, increasing, positive, about 75,000 points between the quantiles 1e-60 and 1 - 1e-60.

    Example:
        >>> import numpy as np
        >>> points = quantile_grid(lambda q: -np.log1p(-q), lambda q: -np.log(q))
        >>> bool(points[0] < 1e-50 and points[-1] > 100 and np.all(np.diff(points) > 0))
        True
    """
    coarse = np.linspace(-138.0, 138.0, 1105)
    fine = np.concatenate([np.arange(-138, -38, 0.02), np.arange(-38, 38, 1 / 1024), np.arange(38, 138, 0.02)])
    tail = 1 / (1 + np.exp(np.abs(coarse)))
    with np.errstate(divide="ignore", invalid="ignore", under="ignore", over="ignore"):
        log_points = np.log(np.where(coarse < 0, quantile(tail), upper_quantile(tail)))
    good = np.isfinite(log_points) & (log_points > -690)
    points = np.exp(np.interp(fine, coarse[good], log_points[good]))
    return np.unique(points)
