"""Flax NNX models as classifiers."""

from typing import Any

import jax

from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.interop.evaluation import Arguments, check_static, evaluation_arguments


@frozen_pytree
class NNXClassifier:
    """An NNX model in evaluation mode; made by ``from_nnx``.

    The state is data, so ``dataclasses.replace(classifier, state=new)`` never re-traces.

    Attributes:
        state: every variable of the model: weights, batch statistics, random streams.
        graphdef: the structure of the model; static.
        arguments: the keyword arguments of every call; static.
    """

    state: Any
    graphdef: Any = static()
    arguments: Arguments = static()

    def __call__(self, x: Array) -> Array:
        """Scores ``(batch, classes)`` of a batch ``(batch, *event)``."""
        from flax import nnx

        return nnx.merge(self.graphdef, self.state)(x, **dict(self.arguments))


@frozen_pytree
class NNXFunction:
    """An NNX model in evaluation mode as a function of whatever it takes."""

    state: Any
    graphdef: Any = static()
    arguments: Arguments = static()

    def __call__(self, *arrays: Array) -> Array:
        """What the model makes of them."""
        from flax import nnx

        return nnx.merge(self.graphdef, self.state)(*arrays, **dict(self.arguments))


def from_nnx(model: Any, **arguments: Any) -> NNXClassifier:
    """A Flax NNX model as a classifier in evaluation mode.

    Dropout is off and batch statistics are the stored ones; modules of your own are told so by their attributes
    ``deterministic`` and ``use_running_average``, as by ``model.eval()``. The model itself is not changed, and what
    happens to it later does not reach the classifier.

    Args:
        model: an ``nnx.Module`` whose ``__call__`` takes the batch first.
        **arguments: further keyword arguments of ``__call__``, static; ``train``, ``training``,
            ``deterministic`` and ``use_running_average`` are set for evaluation if not given.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, classes)``; every variable is a leaf.

    Raises:
        ImportError: if Flax is not installed.
        TypeError: if ``model`` is no NNX module, or its ``__call__`` does not fit the arguments.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth.interop
        >>> from flax import nnx
        >>> classify = jaxsmooth.interop.from_nnx(nnx.Linear(5, 3, rngs=nnx.Rngs(0)))
        >>> classify(jnp.ones((2, 5))).shape
        (2, 3)
    """
    try:
        from flax import nnx
    except ImportError as error:
        raise ImportError('from_nnx needs Flax; install it with: pip install "jaxsmooth[flax]"') from error
    if not isinstance(model, nnx.Module):
        raise TypeError(
            f"model must be an nnx.Module; got {type(model).__name__}. "
            "For a Linen module use from_linen, for any other function from_callable"
        )
    return NNXClassifier(*_in_evaluation(model, evaluation_arguments(type(model).__call__, arguments)))


def function_of_arrays(model: Any) -> NNXFunction:
    """An NNX model of several arrays, such as keys or timesteps and a batch, in evaluation mode."""
    return NNXFunction(*_in_evaluation(model, evaluation_arguments(type(model).__call__, {}, inputs=None)))


def _in_evaluation(model: Any, arguments: Arguments) -> tuple[Any, Any, Arguments]:
    """The state and the structure of a model in evaluation mode."""
    from flax import nnx

    # A view shares the variables but not the flags, so the caller's model keeps its training mode.
    modes = ("deterministic", "use_running_average")
    view = nnx.view(model, raise_if_not_found=False, **dict.fromkeys(modes, True))
    # Modules of users know no views, but are told by attributes, as by model.eval(): of their own or of their class.
    for _, module in nnx.iter_modules(view):
        for name in modes:
            if isinstance(vars(module).get(name, getattr(type(module), name, None)), bool):
                setattr(module, name, True)
    graphdef, state = nnx.split(view)
    check_static("model", graphdef)
    # New containers around the same arrays: an update of the model in place must not show here.
    return jax.tree.map(lambda leaf: leaf, state), graphdef, arguments
