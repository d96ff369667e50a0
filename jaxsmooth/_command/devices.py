"""self-check and throughput: what the devices do."""

import argparse
import importlib
import math
import os
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxsmooth import noises
from jaxsmooth._verbs import self_check
from jaxsmooth.sampling.throughput import measure_throughput


def check_devices(options: argparse.Namespace) -> int:
    """Whether certificates made on these devices can be trusted."""
    del options
    found = self_check(mesh=_all_devices())
    print(found)
    return 0 if found.passed else 1


def throughput(options: argparse.Namespace) -> int:
    """Samples per second of a classifier of yours, or of a small network."""
    noise = getattr(noises, options.noise)(options.sigma)
    x = np.zeros((1, *options.shape), np.float32)
    classify = _small_network(options.shape) if options.classifier is None else _imported(options.classifier)
    key = jax.random.key(0)
    print(measure_throughput(key, classify, noise, x, batch_size=options.batch_size, mesh=_all_devices()))
    return 0


def _all_devices() -> jax.sharding.Mesh | None:
    return jax.make_mesh((jax.device_count(),), ("draws",)) if jax.device_count() > 1 else None


def _imported(name: str) -> Any:
    """What ``MODULE:NAME`` names, also of a module in the current folder."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"CLASSIFIER must be MODULE:NAME, such as my_model:classify; got {name!r}")
    sys.path.insert(0, os.getcwd())
    found = vars(importlib.import_module(module))
    if attribute not in found:
        raise ValueError(f"CLASSIFIER: the module {module} has no {attribute}; it has {', '.join(found)}")
    return found[attribute]


def _small_network(shape: Sequence[int]) -> jax.tree_util.Partial:
    """Dense layers of 1024 units."""
    keys = jax.random.split(jax.random.key(1), 3)
    sizes = (math.prod(shape), 1024, 1024, 10)
    weights = [
        jax.random.normal(key, size) / size[0] ** 0.5 for key, *size in zip(keys, sizes, sizes[1:], strict=False)
    ]

    def apply(weights: Sequence[jax.Array], x: jax.Array) -> jax.Array:
        x = x.reshape(len(x), -1)
        for w in weights[:-1]:
            x = jax.nn.relu(x @ w)
        return x @ weights[-1]

    return jax.tree_util.Partial(apply, weights)
