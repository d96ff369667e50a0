"""check_classifier: what is suspicious about a classifier, its images and its noise, before anything is certified."""

import dataclasses
import math
from collections.abc import Iterator

import jax
import numpy as np

from jaxsmooth import _check, _keys
from jaxsmooth._classifier import takes_keys
from jaxsmooth._noise import axes_of, perturbed
from jaxsmooth._printed import Printed
from jaxsmooth._program import Program
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth.sampling import inputs, suspicious
from jaxsmooth.sampling.ballots import WINNER
from jaxsmooth.sampling.row_independence import rows_are_independent

_IMAGES, _DRAWS = 16, 8
# Two batch sizes, neither a multiple of the other.
_SIZES = (32, 20)
# Fewer images may well be of one class.
_ENOUGH = 4


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what should hold.
        passed: whether it does.
        found: what was found.
        remedy: what to do if it does not hold.
    """

    name: str
    passed: bool
    found: str
    remedy: str


@dataclasses.dataclass(frozen=True, repr=False)
class ClassifierCheck(Printed):
    """The report of ``check_classifier``; prints as a table.

    Attributes:
        findings: in the order in which they were looked at.
        rows: how many noisy images were classified.
    """

    findings: tuple[Finding, ...]
    rows: int

    @property
    def passed(self) -> bool:
        """Whether nothing is suspicious."""
        return not self.suspicious

    @property
    def suspicious(self) -> tuple[Finding, ...]:
        """What does not hold."""
        return tuple(finding for finding in self.findings if not finding.passed)

    def __str__(self) -> str:
        lines = [f"{self.rows} noisy images classified"]
        for finding in self.findings:
            lines.append(f"{'ok  ' if finding.passed else 'LOOK'}  {finding.name}: {finding.found}")
            if not finding.passed:
                lines.append(f"      {finding.remedy}")
        wrong = len(self.suspicious)
        lines.append("nothing suspicious" if self.passed else f"{wrong} thing{'s' * (wrong > 1)} to look at")
        return "\n".join(lines)


@deliberate
def check_classifier(key: Array, classify: Classify, noise: Noise, x: ArrayLike) -> ClassifierCheck:
    """Look for what makes certificates wrong or worthless, with a handful of draws; takes seconds.

    Up to 16 of the images are classified, clean and under noise, in two batch sizes and orders. Looked at are rows
    whose scores depend on their batch (BatchNorm in training mode), scores that change from call to call (dropout),
    NaN, ties and constant answers, units of the images that do not fit the noise, and answers at chance under noise.
    The verbs themselves refuse a classifier whose rows depend on their batch.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite; of several classes, to see whether answers vary.

    Returns:
        A ``ClassifierCheck`` that says what is suspicious and what to do; it prints as a table.

    Raises:
        ValueError: for shapes or values that do not fit; the message names the argument.
        TypeError: for arguments of the wrong kind, and for a model that cannot be called with a batch alone.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> x = jax.random.normal(jax.random.key(1), (16, 4))
        >>> in_training_mode = lambda batch: batch - batch.mean(0)
        >>> report = js.check_classifier(
        ...     jax.random.key(0), in_training_mode, js.noises.Gaussian(0.25), x
        ... )
        >>> report.passed, report.suspicious[0].name
        (False, 'rows do not depend on their batch')
    """
    if _check.is_traced(key, classify, noise, x):
        raise TypeError("check_classifier works on the host and cannot be traced; use it before jit")
    key, classify = _check.typed_key(key), inputs.as_pytree(classify)
    noise, x = _check.noise_of_one_sigma(_check.float32_noise(noise)), _check.images_for(noise, x)
    program = inputs.traced_output(classify, x, WINNER)[1].program
    inputs.check_fit(classify, noise, x)
    x = np.asarray(x[np.unique(np.linspace(0, len(x) - 1, min(len(x), _IMAGES)).astype(int))], np.float32)
    noisy = _noisy(key, noise, x)
    rows = np.concatenate([x, noisy.reshape(-1, *x.shape[1:])])
    scores = _in_batches(classify, rows, program, _SIZES[0], np.arange(len(rows)))
    order = np.random.default_rng(0).permutation(len(rows))
    others = _in_batches(classify, rows, program, _SIZES[1], order)
    again = _in_batches(classify, rows, program, _SIZES[0], np.arange(len(rows)))
    found = [
        *_of_programs(classify, x.shape[1:], scores, others, again),
        *_of_scores(scores),
        *_of_units(noise, x),
        *_of_answers(scores[: len(x)], scores[len(x) :].reshape(len(x), _DRAWS, -1)),
    ]
    return ClassifierCheck(tuple(found), len(rows) - len(x))


def _noisy(key: Array, noise: Noise, x: np.ndarray) -> np.ndarray:
    """Images under noise, ``(images, draws, *event)``."""

    @jax.jit
    def draw(noise: Noise, x: Array, key: Array) -> Array:
        keys = _keys.split(key, (len(x), _DRAWS))
        one = lambda noise, image, key: perturbed(noise, key, image)
        at_images = noise.at(x)
        return jax.vmap(jax.vmap(one, (None, None, 0)), (axes_of(at_images), 0, 0))(at_images, x, keys)

    return np.asarray(draw(noise, x, key))


def _in_batches(classify: Classify, rows: np.ndarray, program: Program, size: int, order: np.ndarray) -> np.ndarray:
    """The scores of all rows, which are classified in this order and in full batches of this size."""
    filled = np.resize(order, -(-len(order) // size) * size)
    scores = np.concatenate(
        [suspicious.scores_of(classify, rows[part], program, part) for part in filled.reshape(-1, size)]
    )
    result = np.empty((len(rows), scores.shape[1]))
    result[order] = scores[: len(order)]
    return result


def _of_programs(
    classify: Classify, event: tuple[int, ...], scores: np.ndarray, others: np.ndarray, again: np.ndarray
) -> Iterator[Finding]:
    limit = suspicious.tolerance(classify, event)
    random, moved = (suspicious.change_of_scores(scores, other) for other in (again, others))
    shown = lambda change: "NaN" if math.isinf(change) else f"{change:.1%} of their spread"
    proved = rows_are_independent(classify, event)
    hidden = random > limit and not proved
    measured = f"scores in two batch sizes and orders differ by {shown(moved)}"
    if suspicious.are_coarse(scores):
        measured += ", but are so coarse, nearly all 0 or 1, that only large changes show"
    yield Finding(
        "rows do not depend on their batch",
        proved or (moved <= limit and not hidden),
        "proved by the program"
        if proved
        else "scores change from call to call, which hides it"
        if hidden
        else measured,
        suspicious.REMEDY_FOR_KEYS if takes_keys(classify) else suspicious.REMEDY_FOR_ROWS,
    )
    yield Finding(
        "the same inputs have the same scores",
        random <= limit,
        f"scores of two calls differ by {shown(random)}",
        suspicious.REMEDY_FOR_RANDOMNESS,
    )


def _winners(scores: np.ndarray) -> np.ndarray:
    """The class of the largest score, +inf wins and -inf loses; -1 of rows that vote for nobody."""
    invalid = np.isnan(scores).any(-1) | ((scores == np.inf).sum(-1) > 1) | (scores == -np.inf).all(-1)
    return np.where(invalid, -1, np.where(np.isnan(scores), -np.inf, scores).argmax(-1))


def _of_scores(scores: np.ndarray) -> Iterator[Finding]:
    invalid = _winners(scores) < 0
    yield Finding(
        "scores are numbers",
        not invalid.any(),
        f"{invalid.sum()} of {len(scores)} rows hold NaN, +inf twice or nothing but -inf, and vote for nobody",
        "Look for log(0), overflow in float16 and weights that are NaN",
    )
    ordered = np.sort(scores[~invalid], axis=-1)
    ties = int((ordered[:, -1] == ordered[:, -2]).sum())
    yield Finding(
        "one score is the largest",
        ties <= 0.01 * len(scores),
        f"{ties} of {len(scores)} rows have two equal largest scores, of which the first wins",
        "Return logits in float32, not classes, rounded probabilities or saturated ones",
    )


def _of_units(noise: Noise, x: np.ndarray) -> Iterator[Finding]:
    sigma = getattr(noise, "sigma", None)
    low, high, mean, deviation = (float(f(x)) for f in (np.min, np.max, np.mean, np.std))
    if sigma is not None:
        sigma = float(sigma)
        drowned = sigma > 4 * (high - low) > 0
        yield Finding(
            "x and the noise have one unit",
            not drowned and suspicious.invisible_noise(noise, x) is None,
            f"x spans {low:g} to {high:g}, {(high - low) / sigma:.3g} times the sigma of the noise",
            suspicious.REMEDY_FOR_UNITS,
        )
    if x.ndim > 2:
        # Unlike pixels, and unlike pixels in [-1, 1].
        standardised = low < -1.2 and abs(mean) < 1 and 0.5 < deviation < 2
        yield Finding(
            "x holds plain pixels",
            not standardised,
            f"mean {mean:.2g}, standard deviation {deviation:.2g}" + ", as if standardised" * standardised,
            "Radii are in the units of x. Certify pixels in [0, 1], and standardise inside the classifier",
        )


def _of_answers(clean: np.ndarray, noisy: np.ndarray) -> Iterator[Finding]:
    """From scores ``(images, classes)`` and ``(images, draws, classes)``."""
    answer, votes = _winners(clean), _winners(noisy)
    usable = (answer >= 0) & (votes >= 0).any(-1)
    if not usable.any():
        return
    clean, noisy, answer, votes = clean[usable], noisy[usable], answer[usable], votes[usable]
    classes = clean.shape[-1]
    counts = np.stack([(votes == c).sum(-1) for c in range(classes)], -1)
    winner = counts.argmax(-1)
    several = len(clean) >= _ENOUGH
    constant = several and len(np.unique(answer)) == 1
    change = suspicious.change_of_scores(np.repeat(clean[:, None], _DRAWS, 1), noisy)
    yield Finding(
        "the noise reaches the scores",
        change > suspicious.TOLERANCE,
        f"scores under noise differ by {change:.2%} of their spread" if change < np.inf else "some become NaN",
        "All draws agree, so that n alone limits the radii: look at the units and at what rounds or clips x",
    )
    yield Finding(
        "answers differ between images",
        not constant,
        f"class {answer[0]} for all {len(clean)} images" if constant else f"{len(np.unique(answer))} classes",
        "Look at the weights, the layout (batch, height, width, channels) and the units; pass several classes",
    )
    kept = float((counts[np.arange(len(clean)), answer]).sum() / counts.sum())
    majority = float((counts.max(-1) > counts.sum(-1) / 2).mean())
    collapsed = several and len(np.unique(winner)) == 1 and not constant
    chance = kept <= 1.5 / classes if classes > 2 else kept <= 0.6
    yield Finding(
        "answers under noise are above chance",
        not collapsed and majority > 0 and not (several and chance),
        f"{kept:.0%} of draws give the answer without noise (chance: {1 / classes:.0%}); {majority:.0%} of images have "
        + ("a majority, all of them for one class" if collapsed else "a majority"),
        "Train with this noise (jaxsmooth.objectives), use a smaller sigma, or put a denoiser before the classifier",
    )
