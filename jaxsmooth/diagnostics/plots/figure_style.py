"""How the figures of the diagnostics look: curves, labels, legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxsmooth.analysis.plot import COLORS, DASHES, TEXT, light_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def curve_style(i: int, *, offset: int = 0) -> dict[str, Any]:
    """Colour, dashes and width of the i-th curve."""
    return {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[(i + offset) % len(DASHES)], "linewidth": 2.5}
