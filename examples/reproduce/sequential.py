"""Published curves again with sequential certification: the same certified accuracy from a fraction of the votes.

    python examples/reproduce/sequential.py

Two minutes, no data. The logs of Cohen et al. 2019 tell for every image how probable its class is under the noise.
A half-space at the right distance from a point has the same vote probability, so each image becomes such a point and
``certify_curve`` certifies it, with its label, as it would the network's; beside it ``certify`` with the published
100,000 votes. The logs were made at alpha = 0.01, as their largest radii tell, and so is this. Images that abstained
are spread evenly below 1/2, half of them as their label's votes; a wrong class leaves its image's label a uniform
share of the most that it can have; once each, the label of such images has nothing and the most it can have.
Compares with the accuracy in the logs. Writes
docs/results/sequential/cohen_2019.json.
"""

import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import records
from scipy import special

import jaxsmooth as js

PUBLISHED = records.ROOT / "docs/results/published/cohen_2019.json"
N, ALPHA = 100_000, 0.01


def half_space(x):
    """Class 0 on one side of the origin, class 1 on the other."""
    return jnp.concatenate([x, -x], axis=-1)


def untold(log):
    """Of which images a log does not tell how probable the label is: those that abstained or are wrong."""
    return np.array([radius is None or np.signbit(radius) for radius in log["result"]])


def probabilities(log, rng, share=None):
    """Of the label, for every image of a log; where it is not told, a share of the most it can be, drawn by default."""
    certified = np.array([np.nan if radius is None else radius for radius in log["result"]])
    test = js.bounds.GroupSequential(N, ALPHA, first_look=N)
    # The fewest votes that prove the radius. A log cannot tell how close to 1 an image is whose votes all agree.
    count = test.thresholds(special.ndtr(np.abs(np.nan_to_num(certified)) / log["sigma"]))[:, -1]
    top = np.minimum(np.minimum(count, N) / N, 1 - 1e-6)
    width = min(np.isnan(certified).sum() / (np.sum(top[~np.isnan(certified)] < 0.6) / 0.1), 0.4)
    top = np.where(np.isnan(certified), 0.5 - width * rng.uniform(size=len(top)), top)
    right = np.where(np.isnan(certified), rng.uniform(size=len(top)) < 0.5, np.signbit(certified) == 0)
    drawn = np.where(right, top, np.minimum(top, 1 - top) * rng.uniform(size=len(top)))
    # No certificate of the label follows from 1/2, nor for a class that another has more votes than.
    most = np.where(np.isnan(certified), 0.5, np.minimum(top, 1 - top))
    return drawn if share is None else np.where(untold(log), np.maximum(share * most, 1e-6), drawn)


def replay(log, repeats):
    """The published curve, ours by ``certify`` and by ``certify_curve``, and the votes of an image."""
    rng = np.random.default_rng(0)
    noise, radii = js.noises.Gaussian(log["sigma"]), np.array(log["radii"])
    point = lambda p: (log["sigma"] * special.ndtri(p))[:, None].astype(np.float32)
    x = point(probabilities(log, rng))
    labels = np.zeros(len(x), np.int32)
    published = [float(np.mean([r is not None and r >= 0 and abs(r) >= at for r in log["result"]])) for at in radii]
    fixed = js.certify(jax.random.key(0), half_space, noise, x, n=N, alpha=ALPHA)
    curve = lambda key, x: js.certify_curve(key, half_space, noise, x, radii, labels=labels, n_max=N, alpha=ALPHA)
    curves, votes = [], []
    for repeat in range(repeats):
        found = curve(jax.random.key(1 + repeat), x)
        curves.append(js.analysis.certified_accuracy(found, labels, radii).tolist())
        votes.append(float(found.samples.mean()))
    extremes = [point(probabilities(log, np.random.default_rng(0), share)) for share in (0.0, 1.0)]
    return {
        "name": log["name"],
        "images": len(x),
        "radii": log["radii"],
        "published": published,
        "fixed": js.analysis.certified_accuracy(fixed, labels, radii).tolist(),
        "curves": curves,
        "votes": votes,
        "untold": int(untold(log).sum()),
        "votes at the extremes": [float(curve(jax.random.key(0), x).samples.mean()) for x in extremes],
    }


def main():
    parser = records.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="keys with which certify_curve runs")
    options = records.parse(parser, data=False)
    logs = json.loads(PUBLISHED.read_text())["logs"]
    if options.quick:
        logs, options.repeats = [log | {"result": log["result"][:20]} for log in logs[:1]], 2
    start = time.perf_counter()
    rows = [replay(log, options.repeats) for log in logs]
    record = {"n": N, "alpha": ALPHA, "rows": rows, "seconds": time.perf_counter() - start}
    records.write(options.results / "sequential/cohen_2019.json", record | records.circumstances(options))


if __name__ == "__main__":
    main()
