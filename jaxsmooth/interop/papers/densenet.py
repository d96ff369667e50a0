"""DenseNet-40 for 32x32 images: of Jeong and Shin."""

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, average_pool, batch_norm, conv, linear
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes, classes_of

_BLOCKS, _LAYERS, _GROWTH = 3, 6, 12


def shapes(classes: int) -> Shapes:
    """Names and shapes, in the order of PyTorch."""
    width, inner = 2 * _GROWTH, 4 * _GROWTH
    found: Shapes = {"features.conv0.weight": (width, 3, 3, 3)}
    for name in _layers():
        for part, taken, given, size in (("brc_1", width, inner, 1), ("brc_2", inner, _GROWTH, 3)):
            found |= batch_norm_shapes(f"{name}.{part}.norm", taken)
            found[f"{name}.{part}.conv.weight"] = (given, taken, size, size)
        width += _GROWTH
    found |= batch_norm_shapes("features.norm_last", width)
    return found | {"classifier.weight": (classes, width), "classifier.bias": (classes,)}


def _layers() -> list[str]:
    return [f"features.block{b}.layer{i}" for b in range(1, _BLOCKS + 1) for i in range(1, _LAYERS + 1)]


def _forward(params: Params, x: Array) -> Array:
    normed = lambda name, x: jax.nn.relu(batch_norm(params, name, x))
    x = conv(params, "features.conv0", x, padding=1)
    for i, name in enumerate(_layers()):
        if i and i % _LAYERS == 0:
            x = average_pool(x)
        y = conv(params, f"{name}.brc_1.conv", normed(f"{name}.brc_1.norm", x))
        y = conv(params, f"{name}.brc_2.conv", normed(f"{name}.brc_2.norm", y), padding=1)
        x = jnp.concatenate([x, y], -1)
    return linear(params, "classifier", normed("features.norm_last", x).mean((1, 2)))


DENSENET40 = Architecture(
    "densenet40", "features.conv0.weight", lambda found: shapes(classes_of(found, "classifier")), _forward
)  # fmt: skip
