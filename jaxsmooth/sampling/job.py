"""A sampling job: checked inputs and the compiled loop that counts their votes, on one device or a mesh."""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxsmooth import _check
from jaxsmooth._progress import progress_bar
from jaxsmooth._types import Array, Classify, Votes
from jaxsmooth.sampling import batching, inputs
from jaxsmooth.sampling.kernel import Span, count_span

# Calls long enough to hide the cost of starting one: this many batches on every device.
_BATCHES_PER_CALL = 64


@dataclasses.dataclass(frozen=True)
class SamplingJob:
    """Checked inputs of one sampling run, and how to run it.

    Attributes:
        key: a typed Threefry key.
        classify: the classifier, a pytree.
        noise: the noise, with float32 leaves.
        x: ``(images, *event)``, floating point and finite; of a stream, its first batch.
        image_ids: int32 ``(images,)``; of a stream, those of its first batch.
        classes: number of classes.
        batch_size: pairs per device batch.
        mesh: the mesh, or None for one device.
        later: the rest of a stream of images; None if ``x`` is all there is.
    """

    key: Array
    classify: Classify
    noise: Any
    x: Any
    image_ids: Any
    classes: int
    batch_size: int
    mesh: Mesh | None
    later: Iterator[Any] | None = None

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
        return 1 if self.mesh is None else self.mesh.size

    def events(self) -> Iterator[tuple[np.ndarray, int]]:
        """The images one by one, with their ids; a stream is read as it is needed."""
        yield from zip(np.asarray(self.x, np.float32), np.asarray(self.image_ids).tolist(), strict=True)
        arrived = self.x.shape[0]
        for batch in self.later or ():
            batch = np.asarray(inputs.images(batch))
            if batch.shape[1:] != self.x.shape[1:]:
                raise ValueError(f"x must have images of one shape; got {batch.shape[1:]} after {self.x.shape[1:]}")
            yield from zip(batch, range(arrived, arrived + len(batch)), strict=True)
            arrived += len(batch)

    def count(self, x: Any, image_ids: Any, n: int, *, first: Any = 0, images: int | None = None) -> Votes:
        """Count ``n`` draws for the first ``images`` (all by default) of ``x``; others get none."""
        first = inputs.first_draw(first, n)
        spans, trips = _split(x.shape[0] if images is None else images, n, self.batch_size, self.devices)
        x = jax.numpy.asarray(x, np.float32)
        if self.mesh is None:
            span = Span(*(column[0] for column in spans))
            return _count_on_device(
                self.key, self.classify, self.noise, x, image_ids, first, np.int32(n), span, trips,
                batch_size=self.batch_size,
            )  # fmt: skip
        count = _count_on_mesh(self.mesh, self.batch_size)
        data = jax.random.key_data(self.key)
        return count(data, self.classify, self.noise, x, image_ids, first, np.int32(n), spans, trips)

    def count_in_chunks(self, n: int, *, first: int = 0) -> Iterator[tuple[slice, Votes]]:
        """Count ``n`` draws for every image, a few images a call; NumPy votes, in order.

        Every call has the same shapes, so there is one program; the next call is started before the
        counts of the last one are fetched, so the device does not wait for the host.
        """
        total = self.x.shape[0]
        size = min(total, math.ceil(_BATCHES_PER_CALL * self.devices * self.batch_size / n))
        pending: tuple[slice, Votes] | None = None
        for start in range(0, total, size):
            images = slice(start, min(start + size, total))
            number = images.stop - start
            # The last chunk is filled up with its first image, which gets no draws.
            pick = np.concatenate([np.arange(start, images.stop), np.full(size - number, start)])
            votes = self.count(self.x[pick], self.image_ids[pick], n, first=first, images=number)
            if pending is not None:
                yield pending[0], _on_host(*pending)
            pending = images, votes
        if pending is not None:
            yield pending[0], _on_host(*pending)

    def count_all(self, n: int, *, first: int = 0, progress: str | None = None) -> Votes:
        """Count ``n`` draws for every image; NumPy votes. ``progress`` names a progress bar to show."""
        counts = np.zeros((self.x.shape[0], self.classes), np.int32)
        invalid = np.zeros(self.x.shape[0], np.int32)
        chunks = self.count_in_chunks(n, first=first)
        size = lambda chunk: len(chunk[1].invalid)
        for images, votes in progress_bar(progress is not None, progress or "", self.x.shape[0], chunks, size):
            counts[images], invalid[images] = votes.counts, votes.invalid
        return Votes(counts, invalid)


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
) -> SamplingJob:
    """Check the inputs of a sampling run; ``draws`` per image tell how much there is to do.

    ``x`` may be an iterator of batches where the caller reads images by ``SamplingJob.events``.
    """
    if mesh is not None and not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a jax.sharding.Mesh (jax.make_mesh); got {type(mesh).__name__}")
    draws = _check.integer("n", draws, at_least=1)
    if batch_size is not None:
        batch_size = _check.integer("batch_size", batch_size, at_least=1)
    key = inputs.typed_key(key)
    classify = inputs.as_pytree(classify)
    noise = inputs.checked_noise(noise)
    later = None
    if isinstance(x, Iterator):
        if image_ids is not None:
            raise ValueError("image_ids must be None for a stream of images, which are numbered as they come")
        later, x = x, next(x, None)
        if x is None:
            raise ValueError("x must hold at least one image; got an empty iterator")
    x = inputs.images(x)
    ids = inputs.image_ids(image_ids, x.shape[0])
    classes = inputs.check_classifier(classify, x)
    if batch_size is None:
        batch_size = batching.pick_batch_size(key, classify, noise, x, draws, mesh)
    return SamplingJob(key, classify, noise, x, ids, classes, batch_size, mesh, later)


