"""How the figures of this folder look: panels side by side, colours that colour-blind readers tell apart."""

import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt

# Okabe-Ito; marks and line styles tell apart without colour too.
BLUE, ORANGE, GREEN, PINK, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"
STYLES = [
    (BLUE, "o", "solid"),
    (ORANGE, "s", (0, (5, 1.5))),
    (GREEN, "^", (0, (1.5, 1.2))),
    (PINK, "v", (0, (4, 1.5, 1, 1.5))),
    (BLACK, "D", (0, (8, 2))),
]


def panels(titles: Sequence[str], across: str, upwards: str, share: bool = True) -> tuple[Any, list[Any]]:
    """A figure and its axes: one for every title, three in a row, or two of four, named on the left and below."""
    columns = 2 if len(titles) == 4 else min(len(titles), 3)
    rows = -(-len(titles) // columns)
    size = (1.5 + 4.5 * columns, 4.4 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharey=share)
    for spare in axes.flat[len(titles) :]:
        spare.remove()
    for one, title in zip(axes.flat, titles, strict=False):
        one.set_title(title, fontsize=14)
        one.set_xlabel(across, fontsize=14)
        one.tick_params(labelsize=12)
        one.grid(color="0.9", linewidth=0.7)
        one.spines[["top", "right"]].set_visible(False)
    for row in axes:
        row[0].set_ylabel(upwards, fontsize=14)
    return figure, list(axes.flat[: len(titles)])


def legend(axes: Any, title: str | None = None, **options: Any) -> None:
    """Without a frame."""
    axes.legend(frameon=False, fontsize=12, title=title, title_fontsize=11, **options)


def save(figure: Any, path: pathlib.Path) -> bool:
    """Write the figure; True, for callers that say whether there is one."""
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True
