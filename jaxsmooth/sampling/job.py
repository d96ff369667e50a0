"""A sampling job: checked inputs and the compiled loop that counts their votes, on one device or a mesh."""

import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxsmooth import _check
from jaxsmooth._progress import Done, progress_bar
from jaxsmooth._types import Array, Classify, Votes
from jaxsmooth.interop.failures import Watch
from jaxsmooth.sampling import batching, fingerprint, inputs, placement
from jaxsmooth.sampling.fetch import fetch
from jaxsmooth.sampling.kernel import Span, count_span
from jaxsmooth.sampling.recording import Recording, votes_of
from jaxsmooth.sampling.suspicious import warn_of_suspicious

# Calls long enough to hide the cost of starting one: this many batches on every device.
_BATCHES_PER_CALL = 64


@dataclasses.dataclass(frozen=True)
class SamplingJob:
    """Checked inputs of one sampling run, and how to run it.

    Attributes:
        key_data: uint32 ``(2,)``, the data of a Threefry key.
        classify: the classifier, a pytree.
        noise: the noise, with float32 leaves.
        x: ``(images, *event)``, floating point and finite; of a stream, its first batch.
        image_ids: int32 ``(images,)``; of a stream, those of its first batch.
        classes: number of classes.
        batch_size: pairs per device batch.
        mesh: the mesh, with automatic axes, or None for one device.
        axes: the axes of the mesh that draws are spread over.
        most: images in a call at most: one number for all batches of a stream, so that they share a program.
        later: the rest of a stream of images; None if ``x`` is all there is.
        recording: the ledger, or None.
        watch: the programs under way.
    """

    key_data: Array
    classify: Classify
    noise: Any
    x: Any
    image_ids: Any
    classes: int
    batch_size: int
    mesh: Mesh | None
    axes: tuple[str, ...]
    most: int
    later: Iterator[Any] | None = None
    recording: Recording | None = None
    watch: Watch = dataclasses.field(default_factory=Watch, compare=False)

    @property
    def images(self) -> int | None:
        """How many images there are; None for a stream."""
        return self.x.shape[0] if self.later is None else None

    @property
    def dim(self) -> int:
        """Coordinates of one image."""
        return math.prod(self.x.shape[1:])

    @property
    def devices(self) -> int:
        """Devices the pairs are spread over."""
        return 1 if self.mesh is None else placement.axes_size(self.mesh, self.axes)

    def batches(self) -> Iterator["SamplingJob"]:
        """A job for each batch of a stream, with the ids that ``events`` gives its images."""
        yield dataclasses.replace(self, later=None)
        arrived = self.x.shape[0]
        for batch in self.later or ():
            x = self._like_first(batch)
            ids = np.arange(arrived, arrived + len(x), dtype=np.int32)
            yield dataclasses.replace(self, x=x, image_ids=ids, later=None)
            arrived += len(x)

    def events(self) -> Iterator[tuple[np.ndarray, int]]:
        """The images one by one, with their ids; a stream is read as it is needed."""
        for job in self.batches():
            yield from zip(np.asarray(job.x, np.float32), np.asarray(job.image_ids).tolist(), strict=True)

    @functools.cached_property
    def noise_on_mesh(self) -> Any:
        """The noise on all devices of the mesh."""
        return placement.on_mesh(self.noise, self.mesh)

    def _like_first(self, batch: Any) -> Any:
        x = inputs.images(batch)
        x = x if self.mesh is None else np.asarray(x)
        if x.shape[1:] != self.x.shape[1:]:
            raise ValueError(f"x must have images of one shape; got {x.shape[1:]} after {self.x.shape[1:]}")
        return x

    def count(self, x: Any, image_ids: Any, n: int, *, first: Any = 0, images: int | None = None) -> Votes:
        """Start counting ``n`` draws for the first ``images`` (all by default) of ``x``; others get none.

        On a mesh the votes of each device, ``(devices, images, ...)``: see ``fetch``.
        """
        first = inputs.first_draw(first, n)
        spans, trips = _as_int32(*_split(x.shape[0] if images is None else images, n, self.batch_size, self.devices))
        if self.mesh is None:
            span = Span(*(column[0] for column in spans))
            return self.watch.start(
                _count_on_device, self.key_data, self.classify, self.noise, x, image_ids, first, np.int32(n), span,
                trips, batch_size=self.batch_size,
            )  # fmt: skip
        count = _count_on_mesh(self.mesh, self.axes, self.batch_size)
        with placement.within(self.mesh):
            return self.watch.start(
                count, self.key_data, self.classify, self.noise_on_mesh, x, image_ids, first, np.int32(n), spans, trips
            )

    def count_in_chunks(self, n: int, members: np.ndarray, *, first: int = 0) -> Iterator[tuple[np.ndarray, Votes]]:
        """Count ``n`` draws for the images at these places, a few a call; NumPy votes, in order.

        Every call has the same shapes, so there is one program; the next call is started before the
        counts of the last one are fetched, so the device does not wait for the host.
        """
        size = min(self.most, math.ceil(_BATCHES_PER_CALL * self.devices * self.batch_size / n))
        pending: tuple[np.ndarray, Votes] | None = None
        for start in range(0, len(members), size):
            chunk = members[start : start + size]
            # The last chunk is filled up with its first image, which gets no draws.
            pick = np.concatenate([chunk, np.full(size - len(chunk), chunk[0])])
            votes = self.count(self.x[pick], self.image_ids[pick], n, first=first, images=len(chunk))
            if pending is not None:
                yield pending[0], self.fetch(pending[1])[: len(pending[0])]
            pending = chunk, votes
        if pending is not None:
            yield pending[0], self.fetch(pending[1])[: len(pending[0])]

    def fetch(self, votes: Votes) -> Votes:
        """What was counted, on the host; raises what the classifier raised."""
        return fetch(self.watch, votes, self.mesh)

    def count_all(
        self, n: int, *, first: int = 0, progress: str | None = None, certified: Callable[..., int] | None = None
    ) -> Votes:
        """Count ``n`` draws for every image; NumPy votes.

        Draws that the ledger holds are not drawn again; the others are written to it.

        Args:
            n: draws.
            first: the number of the first one.
            progress: the name of a progress bar to show, or None.
            certified: how many of the images at these places their finished votes certify, for the bar.
        """
        total = self.x.shape[0]
        votes = Votes(np.zeros((total, self.classes), np.int32), np.zeros(total, np.int32))
        reached = np.full(total, first)
        if self.recording is not None:
            reached = self._recall(votes, first, first + n)
        tally = certified if progress else None
        steps = self._count_missing(votes, reached, first + n, tally)
        for _ in progress_bar(progress is not None, progress or "", total, steps, lambda done: done):
            pass
        return votes

    def _recall(self, votes: Votes, first: int, last: int) -> np.ndarray:
        """Fill in recorded votes of the draws ``first`` to ``last - 1``; one past the last known of each image."""
        assert self.recording is not None
        reached = np.full(self.x.shape[0], first)
        for i, (image, pixels) in enumerate(self._identities):
            ends = self.recording.known_ends(image, pixels, first)
            reached[i] = max(end for end in ends if end <= last)
            known = self.recording.known.dense([ends[int(reached[i])]])
            votes.counts[i], votes.invalid[i] = known.counts[0], known.invalid[0]
        return reached

    def _count_missing(
        self, votes: Votes, reached: np.ndarray, last: int, certified: Callable[..., int] | None
    ) -> Iterator[Done]:
        """Add the draws from ``reached`` to ``last - 1`` of every image, and record them."""
        finished = np.flatnonzero(reached == last)
        yield Done(len(finished), 0, certified(finished, votes) if certified else None)
        for start in np.unique(reached[reached < last]).tolist():
            draws, members = last - start, np.flatnonzero(reached == start)
            for images, new in self.count_in_chunks(draws, members, first=start):
                votes.counts[images] += new.counts
                votes.invalid[images] += new.invalid
                if self.recording is not None:
                    segments = votes_of(new.counts, new.invalid)
                    self.recording.append(
                        [
                            (*self._identities[i], start, [(draws, counts)])
                            for i, counts in zip(images.tolist(), segments, strict=True)
                        ]
                    )
                yield Done(len(images), len(images) * draws, certified(images, votes) if certified else None)

    @functools.cached_property
    def _identities(self) -> list[tuple[int, str]]:
        """The id and the digest of every image, as the ledger knows them."""
        digests = [fingerprint.image_digest(event) for event in np.asarray(self.x, np.float32)]
        return list(zip(np.asarray(self.image_ids).tolist(), digests, strict=True))


