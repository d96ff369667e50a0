"""read_log: the certification logs that the field exchanges, back into certificates."""

import dataclasses
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from jaxsmooth._certificates import Certificates
from jaxsmooth._types import ABSTAIN
from jaxsmooth._warn import warn_user
from jaxsmooth.analysis.log_format import COLUMNS, LogWarning
from jaxsmooth.analysis.log_meaning import read_beside

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Plain seconds, "9e-05" where it was quick, or Python's timedelta: "0:02:32.717239", "1 day, 0:00:15".
_SECONDS = r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_TIME = re.compile(_SECONDS + r"|([0-9]+ days?, )?[0-9]+:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?")
# The column "correct" of programs that print the comparison itself.
_TRUTH = {"True": "1", "False": "0"}
_LARGEST_LABEL, _LARGEST_ID = 2**31 - 1, 2**63 - 1


@dataclasses.dataclass(frozen=True)
class _Row:
    line: int
    idx: int
    label: int
    predict: int
    radius: float
    correct: int


def read_log(path: str | os.PathLike[str]) -> tuple[Certificates, np.ndarray]:
    """Read a certification log: six tab-separated columns, ``idx label predict radius correct time``.

    Whether a prediction is correct is decided here, not taken from the column. Radii are taken as printed:
    logs of other programs often print three digits, rounded to nearest, and so may overstate a radius by up
    to 0.5%. A log without rows is no error, nor is one whose run was cut short between two rows.

    Args:
        path: the file, whatever its suffix.

    Returns:
        ``(certificates, labels)``: labels int32 ``(N,)``. With ``<path>.json`` as ``write_log`` leaves it the
        certificates are those that were written; a noise that is not the library's, or not all numbers, is
        text. A log alone has no bounds: ``p_lower`` and ``p_upper`` are nan, norm is 2, samples are 0, the
        rest is None. The numbers of the images: ``read_log_ids``.

    Raises:
        ValueError: if the file is not such a log or a row is damaged; names the file, the line and the remedy.
            Also if ``<path>.json`` is damaged or was edited.

    Warns:
        LogWarning: if the column ``correct`` disagrees, an image occurs twice, or ``<path>.json`` is not about
            this log; it is ignored then.

    Example:
        >>> import pathlib, tempfile, jaxsmooth.analysis
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.tsv")
        >>> rows = [
        ...     "idx label predict radius correct time",
        ...     "0 3 3 0.378 1 15.4",
        ...     "20 7 -1 0.0 0 0:00:15.6",
        ... ]
        >>> _ = path.write_text("\\n".join(row.replace(" ", "\\t") for row in rows))
        >>> certificates, labels = jaxsmooth.analysis.read_log(path)
        >>> certificates.label.tolist(), certificates.radius.tolist(), labels.tolist()
        ([3, -1], [0.378, 0.0], [3, 7])
    """
    file = Path(path)
    text = _text(file)
    rows = _rows(file, text)
    _warn_of_contradictions(file, rows)
    unknown = np.full(len(rows), np.nan)
    fields: dict[str, Any] = {
        "radius": np.array([row.radius for row in rows], np.float64),
        "p_lower": unknown,
        "p_upper": unknown.copy(),
        "samples": np.zeros(len(rows), np.int64),
    }
    fields |= read_beside(file, text, len(rows))
    certificates = Certificates(label=np.array([row.predict for row in rows], np.int32), **fields)
    return certificates, np.array([row.label for row in rows], np.int32)


def read_log_ids(path: str | os.PathLike[str]) -> np.ndarray:
    """The numbers of a log's images in their data set: the column ``idx``.

    Two logs are of the same images only if their labels agree as well: data sets are stored in several orders.

    Args:
        path: the file, as for ``read_log``.

    Returns:
        int64 ``(N,)``, in the order of the log.

    Raises:
        ValueError: as ``read_log``.

    Example:
        >>> import pathlib, tempfile, jaxsmooth.analysis
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.tsv")
        >>> rows = ["idx label predict radius correct time", "20 7 -1 0.0 0 15.6"]
        >>> _ = path.write_text("\\n".join(row.replace(" ", "\\t") for row in rows))
        >>> jaxsmooth.analysis.read_log_ids(path).tolist()
        [20]
    """
    file = Path(path)
    return np.array([row.idx for row in _rows(file, _text(file))], np.int64)


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        binary = "\0" in text
    except UnicodeDecodeError:
        text, binary = "", True
    if binary:
        raise ValueError(f"{path}, line 1: a binary file, not a log of certificates; a log is tab-separated text")
    return text


