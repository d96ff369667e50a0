"""The figure of ``radii.py``: certified radius over the probability of the vote, by the published rules."""

import json
import pathlib

from drawing import STYLES, legend, panels, save

SHOWN = ("Gaussian", "Laplace", "Uniform", "ExpInf", "Pareto")


def draw(results: pathlib.Path, path: pathlib.Path) -> bool:
    """A panel for every norm; whether there is a record."""
    file = results / "radii/radii.json"
    if not file.exists():
        return False
    record = json.loads(file.read_text())
    norms = [norm for norm in ("l1", "l2", "linf") if f"Gaussian, {norm}" in record["radii"]]
    titles = [f"{norm}, sigma 1, d = {record['dim']:,}" for norm in norms]
    figure, axes = panels(titles, "probability of the vote", "certified radius", share=False)
    for one, norm in zip(axes, norms, strict=True):
        for noise, (color, _, dash) in zip(SHOWN, STYLES, strict=True):
            row = record["radii"].get(f"{noise}, {norm}")
            if row is None:
                continue
            one.plot(record["grid"], row["largest grid"], color=color, linestyle=dash, linewidth=2.5, label=noise)
            if row["published grid"]:
                one.plot(record["grid"], row["published grid"], color=color, linestyle=dash, linewidth=1)
        one.set_yscale("log")
        one.set_ylim(one.get_ylim()[0] / 30, None)  # room for the legend
        legend(one, "thick: ours; thin: published", loc="lower right")
    return save(figure, path)
