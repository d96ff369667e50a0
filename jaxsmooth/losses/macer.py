"""MACER: widen the margin that Gaussian smoothing turns into a radius."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri

from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.losses import inputs
from jaxsmooth.losses.smoothed import soft_smoothed_nll

_FLOOR = math.log(1e-10)


def macer_margin(
    logits: ArrayLike, labels: ArrayLike, *, beta: ArrayLike = 16.0, gamma: ArrayLike = 8.0, clip: float = 1e-10
) -> tuple[Array, Array]:
    r"""The margin of the sharpened smoothed classifier, where it can and should be widened.

    With :math:`q = \frac1m \sum_i \mathrm{softmax}(\beta z_i)` and its two largest entries,
    :math:`\xi = \Phi^{-1}(q_{(1)}) - \Phi^{-1}(q_{(2)})`. An image is active if the largest entry is its
    label's, and the margin is finite and at most gamma. :math:`\Phi^{-1}(q_{(1)})` is computed from the sum
    of the other entries, which keeps its digits near 1.

    Args:
        logits: ``(num_samples, batch, classes)``.
        labels: the true classes, integers ``(batch,)``.
        beta: inverse temperature.
        gamma: the margin that is enough.
        clip: probabilities below it have no gradient.

    Returns:
        ``(margin, active)``: float32 ``(batch,)``, ``gamma`` where inactive, and bool ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, or a label is no class.
        TypeError: if logits are not floating point or labels not integers.

    References:
        Zhai et al., "MACER: attack-free and scalable robust training via maximizing certified radius", 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.1, 0.0], [0.0, 9.0], [0.1, 0.0]]])
        >>> margin, active = jaxsmooth.losses.macer_margin(logits, jnp.array([0, 1, 1]))
        >>> active.tolist()
        [True, False, False]
    """
    logits = inputs.stacked(logits)
    beta, least = inputs.weights(beta=beta, clip=clip)
    (gamma,) = inputs.weights(logits, gamma=gamma)
    labels = inputs.classes(labels, logits)
    # The largest is subtracted first: beta times large logits is infinite.
    largest = jax.lax.stop_gradient(logits.max(-1, keepdims=True))
    q = jax.nn.softmax(beta * (logits - largest), axis=-1).mean(0)
    top = jax.nn.one_hot(jnp.argmax(q, -1), q.shape[-1], dtype=bool)
    others = jnp.where(top, 0.0, q)
    rest, second = others.sum(-1), others.max(-1)
    margin = lambda rest, second: -ndtri(jnp.maximum(rest, least)) - ndtri(jnp.maximum(second, least))
    value = jax.lax.stop_gradient(margin(rest, second))
    active = (jnp.argmax(q, -1).astype(jnp.int32) == labels) & (second > 0) & (value <= gamma)
    # Twice where: once so that the gradient of ndtri never sees the inactive, once to drop their value.
    rest, second = jnp.where(active, rest, 0.5), jnp.where(active, second, 0.5)
    return jnp.where(active, margin(rest, second), gamma), active


def macer(
    logits: ArrayLike,
    labels: ArrayLike,
    sigma: ArrayLike,
    lam: ArrayLike,
    *,
    beta: ArrayLike = 16.0,
    gamma: ArrayLike = 8.0,
    clip: float = 1e-10,
) -> Array:
    r"""Likelihood of the averaged prediction, and a hinge that widens the certified radius.

    .. math:: -\log(\bar p(y) + 10^{-10}) + \lambda \frac\sigma2 \max(\gamma - \xi, 0)\, 1[\text{active}]

    with the margin :math:`\xi` of ``macer_margin``. Average over the whole batch, not over the active images.

    Args:
        logits: ``(num_samples, batch, classes)``.
        labels: the true classes, integers ``(batch,)``.
        sigma: standard deviation of the noise, a number or ``(batch,)``.
        lam: weight of the hinge, a number or an array that broadcasts to ``(batch,)``.
        beta: inverse temperature of the margin.
        gamma: the margin that is enough.
        clip: probabilities below it have no gradient in the margin.

    Returns:
        float32 ``(batch,)``.

    Raises:
        ValueError: if the shapes do not fit, or a label is no class.
        TypeError: if logits are not floating point or labels not integers.

    References:
        Zhai et al., "MACER: attack-free and scalable robust training via maximizing certified radius", 2020.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.losses
        >>> logits = jnp.array([[[0.1, 0.0]]])
        >>> loss = jaxsmooth.losses.macer(logits, jnp.array([0]), sigma=0.5, lam=0.0)
        >>> round(float(loss[0]), 3)
        0.644
    """
    logits = inputs.stacked(logits)
    sigma, lam, gamma = inputs.weights(logits, sigma=sigma, lam=lam, gamma=gamma)
    nll = soft_smoothed_nll(logits, labels)
    margin, _ = macer_margin(logits, labels, beta=beta, gamma=gamma, clip=clip)
    return -jnp.logaddexp(-nll, _FLOOR) + lam * sigma / 2 * (gamma - margin)
