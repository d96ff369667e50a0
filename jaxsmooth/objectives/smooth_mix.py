"""SmoothMix: mix images with over-confident adversarial ones and ask for less confidence."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxsmooth import _check, _keys, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.objectives import balls
from jaxsmooth.objectives.attacks import Box, bounds, check_box, repeat, smooth_gradient, with_slope
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network
from jaxsmooth.objectives.schedules import at_step, check_scalar


@frozen_pytree
class SmoothMix(AbstractObjective):
    r"""Cross-entropy under noise, and a mix-up between images and their unrestricted adversarial examples.

    :math:`\tilde x` comes from steps along the smoothed gradient with the noise held fixed, in the box but in
    no ball. With u uniform on [0, 1/2] for each image, the mixture
    :math:`(1 - u) x_0 + u \tilde x` should be predicted as :math:`t = (1 - u) \bar p(x_0) + u / K`:

    .. math:: \frac1m \sum_i -\log p(y \mid x_0 + \delta_i) + \eta w\, 1[\arg\max \bar p = y]\,
        \frac1m \sum_i \mathrm{KL}(t \| p(x_{mix} + \delta_i))

    where :math:`x_0` is the image, or with ``one_step`` the first adversarial point, at most
    ``w * step_size`` away. The mixed pass gives the state ``aux.states["mixed"]``.

    Args:
        eta: weight of the mix-up, a number or a schedule.
        steps: of the attack; static.
        step_size: length of each, a number or a schedule.
        warmup: w, a number in [0, 1] or a schedule; published runs raise it from 0.1 to 1 over ten epochs.
        num_samples: noisy copies of every image; static.
        one_step: train at the first adversarial point; static.
        detach_target: keep gradients out of t; static. The published runs do not.
        norm: 1, 2 or ``np.inf``, that the steps are measured in; static.
        box: least and largest coordinate of an attacked image, or None; static.

    References:
        Jeong et al., "SmoothMix: training confidence-calibrated smoothed classifiers for certified robustness",
        2021.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply = lambda batch: batch @ jnp.eye(4, 3)
        >>> x, labels = jnp.full((2, 4), 0.5), jnp.array([0, 2])
        >>> loss, aux = js.objectives.SmoothMix(steps=2)(
        ...     jax.random.key(0), apply, js.noises.Gaussian(0.25), x, labels
        ... )
        >>> sorted(aux.terms)
        ['mixed', 'natural', 'right']
    """

    eta: Any = 5.0
    steps: int = static(default=4)
    step_size: Any = 1.0
    warmup: Any = 1.0
    num_samples: int = static(default=2)
    one_step: bool = static(default=True)
    detach_target: bool = static(default=False)
    norm: float = static(default=2)
    box: Box = static(default=(0.0, 1.0))

    def __post_init__(self) -> None:
        for name in ("eta", "step_size", "warmup"):
            check_scalar(name, getattr(self, name))
        _check.keep(self, steps=_check.integer("steps", self.steps, at_least=1))
        _check.keep(self, num_samples=_check.integer("num_samples", self.num_samples, at_least=1))
        _check.keep(self, norm=_check.norm(self.norm))
        check_box(self.box)

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        warmup = at_step(self.warmup, batch.step)
        start, adversarial = self._pair(network, batch, warmup)
        share = _keys.uniform(key, (len(start), *(1,) * (start.ndim - 1))) / 2
        logits, state = network.train(batch.around(start))
        mixed = (1 - share) * start + share * adversarial
        mixed_logits, mixed_state = network.train(batch.around(mixed))
        mean = jnp.exp(losses.log_mean_softmax(logits))
        weight = share.reshape(-1, 1)
        # Less confidence is more in all classes but those that the network masks.
        open_to = (~jnp.isneginf(logits).any(0)).astype(jnp.float32)
        target = (1 - weight) * mean + weight * open_to / open_to.sum(-1, keepdims=True)
        target = jax.lax.stop_gradient(target) if self.detach_target else target
        right = jnp.argmax(mean, -1).astype(jnp.int32) == batch.labels
        natural = losses.gaussian_cross_entropy(logits, batch.labels)
        divergence = jnp.where(right, losses.mixup_kl(mixed_logits, target), 0.0)
        total = natural + at_step(self.eta, batch.step) * warmup * divergence
        terms = {"natural": natural, "mixed": divergence, "right": right.astype(jnp.float32)}
        return total, measure(logits, batch.labels, terms, {"noisy": state, "mixed": mixed_state})

    def _pair(self, network: Network, batch: NoisyBatch, warmup: Array) -> tuple[Array, Array]:
        """Where the mixture starts and where it leads to, ``(batch, *event)``, without gradients."""
        apply, size = network.frozen(batch.copies), at_step(self.step_size, batch.step)
        norm, shape = _check.norm(self.norm), batch.x.shape
        flat = batch.x.reshape(len(batch.x), -1)
        low, high = bounds(flat, self.box)
        gradient = smooth_gradient(apply, shape, batch.labels, with_slope(batch.around, batch.x))

        def step(_: int | Array, point: Array) -> Array:
            return jnp.clip(point + size * balls.ascent(gradient(point), norm), low, high)

        first = step(0, flat)
        last = repeat(self.steps - 1, step, first)
        start = flat + balls.project(first - flat, warmup * size, norm) if self.one_step else flat
        return (
            jax.lax.stop_gradient(start.reshape(shape)),
            jax.lax.stop_gradient(last.reshape(shape)),
        )
