"""Certify a data set on many hosts: a TPU pod, a GPU cluster under SLURM, or a few processes of this machine.

    python examples/certify_pod.py --processes 2             # two local CPU processes, to see how it works
    srun python examples/certify_pod.py --ledger votes.jsonl # SLURM: one task for each host (or each GPU)
    python examples/certify_pod.py --ledger votes.jsonl      # the same command on every host of a TPU pod

Every process makes the same calls with the mesh of all devices; JAX finds the others by itself under SLURM, Open MPI
and on TPUs. The draws are spread over the devices, only integer counts cross between them, and all processes get the
same certificates. The first process writes the log and the ledger. Start the same command again after a pre-emption
and it goes on where it was. Half a minute with two local processes on two cores; expect .890 of the 200
digits to be right at radius 0, an average certified radius of .379, and the same numbers from every process.
Writes certify_pod.tsv and certify_pod.png.
"""

import argparse
import os
import pathlib
import socket
import subprocess
import sys


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, help="start this many CPU processes here, instead of a cluster's")
    parser.add_argument("--devices", type=int, default=1, help="CPU devices of each local process")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--sigma", type=float, default=0.25)
    parser.add_argument("--n-max", type=int, default=10_000)
    parser.add_argument("--ledger", help="a file that every host can reach; a run that was cut off goes on from it")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few images, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.images, options.n_max = 20, 3000
    return options


def start_local_processes(number: int, devices: int) -> None:
    """Run this command in several processes that know of each other, and wait for them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    flags = f"--xla_force_host_platform_device_count={devices}"
    place = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "POD_ADDRESS": address, "POD_SIZE": str(number)}
    running = [
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, **place, "POD_RANK": str(rank)})
        for rank in range(number)
    ]
    if any(process.wait() for process in running):
        raise SystemExit("a process failed")


def connect(jax) -> None:
    """Tell JAX of the other processes, before anything else is done with it."""
    if "POD_RANK" in os.environ:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        address, size, rank = (os.environ[f"POD_{name}"] for name in ("ADDRESS", "SIZE", "RANK"))
        jax.distributed.initialize(address, int(size), int(rank))
    else:
        jax.distributed.initialize()  # SLURM, Open MPI, TPU pods: JAX knows


def classifier(jax, dataset: str, data_dir: str | None):
    """Nearest class mean: no training, so that the example is about certifying. Put your network here."""
    import numpy as np

    import jaxsmooth as js

    images, labels = js.datasets.load(dataset, "train", data_dir=data_dir)
    means = np.stack([images[labels == c].mean(0).ravel() for c in range(10)])
    return jax.tree_util.Partial(nearest_mean, means)


def nearest_mean(means, x):
    flat = x.reshape(len(x), -1)
    return 2 * flat @ means.T - (means**2).sum(-1)


def main() -> None:
    options = parse()
    if options.processes and "POD_RANK" not in os.environ:
        return start_local_processes(options.processes, options.devices)
    import jax

    connect(jax)
    import numpy as np

    import jaxsmooth as js

    images, labels = js.datasets.load(options.dataset, "test", data_dir=options.data_dir)
    images, labels = images[: options.images], labels[: options.images]
    noise = js.noises.Gaussian(options.sigma)
    radii = np.arange(5) * options.sigma / 2
    mesh = jax.make_mesh((jax.device_count(),), ("draws",))
    certificates = js.certify_curve(
        jax.random.key(0),
        classifier(jax, options.dataset, options.data_dir),
        noise,
        images,
        radii,
        labels=labels,
        n_max=options.n_max,
        mesh=mesh,
        ledger=options.ledger,
        progress=sys.stderr.isatty(),
    )
    acr = js.analysis.average_certified_radius(certificates, labels)
    print(f"process {jax.process_index()} of {jax.process_count()}, {jax.device_count()} devices: ACR {acr:.4f}")
    if jax.process_index() == 0:
        print(js.analysis.summary(certificates, labels, radii=[0, options.sigma]))
        options.output.mkdir(parents=True, exist_ok=True)
        js.analysis.write_log(options.output / "certify_pod.tsv", certificates, labels)
        axes = js.analysis.plot_certified_accuracy(certificates, labels, radii=radii, title=f"{len(labels)} images")
        axes.figure.savefig(options.output / "certify_pod.png", dpi=120)
        print(f"wrote {options.output / 'certify_pod.tsv'} and .png")


if __name__ == "__main__":
    main()
