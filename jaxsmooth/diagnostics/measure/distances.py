"""Distances within and between the classes of a data set: exact, in chunks, on the device.

They say on what scale noise can merge or separate what. A gap is compared with sigma, since noise moves a point by
about sigma along any one direction; the radius of a ball with sigma sqrt(dim), the length of the noise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.diagnostics import arguments
from jaxsmooth.scales.neighbours import nearest_neighbours, true_squares

_MOST_CLASSES = 2**14  # a table of two gibibytes

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@short_repr
class InterferenceDistance(NamedTuple):
    """How far the classes of a data set are apart.

    Attributes:
        nn_other: float64 ``(N,)``, the distance to the nearest point of any other class.
        idx: int64 ``(N,)``, which point that is.
        pair_min: float64 ``(K, K)``, the smallest distance between two points of two classes; on the diagonal between
            two different points of the class. inf where there is no pair.
        quantiles: float64 ``(7,)``, of ``nn_other`` at 0, .05, .25, .5, .75, .95 and 1.
        nn_same: float64 ``(N,)``, the distance to the nearest other point of the same class; inf if it has none.
    """

    nn_other: np.ndarray
    idx: np.ndarray
    pair_min: np.ndarray
    quantiles: np.ndarray
    nn_same: np.ndarray


@deliberate
def interference_distance(x: ArrayLike, labels: ArrayLike, *, chunk: int = 4096) -> InterferenceDistance:
    """The distance of every point to the nearest point of another class, exactly.

    A shortlist of ten by matrix products of full float32 precision is measured again by differences, and again all
    references where a bound of the rounding cannot exclude that one was missed: right to about 1e-6 relative. Costs
    ``2 N^2 dim`` operations, and memory for the points, twice, and one block of 256 x 4096 distances.

    Args:
        x: ``(N, *event)``, floating point and finite.
        labels: int ``(N,)``, the true classes, at least two of them.
        chunk: points handed to the device at once.

    Returns:
        ``InterferenceDistance``, l2 distances in the units of x.

    Raises:
        ValueError: if x and labels do not fit, or there is one class only.
        TypeError: for arguments of the wrong kind.

    References:
        An estimate (ours) of the gap between class supports, the quantity zeta of Pal and Sulam's released code; it is
        not an estimator of theirs. Half of it bounds the l2 radius at which any classifier that is right on both
        points can be robust.

    Example:
        >>> import numpy as np
        >>> x = np.array([[0.0], [1.0], [4.0], [6.0]])
        >>> found = interference_distance(x, np.array([0, 0, 1, 1]))
        >>> found.nn_other.tolist(), found.idx.tolist(), found.pair_min.tolist()
        ([4.0, 3.0, 3.0, 5.0], [2, 2, 1, 1], [[1.0, 3.0], [3.0, 2.0]])
    """
    points = arguments.points("x", x)
    classes = arguments.labelled(labels, number=len(points))
    chunk = min(_check.integer("chunk", chunk, at_least=1), len(points))
    present = np.unique(classes)
    if len(present) < 2:
        raise ValueError(f"labels must hold at least 2 classes; all of them are {present[0]}")
    number, total = int(present.max()) + 1, len(points)
    if number > _MOST_CLASSES:
        raise ValueError(
            f"labels must be below {_MOST_CLASSES}, as pair_min has a row for each; got {number - 1}. Renumber them: "
            "np.unique(labels, return_inverse=True)[1]"
        )
    pair_min = np.full((number, number), np.inf)
    nn_other, nn_same, idx = np.full(total, np.inf), np.full(total, np.inf), np.full(total, -1, np.int64)
    queries = jnp.asarray(points)
    for target in present:
        members = np.flatnonzero(classes == target)
        distance, place = _nearest_member(queries, members, chunk)
        nearest = members[np.minimum(place, len(members) - 1)]
        own = classes == target
        nn_same[own] = distance[own]
        closer = ~own & (distance < nn_other)
        nn_other[closer], idx[closer] = distance[closer], nearest[closer]
        np.minimum.at(pair_min[:, target], classes, distance)
    return InterferenceDistance(nn_other, idx, pair_min, np.quantile(nn_other, QUANTILES), nn_same)


def _nearest_member(points: Array, members: np.ndarray, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """The distance of every point to the nearest member other than itself, and its place among the members."""
    # Classes of similar size share a program: references are filled up to a power of two.
    size = 1 << (len(members) - 1).bit_length()
    reference = points[np.concatenate([members, np.full(size - len(members), members[0])])]
    leave_out = np.full(len(points), -1, np.int32)
    leave_out[members] = np.arange(len(members), dtype=np.int32)
    distance, place = np.empty(len(points)), np.empty(len(points), np.int64)
    for start in range(0, len(points), chunk):
        # The last chunk is moved to fit.
        part = slice(max(0, min(start, len(points) - chunk)), min(start + chunk, len(points)))
        found = nearest_neighbours(points[part], reference, leave_out[part], np.int32(len(members)), k=1)
        distance[part], place[part] = (np.asarray(leaf)[:, 0] for leaf in found)
    return distance, place


@deliberate
def component_gap(x: ArrayLike) -> np.ndarray:
    """The gaps within one class: edge lengths of its minimum spanning tree, in increasing order.

    Balls of radius r around the points hang together in exactly one component more than there are edges longer than
    2 r. Exact, by Prim's algorithm with distances from differences; costs ``3 N^2 dim`` operations and memory for the
    points.

    Args:
        x: ``(N, *event)``, the points of one class, floating point and finite.

    Returns:
        float64 ``(N - 1,)``, l2 distances in the units of x, right to about 1e-6 relative.

    Raises:
        ValueError: for points that are not finite or no batch.
        TypeError: for arguments of the wrong kind.

    References:
        The closest thing in data to the gap zeta between the components of a class in Pal and Sulam's released code
        (ours; not an estimator of theirs).

    Example:
        >>> import numpy as np
        >>> component_gap(np.array([[0.0], [1.0], [5.0], [5.5]])).tolist()
        [0.5, 1.0, 4.0]
    """
    points = arguments.points("x", x)
    size = 1 << (len(points) - 1).bit_length()
    filled = np.concatenate([points, np.repeat(points[:1], size - len(points), axis=0)])
    squares = _spanning_tree(jnp.asarray(filled), np.int32(len(points)))
    return np.sqrt(np.sort(np.asarray(squares, np.float64)[: len(points) - 1]))


@jax.jit
def _spanning_tree(points: Array, count: Array) -> Array:
    """Squared edge lengths of the minimum spanning tree of the first ``count`` points, in the order of Prim."""
    total = points.shape[0]
    waiting = jnp.arange(total) < count

    def join(i: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        edges, nearest, last = state
        nearest = jnp.where(nearest < 0, nearest, jnp.minimum(nearest, true_squares(points[last], points)))
        # A negative number marks what has been joined.
        open_points = jnp.where(nearest < 0, jnp.inf, nearest)
        new = jnp.argmin(open_points)
        return edges.at[i].set(open_points[new]), nearest.at[new].set(-1.0), new

    start = jnp.where(waiting, jnp.inf, -1.0).at[0].set(-1.0)
    edges = jnp.zeros(total, jnp.float32)
    return jax.lax.fori_loop(0, count - 1, join, (edges, start, jnp.int32(0)))[0]
