"""Figures of certificates that are no single class: maps of outputs, and intervals of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import OutputCertificates, ValueCertificates
from jaxsmooth._printed import significant_down
from jaxsmooth._types import ABSTAIN, ArrayLike
from jaxsmooth.analysis.figure_style import COLORS, TEXT, axes_or_new, dress
from jaxsmooth.analysis.outputs import checked_outputs, is_right
from jaxsmooth.analysis.values import checked_targets, intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Light enough to be told from the colours of classes, in print, too.
_ABSTAINED, _WRONG = "#FFFFFF", "#000000"


def plot_output_map(
    certificates: OutputCertificates,
    labels: ArrayLike | None = None,
    *,
    image: int = 0,
    ignore_label: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the certified classes of one image as a picture; white where it abstains, black where a class is wrong.

    Args:
        certificates: of images whose outputs are a map, ``(images, height, width)``.
        labels: the true classes, integers of the same shape; without them nothing is called wrong.
        image: which image.
        ignore_label: outputs of this true class are left white.
        ax: matplotlib axes to draw into; new ones by default.
        title: above the axes; by default the share that is certified.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the outputs are no map, or the labels do not fit.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, matplotlib.figure
        >>> signs = lambda batch: jnp.stack([-batch, batch], -1)
        >>> x = jnp.array([[[0.9, -0.8], [0.1, -1.0]]])
        >>> made = js.certify_outputs(
        ...     jax.random.key(0), signs, js.noises.Gaussian(0.25), x, radius=0.25
        ... )
        >>> js.analysis.plot_output_map(
        ...     made, ax=matplotlib.figure.Figure().subplots()
        ... ).get_title()
        '75% certified'
    """
    nothing = np.zeros(np.shape(getattr(certificates, "label", ())), np.int64)
    truth, scored = checked_outputs(certificates, nothing if labels is None else labels, ignore_label)
    if certificates.label.ndim != 3:
        raise ValueError(
            f"certificates must be of maps, (images, height, width); got outputs {certificates.label.shape[1:]}"
        )
    image = _check.integer("image", image, at_least=0)
    if image >= len(certificates):
        raise ValueError(f"image must be below the number of images, {len(certificates)}; got {image}")
    ax = axes_or_new(ax)
    # Not before: what is missing is named there, with the command that installs it.
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    label = np.where(scored[image], certificates.label[image], ABSTAIN)
    few = [color for color in COLORS if color != _WRONG]
    # Twenty colours are told apart less well than a few.
    many = max(label.max(initial=0), truth[image][scored[image]].max(initial=0)) >= len(few)
    palette = np.array([to_rgb(color) for color in (colormaps["tab20"].colors if many else few)])  # pyright: ignore[reportAttributeAccessIssue]
    picture = np.where((label == ABSTAIN)[..., None], to_rgb(_ABSTAINED), palette[label % len(palette)])
    if labels is not None:
        wrong = (label != ABSTAIN) & ~is_right(certificates, label, truth[image])
        picture = np.where(wrong[..., None], to_rgb(_WRONG), picture)
    ax.imshow(picture, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    share = float((label != ABSTAIN).sum() / max(scored[image].sum(), 1))
    ax.set_title(f"{share:.0%} certified" if title is None else title, fontsize=TEXT)
    return ax


def plot_values(
    certificates: ValueCertificates,
    targets: ArrayLike | None = None,
    *,
    radius: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the interval of every value, in increasing order of the targets, or of the values.

    Args:
        certificates: of N images; several outputs of an image stand side by side.
        targets: the true values, drawn as a line.
        radius: at which of the radii; the largest one by default.
        ax: matplotlib axes to draw into; new ones by default.
        title: above the axes; by default the radius.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the targets do not fit, or the radius is none of the certificates'.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, matplotlib.figure
        >>> made = js.certify_values(
        ...     jax.random.key(0),
        ...     lambda z: z.mean(-1),
        ...     js.noises.Gaussian(0.5),
        ...     jnp.array([[0.5, 0.7]]),
        ...     0.25,
        ...     edges=jnp.linspace(-1, 2, 301),
        ... )
        >>> js.analysis.plot_values(
        ...     made, [0.6], ax=matplotlib.figure.Figure().subplots()
        ... ).get_title()
        'radius 0.25'
    """
    lower, upper, radii = intervals(certificates)
    truth = None if targets is None else checked_targets(certificates, targets).ravel()
    at = int(np.argmax(radii)) if radius is None else _place_of(radius, radii)
    value = certificates.value.ravel()
    order = np.argsort(value if truth is None else truth, kind="stable")
    ends = np.array(certificates.edges)[[0, -1]] if certificates.edges else np.array([0.0, 1.0])
    low, high = np.maximum(lower[order, at], ends[0]), np.minimum(upper[order, at], ends[1])
    ax = axes_or_new(ax)
    place = np.arange(len(order))
    ax.vlines(place, low, high, color=COLORS[6], linewidth=2, alpha=0.6, label="certified interval")
    ax.plot(place, value[order], ".", color=COLORS[0], label="smoothed value")
    if truth is not None:
        ax.plot(place, truth[order], color=COLORS[1], linewidth=2, label="target")
    xlabel = "images, sorted" if truth is None else "images, sorted by target"
    dress(ax, xlabel, "value", title=f"radius {significant_down(radii[at], 6)}" if title is None else title)
    ax.legend(fontsize=TEXT - 2, edgecolor="none", framealpha=0.85)
    return ax


def _place_of(radius: Any, radii: np.ndarray) -> int:
    found = np.flatnonzero(radii == _check.number("radius", radius))
    if not found.size:
        raise ValueError(f"radius must be one of the certificates', {radii.tolist()}; got {radius}")
    return int(found[0])
