"""What a training step costs with each objective, relative to Gaussian augmentation, beside the published ratios.

    python examples/training_costs.py
    python examples/training_costs.py --network lenet

All at the same number of images in a step, one step of each in turn, and of its times the fastest. The first takes half
a minute on two CPU cores, the second three minutes. Expect Consistency with two copies near 2 for LeNet, whose time is
that of its convolutions; an MLP is so small that drawing the noise counts.
"""

import argparse
import csv
import functools
import pathlib
import time

import jax
import jax.numpy as jnp
import models
from tqdm.auto import tqdm

import jaxsmooth as js
import jaxsmooth.objectives as jo

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
    """Seconds of a step with each objective not in ``skipped``; each time is of several calls, for small networks."""
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
            start = time.perf_counter()
            for _ in range(calls):
                gradient = step(weights, objective)
            jax.block_until_ready(gradient)
            seconds[name].append((time.perf_counter() - start) / calls)
    return {name: min(values[1:]) for name, values in seconds.items()}


def report(network, images, seconds, path=None):
    """The table, printed; and written as CSV."""
    print(f"\na training step of {images} images, {network}, relative to Gaussian (published: ResNet-110)")
    rows = []
    for name, value in seconds.items():
        ratio, published = value / seconds["Gaussian"], COSTS[name][1]
        print(f"{name:30} {1e3 * value:8.2f} ms   {ratio:5.2f}x   published {published:5.2f}x")
        rows.append([network, images, name, f"{value:.4g}", f"{ratio:.4g}", published])
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([["network", "images", "objective", "seconds", "ratio", "published"], *rows])


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


if __name__ == "__main__":
    main()
