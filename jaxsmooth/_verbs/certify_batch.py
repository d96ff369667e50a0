"""certify_batch: certificates inside a compiled program, by a table of radii."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._noise import depends_on_input
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, ArrayLike, Classify, Noise
from jaxsmooth.sampling import count_votes


@deliberate
def certify_batch(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: Array,
    table: ArrayLike,
    *,
    n0: int = 100,
    batch_size: int | None = None,
) -> tuple[Array, Array]:
    """Certify a batch on the device: a pure function, legal inside ``jit``, ``vmap`` and ``shard_map``.

    The radius is looked up in ``radius_table``, which was made in float64 and rounded down, so that no
    special function runs in float32. Labels, votes and bounds are those of ``certify`` with the ``n`` of
    the table.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: the noise; its ``sigma`` may be traced, but must be the one of the table.
        x: ``(images, *event)``.
        table: float32 ``(n + 1,)`` from ``radius_table``; may be traced.
        n0: votes that select the class.
        batch_size: see ``count_votes``.

    Returns:
        ``(label, radius)``: int32 ``(images,)``, -1 where nothing is certified, and float32 ``(images,)``.

    Raises:
        ValueError: if the table has the wrong shape, and as ``count_votes``.

    References:
        Cohen et al. 2019, algorithm CERTIFY.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> noise = js.noises.Gaussian(0.5)
        >>> table = js.radius_table(noise, n=1000, alpha=0.001)
        >>> step = jax.jit(lambda key, x: js.certify_batch(key, classify, noise, x, table))
        >>> label, radius = step(jax.random.key(0), jnp.array([[0.5, 0.5], [-0.2, -0.4]]))
        >>> label.tolist()
        [0, 1]
    """
    given: Any = table if _check.is_traced(table) else np.asarray(table)
    if given.ndim != 1 or given.shape[0] < 2 or given.dtype != jnp.float32:
        raise ValueError(
            f"table must be float32 of shape (n + 1,), made by radius_table; got {given.dtype} of shape {given.shape}"
        )
    if depends_on_input(noise):
        raise ValueError(
            "noise must have one sigma for a table of radii; that of InputDependentGaussian depends on the image. Use "
            "certify, or certified_radius with noise.frozen_at(x); inside jit "
            "jaxsmooth.radii.semi_elastic_radius_float32 with sigma, rate and margin of noise.at(x), all three"
        )
    radii, n0 = jnp.asarray(given), _check.draws("n0", n0)
    selection = count_votes(key, classify, noise, x, n0, batch_size=batch_size)
    votes = count_votes(key, classify, noise, x, radii.shape[0] - 1, first=n0, batch_size=batch_size)
    top = jnp.argmax(selection.counts, -1)
    radius = radii[jnp.take_along_axis(votes.counts, top[:, None], axis=1)[:, 0]]
    return jnp.where(radius > 0, top, ABSTAIN).astype(jnp.int32), radius
