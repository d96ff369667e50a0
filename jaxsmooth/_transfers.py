"""Transfers between host and device that the library makes on purpose, also inside a user's ``jax.transfer_guard``.

Images go to the device and votes come back at every call; a guard is there to find the transfers nobody meant.
"""

import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import jax

_P = ParamSpec("_P")
_T = TypeVar("_T")


def deliberate(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The function, with its transfers allowed."""

    @functools.wraps(function)
    def allowed(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with jax.transfer_guard("allow"):
            return function(*args, **kwargs)

    return allowed


def deliberate_steps(function: Callable[_P, Iterator[_T]]) -> Callable[_P, Iterator[_T]]:
    """The function, with the transfers allowed of every step of the iterator that it returns, not between them."""

    @functools.wraps(function)
    def allowed(*args: _P.args, **kwargs: _P.kwargs) -> Iterator[_T]:
        return _Steps(deliberate(function)(*args, **kwargs))

    return allowed


class _Steps(Iterator[_T]):
    """An iterator that leaves no setting behind between its steps."""

    def __init__(self, steps: Iterator[_T]) -> None:
        self._steps = steps

    def __next__(self) -> _T:
        with jax.transfer_guard("allow"):
            return next(self._steps)

    def close(self) -> None:
        """End the iteration, as of a generator."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()
