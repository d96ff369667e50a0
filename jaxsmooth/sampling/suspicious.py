"""What is wrong with a classifier before a vote is drawn: refused where it voids the theorem, warned of elsewhere."""

import hashlib
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._classifier import takes_keys
from jaxsmooth._failures import behind
from jaxsmooth._program import Found, Program, jaxpr_of
from jaxsmooth._same import Same
from jaxsmooth._types import Classify
from jaxsmooth._warn import warn_user
from jaxsmooth.sampling.kernel import call, scored
from jaxsmooth.sampling.placement import held_here, one_of_ours, within
from jaxsmooth.sampling.remembered import Remembered
from jaxsmooth.sampling.row_independence import rows_are_independent

# Rows in a batch of the check, few, so that each has a large share in statistics of the batch.
_ROWS = 4
# How many batches there are: fewer of large images, and of Python functions, which may take long to call.
_LEAST, _MOST, _MOST_CALLED = 2, 16, 4
_NUMBERS = 2**15  # in one row of each
# Rows that are scored again among others, and where: apart if they were neighbours, or two places apart.
_MOVES = (((0, 1), (3, 0)), ((0, 3), (1, 2)), ((2, 3), (0, 3)), ((1, 2), (2, 0)))
# Scores of a row differ by this share of their spread, at most, where only rounding differs: in float32, and below.
TOLERANCE, LOW_TOLERANCE = 1e-3, 3e-2
_LOW_PRECISION = ("bf16[", "f16[", "f8_", "i8[")
# Above this range of x in sigmas, and this largest value, nobody sees the noise.
_INVISIBLE, _UNIT_RANGE = 60.0, 2.0
# Of numbers that are no scores: the share of the values themselves that counts as spread.
_OF_VALUES = 0.01

_proved = Remembered[bool]()
_compared = Remembered[None]()
_digests = Remembered[bytes]()

_NOT_PROVED = "the program of classify does not prove that no row depends on the others of its batch"
_PROVE = "js.check_classifier looks at more rows"
REMEDY_FOR_ROWS = (
    "Put the model in evaluation mode: jaxsmooth.interop.from_nnx(model) or from_linen(model, variables), "
    "train=False or use_running_average=True, model.eval() in PyTorch; and use no statistics of the batch"
)
REMEDY_FOR_KEYS = (
    "Use keys[i] for row i alone, as jax.vmap over keys and images does, and no statistics of the batch: randomness "
    "that draws share breaks the error rate"
)
REMEDY_FOR_RANDOMNESS = "Turn off dropout and other randomness: model.eval(), deterministic=True"
REMEDY_FOR_UNITS = (
    "Pass pixels in [0, 1], x / 255 or by what the largest pixel is, or the sigma of the noise in the units of x"
)


def warn_of_units(noise: Any, x: Any) -> None:
    """Warn of images whose range makes the noise invisible."""
    if found := invisible_noise(noise, x):
        warn_user(f"{found}. {REMEDY_FOR_UNITS}")


def check_rows(classify: Classify, noise: Any, x: Any, found: Found, *, compared: bool = True) -> None:
    """Refuse a classifier whose rows depend on their batch; warn of one that gives the same row other scores.

    Rows are proved independent by the program of the classifier, which costs no compilation. Only where that does not
    succeed some rows are classified, once for these weights; every time if it calls Python, which may do otherwise by
    now, and as long as all scores are equal, which shows nothing. Of several processes each looks for itself.

    Args:
        classify: the classifier, a pytree.
        noise: the checked noise.
        x: the checked images.
        found: the program of the classifier.
        compared: whether scores of a row are only compared with each other; else their values matter.

    Raises:
        ValueError: if the scores of a row depend on the other rows of its batch, or on its place in it.
    """
    event, program = x.shape[1:], found.program
    if _proved.of(program, event, find=lambda: rows_are_independent(classify, event, found.jaxpr)):
        return
    here = held_here(classify)
    if here is None:
        return warn_user(f"{_NOT_PROVED}, and no process holds the weights whole to see whether it does. {_PROVE}")
    with within(one_of_ours()):
        if program.callbacks:
            _compare_batches(here, noise, x, program, compared)
            return
        known_by = program, event, compared, _digest(here)
        if not _compared.has(*known_by) and _compare_batches(here, noise, x, program, compared):
            _compared.keep(*known_by, found=None)


