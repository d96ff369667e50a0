"""Where ResNet-20's time goes on a CPU: its convolutions one by one, in XLA and in PyTorch.

    python benchmarks/convolutions.py --devices 1     # as everyone starts
    python benchmarks/convolutions.py                 # one JAX device a core

For each kind of convolution, in turn, round after round:
  xla      jax.lax.conv_general_dilated (NHWC) in a compiled loop, each device with a batch of its own
  matmul   one matrix product of the same size in such a loop: what any way to write the convolution in JAX as a product
           could reach at most, if unrolling the patches were free
  torch    torch.nn.functional.conv2d (its own layout), all cores
Reported: 10^9 operations (multiplications and additions) a second in the best round, and the time of all convolutions
of one forward pass.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
DEVICES = int(sys.argv[sys.argv.index("--devices") + 1]) if "--devices" in sys.argv else CORES
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={DEVICES}")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import NamedSharding, PartitionSpec  # noqa: E402

# How often ResNet-20 has it, the side of the input, channels in and out, kernel, stride.
LAYERS = [
    (1, 32, 3, 16, 3, 1),
    (6, 32, 16, 16, 3, 1),
    (1, 32, 16, 32, 3, 2),
    (1, 32, 16, 32, 1, 2),
    (5, 16, 32, 32, 3, 1),
    (1, 16, 32, 64, 3, 2),
    (1, 16, 32, 64, 1, 2),
    (5, 8, 64, 64, 3, 1),
]
Runner = Callable[[], object]


def looped(step, operands, repeats: int) -> Runner:
    """The step again and again on every device; its weights depend on the step before, so that none is left out."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("devices",))
    spec = PartitionSpec("devices")
    x, weights = operands
    x = jax.device_put(np.broadcast_to(x, (mesh.size, *x.shape)), NamedSharding(mesh, spec))

    def body(x, weights):
        x = x[0]
        one = lambda _, weights: weights + 1e-30 * step(x, weights)[0].reshape(-1)[0]
        return jax.lax.fori_loop(0, repeats, one, weights)[None]

    run = jax.jit(jax.shard_map(body, mesh=mesh, in_specs=(spec, PartitionSpec()), out_specs=spec, check_vma=False))
    return lambda: jax.block_until_ready(run(x, weights))


def runners(layer, batch: int, work: float, with_torch: bool) -> dict[str, tuple[Runner, int]]:
    """Each with the number of images that it does; ``work`` is about how many operations a run has."""
    _, side, channels, features, kernel, stride = layer
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, side, side, channels), np.float32)
    weights = rng.standard_normal((kernel, kernel, channels, features), np.float32)
    repeats = max(1, int(work / (batch * operations(layer))))

    def convolution(x, weights):
        return jax.lax.conv_general_dilated(
            x, weights, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    # Four images, whose patches stay in the cache.
    patches = rng.standard_normal((4 * (side // stride) ** 2, kernel * kernel * channels), np.float32)
    product = looped(jnp.matmul, (patches, weights.reshape(-1, features)), repeats * batch // 4)
    found = {
        "xla": (looped(convolution, (x, weights), repeats), repeats * batch * DEVICES),
        "matmul": (product, repeats * batch // 4 * 4 * DEVICES),
    }
    if with_torch:
        import torch

        torch.set_num_threads(CORES)
        mine = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
        theirs = torch.from_numpy(weights.transpose(3, 2, 0, 1).copy())

        def run():
            with torch.no_grad():
                for _ in range(repeats):
                    torch.nn.functional.conv2d(mine, theirs, stride=stride, padding=kernel // 2)

        found["torch"] = run, repeats * batch
    return found


def operations(layer) -> int:
    """Multiplications and additions for an image."""
    _, side, channels, features, kernel, stride = layer
    return 2 * (side // stride) ** 2 * kernel**2 * channels * features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, help="virtual CPU devices; default: one a core")
    parser.add_argument("--batch-size", type=int, default=64, help="of a device")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a small batch and one round, to see that it runs")
    options = parser.parse_args()
    batch, rounds, work = (4, 1, 1e7) if options.quick else (options.batch_size, options.rounds, 1e9)
    try:
        import torch

        with_torch = True
        print(f"jax {jax.__version__}, {DEVICES} devices; PyTorch {torch.__version__}; batches of {batch} a device")
    except ImportError:
        with_torch = False
        print(f"jax {jax.__version__}, {DEVICES} devices; PyTorch is not installed; batches of {batch} a device")
    total = {}
    for layer in LAYERS:
        times, side, channels, features, kernel, stride = layer
        runs = runners(layer, batch, work, with_torch)
        best = dict.fromkeys(runs, np.inf)
        for turn in range(rounds + 1):
            for name, (run, images) in runs.items():
                for _ in range(4):  # threads of the one before still turn during the first
                    start = time.perf_counter()
                    run()
                    if turn:  # the first compiles
                        best[name] = min(best[name], (time.perf_counter() - start) / images)
        for name, seconds in best.items():
            total[name] = total.get(name, 0.0) + times * seconds
        rates = "  ".join(f"{name} {operations(layer) / seconds / 1e9:6.1f}" for name, seconds in best.items())
        print(
            f"  {times} x {side}x{side}, {channels:2d} -> {features}, {kernel}x{kernel} / {stride}:  {rates}",
            flush=True,
        )
    for name, seconds in total.items():
        print(f"all, {name:6s} {1e6 * seconds:6.0f} microseconds an image: at most {1 / seconds:5.0f} images/s")


if __name__ == "__main__":
    main()
