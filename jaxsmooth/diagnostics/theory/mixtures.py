"""The bias of noise-augmented training on a line, between a compact class and one with a distant minority."""

from typing import NamedTuple

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth.diagnostics.theory.intervals import smooth_intervals
from jaxsmooth.radii.bracket import bracket_root


@short_repr
class MixtureBias(NamedTuple):
    """What training and smoothing with noise make of the two classes.

    Attributes:
        intervals: float64 ``(2, 2)``, where the centred class is predicted: by the base classifier, and after
            smoothing; nan where it is predicted nowhere.
        acc1: accuracy of the smoothed classifier on the centred class.
        acc2: its accuracy on the spread class.
        bias: ``|acc1 - acc2|``.
    """

    intervals: np.ndarray
    acc1: float
    acc2: float
    bias: float

    @property
    def base(self) -> np.ndarray:
        """Where the base classifier predicts the centred class, ``(2,)``."""
        return self.intervals[0]

    @property
    def smoothed(self) -> np.ndarray:
        """Where the smoothed classifier does, ``(2,)``."""
        return self.intervals[1]


def mixture_bias_1d(a: float, k: float, eps: float, so: float, st: float) -> MixtureBias:
    r"""Accuracy of both classes of a one-dimensional mixture after training and smoothing with noise.

    The centred class is :math:`N(0, s_o^2)`; the spread class is :math:`N(-a, s_o^2)` with weight
    :math:`1 - 2\epsilon` and :math:`N(ka, s_o^2)` with weight :math:`2\epsilon`; both classes are equally likely. The
    base is the Bayes classifier of data under noise of standard deviation ``st``, with
    :math:`s^2 = s_o^2 + s_t^2`: the centred class wins where

    .. math:: (1 - 2\epsilon) e^{-a (2x + a) / 2 s^2} + 2 \epsilon e^{k a (2x - ka) / 2 s^2} \le 1,

    an interval, since the left side is convex. Smoothing with ``st`` gives another, at threshold 1/2.

    Args:
        a: distance of the near component, positive; the unit of the other lengths.
        k: how much further away the far component is, positive.
        eps: half of the weight of the far component, in (0, 1/2).
        so: standard deviation of every component, at least 0.
        st: standard deviation of the noise in training and smoothing, at least 0; not both 0.

    Returns:
        ``MixtureBias``.

    Raises:
        ValueError: for a value out of range.

    References:
        Mohapatra et al. 2021, Theorems 1 and 2 (where ``so`` is 0; their "bias 1 - eps" is 1 - 2 eps for these
        class-conditional accuracies, ours).

    Example:
        >>> result = mixture_bias_1d(a=1, k=10, eps=0.1, so=0.25, st=2)
        >>> result.smoothed.round(6).tolist(), round(result.bias, 6)
        ([-1.405307, 5.572299], 0.758013)
    """
    a, k = float(_check.positives("a", a)), float(_check.positives("k", k))
    so, st = float(_check.nonnegative("so", so)), float(_check.nonnegative("st", st))
    eps = _check.probability("eps", eps)
    if eps >= 0.5:
        raise ValueError(f"eps must be below 1/2, as the far component has the weight 2 eps; got {eps}")
    variance = so**2 + st**2
    if variance == 0:
        raise ValueError("so and st must not both be 0: without any spread there is nothing to classify")
    base = _centred_interval(a, k, eps, variance)
    smoothed = smooth_intervals([base], st, threshold=0.5)
    acc1 = _mass(smoothed, 0.0, so)
    acc2 = (1 - 2 * eps) * (1 - _mass(smoothed, -a, so)) + 2 * eps * (1 - _mass(smoothed, k * a, so))
    predicted = smoothed[0] if len(smoothed) else np.full(2, np.nan)
    return MixtureBias(np.array([base, predicted]), acc1, acc2, abs(acc1 - acc2))


def _centred_interval(a: float, k: float, eps: float, variance: float) -> np.ndarray:
    """Where the centred class has the larger density; 0 always lies inside."""
    near, far = np.log1p(-2 * eps), np.log(2 * eps)

    def excess(x: np.ndarray, index: np.ndarray) -> np.ndarray:
        x = np.where(index == 0, -x, x)
        with_near = near - a * (2 * x + a) / (2 * variance)
        return np.logaddexp(with_near, far + k * a * (2 * x - k * a) / (2 * variance))

    # Each term alone reaches 1 a little further out than their sum.
    outer = np.array([a / 2 - variance * near / a, k * a / 2 - variance * far / (k * a)])
    left, right = np.mean(bracket_root(excess, np.zeros(2), outer), axis=0)
    return np.array([-left, right])


def _mass(intervals: np.ndarray, mean: float, deviation: float) -> float:
    """The probability of the intervals under a normal law; under a point mass for deviation 0."""
    if deviation == 0:
        return float(((intervals[:, 0] <= mean) & (mean <= intervals[:, 1])).any())
    low, high = ((intervals[:, i] - mean) / deviation for i in (0, 1))
    return float(np.sum(special.ndtr(high) - special.ndtr(low)))
