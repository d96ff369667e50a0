"""Steepest ascent and projection for l1, l2 and linf balls; every row is an image, flattened."""

import math

import jax.numpy as jnp

from jaxsmooth._types import Array


def ascent(gradient: Array, norm: float) -> Array:
    """The direction of length 1 in the norm along which a function grows fastest, ``(batch, dim)``.

    Zero where the gradient is zero. For l1 it is a single coordinate, the largest.
    """
    largest = jnp.abs(gradient).max(-1, keepdims=True)
    # Scaled first, because squares of small gradients underflow. A zero is divided by 1: compilers may merge
    # two divisions, and the product of two tiny divisors is 0.
    gradient = gradient / or_one(largest)
    if math.isinf(norm):
        return jnp.sign(gradient)
    if norm == 1:
        first = jnp.arange(gradient.shape[-1])[None] == jnp.argmax(jnp.abs(gradient), -1)[:, None]
        return jnp.where(first, jnp.sign(gradient), 0.0)
    return gradient / or_one(length(gradient, 2))


def length(delta: Array, norm: float) -> Array:
    """The norm of every row, ``(batch, 1)``."""
    return jnp.linalg.norm(delta, ord=norm, axis=-1, keepdims=True)


def project(delta: Array, radius: float | Array, norm: float) -> Array:
    """The closest point of the ball around 0, ``(batch, dim)``; ``radius`` is a number or ``(batch, 1)``."""
    if math.isinf(norm):
        return jnp.clip(delta, -radius, radius)
    if norm == 2:
        return rescale(delta, jnp.minimum(length(delta, 2), radius))
    size = jnp.abs(delta)
    # Soft thresholding; the threshold is found among the sorted sizes (Duchi et al. 2008).
    ordered = jnp.flip(jnp.sort(size, -1), -1)
    count = jnp.arange(1, delta.shape[-1] + 1, dtype=jnp.float32)[None]
    excess = (jnp.cumsum(ordered, -1) - radius) / count
    kept = jnp.maximum((ordered > excess).sum(-1, keepdims=True), 1)
    threshold = jnp.take_along_axis(excess, kept - 1, axis=-1)
    inside = size.sum(-1, keepdims=True) <= radius
    return jnp.where(inside, delta, jnp.sign(delta) * jnp.maximum(size - threshold, 0.0))


def rescale(delta: Array, radius: float | Array) -> Array:
    """Every row with l2 length ``radius``; 0 stays 0."""
    return delta * (radius / or_one(length(delta, 2)))


def or_one(divisor: Array) -> Array:
    """The divisor, or 1 where it is 0."""
    return jnp.where(divisor > 0, divisor, 1.0)
