"""The table of ``radii.py``."""

import json
import pathlib

from tabular import rounded_down, table


def make(results: pathlib.Path) -> str:
    """Published radii, and where ours is larger."""
    path = results / "radii/radii.json"
    if not path.exists():
        return "Not run yet."
    record = json.loads(path.read_text())
    rows = []
    for name, row in record["radii"].items():
        published = row["published"] or [None] * len(row["largest"])
        cells = [cell(*pair) for pair in zip(published, row["largest"], strict=True)]
        rows.append([name, *cells])
    heads = ["noise, norm", *(f"p = {p:g}" for p in record["p_lower"])]
    return table(heads, rows)


def cell(published: float | None, largest: float) -> str:
    """The published radius; after it ours, if larger by more than the last digit."""
    ours = rounded_down(largest)
    if published is None:
        return f"none; {ours}"
    return rounded_down(published) + (f"; **{ours}**" if largest > published * 1.0005 else "")


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    path = results / "radii/radii.json"
    if not path.exists():
        return "not run yet"
    rows = [row for row in json.loads(path.read_text())["radii"].values() if row["published"]]
    larger = sum(any(b > a * 1.0005 for a, b in zip(row["published"], row["largest"], strict=True)) for row in rows)
    return f"of {len(rows)} published pairs of noise and norm this library proves a larger radius for {larger}"
