"""Objects that are compared by identity, and not kept."""

import weakref
from typing import Any


class Same:
    """An object that is equal to itself alone, and is not kept: programs are remembered longer than weights."""

    def __init__(self, value: Any) -> None:
        self._hash = id(value)
        try:
            self._reference = weakref.ref(value)
        except TypeError:  # not every object can be referred to without being kept
            self._reference = lambda: value

    @property
    def value(self) -> Any:
        """The object, as long as there is one."""
        return self._reference()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Same):
            return False
        return self is other or (self.value is not None and self.value is other.value)

    def __hash__(self) -> int:
        return self._hash
