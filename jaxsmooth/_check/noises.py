"""Noises, and the form in which programs take them."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._check.arrays import first_bad, is_traced, positives
from jaxsmooth._check.images import image_batch
from jaxsmooth._noise import is_scale, is_shared, sigma_per_image, takes_views
from jaxsmooth._types import Array, ArrayLike, Noise

# Far inside the range of float32, so that the draws of every noise that is not refused are normal numbers of it.
SMALLEST_SIGMA, LARGEST_SIGMA = 2.0**-40, 2.0**40


def noise(value: object, name: str = "noise") -> Noise:
    """``value`` as it is: an instance of a noise, whatever rules there are for it."""
    methods = ("sample", "scale", "at")
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        shown = value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.25
        raise TypeError(
            f"{name} must be an instance of a noise, for example jaxsmooth.noises.Gaussian({shown}); got {value!r}"
        )
    return cast(Noise, value)


def float32_noise(value: object) -> Noise:
    """The noise with float32 leaves, so that 1, 1.0 and np.float64(1) are one program.

    Shared arrays stay as they are; and so do those of scales, which may be networks in another precision, indices or
    keys, but for numbers and float64.
    """
    checked = noise(value)
    if jax.tree_util.all_leaves([checked]):
        name = type(value).__name__
        raise TypeError(
            f"noise must be a pytree, its numbers data; {name} is none, even where it derives from one. Decorate the "
            f"class with jaxsmooth.frozen_pytree; got {value!r}"
        )
    of_noise = getattr(value, "sigma", 1.0)
    if not is_traced(of_noise):
        require_sigma("noise.sigma", of_noise)
    return jax.tree.map(_drawn, checked, is_leaf=lambda node: is_shared(node) or is_scale(node))


def _drawn(node: object) -> Any:
    if is_shared(node):
        return jax.tree.map(jnp.asarray, node)
    return jax.tree.map(_of_scale, node) if is_scale(node) else jnp.asarray(node, jnp.float32)


def _of_scale(leaf: ArrayLike) -> Array:
    is_array = isinstance(leaf, jax.Array | np.ndarray) and leaf.dtype != np.float64
    return jnp.asarray(leaf) if is_array else jnp.asarray(leaf, jnp.float32)


def refuse_views(value: object) -> None:
    """Refuse fixed views, of which nothing is drawn."""
    if hasattr(value, "sample") and not isinstance(value, type) and takes_views(value):
        name = type(value).__name__
        raise ValueError(f"noise {name} is deterministic: use certify_exact, without key and alpha; got {value!r}")


def images_for(value: object, x: object) -> Array | np.ndarray:
    """The images as this noise takes them; a noise that does not say so takes any."""
    take = None if isinstance(value, type) else getattr(value, "checked_images", None)
    return image_batch(x) if take is None else take(x)


def noise_of_one_sigma(value: Noise) -> Noise:
    """The noise; refuse one with a sigma for each image, which is not the noise of any other image."""
    if sigma_per_image(value):
        raise ValueError(
            f"noise.sigma must be one number for all images; got shape {np.shape(value.sigma)}. For several sigmas use "
            "jax.vmap or a loop, for a sigma that depends on the image jaxsmooth.noises.InputDependentGaussian"
        )
    return value


def require_sigma(name: str, value: object) -> None:
    """Refuse a sigma that is not positive, or so small or large that float32 draws would lose their law."""
    array = positives(name, value)
    good = (array >= SMALLEST_SIGMA) & (array <= LARGEST_SIGMA)
    if not good.all():
        raise ValueError(
            f"{name} must lie between {SMALLEST_SIGMA:.2g} and {LARGEST_SIGMA:.2g}, for noise is drawn in float32; got "
            f"{first_bad(array, good)!r}. Rescale the inputs"
        )


def sampled_sigma(name: str, value: object) -> Any:
    """A checked sigma as sampling sees it, the nearest float32, in double precision: a float, or an array of them."""
    require_sigma(name, value)
    array = np.asarray(value, np.float64).astype(np.float32).astype(np.float64)
    return array if array.ndim else float(array)
