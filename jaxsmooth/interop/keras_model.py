"""Keras models on their JAX backend as classifiers."""

from typing import Any

from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array


class _Model:
    """A Keras model, of which nothing but itself is part of a program: its variables are passed to it."""

    __slots__ = ("model",)

    def __init__(self, model: Any) -> None:
        self.model = model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Model) and self.model is other.model

    def __hash__(self) -> int:
        return id(self.model)


@frozen_pytree
class KerasClassifier:
    """A Keras model in inference mode; made by ``from_keras``.

    Attributes:
        trainable: the values of its trainable variables.
        others: the values of the others, such as batch statistics.
        model: the model; static.
    """

    trainable: list[Any]
    others: list[Any]
    model: Any = static()

    def __call__(self, x: Array) -> Array:
        """Scores ``(batch, classes)`` of a batch ``(batch, *event)``."""
        scores, _ = self.model.model.stateless_call(self.trainable, self.others, x, training=False)
        return scores


def from_keras(model: Any) -> KerasClassifier:
    """A Keras model on the JAX backend as a classifier in inference mode.

    Its variables are data: after more training ``from_keras`` again gives a classifier that is not traced anew.

    Args:
        model: a built ``keras.Model`` that takes a batch and returns scores or probabilities.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, classes)``.

    Raises:
        ImportError: if Keras is not installed.
        TypeError: if ``model`` is no Keras model.
        ValueError: if Keras runs on another backend, or the model has no variables yet.

    Example:
        >>> import os, pytest
        >>> os.environ.setdefault("KERAS_BACKEND", "jax")
        'jax'
        >>> keras = pytest.importorskip("keras")
        >>> if keras.backend.backend() != "jax":
        ...     pytest.skip("another backend")
        >>> import jax.numpy as jnp, jaxsmooth as js
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> js.interop.from_keras(model)(jnp.ones((2, 4))).shape
        (2, 3)
    """
    try:
        import keras
    except ImportError as error:
        raise ImportError("from_keras needs Keras; install it with: pip install keras") from error
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model; got {type(model).__name__}")
    if keras.backend.backend() != "jax":
        raise ValueError(
            f"model must run on the JAX backend of Keras: set KERAS_BACKEND=jax before Keras is imported; it runs on "
            f"{keras.backend.backend()!r}. Or use from_callable(model.predict_on_batch, num_classes)"
        )
    if not model.built:
        raise ValueError("model must be built, so that its variables exist: call it once, or model.build(shape)")
    trainable, others = ([v.value for v in of] for of in (model.trainable_variables, model.non_trainable_variables))
    return KerasClassifier(trainable, others, _Model(model))
