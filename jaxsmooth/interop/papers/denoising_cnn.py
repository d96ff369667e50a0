"""DnCNN, the denoiser of Salman et al."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, batch_norm, conv
from jaxsmooth.interop.papers.network import Architecture, PaperNetwork
from jaxsmooth.interop.papers.state import Shapes, batch_norm_shapes

_LAYERS, _WIDTH = 17, 64


def dncnn(state: Mapping[str, Any], *, dtype: Any = jnp.float32) -> PaperNetwork:
    """DnCNN of 17 layers: a denoiser of images in [0, 1], of any size, for ``denoisers.trained``.

    Args:
        state: names to arrays; see ``cifar_resnet110``.
        dtype: what to compute in; anything but float32 is another denoiser.

    Returns:
        A ``PaperNetwork`` of 558,400 parameters, noisy images to clean ones: x - net(x).

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    References:
        Zhang et al., "Beyond a Gaussian denoiser", 2017; Salman et al., "Denoised smoothing", 2020.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.denoising_cnn import shapes
        >>> state = {
        ...     "module." + name: np.zeros(shape, np.float32)
        ...     for name, shape in shapes().items()
        ... }
        >>> denoiser = js.denoisers.trained(js.interop.papers.dncnn(state), sigma=0.25)
        >>> denoiser(np.ones((1, 8, 8, 3), np.float32)).max().item()
        1.0
    """
    return DNCNN.network(state, "none", False, dtype)


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
