"""The network as an objective sees it: noisy copies in, stacked logits out, and a frozen view for attacks."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Array, Classify


@dataclasses.dataclass(frozen=True)
class Network:
    """What the caller said about the network.

    Attributes:
        apply: the training pass, ``(batch, *event) -> (batch, classes)``, or with ``has_state`` that and a state.
        attack_apply: the pass in evaluation mode, without a state.
        has_state: whether ``apply`` returns a state.
        share_dropout: whether ``apply`` runs under ``vmap`` over the noisy copies.
    """

    apply: Callable[[Array], Any]
    attack_apply: Classify | None
    has_state: bool
    share_dropout: bool

    def train(self, copies: Array) -> tuple[Array, Any]:
        """The training pass on ``(batch, num_samples, *event)``: logits ``(num_samples, batch, classes)``, state."""
        if self.share_dropout:
            logits, state = self._by_copy(copies)
            return _checked(logits, (copies.shape[1], copies.shape[0])), state
        logits, state = self._split(self.apply(_flat(copies)))
        return _stacked(logits, copies), state

    def images(self, copies: Array) -> tuple[Array, Any]:
        """The training pass of a denoiser on ``(batch, num_samples, *event)``: images of that shape, float32, state."""
        batch = _flat(copies)
        if self.share_dropout:
            images, state = self._by_copy(copies)
            if getattr(images, "ndim", 0) > 1:
                images = _flat(jnp.moveaxis(images, 0, 1))
        else:
            images, state = self._split(self.apply(batch))
        if not hasattr(images, "shape") or images.shape != batch.shape:
            raise ValueError(
                f"apply must map (batch, *event) to images of that shape; for {batch.shape} it returned "
                f"{getattr(images, 'shape', type(images).__name__)}"
            )
        return images.astype(jnp.float32).reshape(copies.shape), state

    def frozen(self, copies: Array) -> Classify:
        """The network for attacks on such copies: evaluation mode, weights without gradient, a flat batch in."""
        if self.attack_apply is None and self.has_state:
            raise ValueError(
                "attack_apply must be given with has_state=True: the attack runs in evaluation mode and leaves the "
                "state untouched. Pass the network with stored statistics and without dropout"
            )
        if self.attack_apply is None:
            return _without_gradient(self.apply, _flat(copies))
        attack_apply = self.attack_apply
        checked = lambda batch: _checked(attack_apply(batch), (len(batch),), "attack_apply")
        return _without_gradient(checked, _flat(copies))

    def _by_copy(self, copies: Array) -> tuple[Array, Any]:
        """One trace per copy: a key that apply closes over gives every copy the same masks. Copies come first."""
        axes = (0, None) if self.has_state else 0
        return self._split(jax.vmap(self.apply, in_axes=1, out_axes=axes, axis_name="copies")(copies))

    def _split(self, output: Any) -> tuple[Array, Any]:
        if self.has_state:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise TypeError(
                    f"apply must return (logits, state) with has_state=True; got {type(output).__name__}. "
                    "Leave has_state out for a network without a state"
                )
            return output
        if not hasattr(output, "shape"):
            raise TypeError(
                f"apply must return logits (batch, classes); got {type(output).__name__}. "
                "If it returns (logits, state), pass has_state=True"
            )
        return output, None


def check_labels(labels: Any, x: Array | np.ndarray) -> None:
    """Refuse what is not one class for each image; from shapes alone."""
    _check.refuse_masked("labels", labels)
    if not hasattr(labels, "dtype") or not jnp.issubdtype(labels.dtype, jnp.integer) or labels.shape != x.shape[:1]:
        raise ValueError(
            f"labels must be an integer array of shape {x.shape[:1]}, one class per image of x; got "
            f"{getattr(labels, 'dtype', type(labels).__name__)} of shape {getattr(labels, 'shape', None)}"
        )


def stacked_logits(apply: Classify, copies: Array) -> Array:
    """Logits ``(num_samples, batch, classes)`` of noisy copies ``(batch, num_samples, *event)``."""
    return _stacked(apply(_flat(copies)), copies)


def frozen_logits(apply: Classify, copies: Array) -> Array:
    """``stacked_logits`` of a network that is not trained."""
    return stacked_logits(_without_gradient(apply, _flat(copies)), copies)


def _without_gradient(apply: Classify, example: Array) -> Classify:
    """The network for batches like this one, with no gradient to its weights, also those that it closes over.

    They become arguments, so that the gradient of a loss can stop at them, and nothing is kept for the backward pass.
    """
    pure, weights = jax.closure_convert(lambda batch: apply(batch), example)
    weights = jax.lax.stop_gradient(weights)
    return lambda batch: pure(batch, *weights)


def _flat(copies: Array) -> Array:
    """Copies of an image stay together, so that the parts of a batch that is split over devices stay in place."""
    return copies.reshape(-1, *copies.shape[2:])


def _stacked(logits: Array, copies: Array) -> Array:
    logits = _checked(logits, (copies.shape[0] * copies.shape[1],))
    return jnp.moveaxis(logits.reshape(*copies.shape[:2], -1), 1, 0)


def _checked(logits: Array, lead: tuple[int, ...], name: str = "apply") -> Array:
    if not hasattr(logits, "shape") or logits.ndim != len(lead) + 1 or logits.shape[:-1] != lead:
        raise ValueError(
            f"{name} must map (batch, *event) to logits (batch, classes); for a batch of {lead[-1]} it returned "
            f"{getattr(logits, 'shape', type(logits).__name__)}"
        )
    return logits.astype(jnp.float32)
