"""The table of ``sequential.py``."""

import json
import pathlib

import numpy as np
from tabular import table

FILE = "sequential/cohen_2019.json"


def make(results: pathlib.Path) -> str:
    """Published accuracy, that of as many votes again, and that of fewer."""
    path = results / FILE
    if not path.exists():
        return "Not run yet."
    record = json.loads(path.read_text())
    rows = []
    for row in record["rows"]:
        for at, *cells in zip(row["radii"], row["published"], row["fixed"], *row["curves"], strict=True):
            published, fixed, *curves = (100 * cell for cell in cells)
            ours = f"{np.mean(curves):.2f} ({np.std(curves, ddof=1):.2f})"
            rows.append(
                [
                    row["name"] if at == row["radii"][0] else "",
                    f"{at:g}",
                    f"{published:.1f}",
                    f"{fixed:.1f}",
                    ours,
                    f"{round(np.mean(curves) - published, 2) + 0.0:+.2f}",
                ]
            )
    heads = ["log", "radius", "published", "`certify`, 100,000 votes", "`certify_curve` (sd)", "minus published"]
    mean = [np.mean(row["votes"]) for row in record["rows"]]
    saved = "; ".join(
        f"{row['name']}: {votes:,.0f} votes an image, {record['n'] / votes:.1f} times fewer"
        for row, votes in zip(record["rows"], mean, strict=True)
    )
    told = "; ".join(
        f"{row['untold']} of {row['images']}: {record['n'] / most:.1f} to {record['n'] / least:.1f}"
        for row in record["rows"]
        for least, most in [sorted(row["votes at the extremes"])]
    )
    return (
        f"{table(heads, rows)}\n\n{saved}. Certified accuracy in %, {len(record['rows'][0]['votes'])} keys. Of images "
        f"that abstained or are wrong a log does not tell the label's probability, which is drawn; whatever it is, the "
        f"votes are fewer by ({told})."
    )


def outcome(results: pathlib.Path) -> str:
    """One sentence for the summary."""
    path = results / FILE
    if not path.exists():
        return "not run yet"
    record = json.loads(path.read_text())
    saved = [record["n"] / np.mean(row["votes"]) for row in record["rows"]]
    extremes = [record["n"] / votes for row in record["rows"] for votes in row["votes at the extremes"]]
    change = [100 * (np.mean(row["curves"]) - np.mean(row["published"])) for row in record["rows"]]
    return (
        f"the published curves with {min(saved):.1f} to {max(saved):.1f} times fewer votes, "
        f"{min(extremes):.1f} to {max(extremes):.1f} whatever the logs leave open; "
        f"mean change of the curves {min(change):+.2f} to {max(change):+.2f} points"
    )
