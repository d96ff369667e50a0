"""What a ledger holds: the votes of images for consecutive draws, in segments that lead from one to the next."""

import dataclasses
import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import Printed
from jaxsmooth._types import Votes
from jaxsmooth.ledger.packed import AnyCounts, Packed, added


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

        Raises:
            ValueError: if two ways lead to the same end with different votes.
        """
        segments = self.segments.get(image, {})
        reached: dict[int, AnyCounts] = {first: {}}
        waiting = [first]
        while waiting:
            start = heapq.heappop(waiting)
            for end, counts in segments.get(start, {}).items():
                votes = added(reached[start], counts)
                if end not in reached:
                    heapq.heappush(waiting, end)
                    reached[end] = votes
                elif reached[end] != votes:
                    raise ValueError(
                        f"the ledger holds different votes for draws {first} to {end} of image {image}, in parts and "
                        "at once: what wrote it answers otherwise for equal draws. Sample again, into another file"
                    )
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
        known = [
            (image, counts)
            for image in self.image_ids
            if (counts := self.reach(image, first).get(first + n)) is not None
        ]
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
        ends = [end for ways in known.values() for end in ways]
        if len(set(ends)) < len(ends):
            for start in known:
                self.reach(image, start)
