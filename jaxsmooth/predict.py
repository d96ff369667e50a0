"""predict: the smoothed classifier's answer, or an abstention."""

from typing import Any

import numpy as np
from jax.sharding import Mesh
from scipy import special

from jaxsmooth import _check
from jaxsmooth._progress import progress_bar
from jaxsmooth._types import ABSTAIN, Array, Classify
from jaxsmooth.certify import gather_votes
from jaxsmooth.sampling.job import sampling_job


def predict(
    key: Array,
    classify: Classify,
    noise: Any,
    x: Any,
    *,
    n: int = 1000,
    alpha: float = 1e-3,
    image_ids: Any = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""The class that wins most often under noise, or ``ABSTAIN``.

    Answers the class with most of ``n`` votes if a two-sided binomial test rejects, at level ``alpha``,
    that it and the runner-up are equally likely:
    :math:`2 P(\mathrm{Bin}(n_A + n_B, 1/2) \ge n_A) \le \alpha`. With probability at least ``1 - alpha``,
    per image, the answer is the smoothed classifier's class or an abstention.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        n: votes per image.
        alpha: the probability, per image, of an answer that is not the smoothed classifier's.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over.
        progress: show a progress bar (tqdm).

    Returns:
        int32 ``(images,)``, ``ABSTAIN`` (-1) where the votes do not decide.

    Raises:
        ValueError: for values out of range, or an ``n`` that can never decide at this ``alpha``.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen et al. 2019, algorithm PREDICT, after Hung and Fithian, "Rank verification for exponential
        families", 2019.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [0.0, 0.0]])
        >>> js.predict(jax.random.key(0), classify, js.noises.Gaussian(0.5), x).tolist()
        [0, -1]
    """
    n = _check.integer("n", n, at_least=1)
    alpha = _check.probability("alpha", alpha)
    needed = int(np.ceil(1 - np.log2(alpha)))
    if n < needed:
        raise ValueError(f"n = {n} votes can never decide at alpha = {alpha:g}; use n >= {needed}")
    if _check.is_traced(key, noise, x):
        raise TypeError("predict works on the host and cannot be traced; inside jit use count_votes")
    job = sampling_job(key, classify, noise, x, image_ids=image_ids, draws=n, batch_size=batch_size, mesh=mesh)
    votes = gather_votes(job, progress_bar(progress, "predict", job, job.count_in_chunks(n)))
    second, first = np.partition(votes.counts, -2, axis=-1)[:, -2:].T.astype(np.float64)
    # P(Bin(m, 1/2) >= k) = I_{1/2}(k, m - k + 1); an image without valid votes has k = 0 and p-value 1.
    p_value = np.where(first > 0, 2 * special.betainc(np.maximum(first, 1), second + 1, 0.5), 1.0)
    return np.where(p_value <= alpha, votes.counts.argmax(-1), ABSTAIN).astype(np.int32)
