"""A table of runs as text, Markdown, LaTeX or CSV: what is in it is decided elsewhere."""

import csv
import dataclasses
import io
import itertools
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Column:
    """One column, a cell for each run.

    Attributes:
        key: its name in CSV.
        title: its name for people.
        texts: the cells, rounded.
        intervals: their intervals, rounded outward, ``"[1.0, 2.0]"``; empty where there are none.
        exact: for CSV: a cell, and its interval's ends where the column has intervals.
        best: the rows that are best; none where runs do not compare.
        group: a title over neighbouring columns, in LaTeX.
    """

    key: str
    title: str
    texts: Sequence[str]
    intervals: Sequence[str]
    exact: Sequence[tuple[str, ...]]
    best: frozenset[int] = frozenset()
    group: str = ""


def as_text(names: Sequence[str], columns: Sequence[Column], notes: Sequence[str]) -> str:
    """Aligned columns for a terminal."""
    head = [column.title for column in columns]
    rows = [["run", *head]]
    rows += [[name, *(_with_interval(column, i) for column in columns)] for i, name in enumerate(names)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *notes])


def as_markdown(names: Sequence[str], columns: Sequence[Column], notes: Sequence[str]) -> str:
    """A table of GitHub's Markdown; the best in bold."""
    head = [column.title for column in columns]
    rows = [["run", *head], ["---"] + ["---:"] * len(columns)]
    for i, name in enumerate(names):
        bold = lambda column, i=i: _with_interval(column, i, "**{}**" if i in column.best else "{}")
        rows.append([name.replace("|", r"\|"), *map(bold, columns)])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n\n".join([table, "\n".join(notes)])


def as_latex(names: Sequence[str], columns: Sequence[Column], notes: Sequence[str]) -> str:
    """A tabular for the package booktabs; the best in bold, intervals small."""
    heads = []
    for title, group in itertools.groupby(columns, lambda column: column.group):
        size = len(list(group))
        heads += [rf"\multicolumn{{{size}}}{{c}}{{{_escaped(title)}}}"] if title else [""] * size
    lines = [rf"% {note}" for note in notes]
    lines += [rf"\begin{{tabular}}{{l{'r' * len(columns)}}}", r"\toprule", " & ".join(["", *heads]) + r" \\"]
    lines += [" & ".join(["run", *(_escaped(column.title) for column in columns)]) + r" \\", r"\midrule"]
    for i, name in enumerate(names):
        bold = lambda column, i=i: _with_interval(
            column, i, r"\textbf{{{}}}" if i in column.best else "{}", r" {{\scriptsize {}}}"
        )
        lines.append(" & ".join([_escaped(name), *map(bold, columns)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def as_csv(names: Sequence[str], columns: Sequence[Column], notes: Sequence[str]) -> str:
    """Comma-separated values, not rounded; the ends of intervals are columns of their own."""
    del notes
    ends = ("", "_lower", "_upper")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["run", *(c.key + end for c in columns for end in ends[: len(c.exact[0])])])
    for i, name in enumerate(names):
        writer.writerow([name, *(value for column in columns for value in column.exact[i])])
    return file.getvalue().rstrip("\n")


_LAYOUTS = {"text": as_text, "markdown": as_markdown, "latex": as_latex, "csv": as_csv}


def layout_of(format: str) -> Callable[[Sequence[str], Sequence[Column], Sequence[str]], str]:
    """What makes a text of the names of runs, columns and notes."""
    if format not in _LAYOUTS:
        raise ValueError(f"format must be one of {', '.join(map(repr, _LAYOUTS))}; got {format!r}")
    return _LAYOUTS[format]


def check_runs(runs: object, of: str) -> None:
    """Refuse what is no mapping of runs, or an empty one; ``of`` says what runs are."""
    if not isinstance(runs, Mapping):
        raise TypeError(f"runs must be a mapping from names to {of}; got {runs!r}")
    if not runs:
        raise ValueError("runs must hold at least one run; got none")


_LATEX = {c: rf"\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)


def _with_interval(column: Column, row: int, cell: str = "{}", interval: str = " {}") -> str:
    text = cell.format(column.texts[row])
    return text + interval.format(column.intervals[row]) if column.intervals[row] else text
