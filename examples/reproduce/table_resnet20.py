"""The table of ``resnet20.py``."""

import json
import math
import pathlib

import numpy as np
from published import RESNET20
from tabular import table

import jaxsmooth as js


def make(results: pathlib.Path) -> str:
    """Ours beside the published, which is of another protocol: no interval for the difference."""
    rows = []
    for path in sorted((results / "resnet20").glob("*.json")):
        if path.name.endswith(".tsv.json"):
            continue
        record = json.loads(path.read_text())
        certificates, labels = js.analysis.read_log(path.with_suffix(".tsv"))
        scores = np.where(certificates.label == labels, certificates.radius, 0.0)
        accuracy = js.analysis.certified_accuracy(certificates, labels, np.arange(8) / 4)
        published = RESNET20[record["objective"], record["sigma"]]
        error = scores.std(ddof=1) / math.sqrt(len(scores))
        name = f"{record['objective'].capitalize()}, {record['dataset']}, {record['training']['epochs']} epochs"
        rows.append([name, f"{scores.mean():.4f} ({error:.4f})", *(f"{100 * value:.1f}" for value in accuracy)])
        rows.append(
            ["published, 150 epochs", f"{published.acr:.4f}", *(f"{value:.1f}" for value in published.accuracy)]
        )
    heads = ["ResNet-20, sigma 0.5", "average radius (s.e.)", *(f"{radius:g}" for radius in np.arange(8) / 4)]
    return table(heads, rows) if rows else "Not run yet."


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    found = list((results / "resnet20").glob("*.tsv"))
    return f"{len(found)} networks of fewer epochs, below" if found else "not run yet"
