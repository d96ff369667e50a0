"""certify_top_k: how far a class stays among the k most probable."""

import os

from jax.sharding import Mesh

from jaxsmooth._certificates import TopKCertificates
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.bounds.top_k import Subsets
from jaxsmooth.designs.top_k import TopK


def certify_top_k(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    k: int = 5,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 1e-3,
    norm: float = 2,
    share: float = 0.9,
    subsets: Subsets = "ends",
    joint: bool = False,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> TopKCertificates:
    r"""Certify how far a class stays among the k most probable ones of the smoothed classifier.

    With probability at least ``1 - alpha`` the class is among the k most probable at every point within the radius.
    At k = 1 this is ``certify(runner_up="bounded")`` under ``Gaussian``, and no less under ``LatticeGaussian``. The
    votes bound the class from below and sums of the largest other classes from above, without a union over classes
    (``bounds.top_k_bounds``); the radius is ``radii.top_k_radius``.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: ``noises.Gaussian`` or ``LatticeGaussian``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        labels: integers ``(images,)``: the class that is tested at each image, which costs no selection. Without
            labels the k classes most voted in ``n0`` draws are tested, each on its own.
        k: how many classes the answer has, fewer than there are.
        n0: votes that select the classes where there are no labels.
        n: votes that bound the probabilities.
        alpha: the probability, per class that is tested, that its certificate is wrong.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        share: the part of alpha that the bound of the class itself spends.
        subsets: ``"ends"``: bound the largest sums of 1 and of k others; ``"all"``: of 1 to k.
        joint: without labels: alpha for all k classes of an image together, alpha / k for each.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Returns:
        ``TopKCertificates``: arrays ``(images,)``, without labels ``(images, k)``.

    Raises:
        ValueError: for values out of range, as many classes in the answer as there are, or an ``n`` that can certify
            nothing at this ``alpha``.
        TypeError: for arguments of the wrong kind, and for noise that is not Gaussian.

    References:
        Jia, Cao, Wang and Gong, "Certified robustness for top-k predictions against adversarial perturbations via
        randomized smoothing", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> weights = jnp.array([[1.0, 0.9, -1.0], [0.0, 0.1, 0.0]])
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> made = js.certify_top_k(
        ...     jax.random.key(0),
        ...     lambda z: z @ weights,
        ...     js.noises.Gaussian(0.5),
        ...     x,
        ...     [1, 1],
        ...     k=2,
        ... )
        >>> made.label.tolist(), made.radius.round(1).tolist()
        ([1, -1], [0.2, 0.0])
    """
    return run_array(
        TopK(k=k, n0=n0, n=n, alpha=alpha, norm=norm, share=share, subsets=subsets, joint=joint),
        key, classify, noise, x, labels=labels,
        image_ids=image_ids, batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress, verb="certify_top_k",
    )  # fmt: skip
