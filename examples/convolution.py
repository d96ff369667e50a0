"""A convolution with a gradient that is fast on CPUs, for the training of LeNet.

XLA computes the gradients of a convolution as convolutions of unusual shapes, on CPUs by a slow general path. Here they
are matrix products, of a few images at a time, which stay in the cache. Values and gradients are the same up to
rounding; pass it to Flax as ``conv_general_dilated``.
"""

import jax
import jax.numpy as jnp
from jax import lax

_IMAGES = 8  # at a time: what one of them is spread out to takes some hundred kilobytes


def small_convolution(x, kernel, strides, padding, **options):
    """What ``lax.conv_general_dilated`` gives for stride 1 without padding, NHWC and HWIO."""
    if set(strides) != {1} or (padding != "VALID" and any(map(any, padding))):
        raise ValueError(f"strides {strides} and padding {padding}: this convolution has stride 1 and no padding")
    return _convolution(x, kernel)


def _plain(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


_convolution = jax.custom_vjp(_plain)


def _forward(x, kernel):
    if x.shape[-1] == 1:
        return _plain(x, kernel), (x, kernel)
    return _joined(lax.map(lambda part: _plain(part, kernel), _parts(x))), (x, kernel)


def _backward(residuals, gradient):
    x, kernel = residuals
    if x.shape[-1] == 1:
        return _by_image(kernel, gradient, x.shape), _by_kernel(x, kernel, gradient)

    def step(total, part):
        x, gradient = part
        return total + _by_kernel(x, kernel, gradient), _by_image(kernel, gradient, x.shape)

    by_kernel, by_image = lax.scan(step, jnp.zeros_like(kernel), (_parts(x), _parts(gradient)))
    return _joined(by_image), by_kernel


def _parts(x):
    """A few images at a time."""
    images = _IMAGES if x.shape[0] % _IMAGES == 0 else x.shape[0]
    return x.reshape(-1, images, *x.shape[1:])


def _joined(parts):
    return parts.reshape(-1, *parts.shape[2:])


def _windows(kernel, shape):
    """For every pixel of the kernel the part of an image of this shape under it, as a pair of slices."""
    height, width = shape[1:3]
    return [(slice(i, i + height), slice(j, j + width)) for i in range(kernel.shape[0]) for j in range(kernel.shape[1])]


def _by_image(kernel, gradient, shape):
    """Every pixel of the output times the kernel, added where it came from."""
    # Barriers keep XLA from fusing what feeds a matrix product into its loops.
    rows = lax.optimization_barrier(gradient.reshape(-1, kernel.shape[-1]))
    products = lax.optimization_barrier(rows @ kernel.reshape(-1, kernel.shape[-1]).T)
    products = products.reshape(*gradient.shape[:3], -1, kernel.shape[2])
    found = jnp.zeros(shape, rows.dtype)
    for number, (i, j) in enumerate(_windows(kernel, gradient.shape)):
        found = found.at[:, i, j].add(products[:, :, :, number])
    return found


def _by_kernel(x, kernel, gradient):
    """The gradient times what lay under the kernel: of one channel as rows of a matrix, of many as columns."""
    rows = lax.optimization_barrier(gradient.reshape(-1, kernel.shape[-1]))
    windows = [x[:, i, j] for i, j in _windows(kernel, gradient.shape)]
    if x.shape[-1] == 1:
        return (lax.optimization_barrier(jnp.stack([w.reshape(-1) for w in windows])) @ rows).reshape(kernel.shape)
    columns = jnp.concatenate(windows, -1).reshape(rows.shape[0], -1)
    return (rows.T @ lax.optimization_barrier(columns)).T.reshape(kernel.shape)


_convolution.defvjp(_forward, _backward)
