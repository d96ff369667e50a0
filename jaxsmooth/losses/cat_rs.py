"""Confidence-aware training: the easiest copies of hard images, the worst copy of easy ones."""

import jax.numpy as jnp

from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.losses import inputs
from jaxsmooth.losses.mixup import copies_kl


def lowest_cross_entropy(logits: ArrayLike, labels: ArrayLike, count: ArrayLike) -> Array:
    r"""The cross-entropies of the ``count`` easiest noisy copies, :math:`\frac1m \sum_{k \le \kappa} \ell_{(k)}`.

    Divided by the number m of copies, not by the count.

    Args:
        logits: ``(num_samples, batch, classes)``.
        labels: the true classes, integers ``(batch,)``.
        count: how many copies to keep, integers ``(batch,)``; may be traced.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, or a label is no class.
        TypeError: if logits are not floating point, or labels or counts not integers.

    References:
        Jeong et al., "Confidence-aware training of smoothed classifiers for certified robustness", 2023.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.0, 0.0]], [[0.0, 50.0]]])
        >>> loss = jaxsmooth.losses.lowest_cross_entropy(logits, jnp.array([0]), jnp.array([1]))
        >>> round(float(loss[0]), 4)
        0.3466
    """
    logits = inputs.stacked(logits)
    labels = inputs.classes(labels, logits)
    count = inputs.array(count)
    if not jnp.issubdtype(count.dtype, jnp.integer):
        raise TypeError(f"count must be integers, copies to keep; got dtype {count.dtype}")
    if count.shape != labels.shape:
        raise ValueError(f"count must have shape {labels.shape}, one per image of the batch; got {count.shape}")
    ordered = jnp.sort(-inputs.pick(inputs.log_softmax(logits), labels), axis=0)
    kept = jnp.arange(logits.shape[0], dtype=jnp.int32)[:, None] < jnp.asarray(count, jnp.int32)[None]
    return jnp.where(kept, ordered, 0.0).sum(0) / logits.shape[0]


def worst_kl(logits: ArrayLike, target: ArrayLike) -> Array:
    r"""The largest divergence of a noisy prediction from a target, :math:`\max_i \mathrm{KL}(t \| p_i)`.

    Args:
        logits: ``(num_samples, batch, classes)``.
        target: probabilities ``(batch, classes)``, such as a teacher's class frequencies; zeros are allowed.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if an argument is not floating point.

    References:
        Jeong et al., "Confidence-aware training of smoothed classifiers for certified robustness", 2023.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.0, 0.0]], [[50.0, 0.0]]])
        >>> round(float(jaxsmooth.losses.worst_kl(logits, jnp.array([[1.0, 0.0]]))[0]), 4)
        0.6931
    """
    return copies_kl(logits, target).max(0)
