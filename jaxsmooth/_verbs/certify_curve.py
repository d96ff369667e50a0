"""certify_curve: the whole certified-accuracy curve from a fraction of the votes, with exact error rates."""

import math
import os

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.designs.curve import Curve


def certify_curve(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    radii: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    norm: float = 2,
    n_max: int = 100_000,
    alpha: float = 1e-3,
    simultaneous: bool = False,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Certificates:
    r"""For every image, the largest of ``radii`` that is certified, with as few votes as it takes.

    Votes are compared with integer thresholds after 64, 72, 81, ... draws, up to ``n_max``. The thresholds
    share ``alpha`` over the looks, so looking often costs no validity: a certificate is wrong with
    probability at most ``alpha`` per image, as in ``certify``. An image stops when the largest radius is
    certified or when the next one is out of reach; on average this takes a tenth of the votes that
    ``certify`` spends for the same curve (``benchmarks/samples_saved.py``).

    With ``labels`` the label itself is tested: no selection, and hopeless images stop within tens of votes.
    The result is then meant for certified accuracy. Without, any class that reaches a threshold is
    certified, at the same error rate.

    Args:
        key: a JAX random key. The draws are 0, 1, ..., ``n_max - 1`` of each image, as far as needed.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        radii: increasing radii in the units of ``x``, at least 0.
        labels: int ``(images,)``, or None.
        norm: 1, 2 or ``np.inf``: the norm of the radii.
        n_max: the most votes an image may take.
        alpha: the probability that a certificate is wrong.
        simultaneous: False: ``alpha`` holds for each image. True: for all images together (each gets
            ``alpha`` over their number), so that the whole curve is right with probability ``1 - alpha``.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written as they are won, or None. If it holds votes of
            this run, they are not drawn again: a killed run goes on where it was. See ``jaxsmooth.ledger``.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates``: ``radius`` is one of ``radii`` (0 with ``ABSTAIN`` where none is certified),
        ``p_lower`` the probability it required, ``samples`` the votes spent, ``reason`` why they ended,
        ``alpha`` the error probability of each image.

    Raises:
        ValueError: for radii that do not increase or that ``n_max`` votes can never certify of any image at
            this ``alpha`` (the message says which ``n_max`` would), labels out of range, and as ``certify``.
        TypeError: for arguments of the wrong kind.

    References:
        The sequential test: ours, proved at ``bounds.GroupSequential`` and ``bounds.calibrated_thresholds``. The
        radii: as ``certified_radius``.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> certificates = js.certify_curve(
        ...     jax.random.key(0),
        ...     classify,
        ...     js.noises.Gaussian(0.5),
        ...     x,
        ...     [0, 0.25, 0.5],
        ...     labels=[0, 1],
        ... )
        >>> certificates.radius.tolist(), bool(certificates.samples.max() < 20_000)
        ([0.5, 0.25], True)
    """
    together = _check.boolean("simultaneous", simultaneous)
    alpha = _check.probability("alpha", alpha) / max(1, math.prod(np.shape(x)[:1] if together else ()))
    return run_array(
        Curve(radii, n_max=n_max, alpha=alpha, norm=norm), key, classify, noise, x, labels=labels,
        image_ids=image_ids, batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress, verb="certify_curve",
    )  # fmt: skip
