"""The figure of ``sequential.py``: the curves of the published logs, and the same from fewer votes."""

import json
import pathlib

import numpy as np
from drawing import BLUE, ORANGE, legend, panels, save
from table_sequential import FILE


def draw(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel for every log; whether there are any."""
    if not (results / FILE).exists():
        return False
    record = json.loads((results / FILE).read_text())
    figure, axes = panels([row["name"] for row in record["rows"]], "l2 radius", "certified accuracy")
    for one, row in zip(axes, record["rows"], strict=True):
        fewer, saved = np.mean(row["curves"], 0), record["n"] / np.mean(row["votes"])
        one.plot(row["radii"], fewer, color=BLUE, linewidth=2.5, label=f"certify_curve, {saved:.0f} times fewer votes")
        one.plot(
            row["radii"], row["published"], "o", color=ORANGE, markersize=8, markerfacecolor="none", label="published"
        )
        one.set_ylim(0, 0.85)
        one.set_xlim(-0.03, None)
        legend(one, loc="upper right")
    return save(figure, path)
