"""DnCNN, the denoiser of Salman et al."""

import jax

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, batch_norm, conv
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes

_LAYERS, _WIDTH = 17, 64


def shapes() -> Shapes:
    """Names and shapes, in the order of PyTorch."""
    found: Shapes = {"dncnn.0.weight": (_WIDTH, 3, 3, 3), "dncnn.0.bias": (_WIDTH,)}
    for i in range(2, 3 * (_LAYERS - 2) + 2, 3):
        found[f"dncnn.{i}.weight"] = (_WIDTH, _WIDTH, 3, 3)
        found |= batch_norm_shapes(f"dncnn.{i + 1}", _WIDTH)
    return found | {f"dncnn.{3 * (_LAYERS - 2) + 2}.weight": (3, _WIDTH, 3, 3)}


def _forward(params: Params, x: Array) -> Array:
    y = jax.nn.relu(conv(params, "dncnn.0", x, padding=1))
    last = 3 * (_LAYERS - 2) + 2
    for i in range(2, last, 3):
        y = conv(params, f"dncnn.{i}", y, padding=1)
        y = jax.nn.relu(batch_norm(params, f"dncnn.{i + 1}", y, epsilon=1e-4))
    return x - conv(params, f"dncnn.{last}", y, padding=1)


DNCNN = Architecture("dncnn", "dncnn.0.weight", lambda found: shapes(), _forward, sides=None)
