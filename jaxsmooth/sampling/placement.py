"""Where things live: values on every device of a mesh, in one process or in many."""

import math
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxsmooth import _check


def automatic(mesh: Mesh) -> Mesh:
    """The mesh with automatic axes: explicit ones, the default of ``jax.make_mesh``, ask to place every argument."""
    return Mesh(mesh.devices, mesh.axis_names)


def draw_axes(mesh: Mesh, classify: Any) -> tuple[str, ...]:
    """The axes of the mesh over which draws are spread.

    An axis over which the user has sharded a weight stays his: the network runs on all of its devices
    together. If no axis is left, draws are spread over all of them and each device gathers the weights.
    """
    taken = set()
    for leaf in jax.tree.leaves(classify):
        sharding = getattr(leaf, "sharding", None) if isinstance(leaf, jax.Array) else None
        if isinstance(sharding, NamedSharding) and sharding.device_set == set(mesh.devices.flat):
            for entry in sharding.spec:
                taken.update(entry if isinstance(entry, tuple) else (entry,))
    free = tuple(name for name in mesh.axis_names if name not in taken)
    return free or mesh.axis_names


def axes_size(mesh: Mesh, axes: tuple[str, ...]) -> int:
    """How many parts these axes divide the mesh into."""
    return math.prod(mesh.shape[name] for name in axes)


def on_mesh(tree: Any, mesh: Mesh | None) -> Any:
    """The values on all devices of the mesh: as the user has sharded them over it, else one copy on each.

    With several processes every process passes the same values. Without a mesh, and inside a trace, the
    values are left alone.
    """
    if mesh is None or _check.is_traced(tree):
        return tree
    return jax.tree.map(lambda leaf: _leaf_on_mesh(leaf, automatic(mesh)), tree)


def _leaf_on_mesh(leaf: Any, mesh: Mesh) -> Any:
    sharding = leaf.sharding if isinstance(leaf, jax.Array) else None
    if isinstance(sharding, NamedSharding) and sharding.device_set == set(mesh.devices.flat):
        return jax.device_put(leaf, NamedSharding(mesh, sharding.spec))
    everywhere = NamedSharding(mesh, PartitionSpec())
    if jax.process_count() == 1:
        return jax.device_put(leaf, everywhere)
    # device_put would compare the value across processes, at the price of communication.
    value = np.asarray(leaf)
    return jax.make_array_from_callback(value.shape, everywhere, lambda index: value[index])


def everywhere_equal(value: bytes) -> bytes:
    """The bytes of the first process, on all processes."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(value))))
    padded = np.zeros(size, np.uint8)
    padded[: min(size, len(value))] = np.frombuffer(value[:size], np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(padded)).astype(np.uint8).tobytes()
