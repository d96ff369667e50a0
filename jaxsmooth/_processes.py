"""What several processes of one run agree on: bytes of the first one, errors of any."""

import hashlib
import itertools
from typing import Any

import jax
import numpy as np
from jax._src import distributed  # the coordination service is not public
from jax.experimental import multihost_utils

# A week: a process that has died is noticed by its heartbeat.
_LONGEST_WAIT = 7 * 24 * 3600 * 1000
_meetings = itertools.count()


def wait_for_all() -> None:
    """Wait until every process is here: collectives give up after half a minute."""
    client = distributed.global_state.client
    if client is not None:
        client.wait_at_barrier(f"jaxsmooth {next(_meetings)}", _LONGEST_WAIT)


def gathered(value: np.ndarray) -> np.ndarray:
    """The arrays of all processes, ``(processes, ...)``, on all of them, however late one is."""
    wait_for_all()
    return np.asarray(multihost_utils.process_allgather(value))


def from_first_process(value: bytes) -> bytes:
    """The bytes of the first process, on all processes."""
    wait_for_all()
    high, low = divmod(len(value), 2**30)
    high, low = np.asarray(multihost_utils.broadcast_one_to_all(np.array([high, low], np.int32))).tolist()
    padded = np.zeros(2**30 * high + low, np.uint8)
    if jax.process_index() == 0:
        padded[:] = np.frombuffer(value, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(padded)).astype(np.uint8).tobytes()


def same_everywhere(value: bytes) -> bool:
    """Whether all processes have the same bytes; all of them get the same answer."""
    return _agreed(hashlib.blake2b(value, digest_size=8))


def require_same(what: str, *values: Any) -> None:
    """Refuse arrays, numbers, words or trees of them that are not the same in all processes; an error of all."""
    found = hashlib.blake2b(digest_size=8)
    for leaf in jax.tree.leaves(values):
        _add(found, leaf)
    if not _agreed(found):
        raise ValueError(
            f"{what} must be the same in every process; they differ. Every process makes the same call, and the mesh "
            "divides the draws among them, not the images"
        )


def _agreed(found: Any) -> bool:
    digest = np.frombuffer(found.digest(), np.uint8)
    return bool((gathered(digest) == digest).all())


def _add(found: Any, leaf: Any) -> None:
    if isinstance(leaf, str | bytes):
        return found.update(repr(leaf).encode())
    if isinstance(leaf, jax.Array):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        if not leaf.is_fully_addressable:
            if not leaf.is_fully_replicated:  # one value, of which every process holds a part
                return found.update(f"{leaf.dtype}{leaf.shape}".encode())
            leaf = leaf.addressable_data(0)
    array = np.asarray(leaf)
    found.update(f"{array.dtype}{array.shape}".encode())
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
