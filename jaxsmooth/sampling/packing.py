"""Sequential sampling with a full device: images come and go, the batch stays packed.

Every step is a list of (slot, draw) pairs. A slot holds an image until it is decided and is then given to
the next one. While the device runs a step, the host looks at the integer counts of the step before. What an
image's draw sees depends on the key, the image and the draw alone, so packing can change no count.
"""

import collections
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxsmooth._types import Array, Classify, Votes
from jaxsmooth.sampling import inputs
from jaxsmooth.sampling.job import SamplingJob
from jaxsmooth.sampling.kernel import Slots, count_pairs

_BATCHES_PER_STEP = 32
_STEPS_IN_FLIGHT = 2
_SLOT_BYTES = 2**28

# (images, looks, counts (images, classes), invalid (images,)) -> whether each image is finished
Decide = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Finished(NamedTuple):
    """Images that are decided: their numbers in the order of arrival, their votes and their draws."""

    images: np.ndarray
    votes: Votes
    samples: np.ndarray


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
        pack.place(queue)
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
    arrived: int = 0

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
        return cls(job, looks, first, None, none, zero.copy(), zero.copy(), zero.copy(), counts)

    def place(self, queue: Iterator[tuple[np.ndarray, int]]) -> None:
        """Give free slots to the next images."""
        free = np.flatnonzero(self.image < 0)
        arrivals = list(itertools.islice(queue, len(free)))
        if not arrivals:
            return
        taken = free[: len(arrivals)]
        number = len(self.image)
        # One shape for every refill: absent images go to a slot that does not exist, which is dropped.
        x = np.zeros((number, *self.job.x.shape[1:]), np.float32)
        ids, target = np.zeros(number, np.int32), np.full(number, number, np.int32)
        for i, (event, identity) in enumerate(arrivals):
            x[i], ids[i], target[i] = event, identity, taken[i]
        fresh = _prepare(self.job.key, self.job.noise, x, ids)
        self.slots = fresh if self.slots is None else _replace(self.slots, fresh, target)
        self.image[taken] = self.arrived + np.arange(len(taken))
        self.arrived += len(taken)
        for array in (self.look, self.issued, self.received, self.counts):
            array[taken] = 0

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
            return _count_on_device(self.job.classify, self.slots, owner[0], draw[0], np.int32(trips))
        assert self.slots is not None
        keys = jax.random.key_data(self.slots.keys)
        slots = dataclasses.replace(self.slots, keys=keys)
        return _count_on_mesh(self.job.mesh)(self.job.classify, slots, owner, draw, np.int32(trips))

    def collect(self, votes: Votes, drawn: np.ndarray, decide: Decide) -> Finished:
        """Add the counts of a step; decide the images that reached a look and free those that are done."""
        self.counts[:, :-1] += np.asarray(votes.counts)
        self.counts[:, -1] += np.asarray(votes.invalid)
        self.received += drawn
        ready = np.flatnonzero((self.image >= 0) & (drawn > 0) & (self.received == self.looks[self.look]))
        counts, invalid = self.counts[ready, :-1], self.counts[ready, -1]
        done = decide(self.image[ready], self.look[ready], counts, invalid) if len(ready) else np.zeros(0, bool)
        finished = ready[done]
        result = Finished(
            self.image[finished].copy(),
            Votes(counts[done].astype(np.int32), invalid[done].astype(np.int32)),
            self.received[finished].copy(),
        )
        self.look[ready[~done]] += 1
        self.image[finished] = -1
        return result


@jax.jit
def _prepare(key: Array, noise: Any, x: Array, ids: Array) -> Slots:
    return Slots(x, jax.vmap(functools.partial(jax.random.fold_in, key))(ids), noise.at(x))


@functools.partial(jax.jit, donate_argnums=0)
def _replace(slots: Slots, fresh: Slots, target: Array) -> Slots:
    return jax.tree.map(lambda old, new: old.at[target].set(new, mode="drop"), slots, fresh)


_count_on_device = jax.jit(count_pairs)


@functools.lru_cache(maxsize=64)
def _count_on_mesh(mesh: Mesh) -> Any:
    mesh = Mesh(mesh.devices, mesh.axis_names)
    everywhere, apart = PartitionSpec(), PartitionSpec(mesh.axis_names)

    def count_here(classify: Classify, slots: Slots, owner: Array, draw: Array, trips: Array) -> Votes:
        keys = jax.random.wrap_key_data(slots.keys, impl="threefry2x32")
        votes = count_pairs(classify, dataclasses.replace(slots, keys=keys), owner[0], draw[0], trips)
        return jax.lax.psum(votes, mesh.axis_names)

    specs = (everywhere, everywhere, apart, apart, everywhere)
    return jax.jit(jax.shard_map(count_here, mesh=mesh, in_specs=specs, out_specs=everywhere, check_vma=False))
