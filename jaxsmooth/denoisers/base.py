"""What every denoiser is: a network, the noise that it is for, and the range of the images it gives."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from jaxsmooth._types import Array, Noise
from jaxsmooth.denoisers.fit import check_images, check_noise


class AbstractDenoiser(abc.ABC):
    """Noisy images to images, by a network; subclasses are made with ``frozen_pytree``.

    They have ``network`` and ``value_range`` as their fields, and in words ``why``: what of them belongs to one noise,
    and ``for_any_noise``: what makes one that takes any.
    """

    network: Callable[..., Array]
    value_range: tuple[float, float]
    why: ClassVar[str]
    for_any_noise: ClassVar[str] = "let its expects_sigma be None"

    @abc.abstractmethod
    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        """Denoised images of noisy ones ``(batch, *event)``.

        Args:
            x: noisy images.
            keys: a typed key for each row, if the network takes keys.

        Returns:
            Images of the same shape.

        Raises:
            ValueError: if the network returns another shape.
        """

    @property
    @abc.abstractmethod
    def expects_sigma(self) -> Any:
        """The sigma of the noise that this denoiser is for; None if any will do."""

    @property
    @abc.abstractmethod
    def setting_in_words(self) -> str:
        """What ledgers write down of it, beside the digest of its weights; equal of equal settings alone."""

    @property
    def takes_keys(self) -> bool:
        """Whether the network takes a key for every draw."""
        return getattr(self.network, "takes_keys", False)

    def check(self, noise: Noise, x: Any = None) -> None:
        """Refuse another noise than the denoiser's; the verbs call it before any sampling.

        Args:
            noise: the noise that is to be denoised.
            x: images without noise, or None.

        Raises:
            ValueError: for another sigma, or images outside the range of values.
            TypeError: for a noise that is not Gaussian with one sigma.
        """
        check_noise(self.expects_sigma, noise, self.why, self.for_any_noise)
        check_images(self.value_range, x)

    def _asked(self, *given: Array, keys: Array | None) -> Any:
        """What the network returns."""
        return self.network(*given, **({} if keys is None else {"keys": keys}))


def float32_in_words(value: Any) -> str:
    """A number as it is used, wherever it lies: the same on one device and on a mesh."""
    return str(np.float32(np.asarray(value)))
