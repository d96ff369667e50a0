"""LeNet for MNIST: of Jeong and Shin."""

from collections.abc import Mapping

import jax
import numpy as np

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, conv, linear, max_pool, transposed
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes, classes_of


def shapes(classes: int) -> Shapes:
    """Names and shapes, in the order of PyTorch."""
    weights = {
        "conv1": (20, 1, 5, 5),
        "conv2": (50, 20, 5, 5),
        "fc1": (500, 800),
        "fc2": (classes, 500),
    }
    return {
        f"{name}.{part}": shape if part == "weight" else shape[:1]
        for name, shape in weights.items()
        for part in ("weight", "bias")
    }


def _convert(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PyTorch flattens channels first, so that the rows of the first dense layer are in another order here."""
    rows = found["fc1.weight"].reshape(-1, 50, 4, 4).transpose(0, 2, 3, 1).reshape(-1, 800)
    return transposed({**found, "fc1.weight": rows})


def _forward(params: Params, x: Array) -> Array:
    for name in ("conv1", "conv2"):
        x = max_pool(jax.nn.relu(conv(params, name, x)), 2, 2)
    x = jax.nn.relu(linear(params, "fc1", x.reshape(x.shape[0], -1)))
    return linear(params, "fc2", x)


LENET = Architecture(
    "lenet", "conv1.weight", lambda found: shapes(classes_of(found, "fc2")), _forward, sides=(28,), channels=1,
    convert=_convert,
)  # fmt: skip
