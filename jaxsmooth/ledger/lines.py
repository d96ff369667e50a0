"""The lines of a ledger: JSON, each with a checksum of itself at its end.

A ledger is a text file of JSON lines. The first one fingerprints the run; each of the others holds votes of
one image for consecutive draws, in segments. For example::

    {"ledger":1,"jaxsmooth":"0.2.0",...,"noise":"Gaussian(sigma=0.25)","classifier":"9d...","check":"..."}
    {"image":17,"pixels":"5f...","first":0,"segments":[[64,0,{"3":60,"7":4}],[32,0,{"3":32}]],"check":"..."}

A segment is draws, invalid votes, and the votes of the classes that got any. Since the noise of a draw is a
pure function of key, image and draw, votes may be added, repeated, merged and extended without harm.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jaxsmooth.ledger.packed import AnyCounts, Packed

FORMAT = 1
_FIRST_BYTES = b'{"ledger":1,'
# ,"check":"<16 hexadecimal digits>"}
_CHECK_LENGTH = 28


def whole_lines(content: bytes, path: object) -> tuple[bytes, int]:
    """The content up to its last line break, and how many bytes of a torn line that leaves out."""
    end = content.rfind(b"\n") + 1
    if end == 0 and not _FIRST_BYTES.startswith(content[: len(_FIRST_BYTES)]):
        raise ValueError(f"{path} is not a ledger: its first line is something else")
    return content[:end], len(content) - end


def header_line(header: Mapping[str, Any]) -> bytes:
    """The first line of a file."""
    return _line({"ledger": FORMAT, **header})


def record_line(
    image: int, pixels: str, first: int, segments: Sequence[tuple[int, AnyCounts]], chosen: Packed | None = None
) -> bytes:
    """The line of one record."""
    rows = [
        [draws, counts.text]
        if isinstance(counts, Packed)
        else [draws, counts.get(-1, 0), {str(label): n for label, n in counts.items() if label >= 0}]
        for draws, counts in segments
    ]
    counted_against = {} if chosen is None else {"chosen": chosen.text}
    return _line({"image": image, "pixels": pixels, "first": first, **counted_against, "segments": rows})


def digest(*parts: bytes) -> str:
    """16 hexadecimal digits."""
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little") + part)
    return hashed.hexdigest()


def _line(value: Mapping[str, Any]) -> bytes:
    """A line, and the checksum of it at its end."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return body[:-1] + f',"check":"{digest(body)}"}}\n'.encode()


def content_of(line: bytes) -> dict[str, Any]:
    """What a line says, without its break; refuse one whose checksum does not match."""
    body, check = line[:-_CHECK_LENGTH] + b"}", line[-_CHECK_LENGTH:]
    if check != f',"check":"{digest(body)}"}}'.encode():
        raise ValueError("its checksum does not match")
    return json.loads(body)
