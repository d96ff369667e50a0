"""Exact nearest neighbours on the device, in blocks: a shortlist by matrix products, then true distances.

Approximate neighbours would make the mean distance jump, and void the certificate that rests on its Lipschitz
constant. Squared distances by products cancel for near duplicates; they only choose a shortlist, whose distances
are recomputed from differences. Where rounding could have kept a neighbour off the shortlist, which a bound of
its error tells, the distances to all references are computed from differences.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Array
from jaxsmooth.scales.base import one_by_one

_IMAGES = 256
_REFERENCES = 4096
_HALF_ULP = 2.0**-24


@functools.partial(jax.jit, static_argnames=("k",))
def nearest_distances(x: Array, reference: Array, leave_out: Array, *, k: int) -> Array:
    """Distances to the k nearest references, in increasing order.

    The result for an image does not depend on the other images or on how many there are.

    Args:
        x: float32 ``(images, dim)``.
        reference: float32 ``(references, dim)``.
        leave_out: int32 ``(images,)``, one reference to leave out for each image; -1 for none.
        k: how many, at most the references that are not left out.

    Returns:
        float32 ``(images, k)``.
    """
    return nearest_neighbours(x, reference, leave_out, jnp.int32(reference.shape[0]), k=k)[0]


@functools.partial(jax.jit, static_argnames=("k",))
def nearest_neighbours(x: Array, reference: Array, leave_out: Array, count: Array, *, k: int) -> tuple[Array, Array]:
    """The k nearest of the first ``count`` references: distances, and which references they are.

    Sets of several sizes, filled up to one shape with copies of one of their rows, share a program.

    Args:
        x: float32 ``(images, dim)``.
        reference: float32 ``(references, dim)``.
        leave_out: int32 ``(images,)``, one reference to leave out for each image; -1 for none.
        count: int32, how many of the references there are; the rest is filling.
        k: how many; where fewer are not left out, the missing ones are at distance infinity.

    Returns:
        ``(distances, indices)``: float32 and int32 ``(images, k)``, nearest first.
    """
    size = max(1, min(x.shape[0], _IMAGES))
    blocks = math.ceil(x.shape[0] / size)
    padding = blocks * size - x.shape[0]
    x_blocks = jnp.pad(x, ((0, padding), (0, 0))).reshape(blocks, size, x.shape[1])
    left_out = jnp.pad(leave_out, (0, padding), constant_values=-1).reshape(blocks, size)
    norms = jnp.sum(reference**2, -1)
    search = lambda block: _block(block[0], block[1], reference, norms, count, k)
    found = jax.lax.map(search, (x_blocks, left_out))
    return jax.tree.map(lambda leaf: leaf.reshape(blocks * size, k)[: x.shape[0]], found)


def _block(x: Array, leave_out: Array, reference: Array, norms: Array, count: Array, k: int) -> tuple[Array, Array]:
    """The distances and neighbours of one block of images."""
    total, dim = reference.shape
    length = min(2 * k + 8, total)
    x_norms = jnp.sum(x**2, -1)

    def by_products(start: Array, index: Array) -> Array:
        rows = jax.lax.dynamic_slice_in_dim(reference, start, len(index))
        products = jnp.dot(x, rows.T, precision=jax.lax.Precision.HIGHEST)
        return x_norms[:, None] + norms[index][None] - 2 * products

    values, candidates = _smallest(by_products, leave_out, count, total, length)
    # Rounding of norms and products of dim terms, for any order of summation.
    error = 2 * (dim + 8) * _HALF_ULP * (jnp.sqrt(x_norms) + jnp.sqrt(norms.max())) ** 2
    # A short list that holds every reference misses none.
    horizon = jnp.where(length == total, jnp.inf, values[:, -1] - error)

    def finish(image: Array, skip: Array, shortlist: Array, limit: Array) -> tuple[Array, Array]:
        true_nearest = lambda listed: _true_nearest(image, skip, listed, reference, count, k)
        first = true_nearest(shortlist)

        def all_again() -> tuple[Array, Array]:
            rows = lambda start, index: jax.lax.dynamic_slice_in_dim(reference, start, len(index))
            scan = lambda start, index: true_squares(image, rows(start, index))[None]
            return true_nearest(_smallest(scan, skip[None], count, total, k)[1][0])

        squares, index = jax.lax.cond(first[0][-1] <= limit, lambda: first, all_again)
        return jnp.sqrt(squares), index

    return one_by_one(finish, x, leave_out, candidates, horizon)


def _smallest(
    squares: Callable[[Array, Array], Array], leave_out: Array, count: Array, total: int, length: int
) -> tuple[Array, Array]:
    """The ``length`` smallest of ``squares(start, index)`` over the references and their indices, block by block."""
    size = min(total, _REFERENCES)
    images = leave_out.shape[0]

    def step(i: Array, best: tuple[Array, Array]) -> tuple[Array, Array]:
        # The last block is moved to fit; what it repeats is masked.
        start = jnp.minimum(i * size, total - size)
        index = start + jnp.arange(size, dtype=jnp.int32)
        fresh = ((index >= i * size) & (index < count))[None, :] & (index[None, :] != leave_out[:, None])
        values = jnp.concatenate([best[0], jnp.where(fresh, squares(start, index), jnp.inf)], 1)
        indices = jnp.concatenate([best[1], jnp.broadcast_to(index, (images, size))], 1)
        negated, where = jax.lax.top_k(-values, length)
        return -negated, jnp.take_along_axis(indices, where, 1)

    # A place that stays empty names no reference, so that it is not taken for one.
    start = jnp.full((images, length), jnp.inf, jnp.float32), jnp.full((images, length), total, jnp.int32)
    return jax.lax.fori_loop(np.int32(0), np.int32(math.ceil(total / size)), step, start)


def _true_nearest(
    image: Array, skip: Array, candidates: Array, reference: Array, count: Array, k: int
) -> tuple[Array, Array]:
    """The k smallest squared distances among candidates, from differences, in increasing order, and whose they are."""
    absent = (candidates == skip) | (candidates >= count)
    squares = jnp.where(absent, jnp.inf, true_squares(image, reference[candidates]))
    squares, candidates = jax.lax.sort((squares, candidates), num_keys=1)
    return squares[:k], candidates[:k]


def true_squares(image: Array, rows: Array) -> Array:
    """Squared distances from differences, summed in two levels so that rounding stays of the order of 1e-6."""
    dim = rows.shape[-1]
    width = max(1, math.isqrt(dim))
    padded = jnp.pad((rows - image[None]) ** 2, ((0, 0), (0, -dim % width)))
    return padded.reshape(rows.shape[0], padded.shape[1] // width, width).sum(-1).sum(-1)


@functools.partial(jax.jit, static_argnames=("k",))
def mean_distance(x: Array, reference: Array, leave_out: Array, *, k: int) -> Array:
    """The mean distance to the k nearest references, float32 ``(images,)``; images of any shape."""
    flat = jnp.asarray(x, jnp.float32).reshape(x.shape[0], math.prod(x.shape[1:]))
    rows = reference.reshape(reference.shape[0], -1)
    distances = nearest_distances(flat, rows, jnp.asarray(leave_out, jnp.int32), k=k)
    return one_by_one(lambda row: row.sum() / np.float32(k), distances)
