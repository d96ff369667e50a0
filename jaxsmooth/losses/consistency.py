"""Consistency regularization: every noisy copy should agree with the average, and the average be sure."""

from typing import Literal

import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.losses import inputs
from jaxsmooth.losses.smoothed import gaussian_cross_entropy, log_mean_softmax

Kind = Literal["decoupled", "kl", "cross_entropy", "mse"]


def consistency_kl(logits: ArrayLike) -> Array:
    r"""How far the noisy predictions are from their average, :math:`\frac1m \sum_i \mathrm{KL}(\bar p \| p_i)`.

    Not the Jensen-Shannon divergence, which has the arguments in the other order: a copy that gives almost
    no probability to a class the average likes is punished without bound.

    Args:
        logits: ``(num_samples, batch, classes)``.

    Returns:
        float32 ``(batch,)``, at least 0 up to rounding; 0 for identical copies.

    Raises:
        ValueError: if the logits have another rank.
        TypeError: if they are not floating point.

    References:
        Jeong and Shin, "Consistency regularization for certified robustness of smoothed classifiers", 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> loss = jaxsmooth.losses.consistency_kl(jnp.array([[[3.0, 1.0]], [[3.0, 1.0]]]))
        >>> round(float(loss[0]), 4)
        0.0
    """
    logits = inputs.stacked(logits)
    log_mean = log_mean_softmax(logits)
    return inputs.divergence(jnp.exp(log_mean)[None], log_mean[None], inputs.log_softmax(logits)).mean(0)


def mean_entropy(logits: ArrayLike) -> Array:
    r"""The entropy of the averaged prediction, :math:`H(\bar p) = -\sum_c \bar p(c) \log \bar p(c)`.

    Args:
        logits: ``(num_samples, batch, classes)``.

    Returns:
        float32 ``(batch,)``, between 0 and the logarithm of the number of classes.

    Raises:
        ValueError: if the logits have another rank.
        TypeError: if they are not floating point.

    References:
        Jeong and Shin 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.0, 200.0]], [[200.0, 0.0]]])
        >>> round(float(jaxsmooth.losses.mean_entropy(logits)[0]), 4)
        0.6931
    """
    log_mean = log_mean_softmax(logits)
    return -inputs.expectation(jnp.exp(log_mean), log_mean)


def consistency(
    logits: ArrayLike, labels: ArrayLike, lam: ArrayLike, eta: ArrayLike = 0.5, *, kind: Kind = "decoupled"
) -> Array:
    r"""Cross-entropy of every noisy copy with a regularizer that makes the copies agree.

    With :math:`\bar p` the average of the m predictions :math:`p_i`, the regularizer is

    - ``"decoupled"``: :math:`\lambda \frac1m \sum_i \mathrm{KL}(\bar p \| p_i) + \eta H(\bar p)`, the paper's;
    - ``"kl"``: without the entropy;
    - ``"cross_entropy"``: :math:`\lambda \frac1m \sum_i \mathrm{CE}(\bar p, p_i)`, which is ``"decoupled"`` at
      :math:`\eta = \lambda`;
    - ``"mse"``: :math:`\lambda \|p_1 - p_2\|_2^2` of the first two copies.

    Gradients flow through the average too. The entropy rewards being sure of any class, so a large weight
    can make the network forget classes: raise both weights slowly (``jaxsmooth.objectives.Ramp``).

    Args:
        logits: ``(num_samples, batch, classes)``; at least two copies, else there is nothing to agree with.
        labels: the true classes, integers ``(batch,)``.
        lam: weight of the agreement, a number or an array that broadcasts to ``(batch,)``.
        eta: weight of the entropy; ``"decoupled"`` alone uses it.
        kind: the form of the regularizer.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, a label is no class, or the kind is unknown.
        TypeError: if logits are not floating point, labels not integers or weights not numbers.

    References:
        Jeong and Shin, "Consistency regularization for certified robustness of smoothed classifiers", 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[2.0, 0.0]], [[0.0, 2.0]]])
        >>> loss = jaxsmooth.losses.consistency(logits, jnp.array([0]), lam=10.0, eta=0.5)
        >>> round(float(loss[0]), 2)
        5.81
    """
    _check.require_one_of("kind", kind, Kind)
    logits = inputs.stacked(logits, at_least=2)
    lam, eta = inputs.weights(logits, lam=lam, eta=eta)
    natural = gaussian_cross_entropy(logits, labels)
    if kind == "mse":
        first, second = jnp.exp(inputs.log_softmax(logits[:2]))
        return natural + lam * ((first - second) ** 2).sum(-1)
    if kind == "cross_entropy":
        log_mean = log_mean_softmax(logits)
        return natural - lam * inputs.expectation(jnp.exp(log_mean)[None], inputs.log_softmax(logits)).mean(0)
    agreement = natural + lam * consistency_kl(logits)
    return agreement if kind == "kl" else agreement + eta * mean_entropy(logits)
