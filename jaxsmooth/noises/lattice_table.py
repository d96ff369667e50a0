"""Tables of integer noise, and how to look a draw up: integers decide, on the host and on every device.

A draw is a number U of 63 random bits; its magnitude is the number of thresholds above U. U falls into one of the
cells that its leading nine bits name, 256 of equal width in each power of two, like a floating-point number. For each
cell the guide holds how many thresholds are above all of it; the others are found by ``rounds`` steps of a binary
search, one for the sigmas of most images. No floating-point number takes part.

The upper 31 bits decide nearly every draw: with finer cells, of which none holds two thresholds, one word says how many
thresholds there are and where in the cell. Only where these bits are those of a threshold, once in a few million
draws, the lower 32 bits are drawn, and the other tables asked.
"""

import dataclasses
import functools
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import random
from jaxsmooth.radii.exact_normal import thresholds

_LEADING = 8
_FINER = 11
# Tables are padded to a power of two, at least so many, so that a new sigma rarely is a new program.
_SHORTEST = 4096


@frozen_pytree
class DrawTable:
    """Thresholds in decreasing order as pairs of words, a guide into them, and the steps of the search in a cell.

    Attributes:
        guide: uint32, a cell each: the thresholds above all of it.
        high: uint32, the upper 31 bits of each threshold; 0 after the last one.
        low: uint32, the lower 32 bits.
        quick: uint32, for each of the finer cells, of upper words, the thresholds above its first U and, in the lower
            ``31 - leading`` bits, the place in the cell of the one that is in it; odd where there is none.
        rounds: steps of the search; static.
        leading: bits that name a finer cell, beside the exponent; 0 if there are too many thresholds; static.
    """

    guide: Any
    high: Any
    low: Any
    quick: Any
    rounds: int = static()
    leading: int = static()

    @functools.partial(jax.jit, static_argnames=("size",), inline=True)
    def draws(self, key: Array, size: int) -> Array:
        """Magnitudes with random signs, int32 ``(size,)``, a pure function of the key."""
        if not self.leading:
            first, low = random.word_pairs(key, size)
            return _signed(self.magnitude(first >> np.uint32(1), low), first)
        word = random.words(key, size)
        high = word >> np.uint32(1)
        place = jax.lax.iota(jnp.uint32, size)

        def resolve(state: tuple[Array, Array]) -> tuple[Array, Array]:
            """Draw the lower word of the first undecided number."""
            found, undecided = state
            at = jnp.min(jnp.where(undecided, place, np.uint32(size - 1)))
            exact = self.magnitude(high[at], random.word_at(key, at))
            return jnp.where(place == at, exact, found), undecided & (place != at)

        found, _ = jax.lax.while_loop(lambda state: state[1].any(), resolve, self.by_upper_word(high))
        return _signed(found, word)

    def by_upper_word(self, high: Array) -> tuple[Array, Array]:
        """The number of thresholds above U, and whether the upper 31 bits of U do not decide it."""
        shift = jax.lax.clz(high)  # at least 1, so that the last bit of what follows is 0
        normal = high << (shift & np.uint32(31))
        width = 31 - self.leading
        cell = ((shift - np.uint32(1)) << np.uint32(self.leading)) + (
            (normal >> np.uint32(width)) & np.uint32((1 << self.leading) - 1)
        )
        word = self._take(self.quick, cell)
        rest, inside = normal & np.uint32((1 << width) - 1), word & np.uint32((1 << width) - 1)
        found = (word >> np.uint32(width)) - (rest >= inside).astype(jnp.uint32)
        return found.astype(jnp.int32), rest == inside

    def magnitude(self, high: Array, low: Array) -> Array:
        """The number of thresholds above U, whose upper 31 and lower 32 bits are given as uint32; int32."""
        found = self._take(self.guide, _cell(high, low))
        for step in reversed([1 << i for i in range(self.rounds)]):
            at = found + np.uint32(step - 1)
            threshold = self._take(self.high, at), self._take(self.low, at)
            above = (high < threshold[0]) | ((high == threshold[0]) & (low < threshold[1]))
            found = found + (above.astype(jnp.uint32) << np.uint32(step.bit_length() - 1))
        return found.astype(jnp.int32)

    @staticmethod
    def _take(table: Any, at: Array) -> Array:
        return jnp.asarray(table).at[at].get(mode="promise_in_bounds")


def _signed(magnitude: Array, word: Array) -> Array:
    """The sign is the last bit of the word, of which the upper 31 decided the magnitude."""
    return jnp.where((word & np.uint32(1)) == 1, -magnitude, magnitude)


