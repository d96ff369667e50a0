"""Figures of classes and their regions under smoothing: matplotlib axes in, axes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, ArrayLike, Classify
from jaxsmooth.analysis.class_wise import ClassWiseAccuracy
from jaxsmooth.analysis.figure_style import COLORS, TEXT, curve_style, dress, marker_of, new_axes
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.measure.distances import InterferenceDistance
from jaxsmooth.diagnostics.measure.regions import RegionShrinkage
from jaxsmooth.diagnostics.measure.seed_interval import seed_interval
from jaxsmooth.diagnostics.measure.sigma_sweep import votes_over_sigma, winners

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Pale partners of the curves' colours, for areas.
_AREAS = ("#A6CEE3", "#F7B799", "#A8DDB5", "#E7BCD6", "#BDBDBD", "#F6D98B", "#BFE3F7")


def plot_class_accuracy(
    sigmas: ArrayLike, found: Sequence[ClassWiseAccuracy], *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Accuracy of every class over sigma, and the band in which equal classes would lie.

    Args:
        sigmas: ``(S,)``.
        found: the result of ``classwise_accuracy`` at each sigma.
        names: of the classes, written at the right end; their numbers by default.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if there is not one result for each sigma.

    Example:
        >>> import numpy as np, jaxsmooth.diagnostics as diagnostics, matplotlib.figure
        >>> labels = np.repeat([0, 1], 50)
        >>> found = [
        ...     diagnostics.classwise_accuracy(labels, labels * right, 2) for right in (1, 0)
        ... ]
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> len(plot_class_accuracy([0.1, 0.5], found, ax=ax).lines)
        2
    """
    sigmas = arguments.sigmas("sigmas", sigmas)
    if len(found) != len(sigmas):
        raise ValueError(f"found must hold one result for each of the {len(sigmas)} sigmas; got {len(found)}")
    ax = ax or new_axes()
    accuracy = np.stack([one.acc for one in found])
    band = np.stack([one.null_band for one in found])
    if len(levels := {one.alpha for one in found}) > 1:
        raise ValueError(f"found must hold results of one alpha; got {sorted(levels)}")
    label = f"all classes, if they were equal ({100 * (1 - found[0].alpha):g} %)"
    ax.fill_between(sigmas, band[:, 0], band[:, 1], color="0.85", lw=0, label=label)
    ends: list[float] = []
    for k in np.argsort(-accuracy[-1]):
        ax.plot(sigmas, accuracy[:, k], marker="o", ms=4, **curve_style(int(k)))
        # Names move down where they would overlap.
        ends.append(min(accuracy[-1, k], ends[-1] - 0.05 if ends else 1.0))
        name = str(k if names is None else names[k])
        ax.annotate(name, (1.02, ends[-1]), xycoords=("axes fraction", "data"), fontsize=TEXT - 2,
                    color=COLORS[k % len(COLORS)], va="center", annotation_clip=False)  # fmt: skip
    ax.set_ylim(-0.02, 1.02)
    return dress(ax, "sigma of the smoothing noise", "accuracy of each class", legend="lower left")


