"""A paper's network: weights as a pytree, the function of them, and the normalisation in front of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import transposed
from jaxsmooth.interop.papers.state import Shapes, below, misfit, tensors, without_counters

# Mean and standard deviation per channel that the papers' programs normalise by.
STATISTICS = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "mnist": ((0.1307,), (0.3081,)),
    "none": ((0.0,), (1.0,)),
}
Normalize = str | tuple[Any, Any] | None


@frozen_pytree
class PaperNetwork:
    """A network with its weights, a classifier or a denoiser; made by the functions of ``interop.papers``.

    Attributes:
        params: arrays by the names of the checkpoint, kernels as JAX has them; for fine-tuning see ``apply``.
        mean: what is taken off each channel.
        std: what each channel is divided by then.
        forward: ``(params, normalised images) -> scores``; static.
        sides: the heights and widths that it takes, None for any; static.
        channels: of the images; static.
        name: of the function that makes it; static.
        dtype: what it computes in; static.
    """

    params: dict[str, Any]
    mean: Any
    std: Any
    forward: Callable[..., Array] = static()
    sides: tuple[int, ...] | None = static()
    channels: int = static()
    name: str = static()
    dtype: Any = static(default=jnp.float32)

    def __call__(self, x: Array, *more: Array) -> Array:
        """Scores of images ``(batch, height, width, channels)`` in [0, 1], float32.

        Args:
            x: the images.
            *more: what the network takes beside images: of a diffusion model the timesteps.

        Returns:
            Scores; of a denoiser images.
        """
        return self.apply(self.params, x, *more)

    def apply(self, params: Mapping[str, Any], x: Array, *more: Array) -> Array:
        """The same with other weights, such as those that are being trained.

        Args:
            params: weights of the same names and shapes.
            x: images ``(batch, height, width, channels)``.
            *more: what the network takes beside images: of a diffusion model the timesteps.

        Returns:
            Scores, float32.

        Raises:
            ValueError: for images of another size or layout.
        """
        check_images(x, self.sides, self.channels)
        cast = lambda value: jnp.asarray(value, self.dtype)
        x = (cast(x) - cast(self.mean)) / cast(self.std)
        return self.forward(jax.tree.map(cast, dict(params)), x, *more).astype(jnp.float32)

    def __repr__(self) -> str:
        count = sum(int(np.prod(np.shape(value))) for value in self.params.values())
        return f"PaperNetwork({self.name}, {len(self.params)} arrays, {count:,} numbers, {self.dtype.__name__})"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What makes a network of tensors.

    Attributes:
        name: of the function that makes it.
        anchor: the name of its first tensor.
        shapes: the names and shapes of its tensors in the order of PyTorch, from those that were found.
        forward: ``(params, x) -> scores``.
        sides: the heights and widths it takes, None for any.
        channels: of its images.
        convert: PyTorch's layout to that of JAX.
    """

    name: str
    anchor: str
    shapes: Callable[[Mapping[str, np.ndarray]], Shapes]
    forward: Callable[..., Array]
    sides: tuple[int, ...] | None = (32,)
    channels: int = 3
    convert: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = transposed

    def found(self, named: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The tensors without the prefix of their network."""
        return below(named, self.anchor)

    def wanted(self, found: Mapping[str, np.ndarray]) -> Shapes:
        """What they should be."""
        return without_counters(self.shapes(found))

    def fits(self, named: Mapping[str, np.ndarray]) -> bool:
        """Whether the tensors are exactly those of this network."""
        found = self.found(named)
        return not misfit(found, self.wanted(found))


def checked_dtype(dtype: Any) -> Any:
    """Refuse what a network cannot compute in."""
    if dtype not in (jnp.float32, jnp.bfloat16, jnp.float16):
        raise ValueError(f"dtype must be float32, bfloat16 or float16 of jax.numpy; got {dtype!r}")
    return dtype


def statistics(normalize: Normalize, channels: int, center_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float32 ``(channels,)`` or ``(1,)``, as named or given."""
    choices = f"one of {', '.join(map(repr, STATISTICS))}, or (mean, standard deviation)"
    if normalize is None:
        raise ValueError(
            f"normalize must be {choices}: the checkpoint does not say what the network was trained with; got None"
        )
    if isinstance(normalize, str):
        if normalize not in STATISTICS:
            raise ValueError(f"normalize must be {choices}; got {normalize!r}")
        normalize = STATISTICS[normalize]
    if not (isinstance(normalize, tuple | list) and len(normalize) == 2):
        raise TypeError(f"normalize must be {choices}; got {normalize!r}")
    mean, std = (np.atleast_1d(_check.as_float64("normalize", value)).ravel() for value in normalize)
    if any(len(value) not in (1, channels) for value in (mean, std)) or not (std > 0).all():
        raise ValueError(f"normalize must have one positive number for each of {channels} channels; got {normalize!r}")
    return mean.astype(np.float32), np.ones_like(std, np.float32) if center_only else std.astype(np.float32)


def stored_statistics(state: Mapping[str, Any]) -> Normalize:
    """Mean and standard deviation in a file of rs4a."""
    named = tensors(state)
    missing = [name for name in ("norm.mu", "norm.log_sig") if name not in named]
    if missing:
        raise ValueError(f"state must hold the tensors of a network of rs4a; missing: {', '.join(missing)}")
    return named["norm.mu"].astype(np.float64), np.exp(named["norm.log_sig"].astype(np.float64))


def check_images(x: Array, sides: tuple[int, ...] | None, channels: int) -> None:
    """Refuse images of another layout or size."""
    shape = x.shape
    if len(shape) == 4 and shape[1] == channels != shape[3]:
        raise ValueError(
            f"x must be (batch, height, width, channels); got {shape}, channels first. Use x.transpose(0, 2, 3, 1)"
        )
    wrong_size = sides is not None and len(shape) == 4 and (shape[1] not in sides or shape[2] not in sides)
    if len(shape) != 4 or shape[3] != channels or wrong_size:
        size = "height, width" if sides is None else f"{sides[0]}, {sides[0]}"
        raise ValueError(f"x must have shape (batch, {size}, {channels}) for this network; got {shape}")
