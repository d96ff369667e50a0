"""Training on noisy images: cross-entropy of every copy, or of the averaged prediction."""

from jaxsmooth import _check, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network


@frozen_pytree
class GaussianAugmentation(AbstractObjective):
    r"""Cross-entropy under noise, :math:`\frac1m \sum_i -\log p(y \mid x + \delta_i)`, of any noise.

    Args:
        num_samples: noisy copies of every image; static. The papers use 1.
        soft: the negative log likelihood of the averaged prediction instead; static.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019; ``soft``:
        "direct" training of Salman et al. 2019 and Yang et al. 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply = lambda batch: batch @ jnp.eye(4, 3)
        >>> objective = js.objectives.GaussianAugmentation()
        >>> x, labels = jnp.full((2, 4), 0.5), jnp.array([0, 2])
        >>> loss, aux = objective(jax.random.key(0), apply, js.noises.Gaussian(0.25), x, labels)
        >>> loss.shape, aux.predicted.sum().item()
        ((), 2)
    """

    num_samples: int = static(default=1)
    soft: bool = static(default=False)

    def __post_init__(self) -> None:
        _check.keep(self, num_samples=_check.integer("num_samples", self.num_samples, at_least=1))

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        logits, state = network.train(batch.copies)
        loss = losses.soft_smoothed_nll if self.soft else losses.gaussian_cross_entropy
        natural = loss(logits, batch.labels)
        return natural, measure(logits, batch.labels, {"natural": natural}, {"noisy": state})
