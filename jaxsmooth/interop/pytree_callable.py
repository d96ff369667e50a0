"""Callables that are pytrees, of Equinox, Haiku and others: their arrays are data, the rest is the program."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.interop.evaluation import check_static


@frozen_pytree
class PytreeClassifier:
    """A callable taken apart into arrays and program; made by ``from_pytree`` and ``from_equinox``.

    Attributes:
        arrays: its leaves that are arrays, None in place of the others.
        rest: its leaves that are none, None in place of arrays; static.
        structure: how they make the callable; static.
        vmap: whether it takes single examples; static.
    """

    arrays: tuple[Any, ...]
    rest: tuple[Any, ...] = static()
    structure: Any = static()
    vmap: bool = static(default=False)

    def __call__(self, x: Array) -> Array:
        """Scores ``(batch, classes)`` of a batch ``(batch, *event)``."""
        leaves = [rest if array is None else array for array, rest in zip(self.arrays, self.rest, strict=True)]
        model = jax.tree.unflatten(self.structure, leaves)
        return jax.vmap(model)(x) if self.vmap else model(x)


def from_pytree(model: Callable[[Array], Array], *, vmap: bool = False) -> PytreeClassifier:
    """A callable that is a pytree as a classifier: arrays among its leaves are data, everything else is the program.

    For modules that JAX can take apart but not compile as they are, because activations and flags are among their
    leaves: Equinox (see ``from_equinox``), Penzai, Treex, classes of your own. ``functools.partial(apply, params)`` is
    one, too, of any function of weights such as Haiku's: ``functools.partial(network.apply, params, None)``.

    Args:
        model: called with a batch; or with a single example if ``vmap``.
        vmap: whether it takes single examples.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, classes)``; other weights never re-trace.

    Raises:
        TypeError: if it is not callable, or a leaf that is no array cannot be hashed.

    Example:
        >>> import functools, jax.numpy as jnp, jaxsmooth as js
        >>> apply = lambda params, x, activation: activation(x @ params["w"])
        >>> model = functools.partial(apply, {"w": jnp.ones((4, 3))}, activation=jnp.tanh)
        >>> js.interop.from_pytree(model)(jnp.ones((2, 4))).shape
        (2, 3)
    """
    if not callable(model):
        raise TypeError(f"model must be callable, (batch, *event) to (batch, classes); got {type(model).__name__}")
    if isinstance(model, functools.partial) and not isinstance(model, jax.tree_util.Partial):
        model = jax.tree_util.Partial(model.func, *model.args, **model.keywords)
    leaves, structure = jax.tree.flatten(model)
    is_data = [isinstance(leaf, jax.Array | np.ndarray | np.generic) for leaf in leaves]
    rest = tuple(None if data else leaf for leaf, data in zip(leaves, is_data, strict=True))
    for leaf in rest:
        check_static("a leaf of model that is no array", leaf)
    check_static("the structure of model", structure)
    arrays = tuple(leaf if data else None for leaf, data in zip(leaves, is_data, strict=True))
    return PytreeClassifier(arrays, rest, structure, bool(vmap))


def from_equinox(model: Any, state: Any = None, *, vmap: bool = True) -> PytreeClassifier:
    """An Equinox module as a classifier in inference mode: dropout is off, batch statistics are the stored ones.

    Args:
        model: an ``equinox.Module`` that maps one example, an array of the shape of one image, to scores.
        state: its ``equinox.nn.State``, for a module that takes one and returns it beside the scores.
        vmap: False for a module that takes batches.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, classes)``; arrays of module and state are its leaves.

    Raises:
        TypeError: if ``model`` is no Equinox module, or holds what cannot be part of a program.
        ImportError: if Equinox is not installed.

    Example:
        >>> import pytest
        >>> equinox = pytest.importorskip("equinox")
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> model = equinox.nn.MLP(4, 3, 8, 1, key=jax.random.key(0))
        >>> js.interop.from_equinox(model)(jnp.ones((2, 4))).shape
        (2, 3)
    """
    try:
        import equinox
    except ImportError as error:
        raise ImportError("from_equinox needs Equinox; install it with: pip install equinox") from error
    if not isinstance(model, equinox.Module):
        raise TypeError(
            f"model must be an equinox.Module; got {type(model).__name__}. For other pytrees use from_pytree"
        )
    model = equinox.nn.inference_mode(model)
    return from_pytree(model if state is None else _WithState(model, state), vmap=vmap)


@frozen_pytree
class _WithState:
    """A module that is called with a state, which is left as it is."""

    model: Any
    state: Any

    def __call__(self, x: Array) -> Array:
        return self.model(x, self.state)[0]


def holds_functions(model: object) -> bool:
    """Whether a pytree has leaves that are no arrays, with which it cannot be compiled as it is."""
    return not all(isinstance(leaf, jax.Array | np.ndarray | np.generic) for leaf in jax.tree.leaves(model))
