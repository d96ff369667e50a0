"""Flax Linen modules as classifiers."""

from collections.abc import Mapping
from typing import Any

from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.interop.evaluation import Arguments, check_static, evaluation_arguments


@frozen_pytree
class LinenClassifier:
    """A Linen module in evaluation mode; made by ``from_linen``.

    The variables are data, so ``dataclasses.replace(classifier, variables=new)`` never re-traces.

    Attributes:
        variables: the collections of the module, a pytree.
        model: the module; static.
        arguments: the keyword arguments of every call; static.
    """

    variables: Any
    model: Any = static()
    arguments: Arguments = static()

    def __call__(self, x: Array) -> Array:
        """Scores ``(batch, classes)`` of a batch ``(batch, *event)``."""
        return self.model.apply(self.variables, x, **dict(self.arguments))


def from_linen(model: Any, variables: Mapping[str, Any], **arguments: Any) -> LinenClassifier:
    """A Flax Linen module as a classifier in evaluation mode.

    ``train``, ``training``, ``deterministic`` or ``use_running_average`` are set for evaluation where the
    module's ``__call__`` takes them: dropout is off and batch statistics are the stored ones.

    Args:
        model: a Linen module whose ``__call__`` takes the batch first.
        variables: its collections, ``{"params": ...}`` with ``"batch_stats"`` and others as they come.
        **arguments: further keyword arguments of ``__call__``, static; they override the above.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, classes)``; the variables are its leaves.

    Raises:
        TypeError: if ``model`` is no Linen module, or its ``__call__`` does not fit the arguments.
        ValueError: if ``variables`` lacks the ``"params"`` collection.

    Example:
        >>> import flax.linen as nn, jax, jax.numpy as jnp, jaxsmooth.interop
        >>> model, x = nn.Dense(3), jnp.ones((2, 5))
        >>> classify = jaxsmooth.interop.from_linen(model, model.init(jax.random.key(0), x))
        >>> classify(x).shape
        (2, 3)
    """
    if isinstance(model, type) or not (callable(getattr(model, "apply", None)) and hasattr(model, "init_with_output")):
        raise TypeError(
            f"model must be a Flax Linen module (an instance); got {model!r}. "
            "For an NNX model use from_nnx, for any other function from_callable"
        )
    if not isinstance(variables, Mapping):
        raise TypeError(f"variables must be a mapping of collections; got {type(variables).__name__}")
    if variables and "params" not in variables:
        raise ValueError(
            f"variables must hold the collection 'params'; got {sorted(variables)}. "
            "Pass what model.init returned, or {'params': params}"
        )
    check_static("model", model)
    return LinenClassifier(variables, model, evaluation_arguments(type(model).__call__, arguments))
