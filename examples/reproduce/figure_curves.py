"""The figures of ``sigma_of_x.py``, ``l1_noises.py`` and ``resnet20.py``: certified accuracy over the radius."""

import json
import pathlib

import numpy as np
from drawing import BLUE, ORANGE, STYLES, legend, panels, save
from figure_training import STYLE
from published import RESNET20
from table_l1_noises import RADII, best_of_sigma

import jaxsmooth as js

NOISES = ("Uniform", "Laplace", "Gaussian")


def records_of(folder: pathlib.Path) -> list[tuple[pathlib.Path, dict]]:
    """The records of a folder, without what belongs to logs."""
    paths = [path for path in sorted(folder.glob("*.json")) if not path.name.endswith(".tsv.json")]
    return [(path, json.loads(path.read_text())) for path in paths]


def sigma_of_x(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel for every sigma_b and rate."""
    found = records_of(results / "sigma_of_x")
    if not found:
        return False
    titles = [f"sigma_b {record['sigma_b']:g}, rate {record['rate']:g}" for _, record in found]
    figure, axes = panels(titles, "l2 radius (pixels in [0, 1])", "certified accuracy")
    for one, (file, _) in zip(axes, found, strict=True):
        kinds = {"constant": (BLUE, "solid", "constant sigma"), "nearest": (ORANGE, (0, (5, 1.5)), "sigma(x)")}
        for kind, (color, dash, name) in kinds.items():
            _line(one, file.with_name(f"{file.stem}-{kind}.tsv"), color, dash, name)
        _frame(one)
    return save(figure, path)


def l1_noises(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel without stability training and one with; every noise at its best sigma for each radius."""
    best = best_of_sigma(results)
    if not best:
        return False
    titles = {"noise alone": "", "stability training": ", stability"}
    titles = {title: ending for title, ending in titles.items() if any(noise + ending in best for noise in NOISES)}
    figure, axes = panels(list(titles), "l1 radius (pixels in [0, 1])", "certified accuracy")
    for one, ending in zip(axes, titles.values(), strict=True):
        for noise, (color, marker, dash) in zip(NOISES, STYLES, strict=False):
            if noise + ending in best:
                values = best[noise + ending].mean(axis=0)
                one.plot(RADII, values, color=color, linestyle=dash, marker=marker, linewidth=2.5, label=noise)
        _frame(one)
    return save(figure, path)


def resnet20(results: pathlib.Path, path: pathlib.Path) -> bool:
    """One panel: ours as lines, published as marks."""
    found = records_of(results / "resnet20")
    if not found:
        return False
    figure, (axes,) = panels(["ResNet-20, sigma 0.5"], "l2 radius (pixels in [0, 1])", "certified accuracy")
    for file, record in found:
        color, marker, dash = STYLE[record["objective"]]
        name = f"{record['objective'].capitalize()}, {record['training']['epochs']} epochs"
        _line(axes, file.with_suffix(".tsv"), color, dash, name)
        published = np.array(RESNET20[record["objective"], record["sigma"]].accuracy) / 100
        axes.plot(np.arange(len(published)) / 4, published, marker, color=color, markersize=7, markerfacecolor="white")
    _frame(axes, "marks: published, 150 epochs", "upper right")
    return save(figure, path)


def _line(axes, log, color, dash, name):
    certificates, labels = js.analysis.read_log(log)
    grid = np.linspace(0, float(certificates.radius.max()) * 1.001, 400)
    line = js.analysis.certified_accuracy(certificates, labels, grid)
    axes.plot(grid, line, color=color, linestyle=dash, linewidth=2.5, label=name)


def _frame(axes, title=None, place="lower left"):
    axes.set_ylim(0, 1.01)
    axes.set_xlim(0, None)
    legend(axes, title, loc=place)
