"""with_margin: a classifier whose near ties vote for nobody."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._classifier import classified, takes_keys
from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array, Classify
from jaxsmooth.interop.python_callable import with_differences
from jaxsmooth.sampling.inputs import as_pytree


@frozen_pytree
class MarginClassifier:
    """A classifier whose rows of scores decide nothing where the two best are closer than a margin.

    Attributes:
        classify: the classifier, a pytree.
        margin: in the units of the scores.
    """

    classify: Any
    margin: Any

    near_ties_vote_for_nobody: ClassVar[bool] = True

    def __call__(self, batch: Array, keys: Array | None = None) -> Array:
        """The scores, NaN in rows that are near ties; of many outputs where those of an output are.

        Args:
            batch: ``(batch, *event)``.
            keys: a typed key for each row, if the classifier takes keys.

        Returns:
            What the classifier returns, as floating-point numbers.

        Raises:
            ValueError: if it returns no classes.
        """
        scores = classified(self.classify, batch, keys)
        if scores.ndim < 2 or scores.shape[-1] < 2:
            raise ValueError(f"classify must map (batch, *event) to (batch, classes); it returned shape {scores.shape}")
        if not jnp.issubdtype(scores.dtype, jnp.floating):
            scores = scores.astype(jnp.float32)
        # In the precision of the scores the margin would be rounded to theirs, and so would the difference.
        best = jax.lax.top_k(scores.astype(jnp.result_type(float)), 2)[0]
        close = best[..., 0] - best[..., 1] < self.margin
        return jnp.where(close[..., None], jnp.asarray(jnp.nan, scores.dtype), scores)

    @property
    def takes_keys(self) -> bool:
        """Whether the classifier takes a key for every draw."""
        return takes_keys(self.classify)

    @property
    def runs_on_host(self) -> bool:
        """Whether the classifier is a Python function that is called back."""
        return getattr(self.classify, "runs_on_host", False)

    @property
    def fn(self) -> Any:
        """The Python function, where it is one."""
        return self.classify.fn


def with_margin(classify: Classify, margin: float) -> MarginClassifier:
    """A classifier that votes for nobody where its two best scores are closer than ``margin``.

    A certificate speaks of a classifier that gives the same scores to the same input. What compilers make of a network
    in another batch size, or on another device, differs in the last bits, and a vote near a tie may fall otherwise.
    With a margin above twice that difference, such votes are counted for nobody (``votes.invalid``), and certificates
    hold for every evaluation that differs by less.

    *Proof.* Such an evaluation votes for the same class wherever this classifier votes at all; the other draws may vote
    for anything. So a class has at least its share of votes here, and a rival b at most that of "b or nobody", the law
    of one event at x and at any other point. Where the winner must exceed 1/2, or tau, nothing else is needed. Where it
    must beat a rival, votes for nobody are counted for the rival: in ``certify(runner_up="bounded")``,
    ``certify_top_k``, ``predict`` and ``certify_exact``, of classifiers and of recorded votes alike. It is a promise
    about classes that are chosen by the largest score; of ``soft`` votes and of ``certify_values`` every one depends
    on the last bits.

    Args:
        classify: ``(batch, *event) -> (batch, classes)`` of scores.
        margin: in the units of the scores; at least 0.

    Returns:
        A classifier, a pytree; another margin does not re-trace.

    Raises:
        ValueError: for a negative margin.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js
        >>> careful = js.with_margin(lambda batch: batch, 0.1)
        >>> careful(jnp.array([[1.0, 0.0], [0.55, 0.5]])).tolist()
        [[1.0, 0.0], [nan, nan]]
    """
    margin = float(_check.nonnegative("margin", _check.number("margin", margin)))
    return MarginClassifier(with_differences(as_pytree(classify)), margin)
