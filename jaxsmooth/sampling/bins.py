"""Bins: the ballot of numbers, each a vote for the bin that it lies in."""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Array
from jaxsmooth.sampling.ballots import AbstractBallot

# Values compared with all edges at once, up to so many edges; a search among them otherwise.
_COMPARED = 512


@dataclasses.dataclass(frozen=True)
class Bins(AbstractBallot):
    """A vote of every output for the bin that its value lies in: ``(batch,)`` or ``(batch, outputs)`` of numbers.

    Bin 0 is below the first edge, bin i from edge i on, and the last one, which is no bin, has what is no number.

    Args:
        edges: increasing.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Bins((0.0, 1.0)).width((5,))
        20
    """

    edges: tuple[float, ...]

    def check(self, shape: tuple[int, ...], event: tuple[int, ...]) -> None:
        """See ``AbstractBallot.check``."""
        if len(shape) not in (1, 2) or shape[0] != 2 or 0 in shape:
            raise ValueError(
                "predict must map (batch, *event) to (batch,) or (batch, outputs); for a batch of shape "
                f"{(2, *event)} it returned {shape}. Flatten other outputs"
            )

    def check_kind(self, kind: str) -> None:
        """See ``AbstractBallot.check_kind``: a draw has no class."""
        if kind != "hard":
            raise TypeError(
                f"predict must return numbers; got {kind} votes of jaxsmooth.soft, which draws classes. Pass the "
                "function itself, or jaxsmooth.randomized"
            )

    def width(self, shape: tuple[int, ...]) -> int:
        """See ``AbstractBallot.width``: the bins of every output, and one for what is no number."""
        return math.prod(shape) * (len(self.edges) + 2)

    def meaningful(self, counts: np.ndarray) -> np.ndarray:
        """See ``AbstractBallot.meaningful``."""
        bins = len(self.edges) + 2
        return counts.reshape(len(counts), counts.shape[1] // bins, bins)[..., :-1].sum((1, 2))

    def count(self, votes: Array, scores: Array, slot: Array, draw: Array, reference: Any) -> Array:
        """See ``AbstractBallot.count``."""
        values = scores.reshape(len(slot), -1)
        at, invalid = self._bins_of(values)
        column = jnp.where(invalid, len(self.edges) + 1, at)
        column += (len(self.edges) + 2) * jnp.arange(values.shape[1], dtype=jnp.int32)[None]
        votes = votes.at[slot[:, None], column].add(1, mode="drop")
        return votes.at[slot, -1].add(invalid.any(-1).astype(jnp.int32), mode="drop")

    def _bins_of(self, values: Array) -> tuple[Array, Array]:
        """The bin of every value, and which of them are no numbers."""
        if values.dtype == bool:
            values = values.astype(jnp.int32)
        if jnp.issubdtype(values.dtype, jnp.integer):
            # As they are: float32 would move large ones.
            below, last = self._integers_below(values.dtype)
            return below + _number_below(last, values, strictly=True), jnp.zeros(values.shape, bool)
        if values.dtype not in (jnp.float32, jnp.float64):
            values = values.astype(jnp.float32)
        edges = jnp.asarray(self._edges_in(np.dtype(values.dtype)))
        return _number_below(_ordered(edges), _ordered(values), strictly=False), jnp.isnan(values)

    def _integers_below(self, dtype: Any) -> tuple[int, np.ndarray]:
        """How many edges no integer of this type is below, and the last integer below each of the others."""
        least, most = int(jnp.iinfo(dtype).min), int(jnp.iinfo(dtype).max)
        last = [math.ceil(edge) - 1 for edge in self.edges]
        return sum(value < least for value in last), np.array([min(v, most) for v in last if v >= least], dtype)

    def _edges_in(self, dtype: np.dtype) -> np.ndarray:
        """The edges as numbers of this type, rounded up, so that its numbers compare with them as with the edges."""
        edges = np.asarray(self.edges, np.float64)
        with np.errstate(over="ignore"):
            rounded = edges.astype(dtype)
        return np.where(rounded < edges, np.nextafter(rounded, np.asarray(np.inf, dtype)), rounded).astype(dtype)


def _ordered(floats: Array) -> Array:
    """Integers in the order of these numbers; comparing the numbers, compiled programs take subnormals for 0."""
    whole = np.dtype(f"int{8 * floats.dtype.itemsize}")
    bits = floats.view(whole)
    return jnp.where(bits < 0, np.iinfo(whole).min - bits, bits)


def _number_below(edges: np.ndarray | Array, values: Array, *, strictly: bool) -> Array:
    """How many of the increasing edges are at most each value, or below it; int32."""
    at = jnp.asarray(edges)
    if len(edges) > _COMPARED:
        return jnp.searchsorted(at, values, side="left" if strictly else "right").astype(jnp.int32)
    each, at = values[..., None], at[None, None]
    return (each > at if strictly else each >= at).sum(-1, dtype=jnp.int32)
