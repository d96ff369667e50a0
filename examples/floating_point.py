"""A classifier that floating point certifies falsely, and the noise under which it is certified truly.

    python examples/floating_point.py

Seconds on two CPU cores. The classifier looks at the last bits of its input, in which a float32 sum x + delta tells
what x was. Expect, for each dimension, "broken" under Gaussian noise: two points that are certified for different
classes, one within the radius of the other; and "holds" under noise of integers. Writes outputs/floating_point.png.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxsmooth as js

# Dimension, and the coordinate of the other point, (far, ..., far).
PLACES = [(64, 1 / 8), (128, 1 / 8), (512, 1 / 16), (3072, 1 / 64)]
NOISES = {"Gaussian": js.noises.Gaussian(0.5), "LatticeGaussian": js.noises.LatticeGaussian(0.5, step=1 / 256)}


def last_bits(far, batch):
    """Class 1 if some coordinate below far / 2 is finer than far / 2**24."""
    scaled = batch * (2.0**24 / far)
    fine = ((batch < far / 2) & (scaled != jnp.round(scaled))).any(-1)
    return jnp.stack([~fine, fine], -1).astype(jnp.float32)


def certify(noise, dim, far, n):
    """Certificates at both points."""
    x = np.stack([np.zeros(dim), np.full(dim, far)]).astype(np.float32)
    classify = jax.tree_util.Partial(last_bits, jnp.float32(far))
    return js.certify(jax.random.key(0), classify, noise, x, n=n, batch_size=256)


def share(noise, dim, far, n):
    """The points between both that are on the lattice, and the share of votes for class 1 at each."""
    k = np.arange(round(far * 256) + 1)
    x = np.repeat(k[:, None] / 256, dim, 1).astype(np.float32)
    classify = jax.tree_util.Partial(last_bits, jnp.float32(far))
    votes = js.count_votes(jax.random.key(1), classify, noise, x, n, batch_size=256)
    return np.linalg.norm(x, axis=1), np.asarray(votes.counts)[:, 1] / n


def draw(path, dim, far, found, n):
    """Votes on the way from one point to the other, and what is certified from either end."""
    figure, panels = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    distance = far * np.sqrt(dim)
    for (name, noise), axes in zip(NOISES.items(), panels, strict=True):
        axes.plot(*share(noise, dim, far, n), "o-", color="#0072B2", label="votes for class 1")
        for end, certificate in zip((0, distance), found[name], strict=True):
            radius, label = certificate.radius[0], certificate.label[0]
            inside = np.clip([end - radius, end + radius], 0, distance)
            height = (1.1 if end == 0 else 1.3) if label == 1 else (-0.1 if end == 0 else -0.3)
            axes.plot(inside, [height] * 2, color="#D55E00" if label else "#009E73", linewidth=5)
            side = "left" if end == 0 else "right"
            axes.annotate(
                f"class {label}, certified from this end", (end, height), (0, 6 if label else -6),
                textcoords="offset points", ha=side, va="bottom" if label else "top", fontsize=11,
            )  # fmt: skip
        axes.set_title(f"{name}: {verdict(found[name], distance)}", fontsize=14)
        axes.set(xlabel="l2 distance from 0, along (1, ..., 1)", ylim=(-0.55, 1.45), yticks=[0, 0.5, 1])
    panels[0].set_ylabel("share of votes for class 1")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def verdict(certificates, distance):
    """Whether the balls claim two classes for one point."""
    labels, reach = certificates.label, certificates.radius.max()
    return "broken" if labels[0] != labels[1] and labels.min() >= 0 and reach >= distance else "holds"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="votes for each point")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="the first dimension, fewer votes")
    options = parser.parse_args()
    places, n = (PLACES[:1], 2000) if options.quick else (PLACES, options.n)
    options.output.mkdir(parents=True, exist_ok=True)
    print("dim   distance  noise            labels   radii        certificate")
    for dim, far in places:
        found = {name: certify(noise, dim, far, n) for name, noise in NOISES.items()}
        for name, certificates in found.items():
            labels, radii = certificates.label.tolist(), np.floor(certificates.radius * 100) / 100
            result = verdict(certificates, far * np.sqrt(dim))
            print(f"{dim:<5} {far * np.sqrt(dim):8.3f}  {name:15}  {labels}   {radii.tolist()}  {result}")
        if dim == places[0][0]:
            draw(options.output / "floating_point.png", dim, far, found, min(n, 2000))
    print(f"wrote {options.output / 'floating_point.png'}")


if __name__ == "__main__":
    main()
