"""Votes of many outputs in few bytes: int32 arrays, compressed, as a text in a line of a ledger."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

# Images with more outputs than this have their votes packed.
_PACKED_FROM = 4096


class Packed:
    """An int32 array as a text; equal to another one if the arrays are, whatever compressed them."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def of(cls, values: np.ndarray) -> "Packed":
        """These numbers."""
        content = np.ascontiguousarray(values, "<i4").tobytes()
        return cls(base64.b64encode(zlib.compress(content, 1)).decode())

    @property
    def values(self) -> np.ndarray:
        """The numbers, int32 with one axis."""
        try:
            return np.frombuffer(zlib.decompress(base64.b64decode(self.text, validate=True)), "<i4").astype(np.int32)
        except (binascii.Error, zlib.error, ValueError) as error:
            raise ValueError(f"packed numbers cannot be read: {error}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Packed):
            return NotImplemented
        return self.text == other.text or np.array_equal(self.values, other.values)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __add__(self, other: "Packed") -> "Packed":
        return Packed.of(self.values + other.values)


# Draws and votes, the last of which are the invalid ones: {class: votes}, few classes get any.
Counts = dict[int, int]
# Of images with many outputs all of them, packed.
AnyCounts = Counts | Packed


def sparse(votes: np.ndarray, header: Mapping[str, Any]) -> AnyCounts:
    """The votes ``(width + 1,)`` of one image of a run, the last entry being the invalid ones, as a ``Counts``."""
    if "ballot" in header and len(votes) > _PACKED_FROM:
        return Packed.of(votes)
    counts = {int(label): int(votes[label]) for label in np.flatnonzero(votes[:-1])}
    return counts | ({-1: int(votes[-1])} if votes[-1] else {})


def added(a: AnyCounts, b: AnyCounts) -> AnyCounts:
    """The votes of both."""
    if isinstance(a, Packed) or isinstance(b, Packed):
        return a + b if isinstance(a, Packed) and isinstance(b, Packed) else a or b
    return {label: a.get(label, 0) + b.get(label, 0) for label in {**a, **b}}


def segments_of(rows: Any, *, one_each: bool) -> list[tuple[int, AnyCounts]]:
    """The segments of a record; ``one_each``: every draw has one vote, valid or not."""
    segments: list[tuple[int, AnyCounts]] = []
    for draws, *votes in rows:
        if len(votes) == 1 and not one_each:
            segments.append((draws, Packed(votes[0])))
            continue
        invalid, by_class = votes
        counts = {int(label): int(n) for label, n in by_class.items()} | ({-1: invalid} if invalid else {})
        if draws < 1 or (one_each and sum(counts.values()) != draws) or min(counts.values(), default=0) < 0:
            raise ValueError(f"its votes do not sum to {draws} draws")
        segments.append((draws, counts))
    return segments
