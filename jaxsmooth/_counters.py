"""What counts the calls of a function, among what it refers to: it moves at every trace, which is no change."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from jaxsmooth._referred import PLAIN

# By place: of an integer, what it is and by how much it moved; of a list that has grown by words alone, its length.
Place = tuple[Any, ...]
Parts = Mapping[Place, Any]
Counters = Mapping[Place, int | tuple[int, int]]


def moved(before: Parts, after: Parts) -> dict[Place, int | tuple[int, int]]:
    """What may have counted a call between two moments: integers, and lists that have grown by words alone."""
    found: dict[Place, int | tuple[int, int]] = {}
    for path in before.keys() & after.keys():
        first, then = before[path], after[path]
        if path[-1] == "length" and isinstance(first, int) and isinstance(then, int) and first < then:
            found[path[:-1]] = first
        elif first != then and _is_integer(first) and _is_integer(then):
            found[path] = int(then[1]), int(then[1]) - int(first[1])
    grown = {path: length for path, length in found.items() if isinstance(length, int)}
    for path, part in after.items():
        for depth in range(len(path)) if grown else ():
            if _is_beyond(path, depth, grown) and not _counts(path, part, grown):
                found.pop(path[:depth], None)
    return {path: one if isinstance(one, tuple) else after[*path, "length"] for path, one in found.items()}


def still_counting(first: Counters, before: Parts, after: Parts) -> dict[Place, int | tuple[int, int]]:
    """The counters that moved again by whole steps, as they are in the end; what was made at the first call did not."""
    found: dict[Place, int | tuple[int, int]] = {}
    for path, then in moved(before, after).items():
        one = first.get(path)
        if isinstance(one, int) and isinstance(then, int):
            found[path] = then
        elif isinstance(one, tuple) and isinstance(then, tuple) and then[1] % one[1] == 0 and then[1] * one[1] > 0:
            found[path] = then[0], one[1]
    return found


def without(parts: Parts, counters: Counters) -> Parts:
    """The parts but those that have counted on."""
    if not counters:
        return parts
    return {path: part for path, part in parts.items() if not _counts(path, part, counters)}


def _counts(path: Place, part: object, counters: Counters) -> bool:
    """Whether this differs by counting alone: an integer by whole steps, a list by words at its end."""
    number = counters.get(path)
    if isinstance(number, tuple):
        by = int(part[1]) - number[0] if _is_integer(part) else None
        return by is not None and by * number[1] >= 0 and by % number[1] == 0
    for depth in range(len(path)):
        if path[:depth] in counters and path[depth] == "length":
            return True
        if _is_beyond(path, depth, counters):
            words = isinstance(part, tuple) and (part[0] in PLAIN or part[:2] == (tuple, "of length"))
            return words or (isinstance(part, tuple) and part[0] == "as" and part[1][:depth] == path[:depth])
    return False


def _is_beyond(path: Place, depth: int, lengths: Parts) -> bool:
    """Whether this is of an element of the list at this depth that was not there when it had this length."""
    length = lengths.get(path[:depth])
    return isinstance(length, int) and isinstance(path[depth], int) and path[depth] >= length


def _is_integer(part: object) -> TypeGuard[tuple[type, str]]:
    return isinstance(part, tuple) and part[:1] == (int,)
