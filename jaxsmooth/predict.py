"""predict: the smoothed classifier's answer, or an abstention."""

import os
from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._progress import Done, progress_bar
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, Classify
from jaxsmooth.bounds import GroupSequential, PredictPlan
from jaxsmooth.sampling.job import sampling_job
from jaxsmooth.sampling.packing import Finished, count_until_decided

# A clear image is decided by its first 16 votes.
_FIRST_LOOK = 16


@deliberate
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
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""The class that wins most often under noise, or ``ABSTAIN``.

    Votes are looked at after 16, 24, 36, ... draws, up to ``n``. The leading class is answered as soon as
    a two-sided binomial test rejects, at the level of that look, that the runner-up is as likely:
    :math:`2 P(\mathrm{Bin}(n_A + n_B, 1/2) \ge n_A) \le \alpha_k`, the levels summing to ``alpha``. An
    image is given up, and abstained on, once no later look is likely to decide. With probability at least
    ``1 - alpha``, per image, the answer is the smoothed classifier's class or an abstention.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite; or an iterator of such batches.
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
    plan = _plan(n, alpha)
    if _check.is_traced(key, noise, x):
        raise TypeError("predict works on the host and cannot be traced; inside jit use count_votes")
    draws = min(n, 8 * _FIRST_LOOK)  # what an image takes, about
    labels: dict[int, int] = {}

    def decide(images: np.ndarray, looks: np.ndarray, counts: np.ndarray, invalid: np.ndarray) -> np.ndarray:
        label, stop = plan.decide(looks, counts)
        labels.update(zip(images[stop].tolist(), label[stop].tolist(), strict=True))
        return stop

    def done(finished: Finished) -> Done:
        answered = sum(labels[image] != ABSTAIN for image in finished.images.tolist())
        return Done(len(finished.images), finished.drawn, answered)

    with sampling_job(
        key, classify, noise, x, image_ids=image_ids, draws=draws, batch_size=batch_size, mesh=mesh, ledger=ledger
    ) as job:
        for _ in progress_bar(
            progress, "predict", job.images, count_until_decided(job, plan.looks, decide), done, share="answered"
        ):
            pass
    return np.array([labels[image] for image in range(len(labels))], np.int32)


def _plan(n: int, alpha: float) -> PredictPlan:
    """The looks; refuse an n at which even a unanimous vote decides nothing."""
    n = _check.draws("n", n)
    alpha = _check.probability("alpha", alpha)
    unanimous = lambda level: int(np.ceil(1 - np.log2(level)))
    alone = unanimous(alpha)
    needed = alone if alone <= _FIRST_LOOK else unanimous(alpha / 2)
    if n < needed:
        raise ValueError(f"n = {n} votes can never decide at alpha = {alpha:g}; use n >= {needed}")
    return PredictPlan(GroupSequential(n, alpha, first_look=_FIRST_LOOK))
