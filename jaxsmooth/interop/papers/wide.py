"""Wide ResNet 40-2 for 32x32 images: of Yang et al."""

import jax

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, batch_norm, conv, linear
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes, classes_of

_STAGES = ((1, 32, 1), (2, 64, 2), (3, 128, 2))
_BLOCKS = 6


def shapes(classes: int) -> Shapes:
    """Names and shapes, in the order of PyTorch."""
    found: Shapes = {"conv1.weight": (16, 3, 3, 3)}
    width = 16
    for stage, features, _ in _STAGES:
        for block in range(_BLOCKS):
            name = f"block{stage}.layer.{block}"
            found |= batch_norm_shapes(f"{name}.bn1", width)
            found[f"{name}.conv1.weight"] = (features, width, 3, 3)
            found |= batch_norm_shapes(f"{name}.bn2", features)
            found[f"{name}.conv2.weight"] = (features, features, 3, 3)
            if width != features:
                found[f"{name}.convShortcut.weight"] = (features, width, 1, 1)
            width = features
    return {**found, **batch_norm_shapes("bn1", width), "fc.weight": (classes, width), "fc.bias": (classes,)}


def _forward(params: Params, x: Array) -> Array:
    normed = lambda name, x: jax.nn.relu(batch_norm(params, name, x))
    x = conv(params, "conv1", x, padding=1)
    for stage, _, stride in _STAGES:
        for block in range(_BLOCKS):
            name, step = f"block{stage}.layer.{block}", stride if block == 0 else 1
            active = normed(f"{name}.bn1", x)
            y = conv(params, f"{name}.conv1", active, stride=step, padding=1)
            y = conv(params, f"{name}.conv2", normed(f"{name}.bn2", y), padding=1)
            # Where widths differ the shortcut starts from the activated input.
            widens = f"{name}.convShortcut.weight" in params
            x = y + (conv(params, f"{name}.convShortcut", active, stride=step) if widens else x)
    return linear(params, "fc", normed("bn1", x).mean((1, 2)))


WIDE_RESNET = Architecture("wide_resnet", "conv1.weight", lambda found: shapes(classes_of(found, "fc")), _forward)