def warn_of_invalid(meaningful: Any, invalid: Any, total: Any) -> None:
    """Warn if no draw of any image had scores that are numbers, so that nothing can be certified."""
    invalid, total = np.asarray(invalid), np.asarray(total)
    if total.size and total.sum() and (invalid == total).all() and not np.any(meaningful):
        warn_user(
            f"all {int(total.sum())} draws had scores that are NaN or infinite, which vote for nobody, so that every "
            "image abstains. Look for NaN among the weights; js.check_classifier says more"
        )


def invisible_noise(noise: Any, x: Any) -> str | None:
    """Words about images whose range makes the noise invisible; None if it is not."""
    sigma, some = getattr(noise, "sigma", None), np.asarray(x[:64], np.float32)
    low, high = float(some.min()), float(some.max())
    if sigma is None or np.ndim(sigma) or high <= _UNIT_RANGE or high - low <= _INVISIBLE * float(sigma):
        return None
    return f"x spans {low:g} to {high:g}, {(high - low) / float(sigma):.0f} times the sigma of the noise"


def change_of_scores(scores: np.ndarray, others: np.ndarray, *, compared: bool = True) -> float:
    """The largest difference between scores of the same rows, as a share of their spread; inf for another NaN.

    Args:
        scores: float64, of some rows.
        others: of the same rows, again.
        compared: whether scores of a row are only compared with each other: a number added to all is no change.
    """
    valid = np.isfinite(scores)
    if (valid != np.isfinite(others)).any():
        return np.inf
    if not compared:
        scores, others = np.where(valid, scores, 0.0), np.where(valid, others, 0.0)
        # Rounding is relative to the values, of which the spread may be a small part.
        spread = np.ptp(scores) + _OF_VALUES * np.abs(scores).max(initial=0.0)
        change = float(np.abs(scores - others).max(initial=0.0))
        return change / spread if spread else (np.inf if change else 0.0)
    centred = [np.where(valid, s, 0.0) - np.where(valid, s, 0.0).mean(-1, keepdims=True) for s in (scores, others)]
    spread = float(np.abs(centred[0]).max(initial=0.0))
    return float(np.abs(centred[0] - centred[1]).max(initial=0.0)) / spread if spread else 0.0


def are_coarse(scores: np.ndarray) -> bool:
    """Whether scores hide small changes: two values, or nothing but 0 and 1 to the third digit."""
    near = np.minimum(np.abs(scores), np.abs(scores - 1)) < TOLERANCE
    return bool(near.all()) or len(np.unique(scores)) <= 2


def tolerance(classify: Classify, event: tuple[int, ...]) -> float:
    """The change of scores that rounding explains, larger where the program computes in less than float32."""
    program = str(jaxpr_of(scored, classify, jax.ShapeDtypeStruct((2, *event), jnp.float32)))
    return LOW_TOLERANCE if any(dtype in program for dtype in _LOW_PRECISION) else TOLERANCE


def scores_of(classify: Classify, rows: np.ndarray, program: Program, numbers: Any = None) -> Any:
    """The scores of a batch as float64 on the host; a tracer inside a trace.

    Args:
        classify: the classifier.
        rows: its inputs.
        program: the program of the classifier.
        numbers: integers ``(rows,)`` from which a classifier that takes keys gets that of each row.
    """
    keys: tuple[np.ndarray, ...] = ()
    if takes_keys(classify):
        numbers = np.arange(len(rows)) if numbers is None else np.asarray(numbers)
        keys = (np.stack([numbers, 2**31 + numbers], -1).astype(np.uint32),)
    try:
        scores = call(classify, rows, *keys, program=program)
    except Exception as error:
        if (failure := behind(error)) is error:
            raise
        raise failure from None
    return scores if _check.is_traced(scores) else np.asarray(scores).astype(np.float64)


