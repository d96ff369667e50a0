"""Scales with published parameters."""

from jaxsmooth._types import ArrayLike
from jaxsmooth.scales.nearest import KNNScale


def mnist(reference: ArrayLike, sigma: float, *, rate: float = 0.01) -> KNNScale:
    """The neighbour scale for MNIST: 20 neighbours and offset 1.5, for which ``sigma`` is a floor of most images.

    Args:
        reference: the training images ``(references, 28, 28, 1)``, pixels in [0, 1].
        sigma: the scale at the offset; 0.12, 0.25 and 0.5 are usual. Compare with a constant sigma of the same
            mean, not with this number.
        rate: the semi-elasticity.

    Returns:
        A ``KNNScale``.

    Raises:
        ValueError: as ``KNNScale``.
        TypeError: as ``KNNScale``.

    References:
        Sukenik, Kuvshinov and Guennemann 2022; parameters as in the code of later work that uses the design.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.scales
        >>> js.scales.mnist(np.zeros((30, 28, 28, 1), np.float32), 0.25).offset
        1.5
    """
    return KNNScale(reference, sigma, rate, k=20, offset=1.5)


def cifar10(reference: ArrayLike, sigma: float, *, rate: float = 0.01) -> KNNScale:
    """The neighbour scale for CIFAR-10: 20 neighbours and offset 5, for which ``sigma`` is a floor of most images.

    Args:
        reference: the training images ``(references, 32, 32, 3)``, pixels in [0, 1].
        sigma: as in ``mnist``.
        rate: the semi-elasticity.

    Returns:
        A ``KNNScale``.

    Raises:
        ValueError: as ``KNNScale``.
        TypeError: as ``KNNScale``.

    References:
        As ``mnist``.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.scales
        >>> js.scales.cifar10(np.zeros((30, 32, 32, 3), np.float32), 0.25).offset
        5.0
    """
    return KNNScale(reference, sigma, rate, k=20, offset=5.0)
