"""predict: the smoothed classifier's answer, or an abstention."""

import os

import numpy as np
from jax.sharding import Mesh

from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.designs.predict import Predict


def predict(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    *,
    n: int = 1000,
    alpha: float = 1e-3,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""The class that wins most often under noise, or ``ABSTAIN``.

    Votes are looked at after 16, 24, 36, ... draws, up to ``n``. The leading class is answered as soon as
    a two-sided binomial test rejects, at the level of that look, that the runner-up is as likely:
    :math:`2 P(\mathrm{Bin}(n_A + n_B, 1/2) \ge n_A) \le \alpha_k`, the levels summing to ``alpha``, with votes
    for nobody counted for the runner-up. An image is given up, and abstained on, once no later look is likely
    to decide. With probability at least ``1 - alpha``, per image, the answer is the smoothed classifier's class
    or an abstention.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        n: the most votes an image may take; clear images take a few dozen.
        alpha: the probability, per image, of an answer that is not the smoothed classifier's.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written as they are won, or None. If it holds votes of
            this run, they are not drawn again: a killed run goes on where it was. See ``jaxsmooth.ledger``.
        progress: show a progress bar (tqdm).

    Returns:
        int32 ``(images,)``, ``ABSTAIN`` (-1) where the votes do not decide.

    Raises:
        ValueError: for values out of range, or an ``n`` that can never decide at this ``alpha``.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen et al. 2019, algorithm PREDICT, after Hung and Fithian, "Rank verification for exponential
        families", 2019; the looks: ``bounds.PredictPlan``.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [0.0, 0.0]])
        >>> js.predict(jax.random.key(0), classify, js.noises.Gaussian(0.5), x).tolist()
        [0, -1]
    """
    return run_array(
        Predict(n=n, alpha=alpha), key, classify, noise, x,
        image_ids=image_ids, batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress, verb="predict",
    )  # fmt: skip
