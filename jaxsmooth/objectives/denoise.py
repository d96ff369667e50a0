"""Training a denoiser: to give the clean image back, or an image that a classifier answers as the clean one."""

from typing import Any, Literal

import jax.numpy as jnp

from jaxsmooth import _check, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network, frozen_logits

Kind = Literal["mse", "stab"]


@frozen_pytree
class Denoise(AbstractObjective):
    r"""The losses of denoised smoothing, for ``apply`` that maps noisy images to images, D.

    ``"mse"`` is :math:`\frac1d \|D(x + \delta) - x\|^2`. ``"stab"`` is the cross-entropy of a classifier f, which is
    not trained, :math:`-\log p_f(\hat y \mid D(x + \delta))` with :math:`\hat y = \arg\max f(x)`: no labels enter.
    Labels are used to measure alone. Published: train with ``"mse"``, then fine-tune with ``"stab"``.

    Args:
        classify: f, in evaluation mode; needed for ``"stab"``. With ``"mse"`` it is used to measure: without it
            ``aux.accuracy`` is NaN and ``aux.predicted`` empty.
        kind: ``"mse"`` or ``"stab"``; static.
        num_samples: noisy copies of every image; static.

    References:
        Salman et al., "Denoised smoothing: a provable defense for pretrained classifiers", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> denoise, x, labels = (
        ...     lambda batch: 0.8 * batch,
        ...     jnp.full((2, 4), 0.5),
        ...     jnp.array([0, 2]),
        ... )
        >>> loss, aux = js.objectives.Denoise()(
        ...     jax.random.key(0), denoise, js.noises.Gaussian(0.25), x, labels
        ... )
        >>> list(aux.terms), loss.shape
        (['mse'], ())
    """

    classify: Any = None
    kind: Kind = static(default="mse")
    num_samples: int = static(default=1)

    def __post_init__(self) -> None:
        _check.require_one_of("kind", self.kind, Kind)
        if self.classify is not None and not callable(self.classify):
            raise TypeError(f"classify must be callable, images to scores, or None; got {type(self.classify).__name__}")
        if self.classify is None and self.kind == "stab":
            raise ValueError("classify must be the classifier whose answers are to be kept, for kind='stab'; got None")
        _check.keep(self, num_samples=_check.integer("num_samples", self.num_samples, at_least=1))

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        images, state = network.images(batch.copies)
        states = {"noisy": state}
        error = jnp.square(images - batch.x[:, None]).mean(tuple(range(1, images.ndim)))
        if self.classify is None:
            nothing = jnp.zeros(0, jnp.int32)
            terms = {"mse": error.mean()}
            return error, Aux(terms, jnp.float32(jnp.nan), nothing, nothing, {} if state is None else states)
        logits = frozen_logits(self.classify, images)
        answers = jnp.argmax(frozen_logits(self.classify, batch.x[:, None])[0], -1)
        agreement = losses.gaussian_cross_entropy(logits, answers)
        aux = measure(logits, batch.labels, {"mse": error, "stab": agreement}, states)
        return (error if self.kind == "mse" else agreement), aux
