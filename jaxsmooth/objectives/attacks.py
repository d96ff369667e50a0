"""Attacks on the soft-smoothed classifier: projected gradients (PGD) and decoupled direction and norm (DDN)."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.interpreters.partial_eval import dce_jaxpr

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike, Classify
from jaxsmooth.losses import soft_smoothed_nll
from jaxsmooth.objectives import balls
from jaxsmooth.objectives.network import check_labels, stacked_logits

_State = TypeVar("_State")

Box = tuple[float, float] | None


def smooth_pgd(
    apply: Classify,
    x: Array,
    labels: Array,
    delta: Array | Callable[[Array], Array],
    *,
    epsilon: ArrayLike,
    steps: int = 10,
    norm: float = 2,
    step_size: ArrayLike | None = None,
    box: Box = (0.0, 1.0),
) -> Array:
    r"""Projected gradient ascent on :math:`-\log \frac1m \sum_i p_y(x' + \delta_i)` over a ball around x.

    The noise is held fixed. Each step goes along the steepest direction of the norm, back into the ball,
    then into the box, which keeps it in the ball. A zero gradient leaves an image where it is.

    Args:
        apply: the network in evaluation mode, ``(batch, *event) -> (batch, classes)``.
        x: float ``(batch, *event)``.
        labels: integers ``(batch,)``.
        delta: the noise, float ``(batch, num_samples, *event)``, or what makes such copies of ``(batch, *event)``.
        epsilon: radius of the ball, a number or ``(batch,)``; 0 returns x.
        steps: how many; static.
        norm: 1, 2 or ``np.inf``.
        step_size: length of a step in the norm; ``2 * epsilon / steps`` by default.
        box: least and largest value of a coordinate of the attacked image, or None. Coordinates of x
            outside may stay where they are.

    Returns:
        float32 ``(batch, *event)``, without a gradient.

    Raises:
        ValueError: for an unknown norm or no steps.
        TypeError: if ``steps`` is no integer.

    References:
        Salman et al., "Provably robust deep learning via adversarially trained smoothed classifiers", 2019.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.objectives
        >>> apply = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x, delta = jnp.full((1, 4), 0.5), jnp.zeros((1, 1, 4))
        >>> moved = jaxsmooth.objectives.smooth_pgd(
        ...     apply, x, jnp.array([0]), delta, epsilon=0.4
        ... )
        >>> moved.round(3).tolist()
        [[0.30000001192092896, 0.30000001192092896, 0.30000001192092896, 0.30000001192092896]]
    """
    steps, norm = _check.integer("steps", steps, at_least=1), _check.norm(norm)
    x, around = _checked(apply, x, labels, delta, epsilon, box)
    flat = x.reshape(len(x), -1)
    low, high = bounds(flat, box)
    epsilon = _column(epsilon)
    size = 2 * epsilon / steps if step_size is None else _column(step_size)
    gradient = smooth_gradient(apply, x.shape, labels, around)

    def step(_: int | Array, point: Array) -> Array:
        slope = gradient(point)
        if norm == 1:
            # A coordinate at the wall has nowhere to go; take the steepest of the others.
            slope = jnp.where(jnp.where(slope > 0, point < high, point > low), slope, 0.0)
        moved = balls.project(point + size * balls.ascent(slope, norm) - flat, epsilon, norm)
        return jnp.clip(flat + moved, low, high)

    return jax.lax.stop_gradient(repeat(steps, step, flat).reshape(x.shape))


def smooth_ddn(
    apply: Classify,
    x: Array,
    labels: Array,
    delta: Array | Callable[[Array], Array],
    *,
    epsilon: ArrayLike,
    steps: int = 2,
    gamma: float | Array = 0.05,
    levels: int | None = 256,
    box: tuple[float, float] = (0.0, 1.0),
) -> Array:
    r"""The smallest l2 perturbation found that changes the vote: direction by the gradient, length by success.

    The length of the perturbation starts at epsilon, and shrinks by ``1 - gamma`` after a success, else grows by
    ``1 + gamma``. A success is a majority of the noisy copies, with the noise held fixed, for another class.
    The smallest success is returned, cut to epsilon; x itself where there was none.

    Args:
        apply: the network in evaluation mode, ``(batch, *event) -> (batch, classes)``.
        x: float ``(batch, *event)``.
        labels: integers ``(batch,)``.
        delta: the noise, float ``(batch, num_samples, *event)``, or what makes such copies of ``(batch, *event)``.
        epsilon: largest length, a number or ``(batch,)``; 0 returns x.
        steps: how many, at least 2; static. The first one tries x itself, and the point reached by the last one is
            not tried.
        gamma: relative change of the length in a step.
        levels: round the attacked image to this many values; None leaves it.
        box: least and largest value of a coordinate of the attacked image.

    Returns:
        float32 ``(batch, *event)``, without a gradient.

    Raises:
        ValueError: for fewer than 2 steps.
        TypeError: if ``steps`` is no integer.

    References:
        Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and
        defenses", 2019, on the smoothed classifier as in Salman et al. 2019.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.objectives
        >>> apply = lambda batch: jnp.stack([batch.sum(-1) - 1.9, 1.9 - batch.sum(-1)], -1)
        >>> x, delta = jnp.full((1, 4), 0.5), jnp.zeros((1, 1, 4))
        >>> attacked = jaxsmooth.objectives.smooth_ddn(
        ...     apply, x, jnp.array([0]), delta, epsilon=0.4
        ... )
        >>> round(float(jnp.linalg.norm(attacked - x)), 2)
        0.4
    """
    steps = _check.integer("steps", steps, at_least=2)
    if levels is not None:
        levels = _check.integer("levels", levels, at_least=2)
    x, around = _checked(apply, x, labels, delta, epsilon, box)
    flat = x.reshape(len(x), -1)
    low, high = bounds(flat, box)
    epsilon = jnp.broadcast_to(_column(epsilon), (len(x), 1))
    farthest = balls.length(jnp.maximum(high - flat, flat - low), 2)
    gradient = smooth_gradient(apply, x.shape, labels, around, with_votes=True)
    shrink, grow = (jnp.asarray(factor, jnp.float32) for factor in (1 - gamma, 1 + gamma))
    least = float(box[0])
    grid = None if levels is None else (levels - 1) / (float(box[1]) - least)

    def step(i: Any, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        point, radius, best, best_length = carry
        slope, vote = gradient(point)
        fooled = (vote != labels)[:, None]
        moved = point - flat
        better = fooled & (balls.length(moved, 2) < best_length)
        best = jnp.where(better, moved, best)
        best_length = jnp.where(better, balls.length(moved, 2), best_length)
        size = 0.01 + 0.99 * (1 + jnp.cos(jnp.asarray(jnp.pi * i / steps, jnp.float32))) / 2
        radius = jnp.minimum(radius * jnp.where(fooled, shrink, grow), farthest)
        ahead = flat + balls.rescale(moved + size * balls.ascent(slope, 2), radius)
        ahead = ahead if grid is None else least + jnp.round((ahead - least) * grid) / grid
        return jnp.clip(ahead, low, high), radius, best, best_length

    start = (flat, epsilon, jnp.zeros_like(flat), jnp.full_like(epsilon, jnp.inf))
    _, _, best, _ = repeat(steps, step, start)
    return jax.lax.stop_gradient((flat + balls.project(best, epsilon, 2)).reshape(x.shape))


def smooth_gradient(
    apply: Classify,
    shape: tuple[int, ...],
    labels: Array,
    around: Callable[[Array], Array],
    *,
    with_votes: bool = False,
) -> Callable[[Array], Any]:
    """The gradient of the soft-smoothed loss in flattened images, ``(batch, dim)``, and the copies' vote."""

    def loss(flat: Array) -> tuple[Array, Array]:
        logits = stacked_logits(apply, around(flat.reshape(shape)))
        return soft_smoothed_nll(logits, labels).sum(), logits

    def gradient(flat: Array) -> Any:
        slope, logits = jax.grad(loss, has_aux=True)(flat)
        if not with_votes:
            return slope
        votes = jax.nn.one_hot(jnp.argmax(logits, -1), logits.shape[-1], dtype=jnp.int32).sum(0, dtype=jnp.int32)
        return slope, jnp.argmax(votes, -1).astype(labels.dtype)

    return gradient


