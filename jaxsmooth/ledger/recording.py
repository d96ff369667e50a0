"""The ledger of a run in progress: what is known already, and what is added."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import jax
import numpy as np

from jaxsmooth._processes import from_first_process, same_everywhere
from jaxsmooth._warn import warn_user
from jaxsmooth.ledger import file, lines
from jaxsmooth.ledger.fingerprint import image_digest
from jaxsmooth.ledger.packed import AnyCounts, Packed, sparse

try:
    import fcntl
except ImportError:  # Windows has no advisory locks
    fcntl = None


class Identity(NamedTuple):
    """What a ledger knows an image by.

    Attributes:
        image: its id.
        pixels: the digest of its pixels.
    """

    image: int
    pixels: str


@dataclasses.dataclass
class _Record:
    """The line that is being made of an image: votes from draw ``first`` on, in segments."""

    identity: Identity
    first: int
    reached: int
    votes: np.ndarray
    segments: list[tuple[int, AnyCounts]]
    chosen: Packed | None


class Recording:
    """A ledger file that a run reads and appends to.

    A run on devices of several processes (``shared``) has one file, which its first process reads and writes;
    all of them know the same, and an error of one is an error of all.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any], *, shared: bool = False) -> None:
        self.path = pathlib.Path(path)
        self._shared, self._file, self._process = shared, None, os.getpid()
        self._records: dict[int, _Record] = {}
        first_line = lines.header_line(header)
        if shared and not same_everywhere(first_line):
            raise ValueError("key, classify, noise and versions must be the same in every process; they differ")
        try:
            whole, torn = self._shared_content() if shared else self._content()
            known = file.parse(whole, self.path)
            if known is not None:
                if known.header["ledger"] != lines.FORMAT:
                    raise ValueError(
                        f"ledger {self.path} is of format {known.header['ledger']}, which is read and not written. "
                        f"Give the file that jaxsmooth.ledger.merge([{str(self.path)!r}], into) makes of it"
                    )
                file.check_header(known.header, {"ledger": lines.FORMAT, **header}, self.path)
                first_line = whole[: whole.index(b"\n") + 1]
            self._check = lines.check_of(first_line)
            file.warn_of_torn_line(torn, self.path)
            # From here on the file is ours: cut off a torn last line, so that the next record starts a line.
            if torn and self._file is not None:
                self._file.truncate(len(whole))
            if known is None:
                known = file.parse(first_line, self.path)
                self._write(first_line)
            assert known is not None
            self.known = known
        except BaseException:
            self.close()
            raise

    def identify(self, x: np.ndarray, image: int) -> Identity:
        """What the ledger will know an image by; refuses other pixels under an id that it knows."""
        identity = Identity(image, image_digest(x))
        if self.known.pixels.setdefault(*identity) != identity.pixels:
            self.known.add(*identity, 0, ())  # says what is wrong
        return identity

    def known_votes(self, identity: Identity) -> dict[int, np.ndarray]:
        """The votes ``(width + 1,)`` of the first draws, up to every number of them that is recorded; 0 is."""
        ends = self.known.reach(identity.image, self.known.first)
        return dict(zip(ends, self.known.rows(list(ends.values())), strict=True))

    def known_choice(self, identity: Identity) -> np.ndarray | None:
        """What the votes of an image were counted against; None if that is not recorded, or they were not."""
        chosen = self.known.chosen.get(identity.image)
        return None if chosen is None else chosen.values

    def begin(
        self, slot: int, identity: Identity, reached: int, votes: np.ndarray, chosen: np.ndarray | None = None
    ) -> None:
        """An image whose first ``reached`` draws are known goes into a slot."""
        packed = None if chosen is None else Packed.of(chosen)
        self._records[slot] = _Record(identity, reached, reached, votes.copy(), [], packed)

    def end_segment(self, slot: int, reached: int, votes: np.ndarray) -> None:
        """The image in a slot has ``votes`` after ``reached`` draws: remember those since the last end."""
        record = self._records[slot]
        record.segments.append((reached - record.reached, sparse(votes - record.votes, self.known.header)))
        record.reached, record.votes = reached, votes.copy()

    def write(self, slots: Sequence[int]) -> None:
        """Write down the images in slots, which are free then: whole lines, in one piece, on the disk."""
        if not slots:
            return
        records = [self._records.pop(slot) for slot in slots]
        self._write(
            b"".join(lines.record_line(self._check, *r.identity, r.first, r.segments, r.chosen) for r in records)
        )

    def _content(self) -> tuple[bytes, int]:
        """Open the file; its whole lines, and how many bytes of a torn last one that leaves out."""
        self._file = self._open()
        self._file.seek(0)
        return lines.whole_lines(self._file.read(), self.path)

    def _shared_content(self) -> tuple[bytes, int]:
        """What the first process finds, or its error, on all processes."""
        whole, torn, error = b"", 0, None
        if jax.process_index() == 0:
            try:
                whole, torn = self._content()
            except Exception as raised:
                error = raised
        return self._agreed(whole, error), torn

    def _agreed(self, value: bytes, error: Exception | None) -> bytes:
        """The first process's bytes, or its error, on all processes."""
        message = from_first_process(b"+" + value if error is None else b"-" + str(error).encode())
        if error is not None:
            raise error
        if message[:1] == b"-":
            kind = OSError if message[1:].startswith(b"[Errno") else ValueError
            raise kind(f"the first process cannot use ledger {self.path}: {message[1:].decode()}")
        return message[1:]

    def _open(self) -> BinaryIO:
        opened = open(self.path, "a+b", buffering=0)
        try:
            if fcntl is not None:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.close()
            raise ValueError(
                f"ledger {self.path} is being written by another run. Wait for it, or use a file of its own for "
                "each run and jaxsmooth.ledger.merge"
            ) from None
        except OSError as error:
            warn_user(f"ledger {self.path}: no locks on its file system ({error}); let one run write it at a time")
        return opened

    def _write(self, content: bytes) -> None:
        error = None
        try:
            if self._file is not None:
                rest = memoryview(content)
                while rest:
                    rest = rest[self._file.write(rest) :]
                os.fsync(self._file.fileno())
        except OSError as raised:
            # Of a file that is open Python does not say which it is.
            error = OSError(raised.errno, raised.strerror, str(self.path))
            if not self._shared:
                raise error from raised
        # The others must not go on to wait for a process that has ended.
        if self._shared:
            self._agreed(b"", error)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            # Processes that were forked in the meantime, such as the workers of a loader, hold the lock as well.
            if fcntl is not None and os.getpid() == self._process:
                with contextlib.suppress(OSError):
                    fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
            self._file = None
