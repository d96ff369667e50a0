"""Certified radii of every noise family by the published rules, and the largest that this library proves.

    python examples/reproduce/radii.py

About a minute, no data. The radii figures of Yang et al. 2020, "Randomized smoothing of all shapes and sizes", as
numbers: sigma 1, the dimension of CIFAR-10, three norms. Compares ``published_radius`` with ``certified_radius``; where
they differ, the library has a larger one with a proof. Writes docs/results/radii/radii.json.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import records
from compare_noises import FAMILIES, NORMS

import jaxsmooth as js

DIM, P_LOWER = 3072, [0.6, 0.9, 0.99, 0.999]


def main():
    options = records.parser(__doc__).parse_args()
    start = time.perf_counter()
    found = {}
    for family, make in FAMILIES.items():
        for norm, name in NORMS.items():
            if options.quick and (family, name) != ("Gaussian", "l2"):
                continue
            try:
                published = js.radii.published_radius(make(1.0), P_LOWER, norm=norm, dim=DIM).tolist()
            except ValueError:
                published = None
            largest, rule = js.radii.explain_radius(make(1.0), P_LOWER, norm=norm, dim=DIM)
            found[f"{family}, {name}"] = {"published": published, "largest": largest.tolist(), "rule": str(rule[1])}
    record = {"dim": DIM, "sigma": 1.0, "p_lower": P_LOWER, "radii": found, "seconds": time.perf_counter() - start}
    records.write(options.results / "radii/radii.json", record | records.circumstances(options))


if __name__ == "__main__":
    main()
