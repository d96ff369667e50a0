"""A sigma for every image against a constant one of the same mean, on MNIST: Sukenik et al. 2022.

    python examples/reproduce/sigma_of_x.py --data-dir DIR
    python examples/reproduce/sigma_of_x.py --data-dir DIR --sigmas 0.5 --rates 0.01

Their design: sigma(x) = sigma_b exp(r (D(x) - 1.5)), D(x) the mean distance to the 20 nearest training images; the
networks of training_objectives.py, trained with the constant sigma_b; every 20th test image, up to 10,000 votes.
About 20 minutes of one core for each sigma_b and rate, both sides. The paper's tables are in no public file, so
that it compares with what must hold: at r = 0.01 accuracy hardly moves and radii lose what the rate costs. Goes on from
its ledgers. Writes two logs and a record for each pair to docs/results/sigma_of_x.
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
import jaxsmooth.scales

K, OFFSET, STEP, SEED, N_MAX, ALPHA = 20, 1.5, 20, 0, 10_000, 1e-3


def compare(run, rate, options, reference, images, labels):
    """Certify under both noises; write the logs and the record."""
    name = f"{run.sigma:g}-{rate:g}"
    folder, target = options.work / "sigma_of_x" / name, options.results / "sigma_of_x"
    folder.mkdir(parents=True, exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    clock = records.Clock(folder / "time.json")
    network = networks.fitted_run(run, options)
    scale = js.scales.KNNScale(reference, run.sigma, rate, k=K, offset=OFFSET)
    sigma = scale.on_host(images)
    mean = float(np.mean(sigma))
    plans = {"nearest": js.noises.InputDependentGaussian(scale), "constant": js.noises.Gaussian(mean)}
    spent = {}
    for kind, noise in plans.items():
        certificates = js.certify_adaptive(
            jax.random.key(SEED),
            network.classify,
            noise,
            images,
            n_max=200 if options.quick else N_MAX,
            alpha=ALPHA,
            ledger=folder / f"{kind}.ledger",
            progress=True,
        )
        spent[kind] = float(np.mean(certificates.samples))
        ids = np.arange(len(labels)) * STEP
        js.analysis.write_log(target / f"{name}-{kind}.tsv", certificates, labels, image_ids=ids)
        print(js.analysis.summary(certificates, labels, np.arange(4) * run.sigma))
    kappa = js.radii.normalised_rate(sigma, rate=rate, dim=images[0].size)
    record = {
        "sigma_b": run.sigma,
        "rate": rate,
        "k": K,
        "offset": OFFSET,
        "seed": SEED,
        "sigma(x)": [*np.quantile(sigma, [0, 0.05, 0.5, 0.95, 1]).tolist(), mean],
        "kappa": float(np.mean(kappa)),
        "votes per image": spent,
        "network": network.facts,
    }
    records.write(target / f"{name}.json", record | clock.read() | records.circumstances(options))


def main():
    made = records.parser(__doc__)
    made.add_argument("--sigmas", type=float, nargs="+", default=[0.5, 0.25], help="sigma_b")
    made.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.05])
    options = records.parse(made)
    train, test = ("train[:100]", "test[:200]") if options.quick else ("train", "test")
    reference, _ = js.datasets.load("mnist", train, data_dir=options.data_dir)
    images, labels = (part[::STEP] for part in js.datasets.load("mnist", test, data_dir=options.data_dir))
    for sigma in options.sigmas:
        run = next(run for run in RUNS if (run.objective, run.sigma, run.seed) == ("gaussian", sigma, 0))
        for rate in options.rates:
            if (options.results / "sigma_of_x" / f"{sigma:g}-{rate:g}.json").exists():
                print(f"sigma_b {sigma:g}, rate {rate:g}: done")
            elif not networks.trained_before(run, options):
                print(f"sigma_b {sigma:g}: first train {run.name} with training_objectives.py")
            else:
                compare(run, rate, options, reference, images, labels)


if __name__ == "__main__":
    main()
