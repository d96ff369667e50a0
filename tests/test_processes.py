"""Several processes with real communication: every one of them gets what one device gets."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import jaxsmooth as js
from tests.multi_process_worker import results
from tests.test_examples import run

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    ledger = tmp_path_factory.mktemp("one") / "votes.jsonl"
    return results(js, None, ledger), ledger.read_bytes()


@pytest.mark.parametrize("devices", [8, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 4))])
def test_devices_of_one_process(one_device, devices, tmp_path):
    mesh = jax.make_mesh((devices,), ("draws",))
    found = results(js, mesh, tmp_path / "votes.jsonl")
    for name, value in one_device[0].items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    same_lines(tmp_path / "votes.jsonl", one_device[1])


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "devices"), [(2, 2), (4, 1)])
def test_processes(one_device, processes, devices, tmp_path):
    # A file of the first process that was cut off: all must know what it knows, and nobody else may read it.
    lines = one_device[1].splitlines(keepends=True)
    (tmp_path / "votes.jsonl").write_bytes(b"".join(lines[:8]))
    start(tmp_path, processes=processes, devices=devices)
    for rank in range(processes):
        found = np.load(tmp_path / f"{rank}.npz")
        for name, value in one_device[0].items():
            np.testing.assert_array_equal(found[name], value, err_msg=f"{name}, process {rank}")
    same_lines(tmp_path / "votes.jsonl", one_device[1])


def test_an_error_of_the_first_process_is_an_error_of_all(tmp_path):
    (tmp_path / "votes.jsonl").mkdir()
    errors = start(tmp_path, processes=2, devices=1, check=False)
    assert "IsADirectoryError" in errors[0] and "the first process cannot use" in errors[1], errors


@pytest.mark.slow
def test_what_differs_between_processes_is_refused(tmp_path):
    """Or agreed on, as how many pairs a batch has: draws would be counted twice, or never."""
    start(tmp_path, processes=2, devices=1, JAXSMOOTH_TEST_DIFFERENCES=1)


@pytest.mark.slow
def test_a_full_disk_ends_all(one_device, tmp_path):
    room = len(one_device[1]) // 3
    started = time.monotonic()
    errors = start(tmp_path, processes=2, devices=1, check=False, JAXSMOOTH_TEST_DISK=room)
    path = tmp_path / "votes.jsonl"
    assert 0 < path.stat().st_size <= room and not list(tmp_path.glob("*.npz"))
    assert f"OSError: [Errno 27] File too large: '{path}'" in errors[0], errors
    assert f"OSError: the first process cannot use ledger {path}: [Errno 27]" in errors[1], errors
    assert time.monotonic() - started < 120  # an error, not a timeout of several minutes


@pytest.mark.slow
@pytest.mark.long
def test_a_process_may_be_late(one_device, tmp_path):
    """By more than the half minute that collectives wait."""
    start(tmp_path, processes=2, devices=1, JAXSMOOTH_TEST_LATE=40)
    found = np.load(tmp_path / "1.npz")
    np.testing.assert_array_equal(found["counts"], one_device[0]["counts"])


def start(folder, *, processes, devices, check=True, **variables):
    """Run the worker in several processes; what each wrote to stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
    environment |= {name: str(value) for name, value in variables.items()}
    worker = str(ROOT / "tests/multi_process_worker.py")
    running = [
        subprocess.Popen(
            [sys.executable, worker, str(rank), str(processes), address, str(folder)],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(processes)
    ]  # fmt: skip
    errors = [process.communicate(timeout=240)[1] for process in running]
    assert not check or not any(process.returncode for process in running), "\n".join(errors)
    return errors


def same_lines(path, content):
    assert sorted(path.read_bytes().splitlines()) == sorted(content.splitlines())


@pytest.mark.slow
def test_the_pod_example(tmp_path):
    command = ("examples/certify_pod.py", "--quick", "--processes", "2", "--ledger", str(tmp_path / "votes.jsonl"))
    out = run(*command, "--output", str(tmp_path))
    assert "process 0 of 2" in out and "process 1 of 2" in out and "certified accuracy" in out
    assert len({line.split("ACR")[1] for line in out.splitlines() if "ACR" in line and "process" in line}) == 1
    assert len((tmp_path / "certify_pod.tsv").read_text().splitlines()) == 21
