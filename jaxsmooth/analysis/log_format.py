"""What a log and a table have in common: the columns, radii that read back no larger, noises in words."""

import dataclasses
import decimal

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


def alpha_in_words(alpha: float | None) -> str:
    """An error probability, or that it is unknown."""
    return "unknown" if alpha is None else f"{alpha:g}"


def draws_in_words(n: tuple[int, int] | None) -> str:
    """The least and the most draws behind a bound, or that they are unknown."""
    if n is None:
        return "unknown"
    return str(n[0]) if n[0] == n[1] else f"{n[0]} to {n[1]}"


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


def noise_in_words(noise: Noise) -> str:
    """A noise with its parameters; the words of a log that was read stay as they are."""
    if noise is None:
        return "noise unknown"
    if isinstance(noise, str):
        return noise
    parameters = noise_parameters(noise)
    if parameters is None:
        return type(noise).__name__
    return f"{type(noise).__name__}({', '.join(f'{name}={value:g}' for name, value in parameters.items())})"
