"""The tables of ``training_objectives.py``: average radius and accuracy, ours and published, and differences."""

import json
import math
import pathlib

import numpy as np
from published import MNIST
from runs import RUNS, Run
from tabular import interval, mean_interval, table

import jaxsmooth as js

# The run whose published log is committed for our images, that log, and its average radius on all 10,000 images.
PAIRED, PUBLISHED_LOG, PUBLISHED_RUN = "gaussian-0.25-0", "jeong_2020_mnist_gaussian_0.25.tsv", 0.91047
IMAGES = 500  # of the protocol
TITLES = {"gaussian": "Gaussian", "smoothadv": "SmoothAdv", "macer": "MACER"}


def make(results: pathlib.Path) -> str:
    """Everything about the runs whose logs are there, and which are not."""
    done = {run: _scores(log_of(results, run)) for run in RUNS if _has(results, run)}
    missing = [title(run) for run in RUNS if run not in done]
    parts = [
        _average(results, done),
        _accuracy(results, done),
        _differences(done),
        _seeds(done),
        _paired(results, done),
    ]
    parts.append(f"Not run yet: {'; '.join(missing)}." if missing else "All runs of the plan are done.")
    return "\n\n".join(part for part in parts if part)


def title(run: Run) -> str:
    """A run in words."""
    name = TITLES.get(run.objective, run.objective.capitalize())
    epochs = f", {run.epochs} epochs" if run.epochs else ""
    return f"{name}, sigma {run.sigma:g}{epochs}" + (f", seed {run.seed}" if run.seed else "")


def versus_published(run: Run, scores: np.ndarray) -> tuple[float, float, float]:
    """Ours minus the published mean, with its 95 % interval: images, and seeds as they vary in the published runs."""
    return _against(run, float(scores.mean()), float(scores.std(ddof=1)), len(scores))


