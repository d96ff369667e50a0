"""The voting loop: one compiled loop over full batches of (image, draw) pairs."""

import functools
import math
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxsmooth import _keys
from jaxsmooth._classifier import classified, takes_keys
from jaxsmooth._failures import noted
from jaxsmooth._noise import noise_of, seen_each
from jaxsmooth._program import shapes_of
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, Classify, Noise, Votes
from jaxsmooth.sampling.ballots import WINNER, AbstractBallot


@frozen_pytree
class Slots:
    """Images ready to be sampled, each with the key of its noise and the noise itself.

    Attributes:
        x: float32 ``(slots, dim)``: loops over short trailing axes, such as colours, are not vectorised on CPUs.
        keys: uint32 ``(slots, 2)``, the data of Threefry keys; draw j folds j in. Data, because typed keys
            cannot be put on the devices of other processes.
        noise: the noise at every image, leaves ``(slots,)`` but for those that all share.
        event: the shape of an image; static.
        reference: int32 ``(slots, outputs)``, what draws are counted against; None if they are counted as they are.
    """

    x: Array
    keys: Array
    noise: Noise
    event: tuple[int, ...] = static()
    reference: Any = None


@frozen_pytree
class Listed:
    """Pairs one by one.

    Attributes:
        slot: int32 ``(batches, batch_size)``, the slot of each pair; the number of slots for no pair.
        draw: int32 ``(batches, batch_size)``, the draw of each pair.
        trips: int32, how many of the batches to run.
    """

    slot: Any
    draw: Any
    trips: Any

    def batch_of(self, i: Array, state: tuple[()], batch_size: int, slots: int) -> tuple[Array, Array, tuple[()]]:
        """The slots and draws of batch i."""
        del batch_size, slots
        return self.slot[i], self.draw[i], state

    @property
    def start(self) -> tuple[()]:
        """Nothing is carried from batch to batch."""
        return ()