@contextlib.contextmanager
def sampling_job(
    key: Any,
    classify: Any,
    noise: Any,
    x: Any,
    *,
    image_ids: Any,
    draws: Any,
    batch_size: int | None,
    mesh: Mesh | None,
    ledger: str | os.PathLike[str] | None = None,
) -> Iterator[SamplingJob]:
    """Check the inputs of a sampling run; ``draws`` per image tell how much there is to do.

    A context: the ledger is closed at its end. ``x`` may be an iterator of batches where the caller reads
    images by ``SamplingJob.events`` or ``SamplingJob.batches``.
    """
    if mesh is not None and not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a jax.sharding.Mesh (jax.make_mesh); got {type(mesh).__name__}")
    with placement.within(None if mesh is None else placement.automatic(mesh)):
        job = _checked_job(key, classify, noise, x, image_ids, draws, batch_size, mesh)
        if ledger is not None:
            job = dataclasses.replace(job, recording=_open_recording(ledger, job))
    try:
        yield job
    finally:
        if job.recording is not None:
            job.recording.close()


def _checked_job(
    key: Any, classify: Any, noise: Any, x: Any, image_ids: Any, draws: Any, batch_size: int | None, mesh: Mesh | None
) -> SamplingJob:
    draws = _check.draws("n", draws)
    if batch_size is not None:
        batch_size = _check.integer("batch_size", batch_size, at_least=1)
    key = inputs.typed_key(key)
    classify = inputs.as_pytree(classify)
    noise = inputs.one_sigma(inputs.checked_noise(noise))
    later = None
    if isinstance(x, Iterator):
        if image_ids is not None:
            raise ValueError("image_ids must be None for a stream of images, which are numbered as they come")
        later, x = x, next(x, None)
        if x is None:
            raise ValueError("x must hold at least one image; got an empty iterator")
    x = inputs.images(x)
    ids = inputs.image_ids(image_ids, x.shape[0])
    key_data: Any = jax.random.key_data(key)
    axes: tuple[str, ...] = ()
    if mesh is not None:
        axes = placement.draw_axes(mesh, classify)
        classify, mesh = placement.on_mesh(classify, mesh), placement.automatic(mesh)
        # jit puts NumPy arrays where the mesh is, and those that are not committed to a device.
        x, ids, key_data = (v if _check.is_traced(v) else np.asarray(v) for v in (x, ids, key_data))
        key, noise = placement.uncommitted((key, noise), mesh)
    classes = inputs.check_classifier(classify, x)
    warn_of_suspicious(classify, noise, x)
    if batch_size is None:
        batch_size = batching.pick_batch_size(key, classify, noise, x, draws, mesh)
    return SamplingJob(key_data, classify, noise, x, ids, classes, batch_size, mesh, axes, x.shape[0], later)


