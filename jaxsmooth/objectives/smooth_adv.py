"""SmoothAdv: train any objective at the adversarial example of the smoothed classifier."""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.objectives.attacks import Box, check_box, smooth_ddn, smooth_pgd
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch
from jaxsmooth.objectives.denoise import Denoise
from jaxsmooth.objectives.gaussian_augmentation import GaussianAugmentation
from jaxsmooth.objectives.network import Network
from jaxsmooth.objectives.schedules import at_step, check_scalar

Attack = Literal["pgd", "ddn"]


@frozen_pytree
class SmoothAdv(AbstractObjective):
    r"""Another objective at the point that fools the smoothed classifier most within a ball.

    :math:`\hat x = \arg\max_{\|x' - x\| \le \epsilon} -\log \frac1m \sum_i p_y(x' + \delta_i)` is found with
    the very noise that the loss then uses, on the network in evaluation mode (``attack_apply``), without a
    gradient to the weights. ``SmoothAdv(objective=Consistency(1.0, 0.5, 4))`` is the published combination.

    Args:
        epsilon: radius of the ball, a number or a schedule. Published runs raise it
            by a tenth in each of the first ten epochs.
        steps: of the attack; static. DDN takes at least 2.
        objective: what is trained at :math:`\hat x`; its ``num_samples`` is also that of the attack.
        norm: 1, 2 or ``np.inf``; static.
        attack: ``"pgd"`` or ``"ddn"`` (l2 only); static.
        box: least and largest coordinate of an attacked image (before noise), or None; static.

    References:
        Salman et al., "Provably robust deep learning via adversarially trained smoothed classifiers", 2019; the
        combination: Jeong and Shin 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply = lambda batch: batch @ jnp.eye(4, 3)
        >>> x, labels = jnp.full((2, 4), 0.5), jnp.array([0, 2])
        >>> objective = js.objectives.SmoothAdv(epsilon=0.25, steps=2)
        >>> loss, aux = objective(jax.random.key(0), apply, js.noises.Gaussian(0.25), x, labels)
        >>> round(float(aux.terms["moved"]), 2)
        0.25
    """

    epsilon: Any = 1.0
    steps: int = static(default=10)
    objective: AbstractObjective = GaussianAugmentation(num_samples=4)
    norm: float = static(default=2)
    attack: Attack = static(default="pgd")
    box: Box = static(default=(0.0, 1.0))

    def __post_init__(self) -> None:
        check_scalar("epsilon", self.epsilon)
        # The first step of DDN tries the image itself.
        _check.keep(self, steps=_check.integer("steps", self.steps, at_least=2 if self.attack == "ddn" else 1))
        _check.keep(self, norm=_check.norm(self.norm))
        check_box(self.box)
        if not isinstance(self.objective, AbstractObjective):
            raise TypeError(f"objective must be one of jaxsmooth.objectives; got {self.objective!r}")
        if isinstance(self.objective, Denoise):
            raise ValueError(
                "objective must be of a network that returns logits, which the attack raises the loss of; got Denoise, "
                "whose network returns images. Train the denoiser without an attack"
            )
        _check.require_one_of("attack", self.attack, Attack)
        if self.attack == "ddn" and (self.norm != 2 or self.box is None):
            raise ValueError(
                f"attack='ddn' needs norm=2 and a box; got norm {self.norm!r} and box {self.box!r}. Use attack='pgd'"
            )

    @property
    def num_samples(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The noisy copies of the objective inside."""
        return self.objective.num_samples

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        point = self._attack(network, batch)
        losses, aux = self.objective.per_image(key, network, dataclasses.replace(batch, x=point))
        moved = jnp.linalg.norm((point - batch.x).reshape(len(point), -1), ord=self.norm, axis=-1)
        return losses, dataclasses.replace(aux, terms={**aux.terms, "moved": moved.mean()})

    def _attack(self, network: Network, batch: NoisyBatch) -> Array:
        apply, epsilon = network.frozen(batch.copies), at_step(self.epsilon, batch.step)
        problem = (apply, batch.x, batch.labels, batch.around if batch.delta is None else batch.delta)
        if self.attack == "ddn":
            return smooth_ddn(*problem, epsilon=epsilon, steps=self.steps, box=self.box or (0.0, 1.0))
        return smooth_pgd(*problem, epsilon=epsilon, steps=self.steps, norm=self.norm, box=self.box)
