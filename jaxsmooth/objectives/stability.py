"""Stability training: predictions with and without noise, or under two noises, agree."""

from typing import Any, Literal

import jax.numpy as jnp

from jaxsmooth import _check, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network
from jaxsmooth.objectives.schedules import at_step, check_scalar

Kind = Literal["clean_noisy", "noisy_noisy"]


@frozen_pytree
class Stability(AbstractObjective):
    r"""Cross-entropy on the clean image, and of the noisy predictions against the clean one.

    ``"clean_noisy"`` is :math:`-\log p(y) + \lambda\, \mathrm{CE}(p, p(x + \delta))` with one clean and
    ``num_samples`` noisy passes. ``"noisy_noisy"`` has no clean pass:
    :math:`-\log p_1(y) + \lambda\, \mathrm{KL}(p_1 \| p_2)` with at least two noisy copies.

    With BatchNorm the two passes see different inputs and give two states, ``aux.states["clean"]`` and
    ``aux.states["noisy"]``; certification feeds noisy inputs only.

    Args:
        lam: weight of the agreement, a number or a schedule. Published: 2 for ``"clean_noisy"``, 6 for
            ``"noisy_noisy"``.
        num_samples: noisy copies of every image; the fewest there can be by default, 1 or 2; static.
        kind: which predictions agree; static.

    References:
        Li et al., "Certified adversarial robustness with additive noise", 2019, as in Jeong and Shin 2020;
        ``"noisy_noisy"``: Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply = lambda batch: batch @ jnp.eye(4, 3)
        >>> x, labels = jnp.full((2, 4), 0.5), jnp.array([0, 2])
        >>> loss, aux = js.objectives.Stability(lam=2.0)(
        ...     jax.random.key(0), apply, js.noises.Gaussian(0.25), x, labels
        ... )
        >>> sorted(aux.terms)
        ['agreement', 'natural']
    """

    lam: Any = 2.0
    num_samples: int | None = static(default=None)
    kind: Kind = static(default="clean_noisy")

    def __post_init__(self) -> None:
        check_scalar("lam", self.lam)
        _check.require_one_of("kind", self.kind, Kind)
        least = 1 if self.kind == "clean_noisy" else 2
        copies = least if self.num_samples is None else self.num_samples
        _check.keep(self, num_samples=_check.integer("num_samples", copies, at_least=least))

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        lam, states = at_step(self.lam, batch.step), {}
        if self.kind == "clean_noisy":
            clean, states["clean"] = network.train(batch.x[:, None])
        else:
            clean = None
        logits, states["noisy"] = network.train(batch.copies)
        weighted = lambda lam: (
            losses.noisy_stability(logits, batch.labels, lam)
            if clean is None
            else losses.stability(clean[0], logits, batch.labels, lam)
        )
        natural = losses.gaussian_cross_entropy(logits[:1] if clean is None else clean, batch.labels)
        total = weighted(lam)
        terms = {"natural": natural, "agreement": weighted(jnp.float32(1)) - natural}
        return total, measure(logits, batch.labels, terms, states)
