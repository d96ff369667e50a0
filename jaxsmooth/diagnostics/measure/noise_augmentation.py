"""What training noise gains on the grid of risks, with which certainty."""

import dataclasses
from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth._types import ArrayLike
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.measure.sigma_grid import SigmaGrid


@short_repr
@dataclasses.dataclass(frozen=True, repr=False)
class NoiseAugmentationGap:
    """What training noise changes, on the images that report; negative differences are a benefit.

    Attributes:
        versus_none: float64 ``(A, B)``, risk of alpha minus risk of alpha = 0, mean over seeds.
        versus_none_interval: float64 ``(A, B, 2)``, bootstrap interval over images and seeds.
        versus_equal: float64 ``(A, B)``, risk of alpha minus risk of alpha = beta; nan where beta is not an alpha.
        versus_equal_interval: float64 ``(A, B, 2)``, likewise.
        mcnemar: float64 ``(A, B, S)``, exact two-sided p-value of McNemar's test against alpha = 0, for each seed; one
            test each, not corrected for their number.
        best: int64 ``(B,)``, which alpha has the lowest risk on the validation images, the smallest of equals.
        best_alpha: float64 ``(B,)``, that alpha.
        best_risk: float64 ``(B,)``, its risk on the images that report.
        equivalent: bool ``(A, B)``, alphas whose difference from the best has an interval that holds 0.
        confidence: of every interval, each by itself.
    """

    versus_none: np.ndarray
    versus_none_interval: np.ndarray
    versus_equal: np.ndarray
    versus_equal_interval: np.ndarray
    mcnemar: np.ndarray
    best: np.ndarray
    best_alpha: np.ndarray
    best_risk: np.ndarray
    equivalent: np.ndarray
    confidence: float


