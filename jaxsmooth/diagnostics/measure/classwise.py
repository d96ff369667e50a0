"""Accuracy of every class over sigma: who pays for smoothing, and what chance alone would show."""

from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ABSTAIN, Array, ArrayLike, Classify
from jaxsmooth.bounds import clopper_pearson_lower, clopper_pearson_upper
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.sigma_sweep import votes_over_sigma

PERCENTILES = (1, 25, 50, 75, 100)


class ClasswiseAccuracy(NamedTuple):
    """Accuracy by class with what equal classes would show.

    Attributes:
        acc: float64 ``(K,)``; nan for a class without images.
        n: int64 ``(K,)``, images of each class.
        interval: float64 ``(K, 2)``, Clopper-Pearson interval of each class; [0, 1] for a class without images.
        min: the lowest accuracy of a class; classes without images aside.
        max: the highest.
        gap: ``max - min``.
        percentiles: float64 ``(5,)``, accuracies of the classes at percentiles 1, 25, 50, 75 and 100 by nearest rank:
            of ten classes the lowest, the 3rd, 5th and 8th lowest and the highest.
        null_min: the expected minimum if every class had the overall accuracy.
        null_max: the expected maximum then.
        null_band: float64 ``(2,)``, which then holds the accuracies of all classes at once with probability at least
            ``1 - alpha``.
    """

    acc: np.ndarray
    n: np.ndarray
    interval: np.ndarray
    min: float
    max: float
    gap: float
    percentiles: np.ndarray
    null_min: float
    null_max: float
    null_band: np.ndarray


def classwise_accuracy(labels: ArrayLike, preds: ArrayLike, K: int, *, alpha: float = 0.05) -> ClasswiseAccuracy:
    r"""Accuracy of every class, with the extremes that equal classes would show by chance.

    The minimum over classes is low and the maximum high even if all classes are equally hard: with n images each and
    ten classes of accuracy p the minimum is about :math:`p - 1.54 \sqrt{p (1 - p) / n}`. Compare ``min`` with
    ``null_min``, never with the mean.

    Args:
        labels: int ``(N,)``, the true classes, below K.
        preds: int ``(N,)``, the predicted classes; -1 abstains, which is never right.
        K: number of classes.
        alpha: the probability with which one interval misses, in (0, 1).

    Returns:
        ``ClasswiseAccuracy``.

    Raises:
        ValueError: if labels and predictions do not fit, or a value is out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Mohapatra et al. 2021, Tables 2 to 4, report minimum, maximum and percentiles. The null is ours: exact for
        independent binomial counts at the overall accuracy, :math:`E \min = \int_0^1 \prod_k P(X_k / n_k > t) dt`.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat([0, 1, 2], 100)
        >>> preds = np.where(np.arange(300) % 100 < np.repeat([90, 80, 40], 100), labels, -1)
        >>> found = classwise_accuracy(labels, preds, 3)
        >>> found.acc.tolist(), round(found.gap, 2), round(found.null_min, 2)
        ([0.9, 0.8, 0.4], 0.5, 0.66)
    """
    classes = arguments.labelled(labels)
    predicted, K = _predicted(preds, classes.shape), _check.integer("K", K, at_least=1)
    alpha = _check.probability("alpha", alpha)
    if classes.max() >= K:
        raise ValueError(f"K = {K} is too small: there is a label {classes.max()}")
    right = predicted == classes
    n, hits = np.bincount(classes, minlength=K), np.bincount(classes[right], minlength=K)
    present = n > 0
    acc = np.where(present, hits / np.maximum(n, 1), np.nan)
    trials = np.maximum(n, 1)
    ends = clopper_pearson_lower(hits, trials, alpha / 2), clopper_pearson_upper(hits, trials, alpha / 2)
    interval = np.where(present[:, None], np.stack(ends, -1), [0.0, 1.0])
    low, high = float(np.nanmin(acc)), float(np.nanmax(acc))
    percentiles = np.percentile(acc[present], PERCENTILES, method="inverted_cdf")
    null_min, null_max, band = _null_extremes(n[present], float(right.mean()), alpha)
    return ClasswiseAccuracy(acc, n, interval, low, high, high - low, percentiles, null_min, null_max, band)


