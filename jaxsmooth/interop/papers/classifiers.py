"""The papers' classifiers, each from the tensors of its checkpoint."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxsmooth.interop.papers.cifar_resnet import OPTION_A, RESNET20, RESNET110
from jaxsmooth.interop.papers.densenet import DENSENET40
from jaxsmooth.interop.papers.imagenet_resnet import RESNET50
from jaxsmooth.interop.papers.mnist_lenet import LENET
from jaxsmooth.interop.papers.network import Normalize, PaperNetwork, stored_statistics
from jaxsmooth.interop.papers.published import paper_network
from jaxsmooth.interop.papers.wide import WIDE_RESNET


def cifar_resnet20(
    state: Mapping[str, Any], normalize: Normalize = None, *, center_only: bool = False, dtype: Any = jnp.float32
) -> PaperNetwork:
    """ResNet-20 for 32x32 images, shortcuts by 1x1 convolutions.

    Args:
        state: see ``cifar_resnet110``.
        normalize: see ``cifar_resnet110``.
        center_only: see ``cifar_resnet110``.
        dtype: see ``cifar_resnet110``.

    Returns:
        A ``PaperNetwork`` of 272,474 parameters.

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.cifar_resnet import shapes
        >>> state = {
        ...     "1." + name: np.zeros(shape, np.float32)
        ...     for name, shape in shapes(3, 10).items()
        ... }
        >>> network = js.interop.papers.cifar_resnet20(state, normalize="cifar10")
        >>> network(np.zeros((2, 32, 32, 3), np.float32)).shape
        (2, 10)
    """
    return paper_network(RESNET20, state, normalize, center_only, dtype)


def cifar_resnet110(
    state: Mapping[str, Any], normalize: Normalize = None, *, center_only: bool = False, dtype: Any = jnp.float32
) -> PaperNetwork:
    """ResNet-110 for 32x32 images, shortcuts by 1x1 convolutions: of Cohen, Salman, Jeong and MACER.

    Args:
        state: names to arrays, as PyTorch saved them: what ``torch_state(path)`` or ``torch.load(path,
            weights_only=True)`` gives, from safetensors, or NumPy. Prefixes of ``Sequential`` and ``DataParallel`` are
            found.
        normalize: what images are normalised by inside the network: ``"cifar10"``, ``"imagenet"``, ``"none"``, or
            ``(mean, std)``. The file does not say.
        center_only: take off the mean alone, as some networks of Salman et al. do.
        dtype: what to compute in; anything but float32 is another classifier.

    Returns:
        A ``PaperNetwork`` of 1,730,714 parameters: a classifier of images in [0, 1].

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.cifar_resnet import shapes
        >>> state = {
        ...     "1.module." + name: np.zeros(shape, np.float32)
        ...     for name, shape in shapes(18, 10).items()
        ... }
        >>> js.interop.papers.cifar_resnet110(state, normalize="cifar10")
        PaperNetwork(cifar_resnet110, 557 arrays, 1,739,002 numbers, float32)
    """
    return paper_network(RESNET110, state, normalize, center_only, dtype)


def resnet110_a(state: Mapping[str, Any], *, dtype: Any = jnp.float32) -> PaperNetwork:
    """ResNet-110 of Yang et al. (rs4a): shortcuts without weights, channels padded with zeros on both sides.

    Args:
        state: see ``cifar_resnet110``; mean and standard deviation are in it.
        dtype: see ``cifar_resnet110``.

    Returns:
        A ``PaperNetwork`` of 1,727,962 parameters.

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.cifar_resnet import shapes_a
        >>> state = {
        ...     "model." + name: np.zeros(shape, np.float32)
        ...     for name, shape in shapes_a(18, 10).items()
        ... }
        >>> state |= {
        ...     "norm.mu": np.zeros(3, np.float32),
        ...     "norm.log_sig": np.zeros(3, np.float32),
        ... }
        >>> js.interop.papers.resnet110_a(state)(np.zeros((2, 32, 32, 3), np.float32)).shape
        (2, 10)
    """
    return paper_network(OPTION_A, state, stored_statistics(state), False, dtype)


def densenet40(
    state: Mapping[str, Any], normalize: Normalize = None, *, center_only: bool = False, dtype: Any = jnp.float32
) -> PaperNetwork:
    """DenseNet-40 with bottlenecks, growth 12, blocks joined by pooling alone.

    Args:
        state: names to arrays; see ``cifar_resnet110``.
        normalize: ``"cifar10"``, another name, or ``(mean, std)``; the file does not say.
        center_only: take off the mean alone.
        dtype: what to compute in; anything but float32 is another classifier.

    Returns:
        A ``PaperNetwork`` of 211,978 parameters: a classifier of images in [0, 1].

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.densenet import shapes
        >>> state = {
        ...     "1." + name: np.zeros(shape, np.float32) for name, shape in shapes(10).items()
        ... }
        >>> js.interop.papers.densenet40(state, normalize="cifar10")(
        ...     np.zeros((2, 32, 32, 3), np.float32)
        ... ).shape
        (2, 10)
    """
    return paper_network(DENSENET40, state, normalize, center_only, dtype)


def wide_resnet(state: Mapping[str, Any], *, dtype: Any = jnp.float32) -> PaperNetwork:
    """Wide ResNet 40-2 of Yang et al. (rs4a), without dropout.

    Args:
        state: names to arrays; see ``cifar_resnet110``. Mean and standard deviation are in it.
        dtype: what to compute in; anything but float32 is another classifier.

    Returns:
        A ``PaperNetwork`` of 2,243,546 parameters: a classifier of images in [0, 1].

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.wide import shapes
        >>> state = {
        ...     "model." + name: np.zeros(shape, np.float32)
        ...     for name, shape in shapes(10).items()
        ... }
        >>> state |= {
        ...     "norm.mu": np.zeros(3, np.float32),
        ...     "norm.log_sig": np.zeros(3, np.float32),
        ... }
        >>> js.interop.papers.wide_resnet(state)(np.zeros((2, 32, 32, 3), np.float32)).shape
        (2, 10)
    """
    return paper_network(WIDE_RESNET, state, stored_statistics(state), False, dtype)


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
    return paper_network(RESNET50, state, normalize, center_only, dtype)


def lenet(
    state: Mapping[str, Any], normalize: Normalize = "none", *, center_only: bool = False, dtype: Any = jnp.float32
) -> PaperNetwork:
    """LeNet for 28x28 images of one channel; not normalised by its authors.

    Args:
        state: names to arrays; see ``cifar_resnet110``.
        normalize: ``"none"``, ``"mnist"``, or ``(mean, std)``.
        center_only: take off the mean alone.
        dtype: what to compute in; anything but float32 is another classifier.

    Returns:
        A ``PaperNetwork`` of 431,080 parameters: a classifier of images in [0, 1].

    Raises:
        ValueError: if the tensors are not those of the network; the message names five of them.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.mnist_lenet import shapes
        >>> state = {name: np.zeros(shape, np.float32) for name, shape in shapes(10).items()}
        >>> js.interop.papers.lenet(state)(np.zeros((2, 28, 28, 1), np.float32)).shape
        (2, 10)
    """
    return paper_network(LENET, state, normalize, center_only, dtype)
