"""certify: what a fixed number of votes proves about each image."""

import os

from jax.sharding import Mesh

from jaxsmooth._certificates import Certificates
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.designs.fixed import Fixed, RunnerUp


def certify(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    *,
    norm: float = 2,
    n0: int = 100,
    n: int = 100_000,
    alpha: float = 1e-3,
    runner_up: RunnerUp = "complement",
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Certificates:
    r"""Certify every image with a fixed number of votes.

    ``n0`` votes select a class; ``n`` fresh ones give the Clopper-Pearson lower bound of its probability,
    :math:`p_A`; the radius is that of the noise and norm at :math:`p_A` with the runner-up at most
    :math:`1 - p_A`. An image whose bound is 1/2 or less gets ``ABSTAIN`` and radius 0. With probability at
    least ``1 - alpha``, per image, the smoothed classifier gives the label to every point within the radius.

    Args:
        key: a JAX random key. The draws 0 to ``n0 - 1`` select, ``n0`` to ``n0 + n - 1`` estimate.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        n0: votes that select the class.
        n: votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong; all of it one-sided.
        runner_up: ``"complement"``: every other class has at most ``1 - p_A``. ``"bounded"``: a tenth of
            ``alpha`` pays for an upper bound of the largest other class (``bounds.runner_up_bounds``), for which
            votes for nobody are counted; the radius is larger where votes are spread over classes, and ``p_A``
            may be below 1/2. The rules of ``LatticeGaussian`` and of a sigma for every image make no use of it.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written as they are won, or None. If it holds votes of
            this run, they are not drawn again: a killed run goes on where it was. See ``jaxsmooth.ledger``.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates``, NumPy on the host.

    Raises:
        ValueError: for values out of range, a (noise, norm) pair without a radius rule, or an ``n`` that
            can certify nothing at this ``alpha``; before any sampling.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019,
        algorithm CERTIFY.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> certificates = js.certify(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), x, n=10_000
        ... )
        >>> certificates.label.tolist(), certificates.radius.round(1).tolist()
        ([0, 1], [0.7, 0.4])
    """
    return run_array(
        Fixed(n0=n0, n=n, alpha=alpha, norm=norm, runner_up=runner_up), key, classify, noise, x,
        image_ids=image_ids, batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress, verb="certify",
    )  # fmt: skip
