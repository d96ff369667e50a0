"""Stability training: predictions with and without noise, or under two noises, should agree."""

import jax.numpy as jnp

from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.losses import inputs


def stability(clean_logits: ArrayLike, logits: ArrayLike, labels: ArrayLike, lam: ArrayLike) -> Array:
    r"""Cross-entropy without noise, and of the noisy predictions against the clean one.

    .. math:: -\log p(y) + \lambda \frac1m \sum_i \Big(-\sum_c p(c) \log p_i(c)\Big)

    with p the clean prediction. Gradients flow through both arguments.

    Args:
        clean_logits: ``(batch, classes)``, of the images without noise.
        logits: ``(num_samples, batch, classes)``, of the noisy copies.
        labels: the true classes, integers ``(batch,)``.
        lam: weight of the agreement, a number or an array that broadcasts to ``(batch,)``.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, or a label is no class.
        TypeError: if logits are not floating point or labels not integers.

    References:
        Li, Chen, Wang and Carin, "Certified adversarial robustness with additive noise", 2019, in the form of
        Jeong and Shin, "Consistency regularization for certified robustness of smoothed classifiers", 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> z = jnp.array([[0.0, 0.0]])
        >>> round(float(jaxsmooth.losses.stability(z, z[None], jnp.array([1]), lam=2.0)[0]), 4)
        2.0794
    """
    logits = inputs.stacked(logits)
    (lam,) = inputs.weights(logits, lam=lam)
    log_clean = inputs.log_softmax(inputs.per_image("clean_logits", clean_logits, logits))
    cross_entropy = -inputs.expectation(jnp.exp(log_clean)[None], inputs.log_softmax(logits)).mean(0)
    return -inputs.pick(log_clean, inputs.classes(labels, logits)) + lam * cross_entropy


def noisy_stability(logits: ArrayLike, labels: ArrayLike, lam: ArrayLike) -> Array:
    r"""Cross-entropy of the first noisy copy, and its divergence from the others.

    .. math:: -\log p_1(y) + \lambda \frac1{m-1} \sum_{i > 1} \mathrm{KL}(p_1 \| p_i)

    Args:
        logits: ``(num_samples, batch, classes)``, at least two copies.
        labels: the true classes, integers ``(batch,)``.
        lam: weight of the agreement; 6 in the paper.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, a label is no class, or there is only one copy.
        TypeError: if logits are not floating point or labels not integers.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020, stability training.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> loss = jaxsmooth.losses.noisy_stability(
        ...     jnp.zeros((2, 1, 2)), jnp.array([1]), lam=6.0
        ... )
        >>> round(float(loss[0]), 4)
        0.6931
    """
    logits = inputs.stacked(logits, at_least=2)
    (lam,) = inputs.weights(logits, lam=lam)
    log_p = inputs.log_softmax(logits)
    divergence = inputs.divergence(jnp.exp(log_p[:1]), log_p[:1], log_p[1:]).mean(0)
    return -inputs.pick(log_p[0], inputs.classes(labels, logits)) + lam * divergence
