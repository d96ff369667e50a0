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


def what_differs_is_refused(js, mesh, rank):
    """Images, labels, weights, batches of one process that another has not: no process gets a certificate."""
    key, noise, x = jax.random.key(0), js.noises.Gaussian(0.5), np.full((3, 4), 0.5, np.float32)
    classify = jax.tree_util.Partial(linear, np.eye(4, 8, dtype=np.float32))
    other = jax.tree_util.Partial(linear, (1 + rank) * np.eye(4, 8, dtype=np.float32))
    certify = lambda classify, x, **more: js.certify(key, classify, noise, x, n=200, mesh=mesh, **more)
    stream = lambda batches: list(js.certify_stream(key, classify, noise, batches, js.designs.Fixed(n=200), mesh=mesh))

    def broken():
        yield x
        if rank:
            raise OSError("a disk of this process")
        yield x

    here, mean, half = (1 + rank) * np.eye(4, 8, dtype=np.float32), (lambda x: x.mean(-1)), np.linspace(-1, 2, 31)
    gather = lambda x: x[:, :, None] * np.array([1.0, -1.0], np.float32)
    options = {"n": 200, "mesh": mesh}
    calls = {
        "a closure": lambda: js.certify(key, lambda x: x @ here, noise, x, **options),
        "one batch_size": lambda: certify(classify, x, batch_size=[None, 64][rank]),
        "edges": lambda: js.certify_values(key, mean, noise, x, 0.1, edges=half + rank, **options),
        "mask": lambda: js.certify_outputs(key, gather, noise, x, tau=0.75, mask=np.arange(4) % 2 == rank, **options),
        "x": lambda: certify(classify, x + rank),
        "weights": lambda: certify(other, x),
        "batch_size": lambda: certify(classify, x, batch_size=64 * (1 + rank)),
        "alpha": lambda: certify(classify, x, alpha=1e-3 / (1 + rank)),
        "image_ids": lambda: js.count_votes(key, classify, noise, x, 100, image_ids=rank + np.arange(3), mesh=mesh),
        "batches": lambda: stream([x, x + rank]),
        "a loader": lambda: stream(broken()),
    }
    said = {}
    for name, call in calls.items():
        try:
            call()
        except (ValueError, OSError) as error:
            said[name] = str(error)
    same = " must be the same in every process"
    assert all(same in said[name] for name in calls if name != "a loader"), said
    assert ("a disk of this process" if rank else same) in said["a loader"], said
    inside = jax.jit(lambda key, x: js.count_votes(key, classify, noise, x, 100, batch_size=64, mesh=mesh).total)
    assert inside(key, x).tolist() == [100] * 3


def slow_in_one_process(js, mesh, rank, ledger):
    """A Python function that is timed in every process by itself, much slower in one of them; and known to a ledger."""
    timed = [True]

    def classify(batch):
        if rank and timed[0]:
            time.sleep(0.002 * len(batch))
        return batch @ np.eye(4, 8, dtype=np.float32)

    function = js.interop.from_callable(classify, 8)
    votes = js.count_votes(jax.random.key(0), function, js.noises.Gaussian(0.5), np.ones((2, 4)), 100, mesh=mesh)
    timed[0] = False
    certify = lambda function: js.certify(
        jax.random.key(3), function, js.noises.Gaussian(0.5), np.ones((1, 4)), n=1500, mesh=mesh, ledger=ledger
    )
    found = certify(function)
    np.testing.assert_array_equal(certify(function).votes.counts, found.votes.counts)
    try:
        certify(js.interop.from_callable(lambda batch: -classify(batch), 8))
    except ValueError as error:
        assert "answers otherwise" in str(error), error
    else:
        raise AssertionError("votes of another function were taken")
    assert np.asarray(found.votes.total).tolist() == [1500] and np.asarray(votes.total).tolist() == [100, 100]


if __name__ == "__main__":
    rank, size, address, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, size, rank)
    import jaxsmooth as js

    mesh = jax.make_mesh((jax.device_count(),), ("draws",))
    refused, told = what_is_said_of_rows_that_depend_on_their_batch(js, mesh)
    assert "classify must score every row on its own" in refused and "no process holds the weights whole" in told
    if "JAXSMOOTH_TEST_DIFFERENCES" in os.environ:
        what_differs_is_refused(js, mesh, rank)
        slow_in_one_process(js, mesh, rank, os.path.join(folder, "function.jsonl"))
        sys.exit()
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