def classwise_certified(
    labels: ArrayLike, preds: ArrayLike, radii: ArrayLike, grid: ArrayLike, *, K: int | None = None
) -> np.ndarray:
    """Certified accuracy of every class over radii.

    Args:
        labels: int ``(N,)``, the true classes.
        preds: int ``(N,)``, the certified classes; -1 abstains, which is never right.
        radii: float ``(N,)``, the certified radii, at least 0.
        grid: radii ``(M,)`` at which to evaluate, at least 0.
        K: number of classes; the largest label plus one by default.

    Returns:
        float64 ``(M, K)``, the share of images of class k that are certified to their label at the radius; nan for a
        class without images.

    Raises:
        ValueError: for shapes or values that do not fit.
        TypeError: for arguments of the wrong kind.

    References:
        Mohapatra et al. 2021. One radius with intervals: ``jaxsmooth.analysis.class_wise_accuracy``.

    Example:
        >>> classwise_certified([0, 0, 1], [0, -1, 1], [0.5, 0.0, 0.2], [0.0, 0.3]).tolist()
        [[0.5, 1.0], [0.5, 0.0]]
    """
    classes = arguments.labelled(labels)
    predicted, radii = _predicted(preds, classes.shape), _check.nonnegative("radii", radii)
    grid = arguments.sigmas("grid", grid)
    if radii.shape != classes.shape:
        raise ValueError(f"radii must have shape {classes.shape}, one for each label; got {radii.shape}")
    K = int(classes.max()) + 1 if K is None else _check.integer("K", K, at_least=int(classes.max()) + 1)
    right = (predicted == classes) & (predicted != ABSTAIN)
    result = np.full((len(grid), K), np.nan)
    for k in np.unique(classes):
        ordered = np.sort(radii[right & (classes == k)])
        certified = len(ordered) - np.searchsorted(ordered, grid, side="left")
        result[:, k] = certified / np.sum(classes == k)
    return result


class ClasswiseOverSigma(NamedTuple):
    """Votes and class accuracies of one base classifier, smoothed with several sigmas.

    Attributes:
        votes: int32 ``(S, N, K)``.
        acc: float64 ``(S, K)``, accuracy of the class with most votes; nan for a class without images.
    """

    votes: np.ndarray
    acc: np.ndarray


def classwise_over_sigma(
    fn: Classify,
    x: ArrayLike,
    y: ArrayLike,
    sigmas: ArrayLike,
    n: int,
    key: Array,
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> ClasswiseOverSigma:
    """Accuracy of every class as sigma grows, on the device, with the same standard normal noise for every sigma.

    Args:
        fn: the base classifier, see ``count_votes``.
        x: ``(N, *event)``, floating point and finite.
        y: int ``(N,)``, the true classes.
        sigmas: ``(S,)``, standard deviations of the noise, at least 0; at 0 the base classifier votes n times.
        n: votes an image.
        key: a JAX random key.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: see ``count_votes``; it cannot change the result.

    Returns:
        ``ClasswiseOverSigma``. Costs ``S N n`` forwards.

    Raises:
        ValueError: for shapes or values that do not fit.
        TypeError: for arguments of the wrong kind.

    References:
        Mohapatra et al. 2021, Tables 2 to 4 (hard votes). Common noise, ours, makes differences between sigmas less
        noisy than either accuracy.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> disc = lambda x: jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)
        >>> x = jnp.array([[0.1, 0.0], [0.0, 0.2], [3.0, 0.0]])
        >>> found = classwise_over_sigma(disc, x, [0, 0, 1], [0.0, 0.5, 1.5], 500, jax.random.key(0))
        >>> found.acc.tolist()
        [[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]
    """
    classes = arguments.labelled(y, "y")
    votes = votes_over_sigma(key, fn, x, sigmas, n, batch_size=batch_size, mesh=mesh)
    if votes.shape[1] != len(classes) or classes.max() >= votes.shape[2]:
        raise ValueError(
            f"y must hold one class below {votes.shape[2]} for each of the {votes.shape[1]} images; got {len(classes)} "
            f"labels up to {classes.max()}"
        )
    right = votes.argmax(-1) == classes
    acc = np.full((len(votes), votes.shape[2]), np.nan)
    for k in np.unique(classes):
        acc[:, k] = right[:, classes == k].mean(-1)
    return ClasswiseOverSigma(votes, acc)


def _predicted(preds: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    predicted = _check.as_array("preds", preds)
    if predicted.dtype.kind not in "iu" or predicted.shape != shape:
        raise ValueError(
            f"preds must be integers of shape {shape}, one for each label; got {predicted.dtype} of shape "
            f"{predicted.shape}"
        )
    return predicted


def _null_extremes(n: np.ndarray, p: float, alpha: float) -> tuple[float, float, np.ndarray]:
    """Expected minimum and maximum, and the band of all, of independent fractions Bin(n_k, p) / n_k."""
    # The values fractions can take, from 0 to 1, and what each class has up to there.
    at = np.unique(np.concatenate([np.arange(size + 1) / size for size in np.unique(n)]))
    size, number = np.unique(n, return_counts=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        up_to = special.bdtr(np.floor(at * size[:, None] + 1e-9), size[:, None], p)
        largest = np.exp((number[:, None] * np.log(up_to)).sum(0))
        smallest = np.exp((number[:, None] * np.log1p(-up_to)).sum(0))
    steps = np.diff(at)
    # Between two values the distribution functions are constant.
    lower = float((smallest[:-1] * steps).sum())
    upper = float(((1 - largest[:-1]) * steps).sum())
    low = at[np.searchsorted(1 - smallest, alpha / 2, side="right")]
    high = at[np.searchsorted(largest, 1 - alpha / 2)]
    return lower, upper, np.array([low, high])
