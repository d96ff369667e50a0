"""measure_throughput: what noise and votes cost beside the bare forward pass, on the hardware at hand."""

import dataclasses
import functools
import time
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxsmooth import _check
from jaxsmooth._noise import perturbed_each
from jaxsmooth._printed import Printed
from jaxsmooth._processes import from_first_process
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify, Noise, Votes
from jaxsmooth.sampling import inputs
from jaxsmooth.sampling.kernel import call, fold_in
from jaxsmooth.sampling.placement import MORE_DEVICES, idle_cores, spans_processes, within
from jaxsmooth.sampling.sampler import Sampler, sampler

_ROUNDS = 5
_ROUND_SECONDS = 0.4
# Ready-made inputs that the bare forward pass takes in turn, so that no pass can be left out.
_INPUTS = 4


@dataclasses.dataclass(frozen=True, repr=False)
class Throughput(Printed):
    """Samples per second over all devices: the best of several rounds, measured in turn.

    Attributes:
        votes: the voting loop: noise, forward pass, argmax, counts.
        forward: the forward pass alone, one compiled loop over ready-made inputs.
        noise: noise drawn and added, no network.
        devices: how many devices.
        device: their kind.
        batch_size: samples in a batch of one device.
        advice: what would use the machine better; empty if nothing is known.
    """

    votes: float
    forward: float
    noise: float
    devices: int
    device: str
    batch_size: int
    advice: str = ""

    @property
    def ratio(self) -> float:
        """Votes per bare forward pass, the share of the network's speed that is left."""
        return self.votes / self.forward

    def __str__(self) -> str:
        rows = [("votes", self.votes), ("bare forward", self.forward), ("noise alone", self.noise)]
        lines = [f"{self.devices} x {self.device}, batches of {self.batch_size}", f"{'':14}samples/s  per device"]
        lines += [f"{name:12} {rate:11,.0f} {rate / self.devices:11,.0f}" for name, rate in rows]
        lines += [f"({self.advice}.)"] * bool(self.advice)
        return "\n".join([*lines, f"votes / bare forward = {self.ratio:.3f}"])


@deliberate
def measure_throughput(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> Throughput:
    """Measure samples per second of the voting loop, of the bare forward pass and of the noise alone.

    The three take turns for a few seconds, so that a busy machine slows all of them.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``.
        x: ``(images, *event)``, finite.
        batch_size: samples in a batch of one device; see ``count_votes``.
        mesh: a ``jax.sharding.Mesh``; see ``count_votes``.

    Returns:
        A ``Throughput``, which prints as a table.

    Raises:
        ValueError: as ``count_votes``.
        TypeError: as ``count_votes``.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> weights = jax.random.normal(jax.random.key(0), (64, 10))
        >>> classify = jax.tree_util.Partial(lambda weights, x: x @ weights, weights)
        >>> measured = js.measure_throughput(
        ...     jax.random.key(1), classify, js.noises.Gaussian(0.5), jnp.ones((1, 64))
        ... )
        >>> (
        ...     measured.votes > 0,
        ...     str(measured).splitlines()[-1].startswith("votes / bare forward"),
        ... )
        (True, True)
    """
    images = _check.images_for(noise, x)
    with sampler(key, classify, noise, images, batch_size=batch_size, mesh=mesh) as sampling:
        one = inputs.on_host(images[:1])
        loop = _loops(sampling)
        runs: dict[str, Callable[[int], Any]] = {
            "votes": functools.partial(_votes, sampling, one),
            "forward": functools.partial(loop, functools.partial(_forward, sampling.program)),
            "noise": functools.partial(loop, _noise),
        }
        batches = {name: _batches_per_round(run, sampling.mesh) for name, run in runs.items()}
        best = dict.fromkeys(runs, 0.0)
        for _ in range(_ROUNDS):
            for name, run in runs.items():
                samples = batches[name] * sampling.batch_size * sampling.devices
                best[name] = max(best[name], samples / _seconds(run, batches[name]))
        device = jax.devices()[0] if sampling.mesh is None else sampling.mesh.devices.flat[0]
        cores = idle_cores() if sampling.mesh is None else 0
        return Throughput(
            **best,
            devices=sampling.devices,
            device=device.device_kind,
            batch_size=sampling.batch_size,
            advice=MORE_DEVICES.format(cores=cores) if cores > 1 else "",
        )


def _votes(sampling: Sampler, x: np.ndarray, batches: int) -> Votes:
    return sampling.fetch(sampling.count(x, np.zeros(1, np.int32), batches * sampling.batch_size * sampling.devices))


def _forward(program: Hashable, classify: Classify, noise: Any, x: Array, i: Array) -> Array:
    del noise
    return call(classify, x[i % _INPUTS], program=program)


def _noise(classify: Classify, noise: Any, x: Array, i: Array) -> Array:
    del classify
    batch = x[0]
    data = fold_in(jnp.zeros((len(batch), 2), jnp.uint32), i * len(batch) + jnp.arange(len(batch)))
    keys = jax.random.wrap_key_data(data, impl="threefry2x32")
    return perturbed_each(noise.at(batch), keys, batch)


def _loops(sampling: Sampler) -> Callable[[Callable[..., Array], int], Array]:
    """Run one of the two above for a number of batches on every device, in one compiled loop."""
    shape = (_INPUTS, sampling.batch_size, *sampling.event)
    x = np.random.default_rng(0).random(shape, np.float32)

    @functools.partial(jax.jit, static_argnums=0)
    def loop(body: Callable[..., Array], batches: Array, classify: Classify, noise: Any, x: Array) -> Array:
        def on_each(batches: Array, classify: Classify, noise: Any, x: Array) -> Array:
            step = lambda i, total: total + body(classify, noise, x, i).astype(jnp.float32).sum()
            total = jax.lax.fori_loop(0, batches, step, jnp.float32(0))
            return total if sampling.mesh is None else jax.lax.psum(total, sampling.axes)

        if sampling.mesh is None:
            return on_each(batches, classify, noise, x)
        return jax.shard_map(
            on_each, mesh=sampling.mesh, axis_names=set(sampling.axes), in_specs=PartitionSpec(),
            out_specs=PartitionSpec(), check_vma=False,
        )(batches, classify, noise, x)  # fmt: skip

    def run(body: Callable[..., Array], batches: int) -> Array:
        with within(sampling.mesh):
            return loop(body, np.int32(batches), sampling.classify, sampling.noise_on_mesh, x)

    return run


def _batches_per_round(run: Callable[[int], Any], mesh: Mesh | None) -> int:
    _seconds(run, 1)
    batches, wanted = 1, 4
    while batches < wanted:
        batches = wanted
        # At most four times as many at once: the first measurement is short.
        wanted = min(4 * batches, max(1, round(batches * _ROUND_SECONDS / _seconds(run, batches))))
        if spans_processes(mesh):  # whose clocks differ, while they must run the same programs
            wanted = int(from_first_process(str(wanted).encode()))
    return wanted


def _seconds(run: Callable[[int], Any], batches: int) -> float:
    start = time.perf_counter()
    jax.block_until_ready(run(batches))
    return time.perf_counter() - start
