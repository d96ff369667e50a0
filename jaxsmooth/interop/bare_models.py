"""Models passed as they are: wrapped in evaluation mode, or refused with the function that does it."""

import sys
from collections.abc import Callable
from typing import Any

from jaxsmooth._pytree import opaque
from jaxsmooth.interop.keras_model import from_keras
from jaxsmooth.interop.nnx import from_nnx, function_of_arrays
from jaxsmooth.interop.pytree_callable import holds_functions


def in_evaluation_mode(classify: Any, name: str = "classify") -> Any:
    """The classifier; of a bare model what can be called with a batch alone.

    Args:
        classify: a classifier, or a model of another library.
        name: what the caller calls it.

    Returns:
        A model of NNX or Keras as ``from_nnx`` and ``from_keras`` give it, anything else as it is; a callable that
        compares its fields, ``opaque``.

    Raises:
        TypeError: for a model that cannot be called with a batch alone.
    """
    if _is_a(classify, "flax.nnx", "Module"):
        # As it is it would train its batch statistics on the noise, or keep dropout on.
        return from_nnx(classify)
    if _is_a(classify, "flax.linen", "Module") and getattr(classify, "scope", None) is None:
        raise TypeError(
            f"{name} must be callable, not a Linen module without its variables; got {type(classify).__name__}. "
            "Use jaxsmooth.interop.from_linen(model, variables)"
        )
    owner = getattr(classify, "__self__", None)
    if _is_a(owner, "flax.linen", "Module") and getattr(classify, "__name__", "") == "apply":
        raise TypeError(
            f"{name} must take a batch alone; got {type(owner).__name__}.apply, which takes variables first. "
            "Use jaxsmooth.interop.from_linen(model, variables)"
        )
    if _is_a(classify, "torch.nn", "Module"):
        raise TypeError(
            f"{name} must be a function of JAX arrays; got the PyTorch module {type(classify).__name__}. Use "
            "jaxsmooth.interop.from_torch(model, num_classes) for scores of classes, for images and numbers "
            "jaxsmooth.interop.from_callable(fn, shape, numbers=True) of a function that calls it; of a published "
            "network jaxsmooth.interop.from_paper"
        )
    if _is_a(classify, "keras", "Model"):
        return from_keras(classify)
    if _is_a(classify, "equinox", "Module") and holds_functions(classify):
        raise TypeError(
            f"{name} must be a pytree of arrays; functions and flags are among the leaves of the Equinox module "
            f"{type(classify).__name__}. Use jaxsmooth.interop.from_equinox(model)"
        )
    if not callable(classify) and callable(getattr(classify, "predict_proba", None)):
        raise TypeError(
            f"{name} must be callable; got {type(classify).__name__}. Use "
            "jaxsmooth.interop.from_callable(lambda x: model.predict_proba(x.reshape(len(x), -1)), num_classes)"
        )
    return opaque(classify)


def function_in_evaluation_mode(fn: Callable[..., Any], name: str) -> Any:
    """A function of several arrays; an NNX model that is one, with dropout off and the stored batch statistics."""
    if _is_a(fn, "flax.nnx", "Module"):
        return function_of_arrays(fn)
    if _is_a(fn, "torch.nn", "Module"):
        raise TypeError(
            f"{name} must be a function of JAX arrays; got the PyTorch module {type(fn).__name__}, and what is called "
            "back takes a batch alone. Write the network in JAX; jaxsmooth.interop.torch_state reads the weights"
        )
    if _is_a(fn, "flax.linen", "Module") and getattr(fn, "scope", None) is None:
        raise TypeError(
            f"{name} must be a function, not a Linen module without its variables; got {type(fn).__name__}. Use "
            "jax.tree_util.Partial(model.apply, variables)"
        )
    return opaque(fn)


def _is_a(value: object, module: str, name: str) -> bool:
    """Whether this is an instance of a class of a package that may not be installed."""
    cls = getattr(sys.modules.get(module), name, None)
    return cls is not None and isinstance(value, cls)
