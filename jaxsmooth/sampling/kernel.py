"""The voting loop: one compiled loop over full batches of (image, draw) pairs."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array, Classify, Votes


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


@jax.jit
def call(classify: Classify, batch: Array) -> Array:
    """The scores of a batch. Under ``jit`` so that looking up its shape and running it share one trace."""
    return classify(batch)


def count_span(
    key: Array,
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
        key: a typed key; the noise of draw j of image i depends on it, ``image_ids[i]`` and j alone.
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
    event = x.shape[1:]
    classes = jax.eval_shape(call, classify, jax.ShapeDtypeStruct((batch_size, *event), jnp.float32)).shape[1]
    noise_at = noise.at(x)
    image_keys = jax.vmap(functools.partial(jax.random.fold_in, key))(image_ids)
    slot = jnp.arange(batch_size, dtype=jnp.int32)

    def step(i: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        counts, image, draw = carry
        within = draw + slot
        owner = image + within // draws
        valid = (i < span.steps) & ((i < span.steps - 1) | (slot < span.last))
        # Slots past the end vote for an image that does not exist, which the scatter drops.
        owner = jnp.where(valid, owner, images)
        source = jnp.minimum(owner, images - 1)
        keys = jax.vmap(jax.random.fold_in)(image_keys[source], first + within % draws)
        noises = jax.tree.map(lambda leaf: leaf[source], noise_at)
        delta = jax.vmap(lambda noise, key: noise.sample(key, event))(noises, keys)
        scores = call(classify, x[source] + delta)
        counts = counts.at[owner, _winner(scores, classes)].add(1, mode="drop")
        ahead = draw + batch_size
        return counts, image + ahead // draws, ahead % draws

    counts = _like_inputs(jnp.zeros((images, classes + 1), jnp.int32), key, classify, noise, x, first, span)
    start = (counts, *(_like_inputs(jnp.int32(v), counts) for v in (span.image, span.draw)))
    counts, _, _ = jax.lax.fori_loop(0, trips, step, start)
    return Votes(counts[:, :classes], counts[:, classes])


def _winner(scores: Array, classes: int) -> Array:
    """The class of the largest score; ``classes`` for a row that is not finite, which votes for nobody."""
    finite = jnp.isfinite(scores).all(-1)
    return jnp.where(finite, jnp.argmax(scores, -1), classes)


def _like_inputs(value: Array, *inputs: Any) -> Array:
    """``value``, varying over the manual mesh axes that any input varies over, as a loop's start must."""
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return value
    for leaf in jax.tree.leaves(inputs):
        leaf = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        value += 0 * leaf.reshape(-1)[0].astype(jnp.int32)
    return value
