"""soft: the class of a draw is drawn from the classifier's probabilities, instead of the largest score."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check, _keys
from jaxsmooth._classifier import classified, subkeys
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, Classify
from jaxsmooth.interop.bare_models import in_evaluation_mode
from jaxsmooth.interop.python_callable import with_numbers

# So that scores divided by it stay numbers of float32.
_LEAST, _LARGEST = 1e-30, 1e30
_OF_CHOICE, _OF_CLASSIFIER = 1, 2
# Probabilities may exceed 1 by rounding; more is no probability.
_ROUNDING = 1e-5


@frozen_pytree
class SoftClassifier:
    """A classifier whose classes are drawn; made by ``soft``.

    Attributes:
        classify: images to scores.
        temperature: what scores are divided by; data.
        from_probabilities: whether the scores are probabilities; static.
    """

    classify: Classify
    temperature: Any = 1.0
    from_probabilities: bool = static(default=False)

    takes_keys: ClassVar[bool] = True
    votes: ClassVar[str] = "soft"

    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        """Scores ``(batch, classes)`` of which the largest is drawn: log-probabilities plus Gumbel noise.

        Args:
            x: the batch.
            keys: a typed key for each row.

        Returns:
            float32 scores.

        Raises:
            TypeError: without keys.
            ValueError: if the classifier returns another shape.
        """
        if keys is None:
            raise TypeError(
                "js.soft draws a class and needs a key for each row: the verbs pass them on. To call it yourself give "
                "keys=jax.random.split(key, len(batch))"
            )
        scores = classified(self.classify, x, subkeys(keys, _OF_CLASSIFIER))
        if scores.ndim < 2:
            raise ValueError(f"classify must map (batch, *event) to (batch, classes); it returned shape {scores.shape}")
        shape = (*scores.shape[1:-1], scores.shape[-1] + 1)
        drawn = jax.vmap(lambda key: _gumbel(key, shape))(_keys.folded(keys, _OF_CHOICE))
        if self.from_probabilities:
            return _of_probabilities(scores.astype(jnp.float32), drawn)
        return _tempered(scores.astype(jnp.float32), self.temperature) + drawn[..., :-1]

    @property
    def votes_kind(self) -> str:
        """``"soft"``, with the temperature in words if it is not 1; see ``Votes.kind``."""
        if self.from_probabilities:
            return "soft(probabilities)"
        if _check.is_traced(self.temperature):
            return "soft(temperature=traced)"
        temperature = np.float32(self.temperature)
        return "soft" if temperature == 1 else f"soft(temperature={temperature})"


def soft(classify: Classify, temperature: float = 1.0, *, from_probabilities: bool = False) -> SoftClassifier:
    r"""A classifier for certificates of expected probabilities: each draw votes for a class drawn from its softmax.

    With F the softmax of scores / temperature, a vote is for class c with probability :math:`F_c(x + \delta)`, so that
    votes count :math:`G_c(x) = E\, F_c(x + \delta)`, the smoothed classifier that training objectives use. Bounds,
    radii, sequential tests, ledgers: everything holds as for hard votes, since the lemma behind each radius is about
    functions with values in [0, 1]. It is another smoothed classifier: ``Votes.kind``, ``Certificates.votes_kind``,
    logs and ledgers say so, and its votes are never added to hard ones. Radii are seldom larger than those of hard
    votes.

    A score of -inf has probability 0; NaN, nothing but -inf, and +inf twice vote for nobody.

    Args:
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores, or ``jaxsmooth.randomized``.
        temperature: positive, the same for all images and chosen before they are seen; towards 0 votes become hard.
        from_probabilities: the scores are probabilities, at least 0 and together at most 1; what is missing votes for
            nobody.

    Returns:
        A pytree callable for all verbs but ``certify_values`` and ``certify_exact``, with ``votes = "soft"``; weights
        and temperature are data.

    Raises:
        ValueError: for a temperature that is not positive and finite.
        TypeError: for arguments of the wrong kind.

    References:
        Salman et al., "Provably robust deep learning via adversarially trained smoothed classifiers", 2019, Lemma 2.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = js.soft(lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1))
        >>> certificates = js.certify(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), jnp.ones((1, 4)), n=1000
        ... )
        >>> certificates.label.tolist(), certificates.votes_kind
        ([0], 'soft')
    """
    if not callable(classify):
        raise TypeError(
            f"classify must be callable, (batch, *event) to (batch, classes); got {type(classify).__name__}"
        )
    if not _check.is_traced(temperature):
        value = _check.number("temperature", temperature)
        if not _LEAST <= value <= _LARGEST:
            raise ValueError(
                f"temperature must be positive and finite, within {_LEAST:g} and {_LARGEST:g}; got {value}. 0 is the "
                "hard vote: pass the classifier itself"
            )
        temperature = value
    if from_probabilities and not _check.is_traced(temperature) and temperature != 1.0:
        raise ValueError(f"temperature must be 1 with from_probabilities=True; got {temperature}")
    classify = in_evaluation_mode(classify)
    # Of scores differences matter, and of probabilities the numbers.
    classify = with_numbers(classify) if from_probabilities else classify
    return SoftClassifier(classify, temperature, bool(from_probabilities))


def _tempered(scores: Array, temperature: Any) -> Array:
    """Scores over the temperature, less their largest; infinite ones as they are."""
    finite = jnp.isfinite(scores)
    top = jnp.max(jnp.where(finite, scores, -jnp.inf), -1, keepdims=True)
    top = jnp.where(jnp.isfinite(top), top, 0)
    return jnp.where(finite, (jnp.where(finite, scores, 0) - top) / jnp.asarray(temperature, jnp.float32), scores)


def _of_probabilities(p: Array, drawn: Array) -> Array:
    """As scores: -inf at 0; what is missing to 1 may win, and then nobody does. NaN for what is no probability."""
    total = p.sum(-1, keepdims=True)
    wrong = (p < 0).any(-1, keepdims=True) | ~(total <= 1 + _ROUNDING)
    p = p / jnp.maximum(total, 1)
    rest = 1 - p.sum(-1, keepdims=True)
    scores = jnp.log(jnp.maximum(jnp.concatenate([p, rest], -1), 0)) + drawn
    nobody = jnp.argmax(scores, -1, keepdims=True) == p.shape[-1]
    return jnp.where(wrong | nobody, jnp.nan, scores[..., :-1])


def _gumbel(key: Array, shape: tuple[int, ...]) -> Array:
    """Gumbel noise, exact in its upper tail: minus the log of exponentials, of 32 bits each."""
    uniform = (_keys.bits(key, shape).astype(jnp.float32) + 0.5) * np.float32(2**-32)
    # Not 1, whose logarithm would make a finite score -inf.
    uniform = jnp.minimum(uniform, np.float32(1 - 2**-24))
    return -jnp.log(-jnp.log1p(-uniform))
