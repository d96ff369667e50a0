"""Training objectives on MNIST by the published protocol, beside the published average certified radii.

    python examples/reproduce/training_objectives.py --data-dir DIR
    python examples/reproduce/training_objectives.py --data-dir DIR --runs gaussian-0.5-0 consistency-0.5-0
    python examples/reproduce/training_objectives.py --list

LeNet, 90 epochs, batches of 256, learning rate 0.01 divided by ten at 30 and 60, no augmentation (Jeong and Shin 2020
and its baselines); then the first 500 test images with up to 100,000 votes each by ``certify_adaptive``. On one core a
run of Gaussian augmentation takes about 40 minutes, one of consistency or stability 80, and certification 70: --list
says which are done. Compares with the average over five published runs on all 10,000 test images. A killed command
goes on where it was: training from its last epoch, certification from its ledger, which more images extend; two
commands on a core each (taskset -c) get twice as much done as one on both. Writes NAME.tsv (a
log of every image) and NAME.json (seeds, versions, machine, times) to docs/results/training; the tables of
docs/results.md are made of them by ``python docs/results_tables.py``.
"""

import dataclasses
import json
import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import networks
import records
from published import MNIST
from runs import RUNS

import jaxsmooth as js

IMAGES, N_MAX, ALPHA = 500, 100_000, 1e-3


def certify(run, options):
    """Train and certify a run; write its log and its record."""
    folder = options.work / "training" / run.name
    network = networks.fitted_run(run, options)
    _, key, _ = jax.random.split(jax.random.key(run.seed), 3)
    images, labels = js.datasets.load("mnist", f"test[:{options.images}]", data_dir=options.data_dir)
    clock = records.Clock(folder / "certification_time.json")
    certificates = js.certify_adaptive(
        key,
        network.classify,
        js.noises.Gaussian(run.sigma),
        images,
        n_max=options.n,
        alpha=ALPHA,
        ledger=folder / "votes.ledger",
        progress=True,
    )
    certification = clock.read() | {"votes per image": float(np.mean(certificates.samples))}
    target = options.results / "training"
    target.mkdir(parents=True, exist_ok=True)
    js.analysis.write_log(target / f"{run.name}.tsv", certificates, labels)
    certification |= {"images": len(labels), "n_max": options.n, "alpha": ALPHA}
    record = {
        "run": dataclasses.asdict(run),
        "training": network.facts,
        "certification": certification,
        **records.circumstances(options),
    }
    records.write(target / f"{run.name}.json", record)
    print(js.analysis.summary(certificates, labels, np.arange(8) / 4))
    published = MNIST[run.objective, run.sigma]
    print(f"published, {published.runs} runs on 10,000 images: {published.acr:.4f} +- {published.deviation}")


def certified(run, options):
    """How many images of a run are certified, all of its protocol done."""
    record = options.results / "training" / f"{run.name}.json"
    return json.loads(record.read_text())["certification"]["images"] if record.exists() else 0


def main():
    made = records.parser(__doc__)
    made.add_argument("--runs", nargs="+", choices=[run.name for run in RUNS], help="by default all, in order")
    made.add_argument("--list", action="store_true", help="say what there is, what is done and how long the rest takes")
    made.add_argument("--images", type=int, default=IMAGES, help="test images to certify")
    made.add_argument("--n", type=int, default=N_MAX, help="the most votes for an image")
    options = records.parse(made)
    if options.quick:
        options.images, options.n = 10, 200
    wanted = [run for run in RUNS if options.runs is None or run.name in options.runs]
    left = [run for run in wanted if certified(run, options) < options.images]
    for run in wanted:
        published = MNIST[run.objective, run.sigma]
        state = f"to do, about {run.minutes} minutes and 70 to certify" if run in left else "done"
        print(f"{run.name:20} published average radius {published.acr:.4f}   {state}")
    if not options.list:
        for run in left:
            certify(run, options)


if __name__ == "__main__":
    main()
