"""Flax Linen and NNX behind one face, for ``train.py``: pure functions of weights and statistics."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import models
import models_nnx
from flax import nnx

import jaxsmooth as js


@dataclasses.dataclass(frozen=True)
class Functional:
    """A network as pure functions.

    Attributes:
        weights: what is trained, a pytree.
        statistics: BatchNorm's running averages, a pytree; empty for networks without.
        train: ``(weights, statistics, x) -> (logits, statistics)``.
        evaluate: ``(weights, statistics, x) -> logits`` with the running averages.
        classifier: ``(weights, statistics)`` to a pytree callable for ``js.certify``.
    """

    weights: Any
    statistics: Any
    train: Callable[..., tuple[jax.Array, Any]]
    evaluate: Callable[..., jax.Array]
    classifier: Callable[..., Any]


def linen_network(name: str, dataset: str, classes: int, shape: tuple[int, ...], seed: int, dtype: Any) -> Functional:
    """A network of ``models.py``."""
    model = models.network(name, dataset, classes, dtype)
    variables = jax.jit(model.init)(jax.random.key(seed), jnp.zeros((1, *shape)))
    collections = lambda weights, statistics: {"params": weights, "batch_stats": statistics}

    def train(weights, statistics, x):
        logits, new = model.apply(collections(weights, statistics), x, train=True, mutable=["batch_stats"])
        return logits, new.get("batch_stats", {})

    return Functional(
        variables["params"],
        variables.get("batch_stats", {}),
        train,
        lambda weights, statistics, x: model.apply(collections(weights, statistics), x),
        lambda weights, statistics: js.interop.from_linen(model, collections(weights, statistics)),
    )


def nnx_network(name: str, dataset: str, classes: int, shape: tuple[int, ...], seed: int, dtype: Any) -> Functional:
    """A network of ``models_nnx.py``."""
    model = models_nnx.network(name, dataset, classes, shape, nnx.Rngs(seed), dtype)
    graph, weights, statistics = nnx.split(model, nnx.Param, ...)

    def train(weights, statistics, x):
        model = nnx.merge(graph, weights, statistics)
        model.train()
        logits = model(x)
        return logits, nnx.split(model, nnx.Param, ...)[2]

    def evaluate(weights, statistics, x):
        model = nnx.merge(graph, weights, statistics)
        model.eval()
        return model(x)

    classifier = lambda weights, statistics: js.interop.from_nnx(nnx.merge(graph, weights, statistics))
    return Functional(weights, statistics, train, evaluate, classifier)


FRAMEWORKS = {"linen": linen_network, "nnx": nnx_network}
