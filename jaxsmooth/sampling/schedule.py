"""Which draws come next: a pure schedule of (slot, draw) pairs, without a device.

A slot holds an image until it is decided and is then given to the next one. Draws of an image are issued up to its
next look and no further, since it may stop there; checkpoints only end a stretch whose votes are wanted by
themselves, so that draws beyond one may be issued before those up to it have come back.
"""

import dataclasses
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """Draws to be made at once.

    Attributes:
        slot: int32 ``(pairs,)``, the slot of each pair.
        draw: int32 ``(pairs,)``, the number of its draw.
        drawn: int64 ``(slots,)``, how many draws each slot gets.
    """

    slot: np.ndarray
    draw: np.ndarray
    drawn: np.ndarray


@dataclasses.dataclass
class Schedule:
    """The slots and how far their images have come. An image of -1 is a free slot.

    Attributes:
        ends: int64, increasing: the looks and checkpoints, as numbers of draws.
        look_at: int64, for each of the ends the index of its look; -1 for a checkpoint.
        image: int64 ``(slots,)``, the place of each image in the order of arrival.
        issued: int64 ``(slots,)``, draws that have been asked for.
        received: int64 ``(slots,)``, draws whose votes have come back.
        issuing: int64 ``(slots,)``, the index of the end that draws are issued up to.
        awaiting: int64 ``(slots,)``, the index of the end that comes back next.
    """

    ends: np.ndarray
    look_at: np.ndarray
    image: np.ndarray
    issued: np.ndarray
    received: np.ndarray
    issuing: np.ndarray
    awaiting: np.ndarray

    @classmethod
    def empty(cls, slots: int, looks: np.ndarray, checkpoints: np.ndarray) -> "Schedule":
        """A schedule of free slots."""
        looks = np.asarray(looks, np.int64)
        ends = np.union1d(looks, checkpoints[checkpoints < looks[-1]]).astype(np.int64)
        place = np.searchsorted(looks, ends)
        look_at = np.where(looks[place] == ends, place, -1)
        return cls(ends, look_at, np.full(slots, -1, np.int64), *(np.zeros(slots, np.int64) for _ in range(4)))

    @property
    def free(self) -> np.ndarray:
        """The free slots."""
        return np.flatnonzero(self.image < 0)

    def place(self, slots: np.ndarray, images: np.ndarray, reached: np.ndarray) -> None:
        """Give slots to images of which the first ``reached`` draws are known, and their looks up to there passed."""
        self.image[slots] = images
        self.issued[slots] = self.received[slots] = reached
        self.issuing[slots] = self.awaiting[slots] = np.searchsorted(self.ends, reached, side="right")

    def next_step(self, most: int) -> Step | None:
        """The draws that are due, of the oldest images first, at most so many; None if nothing is due."""
        # A checkpoint that has been issued is no reason to wait.
        ahead = (self.image >= 0) & (self.issued == self.ends[self.issuing]) & (self.look_at[self.issuing] < 0)
        self.issuing[ahead] += 1
        due = np.where(self.image >= 0, self.ends[self.issuing] - self.issued, 0)
        waiting = np.flatnonzero(due)
        if not len(waiting):
            return None
        order = waiting[np.argsort(self.image[waiting], kind="stable")]
        before = np.cumsum(due[order]) - due[order]
        number = np.clip(most - before, 0, due[order])
        drawn = np.zeros_like(due)
        drawn[order] = number
        starts = np.cumsum(number) - number
        draw = np.arange(int(number.sum())) - np.repeat(starts - self.issued[order], number)
        self.issued += drawn
        return Step(np.repeat(order, number).astype(np.int32), draw.astype(np.int32), drawn)

    def receive(self, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take in a step whose votes have come back.

        Args:
            drawn: its draws per slot.

        Returns:
            ``(ended, looked)``: the slots that are at an end now, and which of them are at a look.
        """
        self.received += drawn
        ended = np.flatnonzero((self.image >= 0) & (drawn > 0) & (self.received == self.ends[self.awaiting]))
        return ended, self.look_at[self.awaiting[ended]] >= 0

    def look_of(self, slots: np.ndarray) -> np.ndarray:
        """The index of the look that these slots have reached."""
        return self.look_at[self.awaiting[slots]]

    def go_on(self, slots: np.ndarray) -> None:
        """Let images pass the end that they have reached."""
        self.awaiting[slots] += 1
        self.issuing[slots] = np.maximum(self.issuing[slots], self.awaiting[slots])

    def release(self, slots: np.ndarray) -> None:
        """Free slots."""
        self.image[slots] = -1
