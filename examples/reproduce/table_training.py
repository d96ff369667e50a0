"""The tables of ``training_objectives.py``: average radius and accuracy, ours and published, and differences."""

import json
import math
import pathlib

import numpy as np
from published import MNIST
from runs import RUNS, Run
from tabular import interval, table

import jaxsmooth as js

# The run whose published log is committed, that log, and its average radius on all 10,000 images.
PAIRED, PUBLISHED_LOG, PUBLISHED_RUN = "gaussian-0.25-0", "jeong_2020_mnist_gaussian_0.25.tsv", 0.9105
TITLES = {"gaussian": "Gaussian", "smoothadv": "SmoothAdv", "macer": "MACER"}


def make(results: pathlib.Path) -> str:
    """Everything about the runs whose logs are there, and which are not."""
    done = {run: _scores(log_of(results, run)) for run in RUNS if _has(results, run)}
    missing = [title(run) for run in RUNS if run not in done]
    parts = [_average(results, done), _accuracy(results, done), _differences(done), _paired(results, done)]
    parts.append(f"Not run yet: {'; '.join(missing)}." if missing else "All runs of the plan are done.")
    return "\n\n".join(part for part in parts if part)


def title(run: Run) -> str:
    """A run in words."""
    name = TITLES.get(run.objective, run.objective.capitalize())
    epochs = f", {run.epochs} epochs" if run.epochs else ""
    return f"{name}, sigma {run.sigma:g}{epochs}" + (f", seed {run.seed}" if run.seed else "")


def versus_published(run: Run, scores: np.ndarray) -> tuple[float, float, float]:
    """Ours minus the published mean, with its 95 % interval: images, and seeds as they vary in the published runs."""
    published = MNIST[run.objective, run.sigma]
    error = math.hypot(
        scores.std(ddof=1) / math.sqrt(len(scores)), published.deviation * math.sqrt(1 + 1 / published.runs)
    )
    gap = float(scores.mean()) - published.acr
    return gap, gap - 1.96 * error, gap + 1.96 * error


def log_of(results: pathlib.Path, run: Run) -> pathlib.Path:
    """Where the log of a run is."""
    return results / "training" / f"{run.name}.tsv"


def _has(results: pathlib.Path, run: Run) -> bool:
    return log_of(results, run).exists()


def _scores(log: pathlib.Path) -> np.ndarray:
    """The certified radius of every image, 0 where the class is wrong."""
    certificates, labels = js.analysis.read_log(log)
    return np.where(certificates.label == labels, certificates.radius, 0.0)


def _average(results: pathlib.Path, done: dict[Run, np.ndarray]) -> str:
    if not done:
        return ""
    rows, held = [], 0
    for run, scores in done.items():
        published, record = (
            MNIST[run.objective, run.sigma],
            json.loads((results / "training" / f"{run.name}.json").read_text()),
        )
        gap, low, high = versus_published(run, scores)
        whole = run.epochs is None
        held += whole and low <= 0 <= high
        minutes = [
            f"{sum(record[part][clock] for part in ('training', 'certification')) / 60:.0f}"
            for clock in ("seconds", "processor_seconds")
        ]
        rows.append(
            [
                title(run),
                f"{len(scores)}",
                f"{scores.mean():.4f} ({scores.std(ddof=1) / math.sqrt(len(scores)):.4f})",
                f"{published.acr:.4f} ({published.deviation:.4f})",
                interval(gap, low, high),
                ("yes" if low <= 0 <= high else "**no**") if whole else "fewer epochs",
                f"{record['certification']['votes per image']:,.0f}",
                " / ".join(minutes),
            ]
        )
    whole = sum(run.epochs is None for run in done)
    heads = [
        "network",
        "images",
        "ours (s.e.)",
        "published (sd of runs)",
        "difference, 95 %",
        "holds 0",
        "votes per image",
        "minutes, clock / processor",
    ]
    return (
        table(heads, rows)
        + f"\n\nOf {whole} runs of the whole protocol {held} have an interval that holds the published value."
    )


def _accuracy(results: pathlib.Path, done: dict[Run, np.ndarray]) -> str:
    """Certified accuracy in percent: ours above, published below; outside two standard errors in bold."""
    if not done:
        return ""
    columns = max(len(MNIST[run.objective, run.sigma].accuracy) for run in done)
    rows = []
    for run, scores in done.items():
        published = MNIST[run.objective, run.sigma].accuracy
        certificates, labels = js.analysis.read_log(log_of(results, run))
        ours = js.analysis.certified_accuracy(certificates, labels, np.arange(len(published)) / 4)
        cells = []
        for mine, theirs in zip(ours, published, strict=True):
            error = math.sqrt(theirs / 100 * (1 - theirs / 100) / len(scores))
            cells.append(f"{100 * mine:.1f}" if abs(mine - theirs / 100) <= 2 * error else f"**{100 * mine:.1f}**")
        blank = [""] * (columns - len(published))
        rows.append([title(run), *cells, *blank])
        rows.append(["published", *(f"{value:.1f}" for value in published), *blank])
    heads = ["certified accuracy, %", *(f"{column / 4:g}" for column in range(columns))]
    return table(heads, rows) + "\n\nBold: more than two standard errors of these images from the published value."


def _differences(done: dict[Run, np.ndarray]) -> str:
    """Every objective minus Gaussian augmentation on the same images, same sigma and seed."""
    rows = []
    for run, scores in done.items():
        base = next((b for b in done if (b.objective, b.sigma, b.seed) == ("gaussian", run.sigma, run.seed)), None)
        if base is None or run == base:
            continue
        both = min(len(scores), len(done[base]))
        gap = scores[:both] - done[base][:both]
        error = gap.std(ddof=1) / math.sqrt(len(gap))
        published = MNIST[run.objective, run.sigma].acr - MNIST["gaussian", run.sigma].acr
        cell = interval(gap.mean(), gap.mean() - 1.96 * error, gap.mean() + 1.96 * error)
        rows.append([title(run), cell, f"{published:+.4f}"])
    return table(["minus Gaussian, same images", "ours, 95 %", "published"], rows) if rows else ""


def _paired(results: pathlib.Path, done: dict[Run, np.ndarray]) -> str:
    """Ours minus the published run whose log is there, image by image."""
    run, log = next(run for run in RUNS if run.name == PAIRED), results / "published" / PUBLISHED_LOG
    if run not in done or not log.exists():
        return ""
    theirs = _scores(log)[: len(done[run])]
    gap = done[run] - theirs
    error = 1.96 * gap.std(ddof=1) / math.sqrt(len(gap))
    return (
        f"{title(run)}, minus one published run on the same {len(gap)} images: "
        f"{interval(gap.mean(), gap.mean() - error, gap.mean() + error)} (95 %). That run has {theirs.mean():.4f} on "
        f"these images and {PUBLISHED_RUN:.4f} on all 10,000."
    )


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    whole = [run for run in RUNS if run.epochs is None]
    done = {run: _scores(log_of(results, run)) for run in whole if _has(results, run)}
    held = 0
    for run, scores in done.items():
        _, low, high = versus_published(run, scores)
        held += low <= 0 <= high
    holds = f": {held} of {len(done)} intervals hold the published average radius" if done else ""
    return f"{len(done)} of {len(whole)} runs of the protocol done{holds}"