_count_on_device = jax.jit(count_span, static_argnames=("batch_size",))


@functools.lru_cache(maxsize=64)
def _count_on_mesh(mesh: Mesh, batch_size: int) -> Any:
    """The voting loop on every device of a mesh, each with its own span; counts are summed across them."""
    # Explicit axes, the default of jax.make_mesh, would ask the user to place every argument.
    mesh = Mesh(mesh.devices, mesh.axis_names)
    everywhere, apart = PartitionSpec(), PartitionSpec(mesh.axis_names)

    # A typed key cannot be put on devices of other processes, so its data travels.
    def count_here(
        data: Array, classify: Any, noise: Any, x: Array, ids: Array, first: Array, n: Array, spans: Span, trips: Array
    ) -> Votes:
        key = jax.random.wrap_key_data(data, impl="threefry2x32")
        span = Span(*(column[0] for column in spans))
        votes = count_span(key, classify, noise, x, ids, first, n, span, trips, batch_size=batch_size)
        return jax.lax.psum(votes, mesh.axis_names)

    specs = (everywhere,) * 7 + (apart, everywhere)
    # The user's network may hold loops that know nothing of varying axes, hence check_vma=False.
    return jax.jit(jax.shard_map(count_here, mesh=mesh, in_specs=specs, out_specs=everywhere, check_vma=False))


def _split(images: int, n: int, batch_size: int, devices: int) -> tuple[Span, np.int32]:
    """Divide all pairs into one contiguous run per device; also the batches of the longest run."""
    pairs = images * n
    share = math.ceil(pairs / devices)
    starts = [min(device * share, pairs) for device in range(devices)]
    sizes = [min(share, pairs - start) for start in starts]
    columns = [
        (start // n, start % n, math.ceil(size / batch_size), (size - 1) % batch_size + 1 if size else 0)
        for start, size in zip(starts, sizes, strict=True)
    ]
    spans = Span(*(np.array(column, np.int32) for column in zip(*columns, strict=True)))
    return spans, np.int32(math.ceil(share / batch_size))


def _on_host(images: slice, votes: Votes) -> Votes:
    """The votes of the images of a chunk as NumPy arrays."""
    number = images.stop - images.start
    return Votes(np.asarray(votes.counts)[:number], np.asarray(votes.invalid)[:number])
