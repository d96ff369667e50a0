"""The divergence of noisy predictions from a target: mixed-up images, or a teacher's frequencies."""

import jax.numpy as jnp

from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.losses import inputs


def mixup_kl(logits: ArrayLike, target: ArrayLike) -> Array:
    r"""How far the noisy predictions are from a target, :math:`\frac1m \sum_i \mathrm{KL}(t \| p_i)`.

    Args:
        logits: ``(num_samples, batch, classes)``.
        target: probabilities ``(batch, classes)``; zeros are allowed. Gradients flow through it too.

    Returns:
        float32 ``(batch,)``, at least 0 up to rounding.

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if an argument is not floating point.

    References:
        Jeong et al., "SmoothMix: training confidence-calibrated smoothed classifiers for certified robustness",
        2021.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> loss = jaxsmooth.losses.mixup_kl(jnp.zeros((3, 1, 2)), jnp.array([[1.0, 0.0]]))
        >>> round(float(loss[0]), 4)
        0.6931
    """
    return copies_kl(logits, target).mean(0)


def copies_kl(logits: ArrayLike, target: ArrayLike) -> Array:
    """KL(target || p_i) of every copy, ``(num_samples, batch)``."""
    logits = inputs.stacked(logits)
    target = inputs.per_image("target", target, logits)
    positive = target > 0
    log_target = jnp.log(jnp.where(positive, target, 1.0))
    return inputs.divergence(target[None], log_target[None], inputs.log_softmax(logits))
