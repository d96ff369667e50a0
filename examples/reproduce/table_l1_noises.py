"""The table of ``l1_noises.py``."""

import json
import pathlib

import numpy as np
from tabular import table

import jaxsmooth as js

RADII = np.arange(0, 9) / 2


def make(results: pathlib.Path) -> str:
    """Certified l1 accuracy of every network, and the best over sigma for each noise."""
    rows = [[f"{kind}, sigma {sigma:g}", *percent(accuracy)] for (kind, sigma), accuracy in accuracies(results).items()]
    if not rows:
        return "Not run yet."
    rows += [[f"**{kind}, best sigma**", *percent(accuracy)] for kind, accuracy in best_of_sigma(results).items()]
    return table(["certified accuracy, %, at l1 radius", *(f"{radius:g}" for radius in RADII)], rows)


def accuracies(results: pathlib.Path) -> dict[tuple[str, float], np.ndarray]:
    """Certified accuracy at ``RADII`` of every noise, with and without stability training, and sigma."""
    found = {}
    for path in sorted((results / "l1_noises").glob("*.json")):
        if not path.name.endswith(".tsv.json"):
            record = json.loads(path.read_text())
            kind = record["noise"].capitalize() + (", stability" if "stability" in record["objective"] else "")
            certificates, labels = js.analysis.read_log(path.with_suffix(".tsv"))
            found[kind, record["sigma"]] = js.analysis.certified_accuracy(certificates, labels, RADII)
    return found


def best_of_sigma(results: pathlib.Path) -> dict[str, np.ndarray]:
    """The largest of the accuracies over sigma, for each radius apart, as the paper reports them."""
    best = {}
    for (kind, _), accuracy in accuracies(results).items():
        best[kind] = np.maximum(best.get(kind, 0.0), accuracy)
    return best


def percent(values: np.ndarray) -> list[str]:
    """As cells."""
    return [f"{100 * value:.1f}" for value in values]


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    best = best_of_sigma(results)
    said = []
    for ending, name in (("", ""), (", stability", ", both with stability training")):
        if {f"Uniform{ending}", f"Laplace{ending}"} <= set(best):
            pairs = zip(RADII, best[f"Uniform{ending}"], best[f"Laplace{ending}"], strict=True)
            above = [f"{radius:g}" for radius, a, b in pairs if a > b]
            said.append(
                f"Uniform is above Laplace, each at its best sigma{name}, at l1 radius {', '.join(above) or 'none'}"
            )
    return "; ".join(said) or "not run yet"
