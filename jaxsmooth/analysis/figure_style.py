"""How all figures look: colours, text, axes, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxsmooth._printed import norm_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind readers tell apart; the pale ones are left out. With the
# dashes they are told apart in grey as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
DASHES = ("solid", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (7, 1.5, 1.5, 1.5)))
TEXT = 14
_MARKERS = "os^Dv"


def new_axes() -> Axes:
    """Axes of a new figure; says how to install matplotlib where it is missing."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('plots need matplotlib; install it with: pip install "jaxsmooth[plot]"') from error
    _, ax = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    return ax


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes to draw into, new ones for None; what are no axes is refused."""
    ax = new_axes() if ax is None else ax
    if not callable(getattr(ax, "step", None)):
        raise TypeError(f"ax must be matplotlib axes, as from plt.subplots; got {type(ax).__name__}")
    return ax


def curve_style(i: int, *, offset: int = 0) -> dict[str, Any]:
    """Colour, dashes and width of the i-th curve."""
    return {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[(i + offset) % len(DASHES)], "linewidth": 2.5}


def marker_of(i: int) -> str:
    """The marker of the i-th curve."""
    return _MARKERS[i % len(_MARKERS)]


def dress(ax: Axes, xlabel: str, ylabel: str, *, legend: Any = None, title: str | None = None) -> Axes:
    """Labels, a light grid and a legend, in sizes that survive printing at half width."""
    ax.set_xlabel(xlabel, fontsize=TEXT)
    ax.set_ylabel(ylabel, fontsize=TEXT)
    if title is not None:
        ax.set_title(title, fontsize=TEXT)
    light_frame(ax)
    if legend is not None:
        ax.legend(loc=legend, fontsize=TEXT - 3, labelspacing=0.35, handlelength=2.4, edgecolor="none", framealpha=0.85)
    return ax


def dress_over_radius(ax: Axes, norm: float, ylabel: str, title: str | None) -> None:
    """Labels and limits of an accuracy over the radius."""
    dress(ax, f"{norm_in_words(norm)} radius", ylabel, title=title)
    ax.set_xlim(0, 1.02 * ax.dataLim.x1 or 1)
    ax.set_ylim(0, 1.01)


def light_frame(ax: Axes) -> None:
    """A light grid and two spines, ticks in a size that survives printing at half width."""
    ax.tick_params(labelsize=TEXT - 2)
    ax.grid(color="0.88", linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