def plot_extreme_classes(sigmas: ArrayLike, accuracy: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Lowest and highest accuracy of a class over sigma, mean over seeds with 95 % intervals.

    Args:
        sigmas: ``(S,)``.
        accuracy: from the name of a training to class accuracies ``(seeds, S, K)``; at least 2 seeds.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes; solid lines are minima, dotted ones maxima.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for fewer than 2 seeds.

    Example:
        >>> import numpy as np, matplotlib.figure
        >>> accuracy = np.random.default_rng(0).random((5, 3, 10))
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> len(
        ...     plot_extreme_classes(
        ...         [0.25, 0.5, 1.0], {"no noise in training": accuracy}, ax=ax
        ...     ).lines
        ... )
        3
    """
    sigmas, ax = arguments.sigmas("sigmas", sigmas), ax or new_axes()
    for i, (name, values) in enumerate(accuracy.items()):
        colour = COLORS[i % len(COLORS)]
        for extreme, style in ((np.nanmin, "solid"), (np.nanmax, "dotted")):
            mean, low, high, _ = seed_interval(extreme(np.asarray(values), axis=-1))
            ax.fill_between(sigmas, np.clip(low, 0, 1), np.clip(high, 0, 1), color=colour, alpha=0.15, lw=0)
            label = name if style == "solid" else None
            ax.plot(sigmas, mean, color=colour, linestyle=style, lw=2.5, marker=marker_of(i), ms=6, label=label)
    ax.plot([], [], color="0.3", lw=2.5, linestyle="dotted", label="highest class (solid: lowest)")
    ax.set_ylim(-0.02, 1.02)
    return dress(ax, "sigma of the smoothing noise", "accuracy of a class", legend="lower left")


@deliberate
def plot_decision_regions(
    key: Array,
    classify: Classify,
    sigma: float,
    *,
    extent: tuple[float, float, float, float],
    n: int = 200,
    resolution: int = 120,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The regions of a classifier of the plane after smoothing.

    Args:
        key: a JAX random key; the same noise at every point.
        classify: ``(batch, 2) -> (batch, classes)``.
        sigma: standard deviation of the smoothing noise, at least 0.
        extent: ``(left, right, bottom, top)``.
        n: votes at each point.
        resolution: points on each side.
        points: ``(N, 2)`` to draw on top; none by default.
        labels: int ``(N,)``, their classes.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes, of equal aspect.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for values that do not fit.

    Example:
        >>> import jax, jax.numpy as jnp, matplotlib.figure
        >>> disc = lambda x: jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)
        >>> ax, square = matplotlib.figure.Figure().subplots(), (-2, 2, -2, 2)
        >>> ax = plot_decision_regions(
        ...     jax.random.key(0), disc, 0.5, extent=square, n=50, resolution=20, ax=ax
        ... )
        >>> ax.get_title()
        'sigma = 0.5'
    """
    ax = ax or new_axes()
    # Not before: what is missing is named there, with the command that installs it.
    from matplotlib.colors import ListedColormap

    left, right, bottom, top = extent
    side = _check.integer("resolution", resolution, at_least=2)
    across, up = np.meshgrid(np.linspace(left, right, side), np.linspace(bottom, top, side))
    grid = np.stack([across.ravel(), up.ravel()], -1).astype(np.float32)
    votes = votes_over_sigma(key, classify, grid, [sigma], n, image_ids=np.zeros(len(grid), np.int32))[0]
    classes = votes.shape[-1]
    colours = ListedColormap([_AREAS[k % len(_AREAS)] for k in range(classes)])
    won = np.ma.masked_equal(winners(votes).reshape(side, side), ABSTAIN)
    ax.imshow(
        won, origin="lower", extent=extent, cmap=colours, vmin=-0.5,
        vmax=classes - 0.5, interpolation="nearest",
    )  # fmt: skip
    if points is not None:
        at, classes_at = np.asarray(points), arguments.labelled(labels)
        for k in np.unique(classes_at):
            ax.plot(*at[classes_at == k].T, ".", ms=3, color=COLORS[k % len(COLORS)], label=f"class {k}")
    ax.set_aspect("equal")
    dress(ax, "first coordinate", "second coordinate", title=f"sigma = {sigma:g}")
    ax.grid(False)
    return ax


def plot_ray_ratios(found: Mapping[str, RegionShrinkage], *, ax: Axes | None = None) -> Axes:
    """How much of each class's reach along rays is left after smoothing, a violin each.

    Args:
        found: from a name, as a rule that of the class, to the result of ``region_shrinkage``.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes; under each name the share of rays that are censored and of origins that are lost.

    Raises:
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth.diagnostics as diagnostics, matplotlib.figure
        >>> disc = lambda x: jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)
        >>> rays = jax.random.normal(jax.random.key(1), (8, 2))
        >>> key, origin = jax.random.key(0), jnp.zeros((1, 2))
        >>> found = diagnostics.region_shrinkage(
        ...     key, disc, origin, 0, rays, 0.5, t_max=2.0, steps=10, n=200
        ... )
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_ray_ratios({"disc": found}, ax=ax).get_ylabel()
        'exit after smoothing / before'
    """
    ax = ax or new_axes()
    names = []
    for i, (name, one) in enumerate(found.items()):
        ratio = one.ratio[np.isfinite(one.ratio)]
        if ratio.size:
            parts: Any = ax.violinplot(ratio, positions=[i], widths=0.85, showmedians=True, showextrema=False)
            for body in parts["bodies"]:
                body.set(facecolor=COLORS[0], alpha=0.35, edgecolor=COLORS[0])
            parts["cmedians"].set(color="black", linewidth=2.5)
        names.append(f"{name}\n{100 * one.censored_share:.0f} %\n{100 * (1 - one.alive.mean()):.0f} %")
    ax.axhline(1, color="0.4", lw=1)
    ax.set_xticks(range(len(names)), names)
    ax.set_ylim(bottom=0)
    return dress(ax, "class; rays without an exit within reach; origins lost", "exit after smoothing / before")


def plot_distances(
    found: InterferenceDistance, gaps: ArrayLike, *, sigma: float, dim: int, ax: Axes | None = None
) -> Axes:
    """Distances between and within classes against the scales of the noise.

    Args:
        found: from ``interference_distance``.
        gaps: edges of the spanning trees of all classes, from ``component_gap``; any shape.
        sigma: standard deviation of the noise, positive; drawn as sigma, its reach along one direction, and as sigma
            sqrt(dim), its length.
        dim: coordinates of one image.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a value out of range.

    Example:
        >>> import numpy as np, jaxsmooth.diagnostics as diagnostics, matplotlib.figure
        >>> x, labels = np.random.default_rng(0).normal(size=(100, 3)), np.arange(100) % 2
        >>> found = diagnostics.interference_distance(x, labels)
        >>> gaps = diagnostics.component_gap(x[labels == 0])
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_distances(found, gaps, sigma=0.25, dim=3, ax=ax).get_xlabel()
        'l2 distance'
    """
    ax, sigma = ax or new_axes(), float(_check.positives("sigma", sigma))
    length = sigma * np.sqrt(_check.integer("dim", dim, at_least=1))
    half, gaps = found.nn_other / 2, np.ravel(gaps)
    bins = np.linspace(0, 1.05 * max(half.max(), gaps.max(), length), 60).tolist()
    styles = ((half, "half of the distance to another class", 0), (gaps, "gaps within classes (spanning trees)", 1))
    for values, label, i in styles:
        weights = np.full(len(values), 1 / len(values))
        ax.hist(values, bins, weights=weights, histtype="step", lw=2.5, color=COLORS[i], label=label)
    for at, name, dashes in ((sigma, "sigma", (0, (1.2, 1.2))), (length, "sigma $\\sqrt{d}$", (0, (5, 1.5)))):
        ax.axvline(at, color="black", lw=2, linestyle=dashes, label=f"{name} = {at:.3g}")
    return dress(ax, "l2 distance", "share", legend="upper right")
