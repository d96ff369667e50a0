"""The cost of noise and votes, beside the bare forward pass and the usual PyTorch loop, paired in one run.

    python benchmarks/throughput.py                 # every CPU core is one JAX device
    python benchmarks/throughput.py --devices 1     # one JAX device, as everyone starts
    python benchmarks/throughput.py --families      # the noise families, relative to Gaussian noise

For each classifier, four ways to spend the same time, in turn, round after round:
  bare     the forward pass alone on ready-made inputs: the fastest of two forms (a jitted call per batch, one
           compiled loop) over all batch sizes, on the same devices; of a Python function, its own call
  votes    jaxsmooth.count_votes: noise, forward, argmax, counts, at its best batch size
  plain    the same at the batch size that the library picks
  lattice  plain, under noise of integers: LatticeGaussian
  torch    a batch of noisy copies, argmax, counts on the host; at its best batch size, and at the usual 1000
Reported: samples per second in the best round, and the ratios of the best rounds and in the median round.
Expect plain/bare of at least 0.93 on a CPU for networks with convolutions.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# What other processes take does not count, nor does what a device waits for.
clock = time.process_time if "--processor-time" in sys.argv else time.perf_counter
DEVICES = int(sys.argv[sys.argv.index("--devices") + 1]) if "--devices" in sys.argv else CORES
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={DEVICES}")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import NamedSharding, PartitionSpec  # noqa: E402
from networks import FUNCTIONS, IN_TORCH, NETWORKS, flax_classifier, python_function, torch_network  # noqa: E402

import jaxsmooth as js  # noqa: E402

BATCH_SIZES = {"cpu": (16, 32, 64, 128, 256, 512, 1024)}
FUNCTION_BATCH_SIZES = (64, 256, 1024, 4096)
ACCELERATOR_BATCH_SIZES = (256, 512, 1024, 2048, 4096)
SIGMA = 0.25
Runner = Callable[[], int]  # does the work and returns how many samples it was


def ready_made(*shape: int) -> np.ndarray:
    """Inputs, uniform in [0, 1]."""
    return np.random.default_rng(0).random(shape, np.float32)


def bare_call(classify, shape, mesh, batch_size: int, samples: int) -> Runner:
    """A jitted forward call per batch, on inputs that are already in place."""
    spec = PartitionSpec(mesh.axis_names)
    total = batch_size * mesh.size
    x = jax.device_put(ready_made(total, *shape), NamedSharding(mesh, spec))
    forward = jax.jit(
        jax.shard_map(lambda f, x: f(x), mesh=mesh, in_specs=(PartitionSpec(), spec), out_specs=spec, check_vma=False)
    )

    def run() -> int:
        calls = max(1, samples // total)
        jax.block_until_ready([forward(classify, x) for _ in range(calls)])
        return calls * total

    return run


def bare_loop(classify, shape, mesh, batch_size: int, samples: int) -> Runner:
    """One compiled loop of forward passes over a few ready-made batches."""
    trips = max(1, samples // (batch_size * mesh.size))
    spec = PartitionSpec(None, mesh.axis_names)
    x = ready_made(4, batch_size * mesh.size, *shape)
    x = jax.device_put(x, NamedSharding(mesh, spec))

    def loop(classify, x):
        add = lambda i, total: total + classify(x[i % 4]).sum(0)
        return jax.lax.psum(jax.lax.fori_loop(0, trips, add, jnp.zeros(10)), mesh.axis_names)

    forward = jax.jit(
        jax.shard_map(loop, mesh=mesh, in_specs=(PartitionSpec(), spec), out_specs=PartitionSpec(), check_vma=False)
    )

    def run() -> int:
        jax.block_until_ready(forward(classify, x))
        return trips * batch_size * mesh.size

    return run


def bare_function(fn, shape, batch_size: int, samples: int) -> Runner:
    """A Python function's own time, on inputs that are already in place."""
    x = ready_made(batch_size, *shape)

    def run() -> int:
        calls = max(1, samples // batch_size)
        for _ in range(calls):
            fn(x)
        return calls * batch_size

    return run


def votes(classify, shape, mesh, batch_size: int | None, samples: int, noise=None) -> Runner:
    """The voting loop of the library, many draws of one image."""
    x = np.rint(255 * ready_made(1, *shape)).astype(np.float32) / 255
    noise = js.noises.Gaussian(SIGMA) if noise is None else noise

    def run() -> int:
        count = js.count_votes(jax.random.key(0), classify, noise, x, samples, batch_size=batch_size, mesh=mesh)
        jax.block_until_ready(count)
        return samples

    return run


def torch_loop(name: str, shape, batch_size: int, samples: int) -> Runner:
    """The usual loop: repeat the image, add noise, classify, count on the host."""
    import torch

    torch.set_num_threads(CORES)
    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    network = torch_network(name).to(device)
    x = torch.rand((shape[2], *shape[:2]), device=device)

    def run() -> int:
        counts = np.zeros(10, int)
        with torch.no_grad():
            for _ in range(max(1, samples // batch_size)):
                batch = x.repeat((batch_size, 1, 1, 1))
                predictions = network(batch + torch.randn_like(batch) * SIGMA).argmax(1)
                counts += np.bincount(predictions.cpu().numpy(), minlength=10)
        return int(counts.sum())

    return run


def rate(run: Runner) -> float:
    start = clock()
    samples = run()
    return samples / (clock() - start)


def fastest(runners: dict[str, Runner], keep: int = 1, repeats: int = 4) -> list[str]:
    """The names of the fastest runners, each tried several times in turn after a warm-up."""
    for run in runners.values():
        run()
    rates = {name: [] for name in runners}
    for _ in range(repeats):
        for name, run in runners.items():
            rates[name].append(rate(run))
    return sorted(rates, key=lambda name: -max(rates[name]))[:keep]


def all_devices() -> jax.sharding.Mesh:
    return jax.sharding.Mesh(np.array(jax.devices()), ("samples",))


def samples_of_a_round(probe: Runner, seconds: float, step: int) -> int:
    """How many samples take about so long, a multiple of the step."""
    probe()
    return max(step, int(max(rate(probe) for _ in range(3)) * seconds) // step * step)


def compare(name: str, seconds: float, rounds: int, sizes, with_torch: bool, quick: bool) -> None:
    """Time the fastest few of each kind in turn; the best of a kind in a round, and over all, counts."""
    mesh = all_devices() if len(jax.devices()) > 1 else None
    kinds: dict[str, dict[str, Runner]] = {"bare": {}, "votes": {}}
    step = 128 if quick else 1024
    if name in FUNCTIONS:
        sizes = FUNCTION_BATCH_SIZES
        fn, shape = python_function(name)
        classify = js.interop.from_callable(fn, 10)
        samples = samples_of_a_round(bare_function(fn, shape, sizes[-1], sizes[-1]), seconds, step)
        samples = max(samples, sizes[-1] * len(jax.devices()))
        kinds["bare"] = {f"call {b}": bare_function(fn, shape, b, samples) for b in sizes}
    else:
        classify, shape = flax_classifier(name)
        middle = sizes[len(sizes) // 2]
        samples = samples_of_a_round(bare_loop(classify, shape, all_devices(), middle, 8 * step), seconds, step)
        for b in sizes:
            kinds["bare"][f"call {b}"] = bare_call(classify, shape, all_devices(), b, samples)
            kinds["bare"][f"loop {b}"] = bare_loop(classify, shape, all_devices(), b, samples)
    kinds["votes"] = {f"{b}": votes(classify, shape, mesh, b, samples) for b in sizes}
    with_torch = with_torch and name in IN_TORCH
    if with_torch:
        kinds["torch"] = {f"{b}": torch_loop(name, shape, b, samples) for b in sizes}
    kinds = {
        kind: {label: runs[label] for label in fastest(runs, keep=3, repeats=1 if quick else 4)}
        for kind, runs in kinds.items()
    }
    kinds["plain"] = {"picked": votes(classify, shape, mesh, None, samples)}
    kinds["lattice"] = {"picked": votes(classify, shape, mesh, None, samples, js.noises.LatticeGaussian(SIGMA))}
    for kind in ("plain", "lattice"):
        kinds[kind]["picked"]()
    if with_torch:
        kinds["torch, usual batch"] = {"1000": torch_loop(name, shape, 1000, samples)}
    rates = {kind: {label: [] for label in runs} for kind, runs in kinds.items()}
    for _ in range(rounds):
        for kind, runs in kinds.items():
            for label, run in runs.items():
                rates[kind][label].append(rate(run))
    print(f"\n{name} {shape}: {samples} samples a round, {rounds} rounds, the best round (and the median round)")
    best = {kind: max(max(values) for values in labels.values()) for kind, labels in rates.items()}
    by_round = {kind: np.max(list(labels.values()), axis=0) for kind, labels in rates.items()}
    for kind, labels in rates.items():
        winner = max(labels, key=lambda label: max(labels[label]))
        ratios = {
            other: f"{best[other] / best[kind]:6.3f} ({np.median(by_round[other] / by_round[kind]):5.3f})"
            for other in ("votes", "plain", "lattice")
        }
        print(
            f"  {kind:18s} {best[kind]:9.0f} samples/s at {winner:10s} votes/this {ratios['votes']}, "
            f"plain/this {ratios['plain']}, lattice/this {ratios['lattice']}", flush=True,
        )  # fmt: skip


FAMILIES = [
    js.noises.LatticeGaussian(SIGMA),
    js.noises.LatticeUniform(SIGMA),
    js.noises.Laplace(SIGMA),
    js.noises.Uniform(SIGMA),
    js.noises.UniformBall(SIGMA),
    js.noises.ExpInf(SIGMA),
    js.noises.PowInf(SIGMA),
    js.noises.Exp2(SIGMA),
    js.noises.Pow2(SIGMA),
    js.noises.Exp1(SIGMA),
    js.noises.Expp(SIGMA, p=4.0),
    js.noises.Pareto(SIGMA),
]


def compare_families(samples: int, rounds: int, batch_size: int) -> None:
    """The voting loop under every noise family, relative to Gaussian noise, LeNet."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("samples",))
    classify, shape = flax_classifier("lenet")
    runners = {
        str(noise): votes(classify, shape, mesh, batch_size, samples, noise)
        for noise in [js.noises.Gaussian(SIGMA), *FAMILIES]
    }
    rates = {label: [] for label in runners}
    for run in runners.values():
        run()
    for _ in range(rounds):
        for label, run in runners.items():
            rates[label].append(rate(run))
    gaussian = next(iter(rates.values()))
    print(f"\nlenet, batches of {batch_size}: votes under each noise, relative to Gaussian")
    for label, values in rates.items():
        paired = statistics.median(a / b for a, b in zip(values, gaussian, strict=True))
        print(f"  {label:40s} {max(values):10.0f} samples/s   {paired:5.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=[*NETWORKS, *FUNCTIONS, "all"], default="all")
    parser.add_argument("--devices", type=int, help="virtual CPU devices; default: one a core")
    parser.add_argument("--batch-sizes", type=int, nargs="+", help="instead of 16, 32, ... 1024")
    parser.add_argument("--families", action="store_true", help="compare the noise families instead")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one round, about")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-torch", action="store_true", help="leave PyTorch out (it is optional)")
    parser.add_argument("--processor-time", action="store_true", help="of all cores, for a machine that is shared")
    parser.add_argument("--quick", action="store_true", help="a few short rounds, to see that it runs")
    options = parser.parse_args()
    with_torch = not options.no_torch
    if with_torch:
        try:
            import torch  # noqa: F401
        except ImportError:
            print("PyTorch is not installed: its column is left out")
            with_torch = False
    device = jax.devices()[0]
    print(f"jax {jax.__version__}, {len(jax.devices())} x {device.device_kind} ({device.platform})")
    sizes = BATCH_SIZES.get(device.platform, ACCELERATOR_BATCH_SIZES)
    sizes = options.batch_sizes or (sizes[1:3] if options.quick else sizes)
    if options.families:
        compare_families(256 if options.quick else 16384, 2 if options.quick else options.rounds, sizes[-1])
        return
    for name in [*NETWORKS, *FUNCTIONS] if options.network == "all" else [options.network]:
        if name == "torch_lenet" and not with_torch:
            continue
        seconds, rounds = (0.05, 2) if options.quick else (options.seconds, options.rounds)
        compare(name, seconds, rounds, sizes, with_torch, options.quick)


if __name__ == "__main__":
    main()
