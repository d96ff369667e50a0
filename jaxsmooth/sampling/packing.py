"""Sampling with a full device: images come and go, the batch stays packed.

Every step is a list of (slot, draw) pairs. While the device runs a step, the host looks at the integer counts of the
step before. What an image's draw sees depends on the key, the image and the draw alone, so packing can change no
count.
"""

import collections
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._noise import is_shared
from jaxsmooth._program import jit, shapes_of
from jaxsmooth._types import Array, Noise, Votes
from jaxsmooth.ledger.recording import Identity, Recording
from jaxsmooth.sampling.ballots import WINNER
from jaxsmooth.sampling.kernel import Listed, Slots, make_slots
from jaxsmooth.sampling.placement import on_mesh, within
from jaxsmooth.sampling.sampler import Sampler
from jaxsmooth.sampling.schedule import Schedule, Step
from jaxsmooth.sampling.selection import Selection

_BATCHES_PER_STEP = 32
_STEPS_IN_FLIGHT = 2
_SLOT_BYTES = 2**27
# Counts that travel to the host with every step, at most.
_COUNTS = 2**20
# Images with more counts than this are few at a time.
_WIDE = 2**18
_USUAL_FIRST_LOOK = 16
_IMAGES_PER_FILL = 64

# (images, indices of their looks, counts (images, classes)) -> whether each image is finished
Look = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Arrival(NamedTuple):
    """An image to be sampled.

    Attributes:
        x: float32, the image.
        image_id: what its noise derives from.
    """

    x: np.ndarray
    image_id: int


class Passed(NamedTuple):
    """Images that have passed their last look.

    Attributes:
        images: their places in the order of arrival.
        votes: int32 ``(images, classes + 1)``, the last column being the invalid ones.
        samples: their draws.
        drawn: draws that were made in this run, not read from a ledger.
        chosen: int32 ``(images, outputs)``, what votes were counted against; no outputs if nothing was.
    """

    images: np.ndarray
    votes: np.ndarray
    samples: np.ndarray
    drawn: int
    chosen: np.ndarray


def sample_until_decided(
    sampler: Sampler,
    arrivals: Iterator[Arrival],
    looks: np.ndarray,
    checkpoints: np.ndarray,
    look: Look,
    recording: Recording | None,
) -> Iterator[Passed]:
    """Draw votes for every image until ``look`` is satisfied.

    Args:
        sampler: what draws them.
        arrivals: the images, taken as slots become free.
        looks: increasing numbers of draws. ``look`` must finish every image at the last one.
        checkpoints: further numbers of draws at which votes are recorded.
        look: called with the places of the images that reached a look, the indices of their looks, and their
            counts so far.
        recording: the ledger: votes that it holds are not drawn again, the others are written to it; or None.

    Yields:
        The images that were finished, in the order in which they were decided.
    """
    _check.first_draw(0, int(looks[-1]))
    pack = _Pack(sampler, looks, checkpoints, look, recording)
    running: collections.deque[tuple[Votes, np.ndarray]] = collections.deque()
    while True:
        yield from pack.place(arrivals)
        step = pack.schedule.next_step(pack.pairs)
        if step is not None:
            running.append((pack.start(step), step.drawn))
        elif not running:
            return
        if step is None or len(running) >= _STEPS_IN_FLIGHT:
            passed = pack.collect(*running.popleft())
            if len(passed.images):
                yield passed


