"""Ballots: what the scores of a draw count for; votes are integers that add up, of any shape an output has."""

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Array
from jaxsmooth.sampling.hierarchy import Hierarchy, counts_of, finest_agreed, members

# The selected class of an output is found by a loop over so many classes at most; it is then faster than a reduction.
_UNROLLED = 64


class AbstractBallot(abc.ABC):
    """What one draw of an image counts for: a frozen dataclass, hashable, a part of the program.

    An image has ``width`` votes, int32, and one more in which draws are counted that decide nothing. ``count`` adds
    those of a batch. Votes of different draws are added, whatever device or run they are of.
    """

    @property
    def selecting(self) -> int:
        """How many first draws choose what the others are counted against; they are not counted themselves."""
        return 0

    @property
    def compares_scores(self) -> bool:
        """Whether scores are only compared with each other, so that a number added to all of an output is not seen."""
        return False

    def choose(self, table: np.ndarray) -> np.ndarray:
        """What the other draws are counted against.

        Args:
            table: integers ``(draws, outputs)``, the classes that the first draws gave, plus one; 0 for none.

        Returns:
            int32 ``(outputs,)``, the class of most draws, the lowest of several; -1 for none.
        """
        return plurality(table)

    def meaningful(self, counts: np.ndarray) -> np.ndarray:
        """How many votes of an image say something.

        Args:
            counts: integers ``(images, width)``.

        Returns:
            Integers ``(images,)``; none of a classifier whose scores are all NaN.
        """
        return counts.sum(-1)

    @abc.abstractmethod
    def check(self, shape: tuple[int, ...], event: tuple[int, ...]) -> None:
        """Refuse what a classifier returns.

        Args:
            shape: the shape of what it returns for two events, ``(2, ...)``.
            event: the shape of one event.

        Raises:
            ValueError: if it cannot be counted.
        """

    def check_kind(self, kind: str) -> None:
        """Refuse votes of a kind that cannot be counted.

        Args:
            kind: see ``Votes.kind``.

        Raises:
            TypeError: for numbers where classes are drawn.
        """
        del kind

    @abc.abstractmethod
    def width(self, shape: tuple[int, ...]) -> int:
        """How many votes an image has.

        Args:
            shape: the shape of what the classifier returns for one event.

        Returns:
            Their number.
        """

    @abc.abstractmethod
    def count(self, votes: Array, scores: Array, slot: Array, draw: Array, reference: Any) -> Array:
        """The votes with those of a batch added.

        Args:
            votes: int32 ``(slots, width + 1)``.
            scores: what the classifier returned, ``(batch, ...)``.
            slot: int32 ``(batch,)``, the image of each row; the number of slots for a row that is not counted.
            draw: int32 ``(batch,)``, the number of its draw.
            reference: int32 ``(slots, outputs)``, what was chosen for each image; None if nothing is.

        Returns:
            The new votes.
        """


@dataclasses.dataclass(frozen=True)
class Winner(AbstractBallot):
    """A vote for the class of the largest score: ``(batch, classes)`` into a count for each class."""

    @property
    def compares_scores(self) -> bool:
        """See ``AbstractBallot.compares_scores``."""
        return True

    def check(self, shape: tuple[int, ...], event: tuple[int, ...]) -> None:
        """See ``AbstractBallot.check``."""
        if len(shape) != 2 or shape[0] != 2:
            raise ValueError(
                f"classify must map (batch, *event) to (batch, classes); for a batch of shape {(2, *event)} "
                f"it returned {shape}"
            )
        if shape[1] < 2:
            raise ValueError(f"classify must score at least 2 classes; got {shape[1]}. For one logit z return [-z, z]")

    def width(self, shape: tuple[int, ...]) -> int:
        """See ``AbstractBallot.width``: the number of classes."""
        return shape[-1]

    def count(self, votes: Array, scores: Array, slot: Array, draw: Array, reference: Any) -> Array:
        """See ``AbstractBallot.count``."""
        return votes.at[slot, winner(scores)].add(1, mode="drop")


WINNER = Winner()


