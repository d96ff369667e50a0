"""What a log and a table have in common: the columns, radii rounded down, noises and norms in words."""

import dataclasses
import decimal
import math

import numpy as np

from jaxsmooth._types import Noise

COLUMNS = ("idx", "label", "predict", "radius", "correct", "time")


class LogWarning(UserWarning):
    """A log that can be read but contradicts itself."""


# A log must not state a radius that was not proved; nine digits lose at most one part in 10^8.
_DIGITS = 9


def radius_text(radius: float) -> str:
    """A radius as decimal text that reads back as the same number or a smaller one, never a larger one."""
    text = format(radius, f".{_DIGITS}")
    if float(text) <= radius:
        return text
    context = decimal.Context(prec=_DIGITS, rounding=decimal.ROUND_FLOOR)
    return format(float(context.create_decimal_from_float(radius)), f".{_DIGITS}")


def rounded_down(value: float, places: int) -> str:
    """A radius as text with this many decimal places, never above its value."""
    if not math.isfinite(value):
        return str(value)
    step = decimal.Decimal(1).scaleb(-places)
    return str(decimal.Decimal(repr(value)).quantize(step, rounding=decimal.ROUND_FLOOR))


def rounded_up(value: float, places: int) -> str:
    """The end of an interval as text with this many decimal places, never below its value."""
    if not math.isfinite(value):
        return str(value)
    step = decimal.Decimal(1).scaleb(-places)
    return str(decimal.Decimal(repr(value)).quantize(step, rounding=decimal.ROUND_CEILING) + 0)


def norm_in_words(norm: float) -> str:
    """``l1``, ``l2`` or ``linf``."""
    return "linf" if norm == np.inf else f"l{norm:g}"


def noise_parameters(noise: Noise) -> dict[str, float] | None:
    """What a noise is made of, as Python numbers; None if a part of it is no number."""
    if not dataclasses.is_dataclass(noise):
        return None
    values = {field.name: getattr(noise, field.name) for field in dataclasses.fields(noise) if field.init}
    parameters = {}
    for name, value in values.items():
        if value is None:
            continue  # the family's own default
        try:
            number = np.asarray(value)
        except (TypeError, ValueError):
            return None
        if number.ndim or number.dtype.kind not in "iuf":
            return None
        parameters[name] = number.item()
    return parameters
