"""The ledger of a run in progress: what is known already, and what is added."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import jax
import numpy as np

from jaxsmooth import ledger
from jaxsmooth.ledger import Counts, Ledger
from jaxsmooth.sampling.placement import everywhere_equal

try:
    import fcntl
except ImportError:  # Windows has no advisory locks
    fcntl = None


class Recording:
    """A ledger file that a run reads and appends to.

    With several processes the first one reads and writes; all of them know the same.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any]) -> None:
        self.path = pathlib.Path(path)
        self._file = self._open() if jax.process_index() == 0 else None
        try:
            self.known = self._read(header)
        except BaseException:
            self.close()
            raise

    def _read(self, header: Mapping[str, Any]) -> Ledger:
        content = everywhere_equal(self._repaired(self._file) if self._file else b"")
        known = ledger.parse(content, self.path)
        if known is None:
            first_line = ledger.header_line(header)
            known = ledger.parse(first_line, self.path)
            assert known is not None
            self._write(first_line)
        ledger.check_header(known.header, {"ledger": ledger.FORMAT, **header}, self.path)
        return known

    def known_ends(self, image: int, pixels: str, first: int) -> dict[int, Counts]:
        """The recorded votes of the draws from ``first`` up to every end that is known, by that end."""
        if self.known.pixels.get(image, pixels) != pixels:
            self.known.add(image, pixels, first, ())  # says what is wrong
        return self.known.reach(image, first)

    def append(self, records: Sequence[tuple[int, str, int, Sequence[tuple[int, Counts]]]]) -> None:
        """Write records (image, pixels, first draw, segments): whole lines, in one piece, on the disk."""
        self._write(b"".join(ledger.record_line(*record) for record in records))

    def _open(self) -> BinaryIO:
        file = open(self.path, "a+b", buffering=0)
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                raise ValueError(
                    f"ledger {self.path} is being written by another run. Wait for it, or use a file of its own for "
                    "each run and jaxsmooth.ledger.merge"
                ) from None
        return file

    def _repaired(self, file: BinaryIO) -> bytes:
        """The whole lines of the file; a torn last line is cut off, so that the next record starts a line."""
        file.seek(0)
        content, torn = ledger.whole_lines(file.read(), self.path)
        if torn:
            file.truncate(len(content))
        return content

    def _write(self, lines: bytes) -> None:
        if self._file is not None and lines:
            rest = memoryview(lines)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def votes_of(counts: np.ndarray, invalid: np.ndarray) -> list[Counts]:
    """Votes of several images, ``(images, classes)`` and ``(images,)``, as recorded."""
    return [ledger.sparse(row) for row in np.column_stack([counts, invalid])]