def with_slope(around: Callable[[Array], Array], x: Array) -> Callable[[Array], Array]:
    """The same copies of points such as x; where they have no derivative, as after rounding, that of the identity."""
    tangent = jax.make_jaxpr(lambda t: jax.jvp(around, (x,), (t,))[1])(jnp.zeros_like(x))
    _, (depends,) = dce_jaxpr(tangent.jaxpr, [True])
    if depends or tangent.out_avals[0].ndim != x.ndim + 1:
        return around
    return lambda points: around(points) + (points - jax.lax.stop_gradient(points))[:, None]


def repeat(steps: int, step: Callable[[Any, _State], _State], start: _State) -> _State:
    """``step(i, value)`` repeated; unrolled on CPUs, where the gradient of a convolution in a loop is slow."""
    if jax.default_backend() == "cpu":
        for i in range(steps):
            start = step(i, start)
        return start
    return jax.lax.fori_loop(0, steps, step, start)


def check_box(box: Box) -> None:
    """Refuse what is not the least and the largest value of a coordinate."""
    if box is not None and not (isinstance(box, tuple) and len(box) == 2 and box[0] < box[1]):
        raise ValueError(f"box must be (least, largest) value of a coordinate, or None; got {box!r}")


def _checked(
    apply: Classify, x: ArrayLike, labels: ArrayLike, delta: Any, epsilon: ArrayLike, box: Box
) -> tuple[Array, Callable[[Array], Array]]:
    """The images as float32 and what makes noisy copies of points, checked like the rest."""
    if not callable(apply):
        raise TypeError(f"apply must be callable, (batch, *event) to (batch, classes); got {type(apply).__name__}")
    x = jnp.asarray(_check.image_batch(x))
    check_box(box)
    check_labels(labels, x)
    if not _check.is_traced(epsilon):
        _check.nonnegative("epsilon", epsilon)
    if callable(delta):
        around: Callable[[Array], Array] = delta  # pyright: ignore[reportAssignmentType]
        return x, with_slope(around, x)
    if not hasattr(delta, "dtype") or not jnp.issubdtype(delta.dtype, jnp.floating):
        raise TypeError(f"delta must be floating point; got {getattr(delta, 'dtype', type(delta).__name__)}")
    if delta.ndim != x.ndim + 1 or (delta.shape[0], *delta.shape[2:]) != x.shape:
        raise ValueError(
            f"delta must have shape (batch, num_samples, *event) for x of shape {x.shape}; got {delta.shape}"
        )
    delta = jnp.asarray(delta, jnp.float32)
    return x, lambda points: points[:, None] + delta


def _column(value: object) -> Array:
    """A number or ``(batch,)`` as something that broadcasts with ``(batch, dim)``."""
    value = jnp.asarray(value, jnp.float32)
    return value[:, None] if value.ndim else value


def bounds(flat: Array, box: Box) -> tuple[Array, Array]:
    """The box, widened where x is already outside, so that x itself is always allowed."""
    low, high = (-math.inf, math.inf) if box is None else map(float, box)
    return jnp.minimum(flat, low), jnp.maximum(flat, high)
