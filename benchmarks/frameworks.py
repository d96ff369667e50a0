"""What a PyTorch module costs behind js.interop.from_torch, and the same network imported as JAX, in one run.

    python benchmarks/frameworks.py

For LeNet and ResNet-20 with random weights, in turn, round after round:
  module     the PyTorch module's own forward pass at its best batch size, all cores, channels_last or not
  from_torch jaxsmooth.count_votes of js.interop.from_torch(module): noise, callback, argmax, counts
  imported   jaxsmooth.count_votes of the network that js.interop.from_paper makes of its state
Reported: samples per second in the best round, and the ratios in the best rounds and in the median round.
The goal is from_torch/module of at least 0.83 (1.2 times the module's own time).
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

import jax
import numpy as np

import jaxsmooth as js

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
SIZES = (16, 32, 64, 128, 256, 512, 1024)
NOISE = js.noises.Gaussian(0.25)


def runners(name, samples):
    """What is timed: name to a function that returns how many samples it took."""
    import torch

    from tests.interop import torch_networks

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    network, shape, normalize = {
        "lenet": lambda: (torch_networks.lenet(), (28, 28, 1), "none"),
        "resnet20": lambda: (torch_networks.cifar_resnet(20), (32, 32, 3), "cifar10"),
    }[name]()
    one = np.random.default_rng(0).random((1, *shape), np.float32)

    def module(size, layout):
        x = torch.rand((size, shape[2], *shape[:2])).contiguous(memory_format=layout)

        def run():
            with torch.inference_mode():
                for _ in range(max(1, samples // size)):
                    network(x)
            return max(1, samples // size) * size

        return run

    def votes(classify):
        def run():
            js.count_votes(jax.random.key(0), classify, NOISE, one, samples).counts.block_until_ready()
            return samples

        return run

    layouts = {"": torch.contiguous_format, " channels_last": torch.channels_last}
    own = {f"module {size}{word}": module(size, layout) for size in SIZES for word, layout in layouts.items()}
    return own, {
        "from_torch": votes(js.interop.from_torch(network, 10)),
        "imported": votes(js.interop.from_paper(network.state_dict(), normalize)),
    }


def rate(run):
    start = time.perf_counter()
    return run() / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["lenet", "resnet20"], choices=["lenet", "resnet20"])
    parser.add_argument("--samples", type=int, default=8192, help="in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.networks, options.samples, options.rounds = ["lenet"], 512, 1
    for name in options.networks:
        own, ours = runners(name, options.samples)
        for run in (*own.values(), *ours.values()):
            run()
        best = max(own, key=lambda key: max(rate(own[key]) for _ in range(2)))
        timed = {"module": own[best], **ours}
        rounds = [{key: rate(run) for key, run in timed.items()} for _ in range(options.rounds)]
        print(f"{name}: {os.cpu_count()} cores, the module is fastest as {best!r}")
        for key in timed:
            fastest = max(measured[key] for measured in rounds)
            share = fastest / max(measured["module"] for measured in rounds)
            median = statistics.median(measured[key] / measured["module"] for measured in rounds)
            print(f"  {key:11}{fastest:10,.0f} samples/s   {share:6.3f} of the module's, median {median:6.3f}")


if __name__ == "__main__":
    main()
