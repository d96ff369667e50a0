"""The file beside a log: all that its six columns cannot hold, written, checked and read back."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxsmooth import _check, noises
from jaxsmooth._certificates import Certificates
from jaxsmooth._printed import norm_in_words
from jaxsmooth._types import Noise, Votes
from jaxsmooth._version import __version__
from jaxsmooth._warn import warn_user
from jaxsmooth.analysis.log_format import LogWarning, noise_in_words, noise_parameters
from jaxsmooth.analysis.summary import draws_behind_bounds

_WRITER, _LOG, _OWN = "jaxsmooth", "log_sha256", "sha256"


def sidecar_path(path: Path) -> Path:
    """The file beside a log that says what its radii mean."""
    return path.with_name(path.name + ".json")


def sidecar_paths(path: Path) -> list[Path]:
    """Where it may be: beside the log, and beside a link to the log."""
    return list(dict.fromkeys(sidecar_path(file) for file in (path, Path(os.path.realpath(path)))))


def to_json(certificates: Certificates, log: str) -> str:
    """All of the certificates but labels, losslessly, with digests of the log and of this text itself."""
    noise, samples, n = certificates.noise, np.asarray(certificates.samples), draws_behind_bounds(certificates)
    described = _described(noise)
    content = {
        "images": len(certificates),
        "noise": described,
        "sigma": None if described is None else (described["parameters"] or {}).get("sigma"),
        "norm": "inf" if certificates.norm == np.inf else int(certificates.norm),
        "n": n[0] if n is not None and n[0] == n[1] else n,
        "samples": int(samples[0]) if len(samples) and (samples == samples[0]).all() else samples.tolist(),
        "alpha": None if certificates.alpha is None else float(certificates.alpha),
        _WRITER: __version__,
        "radius": _numbers(certificates.radius),
        "p_lower": _numbers(certificates.p_lower),
        "p_upper": _numbers(certificates.p_upper),
        "rule": _texts(certificates.rule),
        "reason": _texts(certificates.reason),
        "votes": None if certificates.votes is None else _sparse(certificates.votes),
        _LOG: digest(log),
    }
    content[_OWN] = _own_digest(content)
    rows = (f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


def digest(log: str) -> str:
    """SHA-256 of a log's text; line ends and what follows the last row do not count."""
    return hashlib.sha256("\n".join(log.rstrip().splitlines()).encode()).hexdigest()


