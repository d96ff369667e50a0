"""What input-dependent smoothing costs beside the votes: sigma(x) by exact neighbours, and the certificates.

    taskset -c 0 python benchmarks/input_dependent.py                      # random images of the size of MNIST
    taskset -c 0 python benchmarks/input_dependent.py --dataset mnist --data-dir DIR

Times sigma(x) of 10,000 images against 60,000 references (device, float32, neighbours exact), and 1,000 certificates
at dim 3,072 (host, float64, both extreme scales), on one core if started with taskset: about 18 s and below 1 s, beside
half a minute of reading and compiling. Seconds of the processor are printed too, since they do not depend on what else
runs.
"""

import argparse
import pathlib
import time

import jax
import numpy as np

import jaxsmooth as js
import jaxsmooth.scales


def timed(function):
    """The value, the seconds, and the seconds of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    value = jax.block_until_ready(function())
    return value, time.perf_counter() - wall, time.process_time() - processor


def load(options):
    """References and images."""
    if options.dataset is None:
        random = np.random.default_rng(0)
        return (random.random((n, 28, 28, 1), np.float32) for n in (options.references, options.images))
    splits = f"train[:{options.references}]", f"test[:{options.images}]"
    return (js.datasets.load(options.dataset, split, data_dir=options.data_dir)[0] for split in splits)


def time_scale(options):
    references, images = load(options)
    scale = js.scales.KNNScale(references, sigma=0.5, rate=0.01)
    timed(lambda: scale(images))  # compiles
    sigma, wall, processor = timed(lambda: scale(images))
    sigma = np.asarray(sigma)
    print(
        f"sigma(x): {len(images)} images against {len(references)} references of {images[0].size} coordinates: "
        f"{wall:.1f} s, {processor:.1f} s of the processor; sigma {sigma.min():.4f} to {sigma.max():.4f}"
    )


def time_certificates(number, dim):
    """Radii of probabilities that votes show, for a scale of its own at each image."""
    random = np.random.default_rng(0)
    p, sigma = 1 - 10 ** random.uniform(-4, -0.4, number), random.uniform(0.1, 1.0, number)
    for rate in (0.01, 0.05):
        call = lambda rate=rate: js.radii.semi_elastic_radius(p, sigma=sigma, rate=rate, dim=dim)
        call()
        _, wall, processor = timed(call)
        kappa = js.radii.normalised_rate(sigma, rate=rate, dim=dim).mean()
        print(
            f"{number} certificates, dim {dim}, rate {rate:g} (mean kappa {kappa:.2f}): "
            f"{wall:.2f} s, {processor:.2f} s of the processor"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="by default random images of the size of MNIST")
    parser.add_argument("--data-dir", type=pathlib.Path, help="folder of prepared data sets")
    parser.add_argument("--references", type=int, default=60_000)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--certificates", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=3072)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.references, options.images, options.certificates = 2000, 300, 100
    time_certificates(options.certificates, options.dim)
    time_scale(options)


if __name__ == "__main__":
    main()
