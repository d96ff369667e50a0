"""What was found out about classifiers, so that it is found out once for a program."""

import contextlib
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import jax
import numpy as np

from jaxsmooth._program import program_of

_MOST = 256

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """One thing that was found out about each of the last classifiers."""

    def __init__(self) -> None:
        self._found: dict[Hashable, _T] = {}

    def of(self, classify: Any, *more: Hashable, find: Callable[[], _T]) -> _T:
        """What is remembered of a classifier; if nothing is, what is found. An exception is not remembered.

        Args:
            classify: a pytree; its program counts, and the shapes of its weights.
            *more: what else it depends on.
            find: finds it out.

        Returns:
            What was found.
        """
        leaves, structure = jax.tree.flatten(classify)
        shapes = tuple((np.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))) for leaf in leaves)
        known_by = (program_of(classify), structure, shapes, *more)
        with contextlib.suppress(KeyError):
            return self._found[known_by]
        found = self._found[known_by] = find()
        if len(self._found) > _MOST:
            self._found.pop(next(iter(self._found)), None)  # other threads forget, too
        return found
