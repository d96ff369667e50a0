"""Radii that double precision does not allow are refused by the name of the noise."""

import contextlib
from collections.abc import Iterator

import numpy as np

from jaxsmooth._types import Noise


@contextlib.contextmanager
def refused_by_name(noise: Noise, dim: int, remedy: str) -> Iterator[None]:
    """What a law finds wrong with its own arrays, as a refusal of the noise that they are of."""
    try:
        # What is no number is found by the checks.
        with np.errstate(invalid="ignore"):
            yield
    except ValueError as error:
        raise ValueError(
            f"noise must be one whose radii double precision allows; those of {noise!r} in {dim} dimensions it does "
            f"not, {remedy} ({error})"
        ) from error
