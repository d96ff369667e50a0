"""Losses of the smoothed prediction: cross-entropy under noise, and of the averaged probability."""

import math

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.losses import inputs


def log_mean_softmax(logits: ArrayLike) -> Array:
    r"""The logarithm of the averaged prediction, :math:`\log \bar p = \log \frac1m \sum_i \mathrm{softmax}(z_i)`.

    Args:
        logits: ``(num_samples, batch, classes)``.

    Returns:
        float32 ``(batch, classes)``; finite for any finite logits, -inf for a class with logit -inf in all copies.

    Raises:
        ValueError: if the logits have another rank.
        TypeError: if they are not floating point.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.0, 200.0]], [[200.0, 0.0]]])
        >>> jnp.exp(jaxsmooth.losses.log_mean_softmax(logits)).tolist()
        [[0.5, 0.5]]
    """
    logits = inputs.stacked(logits)
    log_p = inputs.log_softmax(logits)
    # The gradient of logsumexp is NaN where no copy gives the class any probability, whatever is made of it.
    masked = jnp.isneginf(log_p).all(0)
    log_sum = jax.nn.logsumexp(jnp.where(masked, 0.0, log_p), axis=0)
    return jnp.where(masked, -jnp.inf, log_sum) - math.log(logits.shape[0])


def gaussian_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> Array:
    r"""The cross-entropy of every noisy copy, :math:`\frac1m \sum_i -\log p_i(y)`.

    Args:
        logits: ``(num_samples, batch, classes)``.
        labels: the true classes, integers ``(batch,)``.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, or a label is no class.
        TypeError: if logits are not floating point or labels not integers.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> loss = jaxsmooth.losses.gaussian_cross_entropy(jnp.zeros((4, 1, 2)), jnp.array([1]))
        >>> round(float(loss[0]), 4)
        0.6931
    """
    logits = inputs.stacked(logits)
    labels = inputs.classes(labels, logits)
    return -inputs.pick(inputs.log_softmax(logits), labels).mean(0)


def soft_smoothed_nll(logits: ArrayLike, labels: ArrayLike) -> Array:
    r"""The negative log likelihood of the averaged prediction, :math:`-\log \bar p(y)`.

    At most ``gaussian_cross_entropy``, by convexity. It is what the smoothed attacks climb.

    Args:
        logits: ``(num_samples, batch, classes)``.
        labels: the true classes, integers ``(batch,)``.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, or a label is no class.
        TypeError: if logits are not floating point or labels not integers.

    References:
        Salman et al., "Provably robust deep learning via adversarially trained smoothed classifiers", 2019;
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.0, 200.0]], [[200.0, 0.0]]])
        >>> round(float(jaxsmooth.losses.soft_smoothed_nll(logits, jnp.array([1]))[0]), 4)
        0.6931
    """
    logits = inputs.stacked(logits)
    return -inputs.pick(log_mean_softmax(logits), inputs.classes(labels, logits))
