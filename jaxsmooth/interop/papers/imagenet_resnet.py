"""ResNet-50 for ImageNet, as torchvision has it."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, batch_norm, conv, linear, max_pool
from jaxsmooth.interop.papers.network import Architecture, Normalize, PaperNetwork
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes, classes_of

_STAGES = ((1, 3, 64, 1), (2, 4, 128, 2), (3, 6, 256, 2), (4, 3, 512, 2))


def resnet50(
    state: Mapping[str, Any], normalize: Normalize = None, *, center_only: bool = False, dtype: Any = jnp.float32
) -> PaperNetwork:
    """ResNet-50 (v1.5, stride in the 3x3 convolutions) for 224x224 images: of Cohen, Salman and Jeong.

    Args:
        state: names to arrays; see ``cifar_resnet110``.
        normalize: ``"imagenet"``, another name, or ``(mean, std)``; the file does not say.
        center_only: take off the mean alone, as the ImageNet networks of Salman et al. do.
        dtype: what to compute in; anything but float32 is another classifier.

    Returns:
        A ``PaperNetwork`` of 25,557,032 parameters: a classifier of images in [0, 1].

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.imagenet_resnet import shapes
        >>> state = {name: np.zeros(shape, np.float32) for name, shape in shapes(1000).items()}
        >>> len(js.interop.papers.resnet50(state, normalize="imagenet").params)
        267
    """
    return RESNET50.network(state, normalize, center_only, dtype)


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
