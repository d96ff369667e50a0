"""A network that was trained to denoise, as a denoiser."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.denoisers.base import AbstractDenoiser, float32_in_words
from jaxsmooth.denoisers.fit import check_takes, checked_range
from jaxsmooth.interop.bare_models import in_evaluation_mode
from jaxsmooth.interop.python_callable import with_numbers


@frozen_pytree
class TrainedDenoiser(AbstractDenoiser):
    """A network of noisy images; made by ``trained``.

    Attributes:
        network: ``(batch, *event) -> (batch, *event)``; its weights are data if it is a pytree.
        sigma: of the noise that it was trained for; None for any.
        residual: whether the network returns the noise, which is then taken off; static.
        value_range: least and largest value of a coordinate; static.
        clip: whether the result is clipped to that range; static.
    """

    network: Callable[..., Array]
    sigma: Any = None
    residual: bool = static(default=False)
    value_range: tuple[float, float] = static(default=(0.0, 1.0))
    clip: bool = static(default=False)

    why: ClassVar[str] = "the training"
    for_any_noise: ClassVar[str] = "make the denoiser with sigma=None"

    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        """See ``AbstractDenoiser.__call__``."""
        output = self._asked(x, keys=keys)
        if getattr(output, "shape", None) != x.shape:
            raise ValueError(
                f"network must return the shape of its input, {x.shape}; it returned "
                f"{getattr(output, 'shape', type(output).__name__)}"
            )
        output = output.astype(jnp.float32)
        estimate = x - output if self.residual else output
        return jnp.clip(estimate, *self.value_range) if self.clip else estimate

    @property
    def expects_sigma(self) -> Any:
        """See ``AbstractDenoiser.expects_sigma``."""
        return self.sigma

    @property
    def setting_in_words(self) -> str:
        """See ``AbstractDenoiser.setting_in_words``."""
        sigma = "any" if self.sigma is None else float32_in_words(self.sigma)
        return f"trained(sigma={sigma}, residual={self.residual}, value_range={self.value_range}, clip={self.clip})"


def trained(
    network: Callable[..., Array],
    sigma: float | None,
    *,
    residual: bool = False,
    value_range: tuple[float, float] = (0.0, 1.0),
    clip: bool = False,
) -> TrainedDenoiser:
    """A network that was trained to denoise, with ``objectives.Denoise`` or elsewhere, as a denoiser.

    Args:
        network: noisy images to clean ones, ``(batch, *event) -> (batch, *event)``, in the units of the images. A
            pytree makes its weights data; ``interop.papers.dncnn`` is one.
        sigma: of the Gaussian noise that it was trained for; None for a network that takes any noise.
        residual: the network returns the noise instead, which is taken off its input.
        value_range: least and largest value of a coordinate of the images.
        clip: clip the result to that range.

    Returns:
        A ``TrainedDenoiser``, for ``denoised``.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Salman et al., "Denoised smoothing: a provable defense for pretrained classifiers", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> denoiser = js.denoisers.trained(lambda x: 0.8 * x, sigma=0.25)
        >>> classify = js.denoised(
        ...     denoiser, lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        ... )
        >>> js.certify(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.25), jnp.ones((1, 4)), n=1000
        ... ).label.tolist()
        [0]
    """
    if not callable(network):
        raise TypeError(f"network must be callable, noisy images to clean ones; got {type(network).__name__}")
    check_takes("network", network, 1, "take noisy images alone; with timesteps use denoisers.one_shot")
    if sigma is not None:
        _check.require_positive("sigma", sigma)
        sigma = float(sigma)
    network = with_numbers(in_evaluation_mode(network, "network"))
    return TrainedDenoiser(network, sigma, bool(residual), checked_range(value_range), bool(clip))
