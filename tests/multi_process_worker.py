"""One process of several: makes the calls of ``test_processes`` and saves what it got."""

import os
import sys
import time
import warnings

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec


def results(js, mesh, ledger):
    """Certificates and counts of a ragged number of images, whatever the mesh."""
    key, noise = jax.random.key(3), js.noises.Gaussian(0.5)
    classify = jax.tree_util.Partial(linear, jax.random.normal(jax.random.key(1), (4, 8)))
    x = jax.random.normal(jax.random.key(2), (21, 4))
    fixed = js.certify(key, classify, noise, x, n=1000, mesh=mesh, ledger=ledger)
    curve = js.certify_curve(key, classify, noise, x, [0, 0.1, 0.25, 0.5], n_max=3000, mesh=mesh, ledger=ledger)
    adaptive = js.certify_adaptive(key, classify, noise, x, n_max=3000, mesh=mesh)
    votes = js.count_votes(key, classify, noise, x, 777, mesh=mesh)
    stream = list(js.certify_stream(key, classify, noise, iter([x[:9], x[9:]]), js.designs.Fixed(n=1000), mesh=mesh))
    saved = {"counts": np.asarray(votes.counts), "answers": js.predict(key, classify, noise, x, mesh=mesh)}
    on_lattice, lattice = np.round(x * 16) / 16, js.noises.LatticeGaussian(0.5, step=1 / 16)
    exact = js.count_votes(key, classify, lattice, on_lattice, 300, mesh=mesh)
    even = js.count_votes(key, classify, js.noises.LatticeUniform(0.5, step=1 / 16), on_lattice, 300, mesh=mesh)
    saved |= {"counts on a lattice": np.asarray(exact.counts), "counts of even integers": np.asarray(even.counts)}
    pixels, splits = np.clip(np.abs(np.asarray(on_lattice)), 0, 1), js.noises.Splits.from_levels(9, step=1 / 16)
    views = js.certify_exact(classify, splits, pixels, mesh=mesh)
    saved |= {"stream": np.concatenate([part.radius for part in stream])}
    if mesh is not None and mesh.size > 1:
        spread = jax.tree_util.Partial(linear, spread_over(mesh, classify.args[0]))
        sharded = js.count_votes(key, spread, noise, x, 777, mesh=mesh)
        saved["counts of sharded weights"] = np.asarray(sharded.counts)
    else:
        saved["counts of sharded weights"] = saved["counts"]
    for name, certificates in (("fixed", fixed), ("curve", curve), ("adaptive", adaptive), ("views", views)):
        saved |= {f"{name} {field}": getattr(certificates, field) for field in ("label", "radius", "samples")}
        saved[f"{name} counts"] = np.asarray(certificates.votes.counts)
    return saved


def linear(weights, batch):
    return batch @ weights


def centred(weights, batch):
    return (batch - batch.mean(0)) @ weights


def spread_over(mesh, weights):
    """Weights that no process holds whole."""
    sharding, weights = NamedSharding(mesh, PartitionSpec(None, mesh.axis_names)), np.asarray(weights)
    return jax.make_array_from_callback(weights.shape, sharding, lambda at: weights[at])


def what_is_said_of_rows_that_depend_on_their_batch(js, mesh):
    """Of one copy of the weights in each process, and of none; before a vote is counted."""
    weights, said = np.eye(4, 8, dtype=np.float32), []
    for given in (weights, spread_over(mesh, weights)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                classify = jax.tree_util.Partial(centred, given)
                js.count_votes(jax.random.key(0), classify, js.noises.Gaussian(0.5), np.eye(4), 100, mesh=mesh)
            except (ValueError, UserWarning) as found:
                said.append(str(found))
    return said


if __name__ == "__main__":
    rank, size, address, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, size, rank)
    import jaxsmooth as js

    mesh = jax.make_mesh((jax.device_count(),), ("draws",))
    refused, told = what_is_said_of_rows_that_depend_on_their_batch(js, mesh)
    assert "classify must score every row on its own" in refused and "no process holds the weights whole" in told
    if rank == 0 and "JAXSMOOTH_TEST_DISK" in os.environ:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["JAXSMOOTH_TEST_DISK"]), resource.RLIM_INFINITY))
    if "JAXSMOOTH_TEST_LATE" in os.environ:
        for _ in range(2):  # before the first collective, and before a later one
            if rank == 1:
                time.sleep(float(os.environ["JAXSMOOTH_TEST_LATE"]))
            classify = jax.tree_util.Partial(linear, np.eye(4, 8, dtype=np.float32))
            js.count_votes(jax.random.key(0), classify, js.noises.Gaussian(0.5), np.ones((2, 4)), 100, mesh=mesh)
    np.savez(f"{folder}/{rank}.npz", **results(js, mesh, f"{folder}/votes.jsonl"))
