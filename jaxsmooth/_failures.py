"""Exceptions of the classifier: raised where the caller sees them, with a word on where they come from.

A Python function that raises inside a compiled program raises through XLA, which turns its exception into text. On one
device of a mesh that leaves the other devices waiting in their next collective, until XLA ends the process. There the
exception is kept instead, the scores are NaN, and whoever fetches the results raises it.
"""

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

_lock = threading.Lock()
_watches: "weakref.WeakSet[Watch]" = weakref.WeakSet()


class _Board:
    """What failed last: exceptions that were kept are numbered, one that crossed XLA is known by its text."""

    number: int = 0
    kept: BaseException | None = None
    crossed: BaseException | None = None
    halted: bool = False


class Watch:
    """The programs of one run that are under way, and whether a function that they call has failed."""

    def __init__(self) -> None:
        self._running: list[Any] = []
        self._blocked = False
        with _lock:
            self._seen = _Board.number
            _Board.halted = False
            _watches.add(self)

    def start(self, program: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
        """Start a program; its results, to be waited for."""
        self._blocked = True  # small programs run before the call returns
        try:
            results = program(*arguments, **options)
        except Exception as error:  # not always a JaxRuntimeError
            failure = behind(error)
            if failure is error:
                raise
        else:
            self._running.append(results)
            return results
        finally:
            self._blocked = False
        raise failure

    def wait(self, results: Any) -> BaseException | None:
        """Wait for results; what the classifier raised since the run began, after which they mean nothing."""
        self._blocked = True
        try:
            error = _finish(results)
            self._running = [other for other in self._running if other is not results]
            if self._seen == _Board.number:
                return None if error is None else behind(error)
            # What is still under way must not fail in the name of the next run. It calls the function no more.
            for other in self._running:
                _finish(other)
            self._running = []
            with _lock:
                self._seen, _Board.halted = _Board.number, False
            return _Board.kept
        finally:
            self._blocked = False


def guarded(fn: Callable[[np.ndarray], np.ndarray], x: np.ndarray, shape: tuple[int, ...], *, keep: bool) -> np.ndarray:
    """``fn(x)``, called by a running program. With ``keep`` an exception is kept, and the scores are NaN."""
    nothing = np.full((len(x), *shape), np.nan, np.float32)
    with _lock:
        stopped = keep and _Board.halted and _watched()
    if stopped:
        return nothing
    try:
        return fn(x)
    except BaseException as error:  # an interrupt, too, would leave other devices waiting
        add_note(error, x.shape)
        with _lock:
            watched = _watched()
            if keep:
                _Board.number, _Board.kept, _Board.halted = _Board.number + 1, error, True
            else:
                _Board.crossed = error
        if not keep:
            raise
        if not watched:
            logging.getLogger("jaxsmooth").error(
                "the classifier raised an exception; its scores are NaN", exc_info=error
            )
        return nothing


def _watched() -> bool:
    """Whether somebody will raise what is kept."""
    return any(watch._blocked or watch._running for watch in _watches)


def behind(error: BaseException) -> BaseException:
    """The exception of a Python function that JAX reports as text; the error itself if there is none."""
    with _lock:
        cause, _Board.crossed = _Board.crossed, None
    if cause is not None and type(cause).__name__ in str(error) and str(cause)[:200] in str(error):
        return cause
    return error


def out_of_memory(error: BaseException) -> bool:
    """Whether a program, or a Python function that it calls, asked for more memory than there is."""
    return any(words in str(error) for words in ("RESOURCE_EXHAUSTED", "out of memory", "MemoryError"))


@contextlib.contextmanager
def noted(shape: tuple[int, ...]) -> Iterator[None]:
    """Exceptions carry a note that they come from the classifier, which was called with this shape."""
    try:
        yield
    except Exception as error:
        add_note(error, shape)
        raise


def add_note(error: BaseException, shape: tuple[int, ...]) -> None:
    """Say once that the error comes from the classifier, and the usual remedies."""
    if any(note.startswith(_WHENCE) for note in getattr(error, "__notes__", ())):
        return
    error.add_note(
        f"{_WHENCE}, which jaxsmooth called with float32 of shape {tuple(shape)}, (batch, *event). Usual remedies:\n"
        "  images are (batch, height, width, channels): jnp.moveaxis(x, 1, -1) or x.permute(0, 2, 3, 1) of others; a\n"
        "  network that wants others is called with them inside the classifier, which from_torch does by itself\n"
        "  the batch axis is always there: one image is x[None], a network for single images is jax.vmap(network)\n"
        "  a function that is not written in JAX (NumPy, scikit-learn, PyTorch) is jaxsmooth.interop.from_callable\n"
        "  a module needs its weights: jaxsmooth.interop.from_nnx(model), from_linen(model, variables) with all\n"
        "  collections (params, batch_stats), or jax.tree_util.Partial(apply, weights)"
    )


_WHENCE = "This error comes from the classifier"


def _finish(results: Any) -> BaseException | None:
    try:
        jax.block_until_ready(results)
    except Exception as error:
        return error
    return None
