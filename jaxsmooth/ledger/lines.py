"""The lines of a ledger: JSON, each with a checksum at its end.

A ledger is a text file of JSON lines. The first one fingerprints the run; each of the others holds votes of
one image for consecutive draws, in segments. A checksum is that of its line and of the first one, so that a line which
found its way into the file of another run does not fit there. For example::

    {"ledger":2,"jaxsmooth":"0.2.0",...,"noise":"Gaussian(sigma=0.25)","classifier":"9d...","check":"..."}
    {"image":17,"pixels":"5f...","first":0,"segments":[[64,0,{"3":60,"7":4}],[32,0,{"3":32}]],"check":"..."}

A segment is draws, invalid votes, and the votes of the classes that got any. Since the noise of a draw is a
pure function of key, image and draw, votes may be added, repeated, merged and extended without harm.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jaxsmooth.ledger.packed import AnyCounts, Packed

FORMAT = 2
# In files of format 1 a record's checksum is that of its line alone.
FORMATS = (1, FORMAT)
FIRST_BYTES = tuple(b'{"ledger":%d,' % number for number in FORMATS)
# ,"check":"<16 hexadecimal digits>"}
_CHECK_LENGTH = 28


def whole_lines(content: bytes, path: object) -> tuple[bytes, int]:
    """The content up to its last line break, and how many bytes of a torn line that leaves out."""
    end = content.rfind(b"\n") + 1
    if end == 0 and not any(first.startswith(content[: len(first)]) for first in FIRST_BYTES):
        raise ValueError(f"{path} is not a ledger: its first line is something else")
    return content[:end], len(content) - end


def header_line(header: Mapping[str, Any]) -> bytes:
    """The first line of a file."""
    return _line({**header, "ledger": FORMAT} if "ledger" in header else {"ledger": FORMAT, **header})


def check_of(first_line: bytes) -> bytes:
    """The checksum of a first line, with its break, which is part of that of every record below."""
    return first_line[-_CHECK_LENGTH - 1 :]


def record_line(
    check: bytes,
    image: int,
    pixels: str,
    first: int,
    segments: Sequence[tuple[int, AnyCounts]],
    chosen: Packed | None = None,
) -> bytes:
    """The line of one record in a file whose first line has this checksum."""
    rows = [
        [draws, counts.text]
        if isinstance(counts, Packed)
        else [draws, counts.get(-1, 0), {str(label): n for label, n in counts.items() if label >= 0}]
        for draws, counts in segments
    ]
    counted_against = {} if chosen is None else {"chosen": chosen.text}
    return _line({"image": image, "pixels": pixels, "first": first, **counted_against, "segments": rows}, check)


def digest(*parts: bytes) -> str:
    """16 hexadecimal digits."""
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little") + part)
    return hashed.hexdigest()


def _line(value: Mapping[str, Any], *checks: bytes) -> bytes:
    """A line, and the checksum of it at its end."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return body[:-1] + f',"check":"{digest(*checks, body)}"}}\n'.encode()


def content_of(line: bytes, *checks: bytes) -> dict[str, Any]:
    """What a line says, without its break; refuse one whose checksum does not match, or is that of another file."""
    body, check = line[:-_CHECK_LENGTH] + b"}", line[-_CHECK_LENGTH:]
    if check != f',"check":"{digest(*checks, body)}"}}'.encode():
        raise ValueError("its checksum does not match")
    return json.loads(body)
