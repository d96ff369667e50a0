"""write_log: certificates as the field's six-column table, with what they mean in a file beside it."""

import datetime
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._replace_files import regular_file, replace_files
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.log_format import COLUMNS, radius_text
from jaxsmooth.analysis.log_meaning import is_ours, sidecar_path, sidecar_paths, to_json
from jaxsmooth.analysis.scores import checked_labels, scored

_HEADER = "\t".join(COLUMNS)


def write_log(
    path: str | os.PathLike[str],
    certificates: Certificates,
    labels: ArrayLike,
    *,
    image_ids: ArrayLike | None = None,
    times: Sequence[float | datetime.timedelta] | None = None,
) -> None:
    """Write certificates as the tab-separated log that the field exchanges.

    The columns are ``idx label predict radius correct time``, -1 in ``predict`` for an abstention and the
    time as ``h:mm:ss.ffffff``. Radii have nine significant digits and are rounded down: no reader sees more
    than was proved. ``<path>.json`` holds what the columns cannot, losslessly: votes, bounds, draws, rules and
    reasons, noise, norm, alpha, the version of this library, and digests by which ``read_log`` knows that the
    two belong together. Earlier logs of ``write_log`` are replaced, with their mode: first their table goes, then
    the new ``<path>.json`` comes and then the table, so that no kill leaves a mixture; links are followed, and the
    second file lies beside the file that they lead to.

    Args:
        path: the file to write, by custom ``.tsv``.
        certificates: of N images.
        labels: the true classes, integers ``(N,)``.
        image_ids: the number of each image in its data set, integers ``(N,)``; 0, 1, ... by default.
        times: what each image took, in seconds or as ``timedelta``; 0 by default.

    Raises:
        ValueError: if labels, ids or times do not fit the certificates, or ``path`` is a folder, a pipe, a
            device or a file that ``write_log`` did not write.
        OSError: if ``path`` cannot be written; what was there is untouched.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import pathlib, tempfile, numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> label, radius = np.array([3, -1]), np.array([0.512345678912, 0.0])
        >>> certificates = js.Certificates(label, radius, radius, radius, np.full(2, 1000))
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.tsv")
        >>> js.analysis.write_log(
        ...     path, certificates, [3, 7], image_ids=[0, 20], times=[15.4, 15.6]
        ... )
        >>> print(path.read_text().expandtabs(12))
        idx         label       predict     radius      correct     time
        0           3           3           0.512345678 1           0:00:15.400000
        20          7           -1          0.0         0           0:00:15.600000
        <BLANKLINE>
    """
    _check.path("path", path)
    checked_labels(certificates)  # a log has one answer, the most probable class
    radius, correct = scored(certificates, labels)
    classes = np.asarray(labels, np.int64)
    ids = _checked_ids(image_ids, len(radius))
    seconds = _checked_times(times, len(radius))
    lines = [_HEADER]
    for row in zip(ids, classes, np.asarray(certificates.label), radius, correct, seconds, strict=True):
        i, label, predict, r, ok, elapsed = row
        lines.append(f"{i}\t{label}\t{predict}\t{radius_text(float(r))}\t{int(ok)}\t{_clock(elapsed)}")
    text = "\n".join(lines) + "\n"
    try:
        log = regular_file(path)
        beside = regular_file(sidecar_path(log))
        _refuse_others(Path(path), log, beside)
        # The log last: where it is, what it means is there as well.
        replace_files({beside: to_json(certificates, text), log: text}, like=log)
    except OSError as error:
        raise OSError(error.errno, f"path cannot be written: {error.strerror}", os.fspath(path)) from error


def _refuse_others(path: Path, log: Path, beside: Path) -> None:
    """Refuse to write over what ``write_log`` did not write; an empty file is no loss."""
    remedy = "Delete it, or pass another path"
    if _has_content(beside) and not is_ours(beside):
        raise ValueError(f"path = {path} needs {beside}, which holds a file that write_log did not write. {remedy}")
    if not _has_content(log):
        return
    with open(log, "rb") as file:
        is_log = file.readline(1000).decode("utf-8", "replace").rstrip() == _HEADER
    if not is_log:
        raise ValueError(f"path = {path} holds a file that is no log of certificates. {remedy}")
    if not any(map(is_ours, sidecar_paths(path))):
        raise ValueError(
            f"path = {path} holds a log that write_log did not write, or whose {beside.name} is gone. {remedy}"
        )


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _checked_ids(image_ids: ArrayLike | None, images: int) -> np.ndarray:
    if image_ids is None:
        return np.arange(images)
    ids = np.asarray(image_ids)
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"image_ids must be integers; got dtype {ids.dtype}")
    if ids.shape != (images,):
        raise ValueError(f"image_ids must have shape {(images,)}, one per certificate; got {ids.shape}")
    if ids.size and ids.min() < 0:
        raise ValueError(f"image_ids must be at least 0; got {ids.min()}")
    return ids.astype(np.int64)


def _checked_times(times: Sequence[float | datetime.timedelta] | None, images: int) -> list[float]:
    if times is None:
        return [0.0] * images
    if not isinstance(times, Iterable):
        raise TypeError(f"times must be a sequence of seconds or timedelta, one per certificate; got {times!r}")
    in_seconds = lambda t: t.total_seconds() if isinstance(t, datetime.timedelta) else _check.number("times", t)
    seconds = [in_seconds(t) for t in times]
    if len(seconds) != images:
        raise ValueError(f"times must have one entry per certificate, {images}; got {len(seconds)}")
    bad = [t for t in seconds if not 0 <= t < np.inf]
    if bad:
        raise ValueError(f"times must be finite and at least 0 seconds; got {bad[0]}")
    return seconds


def _clock(seconds: float) -> str:
    microseconds = round(seconds * 1e6)
    minutes, microseconds = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{microseconds // 1_000_000:02d}.{microseconds % 1_000_000:06d}"
