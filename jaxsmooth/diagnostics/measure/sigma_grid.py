"""Training noise against smoothing noise: the grid of risks."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.measure.classwise import mean_by_class
from jaxsmooth.diagnostics.measure.sigma_sweep import votes_over_sigma, winners

# Two streams of a seed: one for training, one for the smoothing noise.
_TRAINING, _SMOOTHING = 0, 1


@short_repr
class SigmaGrid(NamedTuple):
    """Risks of A training noises, B smoothing noises and S seeds on N images of K classes.

    Attributes:
        risk: float64 ``(A, B, S)``, the share of wrong answers of the smoothed classifier.
        classwise: float64 ``(A, B, S, K)``, accuracy by class; nan for a class without images.
        correct: bool ``(A, B, S, N)``, which images are right: what paired tests need.
        alphas: float64 ``(A,)``, standard deviation of the training noise.
        betas: float64 ``(B,)``, standard deviation of the smoothing noise.
        labels: int64 ``(N,)``.
    """

    risk: np.ndarray
    classwise: np.ndarray
    correct: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray
    labels: np.ndarray


def sigma_grid(
    train: Callable[[Array, float], Classify],
    data: tuple[Any, Any],
    alphas: ArrayLike,
    betas: ArrayLike,
    seeds: Sequence[int],
    n: int,
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> SigmaGrid:
    """Train with every alpha, smooth with every beta, for every seed; keep which images are right.

    Networks of one seed start from the same key, and are smoothed with the same standard normal numbers, so that
    differences between cells are paired by seed and image.

    Args:
        train: ``(key, alpha) -> classify``: trains under Gaussian noise of this standard deviation; ``key`` is the
            same for every alpha of a seed. A ``jax.tree_util.Partial`` keeps one program for all networks.
        data: ``(x, labels)``, images ``(N, *event)`` and int ``(N,)``, not seen in training. ``noise_augmentation_gap``
            splits them into images that choose alpha and images that report.
        alphas: ``(A,)``, at least 0. Include 0, the baseline.
        betas: ``(B,)``, at least 0.
        seeds: S integers.
        n: votes an image.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: see ``count_votes``; it cannot change the result.

    Returns:
        ``SigmaGrid``. Costs ``A S`` trainings and ``A B S N n`` forwards.

    Raises:
        ValueError: for shapes or values that do not fit.
        TypeError: for arguments of the wrong kind.

    References:
        Pal and Sulam 2023, released code: alpha and beta apart, hard votes. Seeds and kept bits are ours.

    Example:
        >>> import jax, numpy as np, jaxsmooth.diagnostics as diagnostics
        >>> x, y = np.array([[0.0], [1.0], [1.2]]), np.array([0, 1, 1])
        >>> train = lambda key, alpha: diagnostics.kde_augmented_classifier(x, y, alpha)
        >>> grid = sigma_grid(train, (x, y), [0.0, 0.5], [0.0, 0.2], seeds=[0], n=100)
        >>> grid.risk.shape, grid.correct.shape, grid.risk[0, 0].tolist()
        ((2, 2, 1), (2, 2, 1, 3), [0.0])
    """
    if not callable(train):
        raise TypeError(f"train must be a function (key, alpha) -> classify; got {type(train).__name__}")
    if not isinstance(data, tuple | list) or len(data) != 2:
        held = f" of {len(data)}" if isinstance(data, tuple | list) else ""
        raise TypeError(f"data must be a pair (x, labels), images and their classes; got {type(data).__name__}{held}")
    x, labels = _on_host(data)
    alphas, betas = deliberate(arguments.sigmas)("alphas", alphas), deliberate(arguments.sigmas)("betas", betas)
    seeds, n = _seeds(seeds), _check.draws("n", n)
    batch_size = _check.batch_size(batch_size)
    correct = np.zeros((len(alphas), len(betas), len(seeds), len(x)), bool)
    for s, seed in enumerate(seeds):
        train_key, smooth_key = _keys_of(seed)
        for a, alpha in enumerate(alphas):
            classify = train(train_key, float(alpha))
            votes = votes_over_sigma(smooth_key, classify, x, betas, n, batch_size=batch_size, mesh=mesh)
            correct[a, :, s] = winners(votes) == labels
    classwise = mean_by_class(correct, labels, int(labels.max()) + 1)
    return SigmaGrid(1 - correct.mean(-1), classwise, correct, alphas, betas, labels)


@deliberate  # and not the whole: what transfers in training the user's guard is to find
def _on_host(data: Any) -> tuple[Any, Any]:
    x = arguments.events("data[0]", data[0])
    return x, arguments.labelled(data[1], "data[1]", len(x))


@deliberate
def _keys_of(seed: int) -> tuple[Array, Array]:
    """To train with and to smooth with."""
    key = jax.random.key(seed)
    return jax.random.fold_in(key, _TRAINING), jax.random.fold_in(key, _SMOOTHING)


def _seeds(seeds: Any) -> list[int]:
    """At least one integer in 32 bits: of a larger one JAX drops the rest, and 2**32 would be the seed 0 again."""
    try:
        entries = list(seeds)
    except TypeError:
        raise TypeError(f"seeds must be a list of integers; got {seeds!r} of type {type(seeds).__name__}") from None
    result = [_check.integer("seeds", seed) for seed in entries]
    if not result:
        raise ValueError("seeds must hold at least one integer; got none")
    for seed in result:
        if not -(2**31) <= seed < 2**32:
            raise ValueError(f"seeds must be at least -2**31 and below 2**32; got {seed}")
    return result
