"""What users pass to the sampling functions, checked and made canonical."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaxsmooth import _check, _keys
from jaxsmooth._types import Array, Classify
from jaxsmooth.interop.bare_models import in_evaluation_mode
from jaxsmooth.sampling.batches import refuse_pair
from jaxsmooth.sampling.kernel import call


def typed_key(key: Any) -> Array:
    """One typed Threefry key.

    Keys of other generators are turned into one: under ``vmap`` the ``rbg`` generators draw a whole batch
    from the first key, which would make the noise depend on the batch size.
    """
    if not isinstance(key, jax.Array | np.ndarray):
        raise TypeError(f"key must be a JAX random key, as from jax.random.key(0); got {type(key).__name__}")
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        if key.dtype != jnp.uint32:
            raise TypeError(f"key must be a JAX random key, as from jax.random.key(0); got dtype {key.dtype}")
        if key.ndim != 1:
            raise ValueError(
                f"key must be a JAX random key, as from jax.random.key(0); got uint32 of shape {key.shape}"
            )
    elif key.shape != ():
        raise ValueError(f"key must be a single key; got an array of keys of shape {key.shape}")
    try:
        words = _keys.key_words(jnp.asarray(key))
    except TypeError:
        raise ValueError(
            f"key must be a JAX random key, as from jax.random.key(0); got uint32 of shape {key.shape}"
        ) from None
    return jax.random.wrap_key_data(jnp.stack(words), impl="threefry2x32")


def as_pytree(classify: Any) -> Any:
    """The classifier as a pytree; a plain function becomes one without leaves, compared by identity."""
    classify = in_evaluation_mode(classify)
    if not callable(classify):
        raise TypeError(
            "classify must be a callable (batch, *event) -> (batch, classes), for example "
            f"jax.tree_util.Partial(model.apply, variables); got {type(classify).__name__}"
        )
    return jax.tree_util.Partial(_opaque(classify)) if jax.tree_util.all_leaves([classify]) else classify


def _opaque(function: Any) -> Any:
    # Partial would take a functools.partial apart and turn its keywords (train=False) into traced data.
    return function.__call__ if hasattr(function, "func") and hasattr(function, "keywords") else function


def checked_noise(noise: Any) -> Any:
    """The noise with float32 leaves, so that 1, 1.0 and np.float64(1) are one program."""
    _check.noise(noise)
    sigma = getattr(noise, "sigma", 1.0)
    if not _check.is_traced(sigma):
        _check.sigma("noise.sigma", sigma)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), noise)


def one_sigma(noise: Any) -> Any:
    """The noise; refuse one with a sigma for each image, which is not the noise of any other image."""
    if np.ndim(getattr(noise, "sigma", 0.0)):
        raise ValueError(
            f"noise.sigma must be one number for all images; got shape {np.shape(noise.sigma)}. For several sigmas use "
            "jax.vmap or a loop, for a sigma that depends on the image jaxsmooth.noises.InputDependentGaussian"
        )
    return noise


def images(x: Any) -> Any:
    """The images as float32 ``(images, *event)``, finite: arrays of JAX stay on the device, others on the host."""
    refuse_pair(x)
    x = _check.numpy_or_jax("x", x)
    if isinstance(x, jax.Array) and not _check.is_traced(x) and len(x.devices()) > 1:
        # Batches are cut out of it, for which it need not be spread over devices.
        x = np.asarray(x) if x.is_fully_addressable else multihost_utils.process_allgather(x, tiled=True)
    if x.dtype == object or not (jnp.issubdtype(x.dtype, jnp.floating)):
        raise TypeError(
            f"x must be floating point, in the units of the noise (pixels in [0, 1]); got dtype {x.dtype}. "
            "Convert it first, for example x.astype(np.float32) / 255"
        )
    if x.ndim < 2:
        raise ValueError(f"x must be a batch (images, *event); got shape {x.shape}. For one image pass x[None]")
    if 0 in x.shape:
        raise ValueError(f"x must hold at least one image and one coordinate; got shape {x.shape}")
    if not _check.is_traced(x) and not np.isfinite(np.asarray(x, np.float32)).all():
        raise ValueError("x must be finite; it holds NaN or infinite values")
    return jnp.asarray(x, jnp.float32) if isinstance(x, jax.Array) else np.asarray(x, np.float32)


def on_host(values: Any) -> Any:
    """NumPy arrays of arrays on devices; tracers as they are."""
    return values if _check.is_traced(values) else np.asarray(jax.device_get(values))


def first_draw(first: Any, n: int) -> Any:
    """The number of the first draw, int32; concrete ones must leave room for n."""
    if _check.is_traced(first):
        return first.astype(jnp.int32)
    first = _check.integer("first", first, at_least=0)
    if first + n >= _check.MOST_DRAWS:
        raise ValueError(f"first + n must stay below {_check.MOST_DRAWS}; got first = {first}, n = {n}")
    return np.int32(first)


def image_ids(ids: Any, number: int) -> Any:
    """The identities of the images, int32 ``(images,)``."""
    if ids is None:
        return np.arange(number, dtype=np.int32)
    if not _check.is_traced(ids):
        ids = _check.as_array("image_ids", ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"image_ids must be integers; got dtype {ids.dtype}")
    if ids.shape != (number,):
        raise ValueError(f"image_ids must have shape ({number},), one for each image of x; got {ids.shape}")
    if not _check.is_traced(ids) and (np.min(ids) < 0 or np.max(ids) >= 2**31):
        raise ValueError(f"image_ids must lie in [0, 2**31); got {np.min(ids)} to {np.max(ids)}")
    return ids.astype(np.int32)


def check_classifier(classify: Classify, x: Array) -> int:
    """The number of classes, from shapes alone."""
    batch = 2
    scores = jax.eval_shape(call, classify, jax.ShapeDtypeStruct((batch, *x.shape[1:]), jnp.float32))
    shape, dtype = getattr(scores, "shape", None), getattr(scores, "dtype", None)
    if shape is None or dtype is None:
        raise TypeError(
            f"classify must return one array of scores (batch, classes); got {type(scores).__name__}. "
            "If it also returns a state, drop it"
        )
    if len(shape) != 2 or shape[0] != batch:
        raise ValueError(
            f"classify must map (batch, *event) to (batch, classes); for a batch of shape {(batch, *x.shape[1:])} "
            f"it returned {shape}"
        )
    if shape[1] < 2:
        raise ValueError(f"classify must score at least 2 classes; got {shape[1]}. For one logit z return [-z, z]")
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"classify must return real scores; got dtype {dtype}")
    return shape[1]
