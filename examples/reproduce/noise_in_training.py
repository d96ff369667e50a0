"""Training noise against smoothing noise, Pal and Sulam 2023: discs on a grid, distances between classes, MNIST.

    python examples/reproduce/noise_in_training.py --part discs                       # two minutes
    python examples/reproduce/noise_in_training.py --part distances --data-dir DIR    # ten minutes
    python examples/reproduce/noise_in_training.py --part mnist --data-dir DIR        # an hour on two idle cores

discs: radius 10 on 100 x 100 pixels, gaps 0 to 3, smoothing 8, 11 and 14, training noise 0 to 20, ten fields; compares
with what can be read off the published figure. distances: all 60,000 training images. mnist: LeNet trained without
noise for 10 epochs, then for each of ten training noises alpha for 3 more with one noisy copy of an image (published:
9 epochs with 100 copies, another network); risk on all 10,000 test images with 100 votes at smoothing noise beta 0, 0.4
and 0.9, beside the published best alpha, .28, .34 and .65. A finished alpha is not trained again. Writes
docs/results/noise_in_training/PART.json.
"""

import json
import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import networks
import records

import jaxsmooth as js
import jaxsmooth.diagnostics as jd

ALPHAS, BETAS, VOTES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], [0.0, 0.4, 0.9], 100


def discs(options, clock):
    """Risk minus risk without training noise, for every field."""
    alphas, fields = np.arange(0, 21.0), 2 if options.quick else 10
    found = []
    for gap in (0, 1, 2, 3):
        keys = jax.random.split(jax.random.key(246 + gap), fields)
        field = [jd.ball_field(key, 10, gap, 100) for key in keys]
        for beta in (8.0, 11.0, 14.0):
            risk = np.stack([jd.grid_risk(one, alphas, beta) for one in field])
            found.append({"gap": gap, "beta": beta, "difference": (risk - risk[:, :1]).round(5).tolist()})
    return {"alphas": alphas.tolist(), "fields": fields, "seed": 246, "grid": found}


def distances(options, clock):
    """Between and within the classes of the training images."""
    images, labels = js.datasets.load("mnist", "train[:600]" if options.quick else "train", data_dir=options.data_dir)
    found = jd.interference_distance(images, labels)
    gaps = {int(k): float(jd.component_gap(images[labels == k])[-1]) for k in np.unique(labels)}
    return {
        "images": len(labels),
        "nearest of another class": {"least": float(found.nn_other.min()), "median": float(np.median(found.nn_other))},
        "nearest of the same class": {"median": float(np.median(found.nn_same))},
        "largest gap within a class": gaps,
    }


def fine_tuned(options, alpha):
    """A LeNet trained without noise, then with noise alpha."""
    sigma = max(alpha, networks.TINY)
    arguments = ["--objective", "gaussian", "--sigma", sigma, "--epochs", "3", "--learning-rate", "0.02"]
    folder, base = options.work / "noise_in_training" / f"alpha-{alpha:g}", networks.without_noise(options)
    arguments += ["--batch-size", "128"]
    return networks.fitted(folder, options, js.noises.Gaussian(sigma), arguments, base.weights).classify


def mnist(options, clock):
    """Errors at every alpha and beta, and on how many images two alphas differ."""
    split = "test[:50]" if options.quick else "test"
    images, labels = js.datasets.load("mnist", split, data_dir=options.data_dir)
    votes, alphas = (2, ALPHAS[::5]) if options.quick else (VOTES, ALPHAS)
    right = np.zeros((len(BETAS), len(alphas), len(labels)), bool)
    for a, alpha in enumerate(alphas):
        kept = options.work / "noise_in_training" / f"right-{alpha:g}.npy"
        if not kept.exists():
            counts = jd.votes_over_sigma(jax.random.key(0), fine_tuned(options, alpha), images, BETAS, votes)
            np.save(kept, counts.any(-1) & (counts.argmax(-1) == labels))
            clock.read()
        right[:, a] = np.load(kept)
    columns = [
        {
            "beta": beta,
            "wrong": (~at).sum(-1).tolist(),
            "wrong in the first half": (~at[:, : len(labels) // 2]).sum(-1).tolist(),
            "only the row is right in the second half": [[int((a & ~b).sum()) for b in second] for a in second],
        }
        for beta, at in zip(BETAS, right, strict=True)
        for second in [at[:, len(labels) // 2 :]]
    ]
    return {"alphas": alphas, "votes": votes, "images": len(labels), "seed": 0, "epochs": [10, 3], "columns": columns}


PARTS = {"discs": discs, "distances": distances, "mnist": mnist}


def main():
    made = records.parser(__doc__)
    made.add_argument("--part", choices=list(PARTS), required=True)
    options = records.parse(made, data=False)
    if options.part != "discs":
        records.require_data(made, options)
    state = options.work / "noise_in_training"
    state.mkdir(parents=True, exist_ok=True)
    clock = records.Clock(state / f"{options.part}_time.json")
    found = PARTS[options.part](options, clock)
    target = options.results / "noise_in_training" / f"{options.part}.json"
    records.write(target, found | clock.read() | records.circumstances(options))
    print(json.dumps(found)[:2000])


if __name__ == "__main__":
    main()
