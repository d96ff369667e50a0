"""Convolutions that are fast on CPUs, for the training of LeNet and the small ResNets.

XLA computes the gradient of a convolution by its kernel as one of unusual shape, on CPUs by a slow general path. Here
it is a matrix product, of a few images at a time, which stay in the cache; ``in_parts`` goes through a batch like that
with a whole block, the first of LeNet. Values and gradients are the same up to rounding. Pass ``small_convolution`` to
Flax as ``conv_general_dilated``.
"""

import jax
import jax.numpy as jnp
from jax import lax

_BYTES = 2**20  # of what images are spread out to at a time, so that it stays in the cache


def one_cpu() -> bool:
    """Whether there is one device, a CPU: on several, going through a batch in parts would bring it together."""
    return jax.default_backend() == "cpu" and jax.device_count() == 1


def small_convolution(x, kernel, strides, padding, **options):
    """What ``lax.conv_general_dilated`` gives, NHWC and HWIO; a stride other than 1 is left to it."""
    if kernel.shape[:2] == (1, 1) and padding in ("VALID", [(0, 0), (0, 0)]):
        return x[:, :: strides[0], :: strides[1]] @ kernel[0, 0]
    if set(strides) != {1}:
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)
    return _convolution(x, kernel, ((0, 0), (0, 0)) if padding == "VALID" else tuple(map(tuple, padding)))


def in_parts(block, x, *weights, images=8):
    """What ``block(x, *weights)`` gives for every image by itself, a few at a time, computed again for the gradient."""
    part = jax.checkpoint(lambda x: block(x, *weights))
    return _joined(lax.map(part, _parts(x, images)))


def _plain(x, kernel, padding):
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


_convolution = jax.custom_vjp(_plain, nondiff_argnums=(2,))


def _forward(x, kernel, padding):
    if x.shape[-1] == 1 or _same_size(kernel, padding):
        return _plain(x, kernel, padding), (x, kernel)
    return _joined(lax.map(lambda part: _plain(part, kernel, padding), _parts(x, 8))), (x, kernel)


def _backward(padding, residuals, gradient):
    x, kernel = residuals
    if x.shape[-1] == 1:
        return _by_image(kernel, gradient, x.shape, padding), _by_kernel(x, kernel, gradient, padding)
    if _same_size(kernel, padding):  # then a convolution with the reflected kernel does no more than a product
        reflected = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
        by_image = _plain(gradient, reflected, tuple(side[::-1] for side in padding))
        step = lambda total, part: (total + _by_kernel_of_the_same_size(*part, kernel, padding), None)
        numbers = kernel.shape[1] * x.shape[-1] + kernel.shape[0] * gradient.shape[-1]
    else:
        step = lambda total, part: (
            total + _by_kernel(part[0], kernel, part[1], padding),
            _by_image(kernel, part[1], part[0].shape, padding),
        )
        by_image, numbers = None, kernel[..., 0].size
    images = max(1, _BYTES // (gradient[0, :, :, 0].size * numbers * x.dtype.itemsize))
    by_kernel, parts = lax.scan(step, jnp.zeros(kernel.shape), (_parts(x, images), _parts(gradient, images)))
    return _joined(parts) if by_image is None else by_image, by_kernel.astype(kernel.dtype)


def _same_size(kernel, padding):
    return all(sum(side) == size - 1 for side, size in zip(padding, kernel.shape[:2], strict=True))


def _parts(x, images):
    """A few images at a time: as many as divide the batch."""
    images = next(number for number in range(min(images, x.shape[0]), 0, -1) if x.shape[0] % number == 0)
    return x.reshape(-1, images, *x.shape[1:])


def _joined(parts):
    return parts.reshape(-1, *parts.shape[2:])


def _windows(kernel, shape):
    """For every pixel of the kernel the part of an image of this shape under it, as a pair of slices."""
    height, width = shape[1:3]
    return [(slice(i, i + height), slice(j, j + width)) for i in range(kernel.shape[0]) for j in range(kernel.shape[1])]


def _by_image(kernel, gradient, shape, padding):
    """Every pixel of the output times the kernel, added where it came from."""
    # Barriers keep XLA from fusing what feeds a matrix product into its loops.
    rows = lax.optimization_barrier(gradient.reshape(-1, kernel.shape[-1]))
    products = lax.optimization_barrier(rows @ kernel.reshape(-1, kernel.shape[-1]).T)
    products = products.reshape(*gradient.shape[:3], -1, kernel.shape[2])
    (top, bottom), (left, right) = padding
    found = jnp.zeros((shape[0], shape[1] + top + bottom, shape[2] + left + right, shape[3]), rows.dtype)
    for number, (i, j) in enumerate(_windows(kernel, gradient.shape)):
        found = found.at[:, i, j].add(products[:, :, :, number])
    return found[:, top : top + shape[1], left : left + shape[2]]


def _by_kernel(x, kernel, gradient, padding):
    """The gradient times what lay under the kernel: of one channel as rows of a matrix, of many as columns."""
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows = lax.optimization_barrier(gradient.reshape(-1, kernel.shape[-1]))
    windows = [x[:, i, j] for i, j in _windows(kernel, gradient.shape)]
    if x.shape[-1] == 1:
        return (lax.optimization_barrier(jnp.stack([w.reshape(-1) for w in windows])) @ rows).reshape(kernel.shape)
    columns = jnp.concatenate(windows, -1).reshape(rows.shape[0], -1)
    return (rows.T @ lax.optimization_barrier(columns)).T.reshape(kernel.shape)


def _by_kernel_of_the_same_size(x, gradient, kernel, padding):
    """The same with less to spread out: the image over the columns of the kernel, the gradient over its rows."""
    height, width = gradient.shape[1:3]
    rows, columns = kernel.shape[:2]
    x = jnp.pad(x, ((0, 0), (0, 0), padding[1], (0, 0)))
    gradient = jnp.pad(gradient, ((0, 0), padding[0][::-1], (0, 0), (0, 0)))
    images = jnp.concatenate([x[:, :, j : j + width] for j in range(columns)], -1)
    gradients = jnp.concatenate([gradient[:, i : i + height] for i in reversed(range(rows))], -1)
    images, gradients = (
        lax.optimization_barrier(spread).reshape(-1, spread.shape[-1]) for spread in (images, gradients)
    )
    found = (images.T @ gradients).reshape(columns, x.shape[-1], rows, gradient.shape[-1])
    return found.transpose(2, 0, 1, 3)


_convolution.defvjp(_forward, _backward)
