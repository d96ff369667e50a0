"""A sampler: a checked key, classifier and noise, and how to count their votes, on one device or a mesh."""

import contextlib
import dataclasses
import functools
import logging
import math
from collections.abc import Hashable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._failures import Watch
from jaxsmooth._processes import from_first_process, require_same
from jaxsmooth._program import classes_of, find_counters, find_program, is_of_library, program_from
from jaxsmooth._types import Array, Classify, Noise, Votes
from jaxsmooth.ledger.fingerprint import traced_ballot
from jaxsmooth.sampling import batching, inputs, kernel, placement
from jaxsmooth.sampling.ballots import WINNER, AbstractBallot
from jaxsmooth.sampling.fetch import fetch
from jaxsmooth.sampling.suspicious import check_rows, warn_of_units

_log = logging.getLogger("jaxsmooth")


@dataclasses.dataclass(frozen=True)
class Sampler:
    """What draws the votes of images.

    Attributes:
        key_data: uint32 ``(2,)``, the data of a Threefry key.
        classify: the classifier, a pytree.
        noise: the noise, its numbers float32.
        event: the shape of an image.
        shape: the shape of what the classifier returns for one image, ``(classes,)``.
        ballot: what the scores of a draw count for.
        batch_size: pairs in a batch of one device.
        mesh: the mesh, with automatic axes, or None for one device.
        axes: the axes of the mesh that draws are spread over.
        program: what is known of the classifier, the noise and the ballot.
        kind: what a vote is; see ``Votes.kind``.
        watch: the programs under way.
    """

    key_data: Array
    classify: Classify
    noise: Noise
    event: tuple[int, ...]
    shape: tuple[int, ...]
    ballot: AbstractBallot
    batch_size: int
    mesh: Mesh | None
    axes: tuple[str, ...]
    program: Hashable
    kind: str
    watch: Watch = dataclasses.field(default_factory=Watch, compare=False)

    @property
    def dim(self) -> int:
        """Coordinates of one image."""
        return math.prod(self.event)

    @property
    def classes(self) -> int:
        """The number of classes: the last axis of what the classifier returns."""
        return self.shape[-1] if self.shape else 1

    @property
    def width(self) -> int:
        """How many votes an image has, but for the last one."""
        return self.ballot.width(self.shape)

    @property
    def choices(self) -> int:
        """How many classes the first draws choose for an image; none where votes are counted as they are."""
        return self.width if self.ballot.selecting else 0

    @property
    def devices(self) -> int:
        """Devices the pairs are spread over."""
        return 1 if self.mesh is None else placement.axes_size(self.mesh, self.axes)

    @functools.cached_property
    def noise_on_mesh(self) -> Noise:
        """The noise on all devices of the mesh."""
        return placement.on_mesh(self.noise, self.mesh)

    def count(self, x: Any, image_ids: Any, n: int, *, first: Any = 0) -> Votes:
        """Start counting ``n`` draws for every image; on a mesh the votes of each device, see ``fetch``."""
        first = _check.first_draw(first, n)
        pairs = kernel.spans(x.shape[0], n, first=first, batch_size=self.batch_size, devices=self.devices)
        if self.mesh is None:
            pairs = jax.tree.map(lambda leaf: leaf[0], pairs)
        arguments = (self.key_data, self.classify, self.noise_on_mesh, x, image_ids, pairs)
        with placement.within(self.mesh):
            return self.watch.start(kernel.count_images, *arguments, **self._options)

    def count_listed(self, slots: kernel.Slots, pairs: kernel.Listed, ballot: AbstractBallot | None = None) -> Votes:
        """Start counting listed pairs; on a mesh the votes of each device, see ``fetch``."""
        options = {**self._options, "ballot": self.ballot if ballot is None else ballot}
        with placement.within(self.mesh):
            return self.watch.start(kernel.count, self.classify, slots, pairs, **options)

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "program": self.program, "batch_size": self.batch_size, "ballot": self.ballot, "mesh": self.mesh,
            "axes": self.axes,
        }  # fmt: skip

    def fetch(self, votes: Votes) -> Votes:
        """What was counted, on the host; raises what the classifier raised."""
        return self.marked(fetch(self.watch, votes, self.mesh))

    def require_same(self, what: str, *values: Any) -> None:
        """Refuse values that differ between the processes that take part."""
        if _is_shared(self.mesh, self.key_data, self.classify, self.noise, *values):
            require_same(what, *values)

    def marked(self, votes: Votes) -> Votes:
        """The votes with what they are."""
        return votes if votes.kind == self.kind else Votes(votes.counts, votes.invalid, self.kind)


