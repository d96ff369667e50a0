"""ResNet-50 for ImageNet, as torchvision has it."""

import jax

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, batch_norm, conv, linear, max_pool
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes, classes_of

_STAGES = ((1, 3, 64, 1), (2, 4, 128, 2), (3, 6, 256, 2), (4, 3, 512, 2))


def shapes(classes: int) -> Shapes:
    """Names and shapes, in the order of PyTorch."""
    found: Shapes = {"conv1.weight": (64, 3, 7, 7), **batch_norm_shapes("bn1", 64)}
    width = 64
    for stage, blocks, features, _ in _STAGES:
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            kernels = ((width, features, 1), (features, features, 3), (features, 4 * features, 1))
            for i, (taken, given, size) in enumerate(kernels, start=1):
                found[f"{name}.conv{i}.weight"] = (given, taken, size, size)
                found |= batch_norm_shapes(f"{name}.bn{i}", given)
            if block == 0:
                found[f"{name}.downsample.0.weight"] = (4 * features, width, 1, 1)
                found |= batch_norm_shapes(f"{name}.downsample.1", 4 * features)
            width = 4 * features
    return found | {"fc.weight": (classes, width), "fc.bias": (classes,)}


def _forward(params: Params, x: Array) -> Array:
    x = jax.nn.relu(batch_norm(params, "bn1", conv(params, "conv1", x, stride=2, padding=3)))
    x = max_pool(x, 3, 2, padding=1)
    for stage, blocks, _, stride in _STAGES:
        for block in range(blocks):
            name, step = f"layer{stage}.{block}", stride if block == 0 else 1
            y = jax.nn.relu(batch_norm(params, f"{name}.bn1", conv(params, f"{name}.conv1", x)))
            y = jax.nn.relu(batch_norm(params, f"{name}.bn2", conv(params, f"{name}.conv2", y, stride=step, padding=1)))
            y = batch_norm(params, f"{name}.bn3", conv(params, f"{name}.conv3", y))
            if block == 0:
                x = batch_norm(params, f"{name}.downsample.1", conv(params, f"{name}.downsample.0", x, stride=step))
            x = jax.nn.relu(x + y)
    return linear(params, "fc", x.mean((1, 2)))


RESNET50 = Architecture(
    "resnet50", "conv1.weight", lambda found: shapes(classes_of(found, "fc")), _forward, sides=(224,)
)  # fmt: skip
