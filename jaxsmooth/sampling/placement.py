"""Where things live: values on every device of a mesh, in one process or in many."""

import contextlib
import math
import os
from collections.abc import Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxsmooth import _check

_T = TypeVar("_T")
_Tree = TypeVar("_Tree")

MORE_DEVICES = (
    "JAX has one device for {cores} CPU cores; with XLA_FLAGS=--xla_force_host_platform_device_count={cores}, set "
    'before JAX is imported, and mesh=jax.make_mesh(({cores},), ("draws",)) networks were 1.0 to 1.4 times as fast '
    "on 2 cores"
)


def idle_cores() -> int:
    """CPU cores of this process, if they are one JAX device; else 0."""
    devices = jax.local_devices()
    if len(devices) != 1 or devices[0].platform != "cpu":
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        for entry in _spec_on(leaf, mesh) or ():
            taken.update(entry if isinstance(entry, tuple) else (entry,))
    free = tuple(name for name in mesh.axis_names if name not in taken)
    return free or mesh.axis_names


def axes_size(mesh: Mesh, axes: tuple[str, ...]) -> int:
    """How many parts these axes divide the mesh into."""
    return math.prod(mesh.shape[name] for name in axes)


def on_mesh(tree: _Tree, mesh: Mesh | None) -> _Tree:
    """The values on all devices of the mesh: as the user has sharded them over it, else one copy on each.

    With several processes every process passes the same values. Without a mesh, and inside a trace, the
    values are left alone.
    """
    if mesh is None or _check.is_traced(tree):
        return tree
    return jax.tree.map(lambda leaf: _leaf_on_mesh(leaf, automatic(mesh)), tree)


def _leaf_on_mesh(leaf: Any, mesh: Mesh) -> Any:
    spec = _spec_on(leaf, mesh)
    if spec is not None:
        return jax.device_put(leaf, NamedSharding(mesh, spec))
    everywhere = NamedSharding(mesh, PartitionSpec())
    if everywhere.is_fully_addressable:
        return jax.device_put(leaf, everywhere)
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _leaf_on_mesh(jax.random.key_data(leaf), mesh)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    # device_put would compare the value across processes, at the price of communication.
    value = np.asarray(leaf)
    return jax.make_array_from_callback(value.shape, everywhere, lambda index: value[index])


def _spec_on(leaf: Any, mesh: Mesh) -> PartitionSpec | None:
    """How the user has sharded an array over this mesh; None if he has not, or over another."""
    sharding = getattr(leaf, "sharding", None) if isinstance(leaf, jax.Array) else None
    if not isinstance(sharding, NamedSharding) or not isinstance(sharding.mesh, Mesh):
        return None
    same = sharding.mesh.axis_names == mesh.axis_names and np.array_equal(sharding.mesh.devices, mesh.devices)
    return sharding.spec if same else None


def uncommitted(tree: _Tree, mesh: Mesh) -> _Tree:
    """The values free to move: those that the user, or a checkpoint, has put on devices, unless it is this mesh."""

    def free(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or _check.is_traced(leaf) or not leaf.committed:
            return leaf
        if not leaf.is_fully_addressable or _spec_on(leaf, mesh) is not None:
            return leaf
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(free(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jnp.asarray(np.asarray(leaf))

    return jax.tree.map(free, tree)


def spans_processes(mesh: Mesh | None) -> bool:
    """Whether devices of other processes take part."""
    return mesh is not None and any(device.process_index != jax.process_index() for device in mesh.devices.flat)


def refuse_some_of_the_processes(mesh: Mesh | None) -> None:
    """Processes agree on what they do, all of them: refuse a mesh of several, but not of all."""
    if spans_processes(mesh) and mesh is not None:
        theirs = sorted({device.process_index for device in mesh.devices.flat})
        if len(theirs) < jax.process_count():
            raise ValueError(
                f"mesh must have devices of one process or of all {jax.process_count()}; got those of {theirs}"
            )


def held_here(tree: _Tree) -> _Tree | None:
    """The values as this process can use them alone, on one device where they are on several; None without a whole."""
    spread = [leaf for leaf in jax.tree.leaves(tree) if not getattr(leaf, "is_fully_addressable", True)]
    if not all(leaf.is_fully_replicated for leaf in spread):
        return None
    whole = lambda leaf: leaf if getattr(leaf, "is_fully_addressable", True) else leaf.addressable_data(0)
    return jax.tree.map(whole, tree)


def one_of_ours() -> Mesh | None:
    """A device of this process, where there are other processes, for what each does for itself."""
    return Mesh(np.array(jax.local_devices()[:1]), ("draws",)) if jax.process_count() > 1 else None


@contextlib.contextmanager
def within(mesh: Mesh | None) -> Iterator[None]:
    """Run on this mesh even if the caller has set another as the context, such as itself with explicit axes."""
    if mesh is None or jax.sharding.get_abstract_mesh().empty:
        yield
        return
    try:
        context = jax.set_mesh(mesh)
    except ValueError:  # inside a trace, whose context cannot be changed
        yield
        return
    with context:
        yield


def steps_within(mesh: Mesh | None, steps: Iterator[_T]) -> Iterator[_T]:
    """The steps of an iterator, each run on this mesh; between them, and after them, the caller's context holds."""
    while True:
        with within(mesh):
            try:
                step = next(steps)
            except StopIteration:
                return
        yield step
