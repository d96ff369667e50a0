"""Any Python function as a classifier: NumPy in, NumPy out, called back from compiled programs."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback

from jaxsmooth import _check, _failures
from jaxsmooth._pytree import frozen_pytree, opaque, static
from jaxsmooth._types import Array
from jaxsmooth.interop.evaluation import check_static
from jaxsmooth.interop.winners import as_float32


@frozen_pytree
class PythonClassifier:
    """A Python function on the host; made by ``from_callable``. It has no leaves.

    Attributes:
        fn: NumPy ``(batch, *event)`` to ``(batch, num_classes)``; static.
        num_classes: how many scores there are, or their shape ``(*outputs, classes)``; static.
        numbers: whether it returns numbers that are used as they are, and not scores, of which the largest counts;
            static.
        from_best: whether scores are differences from the largest, of which their size counts, too; static.
    """

    fn: Callable[[np.ndarray], Any] = static()
    num_classes: int | tuple[int, ...] = static()
    numbers: bool = static(default=False)
    from_best: bool = static(default=False)
    # What the function refers to is looked up when it is called back, and is no part of the program.
    runs_on_host: ClassVar[bool] = True

    def __call__(self, x: Array) -> Array:
        """Scores ``(batch, classes)`` of a batch ``(batch, *event)``."""
        if not _check.is_traced(x):
            return jnp.asarray(self._scores(np.array(x)))
        # Find a function that does not fit here, before the program exists.
        self._scores(np.zeros(x.shape, x.dtype))
        # An exception on one device of a mesh would leave the others waiting for it.
        keep = bool(jax.sharding.get_abstract_mesh().manual_axes)
        scores = jax.lax.platform_dependent(
            x,
            cpu=functools.partial(_call_in_place, self, x.ndim, keep=keep),
            default=functools.partial(_call_from_device, self, x.ndim, keep=keep),
        )
        # A callback forgets along which mesh axes the batch differs; this costs nothing and says so again.
        return jnp.where(jnp.any(x != x) & False, 0, scores)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what the function returns for one event."""
        return self.num_classes if isinstance(self.num_classes, tuple) else (self.num_classes,)

    def _scores(self, x: np.ndarray) -> np.ndarray:
        """The function's scores as float32 with the same winners, or its numbers; their shape checked."""
        if len(x) == 0:
            return np.zeros((0, *self.shape), np.float32)
        scores = self.fn(x)
        try:
            scores = np.asarray(scores)
            numeric = scores.dtype.kind in "biuf"
        except (TypeError, ValueError, RuntimeError):
            numeric = False
        if not numeric:
            raise TypeError(
                f"fn must return numbers as a NumPy array; got {type(scores).__name__}. "
                "Return .detach().cpu().numpy() of a PyTorch tensor"
            )
        if scores.shape != (len(x), *self.shape):
            raise ValueError(
                f"fn must return scores of shape (batch, num_classes) = {(len(x), *self.shape)} "
                f"for a batch of shape {x.shape}; got {scores.shape}"
            )
        if not self.numbers:
            return as_float32(scores, from_best=self.from_best)
        with np.errstate(over="ignore"):
            return scores.astype(np.float32)


def with_numbers(classify: Any) -> Any:
    """The classifier, of whose Python functions the numbers are used as they are."""
    is_python = lambda node: isinstance(node, PythonClassifier)
    keep = lambda node: dataclasses.replace(node, numbers=True) if is_python(node) else node
    return jax.tree.map(keep, classify, is_leaf=is_python)


def with_differences(classify: Any) -> Any:
    """The classifier, which tells how far its scores are from the largest if they are those of a Python function.

    In float32 close scores of more bits may lie a whole rounding apart. Where more is made of them they are left alone.
    """
    if isinstance(classify, PythonClassifier):
        return dataclasses.replace(classify, from_best=True)
    if getattr(classify, "scores_are_of_classify", False):
        return dataclasses.replace(classify, classify=with_differences(classify.classify))
    return classify


