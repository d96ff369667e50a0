"""Measured shrinkage: how far a class reaches along rays, before and after smoothing a real model."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._classifier import takes_keys
from jaxsmooth._printed import short_repr
from jaxsmooth._program import jit
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify
from jaxsmooth.diagnostics import arguments
from jaxsmooth.noises import Gaussian
from jaxsmooth.sampling import count_votes
from jaxsmooth.sampling.inputs import as_pytree, num_classes

RATIO_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Halvings of the first step that leaves the region: 1 / 1024 of a step is far below what votes resolve.
_HALVINGS = 10


@short_repr
class RegionShrinkage(NamedTuple):
    """Exits of a class along rays, in l2 distance from the origin of the ray; O origins, m directions.

    Attributes:
        t_base: float64 ``(O, m)``, the first exit of the base classifier; ``t_max`` if there is none up to there, 0
            where the origin is not in the class.
        t_smooth: float64 ``(O, m)``, the first exit of the smoothed classifier, likewise.
        alive: bool ``(O,)``, whether the origin is still in the smoothed region.
        ratio: float64 ``(O, m)``, ``t_smooth / t_base``; nan where ``t_base`` is 0 or the ray is censored.
        quantiles: float64 ``(5,)``, of the ratios at .05, .25, .5, .75 and .95; nan if there are none.
        censored: bool ``(O, m)``, whether one of the two exits lies beyond ``t_max``, where nobody looked.
    """

    t_base: np.ndarray
    t_smooth: np.ndarray
    alive: np.ndarray
    ratio: np.ndarray
    quantiles: np.ndarray
    censored: np.ndarray

    @property
    def censored_share(self) -> float:
        """The share of rays without a ratio because an exit lies beyond ``t_max``; report it with every quantile."""
        return float(self.censored.mean())


@deliberate
def region_shrinkage(
    key: Array,
    classify: Classify,
    origins: ArrayLike,
    classes: ArrayLike,
    directions: ArrayLike,
    sigma: float,
    *,
    t_max: float,
    steps: int,
    n: int,
    threshold: float = 0.5,
    batch_size: int | None = None,
) -> RegionShrinkage:
    """Where rays from given points leave the region of a class, for the base and for the smoothed classifier.

    A ray is scanned at ``steps`` equal steps and the first one that leaves the region is halved ten times; the region
    need not be star-shaped, but an excursion shorter than a step goes unseen. The noise is the same along all rays of
    an origin, so that shares of votes change along a ray only as the classifier does. All of it is one compiled
    program: ``O m (steps + 11) n`` forwards.

    Args:
        key: a JAX random key.
        classify: the base classifier, see ``count_votes``.
        origins: ``(O, *event)``, where rays start, floating point and finite.
        classes: int, or int ``(O,)``: the class whose region is measured.
        directions: ``(m, *event)``, directions of any length but 0; scaled to unit l2 length.
        sigma: standard deviation of the smoothing noise, positive, in the units of x.
        t_max: how far to look, positive, in the units of x.
        steps: steps of the scan.
        n: votes at each point.
        threshold: the share of votes that keeps a point in the smoothed region: 1/2 for what a certificate can speak
            of, 1/c for the most generous region of c classes.
        batch_size: see ``count_votes``; it cannot change the result.

    Returns:
        ``RegionShrinkage``, NumPy.

    Raises:
        ValueError: for shapes or values that do not fit.
        TypeError: for arguments of the wrong kind.

    References:
        The regions and their shrinkage are those of Mohapatra et al. 2021; measuring them along rays is ours. A share
        of n votes is within ``sqrt(threshold (1 - threshold) / n)`` of its probability, one standard error.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> disc = lambda x: jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)
        >>> rays = jax.random.normal(jax.random.key(1), (8, 2))
        >>> found = region_shrinkage(
        ...     jax.random.key(0),
        ...     disc,
        ...     jnp.zeros((1, 2)),
        ...     0,
        ...     rays,
        ...     0.5,
        ...     t_max=2.0,
        ...     steps=20,
        ...     n=2000,
        ... )
        >>> found.t_base.round(2).max(), found.t_smooth.mean().round(1), found.censored_share
        (np.float64(1.0), np.float64(0.9), 0.0)
    """
    start, ray = arguments.events("origins", origins), arguments.events("directions", directions)
    if ray.shape[1:] != start.shape[1:]:
        raise ValueError(f"directions must have the shape of an origin, {start.shape[1:]}; got {ray.shape[1:]}")
    lengths = np.linalg.norm(ray.reshape(len(ray), -1).astype(np.float64), axis=1)
    if not (lengths > 0).all():
        raise ValueError("directions must not hold a direction of length 0")
    classify = as_pytree(classify)
    if takes_keys(classify):
        raise ValueError(
            "classify must give every point one class: the region of a classifier that draws random numbers, as "
            "js.soft and js.randomized do, has no edge. Pass the classifier inside"
        )
    target = _classes(classes, len(start), num_classes(classify, jnp.asarray(start)))
    sigma, far = float(_check.positives("sigma", sigma)), float(_check.positives("t_max", t_max))
    steps, n = _check.integer("steps", steps, at_least=1), _check.integer("n", n, at_least=1)
    level = float(arguments.thresholds(threshold))
    key = _check.typed_key(key)
    batch_size = _check.batch_size(batch_size)
    # Every ray from every origin, in that order.
    shape = (len(start), len(ray))
    unit = ray / lengths.astype(np.float32).reshape(-1, *[1] * (ray.ndim - 1))
    every_start = np.repeat(start, len(unit), axis=0)
    every_ray = np.tile(unit, (len(start), *[1] * (unit.ndim - 1)))
    every_target = np.repeat(target, len(unit)).astype(np.int32)
    # The smallest count that reaches the threshold, so that the comparison is one of integers.
    needed = np.int32(np.ceil(level * n - 1e-9))
    t = np.linspace(0, far, steps + 1).astype(np.float32)
    owner = np.repeat(np.arange(shape[0], dtype=np.int32), shape[1])
    base, smooth = _exits(
        key, classify, every_start, every_ray, every_target, owner, t, np.float32(sigma), needed,
        n=n, batch_size=batch_size,
    )  # fmt: skip
    return _summary(np.asarray(base, np.float64).reshape(shape), np.asarray(smooth, np.float64).reshape(shape), far)


def _classes(classes: ArrayLike, origins: int, number: int) -> np.ndarray:
    """One class for each origin, below the number of classes."""
    target = arguments.labelled(np.atleast_1d(classes), "classes")
    if len(target) not in (1, origins) or target.max() >= number:
        raise ValueError(
            f"classes must be one class, or one for each of the {origins} origins, below the {number} of the "
            f"classifier; got {np.asarray(classes).tolist()}"
        )
    return np.broadcast_to(target, (origins,))


def _summary(t_base: np.ndarray, t_smooth: np.ndarray, far: float) -> RegionShrinkage:
    """Infinite exits become censored ones."""
    censored = np.isinf(t_base) | np.isinf(t_smooth)
    t_base, t_smooth = np.minimum(t_base, far), np.minimum(t_smooth, far)
    known = ~censored & (t_base > 0)
    ratio = np.where(known, t_smooth / np.where(known, t_base, 1), np.nan)
    quantiles = np.quantile(ratio[known], RATIO_QUANTILES) if known.any() else np.full(len(RATIO_QUANTILES), np.nan)
    return RegionShrinkage(t_base, t_smooth, t_smooth[:, 0] > 0, ratio, quantiles, censored)


@functools.partial(jit, static_argnames=("n", "batch_size"))
def _exits(
    key: Array,
    classify: Classify,
    start: Array,
    ray: Array,
    target: Array,
    owner: Array,
    t: Array,
    sigma: Array,
    needed: Array,
    *,
    n: int,
    batch_size: int | None,
) -> tuple[Array, Array]:
    """First exits of every ray, of the base and of the smoothed classifier; inf if there is none."""
    identity = jnp.arange(start.shape[0], dtype=jnp.int32)
    along = lambda distance: start + distance.reshape(-1, *[1] * (ray.ndim - 1)) * ray
    votes = lambda x, noise, draws: count_votes(
        key, classify, noise, x, draws, image_ids=owner, batch_size=batch_size
    ).counts[identity, target]
    # One vote without noise is the base classifier itself, in batches of the same size.
    in_base = lambda distance: votes(along(distance), Gaussian(0 * sigma), 1) >= 1
    in_smooth = lambda distance: votes(along(distance), Gaussian(sigma), n) >= needed
    return _first_exit(in_base, t, identity), _first_exit(in_smooth, t, identity)


def _first_exit(inside: Any, t: Array, identity: Array) -> Array:
    """The first distance at which each ray is outside; 0 if its origin is, inf if none is."""
    everywhere = lambda distance: jnp.full(identity.shape, distance)
    within = jax.lax.map(lambda distance: inside(everywhere(distance)), t)
    first = jnp.argmin(within, axis=0)
    ever = ~within[first, identity]
    low, high = t[jnp.maximum(first - 1, 0)], t[first]

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        still = inside(middle)
        return jnp.where(still, middle, low), jnp.where(still, high, middle)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))
    return jnp.where(ever, jnp.where(first == 0, 0.0, (low + high) / 2), jnp.inf)