def _digest(classify: Classify) -> bytes:
    """Of the values of the weights; on the host, since a program for every shape would take longer."""
    leaves = jax.tree.leaves(classify)
    if all(isinstance(leaf, jax.Array) for leaf in leaves):  # which do not change
        return _digests.of(*map(Same, leaves), find=lambda: _digest_of(leaves))
    return _digest_of(leaves)


def _digest_of(leaves: list[Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for leaf in leaves:
        is_key = jax.dtypes.issubdtype(getattr(leaf, "dtype", np.float32), jax.dtypes.prng_key)
        with jax.ensure_compile_time_eval():  # also in a program that the caller traces
            digest.update(np.asarray(jax.random.key_data(leaf) if is_key else leaf).tobytes())
    return digest.digest()


def _compare_batches(classify: Classify, noise: Any, x: Any, program: Program, compared: bool) -> bool:
    """Score the same rows among others and in other places; whether that showed anything."""
    rows, others = _noisy_rows(noise, x, _MOST_CALLED if program.callbacks else _MOST)
    numbers = np.arange(2 * len(rows) * _ROWS).reshape(2, len(rows), _ROWS)
    each = lambda batches, of: zip(batches, of, strict=True)
    score = lambda batches, of: [scores_of(classify, batch, program, numbers) for batch, numbers in each(batches, of)]
    first = score(rows[:1], numbers[0, :1])
    if _check.is_traced(first):
        return False
    first += score(rows[1:], numbers[0, 1:])
    moves = [_MOVES[i % len(_MOVES)] for i in range(len(rows))]
    for i, (kept, places) in enumerate(moves):
        others[i, places], numbers[1, i, places] = rows[i, kept], numbers[0, i, kept]
    moved = score(others, numbers[1])
    pick = lambda scores, which: np.concatenate([of[list(move[which])] for of, move in zip(scores, moves, strict=True)])
    change = change_of_scores(pick(first, 0), pick(moved, 1), compared=compared)
    all_scores, limit = np.concatenate(first), tolerance(classify, x.shape[1:])
    if change <= limit:
        finite = np.where(np.isfinite(all_scores), all_scores, 0.0)
        shown = bool((finite != (finite[..., :1] if compared else finite.flat[0])).any())
        if shown and compared and not program.callbacks and are_coarse(finite):
            warn_user(
                f"{_NOT_PROVED}, and scores as coarse as these, nearly all 0 or 1, show only large changes: "
                f"{2 * len(rows)} rows had the same ones among others. Return logits. {_PROVE}"
            )
        return shown
    if change_of_scores(all_scores, np.concatenate(score(rows, numbers[0])), compared=compared) > limit:
        warn_user(
            "classify gave other scores to the same inputs when called again, so that nobody can see whether a row "
            f"depends on the others of its batch, which would void the certificates. {REMEDY_FOR_RANDOMNESS}"
        )
        return False
    remedy = REMEDY_FOR_KEYS if takes_keys(classify) else REMEDY_FOR_ROWS
    raise ValueError(
        "classify must score every row on its own: the scores of the same inputs changed by "
        f"{'NaN' if np.isinf(change) else f'{change:.0%} of their spread'} when other rows of the batch were "
        f"exchanged, so that no certificate would hold. {remedy}"
    )


def _noisy_rows(noise: Any, x: Any, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Two times some batches of noisy images; the noise is only alike: compiling its sampler would take longer."""
    batches = max(_LEAST, min(most, _NUMBERS // max(math.prod(x.shape[1:]), 1)))
    images = np.asarray(x[: batches * _ROWS], np.float32)
    images = images[np.arange(batches * _ROWS) % len(images)]
    sigma = getattr(noise, "sigma", None)
    sigma = float(sigma) if sigma is not None and np.ndim(sigma) == 0 else 0.25 * float(images.std()) or 1.0
    delta = np.random.default_rng(0).standard_normal((2, *images.shape)).astype(np.float32)
    shape = (batches, _ROWS, *x.shape[1:])
    return (images + sigma * delta[0]).reshape(shape), (images[::-1] + 3 * sigma * delta[1]).reshape(shape)
