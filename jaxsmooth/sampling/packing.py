"""Sequential sampling with a full device: images come and go, the batch stays packed.

Every step is a list of (slot, draw) pairs. A slot holds an image until it is decided and is then given to
the next one. While the device runs a step, the host looks at the integer counts of the step before. What an
image's draw sees depends on the key, the image and the draw alone, so packing can change no count.
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
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxsmooth._types import Array, Classify, Votes
from jaxsmooth.ledger import Counts
from jaxsmooth.sampling import fingerprint, inputs
from jaxsmooth.sampling.job import SamplingJob
from jaxsmooth.sampling.kernel import Slots, count_pairs, make_slots
from jaxsmooth.sampling.placement import on_mesh, spans_processes, within
from jaxsmooth.sampling.recording import votes_of

_BATCHES_PER_STEP = 32
_STEPS_IN_FLIGHT = 2
_SLOT_BYTES = 2**28

# (images, looks, counts (images, classes), invalid (images,)) -> whether each image is finished
Decide = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Finished(NamedTuple):
    """Images that are decided.

    Attributes:
        images: their numbers in the order of arrival.
        votes: their votes.
        samples: their draws.
        drawn: draws that were made in this run, not read from a ledger.
    """

    images: np.ndarray
    votes: Votes
    samples: np.ndarray
    drawn: int


def count_until_decided(job: SamplingJob, looks: np.ndarray, decide: Decide, *, first: int = 0) -> Iterator[Finished]:
    """Draw votes for every image until ``decide`` is satisfied, looking after ``looks[0], looks[1], ...`` draws.

    Args:
        job: the checked inputs; its images are taken as slots become free.
        looks: increasing numbers of draws. ``decide`` must finish every image at the last one.
        decide: called with the numbers of the images that reached a look, the indices of their looks,
            and their votes so far.
        first: the number of the first draw of every image.

    Yields:
        The images that were finished, in the order in which they were decided.
    """
    inputs.first_draw(first, int(looks[-1]))
    pack = _Pack.empty(job, looks, first)
    queue = job.events()
    running: collections.deque[tuple[Votes, np.ndarray]] = collections.deque()
    while True:
        for finished in pack.place(queue, decide):
            yield finished
        wanted = pack.next_pairs()
        if wanted is not None:
            running.append((pack.run(*wanted[:3]), wanted[3]))
        elif not running:
            return
        if wanted is None or len(running) >= _STEPS_IN_FLIGHT:
            votes, drawn = running.popleft()
            finished = pack.collect(votes, drawn, decide)
            if len(finished.images):
                yield finished


def in_order(parts: Sequence[Finished]) -> Finished:
    """Images that finished in any order, in the order in which they arrived."""
    order = np.argsort(np.concatenate([part.images for part in parts]))
    together = lambda pick: np.concatenate([pick(part) for part in parts])[order]
    votes = Votes(together(lambda part: part.votes.counts), together(lambda part: part.votes.invalid))
    drawn = sum(part.drawn for part in parts)
    return Finished(together(lambda part: part.images), votes, together(lambda part: part.samples), drawn)


def replay(images: np.ndarray, votes: Sequence[Sequence[np.ndarray]], decide: Decide) -> tuple[np.ndarray, np.ndarray]:
    """Decide images on votes that are known already, look by look.

    Args:
        images: the numbers of the images.
        votes: for each image its votes ``(classes + 1,)`` at the looks that are known, from the first one on.
        decide: as in ``count_until_decided``.

    Returns:
        How many looks each image has passed, and whether it is decided.
    """
    passed, done = np.zeros(len(images), int), np.zeros(len(images), bool)
    number = np.array([len(known) for known in votes], int)
    for look in range(number.max(initial=0)):
        here = np.flatnonzero((number > look) & ~done)
        if len(here):
            counts = np.stack([votes[i][look] for i in here.tolist()])
            done[here] = decide(images[here], np.full(len(here), look), counts[:, :-1], counts[:, -1])
            passed[here] = look + 1
    return passed, done


@dataclasses.dataclass
class _Slot:
    """What the ledger will say of the image in a slot: its id, its pixels, and votes since the known ones."""

    image_id: int
    pixels: str
    first: int
    segments: list[tuple[int, Counts]]


@dataclasses.dataclass
class _Pack:
    """The slots, on the device and on the host. An image number of -1 is a free slot."""

    job: SamplingJob
    looks: np.ndarray
    first: int
    slots: Slots | None
    image: np.ndarray
    look: np.ndarray
    issued: np.ndarray
    received: np.ndarray
    counts: np.ndarray
    segment: np.ndarray
    records: dict[int, _Slot]
    arrived: int = 0
    unreported: int = 0

    @classmethod
    def empty(cls, job: SamplingJob, looks: np.ndarray, first: int) -> "_Pack":
        pairs = _BATCHES_PER_STEP * job.batch_size * job.devices
        event_bytes = 4 * int(np.prod(job.x.shape[1:]))
        # Enough images at their first look to fill every step in flight, as far as memory goes.
        number = min(_STEPS_IN_FLIGHT * -(-pairs // int(looks[0])), max(_SLOT_BYTES // event_bytes, 16), 4096)
        if job.images is not None:
            number = min(number, job.images)
        none = np.full(number, -1, np.int64)
        zero = np.zeros(number, np.int64)
        counts = np.zeros((number, job.classes + 1), np.int64)
        return cls(
            job, looks, first, None, none, zero.copy(), zero.copy(), zero.copy(), counts, counts.copy(), {}
        )  # fmt: skip

    def place(self, queue: Iterator[tuple[np.ndarray, int]], decide: Decide) -> Iterator[Finished]:
        """Give free slots to the next images; those that the ledger decides are finished without one."""
        while len(free := np.flatnonzero(self.image < 0)):
            arrivals = list(itertools.islice(queue, len(free)))
            if not arrivals:
                return
            numbers = self.arrived + np.arange(len(arrivals))
            self.arrived += len(arrivals)
            records, known = self._recorded(arrivals)
            passed, done = replay(numbers, known, decide)
            if done.any():
                decided = np.stack([known[i][passed[i] - 1] for i in np.flatnonzero(done)]).astype(np.int32)
                votes = Votes(decided[:, :-1], decided[:, -1])
                yield Finished(numbers[done], votes, self.looks[passed[done] - 1].astype(np.int64), 0)
            going = np.flatnonzero(~done)
            taken = free[: len(going)]
            self._fill(taken, [arrivals[i] for i in going])
            self.image[taken], self.look[taken] = numbers[going], passed[going]
            reached = np.where(passed > 0, self.looks[passed - 1], 0)[going]
            self.issued[taken] = self.received[taken] = reached
            self.segment[taken] = 0
            for slot, i, start in zip(taken.tolist(), going.tolist(), reached.tolist(), strict=True):
                self.counts[slot] = known[i][passed[i] - 1] if passed[i] else 0
                if records:
                    records[i].first += start
                    self.records[slot] = records[i]

    def _recorded(self, arrivals: list[tuple[np.ndarray, int]]) -> tuple[list[_Slot], list[Sequence[np.ndarray]]]:
        """What the ledger knows of arriving images: a record to continue, and their votes at looks."""
        recording = self.job.recording
        if recording is None:
            return [], [[] for _ in arrivals]
        records, known = [], []
        for event, image_id in arrivals:
            record = _Slot(image_id, fingerprint.image_digest(event), self.first, [])
            ends = recording.known_ends(image_id, record.pixels, self.first)
            at_looks = itertools.takewhile(ends.__contains__, map(int, self.looks + self.first))
            known.append(recording.known.rows([ends[end] for end in at_looks]))
            records.append(record)
        return records, known

    def _fill(self, taken: np.ndarray, arrivals: list[tuple[np.ndarray, int]]) -> None:
        """Put images into slots on the device."""
        if not arrivals:
            return
        number = len(self.image)
        # Few shapes, hence few programs: absent images go to a slot that does not exist, which is dropped.
        size = min(number, 1 << (len(arrivals) - 1).bit_length())
        x = np.zeros((size, *self.job.x.shape[1:]), np.float32)
        ids, target = np.zeros(size, np.int32), np.full(size, number, np.int32)
        for i, (event, identity) in enumerate(arrivals):
            x[i], ids[i], target[i] = event, identity, taken[i]
        with within(self.job.mesh):
            fresh = self._slots_of(x, ids)
            if self.slots is None:
                empty = jax.tree.map(lambda leaf: np.zeros((number, *leaf.shape[1:]), leaf.dtype), fresh)
                self.slots = on_mesh(empty, self.job.mesh)
            self.slots = _replace(self.slots, fresh, target)

    def _slots_of(self, x: np.ndarray, ids: np.ndarray) -> Slots:
        """Slots on all devices: made on one and copied, unless other processes must have them, too."""
        if spans_processes(self.job.mesh):
            return _make_slots_everywhere(self.job.mesh)(self.job.key_data, self.job.noise_on_mesh, x, ids)
        return on_mesh(_make_slots(self.job.key_data, self.job.noise, x, ids), self.job.mesh)

    def next_pairs(self) -> tuple[np.ndarray, np.ndarray, int, np.ndarray] | None:
        """Fill a step with draws that are due, oldest images first: owners, draws, batches, draws per slot."""
        due = np.where(self.image >= 0, self.looks[self.look] - self.issued, 0)
        if not due.any():
            return None
        size = self.job.batch_size
        devices = self.job.devices
        capacity = _BATCHES_PER_STEP * size * devices
        order = np.lexsort((self.image, due == 0))
        ahead = np.cumsum(due[order]) - due[order]
        drawn = np.zeros_like(due)
        drawn[order] = np.clip(capacity - ahead, 0, due[order])
        total = int(drawn.sum())
        owner = np.full(capacity, len(due), np.int32)
        draw = np.zeros(capacity, np.int32)
        owner[:total] = np.repeat(order, drawn[order])
        starts = np.cumsum(drawn[order]) - drawn[order]
        draw[:total] = self.first + np.arange(total) - np.repeat(starts - self.issued[order], drawn[order])
        self.issued += drawn
        trips = -(-total // (size * devices))
        # Batch by batch over the devices, so that a step that is not full is short on all of them.
        arrange = lambda pairs: pairs.reshape(-1, devices, size).swapaxes(0, 1)
        return arrange(owner), arrange(draw), trips, drawn

    def run(self, owner: np.ndarray, draw: np.ndarray, trips: int) -> Votes:
        """Start a step on the device; the counts are not waited for."""
        if self.job.mesh is None:
            count = _count_on_device
            return self.job.watch.start(count, self.job.classify, self.slots, owner[0], draw[0], np.int32(trips))
        count = _count_on_mesh(self.job.mesh, self.job.axes)
        with within(self.job.mesh):
            return self.job.watch.start(count, self.job.classify, self.slots, owner, draw, np.int32(trips))

    def collect(self, votes: Votes, drawn: np.ndarray, decide: Decide) -> Finished:
        """Add the counts of a step; decide the images that reached a look and free those that are done."""
        votes = self.job.fetch(votes)
        new = np.column_stack([votes.counts, votes.invalid])
        self.counts += new
        self.segment += new
        self.received += drawn
        self.unreported += int(drawn.sum())
        ready = np.flatnonzero((self.image >= 0) & (drawn > 0) & (self.received == self.looks[self.look]))
        counts, invalid = self.counts[ready, :-1], self.counts[ready, -1]
        done = decide(self.image[ready], self.look[ready], counts, invalid) if len(ready) else np.zeros(0, bool)
        finished = ready[done]
        self._record(ready, finished)
        result = Finished(
            self.image[finished].copy(),
            Votes(counts[done].astype(np.int32), invalid[done].astype(np.int32)),
            self.received[finished].copy(),
            self.unreported,
        )
        if len(finished):
            self.unreported = 0
        self.look[ready[~done]] += 1
        self.image[finished] = -1
        return result

    def _record(self, ready: np.ndarray, finished: np.ndarray) -> None:
        """Close the segments of images at a look; write down images that are finished."""
        if self.job.recording is None:
            return
        new = votes_of(self.segment[ready, :-1], self.segment[ready, -1])
        for slot, counts in zip(ready.tolist(), new, strict=True):
            self.records[slot].segments.append((sum(counts.values()), counts))
        self.segment[ready] = 0
        done = [self.records.pop(slot) for slot in finished.tolist()]
        self.job.recording.append([(r.image_id, r.pixels, r.first, r.segments) for r in done])


_make_slots = jax.jit(make_slots)


@functools.lru_cache(maxsize=64)
def _make_slots_everywhere(mesh: Mesh) -> Any:
    return jax.jit(make_slots, out_shardings=NamedSharding(mesh, PartitionSpec()))


@functools.partial(jax.jit, donate_argnums=0)
def _replace(slots: Slots, fresh: Slots, target: Array) -> Slots:
    return jax.tree.map(lambda old, new: jnp.asarray(old).at[target].set(new, mode="drop"), slots, fresh)


_count_on_device = jax.jit(count_pairs)


@functools.lru_cache(maxsize=64)
def _count_on_mesh(mesh: Mesh, axes: tuple[str, ...]) -> Any:
    everywhere, apart = PartitionSpec(), PartitionSpec(axes)

    def count_here(classify: Classify, slots: Slots, owner: Array, draw: Array, trips: Array) -> Votes:
        return jax.tree.map(lambda leaf: leaf[None], count_pairs(classify, slots, owner[0], draw[0], trips))

    specs = (everywhere, everywhere, apart, apart, everywhere)
    return jax.jit(
        jax.shard_map(count_here, mesh=mesh, axis_names=set(axes), in_specs=specs, out_specs=apart, check_vma=False)
    )
