"""What the scripts of this folder share: where things go, and what is recorded beside every result."""

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

import jax

import jaxsmooth as js

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "flax", "optax")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options of every script."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = made.add_argument
    add("--data-dir", default=os.environ.get("JAXSMOOTH_DATA_DIR"), help="by default JAXSMOOTH_DATA_DIR")
    add("--work", type=pathlib.Path, help="training states and ledgers, not small; by default outputs/reproduce")
    add("--results", type=pathlib.Path, help="the small logs that the tables are made of; by default docs/results")
    add(
        "--quick", action="store_true", help="a few seconds, to see that it runs; shows nothing, in a folder of its own"
    )
    return made


def parse(
    made: argparse.ArgumentParser, arguments: Sequence[str] | None = None, data: bool = True
) -> argparse.Namespace:
    """The options, with a data directory if there have to be ``data``."""
    options = made.parse_args(arguments)
    if data:
        require_data(made, options)
    # What --quick computes must never be taken for a result.
    root = pathlib.Path(tempfile.mkdtemp(prefix="reproduce-")) if options.quick else ROOT
    options.work = options.work or root / "outputs/reproduce"
    options.results = options.results or root / "docs/results"
    return options


def require_data(made: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options without a data directory."""
    if options.data_dir is None:
        made.error("name the folder of prepared data sets: --data-dir DIR, or JAXSMOOTH_DATA_DIR")


def circumstances(options: argparse.Namespace) -> dict[str, Any]:
    """The command, the versions and the machine."""
    paths = ("data_dir", "work", "results")
    arguments = {name: value for name, value in vars(options).items() if name not in paths and value}
    script = pathlib.Path(sys.argv[0]).resolve()
    return {
        "command": f"python {script.relative_to(ROOT) if script.is_relative_to(ROOT) else script.name}",
        "options": {
            name: value if isinstance(value, int | float | list) else str(value) for name, value in arguments.items()
        },
        "versions": {"jaxsmooth": js.__version__, **{name: importlib.metadata.version(name) for name in PACKAGES}},
        "python": platform.python_version(),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "device": jax.devices()[0].device_kind},
    }


def processor() -> str:
    """The name of the processor."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(path: pathlib.Path, record: dict[str, Any]) -> None:
    """A record as JSON, in one step, so that none is ever half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(scratch, path)
    print(f"wrote {path}")


# Seconds between what a clock writes down.
EVERY = 20.0


class Clock:
    """Seconds of a part on the clock and of the processor, added up over interruptions in a file beside its state."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.before = json.loads(path.read_text()) if path.exists() else {}
        self.start = time.perf_counter(), time.process_time()
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        """Write down what has passed, for whoever is killed."""
        while True:
            time.sleep(EVERY)
            with contextlib.suppress(OSError):
                self.read()

    def read(self) -> dict[str, float]:
        """What has passed so far; written down too."""
        now = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        passed = {
            name: round(self.before.get(name, 0.0) + seconds, 1)
            for name, seconds in zip(("seconds", "processor_seconds"), now, strict=True)
        }
        scratch = self.path.with_suffix(f".{threading.get_ident()}.part")
        scratch.write_text(json.dumps(passed))
        scratch.replace(self.path)
        return passed
