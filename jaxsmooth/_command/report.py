"""report: logs and saved certificates into a table and a figure."""

import argparse
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxsmooth import analysis
from jaxsmooth._certificates import AbstractCertificates, OutputCertificates, ValueCertificates
from jaxsmooth._command.words import labels_in, refuse

# A table, and what draws the figure.
_Report = tuple[str, Callable[[], Any]]


def report(options: argparse.Namespace) -> int:
    """The table of several logs, or files of certificates, and their figure."""
    runs = _named(options.logs)
    saved = any(path.suffix == ".npz" for path in runs.values())
    table, draw = _of_saved(runs, options) if saved else _of_logs(runs, options)
    print(table)
    if options.figure is not None:
        draw().figure.savefig(options.figure, dpi=150)
        print(f"wrote {options.figure}", file=sys.stderr)
    return 0


def _of_logs(runs: dict[str, pathlib.Path], options: argparse.Namespace) -> _Report:
    refuse(options, ("labels", "ignore_label"), "logs, which hold the true classes")

    def draw() -> Any:
        read = {name: analysis.read_log(path) for name, path in runs.items()}
        certificates, labels = ({name: found[part] for name, found in read.items()} for part in (0, 1))
        return _curves(certificates, labels, options)

    return _accuracies(runs, options), draw


def _of_saved(runs: dict[str, pathlib.Path], options: argparse.Namespace) -> _Report:
    """Of archives that ``save`` of certificates wrote, all of one kind."""
    found, labels = _of_one_kind(runs), None if options.labels is None else labels_in(options.labels)
    first = next(iter(found.values()))
    if isinstance(first, ValueCertificates | OutputCertificates):
        refuse(options, ("radii", "baseline", "alpha"), "certificates of values and outputs, whose table has none")
        if options.figure is not None and len(found) > 1:
            raise ValueError(f"--figure is of one file of values or outputs; got {len(found)}")
    if not isinstance(first, OutputCertificates):
        refuse(options, ("ignore_label",), "certificates that are not of several outputs")
    if isinstance(first, ValueCertificates):
        targets = {name: _targets(value, labels) for name, value in found.items()}
        summaries = {name: analysis.value_summary(value, targets[name]) for name, value in found.items()}
        draw = lambda: analysis.plot_values(first, next(iter(targets.values())))
        return analysis.summary_table(summaries, format=options.format), draw
    if labels is None:
        raise ValueError(f"--labels must be given: the true classes of the {len(first)} images")
    if isinstance(first, OutputCertificates):
        given: dict[str, Any] = {"ignore_label": options.ignore_label}
        summaries = {name: analysis.output_summary(value, labels, **given) for name, value in found.items()}
        table = analysis.summary_table(summaries, format=options.format)
        return table, lambda: analysis.plot_output_map(first, labels, **given)
    scored = {name: (value, labels) for name, value in found.items()}
    return _accuracies(scored, options), lambda: _curves(found, dict.fromkeys(found, labels), options)


def _targets(certificates: ValueCertificates, labels: np.ndarray | None) -> np.ndarray | None:
    """The true values; a text has no axes of one output or one image."""
    shape = certificates.value.shape
    if labels is not None and labels.squeeze().shape == certificates.value.squeeze().shape:
        return labels.reshape(shape)
    return labels


def _of_one_kind(runs: dict[str, pathlib.Path]) -> dict[str, Any]:
    """The certificates in archives, which must all be of one kind."""
    others = [str(path) for path in runs.values() if path.suffix != ".npz"]
    if others:
        raise ValueError(f"LOG: files of save, .npz, and logs go into tables of their own; got {', '.join(others)}")
    found = {name: AbstractCertificates.load(path) for name, path in runs.items()}
    kinds = list(dict.fromkeys(type(value).__name__ for value in found.values()))
    if len(kinds) > 1:
        raise ValueError(f"LOG: certificates of several kinds, {', '.join(kinds)}; report each kind by itself")
    return found


def _accuracies(runs: dict[str, Any], options: argparse.Namespace) -> str:
    """The table of certified accuracy."""
    return analysis.table(runs, options.radii, format=options.format, baseline=options.baseline, alpha=_alpha(options))


def _curves(certificates: dict[str, Any], labels: dict[str, Any], options: argparse.Namespace) -> Any:
    """The figure of certified accuracy."""
    return analysis.plot_certified_accuracy(certificates, labels, alpha=_alpha(options))


def _alpha(options: argparse.Namespace) -> float:
    """With what probability an interval misses."""
    return 0.05 if options.alpha is None else options.alpha


def _named(logs: Sequence[str]) -> dict[str, pathlib.Path]:
    """Logs by the shortest names that tell them apart; ``NAME=PATH`` names one, a folder stands for its log."""
    paths = [pathlib.Path(log.partition("=")[2] if _has_name(log) else log) for log in logs]
    paths = [path / "certificates.tsv" if path.is_dir() else path for path in paths]
    parts = [(*path.resolve().parent.parts, path.stem) for path in paths]
    depth = next((d for d in range(1, 100) if len({part[-d:] for part in parts}) == len(parts)), 1)
    names = [
        log.partition("=")[0] if _has_name(log) else "/".join(part[-depth:])
        for log, part in zip(logs, parts, strict=True)
    ]
    if len(set(names)) < len(names):
        raise ValueError(f"LOG: two runs have the same name, among {', '.join(names)}; name them with NAME=LOG")
    return dict(zip(names, paths, strict=True))


def _has_name(log: str) -> bool:
    return "=" in log and not os.path.exists(log)
