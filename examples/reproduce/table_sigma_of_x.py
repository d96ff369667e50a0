"""The table of ``sigma_of_x.py``."""

import json
import math
import pathlib

import numpy as np
from tabular import mean_interval, table

import jaxsmooth as js


def make(results: pathlib.Path) -> str:
    """Both sides of every pair, and the paired difference."""
    rows, gaps = [], []
    for path in sorted((results / "sigma_of_x").glob("*.json")):
        if path.name.endswith(".tsv.json"):
            continue
        record, scores = json.loads(path.read_text()), {}
        for kind in ("constant", "nearest"):
            certificates, labels = js.analysis.read_log(path.with_name(f"{path.stem}-{kind}.tsv"))
            radii = np.arange(4) * record["sigma_b"]
            accuracy = js.analysis.certified_accuracy(certificates, labels, radii)
            classes = js.analysis.class_wise_accuracy(certificates, labels, num_classes=10)
            scores[kind] = _scores(path, kind)
            wrong = np.mean((certificates.label >= 0) & (certificates.label != labels))
            cells = [f"{100 * value:.1f}" for value in (*accuracy, js.analysis.abstention_rate(certificates), wrong)]
            cells += [f"{classes.standard_deviation:.3f}", f"{scores[kind].mean():.4f}"]
            rows.append([f"{record['sigma_b']:g}, {record['rate']:g}", kind, *cells])
        gaps.append(difference(record, scores["nearest"], scores["constant"]))
    if not rows:
        return "Not run yet."
    radii = ["certified, %, at 0", "at 1 sigma_b", "at 2", "at 3"]
    heads = ["sigma_b, rate", "sigma", *radii, "abstains, %", "wrong, %", "sd of the classes", "average radius"]
    return (
        table(heads, rows)
        + "\n\nNearest: sigma(x); constant: their mean for all images. The sd is that of the ten classes' "
        "certified accuracy at 0, as a fraction."
        "\n\nNearest minus constant, average radius on the same images (95 %): " + "; ".join(gaps) + "."
    )


def difference(record: dict, nearest: np.ndarray, constant: np.ndarray) -> str:
    """What the moving sigma gains on the same images, and what its rate costs."""
    gap = nearest - constant
    share, cost = gap.mean() / constant.mean(), 1 - 1 / math.hypot(1, record["kappa"])
    return (
        f"sigma_b {record['sigma_b']:g}, rate {record['rate']:g}: {mean_interval(gap)}, {100 * share:+.1f} %, "
        f"where the rate costs {100 * cost:.1f} % at equal votes"
    )


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    said = []
    for path in sorted((results / "sigma_of_x").glob("*.json")):
        if not path.name.endswith(".tsv.json"):
            record = json.loads(path.read_text())
            said.append(difference(record, *(_scores(path, kind) for kind in ("nearest", "constant"))))
    return "; ".join(said) or "not run yet"


def _scores(path: pathlib.Path, kind: str) -> np.ndarray:
    certificates, labels = js.analysis.read_log(path.with_name(f"{path.stem}-{kind}.tsv"))
    return np.where(certificates.label == labels, certificates.radius, 0.0)
