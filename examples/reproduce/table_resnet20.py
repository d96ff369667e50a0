"""The table of ``resnet20.py``."""

import json
import math
import pathlib
from collections.abc import Iterator

import numpy as np
from published import RESNET20
from tabular import mean_interval, table

import jaxsmooth as js


def make(results: pathlib.Path) -> str:
    """Ours beside the published, which is of another protocol: no interval for the difference from it."""
    rows, found = [], {}
    for record, certificates, labels in _records(results):
        scores = np.where(certificates.label == labels, certificates.radius, 0.0)
        accuracy = js.analysis.certified_accuracy(certificates, labels, np.arange(8) / 4)
        published = RESNET20[record["objective"], record["sigma"]]
        error = scores.std(ddof=1) / math.sqrt(len(scores))
        setting = f"{record['dataset']}, {record['training']['epochs']} epochs"
        found[record["objective"], setting] = scores
        average = f"{scores.mean():.4f} ({error:.4f})"
        values = [f"{100 * value:.1f}" for value in accuracy]
        rows.append([f"{record['objective'].capitalize()}, {setting}", f"{len(scores)}", average, *values])
        values = [f"{value:.1f}" for value in published.accuracy]
        rows.append(["published, 150 epochs", "10,000", f"{published.acr:.4f}", *values])
    heads = ["ResNet-20, sigma 0.5", "images", "average radius (s.e.)", *(f"{radius:g}" for radius in np.arange(8) / 4)]
    if not rows:
        return "Not run yet."
    return "\n\n".join([table(heads, rows), *_differences(found)])


def _records(results: pathlib.Path) -> Iterator[tuple[dict, js.Certificates, np.ndarray]]:
    for path in sorted((results / "resnet20").glob("*.json")):
        if not path.name.endswith(".tsv.json"):
            yield json.loads(path.read_text()), *js.analysis.read_log(path.with_suffix(".tsv"))


def _differences(found: dict[tuple[str, str], np.ndarray]) -> list[str]:
    """What consistency gains on the same images."""
    said = []
    published = RESNET20["consistency", 0.5].acr - RESNET20["gaussian", 0.5].acr
    for (objective, setting), scores in found.items():
        base = found.get(("gaussian", setting))
        if objective == "gaussian" or base is None:
            continue
        both = min(len(scores), len(base))
        gap = scores[:both] - base[:both]
        name = f"{objective.capitalize()} minus Gaussian, {setting}, {both} images"
        said.append(f"{name}: {mean_interval(gap)} (95 %); published {published:+.4f}.")
    return said


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    said, found = [], {}
    for record, certificates, labels in _records(results):
        ours = js.analysis.average_certified_radius(certificates, labels)
        published = RESNET20[record["objective"], record["sigma"]].acr
        epochs = f"{record['training']['epochs']} epochs of {record['dataset']}"
        said.append(f"{record['objective'].capitalize()}, {epochs}: {ours:.4f} (published in 150: {published:.4f})")
        found[record["objective"], epochs] = np.where(certificates.label == labels, certificates.radius, 0.0)
    gains = [sentence.removesuffix(".") for sentence in _differences(found)]
    return "; ".join([*said, *gains]) or "not run yet"