def _rows(path: Path, text: str) -> list[_Row]:
    lines = text.rstrip().splitlines()
    _check_header(path, lines[0] if lines else "")
    return [_row(path, number, line) for number, line in enumerate(lines[1:], 2)]


def _check_header(path: Path, header: str) -> None:
    columns = [column.strip() for column in header.split("\t")]
    if columns == list(COLUMNS):
        return
    if not header:
        kind = "an empty file, without even a header; the run wrote nothing, certify again"
    elif columns[0] == "epoch":
        kind = "a log of training; read_log wants the log of certificates"
    elif columns[:2] == ["idx", "label"] and "p1" in columns:
        kind = "a log of smoothed class scores, without radii; certify to get them"
    elif columns[:2] == ["idx", "label"] and "radius" not in columns:
        kind = "a log of predictions, without radii; certify to get them"
    elif len(columns) == 2 and all(_DECIMAL.fullmatch(column) for column in columns):
        kind = "a table of certified accuracies over radii; read the log from which it was made"
    elif len(columns) == len(COLUMNS) and _INTEGER.fullmatch(columns[0]):
        kind = "a log without its header; put the header in front"
    else:
        kind = f"not a log of certificates, its first line is {header[:60]!r}"
    raise ValueError(f"{path}, line 1: {kind}. The header must be, with tabs: {' '.join(COLUMNS)}")


def _row(path: Path, number: int, line: str) -> _Row:
    def refuse(problem: str, remedy: str) -> ValueError:
        return ValueError(f"{path}, line {number}: {problem}; {remedy}")

    damaged = "the line is damaged: restore it or delete it"
    fields = [field.strip() for field in line.split("\t")]
    if fields == list(COLUMNS):
        raise refuse("a second header", "the file holds several runs: split it into one file each")
    if len(fields) != len(COLUMNS):
        torn = "the run was cut off while it wrote this row: delete the line"
        raise refuse(f"{len(fields)} fields instead of {len(COLUMNS)}", torn)
    values: dict[str, Any] = dict(zip(COLUMNS, fields, strict=True))
    values["correct"] = _TRUTH.get(values["correct"], values["correct"])
    for name in ("idx", "label", "predict", "correct"):
        if not _INTEGER.fullmatch(values[name]):
            raise refuse(f"{name} must be an integer, got {values[name]!r}", damaged)
        values[name] = int(values[name])
    if not _DECIMAL.fullmatch(values["radius"]):
        raise refuse(f"radius must be a finite number, got {values['radius']!r}", damaged)
    if not _TIME.fullmatch(values["time"]):
        raise refuse(f"time must be seconds or h:mm:ss.ffffff, got {values['time']!r}", damaged)
    idx, label, predict, correct = (values[name] for name in ("idx", "label", "predict", "correct"))
    row = _Row(number, idx, label, predict, float(values["radius"]), correct)
    if not 0 <= row.idx <= _LARGEST_ID:
        raise refuse(f"idx must be at least 0 and fit into int64, got {row.idx}", damaged)
    if not 0 <= row.label <= _LARGEST_LABEL:
        raise refuse(f"label must be a class, at least 0, got {row.label}", damaged)
    if not ABSTAIN <= row.predict <= _LARGEST_LABEL:
        raise refuse(f"predict must be a class or -1 for an abstention, got {row.predict}", damaged)
    if not 0 <= row.radius < math.inf:
        raise refuse(f"radius must be finite and at least 0, got {row.radius}", damaged)
    if row.predict == ABSTAIN and row.radius > 0:
        raise refuse(f"an abstention with radius {row.radius}", damaged)
    return row


def _warn_of_contradictions(path: Path, rows: list[_Row]) -> None:
    wrong = [row for row in rows if row.correct != int(row.predict == row.label)]
    if wrong:
        warn_user(
            f"{path}, line {wrong[0].line}: correct is {wrong[0].correct} for label {wrong[0].label} and predict "
            f"{wrong[0].predict}; so in {len(wrong)} of {len(rows)} rows. It was decided anew from label and predict",
            LogWarning,
        )
    first: dict[int, int] = {}
    repeated = [row for row in rows if first.setdefault(row.idx, row.line) != row.line]
    if repeated:
        row = repeated[0]
        warn_user(
            f"{path}, line {row.line}: image {row.idx} was in line {first[row.idx]} already; "
            f"{len(repeated)} rows count twice. If the file holds two runs, split it",
            LogWarning,
        )
