"""What the first draws of images choose, for the others to be counted against."""

import dataclasses
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Votes
from jaxsmooth.sampling.ballots import Labels
from jaxsmooth.sampling.kernel import Listed, Slots
from jaxsmooth.sampling.placement import on_mesh
from jaxsmooth.sampling.sampler import Sampler

# (slots of pairs, draws of pairs) -> the pairs of one step, as the kernel takes them
Arrange = Callable[[np.ndarray, np.ndarray], Listed]


class Selection:
    """The class that was chosen for every output of the images in slots; nothing for ballots without a selection."""

    def __init__(self, sampler: Sampler, number: int) -> None:
        self.sampler, self.draws = sampler, sampler.ballot.selecting
        self.chosen = np.zeros((number, sampler.choices), np.int32)

    def choose(
        self, images: Slots, slots: np.ndarray, known: Sequence[np.ndarray | None], arrange: Arrange, most: int
    ) -> Slots:
        """Choose for the images that have come into slots, unless it is known; the images with what is chosen.

        Args:
            images: the images on the device.
            slots: the slots of new images.
            known: for each of them what was chosen before, or None.
            arrange: what makes a step of pairs.
            most: the most pairs of a step.
        """
        if not self.draws:
            return images
        for slot, chosen in zip(slots.tolist(), known, strict=True):
            if chosen is not None:
                self.chosen[slot] = chosen
        new = np.array([slot for slot, chosen in zip(slots.tolist(), known, strict=True) if chosen is None], np.int32)
        if len(new):
            slot, draw = np.repeat(new, self.draws), np.tile(np.arange(self.draws, dtype=np.int32), len(new))
            labels, plain = Labels(self.draws), dataclasses.replace(images, reference=None)
            parts = [arrange(slot[at : at + most], draw[at : at + most]) for at in range(0, len(slot), most)]
            # One step in flight at a time: the table of labels is what takes memory.
            tables = (self._fetched(self.sampler.count_listed(plain, pairs, labels), new) for pairs in parts)
            table = sum(tables, np.zeros((), np.int32))
            ballot = self.sampler.ballot
            self.chosen[new] = [ballot.choose(draws) for draws in table.reshape(len(new), self.draws, -1)]
        # A copy, which the device may look at while the next images come.
        chosen = self.chosen.copy()
        reference = jnp.asarray(chosen) if self.sampler.mesh is None else on_mesh(chosen, self.sampler.mesh)
        return dataclasses.replace(images, reference=reference)

    def _fetched(self, votes: Votes, slots: np.ndarray) -> np.ndarray:
        return self.sampler.fetch(votes).counts[slots]
