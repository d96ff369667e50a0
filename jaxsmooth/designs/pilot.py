"""Edges of bins from draws of their own, none of which is certified."""

import ast
import dataclasses
import math
import re
from typing import Any, Self

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsmooth._types import Array
from jaxsmooth.designs.base import Finished, Rows
from jaxsmooth.designs.one_look import AbstractOneLookDesign
from jaxsmooth.sampling.ballots import AbstractBallot
from jaxsmooth.sampling.bins import Bins

# Draws of all images together, at least, and of each image; edges at the quantiles of what they give.
_DRAWS, _LEAST, _QUANTILES = 1000, 20, 256
# Edges beyond what the pilot saw, on either side, over as much again as it saw.
_BEYOND = 16
# What is folded into the key of the run: no image has this number.
PILOT_KEY = np.uint32(2**32 - 2)


@dataclasses.dataclass(frozen=True)
class Recorded(AbstractBallot):
    """The outputs themselves, float32, bit by bit: a number for each draw and output."""

    draws: int

    def check(self, shape: tuple[int, ...], event: tuple[int, ...]) -> None:
        """See ``AbstractBallot.check``."""
        Bins((0.0,)).check(shape, event)

    def width(self, shape: tuple[int, ...]) -> int:
        """See ``AbstractBallot.width``."""
        return self.draws * math.prod(shape)

    def count(self, votes: Array, scores: Array, slot: Array, draw: Array, reference: Any) -> Array:
        """See ``AbstractBallot.count``. Every number is written once, so that sums over devices keep it."""
        values = scores.reshape(len(slot), -1).astype(jnp.float32)
        column = draw[:, None] * values.shape[1] + jnp.arange(values.shape[1], dtype=jnp.int32)[None]
        bits = lax.bitcast_convert_type(values, jnp.int32)
        return votes.at[slot[:, None], column].add(bits, mode="drop")


@dataclasses.dataclass(frozen=True)
class Pilot(AbstractOneLookDesign):
    """A few draws of every image, whose outputs say where edges are worth having.

    Args:
        draws: of each image.
    """

    draws: int = _LEAST

    @classmethod
    def of(cls, images: int) -> Self:
        """The pilot of so many images."""
        return cls(max(_LEAST, math.ceil(_DRAWS / images)))

    @property
    def ballot(self) -> Recorded:
        """See ``AbstractDesign.ballot``."""
        return Recorded(self.draws)

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``."""
        return np.array([self.draws])

    def conclude(self, rows: Rows, finished: Finished) -> np.ndarray:
        """The outputs of all draws, float32 ``(images, draws * outputs)``."""
        return np.ascontiguousarray(finished.votes.counts, np.int32).view(np.float32)


def edges_in(header: dict[str, Any]) -> tuple[float, ...] | None:
    """The edges of the bins that a ledger counts in; None of another one."""
    found = re.fullmatch(r"Bins\(edges=(\(.*\))\)", str(header.get("ballot", "")))
    return None if found is None else ast.literal_eval(found[1])


def edges_around(values: np.ndarray) -> tuple[float, ...]:
    """Edges at the quantiles of these numbers, and beyond them: increasing, at least one below and one above.

    Raises:
        ValueError: if none of them is finite.
    """
    seen = np.asarray(values, np.float64)
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        raise ValueError(
            'edges="pilot" found no finite output in its draws, so that there is nowhere to put edges; give them, or '
            "look for NaN among the weights"
        )
    inner = np.quantile(seen, np.linspace(0, 1, _QUANTILES), method="inverted_cdf")
    low, high = float(inner[0]), float(inner[-1])
    # A constant has no range: a hundredth of it, or of 1.
    reach = (high - low) or max(abs(low), 1.0) / 100
    steps = reach * np.arange(1, _BEYOND + 1) / _BEYOND
    edges = np.unique(np.concatenate([low - steps, inner, high + steps]))
    return tuple(edges[np.isfinite(edges)].tolist())
