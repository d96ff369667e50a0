"""The ledger of a run in progress: what is known already, and what is added."""

import os
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import jax
import numpy as np

from jaxsmooth import ledger
from jaxsmooth.ledger import Counts
from jaxsmooth.sampling.placement import from_first_process, same_everywhere

try:
    import fcntl
except ImportError:  # Windows has no advisory locks
    fcntl = None


class Recording:
    """A ledger file that a run reads and appends to.

    A run on devices of several processes (``shared``) has one file, which its first process reads and writes;
    all of them know the same, and an error of one is an error of all.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any], *, shared: bool = False) -> None:
        self.path = pathlib.Path(path)
        self._file: BinaryIO | None = None
        header_line = ledger.header_line(header)
        if shared and not same_everywhere(header_line):
            raise ValueError("key, classify, noise and versions must be the same in every process; they differ")
        try:
            whole, torn = self._shared_content() if shared else self._content()
            known = ledger.parse(whole, self.path)
            if known is not None:
                ledger.check_header(known.header, {"ledger": ledger.FORMAT, **header}, self.path)
            ledger.warn_of_torn_line(torn, self.path)
            # From here on the file is ours: cut off a torn last line, so that the next record starts a line.
            if torn and self._file is not None:
                self._file.truncate(len(whole))
            if known is None:
                known = ledger.parse(header_line, self.path)
                self._write(header_line)
            assert known is not None
            self.known = known
        except BaseException:
            self.close()
            raise

    def _content(self) -> tuple[bytes, int]:
        """Open the file; its whole lines, and how many bytes of a torn last one that leaves out."""
        self._file = self._open()
        self._file.seek(0)
        return ledger.whole_lines(self._file.read(), self.path)

    def _shared_content(self) -> tuple[bytes, int]:
        """What the first process finds, or its error, on all processes."""
        whole, torn, error = b"", 0, None
        if jax.process_index() == 0:
            try:
                whole, torn = self._content()
            except Exception as raised:
                error = raised
        message = from_first_process(b"+" + whole if error is None else b"-" + str(error).encode())
        if error is not None:
            raise error
        if message[:1] == b"-":
            raise ValueError(f"the first process cannot use ledger {self.path}: {message[1:].decode()}")
        return message[1:], torn

    def known_ends(self, image: int, pixels: str, first: int) -> dict[int, Counts]:
        """The recorded votes of the draws from ``first`` up to every end that is known, by that end."""
        if self.known.pixels.get(image, pixels) != pixels:
            self.known.add(image, pixels, first, ())  # says what is wrong
        return self.known.reach(image, first)

    def append(self, records: Sequence[tuple[int, str, int, Sequence[tuple[int, Counts]]]]) -> None:
        """Write records (image, pixels, first draw, segments): whole lines, in one piece, on the disk."""
        for image, pixels, first, _ in records:
            if self.known.pixels.setdefault(image, pixels) != pixels:
                self.known.add(image, pixels, first, ())  # says what is wrong
        self._write(b"".join(ledger.record_line(*record) for record in records))

    def _open(self) -> BinaryIO:
        file = open(self.path, "a+b", buffering=0)
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ValueError(
                f"ledger {self.path} is being written by another run. Wait for it, or use a file of its own for "
                "each run and jaxsmooth.ledger.merge"
            ) from None
        except OSError as error:
            warnings.warn(
                f"ledger {self.path}: no locks on its file system ({error}); let one run write it at a time",
                stacklevel=2,
            )
        return file

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
