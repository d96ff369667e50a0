"""ResNet-20 on CIFAR-10, Gaussian augmentation and consistency at sigma 0.5, in fewer epochs than published.

    python examples/reproduce/resnet20.py --data-dir DIR
    python examples/reproduce/resnet20.py --data-dir DIR --dataset cifar10_mirror --test-split test_head

20 epochs (published: 150) of random crops and reflections, batches of 256, learning rate 0.1 divided by ten after half
and three quarters of them; 500 test images, up to 10,000 votes (published: 100,000). On one core of two that are busy
about 10 ms an image of an epoch, twice that with consistency, and 25 seconds for every image that is certified:
--epochs and --images take less. Compares with the published average radii .5242 and .6864, and with their difference:
what fewer epochs give, never the protocol. Results carry the name of the data set, for copies of CIFAR-10 that are not
bit by bit the original. Goes on where it was killed, and certifies more images from its ledger. Writes a log and a
record for each to docs/results/resnet20.
"""

import json
import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import models
import networks
import records
from published import RESNET20

import jaxsmooth as js

SIGMA, EPOCHS, SEED, IMAGES, N_MAX, ALPHA = 0.5, 20, 0, 500, 10_000, 1e-3


def certify(objective, options):
    """Train and certify; write the log and the record."""
    title = f"{options.dataset}-{objective}-{SIGMA:g}"
    # States of a schedule go on with no other.
    folder = options.work / "resnet20" / f"{title}-{options.epochs}"
    target = options.results / "resnet20"
    split = f"{options.test_split}[:{options.images}]"
    if done(target / f"{title}.json", options.epochs, split):
        print(f"{title}: done")
        return
    # The hyperparameters of the published run.
    arguments = ["--dataset", options.dataset, "--network", "resnet20", "--augment", "--objective", objective]
    arguments += ["--lam", "10", "--eta", "0.5", "--sigma", SIGMA, "--epochs", options.epochs, "--batch-size", "256"]
    arguments += ["--learning-rate", "0.1", "--seed", SEED, "--test-split", options.test_split]
    noise = js.noises.Gaussian(SIGMA)
    network = networks.fitted(folder, options, noise, arguments)
    images, labels = js.datasets.load(options.dataset, split, data_dir=options.data_dir)
    clock = records.Clock(folder / "certification_time.json")
    certificates = js.certify_adaptive(
        jax.random.key(SEED),
        network.classify,
        noise,
        images,
        n_max=options.n,
        alpha=ALPHA,
        ledger=folder / "votes.ledger",
        progress=True,
    )
    target.mkdir(parents=True, exist_ok=True)
    js.analysis.write_log(target / f"{title}.tsv", certificates, labels)
    record = {"dataset": options.dataset, "test images": split, "objective": objective, "sigma": SIGMA}
    record |= {"n_max": options.n, "training": network.facts, "certification": clock.read()}
    records.write(target / f"{title}.json", record | records.circumstances(options))
    print(js.analysis.summary(certificates, labels, np.arange(7) / 4))
    print(f"published, 150 epochs, another number of votes: {RESNET20[objective, SIGMA].acr:.4f}")


def done(record, epochs, split):
    """Whether the record of a network is of this many epochs and these images."""
    if not record.exists():
        return False
    written = json.loads(record.read_text())
    return (written["training"]["epochs"], written["test images"]) == (epochs, split)


def main():
    made = records.parser(__doc__)
    made.add_argument("--dataset", default="cifar10")
    made.add_argument("--test-split", default="test")
    made.add_argument(
        "--objectives", nargs="+", choices=["gaussian", "consistency"], default=["gaussian", "consistency"]
    )
    made.add_argument("--epochs", type=int, default=EPOCHS, help="of the training")
    made.add_argument("--images", type=int, default=IMAGES, help="test images to certify")
    made.add_argument("--n", type=int, default=N_MAX, help="the most votes for an image")
    options = records.parse(made)
    if options.quick:
        options.epochs, options.images, options.n = 1, 5, 100
    models.STATISTICS.setdefault(options.dataset, models.STATISTICS["cifar10"])
    for objective in options.objectives:
        certify(objective, options)


if __name__ == "__main__":
    main()
