"""Accuracy of every class over sigma: who pays for smoothing, and what chance alone would show."""

from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, ArrayLike, Classify
from jaxsmooth.analysis.class_wise import ClassWiseAccuracy, accuracy_by_class
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.measure.sigma_sweep import votes_over_sigma, winners


def classwise_accuracy(labels: ArrayLike, preds: ArrayLike, K: int, *, alpha: float = 0.05) -> ClassWiseAccuracy:
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
        ``jaxsmooth.analysis.ClassWiseAccuracy``, which ``jaxsmooth.analysis.class_wise_accuracy`` gives of
        certificates.

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
    return accuracy_by_class(classes, predicted == classes, K, alpha=alpha)


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


@short_repr
class ClasswiseOverSigma(NamedTuple):
    """Votes and class accuracies of one base classifier, smoothed with several sigmas.

    Attributes:
        votes: int32 ``(S, N, K)``.
        acc: float64 ``(S, K)``, accuracy of the class with most votes; nan for a class without images.
    """

    votes: np.ndarray
    acc: np.ndarray


@deliberate
def classwise_over_sigma(
    key: Array,
    classify: Classify,
    x: ArrayLike,
    labels: ArrayLike,
    sigmas: ArrayLike,
    n: int,
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> ClasswiseOverSigma:
    """Accuracy of every class as sigma grows, on the device, with the same standard normal noise for every sigma.

    Args:
        key: a JAX random key.
        classify: the base classifier, see ``count_votes``.
        x: ``(N, *event)``, floating point and finite.
        labels: int ``(N,)``, the true classes.
        sigmas: ``(S,)``, standard deviations of the noise, at least 0; at 0 the base classifier votes n times.
        n: votes an image.
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
        >>> found = classwise_over_sigma(
        ...     jax.random.key(0), disc, x, [0, 0, 1], [0.0, 0.5, 1.5], 500
        ... )
        >>> found.acc.tolist()
        [[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]
    """
    classes = arguments.labelled(labels)
    votes = votes_over_sigma(key, classify, x, sigmas, n, batch_size=batch_size, mesh=mesh)
    if votes.shape[1] != len(classes) or classes.max() >= votes.shape[2]:
        raise ValueError(
            f"labels must hold one class below {votes.shape[2]} for each of the {votes.shape[1]} images; got "
            f"{len(classes)} labels up to {classes.max()}"
        )
    right = winners(votes) == classes
    return ClasswiseOverSigma(votes, mean_by_class(right, classes, votes.shape[2]))


def mean_by_class(right: np.ndarray, classes: np.ndarray, number: int) -> np.ndarray:
    """Means over the images of each class, ``(..., images)`` to float64 ``(..., number)``; nan without images."""
    means = np.full((*right.shape[:-1], number), np.nan)
    for k in np.unique(classes):
        means[..., k] = right[..., classes == k].mean(-1)
    return means


def _predicted(preds: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    predicted = _check.as_array("preds", preds)
    if predicted.dtype.kind not in "iu" or predicted.shape != shape:
        raise ValueError(
            f"preds must be integers of shape {shape}, one for each label; got {predicted.dtype} of shape "
            f"{predicted.shape}"
        )
    return predicted
