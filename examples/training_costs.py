"""What a training step costs with each objective, relative to Gaussian augmentation, beside the published ratios.

    python examples/training_costs.py
    python examples/training_costs.py --network lenet

All at the same number of images in a step, one step of each in turn, and of its times the smallest. Ratios are given of
seconds, and of seconds of the processor, which depend less on what else runs. The first takes half a minute on two CPU
cores, the second two minutes. Expect Consistency with two copies near 2, and many copies below their number; an MLP is
so small that drawing the noise counts.
"""

import argparse
import csv
import functools
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import models
import numpy as np
from tqdm.auto import tqdm

import jaxsmooth as js
import jaxsmooth.objectives as jo
from jaxsmooth.analysis.figure_style import COLORS, TEXT, light_frame

# Published seconds per epoch relative to Gaussian augmentation: ResNet-110 on CIFAR-100, logs of CAT-RS (2023).
COSTS = {
    "Gaussian": (jo.GaussianAugmentation(), 1.0),
    "Stability": (jo.Stability(2.0), 1.85),
    "Consistency, m = 2": (jo.Consistency(5.0, 0.5, 2), 1.96),
    "SmoothMix, m = 2, T = 4": (jo.SmoothMix(), 8.5),
    "MACER, m = 16": (jo.MACER(), 13.9),
    "CAT-RS, m = 4, T = 4": (jo.CatRS(), 16.4),
    "SmoothAdv, m = 4, T = 10": (jo.SmoothAdv(0.25, 10), 26.7),
}
SHAPES = {"mlp": (8, 8, 1), "lenet": (28, 28, 1), "resnet20": (32, 32, 3)}


def step_seconds(network, images, repeats, skipped=(), calls=1):
    """Seconds of a step with each objective not in ``skipped``, and of the processor; a time is of several calls."""
    model = models.network(network, "digits", 10)
    x = jax.random.uniform(jax.random.key(1), (images, *SHAPES[network]))
    labels = jnp.arange(images) % 10
    variables, targets = jax.jit(model.init)(jax.random.key(0), x[:1]), jax.nn.one_hot(labels, 10)
    noise = js.noises.Gaussian(0.25)

    def loss(weights, objective):
        apply = functools.partial(model.apply, {**variables, "params": weights})
        return objective(jax.random.key(0), apply, noise, x, labels, targets=targets)[0]

    step, weights = jax.jit(jax.grad(loss)), variables["params"]
    seconds = {name: [] for name in COSTS if not name.startswith(skipped)}
    for _ in tqdm(range(repeats + 1), desc=f"step, {network}", unit="round", leave=False):
        for name in seconds:
            objective, _ = COSTS[name]
            start = time.perf_counter(), time.process_time()
            for _ in range(calls):
                gradient = step(weights, objective)
            jax.block_until_ready(gradient)
            end = time.perf_counter(), time.process_time()
            seconds[name].append([(b - a) / calls for a, b in zip(start, end, strict=True)])
    return {name: tuple(map(min, zip(*values[1:], strict=True))) for name, values in seconds.items()}


def report(network, images, seconds, path=None):
    """The table, printed; and written as CSV."""
    print(f"\na training step of {images} images, {network}, relative to Gaussian (published: ResNet-110)")
    rows = []
    print(f"{'':26}       ms   ratio   processor   published")
    for name, (value, processor) in seconds.items():
        published, base = COSTS[name][1], seconds["Gaussian"]
        ratios = value / base[0], processor / base[1]
        print(f"{name:26} {1e3 * value:8.2f}  {ratios[0]:5.2f}x      {ratios[1]:5.2f}x      {published:5.2f}x")
        rows.append([network, images, name, f"{value:.4g}", *(f"{ratio:.4g}" for ratio in ratios), published])
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        head = ["network", "images", "objective", "seconds", "ratio", "processor_ratio", "published"]
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([head, *rows])


def plot(seconds, network, path):
    """Bars, measured over published; both relative to Gaussian augmentation."""
    figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    names = list(seconds)[::-1]
    measured = [seconds[name][0] / seconds["Gaussian"][0] for name in names]
    ax.barh(np.arange(len(names)) + 0.2, measured, 0.38, color=COLORS[0], label=f"measured, {network}")
    published = [COSTS[name][1] for name in names]
    ax.barh(np.arange(len(names)) - 0.2, published, 0.38, color=COLORS[1], hatch="//", edgecolor="white",
            label="published, ResNet-110")  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_xscale("log")
    ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.set_xlabel("seconds of a step, Gaussian augmentation = 1", fontsize=TEXT)
    light_frame(ax)
    ax.legend(fontsize=TEXT - 2, edgecolor="none", loc="upper right")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=[*SHAPES], default="mlp")
    parser.add_argument("--images", type=int, default=128, help="in a step")
    parser.add_argument("--repeats", type=int, help="by default 30 for the MLP, 3 for others")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs: no attacks")
    options = parser.parse_args()
    repeats = 1 if options.quick else options.repeats or (30 if options.network == "mlp" else 3)
    images = 16 if options.quick else options.images
    skipped = ("SmoothAdv", "SmoothMix", "MACER", "CAT-RS") if options.quick else ()
    seconds = step_seconds(options.network, images, repeats, skipped, calls=5 if options.network == "mlp" else 1)
    report(options.network, images, seconds, options.output / f"training_costs_{options.network}.csv")
    plot(seconds, options.network, options.output / f"training_costs_{options.network}.png")


if __name__ == "__main__":
    main()
