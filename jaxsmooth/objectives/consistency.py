"""Consistency regularization of smoothed classifiers."""

from typing import Any

from jaxsmooth import _check, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.losses.consistency import Kind
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network
from jaxsmooth.objectives.schedules import at_step, check_scalar


@frozen_pytree
class Consistency(AbstractObjective):
    r"""Cross-entropy of noisy copies, their divergence from their average, and the average's entropy.

    .. math:: \frac1m \sum_i -\log p_i(y) + \lambda \frac1m \sum_i \mathrm{KL}(\bar p \| p_i) + \eta H(\bar p)

    A step costs ``num_samples`` times one of ``GaussianAugmentation()``. The published runs split a batch of
    256 into steps of ``256 / num_samples`` images, so that a step costs the same and there are more of them.

    A large weight can make the network forget classes, since the entropy rewards being sure of any: raise
    ``lam`` and ``eta`` over the first part of training with ``Ramp``, and watch ``class_collapse``.

    Args:
        lam: weight of the divergence, a number or a schedule.
        eta: weight of the entropy, a number or a schedule.
        num_samples: noisy copies m of every image, at least 2; static.
        kind: form of the regularizer, see ``jaxsmooth.losses.consistency``; static.

    References:
        Jeong and Shin, "Consistency regularization for certified robustness of smoothed classifiers", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply = lambda batch: batch @ jnp.eye(4, 3)
        >>> x, labels = jnp.full((2, 4), 0.5), jnp.array([0, 2])
        >>> objective = js.objectives.Consistency(
        ...     lam=js.objectives.Ramp(10.0, steps=1000), eta=0.5
        ... )
        >>> loss, aux = objective(
        ...     jax.random.key(0), apply, js.noises.Gaussian(0.25), x, labels, step=500
        ... )
        >>> sorted(aux.terms)
        ['divergence', 'entropy', 'natural']
    """

    lam: Any = 10.0
    eta: Any = 0.5
    num_samples: int = static(default=2)
    kind: Kind = static(default="decoupled")

    def __post_init__(self) -> None:
        check_scalar("lam", self.lam)
        check_scalar("eta", self.eta)
        _check.keep(self, num_samples=_check.integer("num_samples", self.num_samples, at_least=2))
        _check.require_one_of("kind", self.kind, Kind)

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        logits, state = network.train(batch.copies)
        lam, eta = at_step(self.lam, batch.step), at_step(self.eta, batch.step)
        total = losses.consistency(logits, batch.labels, lam, eta, kind=self.kind)
        terms = {
            "natural": losses.gaussian_cross_entropy(logits, batch.labels),
            "divergence": losses.consistency_kl(logits),
            "entropy": losses.mean_entropy(logits),
        }
        return total, measure(logits, batch.labels, terms, {"noisy": state})
