"""The papers' denoisers, each from the tensors of its checkpoint."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxsmooth.interop.papers.denoising_cnn import DNCNN
from jaxsmooth.interop.papers.network import PaperNetwork
from jaxsmooth.interop.papers.published import paper_network
from jaxsmooth.interop.papers.unet import CIFAR10, IMAGENET256, UNetSizes, architecture


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
    return paper_network(DNCNN, state, "none", False, dtype)


def unet_cifar(state: Mapping[str, Any], sizes: UNetSizes = CIFAR10, *, dtype: Any = jnp.float32) -> PaperNetwork:
    """The UNet of improved diffusion for CIFAR-10 (``cifar10_uncond_50M_500K.pt``).

    It takes images in [-1, 1] and timesteps of 4000 scaled to 1000, and returns the noise and, in three more channels,
    what ``denoisers.one_shot`` leaves out: use ``schedule("cosine", 4000)`` and ``time_scale=1000 / 4000``.

    Args:
        state: names to arrays; see ``cifar_resnet110``.
        sizes: of another model of the same kind.
        dtype: what to compute in; anything but float32 is another denoiser.

    Returns:
        A ``PaperNetwork`` of 52,546,438 parameters: ``(x, t)`` to ``(batch, height, width, 6)``.

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    References:
        Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", 2021.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.unet import UNetSizes, shapes
        >>> sizes = UNetSizes(32, 1, (1, 2), (2,), heads=4)
        >>> state = {name: np.zeros(shape, np.float32) for name, shape in shapes(sizes).items()}
        >>> network = js.interop.papers.unet_cifar(state, sizes)
        >>> js.denoisers.one_shot(
        ...     network, js.denoisers.schedule("cosine", 4000), 0.25, time_scale=0.25
        ... ).timestep
        289.5
    """
    return paper_network(architecture("unet_cifar", sizes), state, "none", False, dtype)


def unet_imagenet(
    state: Mapping[str, Any], sizes: UNetSizes = IMAGENET256, *, dtype: Any = jnp.float32
) -> PaperNetwork:
    """The UNet of guided diffusion for ImageNet, unconditional (``256x256_diffusion_uncond.pt``).

    It takes images in [-1, 1] and timesteps of 1000, and returns the noise and, in three more channels, what
    ``denoisers.one_shot`` leaves out: use ``schedule("linear", 1000)``.

    Args:
        state: names to arrays; see ``cifar_resnet110``.
        sizes: of another model of the same kind.
        dtype: what to compute in; anything but float32 is another denoiser.

    Returns:
        A ``PaperNetwork`` of 552,814,086 parameters: ``(x, t)`` to ``(batch, height, width, 6)``.

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    References:
        Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis", 2021.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.unet import UNetSizes, shapes
        >>> sizes = UNetSizes(32, 1, (1, 2), (2,), head_channels=32, block_resampling=True)
        >>> state = {name: np.zeros(shape, np.float32) for name, shape in shapes(sizes).items()}
        >>> network = js.interop.papers.unet_imagenet(state, sizes)
        >>> network(np.zeros((1, 8, 8, 3), np.float32), np.array([145])).shape
        (1, 8, 8, 6)
    """
    return paper_network(architecture("unet_imagenet", sizes), state, "none", False, dtype)
