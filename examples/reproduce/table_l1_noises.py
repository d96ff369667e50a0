"""The table of ``l1_noises.py``."""

import json
import pathlib

import numpy as np
from tabular import table

import jaxsmooth as js

RADII = np.arange(0, 9) / 2


def make(results: pathlib.Path) -> str:
    """Certified l1 accuracy of every network, and the best over sigma for each noise."""
    rows, best = [], {}
    for path in sorted((results / "l1_noises").glob("*.json")):
        if path.name.endswith(".tsv.json"):
            continue
        record = json.loads(path.read_text())
        certificates, labels = js.analysis.read_log(path.with_suffix(".tsv"))
        accuracy = js.analysis.certified_accuracy(certificates, labels, RADII)
        kind = record["noise"].capitalize() + (", stability" if "stability" in record["objective"] else "")
        rows.append([f"{kind}, sigma {record['sigma']:g}", *percent(accuracy)])
        best[kind] = np.maximum(best.get(kind, 0.0), accuracy)
    if not rows:
        return "Not run yet."
    rows += [[f"**{kind}, best sigma**", *percent(accuracy)] for kind, accuracy in best.items()]
    return table(["certified accuracy, %, at l1 radius", *(f"{radius:g}" for radius in RADII)], rows)


def percent(values: np.ndarray) -> list[str]:
    """As cells."""
    return [f"{100 * value:.1f}" for value in values]


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    best = {}
    for path in sorted((results / "l1_noises").glob("*.json")):
        if not path.name.endswith(".tsv.json"):
            noise = json.loads(path.read_text())["noise"]
            accuracy = js.analysis.certified_accuracy(*js.analysis.read_log(path.with_suffix(".tsv")), RADII)
            best[noise] = np.maximum(best.get(noise, 0.0), accuracy)
    if not {"uniform", "laplace"} <= set(best):
        return "not run yet"
    above = [f"{radius:g}" for radius, a, b in zip(RADII, best["uniform"], best["laplace"], strict=True) if a > b]
    return f"Uniform is above Laplace, each at its best sigma, at l1 radius {', '.join(above) or 'none'}"
