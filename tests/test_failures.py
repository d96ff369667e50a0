"""Python functions that raise, or take their time, in compiled programs: the exception itself, and a whole ledger."""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxsmooth as js

ROOT = pathlib.Path(__file__).parent.parent
X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
NOISE = js.noises.Gaussian(0.5)
KEY = jax.random.key(0)


class ServerError(Exception):
    """Of a library that JAX knows nothing about."""


def failing(at):
    """A classifier that raises once, in call number ``at``."""
    calls = []

    def fn(batch):
        calls.append(len(batch))
        if len(calls) == at:
            raise ServerError("the model\nserver went away")
        return np.stack([batch.sum(-1), -batch.sum(-1)], -1)

    return js.interop.from_callable(fn, 2)


def test_one_device_raises_what_the_function_raised():
    with pytest.raises(ServerError, match="server went away") as caught:
        js.certify(KEY, failing(20), NOISE, X, n=1000, batch_size=16)
    assert any("(16, 3)" in note for note in caught.value.__notes__)
    with pytest.raises(ServerError, match="server went away"):  # raised at once, while shapes are looked up
        js.certify(KEY, failing(1), NOISE, X, n=1000, batch_size=16)


def test_a_program_of_the_callers_raises_its_text():
    count = jax.jit(lambda key, classify: js.count_votes(key, classify, NOISE, X, 100, batch_size=16))
    with pytest.raises(jax.errors.JaxRuntimeError, match="ServerError: the model\nserver went away"):
        jax.block_until_ready(count(KEY, failing(5)))
    assert int(js.count_votes(KEY, failing(0), NOISE, X, 100).total.sum()) == 400  # nothing is left behind


@pytest.mark.parametrize("at", [4, 5, 6, 9])
def test_an_exception_while_the_batch_size_is_measured(at):
    with pytest.raises(ServerError, match="server went away"):
        js.count_votes(KEY, failing(at), NOISE, X, 1000)


def test_a_batch_that_does_not_fit_is_not_chosen():
    seen = set()

    def fn(batch):
        if len(batch) > 300:
            raise MemoryError("out of memory")
        seen.add(len(batch))
        return batch[:, :2]

    votes = js.count_votes(KEY, js.interop.from_callable(fn, 2), NOISE, X, 1000)
    assert max(seen) in (64, 256)
    np.testing.assert_array_equal(votes.total, 1000)


# A device that waits for another would end the process, or hang: processes of their own, with short patience.
_PRELUDE = """
import functools, json, os, sys, threading, time
import jax, jax.numpy as jnp, numpy as np, jaxsmooth as js
from jax.sharding import AxisType, PartitionSpec as P

x = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
key, noise = jax.random.key(0), js.noises.Gaussian(0.5)
mesh = jax.make_mesh((2,), ("draws",), axis_types=(AxisType.Auto,))
options = {"mesh": mesh, "batch_size": 16}

class ServerError(Exception):
    pass

class Model:
    def __init__(self):
        self.lock, self.calls, self.fails_at, self.slow_at, self.after = threading.Lock(), 0, (), (), 0

    def __call__(self, batch):
        with self.lock:
            self.calls += 1
            number = self.calls
        if number in self.slow_at:
            time.sleep(5)  # more than twice the patience
        if number in self.fails_at:
            raise ServerError("the model server went away")
        return np.stack([batch.sum(-1), -batch.sum(-1)], -1)

model = Model()
classify = js.interop.from_callable(model, 2)
"""

_RAISES = """
folder = sys.argv[1]
verbs = {
    "count_votes": lambda to: js.count_votes(key, classify, noise, x, 500, **to).counts,
    "certify": lambda to: js.certify(key, classify, noise, x, n=500, n0=20, **to).votes.counts,
    "certify_curve": lambda to: js.certify_curve(key, classify, noise, x, [0.0, 0.1], n_max=500, **to).votes.counts,
    "certify_adaptive": lambda to: js.certify_adaptive(key, classify, noise, x, n_max=500, **to).votes.counts,
    "predict": lambda to: js.predict(key, classify, noise, x, **to),
    "certify_stream": lambda to: np.concatenate(
        [
            part.votes.counts
            for part in js.certify_stream(key, classify, noise, [x[:12], x[12:]], js.designs.Fixed(n=500), **to)
        ]
    ),
}
for name, verb in verbs.items():
    whole = np.asarray(verb(options))
    ledger = {} if name == "count_votes" else {"ledger": f"{folder}/{name}.jsonl"}
    model.calls, model.fails_at = 0, ()
    verb(options)
    for part in (1, 3):
        fails_at = part * model.calls // 4 if part == 3 else 20
        before, model.calls, model.fails_at = model.calls, 0, range(fails_at, fails_at + 2)
        try:
            verb(options | ledger)
            raise SystemExit(f"{name} returned")
        except ServerError as error:
            assert str(error) == "the model server went away" and "float32 of shape (16, 3)" in error.__notes__[0]
        assert model.calls < fails_at + 10, (name, model.calls)  # nobody calls a model that is down
        model.calls, model.fails_at = before, ()
    if ledger:
        lines = open(ledger["ledger"]).read().split("\\n")
        assert lines[-1] == "" and all(map(json.loads, lines[:-1]))
        print(name, len(lines) - 2, "records")
        known = js.ledger.read(ledger["ledger"]) if len(lines) > 2 else None
        np.testing.assert_array_equal(verb(options | ledger), whole)
    np.testing.assert_array_equal(verb(options), whole)
"""

_SLOW = """
x = x[:4]  # few calls: the other device is done and waits
right = [js.count_votes(key, classify, noise, x, 80, batch_size=16), js.certify_curve(
    key, classify, noise, x, [0.0, 0.1], n_max=500, batch_size=16).votes]
model.calls, model.slow_at = 0, (9,)
found = [js.count_votes(key, classify, noise, x, 80, **options)]
model.calls = 0
found.append(js.certify_curve(key, classify, noise, x, [0.0, 0.1], n_max=500, **options).votes)
for one, other in zip(right, found, strict=True):
    np.testing.assert_array_equal(one.counts, other.counts)
"""

_CALLERS_PROGRAM = """
@jax.jit
@functools.partial(jax.shard_map, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False)
def count(key):
    return jax.lax.psum(js.count_votes(key, classify, noise, x, 100, batch_size=16), "draws")

whole = np.asarray(count(key).counts)
assert whole.sum() == 4800
model.calls, model.fails_at = 0, (5,)
spoiled = count(key)
assert int(spoiled.total.sum()) == 4800 and int(spoiled.invalid.sum()) >= 16
np.testing.assert_array_equal(count(key).counts, whole)
np.testing.assert_array_equal(js.count_votes(key, classify, noise, x, 100, **options).counts * 2, whole)
"""


def in_a_process(program, *arguments):
    flags = (
        "--xla_force_host_platform_device_count=2 --xla_cpu_collective_call_warn_stuck_timeout_seconds=1 "
        "--xla_cpu_collective_call_terminate_timeout_seconds=2"
    )
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", _PRELUDE + program, *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr[-3000:]
    return result


def test_on_a_mesh_the_exception_arrives_and_the_ledger_is_whole(tmp_path):
    assert "went away" not in in_a_process(_RAISES, tmp_path).stderr  # raised, so not logged


@pytest.mark.slow  # it sleeps
def test_on_a_mesh_a_device_may_take_its_time():
    in_a_process(_SLOW)


def test_in_a_program_of_the_callers_on_a_mesh_the_exception_is_logged():
    assert "ServerError: the model server went away" in in_a_process(_CALLERS_PROGRAM).stderr
