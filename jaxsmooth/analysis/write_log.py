"""write_log: certificates as the field's six-column table, with what they mean in a file beside it."""

import datetime
import importlib.metadata
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth.analysis.log_format import COLUMNS, noise_parameters, radius_text
from jaxsmooth.analysis.scores import scored
from jaxsmooth.analysis.summary import draws_behind_bounds


def write_log(
    path: str | os.PathLike[str],
    certificates: Certificates,
    labels: Any,
    *,
    image_ids: Any = None,
    times: Sequence[float | datetime.timedelta] | None = None,
) -> None:
    """Write certificates as the tab-separated log that the field exchanges.

    The columns are ``idx label predict radius correct time``, -1 in ``predict`` for an abstention and the
    time as ``h:mm:ss.ffffff``. Radii have nine significant digits and are rounded down: no reader sees more
    than was proved. ``<path>.json`` holds what the columns cannot: noise, norm, draws, alpha and the
    version of this library. Existing files are replaced.

    Args:
        path: the file to write, by custom ``.tsv``.
        certificates: of N images.
        labels: the true classes, integers ``(N,)``.
        image_ids: the number of each image in its data set, integers ``(N,)``; 0, 1, ... by default.
        times: what each image took, in seconds or as ``timedelta``; 0 by default.

    Raises:
        ValueError: if labels, ids or times do not fit the certificates.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import pathlib, tempfile, numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> label, radius = np.array([3, -1]), np.array([0.512345678912, 0.0])
        >>> certificates = js.Certificates(label, radius, radius, radius, np.full(2, 1000))
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.tsv")
        >>> js.analysis.write_log(path, certificates, [3, 7], image_ids=[0, 20], times=[15.4, 15.6])
        >>> print(path.read_text().expandtabs(12))
        idx         label       predict     radius      correct     time
        0           3           3           0.512345678 1           0:00:15.400000
        20          7           -1          0.0         0           0:00:15.600000
        <BLANKLINE>
    """
    _check.path("path", path)
    radius, correct = scored(certificates, labels)
    classes = np.asarray(labels, np.int64)
    ids = _checked_ids(image_ids, len(radius))
    seconds = _checked_times(times, len(radius))
    lines = ["\t".join(COLUMNS)]
    for row in zip(ids, classes, np.asarray(certificates.label), radius, correct, seconds, strict=True):
        i, label, predict, r, ok, elapsed = row
        lines.append(f"{i}\t{label}\t{predict}\t{radius_text(float(r))}\t{int(ok)}\t{_clock(elapsed)}")
    target = Path(path)
    _replace(target, "\n".join(lines) + "\n")
    _replace(sidecar_path(target), json.dumps(_meaning(certificates), indent=2) + "\n")


def sidecar_path(path: Path) -> Path:
    """The file beside a log that says what its radii mean."""
    return path.with_name(path.name + ".json")


def _meaning(certificates: Certificates) -> dict[str, Any]:
    """What the log cannot say. Nothing secret: certificates do not know the key of their noise."""
    noise = certificates.noise
    parameters = None if noise is None else noise_parameters(noise)
    samples = np.asarray(certificates.samples)
    n = draws_behind_bounds(certificates)
    return {
        "images": len(certificates),
        "noise": None if noise is None else {"name": type(noise).__name__, "parameters": parameters},
        "sigma": None if parameters is None else parameters.get("sigma"),
        "norm": "inf" if certificates.norm == np.inf else int(certificates.norm),
        "n": n[0] if n is not None and n[0] == n[1] else n,
        "samples": int(samples[0]) if len(samples) and (samples == samples[0]).all() else samples.tolist(),
        "alpha": None if certificates.alpha is None else float(certificates.alpha),
        "jaxsmooth": importlib.metadata.version("jaxsmooth"),
    }


def _checked_ids(image_ids: Any, images: int) -> np.ndarray:
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


def _replace(path: Path, text: str) -> None:
    """Write a file in one step: a crash leaves the old one or the new one, never half of it."""
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8", newline="\n")
    os.replace(scratch, path)
