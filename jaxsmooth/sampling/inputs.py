"""The classifier as sampling takes it, and what it returns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._classifier import parts_with, takes_keys
from jaxsmooth._noise import takes_views
from jaxsmooth._program import Found, find_program
from jaxsmooth._pytree import opaque
from jaxsmooth._types import Array, Classify, Noise
from jaxsmooth.interop.bare_models import in_evaluation_mode
from jaxsmooth.interop.python_callable import with_numbers
from jaxsmooth.sampling.ballots import WINNER, AbstractBallot
from jaxsmooth.sampling.kernel import scored

_MOST_COUNTED = 2**31 - 1  # places of votes are int32


def as_pytree(classify: Any, *, numbers: bool = False) -> Any:
    """The classifier as a pytree; a plain function becomes one without leaves, compared by identity.

    Args:
        classify: what a user passes.
        numbers: whether what it returns is used as it is, and not only compared.
    """
    classify = in_evaluation_mode(classify)
    if numbers:
        classify = with_numbers(classify)
    if not callable(classify):
        raise TypeError(
            "classify must be a callable (batch, *event) -> (batch, classes), for example "
            f"jax.tree_util.Partial(model.apply, variables); got {type(classify).__name__}"
        )
    return jax.tree_util.Partial(opaque(_whole(classify))) if jax.tree_util.all_leaves([classify]) else classify


def _whole(function: Any) -> Any:
    # Partial would take a functools.partial apart and turn its keywords (train=False) into traced data.
    return function.__call__ if hasattr(function, "func") and hasattr(function, "keywords") else function


def check_fit(classify: Any, noise: Noise, x: Any) -> None:
    """Refuse a noise that a part of the classifier, such as a denoiser, says it is not made for."""
    if takes_views(noise) and takes_keys(classify):
        raise TypeError(
            f"classify must be deterministic for {type(noise).__name__}, whose views are fixed; got "
            f"{type(classify).__name__}, which draws random numbers. Use js.randomized(fn, fixed_key=key), or the "
            "classifier itself instead of js.soft"
        )
    for part in parts_with(classify, "expects_sigma"):
        part.check(noise, x)


def kind_of_votes(classify: Any) -> str:
    """What a vote is: of the largest score, or of a class that was drawn from the scores; see ``Votes.kind``."""
    kinds = [part.votes_kind for part in parts_with(classify, "votes_kind")]
    return ", ".join(kinds) or "hard"


def on_host(values: Any) -> Any:
    """NumPy arrays of arrays on devices; tracers as they are."""
    return values if _check.is_traced(values) else np.asarray(jax.device_get(values))


def ours(values: Any) -> Any:
    """A copy of what others may write into: of NumPy arrays; those of JAX never change."""
    return np.array(values) if isinstance(values, np.ndarray) else values


def num_classes(classify: Classify, x: Array | np.ndarray) -> int:
    """The number of classes, from shapes alone; refuses what does not return scores of classes."""
    return output_shape(classify, x, WINNER)[0]


def output_shape(classify: Classify, x: Array | np.ndarray, ballot: AbstractBallot) -> tuple[int, ...]:
    """The shape of what is returned for one event, which the ballot can count."""
    return traced_output(classify, x, ballot)[0]


def example(classify: Any, x: Array | np.ndarray) -> tuple[Any, jax.ShapeDtypeStruct]:
    """What a classifier is traced with: two images of this shape."""
    return classify, jax.ShapeDtypeStruct((2, *x.shape[1:]), jnp.float32)


def traced_output(classify: Classify, x: Array | np.ndarray, ballot: AbstractBallot) -> tuple[tuple[int, ...], Found]:
    """The shape of what is returned for one event, which the ballot can count; and the program that returns it."""
    found = find_program(scored, *example(classify, x))
    scores = found.results
    shape, dtype = getattr(scores, "shape", None), getattr(scores, "dtype", None)
    if shape is None or dtype is None:
        raise TypeError(
            f"classify must return one array of scores (batch, classes); got {type(scores).__name__}. "
            "If it also returns a state, drop it"
        )
    ballot.check(shape, x.shape[1:])
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"classify must return real scores; got dtype {dtype}")
    counted = ballot.width(shape[1:]) * max(ballot.selecting, 1)
    if counted >= _MOST_COUNTED:
        raise ValueError(
            f"classify must return fewer outputs: those of shape {shape[1:]} have {counted:,} votes to count, and "
            f"int32 numbers {_MOST_COUNTED:,}. Certify parts of the outputs, or use a smaller n0 or fewer edges"
        )
    return shape[1:], found
