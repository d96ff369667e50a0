"""Certified l1 accuracy on MNIST under Uniform, Laplace and Gaussian noise: Yang et al. 2020 on smaller data.

    python examples/reproduce/l1_noises.py --data-dir DIR
    python examples/reproduce/l1_noises.py --data-dir DIR --noises uniform laplace --sigmas 1

LeNet, 10 epochs, with and without stability training (their form: two noisy copies, weight 6), each noise at two
sigmas; 500 test images, of each the largest of the radii 0, 0.5, ..., 4 by ``certify_curve`` with up to 100,000 votes.
Twelve networks, each 5 to 10 minutes to train and as long to certify on one core. Published are CIFAR-10 and ImageNet,
where Uniform is above Laplace at every l1 radius and stability training raises it; compares that order, at the best
sigma for each radius. Goes on where it was killed. Writes a log and a record for each network to
docs/results/l1_noises.
"""

import itertools
import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import networks
import records

import jaxsmooth as js

NOISES = {"uniform": js.noises.Uniform, "laplace": js.noises.Laplace, "gaussian": js.noises.Gaussian}
IMAGES, N_MAX, ALPHA, EPOCHS, SEED = 500, 100_000, 1e-3, 10, 0
RADII, LARGEST_PROBABILITY = np.arange(9) / 2, 0.9995


def certify(name, objective, sigma, options):
    """Train and certify one network; write its log and its record."""
    title = f"{name}-{objective}-{sigma:g}"
    folder, target = options.work / "l1_noises" / title, options.results / "l1_noises"
    if (target / f"{title}.json").exists():
        print(f"{title}: done")
        return
    arguments = ["--sigma", sigma, "--objective", objective, "--epochs", EPOCHS, "--batch-size", "256"]
    arguments += ["--learning-rate", "0.02", "--seed", SEED]
    if objective == "noisy_stability":
        arguments += ["--lam", "6", "--num-samples", "2"]
    noise = NOISES[name](sigma)
    network = networks.fitted(folder, options, noise, arguments)
    split = f"test[:{10 if options.quick else IMAGES}]"
    images, labels = js.datasets.load("mnist", split, data_dir=options.data_dir)
    clock = records.Clock(folder / "certification_time.json")
    # Radii that no vote of this noise proves, or hardly one, are certified for no image.
    within = js.radii.certified_radius(noise, LARGEST_PROBABILITY, norm=1, dim=images[0].size)
    certificates = js.certify_curve(
        jax.random.key(SEED),
        network.classify,
        noise,
        images,
        RADII[within > RADII],
        labels=labels,
        norm=1,
        n_max=20_000 if options.quick else N_MAX,
        alpha=ALPHA,
        ledger=folder / "votes.ledger",
        progress=True,
    )
    target.mkdir(parents=True, exist_ok=True)
    js.analysis.write_log(target / f"{title}.tsv", certificates, labels)
    record = {"noise": name, "sigma": sigma, "objective": objective, "seed": SEED, "training": network.facts}
    record["certification"] = clock.read() | {"votes per image": float(np.mean(certificates.samples))}
    records.write(target / f"{title}.json", record | records.circumstances(options))
    print(js.analysis.summary(certificates, labels, RADII))


def main():
    made = records.parser(__doc__)
    made.add_argument("--noises", nargs="+", choices=list(NOISES), default=list(NOISES))
    made.add_argument("--sigmas", type=float, nargs="+", default=[1.0, 2.0])
    options = records.parse(made)
    for sigma, name in itertools.product(options.sigmas, options.noises):
        for objective in ("gaussian", "noisy_stability"):
            certify(name, objective, sigma, options)


if __name__ == "__main__":
    main()
