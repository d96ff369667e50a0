"""The figure of ``noise_in_training.py``: what training noise does to the risk, on discs and on MNIST."""

import json
import pathlib

import numpy as np
from drawing import STYLES, legend, panels, save
from published import DISCS, MNIST_ALPHA

import jaxsmooth.diagnostics as jd


def draw(results: pathlib.Path, path: pathlib.Path) -> bool:
    """Three panels of discs, and one of MNIST where it was run; whether there are any."""
    folder = results / "noise_in_training"
    if not (folder / "discs.json").exists():
        return False
    record = json.loads((folder / "discs.json").read_text())
    betas = sorted({cell["beta"] for cell in record["grid"]})
    mnist = (folder / "mnist.json").exists()
    titles = [f"discs, smoothing noise {beta:g}" for beta in betas] + ["MNIST"] * mnist
    figure, axes = panels(titles, "training noise", "change of the risk", share=False)
    for one, beta in zip(axes, betas, strict=False):
        for cell, (color, marker, dash) in zip(
            (cell for cell in record["grid"] if cell["beta"] == beta), STYLES, strict=False
        ):
            found = jd.seed_interval(cell["difference"])
            one.plot(record["alphas"], found.mean, color=color, linestyle=dash, linewidth=2, label=f"gap {cell['gap']}")
            one.fill_between(record["alphas"], found.low, found.high, color=color, alpha=0.15, linewidth=0)
            at, value = DISCS.get((cell["gap"], beta), (None, 0.0))
            if at is not None:
                one.plot([at], [value], marker, color=color, markersize=8, markerfacecolor="white")
        one.axhline(0, color="0.5", linewidth=0.8)
        legend(one, "marks: published; bands: 95 %", loc="upper left")
    if mnist:
        _mnist(axes[-1], json.loads((folder / "mnist.json").read_text()))
    return save(figure, path)


def _mnist(axes, record):
    for column, (color, marker, dash) in zip(record["columns"], STYLES, strict=False):
        risk = np.array(column["wrong"]) / record["images"]
        name = f"smoothing noise {column['beta']:g}"
        axes.plot(record["alphas"], risk, color=color, linestyle=dash, marker=marker, linewidth=2, label=name)
        axes.axvline(MNIST_ALPHA[column["beta"]], color=color, linestyle=dash, linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylabel("risk", fontsize=14)
    legend(axes, "vertical: best as published", loc="upper right")