@contextlib.contextmanager
def sampler(
    key: Any,
    classify: Any,
    noise: Any,
    x: Any,
    *,
    batch_size: int | None,
    mesh: Mesh | None,
    most: int | None = None,
    ballot: AbstractBallot = WINNER,
) -> Iterator[Sampler]:
    """Check what is to be sampled.

    A context, within which the mesh has automatic axes.

    Args:
        key: a JAX random key.
        classify: the classifier.
        noise: the noise.
        x: checked images, the first of a stream; their shape counts.
        batch_size: pairs in a batch, or None.
        mesh: the mesh, or None.
        most: pairs that there are in all, if no other run is to share the program.
        ballot: what the scores of a draw count for.
    """
    if mesh is not None and not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a jax.sharding.Mesh (jax.make_mesh); got {type(mesh).__name__}")
    # A key may have been made on the mesh as the caller has set it, with explicit axes.
    key_data: Any = jax.random.key_data(_check.typed_key(key))
    if mesh is not None:
        key_data = inputs.on_host(key_data)
    placement.refuse_some_of_the_processes(mesh)
    with placement.within(None if mesh is None else placement.automatic(mesh)):
        yield _checked(key_data, classify, noise, x, batch_size, mesh, most, ballot)


@functools.cache
def _say_once_how_to_use_cores(cores: int) -> None:
    if cores > 1:
        _log.info(placement.MORE_DEVICES.format(cores=cores))


def _checked(
    key_data: Any,
    classify: Any,
    noise: Any,
    x: Any,
    batch_size: Any,
    mesh: Mesh | None,
    most: int | None,
    ballot: AbstractBallot,
) -> Sampler:
    batch_size = _check.batch_size(batch_size)
    given = classify = inputs.as_pytree(classify, numbers=not ballot.compares_scores)
    noise = _check.noise_of_one_sigma(_check.float32_noise(noise))
    axes: tuple[str, ...] = ()
    if mesh is not None:
        axes = placement.draw_axes(mesh, classify)
        classify, mesh = placement.on_mesh(classify, mesh), placement.automatic(mesh)
        # jit puts values where the mesh is, unless they are committed to a device.
        noise, x = placement.uncommitted(noise, mesh), inputs.on_host(x)
    kind = inputs.kind_of_votes(classify)
    ballot.check_kind(kind)
    shape, found = inputs.traced_output(classify, x, ballot)
    inputs.check_fit(classify, noise, x)
    if not _check.is_traced(classify, noise, x):
        warn_of_units(noise, x)
        check_rows(classify, noise, x, found, compared=ballot.compares_scores)
        find_counters(found, *inputs.example(classify, x))
    if mesh is None:
        _say_once_how_to_use_cores(placement.idle_cores())
    is_picked = batch_size is None
    if batch_size is None:
        batch_size = batching.pick_batch_size(classify, x, mesh, most, scores=math.prod(shape), found=found)
    programs = (found.program, _of_noise(noise, x.shape[1:]), _of_ballot(ballot, shape))
    if _is_shared(mesh, key_data, classify, noise, x):
        # Processes divide the draws of every step as they see it; functions are timed by each for itself. What a
        # function closes over is a constant of its trace.
        traces = [trace for one in programs if isinstance(trace := getattr(one, "trace", None), bytes)]
        said = -1 if is_picked else batch_size
        require_same("key, classify, noise, x and batch_size", key_data, given, noise, x, said, traces)
        batch_size = int(from_first_process(str(batch_size).encode())) if is_picked else batch_size
    return Sampler(key_data, classify, noise, x.shape[1:], shape, ballot, batch_size, mesh, axes, programs, kind)


def _is_shared(mesh: Mesh | None, *values: Any) -> bool:
    """Whether several processes take part, each with such values."""
    return placement.spans_processes(mesh) and not _check.is_traced(*values)


def _of_noise(noise: Noise, event: tuple[int, ...]) -> Hashable:
    """The program of a noise; one of the library is known by its classes, unless it holds a function of a user."""
    if is_of_library(noise):
        return classes_of(noise)
    number, key_data = jax.ShapeDtypeStruct((2,), jnp.int32), jax.ShapeDtypeStruct((2,), jnp.uint32)
    return find_program(_seen, key_data, noise, jax.ShapeDtypeStruct((2, *event), jnp.float32), number, number).program


def _seen(key_data: Array, noise: Noise, x: Array, image_ids: Array, draws: Array) -> Array:
    """What the classifier is fed in these draws of these images."""
    return kernel.noisy_images(kernel.make_slots(key_data, noise, x, image_ids), image_ids, draws)[1]


def _of_ballot(ballot: AbstractBallot, shape: tuple[int, ...]) -> Hashable:
    """The program of a ballot; equal ones of the library are the same."""
    program = traced_ballot(ballot, shape)
    return None if program is None else program_from(program, None)
