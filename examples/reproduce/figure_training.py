"""The figure of ``training_objectives.py``: certified accuracy over the radius, ours as lines, published as marks."""

import pathlib

import numpy as np
from drawing import STYLES, legend, panels, save
from published import MNIST
from runs import RUNS
from table_training import TITLES, log_of

import jaxsmooth as js

STYLE = dict(zip(("gaussian", "consistency", "stability", "macer", "smoothadv"), STYLES, strict=True))


def draw(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel for every sigma of which there are logs of the whole protocol, first seed; whether there are any."""
    done = [run for run in RUNS if run.seed == 0 and run.epochs is None and log_of(results, run).exists()]
    sigmas = sorted({run.sigma for run in done})
    if not sigmas:
        return False
    figure, axes = panels(
        [f"MNIST, sigma {sigma:g}" for sigma in sigmas], "l2 radius (pixels in [0, 1])", "certified accuracy"
    )
    for one, sigma in zip(axes, sigmas, strict=True):
        for run in done:
            if run.sigma == sigma:
                _curve(one, results, run)
        one.set_ylim(0, 1.01)
        one.set_xlim(0, None)
        legend(one, "line: ours; marks: published", loc="lower left")
    return save(figure, path)


def _curve(axes, results, run):
    certificates, labels = js.analysis.read_log(log_of(results, run))
    color, marker, dash = STYLE[run.objective]
    grid = np.linspace(0, float(certificates.radius.max()) * 1.001, 400)
    name = TITLES.get(run.objective, run.objective.capitalize())
    line = js.analysis.certified_accuracy(certificates, labels, grid)
    axes.plot(grid, line, color=color, linestyle=dash, linewidth=2.5, label=name)
    published = np.array(MNIST[run.objective, run.sigma].accuracy) / 100
    axes.plot(np.arange(len(published)) / 4, published, marker, color=color, markersize=7, markerfacecolor="white")
