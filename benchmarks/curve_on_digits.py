"""A real certified-accuracy curve: certify_curve against a fixed n = 100,000, both in one run.

    python benchmarks/curve_on_digits.py                                  # digits, about 10 minutes
    python benchmarks/curve_on_digits.py --dataset mnist --data-dir DIR   # MNIST, longer
    python benchmarks/curve_on_digits.py --quick                          # a small n, to see that it runs

A LeNet is trained for a few epochs under Gaussian noise, then its curve is computed twice from the same
images. Expect a difference of at most 0.4 points (two images) at every radius, at least 8x less wall-clock with labels,
and samples per second inside certify_curve of at least 0.85 of the bare forward of the same network.
"""

import argparse
import os
import time

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={CORES}")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
from flax import linen as nn  # noqa: E402
from networks import LeNet  # noqa: E402
from throughput import bare_call, bare_loop, fastest, rate  # noqa: E402
from tqdm.auto import trange  # noqa: E402

import jaxsmooth as js  # noqa: E402


class SmallLeNet(nn.Module):
    """LeNet for 8x8 images: 3x3 convolutions that keep the size."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for features in (20, 50):
            x = nn.max_pool(nn.relu(nn.Conv(features, (3, 3))(x)), (2, 2), (2, 2))
        x = nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1)))
        return nn.Dense(10)(x)


def train(model, noise, images, labels, epochs: int):
    variables = model.init(jax.random.key(0), images[:1])
    steps = epochs * (len(images) // 128)
    optimizer = optax.chain(
        optax.clip_by_global_norm(5.0), optax.sgd(optax.cosine_decay_schedule(0.05, steps), momentum=0.9)
    )

    @jax.jit
    def step(variables, state, key, x, y):
        x = x + jax.vmap(lambda key: noise.sample(key, x.shape[1:]))(jax.random.split(key, len(x)))
        loss = lambda v: optax.softmax_cross_entropy_with_integer_labels(model.apply(v, x), y).mean()
        update, state = optimizer.update(jax.grad(loss)(variables), state)
        return optax.apply_updates(variables, update), state

    state, order = optimizer.init(variables), np.random.default_rng(0)
    for i in trange(steps, desc="train", disable=None):
        batch = order.integers(len(images), size=128)
        variables, state = step(variables, state, jax.random.key(i), images[batch], labels[batch])
    return jax.tree_util.Partial(model.apply, variables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir")
    parser.add_argument("--sigma", type=float, default=0.25)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--epochs", type=int, help="default: 40 for digits, 2 otherwise")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    epochs = options.epochs or (40 if options.dataset == "digits" else 2)
    if options.quick:
        options.n, options.images, epochs = 2000, 20, 2
    x, y = js.datasets.load(options.dataset, "train", data_dir=options.data_dir)
    images, labels = js.datasets.load(options.dataset, "test", data_dir=options.data_dir)
    images, labels = images[: options.images], labels[: options.images]
    noise = js.noises.Gaussian(options.sigma)
    model = SmallLeNet() if images.shape[1] == 8 else LeNet()
    classify = train(model, noise, jnp.asarray(x), jnp.asarray(y), epochs)

    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("draws",))
    sizes = (64,) if options.quick else (32, 64, 128, 256, 512)
    shape = images.shape[1:]
    bare = {f"call {b}": bare_call(classify, shape, mesh, b, 16384) for b in sizes}
    bare |= {f"loop {b}": bare_loop(classify, shape, mesh, b, 16384) for b in sizes}
    best = fastest(bare)[0]
    batch_size = int(best.split()[1])
    limit = js.certified_radius(noise, js.bounds.GroupSequential(options.n, 1e-3).lower_bound(-1, options.n))
    radii = np.arange(0, limit, options.sigma)
    common = {"batch_size": batch_size, "mesh": mesh}
    key = jax.random.key(1)
    runs = {
        "fixed n": lambda part: js.certify(key, classify, noise, part[0], n=options.n, **common),
        "curve, labels": lambda part: js.certify_curve(
            key, classify, noise, part[0], radii, labels=part[1], n_max=options.n, **common
        ),
        "curve": lambda part: js.certify_curve(key, classify, noise, part[0], radii, n_max=options.n, **common),
    }
    print(
        f"{options.dataset}, {len(images)} images, sigma {options.sigma}, n = {options.n}, {len(jax.devices())} devices"
    )
    print(f"bare forward: {best}")
    accuracy, seconds, spent = {}, {}, {}
    for name, run in runs.items():
        run((images[:50], labels[:50])) if "curve" in name else bare[best]()  # compile
        forward = rate(bare[best])
        start = time.perf_counter()
        certificates = run((images, labels))
        seconds[name] = time.perf_counter() - start
        forward = (forward + rate(bare[best])) / 2
        accuracy[name] = 100 * js.analysis.certified_accuracy(certificates, labels, radii)
        spent[name] = certificates.samples.sum()
        per_second = spent[name] / seconds[name]
        print(
            f"{name:14s} {seconds[name]:8.1f} s  {spent[name] / len(images):9.0f} samples/image"
            f"  {per_second:8.0f} samples/s = {per_second / forward:.3f} of the bare forward"
        )
    print("radius         " + "  ".join(f"{r:6.2f}" for r in radii))
    for name in runs:
        print(f"{name:14s} " + "  ".join(f"{a:6.2f}" for a in accuracy[name]))
    for name in ("curve, labels", "curve"):
        difference = np.abs(accuracy[name] - accuracy["fixed n"])
        print(
            f"{name}: {seconds['fixed n'] / seconds[name]:.1f}x less time, {spent['fixed n'] / spent[name]:.1f}x fewer "
            f"samples, curve within {difference.max():.2f} points"
        )


if __name__ == "__main__":
    main()
