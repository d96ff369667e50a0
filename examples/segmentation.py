"""Certify every pixel of a segmentation map together: digits on a canvas, a small fully convolutional network.

    python examples/segmentation.py

About 90 seconds on two CPU cores. Expect, for radius 0.17 at sigma 0.25 (tau 0.75): 69 % of the pixels certified with
the right class, below 1 % wrong, and abstentions at the rims of digits and where digits look alike. Bonferroni's method
certifies a little less than Holm's, from the same draws; alpha for every pixel would certify 74 % and promise nothing
of the map. Writes outputs/segmentation.png: canvases, true maps, and certified maps: a class, abstained (white) or
wrong (black).
"""

import argparse
import pathlib
import tempfile
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import jaxsmooth as js

SIZE, CLASSES = 32, 11  # the background is class 10
WIDTHS = (1, 24, 32, 32, CLASSES)


def canvases(images, labels, number, seed):
    """Digits in the quarters of a canvas, moved about, and the class of every pixel."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((number, SIZE, SIZE, 1), np.float32), np.full((number, SIZE, SIZE), CLASSES - 1)
    for i in range(number):
        for row, column in np.ndindex(2, 2):
            digit = rng.integers(len(images))
            large = np.kron(images[digit, :, :, 0], np.ones((2, 2)))[:14, :14]
            top, left = 16 * row + rng.integers(3), 16 * column + rng.integers(3)
            part = np.s_[i, top : top + 14, left : left + 14]
            x[part][..., 0] = large
            y[part][large > 0.25] = labels[digit]
    return x, y


def network(weights, x):
    """Convolutions with growing dilation; the scores of every pixel."""
    for i, (kernel, bias) in enumerate(weights):
        dilation = (2**i,) * 2 if i < 3 else (1, 1)
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", rhs_dilation=dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = x + bias
        x = jax.nn.relu(x) if i < len(weights) - 1 else x
    return x


def start(key):
    sizes = [(5, 5)] + [(3, 3)] * (len(WIDTHS) - 3) + [(1, 1)]
    weights = []
    for shape, into, out in zip(sizes, WIDTHS[:-1], WIDTHS[1:], strict=True):
        key, draw = jax.random.split(key)
        scale = np.sqrt(2 / (np.prod(shape) * into))
        weights.append((scale * jax.random.normal(draw, (*shape, into, out)), jnp.zeros(out)))
    return weights


def train(key, noise, images, labels, steps, batch=32):
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps))
    weights = start(key)
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state, key, x, y):
        keys = jax.random.split(key, len(x))
        noisy = x + jax.vmap(lambda key: noise.sample(key, x.shape[1:]))(keys)
        loss = lambda w: optax.softmax_cross_entropy_with_integer_labels(network(w, noisy), y).mean()
        value, gradient = jax.value_and_grad(loss)(weights)
        update, state = optimizer.update(gradient, state)
        return optax.apply_updates(weights, update), state, value

    x, y = canvases(images, labels, 1024, seed=0)
    for i in range(steps):
        at = np.random.default_rng(i).integers(len(x), size=batch)
        weights, state, _ = step(weights, state, jax.random.fold_in(key, i), x[at], y[at])
    return weights


def draw(path, x, truth, certificates):
    shown = min(len(x), 4)
    figure, axes = plt.subplots(3, shown, figsize=(2.2 * shown, 6.9), layout="constrained", squeeze=False)
    for i in range(shown):
        axes[0, i].imshow(x[i, :, :, 0], cmap="gray_r")
        axes[0, i].set_xticks([]), axes[0, i].set_yticks([])
        exact = js.OutputCertificates(
            truth[i : i + 1], truth[i : i + 1], truth[i : i + 1], np.ones(1), np.ones(1), np.ones(1), np.zeros(1)
        )
        js.analysis.plot_output_map(exact, ax=axes[1, i], title="")
        js.analysis.plot_output_map(certificates, truth, image=i, ax=axes[2, i])
    for row, name in zip(axes, ("canvas", "true classes", "certified"), strict=True):
        row[0].set_ylabel(name, fontsize=14)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sigma", type=float, default=0.25, help="standard deviation of the noise, pixels in [0, 1]")
    parser.add_argument("--tau", type=float, default=0.75, help="the probability that certified pixels exceed")
    parser.add_argument("--n", type=int, default=100, help="draws that count")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=900, help="steps of training")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.steps, options.images, options.n = 3, 2, 60

    noise = js.noises.Gaussian(options.sigma)
    train_key, certify_key = jax.random.split(jax.random.key(0))
    weights = train(train_key, noise, *js.datasets.load("digits", "train"), options.steps)
    classify = jax.tree_util.Partial(network, weights)

    x, truth = canvases(*js.datasets.load("digits", "test"), options.images, seed=1)
    path = pathlib.Path(tempfile.mkdtemp()) / "agreement.jsonl"
    begun = time.perf_counter()
    made = js.certify_outputs(certify_key, classify, noise, x, tau=options.tau, n=options.n, ledger=path, progress=True)
    print(f"{time.perf_counter() - begun:.1f} seconds")
    bonferroni = js.designs.Outputs(tau=options.tau, n=options.n, method="bonferroni")
    both = {"holm": made, "bonferroni": js.recertify(path, noise, bonferroni)}
    runs = {name: js.analysis.output_summary(found, truth, classes=CLASSES) for name, found in both.items()}
    print(made)
    print(js.analysis.summary_table(runs))
    print(runs["holm"])
    alone = made.p_value <= made.alpha
    print(f"certified at alpha for every pixel, which promises nothing of the map: {alone.mean():.4f} of all pixels")

    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "segmentation.png", x, truth, made)
    print(f"wrote {options.output / 'segmentation.png'}")


if __name__ == "__main__":
    main()
