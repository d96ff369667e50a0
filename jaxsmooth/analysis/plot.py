"""plot_certified_accuracy: certified accuracy over radii, the figure of every certification paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates, TopKCertificates
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.figure_style import COLORS, DASHES, TEXT, axes_or_new, dress_over_radius
from jaxsmooth.analysis.scores import certified_accuracy, interval_of_share, scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKED = 40


def plot_certified_accuracy(
    certificates: Certificates | TopKCertificates | Mapping[str, Any],
    labels: ArrayLike | Mapping[str, ArrayLike],
    *,
    radii: ArrayLike | None = None,
    alpha: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw certified accuracy against the radius; several sets of certificates share the axes.

    Between two radii the curve has the value of the larger one, so that it never shows more than was
    certified.

    Args:
        certificates: of N images, or a mapping from the name in the legend to certificates, all of one norm.
        labels: the true classes, integers ``(N,)``; or a mapping with the same names.
        radii: where to evaluate; by default at every radius that occurs, which is exact.
        alpha: draws a band around each curve that misses at any one radius with this probability: two-sided
            Clopper-Pearson intervals over images; none by default.
        ax: matplotlib axes to draw into; new ones by default.
        title: above the axes; none by default.

    Returns:
        The axes. Save them with ``ax.figure.savefig(path)``.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if labels and certificates do not fit, the norms differ, or nothing is given.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis, matplotlib.figure
        >>> radius = np.linspace(0, 1, 50)
        >>> certificates = js.Certificates(
        ...     np.zeros(50, int), radius, radius, radius, np.full(50, 1000)
        ... )
        >>> axes = matplotlib.figure.Figure().subplots()
        >>> js.analysis.plot_certified_accuracy(
        ...     certificates, np.zeros(50, int), ax=axes
        ... ).get_xlabel()
        'l2 radius'
    """
    named = certificates if isinstance(certificates, Mapping) else {"": certificates}
    if not named:
        raise ValueError("certificates must hold at least one set of certificates; got an empty mapping")
    if alpha is not None:
        alpha = _check.probability("alpha", alpha)
    curves = {name: _curve(value, _labels_of(labels, name), radii) for name, value in named.items()}
    norms = {float(value.norm) for value in named.values()}
    if len(norms) > 1:
        raise ValueError(
            f"certificates of several norms, {sorted(norms)}, do not share an axis; draw one plot for each norm"
        )
    ax = axes_or_new(ax)
    for i, (name, (at, accuracy)) in enumerate(curves.items()):
        style = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)], "linewidth": 2.5}
        # A step hides the value at its own end: where only a few radii were asked for, mark them.
        marker = "o" if radii is not None and len(at) <= _MARKED else None
        if alpha is not None and len(list(named.values())[i]):
            _band(ax, at, accuracy, len(list(named.values())[i]), alpha, style["color"])
        ax.step(at, accuracy, where="pre", label=name or None, marker=marker, clip_on=marker is None, **style)
    dress_over_radius(ax, norms.pop(), "certified accuracy", title)
    if isinstance(certificates, Mapping):
        size = TEXT - (1 if len(named) <= 3 else 3)
        ax.legend(fontsize=size, labelspacing=0.35, handlelength=2.6, edgecolor="none", framealpha=0.85)
    return ax


def _labels_of(labels: ArrayLike | Mapping[str, ArrayLike], name: str) -> ArrayLike:
    if not isinstance(labels, Mapping):
        return labels
    if name not in labels:
        raise ValueError(f"labels must have an entry for every name of certificates; {name!r} is missing")
    return labels[name]


def _curve(
    certificates: Certificates | TopKCertificates, labels: ArrayLike, radii: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Increasing radii and the certified accuracy there; for the exact curve down to 0."""
    if radii is not None:
        at = np.unique(_check.nonnegative("radii", radii))
        if not at.size:
            raise ValueError("radii must hold at least one radius; got none. Leave it out for the exact curve")
        return at, certified_accuracy(certificates, labels, at)
    radius, correct = scored(certificates, labels)
    at = np.unique(np.append(radius[correct], 0.0))
    accuracy = certified_accuracy(certificates, labels, at)
    # Past the largest radius nothing is certified: the curve ends on the axis.
    return np.append(at, at[-1]), np.append(accuracy, 0.0)


def _band(ax: Axes, at: np.ndarray, accuracy: np.ndarray, images: int, alpha: float, color: str) -> None:
    lower, upper = interval_of_share(np.rint(accuracy * images).astype(np.int64), images, alpha)
    ax.fill_between(at, lower, upper, step="pre", color=color, alpha=0.18, linewidth=0)
