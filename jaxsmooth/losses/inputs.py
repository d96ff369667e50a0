"""What users pass to the losses, checked from shapes and made float32."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike

_FAR = -1e30  # what log probabilities below it are multiplied by may be more than float32 holds


def stacked(logits: ArrayLike, *, at_least: int = 1) -> Array:
    """Logits ``(num_samples, batch, classes)`` as float32, whatever the precision of the network."""
    logits = _real("logits", logits)
    if logits.ndim != 3:
        raise ValueError(
            f"logits must have shape (num_samples, batch, classes); got {logits.shape}. "
            "For a single noisy copy pass logits[None]"
        )
    if logits.shape[0] < at_least:
        raise ValueError(f"logits must hold at least {at_least} noisy copies of every image; got {logits.shape[0]}")
    if logits.shape[2] < 2:
        raise ValueError(f"logits must score at least 2 classes; got {logits.shape[2]}. For one logit z stack [-z, z]")
    return logits


def per_image(name: str, value: ArrayLike, logits: Array) -> Array:
    """Scores or probabilities ``(batch, classes)`` as float32, of the shape of one noisy copy."""
    value = _real(name, value)
    if value.shape != logits.shape[1:]:
        raise ValueError(f"{name} must have shape {logits.shape[1:]}, (batch, classes) as in logits; got {value.shape}")
    return value


def classes(labels: ArrayLike, logits: Array) -> Array:
    """The true classes, integers ``(batch,)``; concrete ones must be classes."""
    labels = array(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels must be integers, the true classes; got dtype {labels.dtype}")
    if labels.shape != logits.shape[1:2]:
        raise ValueError(f"labels must have shape {logits.shape[1:2]}, one per image of the batch; got {labels.shape}")
    if not _check.is_traced(labels) and getattr(labels, "is_fully_addressable", True) and labels.size:
        values = np.asarray(labels)
        if values.min() < 0 or values.max() >= logits.shape[-1]:
            bad = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"labels must lie in [0, {logits.shape[-1] - 1}], the classes of logits; got {bad}")
    return jnp.asarray(labels).astype(jnp.int32)


def weights(logits: Array | None = None, **values: Any) -> list[Array]:
    """Weights as float32, refused if they are not numbers, or arrays of one for each image; they may be traced."""
    images = None if logits is None else logits.shape[1]
    for name, weight in values.items():
        if not _check.is_real(weight.dtype if hasattr(weight, "dtype") else np.asarray(weight).dtype):
            raise TypeError(f"{name} must be a number or an array of numbers; got {weight!r}")
        if images is not None and np.shape(weight) not in ((), (1,), (images,)):
            raise ValueError(
                f"{name} must be a number or an array ({images},), one for each image; got shape {np.shape(weight)}"
            )
    return [jnp.asarray(weight, jnp.float32) for weight in values.values()]


def array(value: Any) -> Array | np.ndarray:
    """What has a dtype as it is, traced or not; the rest as NumPy sees it."""
    return value if hasattr(value, "dtype") else np.asarray(value)


def log_softmax(logits: Array) -> Array:
    """Log probabilities, float32."""
    return jax.nn.log_softmax(logits, axis=-1)


def expectation(p: Array, log_q: Array) -> Array:
    r""":math:`\sum_c p(c) \log q(c)` over the last axis, where classes with p = 0 contribute nothing, even if q = 0."""
    return -divergence(p, jnp.zeros_like(log_q), log_q)


def divergence(p: Array, log_p: Array, log_q: Array) -> Array:
    r""":math:`\mathrm{KL}(p \| q)` over the last axis; classes with p = 0 contribute nothing, even if q = 0."""
    far = (log_p < _FAR) | (log_q < _FAR)
    nothing = (p == 0) & far
    log_p, log_q = jnp.where(nothing, 0.0, log_p), jnp.where(nothing, 0.0, log_q)
    # The gradient of p is log p - log q, which weights would make infinite: where it is large none is made of it.
    p = jnp.where(far, jax.lax.stop_gradient(p), p)
    return (jnp.where(nothing, 0.0, p) * (log_p - log_q)).sum(-1)


def pick(values: Array, labels: Array) -> Array:
    """The entry of each image's label: ``(..., batch, classes)`` to ``(..., batch)``; NaN for labels that are none."""
    labels = jnp.where(labels < 0, values.shape[-1], labels)  # -1 would be the last class
    chosen = jnp.broadcast_to(labels[:, None], (*values.shape[:-1], 1))
    return jnp.take_along_axis(values, chosen, axis=-1)[..., 0]


def _real(name: str, value: ArrayLike) -> Array:
    value = array(value)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"{name} must be floating point; got dtype {value.dtype}")
    return jnp.asarray(value, jnp.float32)
