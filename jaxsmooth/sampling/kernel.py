"""The voting loop: one compiled loop over full batches of (image, draw) pairs."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array, Classify, Votes
from jaxsmooth.interop.failures import noted


class Span(NamedTuple):
    """A run of (image, draw) pairs in image-major order, as int32 scalars.

    Attributes:
        image: image of the first pair.
        draw: draw of the first pair, in ``[0, draws)``.
        steps: batches in the run; the last one may be partial.
        last: pairs in the last batch.
    """

    image: Any
    draw: Any
    steps: Any
    last: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Slots:
    """Images ready to be sampled, each with the key of its noise and the noise itself.

    Attributes:
        x: float32 ``(images, *event)``.
        keys: uint32 ``(images, 2)``, the data of Threefry keys; draw j folds j in. Data, because typed keys
            cannot be put on the devices of other processes.
        noise: the noise at every image, leaves ``(images,)``.
    """

    x: Array
    keys: Array
    noise: Any


def make_slots(key_data: Array, noise: Any, x: Array, image_ids: Array) -> Slots:
    """The images with the keys and the noise that belong to them."""
    keys = jax.vmap(functools.partial(jax.random.fold_in, _typed(key_data)))(image_ids)
    return Slots(x, jax.random.key_data(keys), noise.at(x))


def _typed(key_data: Array) -> Array:
    return jax.random.wrap_key_data(key_data, impl="threefry2x32")


@jax.jit
def call(classify: Classify, batch: Array) -> Array:
    """The scores of a batch. Under ``jit`` so that looking up its shape and running it share one trace."""
    with noted(batch.shape):
        return classify(batch)


def count_span(
    key_data: Array,
    classify: Classify,
    noise: Any,
    x: Array,
    image_ids: Array,
    first: Array,
    draws: Array,
    span: Span,
    trips: Array,
    *,
    batch_size: int,
) -> Votes:
    """Count the votes of one span of pairs.

    Args:
        key_data: uint32 ``(2,)``, the data of a Threefry key; the noise of draw j of image i depends on it,
            ``image_ids[i]`` and j alone.
        classify: ``(batch, *event) -> (batch, classes)``.
        noise: the noise.
        x: float32 ``(images, *event)``.
        image_ids: int32 ``(images,)``.
        first: int32, the number of the first draw of every image.
        draws: int32, draws per image.
        span: the pairs to count.
        trips: int32, batches to run, at least ``span.steps``; devices of a mesh run the same number.
        batch_size: pairs in a batch.

    Returns:
        The votes, zero for images outside the span.
    """
    images = x.shape[0]
    slots = make_slots(key_data, noise, x, image_ids)
    slot = jnp.arange(batch_size, dtype=jnp.int32)

    def step(i: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        counts, image, draw = carry
        within = draw + slot
        valid = (i < span.steps) & ((i < span.steps - 1) | (slot < span.last))
        # Slots past the end vote for an image that does not exist, which the scatter drops.
        owner = jnp.where(valid, image + within // draws, images)
        counts = _count_batch(counts, classify, slots, owner, first + within % draws)
        ahead = draw + batch_size
        return counts, image + ahead // draws, ahead % draws

    counts = _no_counts(classify, x, batch_size)
    counts = _like_inputs(counts, key_data, classify, noise, x, first, span)
    start = (counts, *(_like_inputs(jnp.int32(v), counts) for v in (span.image, span.draw)))
    counts, _, _ = jax.lax.fori_loop(0, trips, step, start)
    return Votes(counts[:, :-1], counts[:, -1])


def count_pairs(classify: Classify, slots: Slots, owner: Array, draw: Array, trips: Array) -> Votes:
    """Count the votes of listed pairs.

    Args:
        classify: ``(batch, *event) -> (batch, classes)``.
        slots: the images.
        owner: int32 ``(batches, batch_size)``, the slot of each pair; the number of slots for no pair.
        draw: int32 ``(batches, batch_size)``, the draw of each pair.
        trips: int32, how many of the batches to run.

    Returns:
        The votes of every slot.
    """
    step = lambda i, counts: _count_batch(counts, classify, slots, owner[i], draw[i])
    counts = jax.lax.fori_loop(0, trips, step, _no_counts(classify, slots.x, owner.shape[1]))
    return Votes(counts[:, :-1], counts[:, -1])


def _count_batch(counts: Array, classify: Classify, slots: Slots, owner: Array, draw: Array) -> Array:
    """Add the votes of one batch of pairs to ``(images, classes + 1)``, the last column for nobody."""
    source = jnp.minimum(owner, slots.x.shape[0] - 1)
    event = slots.x.shape[1:]
    keys = jax.vmap(jax.random.fold_in)(_typed(slots.keys[source]), draw)
    noises = jax.tree.map(lambda leaf: leaf[source], slots.noise)
    delta = jax.vmap(lambda noise, key: noise.sample(key, event))(noises, keys)
    scores = call(classify, slots.x[source] + delta)
    return counts.at[owner, _winner(scores)].add(1, mode="drop")


def _no_counts(classify: Classify, x: Array, batch_size: int) -> Array:
    """Zeros ``(images, classes + 1)``."""
    batch = jax.ShapeDtypeStruct((batch_size, *x.shape[1:]), jnp.float32)
    return jnp.zeros((x.shape[0], jax.eval_shape(call, classify, batch).shape[1] + 1), jnp.int32)


def _winner(scores: Array) -> Array:
    """The class of the largest score; one past the last class for a row that has no such class.

    A score of -inf loses and one of +inf wins. NaN, +inf twice and -inf everywhere decide nothing.
    """
    decides = ~jnp.isnan(scores).any(-1) & ~jnp.isneginf(scores).all(-1) & (jnp.isposinf(scores).sum(-1) <= 1)
    return jnp.where(decides, jnp.argmax(scores, -1), scores.shape[1])


def _like_inputs(value: Array, *inputs: Any) -> Array:
    """``value``, varying over the manual mesh axes that any input varies over, as a loop's start must."""
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return value
    for leaf in jax.tree.leaves(inputs):
        value += 0 * leaf.reshape(-1)[0].astype(jnp.int32)
    return value
