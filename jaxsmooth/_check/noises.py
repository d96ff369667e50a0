"""Noises, and the form in which programs take them."""

from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._check.images import image_batch
from jaxsmooth._check.values import is_traced, sigma
from jaxsmooth._types import Array, Noise, is_shared, sigma_per_image, takes_views


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
    """The noise with float32 leaves, shared ones as they are, so that 1, 1.0 and np.float64(1) are one program."""
    checked = noise(value)
    if jax.tree_util.all_leaves([checked]):
        name = type(value).__name__
        raise TypeError(
            f"noise must be a pytree, its numbers data; {name} is none, even where it derives from one. Decorate the "
            f"class with jaxsmooth.frozen_pytree; got {value!r}"
        )
    of_noise = getattr(value, "sigma", 1.0)
    if not is_traced(of_noise):
        sigma("noise.sigma", of_noise)
    drawn = lambda leaf: jax.tree.map(jnp.asarray, leaf) if is_shared(leaf) else jnp.asarray(leaf, jnp.float32)
    return jax.tree.map(drawn, checked, is_leaf=is_shared)


def random_noise(value: object) -> None:
    """Refuse fixed views, of which nothing is drawn."""
    if hasattr(value, "sample") and not isinstance(value, type) and takes_views(value):
        name = type(value).__name__
        raise ValueError(f"noise {name} is deterministic: use certify_exact, without key and alpha; got {value!r}")


def images_for(value: object, x: object) -> Array | np.ndarray:
    """The images as this noise takes them; a noise that does not say so takes any."""
    take = None if isinstance(value, type) else getattr(value, "checked_images", None)
    return image_batch(x) if take is None else take(x)


def one_sigma(value: Noise) -> Noise:
    """The noise; refuse one with a sigma for each image, which is not the noise of any other image."""
    if sigma_per_image(value):
        raise ValueError(
            f"noise.sigma must be one number for all images; got shape {np.shape(value.sigma)}. For several sigmas use "
            "jax.vmap or a loop, for a sigma that depends on the image jaxsmooth.noises.InputDependentGaussian"
        )
    return value
