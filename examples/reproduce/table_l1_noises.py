"""The table of ``l1_noises.py``."""

import json
import math
import pathlib

import numpy as np
from tabular import table

import jaxsmooth as js

RADII = np.arange(0, 9) / 2


def make(results: pathlib.Path) -> str:
    """Certified l1 accuracy of every network, the best over sigma for each noise, and what the paper orders, paired."""
    found = certified(results)
    if not found:
        return "Not run yet."
    rows = [[f"{kind}, sigma {sigma:g}", *percent(images.mean(axis=0))] for (kind, sigma), images in found.items()]
    best = best_of_sigma(results)
    rows += [[f"**{kind}, best sigma**", *percent(images.mean(axis=0))] for kind, images in best.items()]
    made = table(["certified accuracy, %, at l1 radius", *(f"{radius:g}" for radius in RADII)], rows)
    pairs = [(one, other) for one, other in ordered() if {one, other} <= set(best)]
    if pairs:
        rows = [[f"{one} minus {other}", *_points(best[one], best[other])] for one, other in pairs]
        heads = ["points, same images, each at its best sigma", *(f"{radius:g}" for radius in RADII)]
        made += (
            f"\n\n{table(heads, rows)}\n\nStandard errors in brackets; in bold what is more than 1.96 of them from 0. "
        )
        made += "The best sigma is picked on the same images."
    return made


def ordered() -> list[tuple[str, str]]:
    """The pairs that published results put in order, the better first."""
    return [("Uniform", "Laplace"), ("Uniform, stability", "Laplace, stability"), ("Uniform, stability", "Uniform")]


def certified(results: pathlib.Path) -> dict[tuple[str, float], np.ndarray]:
    """Which images are certified at ``RADII`` under every noise, with and without stability training, and sigma."""
    found = {}
    for path in sorted((results / "l1_noises").glob("*.json")):
        if not path.name.endswith(".tsv.json"):
            record = json.loads(path.read_text())
            kind = record["noise"].capitalize() + (", stability" if "stability" in record["objective"] else "")
            certificates, labels = js.analysis.read_log(path.with_suffix(".tsv"))
            right = certificates.label == labels
            found[kind, record["sigma"]] = right[:, None] & (certificates.radius[:, None] >= RADII)
    return found


def best_of_sigma(results: pathlib.Path) -> dict[str, np.ndarray]:
    """The images of the sigma with most of them, for each radius apart, as the paper reports them."""
    best: dict[str, np.ndarray] = {}
    for (kind, _), images in certified(results).items():
        so_far = best.get(kind, images)
        best[kind] = np.where(images.sum(axis=0) > so_far.sum(axis=0), images, so_far)
    return best


def percent(values: np.ndarray) -> list[str]:
    """As cells."""
    return [f"{100 * value:.1f}" for value in values]


def _points(one: np.ndarray, other: np.ndarray) -> list[str]:
    """Differences in points with their standard errors, in bold where they are beyond chance."""
    gap = one.astype(float) - other
    cells = []
    for mean, error in zip(gap.mean(axis=0), gap.std(axis=0, ddof=1) / math.sqrt(len(gap)), strict=True):
        cell = f"{100 * mean:+.1f} ({100 * error:.1f})"
        cells.append(f"**{cell}**" if abs(mean) > 1.96 * error else cell)
    return cells


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    best = best_of_sigma(results)
    said = []
    for (one, other), name in zip(ordered()[:2], ("", ", both with stability training"), strict=True):
        if {one, other} <= set(best):
            gaps = 100 * (best[one].mean(axis=0) - best[other].mean(axis=0))
            above = [f"{radius:g}" for radius, gap in zip(RADII, gaps, strict=True) if gap > 0]
            said.append(
                f"Uniform is above Laplace, each at its best sigma{name}, at l1 radius {', '.join(above) or 'none'}"
            )
    return "; ".join(said) or "not run yet"
