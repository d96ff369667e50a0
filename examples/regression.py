"""Certify a number: by how much a perturbation can turn the angle that a network reads off a rotated digit.

    python examples/regression.py

About 40 seconds on two CPU cores. Expect, at sigma 0.25: the smoothed angle 1.5 degrees from the true one in the mean,
and in the mean of the worst cases at most 5 degrees from it, whatever is added of l2 length 0.25. Writes
outputs/regression.png: smoothed angles, their certified intervals and the true angles; errors over the radius.
"""

import argparse
import itertools
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy import ndimage

import jaxsmooth as js

RADII = [0.0, 0.125, 0.25, 0.375, 0.5]
MOST = 60.0  # degrees, either way
WIDTHS = (64 * 4, 256, 128, 1)


def turned(images, number, seed):
    """Digits twice as large, each turned by an angle: ``(number, 16, 16, 1)`` and the angles in degrees."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-MOST, MOST, number)
    large = np.kron(images[np.arange(number) % len(images), :, :, 0], np.ones((2, 2)))
    x = [ndimage.rotate(image, angle, reshape=False, order=1) for image, angle in zip(large, angles, strict=True)]
    return np.clip(x, 0, 1).astype(np.float32)[..., None], angles.astype(np.float32)


def network(weights, x):
    x = x.reshape(len(x), -1)
    for i, (matrix, bias) in enumerate(weights):
        x = x @ matrix + bias
        x = jax.nn.relu(x) if i < len(weights) - 1 else x
    return MOST * x[:, 0]


def train(key, noise, x, angles, steps, batch=128):
    weights = []
    for into, out in itertools.pairwise(WIDTHS):
        key, draw = jax.random.split(key)
        weights.append((np.sqrt(2 / into) * jax.random.normal(draw, (into, out)), jnp.zeros(out)))
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, steps))
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state, key, x, y):
        keys = jax.random.split(key, len(x))
        noisy = x + jax.vmap(lambda key: noise.sample(key, x.shape[1:]))(keys)
        loss = lambda w: jnp.abs(network(w, noisy) - y).mean() / MOST
        update, state = optimizer.update(jax.grad(loss)(weights), state)
        return optax.apply_updates(weights, update), state

    for i in range(steps):
        at = np.random.default_rng(i).integers(len(x), size=batch)
        weights, state = step(weights, state, jax.random.fold_in(key, i), x[at], angles[at])
    return weights


def draw(path, made, angles, summary):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), width_ratios=[2, 1], layout="constrained")
    js.analysis.plot_values(made, angles, radius=0.25, ax=left, title="l2 radius 0.25, sigma 0.25")
    left.set_ylabel("angle in degrees", fontsize=14)
    right.plot(summary.radii, summary.certified_error, "o-", color="#D55E00", linewidth=2.5, label="worst error")
    right.plot(summary.radii, summary.width, "s--", color="#0072B2", linewidth=2.5, label="width, median")
    right.axhline(summary.error, color="0.4", linestyle=":", linewidth=2, label="error")
    right.set_xlabel("l2 radius", fontsize=14)
    right.set_ylabel("degrees", fontsize=14)
    right.set_ylim(0)
    right.grid(color="0.88")
    right.legend(fontsize=12, edgecolor="none")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sigma", type=float, default=0.25, help="standard deviation of the noise, pixels in [0, 1]")
    parser.add_argument("--n", type=int, default=10_000, help="draws for an image")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--steps", type=int, default=3000, help="steps of training")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.steps, options.images, options.n = 20, 10, 500

    train_images, _ = js.datasets.load("digits", "train")
    images, _ = js.datasets.load("digits", "test")
    noise = js.noises.Gaussian(options.sigma)
    train_key, certify_key = jax.random.split(jax.random.key(0))
    weights = train(train_key, noise, *turned(train_images, 16_000, seed=0), options.steps)
    predict = jax.tree_util.Partial(network, weights)

    x, angles = turned(images, options.images, seed=1)
    begun = time.perf_counter()
    made = js.certify_values(
        certify_key, predict, noise, x, RADII, edges=np.arange(-90, 91), n=options.n, progress=True
    )
    print(f"{options.images * options.n / (time.perf_counter() - begun):,.0f} draws a second")
    print(made)
    summary = js.analysis.value_summary(made, angles)
    print(summary)
    inside = (made.lower <= made.value[:, None]) & (made.value[:, None] <= made.upper)
    print(f"values inside their intervals: {inside.mean():.3f}")

    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "regression.png", made, angles, summary)
    print(f"wrote {options.output / 'regression.png'}")


if __name__ == "__main__":
    main()