def is_ours(file: Path) -> bool:
    """Whether this library wrote the file beside a log; an empty or absent file is nobody's."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and _WRITER in content


def read_beside(path: Path, log: str, rows: int) -> dict[str, Any]:
    """The fields of ``Certificates`` that the file beside a log holds, as keywords; none if it has no such file.

    Raises:
        ValueError: if the file is damaged or was edited, or is of another log in another norm than l2.
    """
    found = {file: _content(file) for file in sidecar_paths(path) if file.is_file()}
    for file, content in found.items():
        if _is_of(content, log, rows):
            try:
                return _fields(content, rows)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
                raise _damaged(file, f"{type(error).__name__}: {error}") from None
    for file, content in found.items():
        if str(content.get("norm", 2)) not in ("2", "2.0"):
            raise ValueError(
                f"{file} says that radii are in the norm {content['norm']!r}, but it {_misfit(content, rows)}; "
                "restore the file of this log, or delete it if the radii are l2"
            )
        warn_user(
            f"{file} {_misfit(content, rows)}; it is ignored: noise, n and alpha are unknown, radii are taken as "
            f"{norm_in_words(2)}",
            LogWarning,
        )
    return {}


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
        if _LOG in content and content.get(_OWN) != _own_digest(content):
            raise ValueError("it was changed since")
    except ValueError as error:
        raise _damaged(file, error) from None
    return content


def _damaged(file: Path, why: Any) -> ValueError:
    return ValueError(f"{file}: not as write_log leaves it ({why}); restore it or delete it")


def _is_of(content: Mapping[str, Any], log: str, rows: int) -> bool:
    """Version 0.1.0 wrote no digests."""
    if _WRITER not in content:
        return False
    return content[_LOG] == digest(log) if _LOG in content else content.get("images") == rows


def _misfit(content: Mapping[str, Any], rows: int) -> str:
    if _WRITER not in content:
        return "was not written by write_log"
    if content.get("images") != rows:
        return f"is about {content.get('images')} images and the log has {rows}; was the log cut or exchanged?"
    return "is about another log of as many images; was the log edited or exchanged?"


def _fields(content: Mapping[str, Any], rows: int) -> dict[str, Any]:
    norm, alpha, samples = content.get("norm", 2), content.get("alpha"), content.get("samples") or 0
    fields: dict[str, Any] = {
        "noise": _restored(content.get("noise")),
        "norm": _check.norm(math.inf if norm == "inf" else norm),
        # 0 of certificates without chance.
        "alpha": alpha if alpha is None or alpha == 0 else _check.probability("alpha", alpha),
        "samples": np.zeros(rows, np.int64) + np.asarray(samples, np.int64),
    }
    for name in ("radius", "p_lower", "p_upper"):
        if content.get(name) is not None:
            fields[name] = np.array([math.nan if v is None else v for v in content[name]], np.float64)
    for name in ("rule", "reason"):
        if content.get(name) is not None:
            fields[name] = np.array(content[name], np.str_)
    if content.get("votes") is not None:
        fields["votes"] = _dense(content["votes"], rows)
    for name in ("radius", "p_lower", "p_upper", "rule", "reason"):
        if name in fields and fields[name].shape != (rows,):
            raise ValueError(f"{name} has not one entry for each image")
    return fields


def _described(noise: Noise) -> dict[str, Any] | None:
    """A noise as name, parameters and words; the names of other libraries' classes have dots."""
    if noise is None:
        return None
    if isinstance(noise, str):  # the words of a log that was read
        return {"name": "", "parameters": None, "words": noise}
    family, parameters = type(noise), noise_parameters(noise)
    if parameters is not None and not all(map(math.isfinite, parameters.values())):
        parameters = None
    of_library = getattr(noises, family.__name__, None) is family
    name = family.__name__ if of_library else f"{family.__module__}.{family.__qualname__}"
    return {"name": name, "parameters": parameters, "words": noise_in_words(noise)}


def _restored(described: Any) -> Any:
    """The noise itself if it is the library's and all numbers, else its words; None if there are none."""
    if described is None:
        return None
    family, parameters = getattr(noises, described["name"], None), described["parameters"]
    if isinstance(family, type) and parameters is not None:
        return family(**parameters)
    return described.get("words")


def _sparse(votes: Votes) -> dict[str, Any]:
    """Votes as pairs of class and count for each image, without zeros: most classes get none."""
    counts, invalid = np.asarray(votes.counts), np.asarray(votes.invalid)
    pairs = [[[int(c), int(row[c])] for c in np.flatnonzero(row)] for row in counts]
    kind = {} if votes.kind == "hard" else {"kind": votes.kind}
    return {"classes": counts.shape[1], "counts": pairs, "invalid": [int(value) for value in invalid], **kind}


def _dense(sparse: Mapping[str, Any], rows: int) -> Votes:
    counts = np.zeros((rows, sparse["classes"]), np.int64)
    if not len(sparse["counts"]) == len(sparse["invalid"]) == rows:
        raise ValueError("votes has not one entry for each image")
    for row, pairs in zip(counts, sparse["counts"], strict=True):
        for label, count in pairs:
            row[label] = count
    invalid = np.array(sparse["invalid"], np.int64)
    narrow = max(counts.max(initial=0), invalid.max(initial=0)) <= np.iinfo(np.int32).max
    kind = str(sparse.get("kind", "hard"))
    return Votes(counts.astype(np.int32), invalid.astype(np.int32), kind) if narrow else Votes(counts, invalid, kind)


def _numbers(values: Any) -> list[float | None]:
    """float64 without loss; JSON has no NaN."""
    return [None if math.isnan(value) else value for value in np.asarray(values, np.float64).tolist()]


def _texts(values: Any) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _own_digest(content: Mapping[str, Any]) -> str:
    """Of the entries, not of their layout."""
    entries = {key: value for key, value in content.items() if key != _OWN}
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
