"""The classifier of infinite augmentation: Bayes' rule for the training set under Gaussian noise, no network."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify
from jaxsmooth.diagnostics import arguments


@deliberate
def kde_augmented_classifier(x: ArrayLike, labels: ArrayLike, alpha: ArrayLike) -> Classify:
    r"""The classifier that training on infinitely many noisy copies of a data set tends to.

    Scores, up to a positive factor and a constant of x, are the log of :math:`\sum_{i: y_i = k}
    e^{-\|x - x_i\|_2^2 / 2\alpha^2}`, multiplied by :math:`2\alpha^2` so that they stay finite: at alpha 0 the
    nearest training point decides. Squared distances come from products of full float32 precision around the mean of
    the data; alpha is data, so that a sweep, or ``jax.vmap`` over alpha, computes the distances once.

    Args:
        x: ``(N, *event)``, the training images, floating point and finite.
        labels: int ``(N,)``, their classes.
        alpha: standard deviation of the training noise, at least 0, in the units of x; may be traced.

    Returns:
        A ``Classify``: ``(batch, *event) -> (batch, classes)``; a pytree. Costs ``2 N dim`` operations an image.

    Raises:
        ValueError: if x and labels do not fit, or alpha is negative.
        TypeError: for arguments of the wrong kind.

    References:
        Ours: the Bayes classifier of the empirical distribution convolved with the noise. It separates what training
        noise does to the geometry of the classes from how a network extends beyond the data.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> classify = kde_augmented_classifier(np.array([[0.0], [1.0], [1.2]]), [0, 1, 1], 0.5)
        >>> classify(jnp.array([[0.1], [0.6]])).argmax(-1).tolist()
        [0, 1]
    """
    points = arguments.points("x", x)
    classes = arguments.labelled(labels, number=len(points))
    if not _check.is_traced(alpha):
        alpha = float(_check.nonnegative("alpha", alpha))
    number = max(2, int(classes.max()) + 1)
    missing = np.setdiff1d(np.arange(number), classes)
    if missing.size:
        raise ValueError(f"labels must hold every class from 0 to {number - 1}; {missing.tolist()} have no image")
    centre = points.mean(0, dtype=np.float64).astype(np.float32)
    return jax.tree_util.Partial(
        _scores,
        jnp.asarray(points - centre),
        jnp.asarray(centre),
        jnp.asarray(classes, jnp.int32),
        jnp.zeros(number),
        jnp.float32(alpha),
    )


def _scores(points: Array, centre: Array, classes: Array, zeros: Array, alpha: Array, batch: Array) -> Array:
    number = len(zeros)  # by a shape, since the program depends on it
    x = batch.reshape(batch.shape[0], -1) - centre
    products = jnp.dot(points, x.T, precision=jax.lax.Precision.HIGHEST)
    squares = jnp.sum(points**2, -1)[:, None] - 2 * products
    nearest = jax.ops.segment_min(squares, classes, number)
    weight = 2 * alpha**2
    relative = jnp.where(weight > 0, (squares - nearest[classes]) / jnp.where(weight > 0, weight, 1), 0)
    mass = jax.ops.segment_sum(jnp.exp(-relative), classes, number)
    return (weight * jnp.log(mass) - nearest).T