@frozen_pytree
class Span:
    """A run of (image, draw) pairs in image-major order, as int32 scalars.

    Attributes:
        image: image of the first pair.
        draw: draw of the first pair, in ``[0, n)``.
        steps: batches in the run; the last one may be partial.
        last: pairs in the last batch.
        first: the number of the first draw of every image.
        n: draws per image.
        trips: batches to run, at least ``steps``; devices of a mesh run the same number.
    """

    image: Array
    draw: Array
    steps: Array
    last: Array
    first: Array
    n: Array
    trips: Array

    def batch_of(
        self, i: Array, state: tuple[Array, Array], batch_size: int, slots: int
    ) -> tuple[Array, Array, tuple[Array, Array]]:
        """The slots and draws of batch i, which starts at the pair in ``state``."""
        image, draw = state
        index = jnp.arange(batch_size, dtype=jnp.int32)
        within = draw + index
        valid = (i < self.steps) & ((i < self.steps - 1) | (index < self.last))
        # Pairs past the end vote for an image that does not exist, which the scatter drops.
        slot = jnp.where(valid, image + within // self.n, slots)
        ahead = draw + batch_size
        return slot, self.first + within % self.n, (image + ahead // self.n, ahead % self.n)

    @property
    def start(self) -> tuple[Array, Array]:
        """The first pair."""
        return self.image, self.draw


def make_slots(key_data: Array, noise: Noise, x: Array, image_ids: Array) -> Slots:
    """The images with the keys and the noise that belong to them.

    Args:
        key_data: uint32 ``(2,)``, the data of a Threefry key.
        noise: the noise.
        x: float32 ``(images, *event)``.
        image_ids: int32 ``(images,)``.
    """
    keys = fold_in(jnp.broadcast_to(key_data, (*image_ids.shape, 2)), image_ids)
    return Slots(x.reshape(x.shape[0], -1), keys, noise.at(x), x.shape[1:])


# What is folded into the key of a draw for a classifier that takes keys. No noise reaches this counter.
OF_CLASSIFIER = 2**32 - 1


def scored(classify: Classify, batch: Array, key_data: Array | None = None) -> Array:
    """The scores of a batch.

    Args:
        classify: the classifier.
        batch: ``(batch, *event)``.
        key_data: uint32 ``(batch, 2)``, data of Threefry keys, for a classifier that takes keys; zeros for its shape.
    """
    with noted(batch.shape):
        if not takes_keys(classify):
            return classify(batch)
        if key_data is None:
            key_data = jnp.zeros((batch.shape[0], 2), jnp.uint32)
        return classified(classify, batch, jax.random.wrap_key_data(key_data, impl="threefry2x32"))


@functools.partial(jax.jit, static_argnames="program")
def call(classify: Classify, batch: Array, key_data: Array | None = None, *, program: Hashable) -> Array:
    """``scored`` under ``jit``, so that looking up its shape and running it share one trace.

    Args:
        classify: the classifier.
        batch: ``(batch, *event)``.
        key_data: as for ``scored``.
        program: what is known of the classifier.
    """
    del program
    return scored(classify, batch, key_data)


@functools.partial(jax.jit, static_argnames=("program", "batch_size", "ballot", "mesh", "axes"))
def count(
    classify: Classify,
    slots: Slots,
    pairs: Listed | Span,
    *,
    program: Hashable,
    batch_size: int,
    ballot: AbstractBallot = WINNER,
    mesh: Mesh | None = None,
    axes: tuple[str, ...] = (),
) -> Votes:
    """Count the votes of some pairs, for every slot; zero for slots without one.

    Args:
        classify: ``(batch, *event) -> (batch, classes)``.
        slots: the images.
        pairs: which draws; on a mesh its leaves have a leading axis, one entry for each device.
        program: what is known of the classifier, the noise and the ballot.
        batch_size: pairs in a batch of one device.
        ballot: what the scores of a draw count for.
        mesh: the mesh, with automatic axes, or None.
        axes: the axes of the mesh that the devices' entries are spread over.

    Returns:
        The votes; on a mesh those of each device, with a leading axis: a sum in here would have all devices wait for
        the slowest.
    """
    if mesh is None:
        return _count_pairs(classify, slots, pairs, program, batch_size, ballot)

    def on_each(classify: Classify, slots: Slots, pairs: Listed | Span) -> Votes:
        mine = jax.tree.map(lambda leaf: leaf[0], pairs)
        return jax.tree.map(lambda leaf: leaf[None], _count_pairs(classify, slots, mine, program, batch_size, ballot))

    everywhere, apart = PartitionSpec(), PartitionSpec(axes)
    # The user's network may hold loops that know nothing of varying axes, hence check_vma=False.
    return jax.shard_map(
        on_each, mesh=mesh, axis_names=set(axes), in_specs=(everywhere, everywhere, apart), out_specs=apart,
        check_vma=False,
    )(classify, slots, pairs)  # fmt: skip


@functools.partial(jax.jit, static_argnames=("program", "batch_size", "ballot", "mesh", "axes"))
def count_images(
    key_data: Array,
    classify: Classify,
    noise: Noise,
    x: Array,
    image_ids: Array,
    pairs: Span,
    *,
    program: Hashable,
    batch_size: int,
    ballot: AbstractBallot = WINNER,
    mesh: Mesh | None = None,
    axes: tuple[str, ...] = (),
) -> Votes:
    """``count`` for images that are not in slots yet: as in ``make_slots`` and ``count``."""
    slots = make_slots(key_data, noise, x, image_ids)
    return count(classify, slots, pairs, program=program, batch_size=batch_size, ballot=ballot, mesh=mesh, axes=axes)


def _count_pairs(
    classify: Classify,
    slots: Slots,
    pairs: Listed | Span,
    program: Hashable,
    batch_size: int,
    ballot: AbstractBallot,
) -> Votes:
    number, scores_of = slots.keys.shape[0], functools.partial(call, program=program)

    def step(i: Array, carry: tuple[Array, Any]) -> tuple[Array, Any]:
        counts, state = carry
        slot, draw, state = pairs.batch_of(i, state, batch_size, number)
        return _count_batch(counts, scores_of, classify, slots, slot, draw, ballot), state

    batch = jax.ShapeDtypeStruct((batch_size, *slots.event), jnp.float32)
    width = ballot.width(shapes_of(scores_of, classify, batch).shape[1:])
    start = (jnp.zeros((number, width + 1), jnp.int32), pairs.start)
    start = jax.tree.map(lambda leaf: _like_inputs(leaf, classify, slots, pairs), start)
    counts, _ = jax.lax.fori_loop(0, pairs.trips, step, start)
    return Votes(counts[:, :-1], counts[:, -1])


def _count_batch(
    counts: Array,
    scores_of: Callable[..., Array],
    classify: Classify,
    slots: Slots,
    slot: Array,
    draw: Array,
    ballot: AbstractBallot,
) -> Array:
    """Add the votes of one batch of pairs to ``(slots, width + 1)``, the last column for nobody."""
    key_data, noisy = noisy_images(slots, jnp.minimum(slot, slots.keys.shape[0] - 1), draw)
    own: tuple[Array, ...] = ()
    if takes_keys(classify):
        own = (fold_in(key_data, jnp.full(draw.shape, np.uint32(OF_CLASSIFIER))),)
    scores = scores_of(classify, noisy, *own)
    return ballot.count(counts, scores, slot, draw, slots.reference)


def noisy_images(slots: Slots, source: Array, draw: Array) -> tuple[Array, Array]:
    """The key data of some draws, and what the classifier is fed.

    Args:
        slots: the images.
        source: int32 ``(pairs,)``, the slot of each draw.
        draw: int32 ``(pairs,)``, its number.
    """
    key_data = fold_in(slots.keys[source], draw)
    keys = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    x = slots.x[source].reshape(-1, *slots.event)
    return key_data, seen_each(noise_of(slots.noise, source), keys, draw, x)


def fold_in(key_data: Array, data: Array) -> Array:
    """``jax.random.fold_in`` of the data of Threefry keys ``(n, 2)``, written out: compiled in half the time."""
    counter = (jnp.zeros(data.shape, jnp.uint32), data.astype(jnp.uint32))
    return jnp.stack(_keys.threefry((key_data[:, 0], key_data[:, 1]), counter), -1)


def _like_inputs(value: Array, *inputs: Any) -> Array:
    """``value``, varying over the manual mesh axes that any input varies over, as a loop's start must."""
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return value
    for leaf in jax.tree.leaves(inputs):
        if not leaf.size:
            continue
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        value += 0 * leaf.reshape(-1)[0].astype(jnp.int32)
    return value


def spans(images: int, n: int, *, first: Any, batch_size: int, devices: int) -> Span:
    """All pairs of ``n`` draws of some images, divided into one contiguous run per device, as NumPy ``(devices,)``.

    Raises:
        ValueError: if a device would get more batches than int32 numbers.
    """
    pairs = images * n
    share = -(-pairs // devices)
    trips = math.ceil(share / batch_size)
    if trips >= 2**31:
        raise ValueError(f"{images} images of n = {n} draws must be fewer than 2**31 batches; use a larger batch_size")
    starts = [min(device * share, pairs) for device in range(devices)]
    sizes = [min(share, pairs - start) for start in starts]
    columns = [
        (start // n, start % n, -(-size // batch_size), (size - 1) % batch_size + 1 if size else 0)
        for start, size in zip(starts, sizes, strict=True)
    ]
    same = lambda value: jnp.broadcast_to(value, (devices,))
    image, draw, steps, last = (jnp.asarray(column, jnp.int32) for column in zip(*columns, strict=True))
    return Span(image, draw, steps, last, same(first), same(jnp.int32(n)), same(jnp.int32(trips)))