def _open_recording(path: Any, job: SamplingJob) -> Recording:
    path = _check.path("ledger", path)
    header = fingerprint.run_header(job.key_data, job.classify, job.noise, job.x.shape[1:], job.classes, job.mesh)
    return Recording(path, header, shared=placement.spans_processes(job.mesh))


_count_on_device = jax.jit(count_span, static_argnames=("batch_size",))


@functools.lru_cache(maxsize=64)
def _count_on_mesh(mesh: Mesh, axes: tuple[str, ...], batch_size: int) -> Any:
    """The voting loop on every device of a mesh, each with its own span and its own counts."""
    everywhere, apart = PartitionSpec(), PartitionSpec(axes)

    def count_here(
        key_data: Array, classify: Any, noise: Any, x: Array, ids: Array, first: Array, n: Array, spans: Span,
        trips: Array,
    ) -> Votes:  # fmt: skip
        span = Span(*(column[0] for column in spans))
        votes = count_span(key_data, classify, noise, x, ids, first, n, span, trips, batch_size=batch_size)
        return jax.tree.map(lambda leaf: leaf[None], votes)

    specs = (everywhere,) * 7 + (apart, everywhere)
    # The user's network may hold loops that know nothing of varying axes, hence check_vma=False.
    return jax.jit(
        jax.shard_map(count_here, mesh=mesh, axis_names=set(axes), in_specs=specs, out_specs=apart, check_vma=False)
    )


def _split(images: int, n: int, batch_size: int, devices: int) -> tuple[Span, int]:
    """Divide all pairs into one contiguous run per device; also the batches of the longest run."""
    images, n = int(images), int(n)  # integers of a fixed width would overflow
    pairs = images * n
    share = -(-pairs // devices)
    starts = [min(device * share, pairs) for device in range(devices)]
    sizes = [min(share, pairs - start) for start in starts]
    columns = [
        (start // n, start % n, -(-size // batch_size), (size - 1) % batch_size + 1 if size else 0)
        for start, size in zip(starts, sizes, strict=True)
    ]
    return Span(*(np.array(column, np.int64) for column in zip(*columns, strict=True))), -(-share // batch_size)


def _as_int32(spans: Span, trips: int) -> tuple[Span, np.int32]:
    """The plan as devices number it."""
    if trips >= 2**31:
        raise ValueError(
            f"n draws of all images must be fewer than 2**31 batches; got {trips}. Use a larger batch_size"
        )
    return Span(*(column.astype(np.int32) for column in spans)), np.int32(trips)
