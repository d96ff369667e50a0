"""The ResNets for 32x32 images: of Cohen et al., Salman et al. and Jeong and Shin, and the variant of Yang et al."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, batch_norm, conv, linear
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes, classes_of

_STAGES = ((1, 16, 1), (2, 32, 2), (3, 64, 2))


def shapes(blocks: int, classes: int) -> Shapes:
    """Names and shapes of a ResNet of 6 blocks + 2 layers."""
    found: Shapes = {"conv1.weight": (16, 3, 3, 3), **batch_norm_shapes("bn1", 16)}
    width = 16
    for stage, features, _ in _STAGES:
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            found |= _block(name, width, features)
            if width != features:
                found[f"{name}.downsample.0.weight"] = (features, width, 1, 1)
                found |= batch_norm_shapes(f"{name}.downsample.1", features)
            width = features
    return found | {"fc.weight": (classes, 64), "fc.bias": (classes,)}


def shapes_a(blocks: int, classes: int) -> Shapes:
    """The same of the variant without weights in its shortcuts."""
    complete = shapes(blocks, classes)
    return {name.replace("fc.", "linear."): shape for name, shape in complete.items() if "downsample" not in name}


def _block(name: str, width: int, features: int) -> Shapes:
    return {
        f"{name}.conv1.weight": (features, width, 3, 3),
        **batch_norm_shapes(f"{name}.bn1", features),
        f"{name}.conv2.weight": (features, features, 3, 3),
        **batch_norm_shapes(f"{name}.bn2", features),
    }


def _blocks(params: Mapping[str, Any]) -> int:
    """Blocks in each stage, counted by their names."""
    return sum(name.startswith("layer1.") and name.endswith(".conv1.weight") for name in params)


def _forward(params: Params, x: Array) -> Array:
    x = jax.nn.relu(batch_norm(params, "bn1", conv(params, "conv1", x, padding=1)))
    for stage, features, stride in _STAGES:
        for block in range(_blocks(params)):
            name, step = f"layer{stage}.{block}", stride if block == 0 else 1
            y = jax.nn.relu(batch_norm(params, f"{name}.bn1", conv(params, f"{name}.conv1", x, stride=step, padding=1)))
            y = batch_norm(params, f"{name}.bn2", conv(params, f"{name}.conv2", y, padding=1))
            x = jax.nn.relu(y + _shortcut(params, name, x, features, step))
    head = "fc" if "fc.weight" in params else "linear"
    return linear(params, head, x.mean((1, 2)))


def _shortcut(params: Params, name: str, x: Array, features: int, stride: int) -> Array:
    if x.shape[-1] == features:
        return x
    if f"{name}.downsample.0.weight" in params:
        return batch_norm(params, f"{name}.downsample.1", conv(params, f"{name}.downsample.0", x, stride=stride))
    more = (features - x.shape[-1]) // 2
    return jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (more, more)))


def _of_depth(depth: int) -> Architecture:
    wanted = lambda found: shapes((depth - 2) // 6, classes_of(found, "fc"))
    return Architecture(f"cifar_resnet{depth}", "conv1.weight", wanted, _forward)


RESNET20, RESNET110 = _of_depth(20), _of_depth(110)
OPTION_A = Architecture(
    "resnet110_a", "conv1.weight", lambda found: shapes_a(18, classes_of(found, "linear")), _forward
)  # fmt: skip
