"""Certification logs of two methods side by side: every run, and the paired difference of their average radius.

    python examples/compare_logs.py --first outputs/consistency-0 outputs/consistency-1 \\
        --second outputs/gaussian-0 outputs/gaussian-1

Each is an output folder of train.py, or a log in the field's six columns; the logs must be of the same images in the
same order, and run i of both methods is taken as a pair (the same seed). Instant. Prints for every run the average
certified radius (ACR) and certified accuracy by radius, then ACR(first) - ACR(second) with a 95 % bootstrap interval
over images and runs.
"""

import argparse
import pathlib

import numpy as np

import jaxsmooth as js


def read(path):
    """Certificates and labels of a run; the noise and alpha from the file beside the log."""
    path = pathlib.Path(path)
    return js.analysis.read_log(path / "certificates.tsv" if path.is_dir() else path)


def scores(paths, radii):
    """Print a row for each run; the radius of every image, 0 where wrong: ``(runs, images)``, and the labels."""
    rows, labels = [], None
    for path in paths:
        certificates, these = read(path)
        if labels is not None and not np.array_equal(these, labels):
            raise SystemExit(f"{path} is of other images than {paths[0]}")
        labels = these
        accuracy = js.analysis.certified_accuracy(certificates, labels, radii)
        cells = "  ".join(f"{value:6.3f}" for value in accuracy)
        acr, abstention = (
            js.analysis.average_certified_radius(certificates, labels),
            js.analysis.abstention_rate(certificates),
        )
        print(f"{pathlib.Path(path).name:24} {acr:.4f}   {abstention:.3f}  {cells}")
        rows.append(np.where(certificates.label == labels, certificates.radius, 0.0))
    return np.array(rows), labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", nargs="+", required=True, help="runs of one method")
    parser.add_argument("--second", nargs="+", required=True, help="runs of the other, in the same order of seeds")
    parser.add_argument("--radii", type=float, nargs="+", default=[0.0, 0.25, 0.5, 0.75, 1.0, 1.25])
    parser.add_argument("--figure", type=pathlib.Path, help="draw the first run of each to this PNG")
    options = parser.parse_args()
    if len(options.first) != len(options.second):
        raise SystemExit("--first and --second must have as many runs: they are compared in pairs")
    print(f"{'':24} ACR      abst.  {'  '.join(f'{radius:6g}' for radius in options.radii)}")
    (first, labels), (second, others) = (scores(paths, options.radii) for paths in (options.first, options.second))
    if not np.array_equal(labels, others):
        raise SystemExit("the logs of --first and --second are of different images")
    gap, low, high = js.analysis.paired_difference(first, second)
    print(f"\n{first.shape[1]} images, {len(first)} runs: ACR {first.mean():.4f} against {second.mean():.4f}")
    print(f"first - second: {gap:+.4f} [{low:+.4f}, {high:+.4f}]; by run {np.round((first - second).mean(1), 4)}")
    if options.figure:
        runs = {pathlib.Path(path).name: read(path)[0] for path in (options.first[0], options.second[0])}
        axes = js.analysis.plot_certified_accuracy(runs, labels, title=f"{len(labels)} images")
        axes.figure.savefig(options.figure, dpi=120)
        print(f"wrote {options.figure}")


if __name__ == "__main__":
    main()
