"""ResNet-110 for 32x32x3 and ResNet-50 for 224x224x3, random weights, in plain JAX and in PyTorch: nothing to install.

Normalisation is folded into a scale and a shift, as in a network at evaluation.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Convolution(NamedTuple):
    """One convolution: its size, features in and out, stride."""

    size: int
    inputs: int
    features: int
    stride: int


class Network(NamedTuple):
    """A residual network; a block is its convolutions and that of its shortcut, if there is one."""

    shape: tuple[int, int, int]
    classes: int
    stem: Convolution
    pool: bool
    blocks: tuple[tuple[tuple[Convolution, ...], Convolution | None], ...]


def basic(inputs: int, features: int, stride: int) -> tuple[tuple[Convolution, ...], Convolution | None]:
    """Two 3x3 convolutions."""
    body = (Convolution(3, inputs, features, stride), Convolution(3, features, features, 1))
    return body, None if inputs == features else Convolution(1, inputs, features, stride)


def bottleneck(inputs: int, features: int, stride: int) -> tuple[tuple[Convolution, ...], Convolution | None]:
    """1x1, 3x3 and 1x1 convolutions; the last has four times the features."""
    body = (
        Convolution(1, inputs, features, 1), Convolution(3, features, features, stride),
        Convolution(1, features, 4 * features, 1),
    )  # fmt: skip
    return body, None if inputs == 4 * features else Convolution(1, inputs, 4 * features, stride)


def _stages(block: Any, inputs: int, stages: list[tuple[int, int]], widen: int) -> Iterator[Any]:
    for stage, (features, number) in enumerate(stages):
        for i in range(number):
            yield block(inputs, features, 2 if stage and i == 0 else 1)
            inputs = widen * features


NETWORKS = {
    "resnet110": Network(
        (32, 32, 3), 10, Convolution(3, 3, 16, 1), False,
        tuple(_stages(basic, 16, [(16, 18), (32, 18), (64, 18)], 1)),
    ),
    "resnet50": Network(
        (224, 224, 3), 1000, Convolution(7, 3, 64, 2), True,
        tuple(_stages(bottleneck, 64, [(64, 3), (128, 4), (256, 6), (512, 3)], 4)),
    ),
    "tiny": Network((8, 8, 3), 10, Convolution(3, 3, 8, 1), False, tuple(_stages(basic, 8, [(8, 1), (16, 1)], 1))),
}  # fmt: skip


def jax_classifier(name: str, dtype: Any) -> jax.tree_util.Partial:
    """The network with random weights of this type; scores are float32."""
    network, rng = NETWORKS[name], np.random.default_rng(0)

    def weights(convolution: Convolution) -> dict[str, np.ndarray]:
        size, inputs, features, _ = convolution
        kernel = rng.standard_normal((size, size, inputs, features)) * np.sqrt(2 / (size * size * inputs))
        return {"kernel": kernel, "scale": np.ones(features), "shift": np.zeros(features)}

    tree = {
        "stem": weights(network.stem),
        "blocks": [
            {"body": [weights(c) for c in body], "shortcut": None if shortcut is None else weights(shortcut)}
            for body, shortcut in network.blocks
        ],
        "dense": rng.standard_normal((network.blocks[-1][0][-1].features, network.classes)) / 10,
    }
    return jax.tree_util.Partial(FORWARD[name], jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree))


def _convolved(weights: dict[str, jax.Array], x: jax.Array, convolution: Convolution) -> jax.Array:
    reach = convolution.size // 2
    x = jax.lax.conv_general_dilated(
        x, weights["kernel"], (convolution.stride,) * 2, [(reach, reach)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    return x * weights["scale"] + weights["shift"]


def _forward(network: Network, tree: dict[str, Any], x: jax.Array) -> jax.Array:
    x = jax.nn.relu(_convolved(tree["stem"], x.astype(tree["dense"].dtype), network.stem))
    if network.pool:
        lowest = np.array(-np.inf, x.dtype)
        x = jax.lax.reduce_window(x, lowest, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    for weights, (body, shortcut) in zip(tree["blocks"], network.blocks, strict=True):
        y = x
        for i, convolution in enumerate(body):
            y = _convolved(weights["body"][i], y, convolution)
            y = jax.nn.relu(y) if i + 1 < len(body) else y
        same = x if shortcut is None else _convolved(weights["shortcut"], x, shortcut)
        x = jax.nn.relu(same + y)
    return (x.mean((1, 2)) @ tree["dense"]).astype(jnp.float32)


def _named(name: str) -> Any:
    return lambda tree, x: _forward(NETWORKS[name], tree, x)


FORWARD = {name: _named(name) for name in NETWORKS}


def torch_classifier(name: str) -> Any:
    """The same network in PyTorch, evaluation mode, channels first."""
    import torch
    from torch import nn

    def convolution(size: int, inputs: int, features: int, stride: int) -> nn.Module:
        layer = nn.Conv2d(inputs, features, size, stride, size // 2, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(features))

    class Block(nn.Module):
        def __init__(self, body: tuple[Convolution, ...], shortcut: Convolution | None) -> None:
            super().__init__()
            self.body = nn.ModuleList([convolution(*c) for c in body])
            self.shortcut = nn.Identity() if shortcut is None else convolution(*shortcut)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x
            for i, layer in enumerate(self.body):
                y = layer(y)
                y = torch.relu(y) if i + 1 < len(self.body) else y
            return torch.relu(self.shortcut(x) + y)

    class Residual(nn.Module):
        def __init__(self, network: Network) -> None:
            super().__init__()
            self.stem = convolution(*network.stem)
            self.pool = nn.MaxPool2d(3, 2, 1) if network.pool else nn.Identity()
            self.blocks = nn.Sequential(*[Block(*block) for block in network.blocks])
            self.output = nn.Linear(network.blocks[-1][0][-1].features, network.classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output(self.blocks(self.pool(torch.relu(self.stem(x)))).mean((2, 3)))

    return Residual(NETWORKS[name]).eval()
