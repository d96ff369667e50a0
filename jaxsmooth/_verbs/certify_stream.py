"""certify_stream: batches of images in, what is proved of each out in order, with memory that does not grow."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from jax.sharding import Mesh

from jaxsmooth._types import Array, Classify, Noise
from jaxsmooth._verbs.run import run_stream
from jaxsmooth.designs.base import AbstractDesign
from jaxsmooth.designs.fixed import Fixed


def certify_stream(
    key: Array,
    classify: Classify,
    noise: Noise,
    batches: Iterable[Any],
    design: AbstractDesign = Fixed(),  # noqa: B008
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Iterator[Any]:
    r"""A whole data set, batch by batch: what any design proves of each, in order.

    The device is kept full across batches: a batch is given out when all of its images are finished, while later
    ones are in progress. The results are those of the verb of the design (``certify`` of ``designs.Fixed``,
    ``certify_curve`` of ``designs.Curve``, ``certify_adaptive`` of ``designs.Adaptive``, ``predict`` of
    ``designs.Predict``, ``certify_top_k``, ``certify_outputs``, ``certify_values`` of ``designs.TopK``, ``Outputs``,
    ``Values``, ``certify_exact`` of ``designs.Exact``) on all images at once. Maps of true classes are no labels of a
    stream: pass the images alone. A loader that fails is heard of once the batches it gave are given out.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of the images.
        batches: ``x``, ``(x, labels)`` or ``(x, labels, image_ids)``, all of one kind; also the lists of PyTorch's
            ``DataLoader`` and the dictionaries of TensorFlow Datasets. They are read as slots become free. Labels
            are tested where the design tests labels; without ids images are numbered 0, 1, ... as they come.
        design: one of ``jaxsmooth.designs``, or one of your own.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Yields:
        What the design concludes of each batch, such as ``Certificates``, in order.

    Raises:
        ValueError: as the verb of the design; bad arguments at once, bad images when they come.
        TypeError: for arguments of the wrong kind; for noise that depends on the image under ``Curve`` and
            ``Adaptive``, which must know all images before they begin.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> batches = ((jnp.full((2, 4), value), [0, 0]) for value in (0.5, -0.5))
        >>> design = js.designs.Curve([0, 0.5])
        >>> stream = js.certify_stream(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), batches, design
        ... )
        >>> [certificates.radius.tolist() for certificates in stream]
        [[0.5, 0.5], [0.0, 0.0]]
    """
    return run_stream(
        design, key, classify, noise, batches,
        batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress, verb="certify_stream",
    )  # fmt: skip
