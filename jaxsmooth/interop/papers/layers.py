"""PyTorch's layers on NHWC images, from tensors that were transposed for JAX."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Array

Params = Mapping[str, Array]


def transposed(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kernels as JAX has them: (out, in, h, w) as (h, w, in, out), (out, in) as (in, out)."""
    return {name: _transposed(value) for name, value in tensors.items()}


def _transposed(value: np.ndarray) -> np.ndarray:
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    if value.ndim == 3:  # a convolution of kernel 1 over a sequence is a linear layer
        return np.ascontiguousarray(value[:, :, 0].T)
    return np.ascontiguousarray(value.T) if value.ndim == 2 else value


def conv(params: Params, name: str, x: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """A convolution with the same padding on all sides; XLA's "SAME" would pad (0, 1) at stride 2."""
    y = jax.lax.conv_general_dilated(
        x, params[f"{name}.weight"], (stride, stride), ((padding, padding), (padding, padding)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    return y + params[f"{name}.bias"] if f"{name}.bias" in params else y


def linear(params: Params, name: str, x: Array) -> Array:
    """A linear layer on the last axis."""
    return x @ params[f"{name}.weight"] + params[f"{name}.bias"]


def batch_norm(params: Params, name: str, x: Array, *, epsilon: float = 1e-5) -> Array:
    """Batch normalisation in evaluation mode: by the stored mean and variance."""
    mean, variance = params[f"{name}.running_mean"], params[f"{name}.running_var"]
    scale = params[f"{name}.weight"] * jax.lax.rsqrt(variance + epsilon)
    return x * scale + (params[f"{name}.bias"] - mean * scale)


def group_norm(params: Params, name: str, x: Array, *, groups: int = 32, epsilon: float = 1e-5) -> Array:
    """Group normalisation over all axes but the first, in float32."""
    grouped = x.astype(jnp.float32).reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    mean = grouped.mean((1, 3), keepdims=True)
    variance = jnp.square(grouped - mean).mean((1, 3), keepdims=True)
    normed = ((grouped - mean) * jax.lax.rsqrt(variance + epsilon)).reshape(x.shape)
    return (normed * params[f"{name}.weight"] + params[f"{name}.bias"]).astype(x.dtype)


def max_pool(x: Array, size: int, stride: int, padding: int = 0) -> Array:
    """The largest of a window; what is padded never is."""
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return jax.lax.reduce_window(
        x, np.array(-np.inf, x.dtype), jax.lax.max, (1, size, size, 1), (1, stride, stride, 1), edges
    )


def average_pool(x: Array) -> Array:
    """The mean of every 2x2 pixels."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
