"""Exact distances between all pairs of 20,000 points in 784 dimensions, in chunks: time, and memory at its peak.

    python benchmarks/pairwise_distances.py

Under a minute on two CPU cores. Every point's nearest point of another class and of its own, by
``interference_distance``; the answers for 200 points are compared with differences in double precision. Prints seconds,
operations per second and what the memory of the process grew by: about 300 MiB, where all pairs would take 1,526.
"""

import argparse
import resource
import time

import jax
import numpy as np

import jaxsmooth.diagnostics as jd


def points(number, dim, classes=10):
    """Clustered points in [0, 1]^dim, float32, as images are."""
    rng = np.random.default_rng(0)
    centres, labels = rng.uniform(0, 1, (classes, dim)), rng.integers(0, classes, number)
    x = np.empty((number, dim), np.float32)
    for start in range(0, number, 1000):
        part = slice(start, start + 1000)
        x[part] = np.clip(centres[labels[part]] + rng.normal(0, 0.3, (len(labels[part]), dim)), 0, 1)
    return x, labels


def peak_mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def largest_error(x, labels, found, sample):
    """The largest relative error of both distances over sampled points, against differences in double precision."""
    worst = 0.0
    for i in sample:
        exact = np.sqrt(((x.astype(np.float64) - x[i]) ** 2).sum(1))
        exact[i] = np.inf
        for values, others in ((found.nn_other, labels != labels[i]), (found.nn_same, labels == labels[i])):
            worst = max(worst, abs(values[i] / exact[others].min() - 1))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=784)
    parser.add_argument("--chunk", type=int, default=4096)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.number, options.dim = 600, 50
    x, labels = points(options.number, options.dim)
    # Compile and touch the libraries beforehand, so that the growth is that of the distances.
    jd.interference_distance(x[: options.number // 20], labels[: options.number // 20])
    before = peak_mebibytes()
    start = time.perf_counter()
    found = jd.interference_distance(x, labels, chunk=options.chunk)
    seconds = time.perf_counter() - start
    pairs = options.number**2
    print(f"{options.number} x {options.number} pairs, dimension {options.dim}, {jax.devices()[0].device_kind}")
    print(f"{seconds:.1f} s, {2 * pairs * options.dim / seconds / 1e9:.0f} GFlop/s of products")
    grown, whole = peak_mebibytes() - before, 4 * pairs / 2**20
    print(f"memory grew by {grown:.0f} MiB; the points are {x.nbytes / 2**20:.0f} MiB, all pairs {whole:.0f} MiB")
    sample = np.random.default_rng(1).choice(options.number, min(200, options.number), replace=False)
    error = largest_error(x, labels, found, sample)
    print(f"largest relative error of {len(sample)} points {error:.1e}")
    if error > 2e-6:
        raise SystemExit("distances are not exact")


if __name__ == "__main__":
    main()
