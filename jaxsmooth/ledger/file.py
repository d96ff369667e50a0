"""ledger: an append-only record of votes, from which a killed run goes on and certificates are made again.

A ledger is a text file of JSON lines. The first one fingerprints the run; each of the others holds votes of
one image for consecutive draws, in segments. Every line ends with a checksum of itself::

    {"ledger":1,"jaxsmooth":"0.2.0",...,"noise":"Gaussian(sigma=0.25)","classifier":"9d...","check":"..."}
    {"image":17,"pixels":"5f...","first":0,"segments":[[64,0,{"3":60,"7":4}],[32,0,{"3":32}]],"check":"..."}

A segment is draws, invalid votes, and the votes of the classes that got any. Since the noise of a draw is a
pure function of key, image and draw, votes may be added, repeated, merged and extended without harm.
"""

import dataclasses
import heapq
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import Printed
from jaxsmooth._types import Votes
from jaxsmooth._warn import warn_user
from jaxsmooth.ledger.lines import FORMAT, content_of, header_line, record_line, whole_lines
from jaxsmooth.ledger.packed import AnyCounts, Packed, added, segments_of


@dataclasses.dataclass(repr=False)
class Ledger(Printed):
    """What a ledger file says; made by ``read``.

    Attributes:
        header: the fingerprint of the run, by name.
        pixels: the digest of each image, by its id.
        segments: votes by image id, first draw and one past the last draw; class -1 for invalid ones.
        chosen: by image id what votes were counted against, where the first draws chose it.
    """

    header: dict[str, Any]
    pixels: dict[int, str] = dataclasses.field(default_factory=dict)
    segments: dict[int, dict[int, dict[int, AnyCounts]]] = dataclasses.field(default_factory=dict)
    chosen: dict[int, Packed] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        draws = [max(self.reach(image, self.first)) - self.first for image in self.segments]
        least, most = min(draws, default=0), max(draws, default=0)
        each = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        noise, classes = self.header.get("noise", "unknown noise"), self.header.get("classes", "?")
        return f"Ledger of {len(draws):,} images: {noise}, {classes} classes, {each} draws each"

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.header["classes"]

    @property
    def width(self) -> int:
        """The votes of an image, without invalid ones; as many as there are classes, unless the run says otherwise."""
        return self.header.get("width", self.header["classes"])

    @property
    def first(self) -> int:
        """The number of the first draw that is counted."""
        return self.header.get("first", 0)

    @property
    def kind(self) -> str:
        """What a vote is; see ``Votes.kind``."""
        return self.header.get("votes", "hard")

    @property
    def image_ids(self) -> np.ndarray:
        """int64 ``(images,)``, increasing: the images that have votes."""
        return np.array(sorted(self.segments), np.int64)

    def reach(self, image: int, first: int = 0) -> dict[int, AnyCounts]:
        """The votes of the draws from ``first`` up to every end that segments lead to, by that end.

        Args:
            image: the id of the image.
            first: the number of the first draw.

        Returns:
            Votes by class, -1 for invalid ones, for each number that is one past a last draw.
        """
        segments = self.segments.get(image, {})
        reached: dict[int, AnyCounts] = {first: {}}
        waiting = [first]
        while waiting:
            start = heapq.heappop(waiting)
            for end, counts in segments.get(start, {}).items():
                if end not in reached:
                    heapq.heappush(waiting, end)
                    reached[end] = added(reached[start], counts)
        return reached

    def votes(self, n: int, *, first: int = 0) -> tuple[np.ndarray, Votes]:
        """The votes of ``n`` draws, and of which images they are known.

        Args:
            n: draws, at least 1.
            first: the number of the first draw.

        Returns:
            The ids of the images for which all of these draws are recorded, int64, increasing, and their
            ``Votes`` (NumPy).

        Raises:
            ValueError: for draws below 1, or a negative first one.
            TypeError: if they are not integers.

        Example:
            >>> import os, tempfile, jax, jax.numpy as jnp, jaxsmooth as js
            >>> path = os.path.join(tempfile.mkdtemp(), "votes.jsonl")
            >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
            >>> _ = js.certify(
            ...     jax.random.key(0),
            ...     classify,
            ...     js.noises.Gaussian(0.5),
            ...     jnp.ones((3, 2)),
            ...     n=1000,
            ...     ledger=path,
            ... )
            >>> images, votes = js.ledger.read(path).votes(1000, first=100)
            >>> images.tolist(), votes.total.tolist()
            ([0, 1, 2], [1000, 1000, 1000])
        """
        n = _check.integer("n", n, at_least=1)
        first = _check.integer("first", first, at_least=0)
        known = [(image, counts) for image in self.image_ids if (counts := self.reach(image, first).get(first + n))]
        return np.array([image for image, _ in known], np.int64), self.dense([counts for _, counts in known])

    def rows(self, counts: Sequence[AnyCounts]) -> np.ndarray:
        """Votes as int32 ``(len(counts), width + 1)``, the last column being the invalid ones."""
        votes = np.zeros((len(counts), self.width + 1), np.int32)
        for row, by_class in zip(votes, counts, strict=True):
            if isinstance(by_class, Packed):
                row[:] = by_class.values
                continue
            for label, number in by_class.items():
                row[label] = number
        return votes

    def dense(self, counts: Sequence[AnyCounts]) -> Votes:
        """Votes as arrays, a row for each."""
        votes = self.rows(counts)
        return Votes(votes[:, :-1], votes[:, -1], self.kind)

    def add(
        self,
        image: int,
        pixels: str,
        first: int,
        segments: Iterable[tuple[int, AnyCounts]],
        chosen: Packed | None = None,
    ) -> None:
        """Take in a record; refuse one that contradicts another.

        Args:
            image: the id of the image.
            pixels: its digest.
            first: the number of the first draw.
            segments: how many draws, and their votes by class, one after the other.
            chosen: what the votes were counted against, or None.

        Raises:
            ValueError: for another image of this id, or other votes for the same draws.
        """
        if self.pixels.setdefault(image, pixels) != pixels:
            raise ValueError(
                f"image {image} is not the one of the ledger: the digest of its pixels is {pixels}, not "
                f"{self.pixels[image]}. Use the image_ids of the run that wrote it, or another file"
            )
        if chosen is not None and self.chosen.setdefault(image, chosen) != chosen:
            raise ValueError(f"the ledger holds votes of image {image} that were counted against different classes")
        known = self.segments.setdefault(image, {})
        for draws, counts in segments:
            if known.setdefault(first, {}).setdefault(first + draws, counts) != counts:
                raise ValueError(
                    f"the ledger holds different votes for draws {first} to {first + draws} of image {image}"
                )
            first += draws


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
        check_header(part.header, merged.header, path)
        for image, by_first in part.segments.items():
            if merged.pixels.get(image, part.pixels[image]) != part.pixels[image]:
                raise ValueError(
                    f"image {image} of {path} is not image {image} of {source[image]}: their pixels differ. Number the "
                    "images of all parts in one way and sample again, with image_ids=np.arange(start, start + "
                    "len(x)) for each part, its own start"
                )
            source.setdefault(image, path)
            for first, by_end in by_first.items():
                for end, counts in by_end.items():
                    merged.add(image, part.pixels[image], first, [(end - first, counts)], part.chosen.get(image))
    with open(into, "xb") as file:
        file.write(header_line(merged.header))
        for image in merged.image_ids.tolist():
            for first, by_end in sorted(merged.segments[image].items()):
                for end, counts in sorted(by_end.items()):
                    segment = [(end - first, counts)]
                    file.write(record_line(image, merged.pixels[image], first, segment, merged.chosen.get(image)))
    return merged


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
    ledger = None
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            value = content_of(line)
            if ledger is None:
                if value.get("ledger") != FORMAT:
                    raise ValueError(f"format {value.get('ledger')!r} is not {FORMAT}")
                ledger = Ledger(value)
            else:
                chosen = Packed(value["chosen"]) if "chosen" in value else None
                segments = segments_of(value["segments"], one_each="ballot" not in ledger.header)
                ledger.add(value["image"], value["pixels"], value["first"], segments, chosen)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"line {number} of ledger {path} is damaged ({error}). Delete the line to sample its image again"
                if number > 1
                else f"{path} is not a ledger of this version: its first line is damaged or something else ({error})"
            ) from None
    return ledger


def check_header(header: Mapping[str, Any], expected: Mapping[str, Any], path: object) -> None:
    """Refuse a ledger of another run; the message says in what it differs."""
    for name in {**expected, **header}:
        if header.get(name) != expected.get(name):
            raise ValueError(
                f"ledger {path} belongs to another run: its {name} is {header.get(name)!r}, this one's is "
                f"{expected.get(name)!r}. Use another file, or repeat the run as it was"
            )
