"""Train a small Flax network on digits under Gaussian noise, certify the test split, and report.

    python examples/quickstart.py
    python examples/quickstart.py --lattice      # certificates of the program that runs, not of real numbers

About 50 seconds on two CPU cores. Expect, at sigma 0.25: clean accuracy near 0.99, certified accuracy near
0.95 at l2 radius 0.25 and 0.70 at 0.5, an average certified radius near 0.57. Writes outputs/quickstart.tsv,
one line per image, and outputs/quickstart.png: a few digits with their radii, and certified accuracy against radius.
"""

import argparse
import os
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from tqdm.auto import trange

import jaxsmooth as js

# One JAX device for every core: of a small network one device alone leaves much of a core idle.
jax.config.update("jax_num_cpu_devices", os.cpu_count())


class Network(nnx.Module):
    """Two convolutions and two dense layers, for 8x8 images."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Conv(1, 16, (3, 3), rngs=rngs)
        self.second = nnx.Conv(16, 32, (3, 3), strides=2, rngs=rngs)
        self.hidden = nnx.Linear(4 * 4 * 32, 128, rngs=rngs)
        self.output = nnx.Linear(128, 10, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.second(nnx.relu(self.first(x))))
        return self.output(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))


def train(key, noise, images, labels, epochs, batch_size=128):
    """Ordinary training, except that every image is seen under fresh noise."""
    graph, weights = nnx.split(Network(nnx.Rngs(0)))
    steps = epochs * (len(images) // batch_size)
    optimizer = optax.chain(
        optax.clip_by_global_norm(5.0),
        optax.sgd(optax.cosine_decay_schedule(0.1, steps), momentum=0.9, nesterov=True),
    )

    @jax.jit
    def step(weights, state, key, x, y):
        keys = jax.random.split(key, len(x))
        noisy = x + jax.vmap(lambda key: noise.sample(key, x.shape[1:]))(keys)

        def loss(weights):
            logits = nnx.merge(graph, weights)(noisy)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        value, gradient = jax.value_and_grad(loss)(weights)
        update, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, update), state, value

    state = optimizer.init(weights)
    order = np.random.default_rng(0)
    bar = trange(epochs, desc="train", unit="epoch")
    for _ in bar:
        for batch in np.split(order.permutation(len(images))[: steps // epochs * batch_size], steps // epochs):
            key, now = jax.random.split(key)
            weights, state, value = step(weights, state, now, images[batch], labels[batch])
        bar.set_postfix(loss=f"{value:.3f}")
    return nnx.merge(graph, weights)


def draw(path, *, key, noise, n, images, labels, found):
    """Digits as given and as the network sees them, with their radii; certified accuracy over the radius."""
    figure = plt.figure(figsize=(10.5, 4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    right_ones = np.flatnonzero(found.label == labels)
    ranks = (np.array([0, 0.25, 0.6, 1]) * (len(right_ones) - 1)).astype(int)
    shown = right_ones[np.argsort(found.radius[right_ones])[ranks]]
    for i, (clean, noisy) in zip(shown, left.subplots(2, 4).T, strict=True):
        clean.imshow(images[i, ..., 0], cmap="gray_r", vmin=0, vmax=1)
        clean.set_title(f"{found.label[i]} up to {np.floor(100 * found.radius[i]) / 100:.2f}", fontsize=12)
        seen = images[i] + noise.sample(jax.random.fold_in(key, i), images[i].shape)
        noisy.imshow(seen[..., 0], cmap="gray_r", vmin=0, vmax=1)
    for axes in left.axes:
        axes.set(xticks=[], yticks=[])
    left.axes[0].set_ylabel("image", fontsize=13)
    left.axes[4].set_ylabel("under noise", fontsize=13)
    left.suptitle("certified label and l2 radius", fontsize=14)
    axes = js.analysis.plot_certified_accuracy(found, labels, ax=right.subplots())
    axes.set_title(f"{len(labels)} digits, sigma {noise.sigma:g}, pixels in [0, 1]", fontsize=14)
    limit = js.radii.sampling_cap(noise, n=n, alpha=found.alpha, dim=images[0].size)
    axes.axvline(limit, color="0.35", linestyle=":", linewidth=2)
    axes.annotate("the most that so\nmany votes can prove", (limit, 0.97), (-8, 0), textcoords="offset points",
                  ha="right", va="top", fontsize=12, color="0.25")  # fmt: skip
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sigma", type=float, default=0.25, help="standard deviation of the noise, pixels in [0, 1]")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--n", type=int, default=10_000, help="votes per image")
    parser.add_argument("--images", type=int, default=500, help="test images to certify")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--lattice", action="store_true", help="noise of integers: certificates survive floating point")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.n, options.images = 3, 200, 50

    train_images, train_labels = js.datasets.load("digits", "train")
    images, labels = (part[: options.images] for part in js.datasets.load("digits", "test"))
    noise = js.noises.Gaussian(options.sigma)
    train_key, certify_key = jax.random.split(jax.random.key(0))

    model = train(train_key, noise, jnp.asarray(train_images), jnp.asarray(train_labels), options.epochs)
    classify = js.interop.from_nnx(model)

    if options.lattice:
        noise = js.noises.LatticeGaussian(options.sigma)  # pixels are multiples of 1/255
    start = time.perf_counter()
    everywhere = jax.make_mesh((jax.device_count(),), ("devices",))
    certificates = js.certify(certify_key, classify, noise, images, n=options.n, mesh=everywhere, progress=True)
    seconds = time.perf_counter() - start

    radii = np.arange(0, 4) * options.sigma
    print(f"\n{len(images)} images, {certificates.samples.sum() / seconds:,.0f} samples per second")
    print(f"accuracy without noise {np.mean(classify(jnp.asarray(images)).argmax(-1) == labels):.3f}")
    print(js.analysis.summary(certificates, labels, radii))

    options.output.mkdir(parents=True, exist_ok=True)
    js.analysis.write_log(options.output / "quickstart.tsv", certificates, labels)
    draw(
        options.output / "quickstart.png",
        key=certify_key, noise=noise, n=options.n, images=images, labels=labels, found=certificates,
    )  # fmt: skip
    print(f"wrote {options.output / 'quickstart.tsv'} and {options.output / 'quickstart.png'}")


if __name__ == "__main__":
    main()
