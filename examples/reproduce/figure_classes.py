"""The figure of ``classes.py``: accuracy of the classes over sigma."""

import json
import pathlib

import numpy as np
from drawing import BLACK, BLUE, ORANGE, legend, panels, save
from table_classes import accuracy


def draw(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel without training noise and, where it was run, one with; whether there are any."""
    file = results / "classes/classes.json"
    if not file.exists():
        return False
    record = json.loads(file.read_text())
    images = np.array(record["images"])
    groups = {"trained without noise": False, "trained with the noise it is smoothed with": True}
    rows = {
        title: sorted(
            (row for row in record["rows"] if bool(row["trained with"]) == noisy), key=lambda row: row["sigma"]
        )
        for title, noisy in groups.items()
    }
    rows = {title: chosen for title, chosen in rows.items() if chosen}
    figure, axes = panels(list(rows), "sigma of the smoothing", "accuracy of the vote")
    for one, chosen in zip(axes, rows.values(), strict=True):
        sigma = [row["sigma"] for row in chosen]
        found = [accuracy(images, np.array(row["right"])) for row in chosen]
        every = np.array([f.acc for f in found])
        one.plot(sigma, every, color="0.75", linewidth=1)
        for name, place, color in (("highest class", np.argmax, BLUE), ("lowest class", np.argmin, ORANGE)):
            ends = np.array([f.interval[place(f.acc)] for f in found])
            middle = np.array([f.acc[place(f.acc)] for f in found])
            error = np.abs(ends.T - middle)
            one.errorbar(sigma, middle, error, color=color, marker="o", linewidth=2.5, capsize=4, label=name)
        one.plot(sigma, [row_mean(row, images) for row in chosen], color=BLACK, linestyle="dashed", label="all images")
        one.set_xticks(sigma, [f"{value:g}" for value in sigma])
        one.set_ylim(0, 1.03)
        legend(one, "grey: each class; bars: 95 % for all", loc="lower left")
    return save(figure, path)


def row_mean(row: dict, images: np.ndarray) -> float:
    """Accuracy over all images."""
    return sum(row["right"]) / images.sum()
