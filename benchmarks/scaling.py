"""Scaling over a mesh: the same work, and work in proportion, on 1, 2, 4, ... devices; what crosses between them.

    python benchmarks/scaling.py                     # all GPUs or TPUs of this host; on a CPU one device per core
    python benchmarks/scaling.py --virtual 8         # eight virtual CPU devices: communication, not speed
    srun python benchmarks/scaling.py --distributed  # over all hosts of a cluster

Strong scaling: a fixed number of draws, divided. Weak scaling: a fixed number for each device. The efficiency is the
rate per device relative to that of one device. "outside" is the share of the time that is not the classifier's forward
pass, measured in turn with a bare compiled loop. The bytes that cross between devices are read off the compiled
program: expect none, since each device's int32 counts travel to the host and are added there.
"""

import argparse
import os
import re
import sys

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_VIRTUAL = next((after for flag, after in zip(sys.argv, sys.argv[1:], strict=False) if flag == "--virtual"), CORES)
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={_VIRTUAL}")

import time  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
from networks import NETWORKS, flax_classifier  # noqa: E402

import jaxsmooth as js  # noqa: E402

NOISE = js.noises.Gaussian(0.25)
BYTES = {"s32": 4, "u32": 4, "f32": 4, "s64": 8, "f64": 8, "pred": 1, "bf16": 2, "f16": 2, "s8": 1, "u8": 1}
COLLECTIVE = re.compile(r"= (.*?) (all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)(?:-start)?\(")
ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


def seconds(run, repeats: int) -> float:
    """The fastest of several runs, after one that compiles."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return min(times[1:])


def crossing(classify, x, draws: int, mesh, batch_size: int) -> tuple[int, set[str]]:
    """Bytes that one call moves between devices, and the kinds of the collectives, from the compiled program."""
    count = lambda key: js.count_votes(key, classify, NOISE, x, draws, mesh=mesh, batch_size=batch_size)
    program = jax.jit(count).lower(jax.random.key(0)).compile().as_text()
    total, kinds = 0, set()
    for result, kind in COLLECTIVE.findall(program):
        for dtype, shape in ARRAY.findall(result):
            total += BYTES[dtype] * int(np.prod([int(size) for size in shape.split(",") if size]))
            kinds.add(f"{kind} {dtype}")
    return total, kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=[*NETWORKS], default="lenet")
    parser.add_argument("--draws", type=int, help="of each device in weak scaling; default: about two seconds' worth")
    parser.add_argument("--batch-size", type=int, help="default: 64 on a CPU, 1024 elsewhere")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--virtual", type=int, help="virtual CPU devices")
    parser.add_argument("--distributed", action="store_true", help="call jax.distributed.initialize() first")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.distributed:
        jax.distributed.initialize()
    devices = jax.devices()
    batch_size = options.batch_size or (64 if devices[0].platform == "cpu" else 1024)
    classify, shape = flax_classifier(options.network)
    x = np.random.default_rng(0).random((1, *shape), np.float32)
    key, repeats = jax.random.key(0), 1 if options.quick else options.repeats
    mesh_of = lambda size: jax.sharding.Mesh(np.array(devices[:size]), ("draws",))
    count = lambda draws, size: js.count_votes(
        key, classify, NOISE, x, draws, mesh=mesh_of(size), batch_size=batch_size
    )
    draws = options.draws or (512 if options.quick else None)
    if draws is None:
        probe = seconds(lambda: count(4 * batch_size, 1), 1)
        draws = max(4 * batch_size, int(8 * batch_size / probe) // batch_size * batch_size)
    sizes = [2**i for i in range(len(devices).bit_length()) if 2**i <= len(devices)]
    sizes = sizes if sizes[-1] == len(devices) else [*sizes, len(devices)]
    # With several processes every device must be in the mesh.
    sizes = sizes if jax.process_count() == 1 else [len(devices)]
    say = print if jax.process_index() == 0 else lambda *_: None
    say(
        f"{options.network}, {len(devices)} x {devices[0].device_kind}, {draws} draws a device, batches of {batch_size}"
    )
    say("devices   strong/s  efficiency     weak/s  efficiency  outside  bytes a call  bytes a draw  collectives")
    first = None
    for size in sizes:
        strong = draws * sizes[-1] / seconds(lambda size=size: count(draws * sizes[-1], size), repeats)
        weak = draws * size / seconds(lambda size=size: count(draws * size, size), repeats)
        first = first or (strong / size, weak / size)
        measured = js.measure_throughput(key, classify, NOISE, x, batch_size=batch_size, mesh=mesh_of(size))
        moved, kinds = crossing(classify, x, draws * size, mesh_of(size), batch_size)
        say(
            f"{size:7d} {strong:10.0f} {strong / size / first[0]:11.3f} {weak:10.0f} {weak / size / first[1]:11.3f} "
            f"{1 - measured.ratio:8.1%} {moved:13d} {moved / (draws * size):13.5f}  "
            f"{', '.join(sorted(kinds)) or 'none'}"
        )
        if jax.process_count() == 1 and kinds:
            raise SystemExit("more than counts cross between devices")


if __name__ == "__main__":
    main()
