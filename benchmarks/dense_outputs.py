"""A map of 512 x 512 pixels in 19 classes, certified: time outside the network, and memory as n grows.

    python benchmarks/dense_outputs.py

Some ten minutes on two CPU cores. One image with 262,144 outputs, n0 = 10 and n = 100 draws, through a small
fully convolutional network (11 GFlop a draw; networks for such maps take ten times that and more). Prints the time of
``certify_outputs`` beside that of the network alone on as many inputs, in turn: the goal is at most 5 % outside it, for
noise, winners, agreement and what the host does. Then the same with no network to speak of, which is what is outside
any network. Then peak memory at n and 2n in fresh processes: the goal is that n does not enter.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import jaxsmooth as js

CLASSES = 19
NOISE = js.noises.Gaussian(0.25)


def network(weights, x):
    """Convolutions of 3 x 3 and a last one of 1 x 1: the scores of every pixel."""
    for i, kernel in enumerate(weights):
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x) if i < len(weights) - 1 else x
    return x


def repeated(x):
    """No network: the channels of an image as scores."""
    return jnp.concatenate([x] * (-(-CLASSES // 3)), -1)[..., :CLASSES]


def made(width):
    """The network with weights of the usual size."""
    shapes = [(3, 3, 3, 16), (3, 3, 16, width), (1, 1, width, CLASSES)]
    keys = jax.random.split(jax.random.key(1), len(shapes))
    weights = [jax.random.normal(k, s) * np.sqrt(2 / np.prod(s[:-1])) for k, s in zip(keys, shapes, strict=True)]
    return jax.tree_util.Partial(network, weights)


def certify(classify, x, n, batch_size):
    begun = time.perf_counter()
    made = js.certify_outputs(
        jax.random.key(0), classify, NOISE, x, tau=0.75, n=n, batch_size=batch_size, family="image"
    )
    return time.perf_counter() - begun, made


def alone(classify, x, draws, batch_size):
    """The network on as many inputs, in one loop that keeps the scores of the last: a network writes its scores.

    Of a number that is read off them, XLA would make one program with the network, in which no layer is ever whole
    (as in ``total + classify(x).max()``); whoever asks for a class of each output has to write.
    """

    @jax.jit
    def run(classify, x, trips):
        step = lambda i, scores: classify(x + i.astype(jnp.float32))
        return jax.lax.fori_loop(1, trips, step, classify(x))

    batch = jnp.broadcast_to(x, (batch_size, *x.shape[1:]))

    def seconds(draws):
        begun = time.perf_counter()
        run(classify, batch, draws // batch_size).block_until_ready()
        return (time.perf_counter() - begun) * draws / (draws // batch_size * batch_size)

    seconds(batch_size)
    return lambda: seconds(draws)


def peak_mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--width", type=int, default=128, help="channels of the second layer")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--batch-size", type=int, help="default: what the library picks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-of", type=int, help="print the peak memory of one call with so many draws, and end")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.size, options.n, options.rounds = 48, 70, 1
    classify = made(options.width)
    x = np.random.default_rng(0).random((1, options.size, options.size, 3), np.float32)
    if options.memory_of is not None:
        certify(classify, x, options.memory_of, options.batch_size)
        print(f"{peak_mebibytes():.0f}")
        return

    draws = options.n + 10
    _, found = certify(classify, x, options.n, options.batch_size)
    sizes = [options.batch_size] if options.batch_size else [1, 2, 4, 8]
    bare = {size: alone(classify, x, draws, size) for size in sizes}
    best = min(sizes, key=lambda size: bare[size]())
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(bare[best]())
        ours.append(certify(classify, x, options.n, options.batch_size)[0])
    print(f"{options.size} x {options.size} pixels, {CLASSES} classes, n = {options.n}, {jax.devices()[0].device_kind}")
    print(f"certify_outputs {min(ours):.2f} s, the network alone {min(theirs):.2f} s (batches of {best})")
    middle = statistics.median(1 - b / a for a, b in zip(ours, theirs, strict=True))
    print(f"outside the network {1 - min(theirs) / min(ours):.1%} (best rounds), {middle:.1%} (median)")
    print(f"certified {found.certified_share[0]:.1%} of the pixels")
    empty = jax.tree_util.Partial(repeated)
    certify(empty, x, options.n, 1)
    nothing = min(certify(empty, x, options.n, 1)[0] for _ in range(options.rounds))
    print(f"with channels repeated for scores {nothing:.2f} s, {nothing / draws * 1e3:.1f} ms a draw")

    command = [sys.executable, __file__, "--size", str(options.size), "--width", str(options.width)]
    command += ["--batch-size", str(options.batch_size)] if options.batch_size else []
    peaks = {}
    for n in (options.n, 2 * options.n):
        done = subprocess.run(
            [*command, "--memory-of", str(n)], capture_output=True, text=True, check=True, env=os.environ
        )
        peaks[n] = float(done.stdout)
        print(f"peak memory at n = {n}: {peaks[n]:.0f} MiB")
    scores = 4 * options.size**2 * CLASSES / 2**20
    print(f"the scores of one draw are {scores:.1f} MiB; those of {options.n} draws {options.n * scores:.0f}")


if __name__ == "__main__":
    main()
