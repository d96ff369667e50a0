"""The table of ``classes.py``."""

import json
import pathlib

import numpy as np
from tabular import table

import jaxsmooth.diagnostics as jd
from jaxsmooth.analysis import ClassWiseAccuracy


def make(results: pathlib.Path) -> str:
    """The lowest and the highest class, with the interval of each and what equal classes would show."""
    path = results / "classes/classes.json"
    if not path.exists():
        return "Not run yet."
    record = json.loads(path.read_text())
    images, rows = np.array(record["images"]), []
    for row in sorted(record["rows"], key=lambda row: (row["trained with"] > 0, row["sigma"])):
        found = accuracy(images, np.array(row["right"]))
        low, high = int(np.argmin(found.acc)), int(np.argmax(found.acc))
        cells = [
            f"{100 * found.acc[k]:.1f} [{100 * found.interval[k, 0]:.1f}, {100 * found.interval[k, 1]:.1f}], class {k}"
            for k in (low, high)
        ]
        mean = 100 * sum(row["right"]) / images.sum()
        trained = f"{row['trained with']:g}" if row["trained with"] else "none"
        null = "yes" if found.acc[low] < accuracy(images, np.array(row["right"]), alpha=0.05).null_band[0] else "no"
        rows.append([trained, f"{row['sigma']:g}", f"{mean:.1f}", *cells, f"{100 * found.null_min:.1f}", null])
    heads = [
        "training sigma",
        "smoothing sigma",
        "accuracy, %",
        "lowest class",
        "highest class",
        "lowest if equal",
    ]
    return table([*heads, "lower than chance"], rows) + "\n\nIntervals hold for all ten classes together with 95 %."


def accuracy(images: np.ndarray, right: np.ndarray, *, alpha: float | None = None) -> ClassWiseAccuracy:
    """The accuracies of classes of these sizes; intervals that all hold with 95 %, for the extremes are picked."""
    alpha = 0.05 / len(images) if alpha is None else alpha
    labels = np.repeat(np.arange(len(images)), images)
    place = np.concatenate([np.arange(size) for size in images])
    return jd.classwise_accuracy(
        labels, np.where(place < right[labels], labels, (labels + 1) % len(images)), len(images), alpha=alpha
    )


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    path = results / "classes/classes.json"
    if not path.exists():
        return "not run yet"
    record = json.loads(path.read_text())
    lowest = {}
    for row in record["rows"]:
        found = accuracy(np.array(record["images"]), np.array(row["right"]))
        lowest.setdefault("without" if not row["trained with"] else "with", {})[row["sigma"]] = 100 * found.min
    most = max(lowest["without"])
    parts = [f"{lowest['without'][most]:.1f} % without training noise"]
    parts += [f"{lowest['with'][most]:.1f} % with"] if most in lowest.get("with", {}) else []
    return f"lowest class at sigma {most:g}: {', '.join(parts)}"
