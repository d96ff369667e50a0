"""Which laws float32 can draw: what is checked, in double precision and from static parameters, before drawing.

The length of a draw is written as :math:`\\sigma u r`, with r of the family's law at scale one and u = lambda / sigma.
Float32 holds numbers of 2^-126 to 2^127; sigma is kept within 2^-40 to 2^40, so a family is right at every sigma if
u r lies between 2^-86 and 2^86 but for a share of 2^-60 of the events. The shares are bounded by Chernoff's method, in
logarithms: no quantile and no special function in its tail is believed.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike, Noise
from jaxsmooth.radii.gamma_laws import log_gamma_ratio

# Beyond it k, a and p are not told from infinity, where each family becomes a simpler one.
LARGEST_PARAMETER = 1e15
_LOG_2 = math.log(2)
_LOG_NEGLIGIBLE = -61 * _LOG_2  # on each side
_LOG_UNIT = 86 * _LOG_2
_LOG_NORMAL = 126 * _LOG_2
# A scale in this range times any sigma is a normal number.
_LOG_SCALE = 80 * _LOG_2


class LengthLaw(NamedTuple):
    """The norm r of a draw at scale one.

    Attributes:
        log_unit: log(lambda / sigma).
        log_below: log r -> a bound of the log of the probability to be below.
        log_above: log r -> a bound of the log of the probability to be above.
    """

    log_unit: float
    log_below: Callable[[float], float]
    log_above: Callable[[float], float]

    def lost(self, log_low: float, log_high: float) -> float:
        """A bound of the log of the larger of the probabilities below and above."""
        return max(self.log_below(log_low), self.log_above(log_high))

    @property
    def has_plain_factors(self) -> bool:
        """Whether lambda and r are normal numbers of float32 by themselves, so that their product may be computed."""
        fits = self.lost(-_LOG_NORMAL, _LOG_NORMAL) <= _LOG_NEGLIGIBLE
        return fits and abs(self.log_unit) <= _LOG_SCALE


def gamma_length(order: float, k: float, log_unit: float) -> LengthLaw:
    """The law of ``r`` with r^k of the law Gamma(order / k)."""
    shape = order / k

    def chernoff(log_r: float) -> float:
        # (e y / shape)^shape e^-y for y = r^k; shape log(y) = order log(r) neither over- nor underflows
        y = math.exp(k * log_r) if k * log_r < 700 else math.inf
        return order * log_r - shape * math.log(shape) + shape - y

    mean = math.log(shape) / k
    return LengthLaw(
        log_unit, lambda log_r: chernoff(log_r) if log_r < mean else 0.0, lambda r: chernoff(r) if r > mean else 0.0
    )


def beta_prime_length(above: float, below: float, k: float, log_unit: float) -> LengthLaw:
    """The law of ``r`` with r^k the ratio of Gamma(above) and Gamma(below) numbers."""

    def markov(over: float, under: float, log_ratio: float) -> float:
        # E[ratio^t] = Gamma(over + t) Gamma(under - t) / Gamma(over) / Gamma(under) for t below ``under``
        powers = [under * (1 - 2.0**-i) for i in range(1, 11)]
        moment = lambda t: log_gamma_ratio(over, t) + log_gamma_ratio(under, -t) - t * log_ratio
        return min(0.0, *(moment(t) for t in powers))

    return LengthLaw(
        log_unit,
        lambda log_r: markov(below, above, -k * log_r),
        lambda log_r: markov(above, below, k * log_r),
    )


def check_parameter(name: str, value: float | None, limit: str) -> None:
    """Refuse a parameter that cannot be told from infinity."""
    if value is not None and value > LARGEST_PARAMETER:
        raise ValueError(
            f"{name} must be at most {LARGEST_PARAMETER:g}; got {value!r}. Use {limit}, from which it cannot be told"
        )


def drawable_law(noise: Noise, dim: int, name: str, law: Callable[[Any], LengthLaw]) -> LengthLaw:
    """The law of the length for this noise; refuse one that leaves the range of float32, and say what would not.

    Args:
        noise: the noise.
        dim: the number of coordinates of one event.
        name: the static parameter that decides.
        law: noise -> the law of its length for ``dim`` coordinates.
    """
    try:
        here = law(noise)
        excess = here.lost(-_LOG_UNIT - here.log_unit, _LOG_UNIT - here.log_unit)
        if excess <= _LOG_NEGLIGIBLE:
            return here
        reason = f"a share of up to 2^{min(excess, 0.0) / _LOG_2:.0f} of its draws"
    except (ValueError, OverflowError):
        reason = "its scale"
    value = getattr(noise, name)
    raise ValueError(
        f"{type(noise).__name__} with {name} = {value!r} cannot be drawn in float32 for inputs of {dim} coordinates: "
        f"{reason} is too small or too large for it; {_remedy(noise, name, law)}"
    )


def _remedy(noise: Any, name: str, law: Callable[[Any], LengthLaw]) -> str:
    """The first of a few larger values of the parameter, or the first smaller order of the pole, that can be drawn."""
    tries = [(name, float(getattr(noise, name) or 1.0) * 2.0**i) for i in range(1, 60)]
    if getattr(noise, "j", 0) > 0:
        tries = [("j", noise.j * i / 16) for i in range(15, -1, -1)] + tries
    for parameter, value in tries:
        try:
            other = law(dataclasses.replace(noise, **{parameter: value}))
            if other.lost(-_LOG_UNIT - other.log_unit, _LOG_UNIT - other.log_unit) <= _LOG_NEGLIGIBLE:
                return f"{parameter} = {value:g} can"
        except (ValueError, OverflowError):
            continue
    return f"use a larger {name}"


def on_host(sigma: ArrayLike) -> Any:
    """A concrete sigma in double precision, so that nothing computed from it underflows; tracers as they are."""
    if not _check.is_traced(sigma) and hasattr(sigma, "dtype"):
        return np.asarray(sigma, np.float64)[()]
    return sigma