def replay(images: np.ndarray, votes: Sequence[Sequence[np.ndarray]], look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Decide images on votes that are known already, look by look.

    Args:
        images: the places of the images.
        votes: for each image its votes ``(classes + 1,)`` at the looks that are known, from the first one on.
        look: as in ``sample_until_decided``.

    Returns:
        How many looks each image has passed, and whether it is finished.
    """
    passed, done = np.zeros(len(images), int), np.zeros(len(images), bool)
    number = np.array([len(known) for known in votes], int)
    for index in range(number.max(initial=0)):
        here = np.flatnonzero((number > index) & ~done)
        if len(here):
            counts = np.stack([votes[i][index] for i in here.tolist()])
            done[here] = look(images[here], np.full(len(here), index), counts[:, :-1])
            passed[here] = index + 1
    return passed, done


class _Pack:
    """The slots: on the device their images, on the host their schedule and their votes."""

    def __init__(
        self,
        sampler: Sampler,
        looks: np.ndarray,
        checkpoints: np.ndarray,
        look: Look,
        recording: Recording | None,
    ) -> None:
        self.sampler, self.looks, self.look, self.recording = sampler, looks, look, recording
        self.pairs = _BATCHES_PER_STEP * sampler.batch_size * sampler.devices
        number = _slots(self.pairs, sampler.dim, sampler.width * max(sampler.ballot.selecting, 1))
        self.schedule = Schedule.empty(number, looks, checkpoints)
        self.slots: Slots | None = None
        self.selection = Selection(sampler, number)
        self.votes = np.zeros((number, sampler.width + 1), np.int64)
        self.arrived = self.unreported = 0

    def place(self, arrivals: Iterator[Arrival]) -> Iterator[Passed]:
        """Give free slots to the next images; those that the ledger decides are finished without one."""
        while len(free := self.schedule.free):
            new = list(itertools.islice(arrivals, len(free)))
            if not new:
                return
            images = self.arrived + np.arange(len(new))
            self.arrived += len(new)
            identities = [] if self.recording is None else [self.recording.identify(*arrival) for arrival in new]
            reached, votes, done = self._recalled(images, identities)
            known = [None] * len(new) if self.recording is None else list(map(self.recording.known_choice, identities))
            if done.any():
                chosen = np.array([known[i] for i in np.flatnonzero(done)] if self.selection.draws else [], np.int32)
                chosen = chosen.reshape(int(done.sum()), -1)
                yield Passed(images[done], votes[done].astype(np.int32), reached[done], 0, chosen)
            going = np.flatnonzero(~done)
            slots = free[: len(going)]
            self._fill(slots, [new[i] for i in going])
            if len(going):
                given = (slots, [known[i] for i in going], self._arranged, self.pairs)
                self.slots = self.selection.choose(self._images, *given)
            self.schedule.place(slots, images[going], reached[going])
            self.votes[slots] = votes[going]
            if self.recording is not None:
                for slot, i in zip(slots.tolist(), going.tolist(), strict=True):
                    chosen = self.selection.chosen[slot] if self.selection.draws else None
                    self.recording.begin(slot, identities[i], int(reached[i]), votes[i], chosen)

    def _recalled(self, images: np.ndarray, identities: list[Identity]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the ledger knows of arriving images: draws, their votes, and whether they decide."""
        reached = np.full(len(images), self.selection.draws, np.int64)
        votes = np.zeros((len(images), self.votes.shape[1]), np.int64)
        done = np.zeros(len(images), bool)
        if self.recording is not None:
            known = [self.recording.known_votes(identity) for identity in identities]
            at_looks = [list(itertools.takewhile(ends.__contains__, self.looks.tolist())) for ends in known]
            rows = [[ends[end] for end in at] for ends, at in zip(known, at_looks, strict=True)]
            passed, done = replay(images, rows, self.look)
            for i, ends in enumerate(known):
                # An image that goes on does so from the last end that is known before its next look.
                next_look = self.looks[passed[i] - 1] if done[i] else self.looks[passed[i]]
                reached[i] = max(end for end in ends if end <= next_look)
                votes[i] = ends[int(reached[i])]
        return reached, votes, done

    def _fill(self, slots: np.ndarray, new: list[Arrival]) -> None:
        """Put images into slots on the device, a few a call: one shape, hence one program."""
        number, sampler = len(self.schedule.image), self.sampler
        rows = min(number, _IMAGES_PER_FILL)
        for start in range(0, len(new), rows):
            x, ids = np.zeros((rows, *sampler.event), np.float32), np.zeros(rows, np.int32)
            # Absent images go to a slot that does not exist, which is dropped.
            target = np.full(rows, number, np.int32)
            for i, arrival in enumerate(new[start : start + rows]):
                x[i], ids[i], target[i] = arrival.x, arrival.image_id, slots[start + i]
            arguments = (sampler.key_data, sampler.noise_on_mesh, x, ids)
            if self.slots is None:
                made = shapes_of(make_slots, *arguments)
                empty = jax.tree.map(functools.partial(_zeros, number), made, is_leaf=is_shared)
                self.slots = on_mesh(empty, sampler.mesh)
            with within(sampler.mesh):
                images = dataclasses.replace(self._images, reference=None)
                self.slots = _replace(images, target, *arguments)

    def start(self, step: Step) -> Votes:
        """Start a step on the device; the counts are not waited for."""
        return self.sampler.count_listed(self._images, self._arranged(step.slot, step.draw))

    @property
    def _images(self) -> Slots:
        """The images on the device."""
        assert self.slots is not None
        return self.slots

    def _arranged(self, slots: np.ndarray, draws: np.ndarray) -> Listed:
        """The pairs of a step, at most ``self.pairs`` of them, as the kernel takes them."""
        size, devices = self.sampler.batch_size, self.sampler.devices
        number = len(slots)
        slot, draw = np.full(self.pairs, len(self.schedule.image), np.int32), np.zeros(self.pairs, np.int32)
        slot[:number], draw[:number] = slots, draws
        # Batch by batch over the devices, so that a step that is not full is short on all of them.
        arrange = lambda pairs: pairs.reshape(-1, devices, size).swapaxes(0, 1)
        trips = np.full(devices, -(-number // (size * devices)), np.int32)
        pairs = Listed(arrange(slot), arrange(draw), trips)
        return pairs if self.sampler.mesh is not None else Listed(pairs.slot[0], pairs.draw[0], trips[0])

    def collect(self, votes: Votes, drawn: np.ndarray) -> Passed:
        """Add the counts of a step; decide the images that reached a look and free those that are done."""
        fetched = self.sampler.fetch(votes)
        self.votes[:, :-1] += fetched.counts
        self.votes[:, -1] += fetched.invalid
        self.unreported += int(drawn.sum())
        ended, looked = self.schedule.receive(drawn)
        ready = ended[looked]
        if self.sampler.ballot == WINNER and (self.votes[ready].sum(-1) != self.schedule.received[ready]).any():
            raise RuntimeError("votes were lost or counted twice: nothing can be certified. Please report it")
        image = self.schedule.image[ready]
        done = self.look(image, self.schedule.look_of(ready), self.votes[ready, :-1]) if len(ready) else looked[:0]
        finished = ready[done]
        if self.recording is not None:
            for slot in ended.tolist():
                self.recording.end_segment(slot, int(self.schedule.received[slot]), self.votes[slot])
            self.recording.write(finished.tolist())
        passed = Passed(
            image[done], self.votes[finished].astype(np.int32), self.schedule.received[finished], self.unreported,
            self.selection.chosen[finished],
        )  # fmt: skip
        if len(finished):
            self.unreported = 0
        self.schedule.go_on(np.setdiff1d(ended, finished))
        self.schedule.release(finished)
        return passed


def _slots(pairs: int, dim: int, width: int) -> int:
    """How many images are on the device at once: enough to fill every step in flight at their first looks.

    Neither the number of images nor the looks enter, so that all runs of a classifier share a program.
    """
    enough = _STEPS_IN_FLIGHT * -(-pairs // _USUAL_FIRST_LOOK)
    least = 16 if width <= _WIDE else 2
    return min(enough, max(_SLOT_BYTES // (4 * dim), least), max(_COUNTS // width, least), 4096)


def _zeros(slots: int, leaf: Any) -> Any:
    """Room for a leaf of so many slots, or for arrays that they share."""
    if is_shared(leaf):
        return jax.tree.map(lambda part: np.zeros(part.shape, part.dtype), leaf)
    return np.zeros((slots, *leaf.shape[1:]), leaf.dtype)


@functools.partial(jit, donate_argnums=0)
def _replace(slots: Slots, target: Array, key_data: Array, noise: Noise, x: Array, image_ids: Array) -> Slots:
    """The slots with images put where ``target`` says."""
    fresh = make_slots(key_data, noise, x, image_ids)
    put = lambda old, new: new if is_shared(new) else jnp.asarray(old).at[target].set(new, mode="drop")
    return jax.tree.map(put, slots, fresh, is_leaf=is_shared)
