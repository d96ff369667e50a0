"""Votes from the devices to the host: summed where no device waits for another, and none that an exception spoiled."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxsmooth._failures import Watch
from jaxsmooth._processes import gathered
from jaxsmooth._types import Votes
from jaxsmooth.sampling.placement import spans_processes


def fetch(watch: Watch, votes: Votes, mesh: Mesh | None) -> Votes:
    """NumPy votes ``(images, ...)``; on a mesh of the votes ``(devices, images, ...)`` that each device counted.

    A sum inside the program would have all devices wait for the slowest one, which XLA allows for a minute on CPUs.

    Raises:
        BaseException: what the classifier raised in any program of the run; the votes are not to be used.
    """
    failure = watch.wait(votes)
    if spans_processes(mesh):
        return _over_processes(votes, failure)
    if failure is not None:
        raise failure
    if mesh is None:
        return Votes(np.asarray(votes.counts), np.asarray(votes.invalid))
    return Votes(_here(votes.counts).astype(np.int32), _here(votes.invalid).astype(np.int32))


def in_program(votes: Votes) -> Votes:
    """The sum inside a program of the caller's, where nothing can be fetched."""
    return jax.tree.map(lambda leaf: leaf.sum(0, dtype=leaf.dtype), votes)


def _here(leaf: Any) -> np.ndarray:
    """The sum over the devices of this process; copies on several devices count once."""
    parts = [shard.data for shard in leaf.addressable_shards if shard.replica_id == 0]
    return sum((np.asarray(part).sum(0, dtype=np.int64) for part in parts), np.zeros(leaf.shape[1:], np.int64))


def _over_processes(votes: Votes, failure: BaseException | None) -> Votes:
    """The sum over all processes, or an exception in all of them."""
    shape = votes.counts.shape[1:]
    mine = np.zeros((shape[0], shape[1] + 1), np.int64)
    if failure is None:
        mine = np.column_stack([_here(votes.counts), _here(votes.invalid)])
    sent = np.concatenate([[failure is not None], mine.ravel()]).astype(np.int32)
    received = gathered(sent).astype(np.int64)
    if failure is not None:
        raise failure
    if received[:, 0].any():
        failed = np.flatnonzero(received[:, 0]).tolist()
        raise RuntimeError(f"the classifier raised an exception in process {failed[0]}, which tells what it was")
    total = received[:, 1:].sum(0).reshape(mine.shape).astype(np.int32)
    return Votes(total[:, :-1], total[:, -1])
