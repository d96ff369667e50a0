"""MACER: training that maximizes the certified radius."""

from typing import Any

import jax.numpy as jnp

from jaxsmooth import _check, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network
from jaxsmooth.objectives.schedules import at_step, check_scalar


@frozen_pytree
class MACER(AbstractObjective):
    r"""Likelihood of the averaged prediction and a hinge on the margin, where the prediction is right.

    See ``jaxsmooth.losses.macer``. The margin is that of Gaussian smoothing; under other noise, with the same
    sigma, it is a surrogate. It is sensitive: ``lam`` is often ``Deferred`` until the first drop of the
    learning rate, and gradients are worth clipping.

    Args:
        lam: weight of the hinge, a number or a schedule.
        gamma: the margin that is enough, a number or a schedule.
        beta: inverse temperature of the margin, a number or a schedule.
        num_samples: noisy copies of every image; static.

    References:
        Zhai et al., "MACER: attack-free and scalable robust training via maximizing certified radius", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply = lambda batch: batch @ jnp.eye(4, 3)
        >>> x, labels = jnp.full((2, 4), 0.5), jnp.array([0, 2])
        >>> objective = js.objectives.MACER(lam=js.objectives.Deferred(12.0, start=1000))
        >>> loss, aux = objective(jax.random.key(0), apply, js.noises.Gaussian(0.25), x, labels)
        >>> sorted(aux.terms)
        ['active', 'hinge', 'natural']
    """

    lam: Any = 12.0
    gamma: Any = 8.0
    beta: Any = 16.0
    num_samples: int = static(default=16)

    def __post_init__(self) -> None:
        check_scalar("lam", self.lam)
        check_scalar("gamma", self.gamma, positive=True)
        check_scalar("beta", self.beta, positive=True)
        _check.keep(self, num_samples=_check.integer("num_samples", self.num_samples, at_least=1))

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        logits, state = network.train(batch.copies)
        lam, gamma, beta = (at_step(value, batch.step) for value in (self.lam, self.gamma, self.beta))
        total = losses.macer(logits, batch.labels, batch.sigma, lam, beta=beta, gamma=gamma)
        natural = losses.macer(logits, batch.labels, batch.sigma, 0.0, beta=beta, gamma=gamma)
        margin, active = losses.macer_margin(logits, batch.labels, beta=beta, gamma=gamma)
        terms = {
            "natural": natural,
            "hinge": batch.sigma / 2 * (gamma - margin),
            "active": active.astype(jnp.float32),
        }
        return total, measure(logits, batch.labels, terms, {"noisy": state})
