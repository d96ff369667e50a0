"""Certified radii of every noise family by the published rules, and the largest that this library proves.

    python examples/reproduce/radii.py

Less than a minute, no data. The radii of Yang et al. 2020, "Randomized smoothing of all shapes and sizes", as numbers
and as curves: sigma 1, the dimension of CIFAR-10, three norms. Compares ``published_radius`` with ``certified_radius``;
where they differ, the library has a larger one with a proof. Writes docs/results/radii/radii.json.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import records
from compare_noises import FAMILIES, NORMS

import jaxsmooth as js

DIM, P_LOWER = 3072, [0.6, 0.9, 0.99, 0.999]
GRID = [0.505, *(p / 100 for p in range(51, 100)), 0.995, 0.999]  # of the figure


def rounded(radii, digits):
    """As numbers of so many digits."""
    return [float(f"{radius:.{digits}g}") for radius in radii]


def main():
    options = records.parse(records.parser(__doc__), data=False)
    start = time.perf_counter()
    found = {}
    for family, make in FAMILIES.items():
        for norm, name in NORMS.items():
            if options.quick and (family, name) != ("Gaussian", "l2"):
                continue
            noise, options_of = make(1.0), {"norm": norm, "dim": DIM}
            _, rule = js.radii.explain_radius(noise, P_LOWER, **options_of)
            row = {"rule": str(rule[1])}
            for title, p_lower in (("", P_LOWER), (" grid", GRID)):
                try:
                    published = js.radii.published_radius(noise, p_lower, **options_of)
                except ValueError:
                    published = None
                largest = js.radii.certified_radius(noise, p_lower, **options_of)
                digits = 17 if not title else 6
                row[f"published{title}"] = None if published is None else rounded(published, digits)
                row[f"largest{title}"] = rounded(largest, digits)
            found[f"{family}, {name}"] = row
    record = {
        "dim": DIM,
        "sigma": 1.0,
        "p_lower": P_LOWER,
        "grid": GRID,
        "radii": found,
        "seconds": time.perf_counter() - start,
    }
    records.write(options.results / "radii/radii.json", record | records.circumstances(options))


if __name__ == "__main__":
    main()
