"""denoised: a classifier behind a denoiser."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax

from jaxsmooth import _check
from jaxsmooth._classifier import classified, subkeys
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, Classify, Noise
from jaxsmooth.denoisers.base import AbstractDenoiser
from jaxsmooth.denoisers.fit import check_takes
from jaxsmooth.interop.bare_models import in_evaluation_mode
from jaxsmooth.interop.python_callable import with_numbers

Method = Literal["nearest", "linear", "bilinear", "cubic", "bicubic", "lanczos3", "lanczos5"]
_INSTEAD = "of a diffusion network use denoisers.one_shot, of a function that draws jaxsmooth.randomized"


@frozen_pytree
class Denoised:
    """A denoiser, a change of size and a classifier; made by ``denoised``.

    Attributes:
        denoiser: noisy images to images.
        classify: images to scores.
        resize: height and width that the classifier wants; static.
        resize_method: how; static.
    """

    denoiser: Callable[..., Array]
    classify: Classify
    resize: tuple[int, int] | None = static(default=None)
    resize_method: Method = static(default="bicubic")

    scores_are_of_classify: ClassVar[bool] = True

    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        """Scores ``(batch, classes)`` of noisy images ``(batch, *event)``.

        Args:
            x: noisy images.
            keys: a typed key for each row, if denoiser or classifier take keys.

        Returns:
            The scores of the classifier.

        Raises:
            ValueError: for images that cannot be resized.
        """
        clean = classified(self.denoiser, x, subkeys(keys, 1))
        if self.resize is not None:
            if clean.ndim != 4:
                raise ValueError(f"resize needs images (batch, height, width, channels); got shape {clean.shape}")
            shape = (clean.shape[0], *self.resize, clean.shape[3])
            clean = jax.image.resize(clean, shape, self.resize_method, antialias=True)
        return classified(self.classify, clean, subkeys(keys, 2))

    @property
    def takes_keys(self) -> bool:
        """Whether denoiser or classifier take a key for every draw."""
        return any(getattr(part, "takes_keys", False) for part in (self.denoiser, self.classify))

    @property
    def expects_sigma(self) -> Any:
        """The sigma of the noise that the denoiser is for; None if any will do."""
        return getattr(self.denoiser, "expects_sigma", None)

    def check(self, noise: Noise, x: Any = None) -> None:
        """See ``AbstractDenoiser.check``; anything will do for a denoiser that is a function."""
        if hasattr(self.denoiser, "check"):
            self.denoiser.check(noise, x)  # pyright: ignore[reportFunctionMemberAccess]


def denoised(
    denoiser: Callable[..., Array],
    classify: Classify,
    resize: int | tuple[int, int] | None = None,
    resize_method: Method = "bicubic",
) -> Denoised:
    """A classifier behind a denoiser: an ordinary classifier, for noise that it was never trained on.

    Certificates hold whatever the denoiser is: it sees the noisy image alone, and is part of the function that is
    smoothed. It decides how often the classifier is right. A noise that is not the denoiser's is refused before any
    sampling. Gradients flow through both.

    Args:
        denoiser: noisy images to images of the same units: of ``jaxsmooth.denoisers``, or any function of a batch. One
            that draws random numbers is ``jaxsmooth.randomized``.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores, which normalises for itself.
        resize: the height and width that the classifier wants, one number or two; with antialiasing.
        resize_method: of ``jax.image.resize``; with ``"bicubic"`` as PyTorch's with ``antialias=True``.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, classes)``; weights of both are its leaves.

    Raises:
        TypeError: for arguments of the wrong kind.
        ValueError: for a size below 1 or another method.

    References:
        Salman et al., "Denoised smoothing: a provable defense for pretrained classifiers", 2020; Carlini et al.,
        "(Certified!!) adversarial robustness for free!", 2023.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> network = lambda x, t: x / 2  # predicts the noise
        >>> denoiser = js.denoisers.one_shot(
        ...     network, js.denoisers.schedule("linear", 1000), sigma=0.25
        ... )
        >>> classify = js.denoised(
        ...     denoiser, lambda batch: jnp.stack([batch.sum(-1) - 2, 2 - batch.sum(-1)], -1)
        ... )
        >>> js.certify(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.25), jnp.ones((1, 4)), n=1000
        ... ).label.tolist()
        [0]
    """
    for name, value in (("denoiser", denoiser), ("classify", classify)):
        if not callable(value):
            raise TypeError(f"{name} must be callable, of a batch (batch, *event); got {type(value).__name__}")
    if isinstance(classify, AbstractDenoiser):
        raise TypeError(
            f"classify must be a classifier; got {type(classify).__name__}. The denoiser comes first: "
            "jaxsmooth.denoised(denoiser, classify)"
        )
    check_takes("denoiser", denoiser, 1, f"take noisy images alone; {_INSTEAD}")
    if resize is not None:
        sides = resize if isinstance(resize, tuple | list) else (resize, resize)
        if len(sides) != 2:
            raise ValueError(f"resize must be one number or (height, width); got {resize!r}")
        resize = (_check.integer("resize", sides[0], at_least=1), _check.integer("resize", sides[1], at_least=1))
    _check.require_one_of("resize_method", resize_method, Method)
    # The pixels of a denoiser are numbers, none of which is a winner.
    denoiser, classify = with_numbers(in_evaluation_mode(denoiser, "denoiser")), in_evaluation_mode(classify)
    return Denoised(denoiser, classify, resize, resize_method)
