"""The batch size: measured where it matters, a plain default elsewhere. It cannot change the counts."""

import time
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._program import program_of
from jaxsmooth._types import Array, Classify
from jaxsmooth.interop.failures import behind, out_of_memory
from jaxsmooth.sampling.kernel import count_images, spans

# Throughput is flat to about 10% inside these ranges and falls off outside; the best size in them depends on
# the network: caches on a CPU, occupancy on an accelerator.
_CANDIDATES = {"cpu": (16, 32, 64, 128, 256, 512)}
_ACCELERATOR = (256, 512, 1024, 2048, 4096)
_DEFAULT = {"cpu": 64}
_ACCELERATOR_DEFAULT = 512
# Timing costs a compilation per candidate: worth it only if the work itself takes longer than this.
_WORTH_SECONDS = 20.0
_PROBE_SECONDS = 0.1

_measured: dict[Any, int] = {}


def pick_batch_size(key: Array, classify: Classify, noise: Any, x: Array, n: int, mesh: Mesh | None) -> int:
    """A batch size that is fast for this classifier on this kind of device.

    Long jobs are preceded by a measurement of the voting loop itself at a few sizes, remembered for the
    classifier's program and the shape of an event. Short jobs, and calls inside a trace, where nothing can
    be timed, use a default.
    """
    device = jax.devices()[0] if mesh is None else mesh.devices.flat[0]
    default = _DEFAULT.get(device.platform, _ACCELERATOR_DEFAULT)
    pairs = x.shape[0] * n / (1 if mesh is None else mesh.size)
    if pairs <= default or _check.is_traced(key, classify, noise, x) or jax.process_count() > 1:
        return default
    signature = (
        jax.tree.structure((classify, noise)),
        tuple((np.shape(leaf), str(getattr(leaf, "dtype", None))) for leaf in jax.tree.leaves(classify)),
        x.shape[1:],
        device.device_kind,
    )
    if signature not in _measured:
        rate = _pairs_per_second(key, classify, noise, x, default)
        if rate and pairs / rate < _WORTH_SECONDS:
            return default
        sizes = [size for size in _CANDIDATES.get(device.platform, _ACCELERATOR) if size <= pairs]
        rates = {size: _pairs_per_second(key, classify, noise, x, size) for size in sizes}
        _measured[signature] = max(rates, key=lambda size: rates[size])
    return _measured[signature]


def _pairs_per_second(key: Array, classify: Classify, noise: Any, x: Array, size: int) -> float:
    """Measured throughput of the voting loop at one batch size; 0 if the batch does not fit in memory."""
    program, data, ids = program_of((classify, noise)), jax.random.key_data(key), np.zeros(1, np.int32)

    def seconds(batches: int) -> float:
        one = jax.tree.map(lambda leaf: leaf[0], spans(1, batches * size, first=0, batch_size=size, devices=1))
        start = time.perf_counter()
        jax.block_until_ready(count_images(data, classify, noise, x[:1], ids, one, program=program, batch_size=size))
        return time.perf_counter() - start

    try:
        seconds(1)
        once = seconds(1)
        batches = max(2, min(64, int(_PROBE_SECONDS / max(once, 1e-6))))
        return batches * size / min(seconds(batches) for _ in range(2))
    except Exception as error:  # which JAX does not always make a JaxRuntimeError
        failure = None if out_of_memory(error) else behind(error)
    if failure is not None:
        raise failure
    return 0.0
