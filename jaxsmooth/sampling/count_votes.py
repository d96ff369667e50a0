"""count_votes: the classifier's votes under noise, on one device or on a mesh."""

import dataclasses
from typing import Any

import jax
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify, Noise, Votes
from jaxsmooth.sampling import inputs
from jaxsmooth.sampling.fetch import in_program
from jaxsmooth.sampling.placement import on_mesh
from jaxsmooth.sampling.sampler import sampler


@deliberate
def count_votes(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    n: int,
    *,
    first: Any = 0,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> Votes:
    """Count which class wins under noise, ``n`` draws for every image.

    Draw j of image i sees the input ``x[i] + delta`` where ``delta`` is a pure function of ``key``,
    ``image_ids[i]`` and j: counts do not depend on the batch size, the mesh, or on how the draws are split
    over calls, and ``count_votes(..., n=a) + count_votes(..., n=b, first=a)`` equals one call with
    ``n=a + b``. Noise is drawn and added in float32. Legal inside ``jit``, ``vmap``, ``pmap`` and
    ``shard_map`` (then with ``mesh=None``).

    Args:
        key: a JAX random key, typed or legacy.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores. If it is a pytree (a
            ``jax.tree_util.Partial``, anything of ``jaxsmooth.interop``), its weights are data and new
            ones do not re-trace.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, finite; used as float32.
        n: draws per image, a Python int.
        first: number of the first draw; may be traced.
        image_ids: int32 ``(images,)``, what the noise of an image is derived from; 0, 1, ... by default.
        batch_size: (image, draw) pairs the classifier sees at once on each device. By default it
            follows from the operations of one sample; a Python function is timed, once. It cannot change counts.
        mesh: a ``jax.sharding.Mesh``; the pairs are spread over all its axes, except those over which
            weights of ``classify`` are sharded, and only counts cross between them. With several processes
            (``jax.distributed``) every process makes the same call and gets the same counts.

    Returns:
        ``Votes``: int32 counts ``(images, classes)`` and invalid ``(images,)``; together they sum to n.

    Raises:
        ValueError: for shapes or values that do not fit; the message names the argument.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> votes = js.count_votes(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), jnp.ones((2, 4)), 100
        ... )
        >>> votes.counts.shape, votes.total.tolist()
        ((2, 2), [100, 100])
    """
    n = _check.draws("n", n)
    _check.refuse_views(noise)
    images = _check.images_for(noise, x)
    ids = _check.image_ids(image_ids, images.shape[0])
    # A program of the caller's is for this n alone.
    pairs = images.shape[0] * n if _check.is_traced(key, images) else None
    with sampler(key, classify, noise, images, batch_size=batch_size, mesh=mesh, most=pairs) as sampling:
        if mesh is None:
            # Counting goes on after this returns, and would read what NumPy arrays hold then.
            of_now = dataclasses.replace(sampling, classify=jax.tree.map(inputs.ours, sampling.classify))
            return sampling.marked(of_now.count(inputs.ours(images), ids, n, first=first))
        if not _check.is_traced(images):
            sampling.require_same("n, first and image_ids", n, first, ids)
        # jit puts NumPy arrays where the mesh is.
        votes = sampling.count(inputs.on_host(images), inputs.on_host(ids), n, first=first)
        return (
            sampling.marked(in_program(votes))
            if _check.is_traced(votes)
            else on_mesh(sampling.fetch(votes), sampling.mesh)
        )
