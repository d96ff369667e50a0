"""How long every part took, from the records beside the results."""

import json
import pathlib
from typing import Any

from tabular import table


def make(results: pathlib.Path) -> str:
    """Minutes on the clock and of the processor, for every record that holds them."""
    rows = []
    for path in sorted(results.rglob("*.json")):
        record = {} if path.name.endswith(".tsv.json") else json.loads(path.read_text())
        parts = [part for part in (record, record.get("training"), record.get("certification")) if part]
        parts = [part for part in parts if "seconds" in part]
        if parts:
            minutes = [_minutes(parts, clock) for clock in ("seconds", "processor_seconds")]
            name, version = path.relative_to(results).with_suffix("").as_posix(), record["versions"]["jaxsmooth"]
            rows.append([name, *minutes, version])
    return table(["part", "minutes on the clock", "of the processor", "jaxsmooth"], rows) if rows else "Not run yet."


def _minutes(parts: list[dict[str, Any]], clock: str) -> str:
    return f"{sum(part[clock] for part in parts) / 60:.1f}" if all(clock in part for part in parts) else ""
