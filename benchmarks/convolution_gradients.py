"""A training step's gradient with XLA's own convolutions, and with those of examples/convolution.py, side by side.

    python benchmarks/convolution_gradients.py    # a minute; on one core: taskset -c 0 ...

LeNet and ResNet-20 of examples/models.py, one CPU device, batches in turn. Reported: microseconds an image in the
fastest tenth and at the median, the ratio of the medians, and how far the gradients are apart.
"""

import argparse
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))
import models

NETWORKS = {"lenet": ("mnist", (28, 28, 1), 256), "resnet20": ("cifar10", (32, 32, 3), 128)}


def gradient(name, images, parts):
    """A compiled step of one kind, with its arguments."""
    # What a network asks when it is traced, which is now.
    models.one_cpu = lambda: parts
    network = models.network(name, NETWORKS[name][0], 10)
    weights = network.init(jax.random.key(0), images[:1])

    def loss(parameters):
        variables = {**weights, "params": parameters}
        scores, _ = network.apply(variables, images, True, mutable=["batch_stats"])
        return -jax.nn.log_softmax(scores)[:, 0].mean()

    compiled = jax.jit(jax.grad(loss)).lower(weights["params"]).compile()
    return lambda: jax.block_until_ready(compiled(weights["params"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each network")
    parser.add_argument("--quick", action="store_true", help="a few images and two rounds, to see that it runs")
    options = parser.parse_args()
    if jax.default_backend() != "cpu" or jax.device_count() > 1:
        parser.error(f"this compares on one CPU device, and there are {jax.device_count()} of {jax.default_backend()}")
    for name, (_, shape, batch) in NETWORKS.items():
        batch = 8 if options.quick else batch
        images = jax.random.uniform(jax.random.key(1), (batch, *shape))
        steps = {"XLA": gradient(name, images, False), "in parts": gradient(name, images, True)}
        values = [jax.tree.leaves(step()) for step in steps.values()]
        apart = max(float(jnp.abs(a - b).max() / jnp.abs(a).max()) for a, b in zip(*values, strict=True))
        times = {kind: [] for kind in steps}
        end = time.perf_counter() + (0.0 if options.quick else options.seconds)
        while time.perf_counter() < end or len(times["XLA"]) < 2:
            for kind, step in steps.items():
                start = time.perf_counter()
                step()
                times[kind].append(1e6 * (time.perf_counter() - start) / batch)
        for kind, found in times.items():
            fast, median = np.quantile(found, [0.1, 0.5])
            print(f"{name:9} {kind:9} {fast:8.0f} {median:8.0f} us an image")
        ratio = np.median(times["XLA"]) / np.median(times["in parts"])
        print(f"{name:9} {ratio:.2f} times as fast, {len(times['XLA'])} steps of {batch} images; apart by {apart:.1e}")


if __name__ == "__main__":
    main()