def from_callable(
    fn: Callable[[np.ndarray], Any], num_classes: int | Sequence[int], *, numbers: bool = False
) -> PythonClassifier:
    """Any Python function as a classifier: scikit-learn, PyTorch, a remote service.

    It is called on the host with NumPy arrays, from inside ``jit``, loops, ``vmap`` and ``shard_map``, on
    one device or many. It has no gradient. While a program is traced the function is called once with
    zeros of the batch's shape, to check what it returns.

    The largest of its own scores wins, in the precision in which it returns them; ties go to the lowest class. JAX
    sees float32 scores with the same winners: rounded, or, in rows whose winner rounding would change, the differences
    from the largest; under ``with_margin`` always these. ``certify_values``, denoisers and
    ``soft(from_probabilities=True)`` use numbers as they are, rounded to float32; give ``numbers=True`` where more is
    made of them on the way, or where there is one a row.

    An exception of ``fn`` reaches the caller of every jaxsmooth function as it was raised. In a compiled program of
    your own it becomes a ``JaxRuntimeError`` with its text; in your own ``shard_map`` or ``pmap``, where it would leave
    the other devices waiting, it is logged, and the scores of the batch are NaN, which vote for nobody.

    Args:
        fn: NumPy float32 ``(batch, *event)`` to scores ``(batch, num_classes)``, larger is likelier. It must
            be pure, may be called from several threads, and must not itself use JAX.
        num_classes: how many columns it returns, at least 2; a shape, ``(*outputs, classes)``, for more axes.
        numbers: whether they are numbers, used as they are, and no scores, of which the largest counts.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, num_classes)`` without leaves; float32 scores.

    Raises:
        TypeError: if ``fn`` is not callable or not hashable, or ``num_classes`` is no integer; on use, if it
            does not return numbers.
        ValueError: if ``num_classes`` is below 2; on use, if the scores have another shape.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.interop
        >>> from sklearn.linear_model import LogisticRegression
        >>> model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0, 1, 2])
        >>> classify = jaxsmooth.interop.from_callable(model.predict_proba, 3)
        >>> classify(jnp.ones((5, 2))).shape
        (5, 3)
    """
    if not callable(fn):
        raise TypeError(f"fn must be callable, NumPy to NumPy; got {type(fn).__name__}")
    check_static("fn", fn)
    numbers = _check.boolean("numbers", numbers)
    return PythonClassifier(opaque(fn), _shape("num_classes", num_classes, 1 if numbers else 2), numbers=numbers)


def _shape(name: str, value: Any, least: int) -> int | tuple[int, ...]:
    """A number of scores, or a shape that ends with it."""
    if not isinstance(value, tuple | list):
        return _check.integer(name, value, at_least=least)
    if not value and least > 1:
        raise ValueError(f"{name} must be a number or a shape (*outputs, classes); got {value!r}")
    shape = tuple(_check.integer(name, size, at_least=1) for size in value)
    return (*shape[:-1], _check.integer(name, shape[-1], at_least=least)) if shape else shape


def _call_in_place(classifier: PythonClassifier, ndim: int, x: Array, *, keep: bool = False) -> Array:
    """On a CPU: read the batch where it lies.

    ``jax.pure_callback`` copies it with JAX first, and waits for a thread pool that the program itself
    occupies: with two devices and large batches neither goes on.
    """

    callback = _InPlace(classifier, ndim, keep)
    return buffer_callback(callback, _result(classifier, x), vmap_method="broadcast_all")(x)


def _call_from_device(classifier: PythonClassifier, ndim: int, x: Array, *, keep: bool = False) -> Array:
    """On an accelerator: the batch travels to the host and the scores travel back."""
    callback = _FromDevice(classifier, ndim, keep)
    return jax.pure_callback(callback, _result(classifier, x), x, vmap_method="broadcast_all")


@dataclasses.dataclass(frozen=True, repr=False)
class _Callback:
    """What a program calls: equal ones are one program."""

    classifier: PythonClassifier
    ndim: int
    keep: bool


class _InPlace(_Callback):
    def __call__(self, context: Any, out: Any, batch: Any) -> None:
        # A copy, because the buffer is reused and must not outlive the call, nor be written to.
        np.asarray(out)[...] = _flat_scores(self.classifier, self.ndim, np.asarray(batch).copy(), self.keep)


class _FromDevice(_Callback):
    def __call__(self, batch: Any) -> np.ndarray:
        return _flat_scores(self.classifier, self.ndim, np.array(batch), self.keep)


def _result(classifier: PythonClassifier, x: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((x.shape[0], *classifier.shape), jnp.float32)


def _flat_scores(classifier: PythonClassifier, ndim: int, x: np.ndarray, keep: bool) -> np.ndarray:
    """Scores of a batch that ``vmap`` may have given leading axes; the function sees one batch axis."""
    lead = x.shape[: x.ndim - ndim + 1]
    flat = x.reshape(-1, *x.shape[x.ndim - ndim + 1 :])
    scores = _failures.guarded(classifier._scores, flat, classifier.shape, keep=keep)
    return scores.reshape(*lead, *classifier.shape)
