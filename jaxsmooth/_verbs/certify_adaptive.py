"""certify_adaptive: a radius of any value, with votes spent where they raise the average certified radius."""

import os

from jax.sharding import Mesh

from jaxsmooth._certificates import Certificates
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.designs.adaptive import Adaptive


def certify_adaptive(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    norm: float = 2,
    n0: int = 100,
    n_max: int = 100_000,
    alpha: float = 1e-3,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Certificates:
    r"""Certify the radius of every image with a number of votes that depends on what they gain.

    Votes are looked at after 100, 200, 400, ... draws, up to ``n_max``. At each look the Clopper-Pearson
    bound at that look's share of ``alpha`` is taken, and the largest so far counts; an image goes on while
    the radius it is expected to gain is worth the votes. The target is an average certified radius within
    1% of that of ``n_max`` votes for every image; see ``benchmarks/samples_saved.py`` for what it saves.
    With probability at least ``1 - alpha``, per image, the certificate is right.

    Args:
        key: a JAX random key. Without labels the draws 0 to ``n0 - 1`` select the class.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        labels: int ``(images,)``: test the label itself, and select nothing; or None.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        n0: votes that select the class where there are no labels.
        n_max: the most votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written as they are won, or None. If it holds votes of
            this run, they are not drawn again: a killed run goes on where it was. See ``jaxsmooth.ledger``.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates``; ``samples`` are the votes spent on each image.

    Raises:
        ValueError: as ``certify``.
        TypeError: for arguments of the wrong kind.

    References:
        The bound over looks: ours, proved at ``bounds.GroupSequential.lower_bound``.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> certificates = js.certify_adaptive(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), x
        ... )
        >>> certificates.radius.round(1).tolist(), bool(certificates.samples.max() < 100_000)
        ([0.7, 0.4], True)
    """
    return run_array(
        Adaptive(n0=n0, n_max=n_max, alpha=alpha, norm=norm), key, classify, noise, x, labels=labels,
        image_ids=image_ids, batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress,
        verb="certify_adaptive",
    )  # fmt: skip
