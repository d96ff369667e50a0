"""CAT-RS: training that asks hard images for less and easy images for more."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check, _keys, losses
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, Votes
from jaxsmooth.losses.mixup import copies_kl
from jaxsmooth.objectives import balls
from jaxsmooth.objectives.attacks import repeat
from jaxsmooth.objectives.base import AbstractObjective, Aux, NoisyBatch, measure
from jaxsmooth.objectives.network import Network, stacked_logits
from jaxsmooth.objectives.schedules import at_step, check_scalar

Confidence = Literal["copies", "teacher"]


@frozen_pytree
class CatRS(AbstractObjective):
    r"""The easiest noisy copies of hard images, and the worst one of images whose copies are all right.

    The number :math:`\kappa` of copies to learn is Binomial(m, p), at least 1, with p the fraction of copies
    that are right (``"copies"``) or the teacher's frequency of the label (``"teacher"``):

    .. math:: \frac1m \sum_{k \le \kappa} \ell_{(k)}
        + \lambda\, 1[\kappa = m] \max_i \mathrm{KL}(\pi \| p(x + \delta'_i))

    Here :math:`\ell_{(k)}` are the cross-entropies in increasing order, :math:`\pi` the teacher's class
    frequencies (``targets``), and :math:`\delta'_i` the noise moved by at most epsilon to raise that
    divergence, with its mean and mean square restored after each step. Call it with ``targets=``, the
    ``frequencies`` of a teacher's votes on the images of the batch. The pass on the moved noise gives
    the state ``aux.states["adversarial"]``.

    Args:
        lam: weight of the second part, a number or a schedule.
        epsilon: l2 distance that the noise moves at most, a number or a schedule.
        steps: of that attack; static.
        num_samples: noisy copies of every image; static.
        confidence: where p comes from; static.

    References:
        Jeong et al., "Confidence-aware training of smoothed classifiers for certified robustness", 2023.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> apply, noise = lambda batch: batch @ jnp.eye(4, 3), js.noises.Gaussian(0.25)
        >>> x, labels = jnp.eye(3, 4), jnp.array([0, 1, 2])
        >>> targets = js.objectives.frequencies(
        ...     js.count_votes(jax.random.key(0), apply, noise, x, 100)
        ... )
        >>> loss, aux = js.objectives.CatRS()(
        ...     jax.random.key(1), apply, noise, x, labels, targets=targets
        ... )
        >>> sorted(aux.terms)
        ['kept', 'low', 'worst']
    """

    lam: Any = 1.0
    epsilon: Any = 1.0
    steps: int = static(default=4)
    num_samples: int = static(default=4)
    confidence: Confidence = static(default="copies")

    def __post_init__(self) -> None:
        check_scalar("lam", self.lam)
        check_scalar("epsilon", self.epsilon)
        _check.keep(self, steps=_check.integer("steps", self.steps, at_least=1))
        _check.keep(self, num_samples=_check.integer("num_samples", self.num_samples, at_least=1))
        _check.require_one_of("confidence", self.confidence, Confidence)

    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """See ``AbstractObjective.per_image``."""
        targets = batch.targets
        if targets is None:
            raise ValueError(
                "targets must be given to CatRS: a teacher's class frequencies (batch, classes), for example "
                "jaxsmooth.objectives.frequencies(jaxsmooth.count_votes(key, teacher, noise, x, 10_000))"
            )
        logits, state = network.train(batch.copies)
        if targets.shape != logits.shape[1:]:
            raise ValueError(
                f"targets must have shape {logits.shape[1:]}, a frequency for every class of apply; got {targets.shape}"
            )
        samples = self.num_samples
        if self.confidence == "copies":
            right = jnp.argmax(logits, -1).astype(jnp.int32) == batch.labels[None]
            confidence = jnp.mean(right, axis=0, dtype=jnp.float32)
        else:
            confidence = jnp.take_along_axis(targets, batch.labels[:, None], axis=-1)[:, 0]
        coins = _keys.uniform(key, (len(batch.x), samples)) < confidence[:, None]
        kept = jnp.maximum(coins.sum(-1, dtype=jnp.int32), 1)
        low = losses.lowest_cross_entropy(logits, batch.labels, kept)
        moved = self._moved_noise(network, batch, targets)
        moved_logits, moved_state = network.train(batch.x[:, None] + moved)
        worst = jnp.where(kept == samples, losses.worst_kl(moved_logits, targets), 0.0)
        total = low + at_step(self.lam, batch.step) * worst
        terms = {"low": low, "worst": worst, "kept": kept.astype(jnp.float32)}
        return total, measure(logits, batch.labels, terms, {"noisy": state, "adversarial": moved_state})

    @staticmethod
    def _added(batch: NoisyBatch) -> Array:
        """The noise that the attack moves."""
        if batch.delta is None:
            raise ValueError(
                "noise must add a sample for CatRS, which moves what is added; this one has a perturb of its own. "
                "Use another objective, such as SmoothMix"
            )
        return batch.delta

    def _moved_noise(self, network: Network, batch: NoisyBatch, targets: Array) -> Array:
        """The noise of every copy after the attack, ``(batch, num_samples, *event)``, without a gradient."""
        delta = self._added(batch)
        apply, shape = network.frozen(batch.copies), delta.shape
        rows = delta.reshape(shape[0] * shape[1], -1)
        mean, spread = rows.mean(-1, keepdims=True), rows.std(-1, keepdims=True)
        epsilon = at_step(self.epsilon, batch.step)

        def divergence(noise: Array) -> Array:
            return copies_kl(stacked_logits(apply, batch.x[:, None] + noise.reshape(shape)), targets).sum()

        def step(_: int | Array, noise: Array) -> Array:
            ahead = noise + 2 * epsilon / self.steps * balls.ascent(jax.grad(divergence)(noise), 2)
            ahead = rows + balls.project(ahead - rows, epsilon, 2)
            centred = ahead - ahead.mean(-1, keepdims=True)
            return mean + centred * (spread / balls.or_one(centred.std(-1, keepdims=True)))

        return jax.lax.stop_gradient(repeat(self.steps, step, rows).reshape(shape))


def frequencies(votes: Votes) -> np.ndarray:
    """A teacher's class frequencies from its votes, the ``targets`` of ``CatRS``.

    The published runs use 10,000 votes of a network trained with Gaussian noise of sigma 0.25 on every
    training image, for all sigmas.

    Args:
        votes: of ``count_votes``.

    Returns:
        float32 NumPy ``(images, classes)``; uniform for an image without a valid vote.

    Raises:
        TypeError: if these are no votes.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.objectives
        >>> js.objectives.frequencies(js.Votes(jnp.array([[3, 1]]), jnp.array([0]))).tolist()
        [[0.75, 0.25]]
    """
    if not isinstance(votes, Votes):
        raise TypeError(f"votes must be Votes, as from count_votes; got {type(votes).__name__}")
    counts = np.asarray(votes.counts, np.float64)
    valid = counts.sum(-1, keepdims=True)
    return np.where(valid > 0, counts / np.maximum(valid, 1), 1 / counts.shape[-1]).astype(np.float32)
