"""Accuracy by class over sigma on MNIST, with and without training noise: Mohapatra et al. 2021 on other data.

    python examples/reproduce/classes.py --data-dir DIR

The networks of training_objectives.py (trained with sigma 0.25, 0.5 and 1, each smoothed with its own) and one trained
without noise (ten epochs, two minutes); all 10,000 test images, 100 votes: about 20 minutes on two idle cores, networks
apart. Published are CIFAR-10 and ImageNet, where the lowest class falls to 0 without training noise; nothing of MNIST.
Writes the right and all images of every class to docs/results/classes/classes.json; networks not trained yet are left
out, and counts that are there are kept.
"""

import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import networks
import records
from runs import RUNS

import jaxsmooth as js
import jaxsmooth.diagnostics as jd

SIGMAS, VOTES, SEED = [0.12, 0.25, 0.5, 1.0], 100, 0


def right_by_class(network, sigma, images, labels, votes, kept):
    """Images of every class whose vote is right; kept in a file once counted."""
    if not kept.exists():
        found = jd.classwise_over_sigma(jax.random.key(SEED), network().classify, images, labels, [sigma], votes)
        right = found.votes[0].any(-1) & (found.votes[0].argmax(-1) == labels)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, np.bincount(labels[right], minlength=10))
    return np.load(kept).tolist()


def main():
    options = records.parse(records.parser(__doc__))
    split, votes = ("test[:200]", 2) if options.quick else ("test", VOTES)
    images, labels = js.datasets.load("mnist", split, data_dir=options.data_dir)
    folder = options.work / "classes"
    folder.mkdir(parents=True, exist_ok=True)
    clock = records.Clock(folder / "time.json")
    plain = lambda: networks.without_noise(options)
    rows = [
        {
            "sigma": s,
            "trained with": 0,
            "right": right_by_class(plain, s, images, labels, votes, folder / f"0-{s:g}.npy"),
        }
        for s in SIGMAS
    ]
    for run in RUNS:
        if (run.objective, run.seed) == ("gaussian", 0) and networks.trained_before(run, options):
            same = lambda run=run: networks.fitted_run(run, options)
            right = right_by_class(same, run.sigma, images, labels, votes, folder / f"{run.name}.npy")
            rows.append({"sigma": run.sigma, "trained with": run.sigma, "right": right})
    record = {"images": np.bincount(labels, minlength=10).tolist(), "votes": votes, "seed": SEED, "rows": rows}
    records.write(options.results / "classes/classes.json", record | clock.read() | records.circumstances(options))


if __name__ == "__main__":
    main()
