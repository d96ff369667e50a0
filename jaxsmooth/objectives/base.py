"""What every objective is: a frozen pytree; calling it draws the noise, runs the network and measures."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check, _keys
from jaxsmooth._noise import axes_of
from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth.noises.base import is_additive
from jaxsmooth.objectives.network import Network, check_labels


@frozen_pytree
class Aux:
    """What an objective measured beside its loss.

    Attributes:
        terms: the parts of the loss before their weights, and what else the objective measures, such as the
            fraction of active images; float32 scalars, means over all images, by name.
        accuracy: fraction of noisy copies that were classified as labelled; of one noise, not of the vote.
        predicted: int32 ``(classes,)``, how many noisy copies were classified as each class.
        labelled: int32 ``(classes,)``, how many noisy copies have each label.
        states: the state that ``apply`` returned in each training pass, by its name; empty without
            ``has_state``. Every objective has the pass ``"noisy"``, whose inputs are those that
            certification feeds; Stability has ``"clean"``, SmoothMix ``"mixed"``, CatRS ``"adversarial"``.
    """

    terms: Mapping[str, Array]
    accuracy: Array
    predicted: Array
    labelled: Array
    states: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class NoisyBatch:
    """A batch and the noise drawn for it.

    Attributes:
        x: float32 ``(batch, *event)``, the points the noise is added to.
        delta: float32 ``(batch, num_samples, *event)``; None of a noise with a ``perturb`` of its own.
        labels: integers ``(batch,)``.
        sigma: float32 ``(batch,)``, the sigma of the noise at each image.
        targets: float32 ``(batch, classes)`` or None.
        step: the training step.
        perturb: ``around`` of a noise with a ``perturb`` of its own, else None.
    """

    x: Array
    delta: Any
    labels: Array
    sigma: Array
    targets: Array | None
    step: Any
    perturb: Callable[[Array], Array] | None = None

    @property
    def copies(self) -> Array:
        """The noisy copies ``(batch, num_samples, *event)``; never clipped."""
        return self.around(self.x)

    def around(self, points: Array) -> Array:
        """The noisy copies of other points ``(batch, *event)`` under the same draws."""
        return points[:, None] + self.delta if self.perturb is None else self.perturb(points)


class AbstractObjective(abc.ABC):
    """A training objective; subclasses are made by ``jaxsmooth.frozen_pytree``.

    They define ``per_image`` and ``num_samples``.

    Numbers are data, so that a sweep does not re-trace; each may also be a callable of the step, such as an
    Optax schedule, which is part of the program and is called with the traced step. Integers and names that
    shape the program are static.
    """

    num_samples: Any

    @deliberate
    def __call__(
        self,
        key: Array,
        apply: Callable[[Array], Any],
        noise: Noise,
        x: ArrayLike,
        labels: ArrayLike,
        *,
        step: ArrayLike = 0,
        attack_apply: Classify | None = None,
        has_state: bool = False,
        share_dropout: bool = False,
        targets: ArrayLike | None = None,
    ) -> tuple[Array, Aux]:
        """The loss of a batch, averaged over its images; pure, and legal inside ``jit``, ``grad`` and ``vmap``.

        The noisy copies of an image stay together in the batch that ``apply`` sees, so a batch that is
        sharded over its images needs no communication but the sums of the loss, the gradient and BatchNorm.

        Args:
            key: a JAX random key; fold the step in.
            apply: the network in training mode, ``(batch, *event) -> (batch, classes)`` logits of any
                precision; with ``has_state``, ``(logits, state)``. It closes over the weights.
            noise: one of ``jaxsmooth.noises``, in the units of ``x``; with a sigma for each image
                ``GaussianAt(sigma)``, for training on the references of a ``KNNScale`` those of
                ``leave_one_out``, since an image is its own nearest reference.
            x: ``(batch, *event)``, floating point, without noise.
            labels: integers ``(batch,)``.
            step: the training step, which schedules are evaluated at; may be traced. Pass it wherever a number
                is a schedule, as in most presets: without it that stays at its first value, which is often 0.
            attack_apply: the network in evaluation mode, without a state, for objectives that attack; they
                use ``apply`` without it. No gradient reaches the weights through it.
            has_state: whether ``apply`` returns a state, such as BatchNorm statistics. The states come back
                in ``aux.states``, one for each training pass; the caller chooses which to go on with,
                usually ``aux.states["noisy"]``.
            share_dropout: run ``apply`` on every copy separately, under ``vmap`` with axis name ``"copies"``,
                so that a dropout key it closes over gives all copies of an image the same mask. BatchNorm
                must then be told ``axis_name="copies"``.
            targets: float ``(batch, classes)``, the probabilities that a teacher gives each class, such as its
                ``frequencies``; for ``CatRS``.

        Returns:
            ``(loss, aux)``: a float32 scalar and ``Aux``.

        Raises:
            ValueError: for shapes or values that do not fit; the message names the argument.
            TypeError: for arguments of the wrong kind.
        """
        network = Network(apply, attack_apply, has_state, share_dropout)
        if not callable(apply):
            raise TypeError(f"apply must be callable, (batch, *event) to (batch, classes); got {type(apply).__name__}")
        noise_key, rest_key = _keys.split(_check.typed_key(key))
        # A lattice noise knows its images while its sigma is the number that it was made with.
        x = jnp.asarray(_check.images_for(noise, x))
        batch = _noisy_batch(noise_key, _check.float32_noise(noise), x, labels, targets, self.num_samples, step)
        losses, aux = self.per_image(rest_key, network, batch)
        return losses.mean(), aux

    @abc.abstractmethod
    def per_image(self, key: Array, network: Network, batch: NoisyBatch) -> tuple[Array, Aux]:
        """The loss of every image, for noise that was already drawn.

        Args:
            key: for randomness other than the noise.
            network: the network.
            batch: images, labels and noise.

        Returns:
            ``(losses, aux)``: float32 ``(batch,)`` and ``Aux``.
        """


def measure(logits: Array, labels: Array, terms: Mapping[str, Array], states: Mapping[str, Any]) -> Aux:
    """The ``Aux`` of noisy logits, for an objective of one's own to return.

    Args:
        logits: ``(num_samples, batch, classes)``, of the copies that certification would feed.
        labels: integers ``(batch,)``.
        terms: the parts of the loss ``(batch,)``, by name.
        states: what ``network.train`` returned beside the logits, by the name of the pass; None is left out.

    Returns:
        The means of the terms, the accuracy, and counts of classes.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js
        >>> logits, labels = jnp.array([[[2.0, 1.0], [0.0, 3.0]]]), jnp.array([0, 0])
        >>> aux = js.objectives.measure(logits, labels, {"natural": jnp.array([1.0, 3.0])}, {})
        >>> (
        ...     float(aux.accuracy),
        ...     float(aux.terms["natural"]),
        ...     aux.predicted.tolist(),
        ...     aux.labelled.tolist(),
        ... )
        (0.5, 2.0, [1, 1], [2, 0])
    """
    samples, _, classes = logits.shape
    winner, labels = jnp.argmax(logits, -1).astype(jnp.int32), jnp.asarray(labels).astype(jnp.int32)
    ones = lambda labels: jax.nn.one_hot(labels, classes, dtype=jnp.int32).reshape(-1, classes)
    count = lambda labels: ones(labels).sum(0, dtype=jnp.int32)
    return Aux(
        terms={name: jnp.mean(value) for name, value in terms.items()},
        accuracy=jnp.mean(winner == labels[None], dtype=jnp.float32),
        predicted=count(winner),
        labelled=samples * count(labels),
        states={name: state for name, state in states.items() if state is not None},
    )


def _check_probabilities(targets: Array) -> None:
    """Refuse concrete counts and logits."""
    if _check.is_traced(targets) or not targets.is_fully_addressable:
        return
    values = np.asarray(targets, np.float64)
    if not ((values >= 0).all() and (np.abs(values.sum(-1) - 1) <= 0.01).all()):
        raise ValueError(
            "targets must be probabilities of the classes, at least 0 and with the sum 1 for each image; got "
            f"values from {values.min():.3g} to {values.max():.3g} with sums from {values.sum(-1).min():.3g} to "
            f"{values.sum(-1).max():.3g}. Make them of votes by jaxsmooth.objectives.frequencies"
        )


def _noisy_batch(
    key: Array,
    noise: Noise,
    x: Array,
    labels: ArrayLike,
    targets: ArrayLike | None,
    num_samples: int,
    step: ArrayLike,
) -> NoisyBatch:
    check_labels(labels, x)
    if targets is not None:
        targets = _check.float32("targets", targets)
        if targets.ndim != 2 or targets.shape[0] != x.shape[0]:
            raise ValueError(f"targets must have shape ({x.shape[0]}, classes); got {targets.shape}")
        _check_probabilities(targets)
    at_images, event = noise.at(x), x.shape[1:]
    keys = _keys.split(key, (x.shape[0], num_samples))
    if is_additive(at_images):
        # The noise by itself, which objectives may move.
        draw = lambda noise, keys: jax.vmap(lambda key: noise.sample(key, event))(keys)
        delta, perturb = jax.vmap(draw)(at_images, keys), None
    else:
        change = lambda noise, keys, x: jax.vmap(lambda key: noise.perturb(key, x))(keys)
        delta, perturb = None, lambda points: jax.vmap(change, (axes_of(at_images), 0, 0))(at_images, keys, points)
    return NoisyBatch(x, delta, jnp.asarray(labels).astype(jnp.int32), at_images.sigma, targets, step, perturb)
