"""What was found out about classifiers, so that it is found out once for a program."""

import collections
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_MOST = 256

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """One thing that was found out about each of the last classifiers."""

    def __init__(self) -> None:
        self._found: collections.OrderedDict[Hashable, _T] = collections.OrderedDict()
        self._lock = threading.RLock()

    def of(self, *known_by: Hashable, find: Callable[[], _T]) -> _T:
        """What is remembered of a classifier; if nothing is, what is found. An exception is not remembered.

        Args:
            *known_by: the program of the classifier, in which the shapes of its weights are, and what else counts.
            find: finds it out.

        Returns:
            What was found.
        """
        with self._lock:
            if known_by in self._found:
                self._found.move_to_end(known_by)
                return self._found[known_by]
        return self.keep(*known_by, found=find())

    def has(self, *known_by: Hashable) -> bool:
        """Whether something is remembered of a classifier."""
        return known_by in self._found

    def keep(self, *known_by: Hashable, found: _T) -> _T:
        """Remember what was found, the longest unused the shortest."""
        with self._lock:
            self._found[known_by] = found
            self._found.move_to_end(known_by)
            if len(self._found) > _MOST:
                self._found.popitem(last=False)
        return found