def _cell(high: Array, low: Array) -> Array:
    """The leading nine bits of U as a floating-point number has them, the exponent first; 63 * 256 for U = 0."""
    shift = jax.lax.clz(high)  # at least 1; 32 where the number is in the lower word
    upper = (high << shift) | (low >> (np.uint32(32) - shift))
    in_low = high == 0
    shift_low = jax.lax.clz(low)
    leading = jnp.where(in_low, low << (shift_low & np.uint32(31)), upper)
    power = jnp.where(in_low, shift_low + np.uint32(31), shift - np.uint32(1))
    return (power << np.uint32(_LEADING)) + ((leading >> np.uint32(31 - _LEADING)) & np.uint32((1 << _LEADING) - 1))


@dataclasses.dataclass(frozen=True)
class LatticeLaw:
    """The law of the noise in units of the lattice, and what drawing loses of it.

    Attributes:
        thresholds: uint64, decreasing: 2^63 P(\\|K\\| >= m), rounded down, m = 1, 2, ...
        variation: an upper bound of the total variation of the law that is drawn from the exact one.
        table: what a draw is looked up in, NumPy.
    """

    thresholds: np.ndarray
    variation: Fraction
    table: DrawTable


@functools.lru_cache(maxsize=64)
def rounded_normal(s: Fraction) -> LatticeLaw:
    """The law of a normal number of standard deviation ``s``, rounded to the nearest integer."""
    found, variation = thresholds(s)
    exact = np.array(found, np.uint64)
    return LatticeLaw(exact, variation, draw_table(exact))


def draw_table(decreasing: np.ndarray) -> DrawTable:
    """The guide to some thresholds, uint64 below 2^63."""
    first, last = _cells()
    increasing = decreasing[::-1]
    above = lambda u: (len(increasing) - np.searchsorted(increasing, u, side="right")).astype(np.uint32)
    guide, most = above(last), above(first)
    rounds = int((most - guide).max()).bit_length() or 1
    size = max(_SHORTEST, 1 << (len(decreasing) + (1 << rounds) - 1).bit_length())
    padded = np.concatenate([decreasing, np.zeros(size - len(decreasing), np.uint64)])
    quick = _quick_table(decreasing)
    leading = 0 if quick is None else _FINER
    high, low = (padded >> np.uint64(32)).astype(np.uint32), padded.astype(np.uint32)
    return DrawTable(guide, high, low, np.zeros(1, np.uint32) if quick is None else quick, rounds, leading)


def _quick_table(decreasing: np.ndarray) -> np.ndarray | None:
    """The words of the finer cells; None if a count does not fit or thresholds share a cell and differ in upper words.

    Thresholds with one upper word in common are all undecided there, and may be in a cell only if it is that word.
    """
    width = 31 - _FINER
    if len(decreasing) >= 1 << (32 - width):
        return None
    upper = decreasing >> np.uint64(32)
    shift = np.array([32 - int(value).bit_length() for value in upper.tolist()], np.uint64)
    normal = (upper << (shift & np.uint64(31))) & np.uint64(2**32 - 1)
    cell = ((shift - np.uint64(1)) << np.uint64(_FINER)) + ((normal >> np.uint64(width)) & np.uint64((1 << _FINER) - 1))
    alone = upper < 2 << _FINER  # each upper word has a cell of its own
    if np.unique(cell[~alone]).size != int((~alone).sum()):
        return None
    number = np.bincount(cell.astype(np.int64), minlength=(31 << _FINER) + 1)
    # Cells of smaller exponents come first, and hold the larger thresholds; within one, the later ones do.
    by_power = number[:-1].reshape(31, 1 << _FINER)
    above = np.append((np.cumsum(by_power[:, ::-1], 1)[:, ::-1] - by_power + _before(by_power)).ravel(), by_power.sum())
    inside = np.full(len(number), (1 << width) - 1, np.uint64)
    inside[cell] = normal & np.uint64((1 << width) - 1)
    return ((above + number).astype(np.uint64) << np.uint64(width) | inside).astype(np.uint32)


def _before(by_power: np.ndarray) -> np.ndarray:
    """How many thresholds are in the powers before each."""
    total = by_power.sum(1)
    return (np.cumsum(total) - total)[:, None]


@functools.cache
def _cells() -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest U of every cell, uint64; of cells that hold no integer anything between others."""
    cells, per = 1 << _LEADING, []
    for power in range(63):
        shift = 62 - power - _LEADING
        steps = np.arange(cells, 2 * cells, dtype=np.uint64)
        up = np.uint64(max(-shift, 0))
        per.append(steps << np.uint64(shift) if shift >= 0 else (steps + (np.uint64(1) << up) - np.uint64(1)) >> up)
    first = np.concatenate([*per, np.zeros(1, np.uint64)])
    # Cells of one power follow each other; the last one of a power ends where the power above begins.
    ends = [np.append(start[1:], np.uint64(1) << np.uint64(63 - power)) for power, start in enumerate(per)]
    last = np.maximum(np.concatenate([*ends, np.ones(1, np.uint64)]) - np.uint64(1), first)
    return first, last
