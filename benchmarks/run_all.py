"""Every benchmark, one after the other, its output on the screen and in a file of its own.

    python benchmarks/run_all.py            # about 40 minutes on two CPU cores; keep the machine quiet
    python benchmarks/run_all.py --quick    # a minute or two, to see that they run

Writes outputs/benchmarks/NAME.txt, each headed by the command, the versions and the device. The numbers of
benchmarks/README.md are copied from there.
"""

import argparse
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
RUNS = {
    "throughput": ("throughput.py",),
    "throughput_one_device": ("throughput.py", "--devices", "1"),
    "noise_families": ("throughput.py", "--families"),
    "samples_saved": ("samples_saved.py",),
    "curve_on_digits": ("curve_on_digits.py",),
    "host_cost": ("host_cost.py",),
    "convolutions": ("convolutions.py",),
    "convolution_gradients": ("convolution_gradients.py",),
    "scaling": ("scaling.py",),
    "pairwise_distances": ("pairwise_distances.py",),
    "dense_outputs": ("dense_outputs.py",),
    "input_dependent": ("input_dependent.py",),
    "compare_training": ("../examples/compare_training.py",),
}


def versions() -> str:
    """What the numbers depend on: versions, processor, cores."""
    names = [(name, importlib.metadata.version(name)) for name in ("jaxsmooth", "jax", "flax", "numpy")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{', '.join(' '.join(pair) for pair in names)}; {platform.processor() or platform.machine()}, {cores} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[*RUNS], default=[*RUNS])
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs/benchmarks"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in options.only:
        script, *arguments = [*RUNS[name], *(["--quick"] if options.quick else [])]
        print(f"== {name}", flush=True)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(HERE / script), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        head = f"python benchmarks/{' '.join([script, *arguments])}\n{versions()}\n"
        (options.output / f"{name}.txt").write_text(head + done.stdout)
        print(f"{done.stdout}{time.perf_counter() - start:.0f} s", flush=True)
        failed += [name] if done.returncode else []
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
