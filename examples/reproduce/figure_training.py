"""The figure of ``training_objectives.py``: certified accuracy over the radius, ours as lines, published as marks."""

import pathlib

import matplotlib.pyplot as plt
import numpy as np
from published import MNIST
from runs import RUNS
from table_training import TITLES, log_of

import jaxsmooth as js

# Okabe-Ito, safe for colour-blind readers; marks and line styles tell apart without colour too.
STYLES = {
    "gaussian": ("#0072B2", "o", "solid"),
    "consistency": ("#D55E00", "s", (0, (5, 1.5))),
    "stability": ("#009E73", "^", (0, (1.5, 1.2))),
    "macer": ("#CC79A7", "v", (0, (4, 1.5, 1, 1.5))),
    "smoothadv": ("#000000", "D", (0, (8, 2))),
}


def draw(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel for every sigma of which there are logs of the whole protocol, first seed; whether there are any."""
    done = [run for run in RUNS if run.seed == 0 and run.epochs is None and log_of(results, run).exists()]
    sigmas = sorted({run.sigma for run in done})
    if not sigmas:
        return False
    figure, panels = plt.subplots(
        1, len(sigmas), figsize=(1.5 + 4.5 * len(sigmas), 4.4), layout="constrained", squeeze=False
    )
    for axes, sigma in zip(panels[0], sigmas, strict=True):
        for run in done:
            if run.sigma == sigma:
                _curve(axes, results, run)
        axes.set_title(f"MNIST, sigma {sigma:g}", fontsize=14)
        axes.set_xlabel("l2 radius (pixels in [0, 1])", fontsize=14)
        axes.set_ylim(0, 1.01)
        axes.set_xlim(0, None)
        axes.tick_params(labelsize=12)
        axes.grid(color="0.9", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(
            frameon=False, fontsize=12, loc="lower left", title="line: ours; marks: published", title_fontsize=11
        )
    panels[0, 0].set_ylabel("certified accuracy", fontsize=14)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True


def _curve(axes, results, run):
    certificates, labels = js.analysis.read_log(log_of(results, run))
    color, marker, dash = STYLES[run.objective]
    grid = np.linspace(0, float(certificates.radius.max()) * 1.001, 400)
    name = TITLES.get(run.objective, run.objective.capitalize())
    line = js.analysis.certified_accuracy(certificates, labels, grid)
    axes.plot(grid, line, color=color, linestyle=dash, linewidth=2.5, label=name)
    published = np.array(MNIST[run.objective, run.sigma].accuracy) / 100
    axes.plot(np.arange(len(published)) / 4, published, marker, color=color, markersize=7, markerfacecolor="white")
