"""The batch size: from the operations of one sample, without a compilation. It cannot change the counts."""

import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh

from jaxsmooth._failures import add_note, out_of_memory
from jaxsmooth._program import Found, jaxpr_of
from jaxsmooth._types import Array, Classify
from jaxsmooth.sampling.kernel import scored
from jaxsmooth.sampling.remembered import Remembered

# A batch is to take long beside what starting it costs, and not much longer: a step may end with a batch that is
# nearly empty. Operations of a batch, of all devices of a CPU together and of one accelerator.
_CPU_OPERATIONS, _ACCELERATOR_OPERATIONS = 2**31, 2**37
# Bytes that a batch of inputs may take; those of the layers in between are some ten times as many. And bytes of its
# scores, where they are many: batches are then small, for a few draws more or less would cost as much as all others,
# and on a CPU what does not stay in its cache takes longer, and more memory.
_BYTES = 2**25
_SCORE_BYTES, _ACCELERATOR_SCORE_BYTES = {"cpu": 2**25}, 2**27
_SMALLEST, _LARGEST = {"cpu": 64}, {"cpu": 1024}
_ACCELERATOR_SMALLEST, _ACCELERATOR_LARGEST = 256, 4096
# Python functions are timed instead: what they cost is not in the program.
_TIMED = (64, 256, 1024, 4096)
_TIMED_SECONDS = 0.3

_sizes = Remembered[int]()


def pick_batch_size(
    classify: Classify, x: Array, mesh: Mesh | None, pairs: int | None = None, *, scores: int = 1, found: Found
) -> int:
    """A batch size that is fast for this classifier on this kind of device.

    The power of two at which a batch of the classifier takes about two billion operations on a CPU, a hundred
    billion on an accelerator, between 64 and 1024 (256 and 4096): long beside the cost of starting a batch, short
    beside a run. The operations of one sample are those of its lowered program, which is not compiled. A Python
    function that is called back is timed at four sizes instead, once. Many scores make the batch smaller, and so do
    few ``pairs``; nothing else enters, so that all runs of a classifier share a program.

    Args:
        classify: the classifier, a pytree.
        x: the checked images; their shape counts.
        mesh: the mesh, or None.
        pairs: how many there are in all, where no other run is to share the program; a batch holds no more.
        scores: how many numbers the classifier returns for a pair.
        found: the program of the classifier.

    Returns:
        Pairs in a batch of one device.
    """
    device = jax.devices()[0] if mesh is None else mesh.devices.flat[0]
    devices = 1 if mesh is None or device.platform != "cpu" else mesh.size
    event = x.shape[1:]
    find = lambda: (
        _fastest(classify, event)
        if getattr(classify, "runs_on_host", False)
        else _of_operations(classify, event, found, scores, device.platform, devices)
    )
    size = _sizes.of(found.program, event, scores, device.device_kind, devices, find=find)
    share = math.inf if pairs is None else pairs / (1 if mesh is None else mesh.size)
    return min(size, 2 * _power_of_two(share)) if share < size else size


def _of_operations(
    classify: Classify, event: tuple[int, ...], found: Found, scores: int, platform: str, devices: int
) -> int:
    """The size at which a batch takes long enough, and its inputs and scores not too much memory."""
    smallest = _SMALLEST.get(platform, _ACCELERATOR_SMALLEST)
    largest = _LARGEST.get(platform, _ACCELERATOR_LARGEST)
    most = max(smallest, min(largest, _power_of_two(_BYTES / (4 * int(np.prod(event))))))
    wanted = _CPU_OPERATIONS if platform == "cpu" else _ACCELERATOR_OPERATIONS
    size = _power_of_two(wanted / devices / max(_operations(classify, event, found), 1.0))
    few = _power_of_two(_SCORE_BYTES.get(platform, _ACCELERATOR_SCORE_BYTES) / (4 * scores))
    return min(max(size, min(smallest, few)), most, max(few, 1))


def _operations(classify: Classify, event: tuple[int, ...], found: Found) -> float:
    """Floating-point operations of one sample, as XLA counts them before it compiles."""
    rows = 2
    program = found.jaxpr or jaxpr_of(scored, classify, jax.ShapeDtypeStruct((rows, *event), jnp.float32))
    # Wherever the weights are: operations are counted, and nothing is run.
    shapes = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in program.in_avals]
    lowered = jax.jit(jaxpr_as_fun(program)).lower(*shapes)
    try:
        analysis = lowered.cost_analysis()
    except Exception:  # not on every backend
        return 0.0
    return float((analysis or {}).get("flops", 0.0)) / rows


def _fastest(classify: Any, event: tuple[int, ...]) -> int:
    """The smallest size at which a Python function scores nearly the most samples a second."""
    rates: dict[int, float] = {}
    for size in _TIMED:
        seconds = min(_seconds(classify.fn, (size, *event)) for _ in range(2))
        rates[size] = size / seconds
        if seconds > _TIMED_SECONDS:
            break
    best = max(rates.values())
    return min(size for size, rate in rates.items() if rate > 0.95 * best)


def _seconds(fn: Any, shape: tuple[int, ...]) -> float:
    """How long a Python function takes for a batch; for ever if it does not fit into memory."""
    start = time.perf_counter()
    try:
        fn(np.zeros(shape, np.float32))
    except Exception as error:
        if out_of_memory(error):
            return math.inf
        add_note(error, shape)
        raise
    return max(time.perf_counter() - start, 1e-9)


def _power_of_two(value: float) -> int:
    """The largest power of two that is not above this; at least 1."""
    return 1 << max(int(np.log2(max(value, 1.0))), 0)
