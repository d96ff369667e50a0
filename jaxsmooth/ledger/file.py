"""Files of ledgers: read, merged and checked against a run."""

import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jaxsmooth import _check
from jaxsmooth._replace_files import write_new_file
from jaxsmooth._warn import warn_user
from jaxsmooth.ledger.contents import Ledger
from jaxsmooth.ledger.fingerprint import same_answers
from jaxsmooth.ledger.lines import FIRST_BYTES, FORMATS, check_of, content_of, header_line, record_line, whole_lines
from jaxsmooth.ledger.packed import AnyCounts, Packed, segments_of

# What ``Ledger.add`` takes and ``record_line`` writes: an image, its digest, the first draw, segments, and what was
# counted against.
_Record = tuple[int, str, int, list[tuple[int, AnyCounts]], Packed | None]


def read(path: str | os.PathLike[str]) -> Ledger:
    """Read a ledger. A torn last line, as a kill leaves it, is ignored with a warning.

    Args:
        path: the file.

    Returns:
        A ``Ledger``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no ledger, or if a line is damaged; the message says which.
        TypeError: if it is not a path.

    Example:
        >>> import os, tempfile, jax, jax.numpy as jnp, jaxsmooth as js
        >>> path = os.path.join(tempfile.mkdtemp(), "votes.jsonl")
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> _ = js.predict(
        ...     jax.random.key(0),
        ...     classify,
        ...     js.noises.Gaussian(0.5),
        ...     jnp.ones((3, 2)),
        ...     ledger=path,
        ... )
        >>> js.ledger.read(path).header["noise"], js.ledger.read(path).image_ids.tolist()
        ('Gaussian(sigma=0.5)', [0, 1, 2])
    """
    content, torn = whole_lines(pathlib.Path(_check.path("path", path)).read_bytes(), path)
    ledger = parse(content, path)
    warn_of_torn_line(torn, path)
    if ledger is None:
        raise ValueError(f"{path} holds no ledger: its first line is missing. Start the run again")
    return ledger


def merge(paths: Iterable[str | os.PathLike[str]], into: str | os.PathLike[str]) -> Ledger:
    """Merge ledgers of one run: of different images, of different draws, or overlapping.

    Args:
        paths: ledgers with the same header.
        into: the file to write; it must not exist.

    Returns:
        The merged ``Ledger``.

    Raises:
        FileExistsError: if ``into`` exists.
        ValueError: if there is none, or they are of different runs or contradict each other, as parts do that number
            their images 0, 1, ... each.
        TypeError: if something is not a path.

    Example:
        >>> import os, tempfile, jax, jax.numpy as jnp, jaxsmooth as js
        >>> path = lambda name: os.path.join(tempfile.mkdtemp(), name)
        >>> parts, classify = (
        ...     [path("a"), path("b")],
        ...     lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1),
        ... )
        >>> for part, ids in zip(parts, ([0, 1], [2, 3])):
        ...     _ = js.certify(
        ...         jax.random.key(0),
        ...         classify,
        ...         js.noises.Gaussian(0.5),
        ...         jnp.ones((2, 2)),
        ...         n=1000,
        ...         image_ids=ids,
        ...         ledger=part,
        ...     )
        >>> js.ledger.merge(parts, path("all")).image_ids.tolist()
        [0, 1, 2, 3]
    """
    if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable):
        raise TypeError(f"paths must be a sequence of paths of ledgers; got {paths!r}")
    paths = [_check.path(f"paths[{i}]", path) for i, path in enumerate(paths)]
    if not paths:
        raise ValueError("paths must name at least one ledger; got none")
    _check.path("into", into)
    merged = read(paths[0])
    source = dict.fromkeys(merged.pixels, paths[0])
    for path in paths[1:]:
        part = read(path)
        check_header(part.header, {**merged.header, "ledger": part.header["ledger"]}, path)
        for image, pixels in part.pixels.items():
            if merged.pixels.get(image, pixels) != pixels:
                raise ValueError(
                    f"image {image} of {path} is not image {image} of {source[image]}: their pixels differ. Number the "
                    "images of all parts in one way and sample again, with image_ids=np.arange(start, start + "
                    "len(x)) for each part, its own start"
                )
            source.setdefault(image, path)
        for record in _records(part):
            merged.add(*record)
    first_line = header_line(merged.header)
    records = (record_line(check_of(first_line), *record) for record in _records(merged))
    write_new_file(pathlib.Path(into), itertools.chain([first_line], records))
    return merged


def _records(ledger: Ledger) -> Iterator[_Record]:
    """What a ledger holds, a record for each segment, in the order of images and draws."""
    for image in ledger.image_ids.tolist():
        for first, by_end in sorted(ledger.segments[image].items()):
            for end, counts in sorted(by_end.items()):
                yield image, ledger.pixels[image], first, [(end - first, counts)], ledger.chosen.get(image)


def header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The first line of a ledger alone; nothing of a file that has none."""
    with open(path, "rb") as opened:
        line = opened.readline()
    try:
        return content_of(line[:-1])
    except ValueError:
        return {}


def warn_of_torn_line(torn: int, path: object) -> None:
    """Say so if a last line of this many bytes was torn."""
    if torn:
        warn_user(f"ledger {path}: the last line is torn ({torn} bytes) and was dropped; its images are sampled again")


def parse(content: bytes, path: object) -> Ledger | None:
    """The ledger in whole lines; None if there are none."""
    if not content:
        return None
    first_line, *lines = content.split(b"\n")[:-1]
    try:
        ledger = Ledger(content_of(first_line))
        if ledger.header.get("ledger") not in FORMATS:
            raise ValueError(f"format {ledger.header.get('ledger')!r} is none of {FORMATS}")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a ledger of this version: its first line is damaged or something else ({error})"
        ) from None
    checks = [check_of(first_line + b"\n")] if ledger.header["ledger"] > 1 else []
    for number, line in enumerate(lines, start=2):
        if line == first_line:  # two files of the run, one behind the other
            continue
        if line.startswith(FIRST_BYTES):
            raise ValueError(
                f"line {number} of ledger {path} begins another run, whose votes must not be added to those above. "
                "Take the file apart there and use each part by itself"
            )
        try:
            value = content_of(line, *checks)
            chosen = Packed(value["chosen"]) if "chosen" in value else None
            segments = segments_of(value["segments"], one_each="ballot" not in ledger.header)
            record = value["image"], value["pixels"], value["first"], segments, chosen
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"line {number} of ledger {path} is damaged, or of another run ({error}). Delete the line to sample "
                "its image again"
            ) from None
        try:
            ledger.add(*record)
        except (TypeError, ValueError) as error:
            raise ValueError(f"line {number} of ledger {path} contradicts the lines above: {error}") from None
    return ledger


def check_header(header: Mapping[str, Any], expected: Mapping[str, Any], path: object) -> None:
    """Refuse a ledger of another run; the message says in what it differs."""
    for name in {**expected, **header}:
        if name == "answers" and name in expected and name not in header:
            raise ValueError(
                f"ledger {path} does not say what the Python function of its classifier answers, so that votes of this "
                "one cannot be added. Use another file"
            )
        if name == "answers" and not same_answers(header.get(name), expected.get(name)):
            raise ValueError(
                f"ledger {path} belongs to another run: the Python function of its classifier answers otherwise than "
                "this one's, as with other weights. Use another file, or repeat the run as it was"
            )
        if name != "answers" and header.get(name) != expected.get(name):
            raise ValueError(
                f"ledger {path} belongs to another run: its {name} is {header.get(name)!r}, this one's is "
                f"{expected.get(name)!r}. Use another file, or repeat the run as it was"
            )