@dataclasses.dataclass(frozen=True)
class Agreement(AbstractBallot):
    """A vote of every output for the class that it had in most of the first draws: one count for each output.

    Neither the number of draws nor that of classes enters the memory it takes. ``(batch, *outputs, classes)``.

    Args:
        n0: draws that choose the classes.
        hierarchy: a tree of classes, ``(levels, classes)``: each output is counted against a node of it.
        coarsen: the rule by which the first draws choose the level of each output.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Agreement(10).width((4, 4, 3))
        16
    """

    n0: int = 10
    hierarchy: Hierarchy | None = None
    coarsen: Callable[[np.ndarray], np.ndarray] | None = None

    def __repr__(self) -> str:
        if self.hierarchy is None:
            return f"Agreement(n0={self.n0})"
        rule = "" if self.coarsen is None else f", coarsen={getattr(self.coarsen, '__qualname__', type(self.coarsen))}"
        return f"Agreement(n0={self.n0}, hierarchy={self.hierarchy}{rule})"

    @property
    def selecting(self) -> int:
        """See ``AbstractBallot.selecting``."""
        return self.n0

    @property
    def compares_scores(self) -> bool:
        """See ``AbstractBallot.compares_scores``."""
        return True

    def check(self, shape: tuple[int, ...], event: tuple[int, ...]) -> None:
        """See ``AbstractBallot.check``."""
        if len(shape) < 3 or shape[0] != 2:
            raise ValueError(
                "classify must map (batch, *event) to (batch, outputs, classes), or to more axes of outputs; for a "
                f"batch of shape {(2, *event)} it returned {shape}. For one output use certify"
            )
        if shape[-1] < 2:
            raise ValueError(f"classify must score at least 2 classes; got {shape[-1]}. For one logit return [-z, z]")

    def width(self, shape: tuple[int, ...]) -> int:
        """See ``AbstractBallot.width``: the number of outputs."""
        return math.prod(shape[:-1])

    def choose(self, table: np.ndarray) -> np.ndarray:
        """See ``AbstractBallot.choose``: of a tree the node on the level that the rule says."""
        chosen = plurality(table)
        if self.hierarchy is None:
            return chosen
        counts = counts_of(table, len(self.hierarchy[0]))
        levels = finest_agreed(counts, self.hierarchy) if self.coarsen is None else np.asarray(self.coarsen(counts))
        if levels.shape != chosen.shape or levels.dtype.kind not in "iu":
            raise ValueError(
                f"coarsen must return integers {chosen.shape}, a level for each output; got {levels.dtype} of shape "
                f"{levels.shape}"
            )
        if levels.size and not 0 <= levels.min() <= levels.max() < len(self.hierarchy):
            raise ValueError(
                f"coarsen must return levels from 0 to {len(self.hierarchy) - 1}; got {levels.min()} to {levels.max()}"
            )
        return np.where(chosen < 0, chosen, np.array(self.hierarchy, np.int32)[levels, chosen]).astype(np.int32)

    def count(self, votes: Array, scores: Array, slot: Array, draw: Array, reference: Any) -> Array:
        """See ``AbstractBallot.count``."""
        chosen, classes = reference[jnp.minimum(slot, len(reference) - 1)], scores.shape[-1]
        won = winner(scores).reshape(chosen.shape)
        agrees = (won == chosen).astype(jnp.int32)
        if self.hierarchy is not None:
            # One class more, of no node.
            below = jnp.asarray(np.pad(members(self.hierarchy), ((0, 0), (0, 1))))
            agrees = (below[jnp.maximum(chosen, 0), won] & (chosen >= 0)).astype(jnp.int32)
        invalid = (won == classes).any(-1, keepdims=True).astype(jnp.int32)
        return votes.at[slot].add(jnp.concatenate([agrees, invalid], -1), mode="drop")


@dataclasses.dataclass(frozen=True)
class Labels(AbstractBallot):
    """The class of every output in each of the first draws, which must be below n0, plus one; 0 where there is none."""

    n0: int

    @property
    def compares_scores(self) -> bool:
        """See ``AbstractBallot.compares_scores``."""
        return True

    def check(self, shape: tuple[int, ...], event: tuple[int, ...]) -> None:
        """See ``AbstractBallot.check``."""

    def width(self, shape: tuple[int, ...]) -> int:
        """See ``AbstractBallot.width``: a number for each draw and output."""
        return self.n0 * math.prod(shape[:-1])

    def count(self, votes: Array, scores: Array, slot: Array, draw: Array, reference: Any) -> Array:
        """See ``AbstractBallot.count``."""
        won = winner(scores).reshape(len(slot), -1)
        marks = jnp.where(won == scores.shape[-1], 0, won + 1)
        # In place, a window for each draw: the table is the largest thing there is.
        at = jnp.stack([slot, draw * won.shape[1]], -1)
        windows = jax.lax.ScatterDimensionNumbers((1,), (0,), (0, 1))
        return jax.lax.scatter_add(votes, at, marks, windows, mode="drop")


def plurality(table: np.ndarray) -> np.ndarray:
    """The class of most draws in ``(..., draws, outputs)`` of ``Labels``, the lowest of several; -1 for none."""
    ordered = np.sort(table, -2)
    best = np.zeros(ordered[..., 0, :].shape, np.int32)
    most, run, before = np.zeros_like(best), np.zeros_like(best), np.zeros_like(best)
    for draw in range(ordered.shape[-2]):
        now = ordered[..., draw, :]
        run = np.where(now == before, run + 1, 1)
        better = (run > most) & (now > 0)
        best, most, before = np.where(better, now, best), np.where(better, run, most), now
    return (best - 1).astype(np.int32)


def winner(scores: Array) -> Array:
    """The class of the largest score; one past the last class for a row that has no such class.

    A score of -inf loses and one of +inf wins. NaN, +inf twice and -inf everywhere decide nothing.
    """
    if scores.ndim > 2 and scores.shape[-1] <= _UNROLLED:
        return _winner_of_few(scores)
    decides = ~jnp.isnan(scores).any(-1) & ~jnp.isneginf(scores).all(-1) & (jnp.isposinf(scores).sum(-1) <= 1)
    return jnp.where(decides, jnp.argmax(scores, -1).astype(jnp.int32), jnp.int32(scores.shape[-1]))


def _winner_of_few(scores: Array) -> Array:
    """The same in one pass over the classes, in which all outputs go side by side."""
    best, at = scores[..., 0], jnp.zeros(scores.shape[:-1], jnp.int32)
    invalid, infinite = jnp.isnan(best), jnp.isposinf(best).astype(jnp.int32)
    for label in range(1, scores.shape[-1]):
        score = scores[..., label]
        larger = score > best
        best, at = jnp.where(larger, score, best), jnp.where(larger, jnp.int32(label), at)
        invalid, infinite = invalid | jnp.isnan(score), infinite + jnp.isposinf(score).astype(jnp.int32)
    decides = ~invalid & ~jnp.isneginf(best) & (infinite <= 1)
    return jnp.where(decides, at, jnp.int32(scores.shape[-1]))
