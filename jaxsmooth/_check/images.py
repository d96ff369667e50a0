"""Images and their identities, and images that came together with their labels."""

from collections.abc import Mapping
from typing import TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.experimental import multihost_utils

from jaxsmooth._check.arrays import as_array, is_traced, numpy_or_jax
from jaxsmooth._types import Array


def image_batch(x: object) -> Array | np.ndarray:
    """The images as float32 ``(images, *event)``, finite: arrays of JAX stay on the device, others on the host."""
    refuse_pair(x)
    return _float32(numpy_or_jax("x", x))


def _float32(x: Array | np.ndarray) -> Array | np.ndarray:
    x = gathered_images(x)
    if x.dtype == object or not (jnp.issubdtype(x.dtype, jnp.floating)):
        raise TypeError(
            f"x must be floating point, in the units of the noise (pixels in [0, 1]); got dtype {x.dtype}. "
            "Convert it first, for example x.astype(np.float32) / 255"
        )
    if x.ndim < 2:
        raise ValueError(f"x must be a batch (images, *event); got shape {x.shape}. For one image pass x[None]")
    if 0 in x.shape:
        raise ValueError(f"x must hold at least one image and one coordinate; got shape {x.shape}")
    if not is_traced(x) and not np.isfinite(np.asarray(x, np.float32)).all():
        raise ValueError("x must be finite; it holds NaN or infinite values")
    return jnp.asarray(x, jnp.float32) if isinstance(x, jax.Array) else np.asarray(x, np.float32)


def gathered_images(x: Array | np.ndarray) -> Array | np.ndarray:
    """The images, on the host if they were spread over devices: batches are cut out of them."""
    if isinstance(x, jax.Array) and not is_traced(x) and len(x.devices()) > 1:
        return np.asarray(x) if x.is_fully_addressable else multihost_utils.process_allgather(x, tiled=True)
    return x


def image_ids(ids: object, number: int) -> Array | np.ndarray:
    """The identities of the images, int32 ``(images,)``."""
    if ids is None:
        return np.arange(number, dtype=np.int32)
    if not isinstance(ids, Tracer):
        ids = as_array("image_ids", ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"image_ids must be integers; got dtype {ids.dtype}")
    if ids.shape != (number,):
        raise ValueError(f"image_ids must have shape ({number},), one for each image of x; got {ids.shape}")
    if isinstance(ids, np.ndarray) and (np.min(ids) < 0 or np.max(ids) >= 2**31):
        raise ValueError(f"image_ids must lie in [0, 2**31); got {np.min(ids)} to {np.max(ids)}")
    return ids.astype(np.int32)


def refuse_pair(x: object) -> None:
    """Refuse images that came together with their labels, which would be taken for images."""
    if isinstance(x, Mapping) or is_pair(x):
        got = f"a dictionary with keys {sorted(map(str, x))}" if isinstance(x, Mapping) else parts_in_words(x)
        raise TypeError(
            f"x must be images alone, (images, *event); got {got}. Pass them without the labels; of a stream, "
            "(x for x, y in batches)"
        )


def is_pair(batch: object) -> TypeGuard[list | tuple]:
    """Whether this is a list or tuple of images and integers or texts that belong to them, not of images."""
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        return False
    depths = [_depth(part) for part in batch]
    integers = getattr(getattr(batch[1], "dtype", None), "kind", "") in "iub" and hasattr(batch[0], "dtype")
    return depths[0] >= 2 and (depths[1] < depths[0] or integers)


def _depth(value: object) -> int:
    """Axes of an array or of nested lists, judged by their first entries."""
    if hasattr(value, "shape"):
        return np.ndim(value)  # pyright: ignore[reportArgumentType]
    return 1 + _depth(value[0]) if isinstance(value, list | tuple) and value else int(isinstance(value, list | tuple))


def parts_in_words(batch: list | tuple) -> str:
    """What a list or tuple holds: its length, and the shapes of its first parts."""
    shapes = [tuple(part.shape) if hasattr(part, "shape") else type(part).__name__ for part in batch]
    return f"a {type(batch).__name__} of {len(batch)}: {', '.join(map(str, shapes[:4]))}"
