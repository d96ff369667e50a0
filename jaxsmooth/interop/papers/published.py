"""The architectures of the papers, and the network that one of them makes of a checkpoint."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsmooth.interop.papers.cifar_resnet import OPTION_A, RESNET20, RESNET110
from jaxsmooth.interop.papers.denoising_cnn import DNCNN
from jaxsmooth.interop.papers.densenet import DENSENET40
from jaxsmooth.interop.papers.imagenet_resnet import RESNET50
from jaxsmooth.interop.papers.mnist_lenet import LENET
from jaxsmooth.interop.papers.network import Architecture, Normalize, PaperNetwork, checked_dtype, statistics
from jaxsmooth.interop.papers.state import check, tensors
from jaxsmooth.interop.papers.unet import UNETS
from jaxsmooth.interop.papers.wide import WIDE_RESNET

STORED = (OPTION_A, WIDE_RESNET)  # whose files hold mean and standard deviation
NOT_NORMALISED = (LENET, DNCNN, *UNETS)  # by their authors
DENOISERS = (DNCNN, *UNETS)  # whose output is an image
PUBLISHED = (RESNET110, RESNET20, RESNET50, DENSENET40, *STORED, *NOT_NORMALISED)


def paper_network(
    architecture: Architecture, state: Any, normalize: Normalize, center_only: bool, dtype: Any
) -> PaperNetwork:
    """The network of a checkpoint, whose tensors must be exactly those of the architecture."""
    named = tensors(state)
    found = architecture.found(named)
    check(found, architecture.wanted(found), architecture.name, lambda: _remedy(named))
    mean, std = statistics(normalize, architecture.channels, center_only)
    params = {name: jnp.asarray(value) for name, value in architecture.convert(found).items()}
    return PaperNetwork(
        params, mean, std, architecture.forward, architecture.sides, architecture.channels, architecture.name,
        checked_dtype(dtype),
    )  # fmt: skip


def _remedy(named: Mapping[str, np.ndarray]) -> str:
    fitting = [other.name for other in PUBLISHED if other.fits(named)]
    if fitting:
        return f"They are those of {fitting[0]}: use jaxsmooth.interop.papers.{fitting[0]}"
    return "jaxsmooth.interop.from_paper(state) finds the network that fits best"
