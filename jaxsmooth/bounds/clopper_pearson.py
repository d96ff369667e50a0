"""Exact one-sided confidence bounds of a binomial proportion (Clopper and Pearson, 1934)."""

import math
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth.bounds.binomial_tail import MOST_TRIALS, proportion_with_tail


def clopper_pearson_lower(successes: Any, trials: Any, alpha: float) -> Any:
    r"""Lower confidence bound of a binomial proportion, exact and one-sided.

    The largest ``p`` with :math:`P(\mathrm{Bin}(n, p) \ge k) \le \alpha`, that is the ``alpha`` quantile
    of Beta(k, n - k + 1); ``alpha ** (1 / n)`` for ``k = n`` and 0 for ``k = 0``. The true proportion
    lies below it with probability at most ``alpha``, whatever it is.

    Args:
        successes: integers in ``[0, trials]``, any shape.
        trials: positive integers, broadcast against ``successes``.
        alpha: error probability in (0, 1), all of it spent on this side.

    Returns:
        float64 of the broadcast shape, rounded down: :math:`P(\mathrm{Bin}(n, p) \ge k) \le \alpha` holds at the
        float itself, by a tail whose error is proved (``bounds/binomial_tail.py``), up to 2**48 trials.

    Raises:
        ValueError: if a count or ``alpha`` is out of range.
        TypeError: if a count is not an integer.

    References:
        Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934.

    Example:
        >>> float(clopper_pearson_lower(990, 1000, 0.001).round(4))
        0.976
    """
    alpha = _check.probability("alpha", alpha)
    k, n = checked_counts(successes, trials)
    bound, _ = _bound_and_complement(k, n, alpha)
    return np.where(k == 0, 0.0, bound)[()]


def clopper_pearson_upper(successes: Any, trials: Any, alpha: float) -> Any:
    r"""Upper confidence bound of a binomial proportion, exact and one-sided.

    The smallest ``p`` with :math:`P(\mathrm{Bin}(n, p) \le k) \le \alpha`: one minus the lower bound of
    the ``n - k`` failures. 1 for ``k = n``.

    Args:
        successes: integers in ``[0, trials]``, any shape.
        trials: positive integers, broadcast against ``successes``.
        alpha: error probability in (0, 1), all of it spent on this side.

    Returns:
        float64 of the broadcast shape, rounded up, as ``clopper_pearson_lower`` is rounded down.

    Raises:
        ValueError: if a count or ``alpha`` is out of range.
        TypeError: if a count is not an integer.

    References:
        Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934.

    Example:
        >>> float(clopper_pearson_upper(10, 1000, 0.001).round(4))
        0.024
    """
    alpha = _check.probability("alpha", alpha)
    k, n = checked_counts(successes, trials)
    _, complement = _bound_and_complement(n - k, n, alpha)
    return np.where(k == n, 1.0, complement)[()]


def check_can_certify(n: int, alpha: float, *, share: float = 1) -> None:
    """Refuse an n of which even a unanimous vote certifies nothing: ``(share * alpha) ** (1 / n) <= 1/2``.

    ``share``: what the lower bound spends. With a bound of the runner-up nothing else is certified, either, since its
    own of no vote is at least one minus that.
    """
    alpha = _check.probability("alpha", alpha)
    needed = math.floor(-math.log2(alpha) - math.log2(share)) + 1
    if n < needed:
        raise ValueError(
            f"n = {n} votes can never certify at alpha = {alpha:g}, not even unanimous ones; use n >= {needed}"
        )


def _bound_and_complement(k: np.ndarray, n: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The lower bound of k successes, rounded down, and one minus it, rounded up; meaningless for k = 0."""
    bound, complement = proportion_with_tail(np.maximum(k, 1).ravel(), n.ravel(), alpha)
    return bound.reshape(k.shape), complement.reshape(k.shape)


def checked_counts(successes: Any, trials: Any, *, name: str = "successes") -> tuple[np.ndarray, np.ndarray]:
    """Integer counts as broadcast int64 arrays, ``0 <= successes <= trials`` and ``trials >= 1``."""
    if _check.is_traced(successes, trials):
        raise TypeError("counts are traced by JAX; bounds are computed on the host. Use radius_table inside jit")
    k, n = _check.as_array(name, successes), _check.as_array("trials", trials)
    for what, array in ((name, k), ("trials", n)):
        if array.dtype.kind not in "iu":
            raise TypeError(f"{what} must be integer counts; got dtype {array.dtype}")
    k, n = np.broadcast_arrays(k.astype(np.int64), n.astype(np.int64))
    if np.any(n < 1):
        raise ValueError(f"trials must be at least 1; got {n.min()}")
    if np.any(n >= MOST_TRIALS):
        raise ValueError(f"trials must be below 2**48, where counts are exact in float64; got {n.max()}")
    if np.any(k < 0) or np.any(k > n):
        bad = k[(k < 0) | (k > n)].flat[0]
        raise ValueError(f"{name} must lie between 0 and trials; got {bad}")
    return k, n
