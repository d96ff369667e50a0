"""The classifiers of the benchmarks: Flax networks, the same layers in PyTorch to compare, and Python functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


class LeNet(nn.Module):
    """Two 5x5 convolutions and two dense layers, for 28x28x1: 431,080 parameters."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        for features in (20, 50):
            x = nn.relu(nn.Conv(features, (5, 5), padding="VALID")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Dense(500)(x.reshape(x.shape[0], -1)))
        return nn.Dense(10)(x)


class ResNet20(nn.Module):
    """Three stages of three basic blocks, for 32x32x3: 272,474 parameters."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        norm = lambda x: nn.BatchNorm(use_running_average=not train)(x)
        x = nn.relu(norm(nn.Conv(16, (3, 3), use_bias=False)(x)))
        for features, stride in ((16, 1), (32, 2), (64, 2)):
            for block in range(3):
                strides = (stride,) * 2 if block == 0 else (1, 1)
                y = nn.relu(norm(nn.Conv(features, (3, 3), strides, use_bias=False)(x)))
                y = norm(nn.Conv(features, (3, 3), use_bias=False)(y))
                if x.shape != y.shape:
                    x = norm(nn.Conv(features, (1, 1), strides, use_bias=False)(x))
                x = nn.relu(x + y)
        return nn.Dense(10)(x.mean((1, 2)))


class Linear(nn.Module):
    """One dense layer, for 8x8x1: 650 parameters."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(10)(x.reshape(x.shape[0], -1))


class MLP(nn.Module):
    """One hidden layer of 128, for 8x8x1: 9,610 parameters."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(10)(nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1))))


class SmallCNN(nn.Module):
    """The network of examples/quickstart.py, for 8x8x1."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(32, (3, 3), (2, 2))(nn.relu(nn.Conv(16, (3, 3))(x))))
        return nn.Dense(10)(nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1))))


NETWORKS: dict[str, tuple[nn.Module, tuple[int, int, int]]] = {
    "linear": (Linear(), (8, 8, 1)),
    "mlp": (MLP(), (8, 8, 1)),
    "cnn": (SmallCNN(), (8, 8, 1)),
    "lenet": (LeNet(), (28, 28, 1)),
    "resnet20": (ResNet20(), (32, 32, 3)),
}
IN_TORCH = ("lenet", "resnet20")  # these also exist in PyTorch
FUNCTIONS = ("forest", "torch_lenet")  # Python functions, not JAX


def python_function(name: str) -> tuple[Callable[[np.ndarray], np.ndarray], tuple[int, int, int]]:
    """A forest of 100 trees on digits, or LeNet in PyTorch, as a function of a NumPy batch; and the input's shape."""
    if name == "forest":
        from sklearn.datasets import load_digits
        from sklearn.ensemble import RandomForestClassifier

        images, labels = load_digits(return_X_y=True)
        forest = RandomForestClassifier(100, random_state=0).fit(images / 16, labels)
        return lambda x: forest.predict_proba(x.reshape(len(x), -1)), (8, 8, 1)
    import torch

    network = torch_network("lenet")

    def scores(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(np.array(x.transpose(0, 3, 1, 2)))).numpy()

    return scores, NETWORKS["lenet"][1]


def flax_classifier(name: str) -> tuple[Any, tuple[int, int, int]]:
    """The network with random weights as a pytree callable, and the shape of its input."""
    model, shape = NETWORKS[name]
    variables = model.init(jax.random.key(0), jnp.zeros((1, *shape)))
    return jax.tree_util.Partial(model.apply, variables), shape


def torch_network(name: str) -> Any:
    """The same network in PyTorch, evaluation mode."""
    import torch
    from torch.nn import functional

    class TorchLeNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolutions = torch.nn.ModuleList([torch.nn.Conv2d(1, 20, 5), torch.nn.Conv2d(20, 50, 5)])
            self.hidden, self.output = torch.nn.Linear(800, 500), torch.nn.Linear(500, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for convolution in self.convolutions:
                x = functional.max_pool2d(functional.relu(convolution(x)), 2)
            return self.output(functional.relu(self.hidden(x.flatten(1))))

    def convolution(inputs: int, features: int, size: int, stride: int) -> torch.nn.Module:
        return torch.nn.Sequential(
            torch.nn.Conv2d(inputs, features, size, stride, size // 2, bias=False), torch.nn.BatchNorm2d(features)
        )

    class Block(torch.nn.Module):
        def __init__(self, inputs: int, features: int, stride: int) -> None:
            super().__init__()
            self.first, self.second = convolution(inputs, features, 3, stride), convolution(features, features, 3, 1)
            same = inputs == features and stride == 1
            self.shortcut = torch.nn.Identity() if same else convolution(inputs, features, 1, stride)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.relu(self.shortcut(x) + self.second(functional.relu(self.first(x))))

    class TorchResNet20(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            blocks, inputs = [], 16
            for features, stride in ((16, 1), (32, 2), (64, 2)):
                for block in range(3):
                    blocks.append(Block(inputs, features, stride if block == 0 else 1))
                    inputs = features
            self.stem, self.blocks = convolution(3, 16, 3, 1), torch.nn.Sequential(*blocks)
            self.output = torch.nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output(self.blocks(functional.relu(self.stem(x))).mean((2, 3)))

    return {"lenet": TorchLeNet, "resnet20": TorchResNet20}[name]().eval()
