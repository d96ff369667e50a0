"""What a noise is asked, with the answer of one that does not say, and how a draw of it is seen."""

from typing import Any

import jax
import numpy as np

from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array, ArrayLike, Noise


def depends_on_input(noise: object) -> bool:
    """Whether sigma is a function of the image; a noise that does not say so has one sigma."""
    return getattr(noise, "depends_on_input", False)


def frozen(noise: Noise, x: ArrayLike) -> Noise:
    """The noise at these images as radius rules see it: itself, unless it depends on them."""
    return noise.frozen_at(x) if depends_on_input(noise) else noise


def sigma_per_image(noise: object) -> bool:
    """Whether the noise is that of several images, each with a sigma of its own."""
    return np.ndim(getattr(noise, "sigma", 0.0)) > 0


def takes_views(noise: object) -> bool:
    """Whether a noise is a number of fixed views, which are numbered, and not drawn."""
    # Arrays have a view, too.
    return callable(getattr(noise, "view", None)) and not hasattr(noise, "dtype")


@frozen_pytree
class Shared:
    """Arrays of a noise that are the same for every image: ``noise.at(x)`` gives them no axis of images.

    Attributes:
        arrays: a tree of arrays.
    """

    arrays: Any


def is_shared(value: object) -> bool:
    """Whether this part of a noise has no axis of images."""
    return isinstance(value, Shared)


def is_scale(value: object) -> bool:
    """Whether this part of a noise is a function of the image: sigma(x), which says how it moves."""
    return callable(value) and hasattr(type(value), "semi_elasticity")


def noise_of(noise_at: Noise, rows: Array) -> Noise:
    """The noise of some of the images, of what ``noise.at(x)`` gave."""
    return jax.tree.map(lambda leaf: leaf if is_shared(leaf) else leaf[rows], noise_at, is_leaf=is_shared)


def axes_of(noise_at: Any) -> Any:
    """What ``jax.vmap`` maps of a noise at images: its leaves, but for those that all images share."""
    if not any(map(is_shared, jax.tree.leaves(noise_at, is_leaf=is_shared))):
        return 0
    return jax.tree.map(lambda leaf: None if is_shared(leaf) else 0, noise_at, is_leaf=is_shared)


def seen_each(noise_at: Any, keys: Array, draws: Array, x: Array) -> Array:
    """What the classifier is fed: events ``(pairs, *event)`` under their draws, or in the views of these numbers."""
    if takes_views(noise_at):
        return jax.vmap(lambda noise, draw, x: noise.view(draw, x), (axes_of(noise_at), 0, 0))(noise_at, draws, x)
    return perturbed_each(noise_at, keys, x)


def perturbed_each(noise_at: Any, keys: Array, x: Array) -> Array:
    """What draws make of events ``(images, *event)``, each with its key and its noise, of ``noise.at(x)``."""
    return jax.vmap(perturbed, (axes_of(noise_at), 0, 0))(noise_at, keys, x)


def perturbed(noise: Noise, key: Array, x: Array) -> Array:
    """What a draw makes of one event; a noise that does not say so adds a sample."""
    if hasattr(noise, "perturb"):
        return noise.perturb(key, x)
    return plus_sample(noise, key, x)


def plus_sample(noise: Noise, key: Array, x: Array) -> Array:
    """One event with a sample of the noise added."""
    # In one dimension: loops over short trailing axes, such as colours, are not vectorised on CPUs.
    return (x.reshape(-1) + noise.sample(key, x.shape).reshape(-1)).reshape(x.shape)
