"""The tables of ``noise_in_training.py``."""

import json
import math
import pathlib

import numpy as np
from published import DISCS, MNIST_ALPHA, MNIST_RISK
from scipy.stats import binom
from tabular import interval, table

import jaxsmooth.diagnostics as jd


def make(results: pathlib.Path) -> str:
    """Discs, distances and MNIST, those of them that are there."""
    parts = {"discs": discs, "distances": distances, "mnist": mnist}
    made = []
    for name, write in parts.items():
        path = results / "noise_in_training" / f"{name}.json"
        made.append(write(json.loads(path.read_text())) if path.exists() else f"Not run yet: `--part {name}`.")
    return "\n\n".join(made)


def discs(record: dict) -> str:
    """At the training noise at which the published figure is read."""
    rows, (held, read) = [], agreement(record)
    for cell in record["grid"]:
        found = jd.seed_interval(cell["difference"])
        best = int(found.mean.argmin())
        published = DISCS.get((cell["gap"], cell["beta"]))
        at = best if published is None or published[0] is None else published[0]
        text = (
            "no dip"
            if published is None
            else f"{published[1]:+.4f}" + (f" at {at}" if published[0] is not None else "")
        )
        cells = [interval(found.mean[a], found.low[a], found.high[a]) for a in (at, best)]
        rows.append(
            [f"{cell['gap']}", f"{cell['beta']:g}", text, cells[0], f"{cells[1]} at {record['alphas'][best]:g}"]
        )
    heads = ["gap", "smoothing", "published, read off a figure", "ours there, 95 %", "ours at its lowest"]
    return (
        table(heads, rows)
        + f"\n\nRisk minus the risk without training noise, mean over {record['fields']} fields; discs of radius 10. "
        + f"{held} of {read} values read off are as near as two such means are (95 %). The last "
        + "column is picked on the same fields."
    )


def distances(record: dict) -> str:
    """One sentence."""
    other, same = record["nearest of another class"], record["nearest of the same class"]
    gaps = record["largest gap within a class"].values()
    return (
        f"Distances between the {record['images']:,} training images of MNIST: the nearest image of another class is "
        f"{other['least']:.2f} away at least and {other['median']:.2f} in the median, the nearest of the same class "
        f"{same['median']:.2f} in the median; the largest gap within a class is {min(gaps):.2f} to {max(gaps):.2f}."
    )


def mnist(record: dict) -> str:
    """The best training noise by smoothing noise; chosen on the first half of the test images, risk on the second."""
    rows, alphas, half = [], record["alphas"], record["images"] - record["images"] // 2
    for column in record["columns"]:
        wrong, first = np.array(column["wrong"]), np.array(column["wrong in the first half"])
        best, published = int(first.argmin()), MNIST_ALPHA[column["beta"]]
        discordant = np.array(column["only the row is right in the second half"])
        # McNemar's exact test on the images that did not choose, 5 % for all the others together (Bonferroni).
        less, number = np.minimum(discordant[best], discordant[:, best]), discordant[best] + discordant[:, best]
        alike = [
            a for a, p in zip(alphas, 2 * binom.cdf(less, number, 0.5), strict=True) if p * (len(alphas) - 1) > 0.05
        ]
        equal = int(np.argmin(np.abs(np.array(alphas) - column["beta"])))
        risks = [f"{100 * (wrong - first)[a] / half:.2f}" for a in (0, equal, best)]
        theirs = MNIST_RISK[column["beta"]]
        rows.append(
            [
                f"{column['beta']:g}",
                f"{alphas[best]:g}, not told from {', '.join(f'{a:g}' for a in alike if a != alphas[best]) or 'none'}",
                f"{published:g}",
                " / ".join(risks),
                " / ".join(f"{value:.2f}" for value in theirs),
            ]
        )
    heads = ["smoothing", "best training noise", "published", "risk, %: none / equal / best", "published"]
    return table(heads, rows) + (
        f"\n\nMNIST, LeNet, {record['epochs'][0]} epochs without noise and {record['epochs'][1]} with, one noisy copy, "
        f"{record['votes']} votes; chosen on one half of the test images, risks on the other; "
        "published: another network, 9 epochs with 100 copies; its best noise is that of the smoothed risks, its "
        "lowest risk is not smoothed."
    )


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    folder, said = results / "noise_in_training", []
    if (folder / "discs.json").exists():
        held, read = agreement(json.loads((folder / "discs.json").read_text()))
        said.append(f"discs: {held} of {read} values read off the published figure are ours within their spread")
    if (folder / "mnist.json").exists():
        record = json.loads((folder / "mnist.json").read_text())
        best = [record["alphas"][int(np.argmin(column["wrong in the first half"]))] for column in record["columns"]]
        pairs = [f"{b:g} ({MNIST_ALPHA[c['beta']]:g})" for b, c in zip(best, record["columns"], strict=True)]
        said.append(f"MNIST: best training noise (published) {', '.join(pairs)}")
    return "; ".join(said) or "not run yet"


def agreement(record: dict) -> tuple[int, int]:
    """How many values read off the figure are as near to ours as two means over ten fields are; and of how many."""
    near = []
    for cell in record["grid"]:
        at, value = DISCS.get((cell["gap"], cell["beta"]), (None, 0.0))
        if at is not None:
            found = jd.seed_interval(cell["difference"])
            near.append(abs(found.mean[at] - value) <= math.sqrt(2) * (found.high[at] - found.mean[at]))
    return sum(near), len(near)
