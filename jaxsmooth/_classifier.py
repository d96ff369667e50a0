"""How a classifier is called, with random keys if it takes them, and the parts of one that is made of several."""

from collections.abc import Callable
from typing import Any

import jax

from jaxsmooth import _keys
from jaxsmooth._types import Array


def classified(classify: Callable[..., Array], x: Array, keys: Array | None = None) -> Array:
    """The scores of a batch; a classifier that takes keys gets one for every row."""
    return classify(x, keys=keys) if takes_keys(classify) else classify(x)


def takes_keys(classify: object) -> bool:
    """Whether a classifier draws random numbers, from a key for every row of the batch."""
    return bool(getattr(classify, "takes_keys", False))


def subkeys(keys: Array | None, part: int) -> Array | None:
    """The keys of one of several parts of a classifier."""
    return None if keys is None else _keys.folded(keys, part)


def parts_with(tree: Any, attribute: str) -> list[Any]:
    """The outermost nodes of a tree that have an attribute, such as the denoiser of a classifier."""
    has = lambda node: hasattr(node, attribute)
    return [node for node in jax.tree.leaves(tree, is_leaf=has) if has(node)]