def noise_augmentation_gap(
    grid: SigmaGrid,
    *,
    validation: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> NoiseAugmentationGap:
    r"""What noise in training gains or loses: differences of risk on the grid, intervals, paired tests, the best alpha.

    The differences are :math:`\Delta_{\alpha,\beta} - \Delta_{0,\beta}` and :math:`\Delta_{\alpha,\beta} -
    \Delta_{\beta,\beta}`; the best alpha is chosen on other images than those that report. Intervals resample images
    and seeds together, with the same draws for every cell, so that they speak of new images and new trainings at once;
    few seeds make them rough.

    Args:
        grid: from ``sigma_grid``; its alphas must hold 0.
        validation: bool ``(N,)``, the images that choose alpha; the rest reports. Every other image of each class by
            default.
        confidence: of each interval, in (0, 1).
        resamples: bootstrap draws.
        seed: of the bootstrap.

    Returns:
        ``NoiseAugmentationGap``.

    Raises:
        ValueError: without alpha = 0, for a split without images on one side, or a value out of range.
        TypeError: for arguments of the wrong kind.

    References:
        The differences: Pal and Sulam 2023. Choosing on a validation split, intervals and McNemar's test: ours; a
        minimum over many alphas on the images that report is too good.

    Example:
        >>> import numpy as np
        >>> right = (
        ...     np.random.default_rng(0).random((2, 1, 5, 400))
        ...     < np.array([0.7, 0.9])[:, None, None, None]
        ... )
        >>> labels, none = np.zeros(400, int), np.empty((2, 1, 5, 1))
        >>> grid = SigmaGrid(
        ...     1 - right.mean(-1), none, right, np.array([0.0, 0.5]), np.array([1.0]), labels
        ... )
        >>> gap = noise_augmentation_gap(grid)
        >>> (
        ...     gap.best_alpha.tolist(),
        ...     bool(gap.versus_none_interval[1, 0, 1] < 0),
        ...     gap.equivalent[:, 0].tolist(),
        ... )
        ([0.5], True, [False, True])
    """
    confidence = _check.probability("confidence", confidence)
    resamples, seed = _check.integer("resamples", resamples, at_least=1), _check.integer("seed", seed, at_least=0)
    grid, zero = _checked_grid(grid)
    chosen = _split(grid.labels, validation)
    report = grid.correct[..., ~chosen]
    wrong = 1.0 - report
    validation_risk = 1 - grid.correct[..., chosen].mean((-1, -2))
    alphas = np.asarray(grid.alphas)[:, None]
    best = np.where(validation_risk == validation_risk.min(0), alphas, np.inf).argmin(0)
    columns = np.arange(len(grid.betas))
    risk = wrong.mean((-1, -2))
    draws = _bootstrap(wrong, resamples, seed)
    equal = np.array([np.flatnonzero(np.isclose(grid.alphas, beta, rtol=1e-6))[:1] for beta in grid.betas], object)
    has_equal = np.array([len(found) > 0 for found in equal])
    where = np.array([int(found[0]) if len(found) else 0 for found in equal])

    def against(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The difference from one alpha of each beta, ``(A, B)``, and its interval."""
        ends = [(1 - confidence) / 2, (1 + confidence) / 2]
        interval = np.quantile(draws - draws[row, columns], ends, axis=-1)
        return risk - risk[row, columns], np.moveaxis(interval, 0, -1)

    none, none_interval = against(np.full(len(columns), zero))
    same, same_interval = against(where)
    same[:, ~has_equal], same_interval[:, ~has_equal] = np.nan, np.nan
    _, best_interval = against(best)
    return NoiseAugmentationGap(
        versus_none=none,
        versus_none_interval=none_interval,
        versus_equal=same,
        versus_equal_interval=same_interval,
        mcnemar=mcnemar_p_value(report, report[zero]),
        best=best,
        best_alpha=grid.alphas[best],
        best_risk=risk[best, columns],
        equivalent=(best_interval[..., 0] <= 0) & (best_interval[..., 1] >= 0),
        confidence=confidence,
    )


def mcnemar_p_value(first: ArrayLike, second: ArrayLike) -> Any:
    """The exact two-sided p-value of McNemar's test: are two classifiers right equally often on the same images?

    Only images on which one is right and the other wrong count; each is a fair coin under the hypothesis.

    Args:
        first: bool ``(..., N)``, the images on which one classifier is right.
        second: bool ``(..., N)``, the same of another, on the same N images; the other axes broadcast.

    Returns:
        float64 ``(...)``.

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for arrays that are not bool.

    References:
        McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.

    Example:
        >>> import numpy as np
        >>> first, second = np.arange(20) < 19, np.arange(20) < 9
        >>> round(float(mcnemar_p_value(first, second)), 6)
        0.001953
    """
    first, second = _check.as_array("first", first), _check.as_array("second", second)
    if first.dtype != bool or second.dtype != bool:
        raise TypeError(f"first and second must be bool, right or wrong; got {first.dtype} and {second.dtype}")
    if not first.ndim or not second.ndim or first.shape[-1] != second.shape[-1] or not _fit(first, second):
        raise ValueError(
            "first and second must be (..., N), of the same N images, with other axes that broadcast; "
            f"got shapes {first.shape} and {second.shape}"
        )
    only_first, only_second = (first & ~second).sum(-1), (~first & second).sum(-1)
    total = only_first + only_second
    tail = special.bdtr(np.minimum(only_first, only_second).astype(np.float64), total, 0.5)
    return np.minimum(2 * np.where(total > 0, tail, 1.0), 1.0)[()]


def _checked_grid(grid: ArrayLike) -> tuple[SigmaGrid, int]:
    """The grid with arrays that fit each other, and which of its alphas is 0."""
    if not isinstance(grid, SigmaGrid):
        raise TypeError(f"grid must be a SigmaGrid, as sigma_grid returns; got {type(grid).__name__}")
    alphas, betas = arguments.sigmas("grid.alphas", grid.alphas), arguments.sigmas("grid.betas", grid.betas)
    labels = arguments.labelled(grid.labels, "grid.labels")
    correct = _check.as_array("grid.correct", grid.correct)
    if correct.dtype != bool:
        raise TypeError(f"grid.correct must be bool, right or wrong; got {correct.dtype}")
    wanted = (len(alphas), len(betas), len(labels))
    if correct.ndim != 4 or not correct.shape[2] or correct.shape[:2] + correct.shape[3:] != wanted:
        raise ValueError(
            f"grid.correct must be of {wanted[0]} alphas, {wanted[1]} betas, at least one seed and {wanted[2]} images "
            f"(A, B, S, N); got shape {correct.shape}"
        )
    zero = np.flatnonzero(alphas == 0)
    if not len(zero):
        raise ValueError(f"grid must hold alpha = 0, the baseline; its alphas are {alphas.tolist()}")
    return grid._replace(alphas=alphas, betas=betas, labels=labels, correct=correct), int(zero[0])


def _fit(first: np.ndarray, second: np.ndarray) -> bool:
    try:
        np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        return False
    return True


def _split(labels: np.ndarray, validation: ArrayLike | None) -> np.ndarray:
    """The images that choose alpha; by default every other one of each class."""
    if validation is None:
        chosen = np.zeros(len(labels), bool)
        for k in np.unique(labels):
            chosen[np.flatnonzero(labels == k)[::2]] = True
    else:
        chosen = np.asarray(validation)
        if chosen.dtype != bool or chosen.shape != labels.shape:
            raise ValueError(
                f"validation must be bool of shape {labels.shape}; got {chosen.dtype} of shape {chosen.shape}"
            )
    if chosen.all() or not chosen.any():
        raise ValueError("validation must leave images on both sides, some that choose alpha and some that report")
    return chosen


def _bootstrap(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means over seeds and images, both resampled: ``(A, B, S, N)`` to ``(A, B, resamples)``."""
    rng = np.random.default_rng(seed)
    seeds, images = values.shape[-2:]
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    of_images = rng.multinomial(images, np.full(images, 1 / images), resamples) / images
    return np.einsum("absr,rs->abr", values @ of_images.T, of_seeds)