def adjusted(run: Run, scores: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """The same for images as hard as all 10,000: by regression on a published run, known here and on all."""
    gap, images = theirs - theirs.mean(), len(scores)
    shift, spread = PUBLISHED_RUN - theirs.mean(), gap @ gap
    slope = gap @ scores / spread
    # Errors are larger in the middle of the radii: HC3, from the errors of each image as if it had been left out.
    left_out = (scores - scores.mean() - slope * gap) / (1 - 1 / images - gap**2 / spread)
    weights = 1 / images + shift * gap / spread
    deviation = math.sqrt(images * np.sum((weights * left_out) ** 2))
    return _against(run, float(scores.mean() + slope * shift), deviation, images)


def _against(run: Run, mean: float, deviation: float, images: int) -> tuple[float, float, float]:
    published = MNIST[run.objective, run.sigma]
    error = math.hypot(deviation / math.sqrt(images), published.deviation * math.sqrt(1 + 1 / published.runs))
    gap = mean - published.acr
    return gap, gap - 1.96 * error, gap + 1.96 * error


def published_run(results: pathlib.Path, log: pathlib.Path) -> np.ndarray | None:
    """The radii of the published run for the images of a log, or None where its log is not there."""
    path = results / "published" / PUBLISHED_LOG
    if not path.exists():
        return None
    (_, labels), (_, ours) = js.analysis.read_log(path), js.analysis.read_log(log)
    if len(ours) > len(labels) or (labels[: len(ours)] != ours).any():
        raise ValueError(f"{log} is not of the images of {path}: labels differ")
    return _scores(path)[: len(ours)]


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
    rows = []
    for run, scores in done.items():
        published = MNIST[run.objective, run.sigma]
        record = json.loads((results / "training" / f"{run.name}.json").read_text())
        minutes = [
            f"{sum(record[part][clock] for part in ('training', 'certification')) / 60:.0f}"
            for clock in ("seconds", "processor_seconds")
        ]
        intervals = _intervals(results, run, scores)
        rows.append(
            [
                title(run),
                f"{len(scores)}",
                f"{scores.mean():.4f} ({scores.std(ddof=1) / math.sqrt(len(scores)):.4f})",
                f"{published.acr:.4f} ({published.deviation:.4f})",
                *(_cell(*one) for one in intervals),
                *[""] * (2 - len(intervals)),
                f"{record['certification']['votes per image']:,.0f}",
                " / ".join(minutes),
            ]
        )
    heads = [
        "network",
        "images",
        "ours (s.e.)",
        "published (sd of runs)",
        "difference, 95 %",
        "for images as hard as all 10,000",
        "votes per image",
        "minutes, clock / processor",
    ]
    return f"{table(heads, rows)}\n\nIn bold: intervals without 0. Of the whole protocol {_held(results, done)}."


def _intervals(results: pathlib.Path, run: Run, scores: np.ndarray) -> list[tuple[float, float, float]]:
    """The difference from the published mean: as it is, and adjusted, where the published run is there."""
    theirs = published_run(results, log_of(results, run))
    return [versus_published(run, scores)] + ([] if theirs is None else [adjusted(run, scores, theirs)])


def _cell(gap: float, low: float, high: float) -> str:
    cell = interval(gap, low, high)
    return cell if low <= 0 <= high else f"**{cell}**"


def _held(results: pathlib.Path, done: dict[Run, np.ndarray]) -> str:
    """How many intervals of whole runs hold the published value."""
    intervals = [_intervals(results, run, scores) for run, scores in done.items() if run.epochs is None]
    held = [sum(low <= 0 <= high for _, low, high in column) for column in zip(*intervals, strict=True)]
    said = f"{held[0] if held else 0} of {len(intervals)} intervals hold the published average radius"
    said += f", {held[1]} of {len(intervals)} adjusted for how hard the images are" if len(held) > 1 else ""
    fewer = sum(len(scores) < IMAGES for run, scores in done.items() if run.epochs is None)
    return said + (f"; {fewer} of them on fewer than {IMAGES} images" if fewer else "")


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
        published = MNIST[run.objective, run.sigma].acr - MNIST["gaussian", run.sigma].acr
        rows.append([title(run), mean_interval(gap), f"{published:+.4f}"])
    return table(["minus Gaussian, same images", "ours, 95 %", "published"], rows) if rows else ""


def _seeds(done: dict[Run, np.ndarray]) -> str:
    """Second runs minus the first ones, image by image, and how much published runs differ."""
    said = []
    for run, scores in done.items():
        first = next(
            (one for one in done if (one.objective, one.sigma, one.seed) == (run.objective, run.sigma, 0)), None
        )
        if not run.seed or first is None:
            continue
        both = min(len(scores), len(done[first]))
        gap = mean_interval(scores[:both] - done[first][:both])
        deviation = math.sqrt(2) * MNIST[run.objective, run.sigma].deviation
        said.append(
            f"{title(run)}, minus seed {first.seed} on the same {both} images: {gap} (95 %); two published runs differ "
            f"by {deviation:.4f} (sd)."
        )
    return " ".join(said)


def _paired(results: pathlib.Path, done: dict[Run, np.ndarray]) -> str:
    """Ours minus the published run whose log is there, image by image."""
    run = next(run for run in RUNS if run.name == PAIRED)
    theirs = published_run(results, log_of(results, run)) if run in done else None
    if theirs is None:
        return ""
    gap = done[run] - theirs
    return (
        f"{title(run)}, minus one published run on the same {len(gap)} images: "
        f"{mean_interval(gap)} (95 %). That run has {theirs.mean():.4f} on "
        f"these images and {PUBLISHED_RUN:.4f} on all 10,000."
    )


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    whole = [run for run in RUNS if run.epochs is None]
    done = {run: _scores(log_of(results, run)) for run in whole if _has(results, run)}
    return f"{len(done)} of {len(whole)} networks of the protocol trained" + (
        f": {_held(results, done)}" if done else ""
    )
