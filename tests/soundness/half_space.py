"""Classifiers with known radius, and the test that a method's error rate is what it claims.

A half-space ``w.x > b`` under any noise symmetric along w has its true radius at the boundary: a certificate
is wrong exactly if its radius exceeds the distance of x to it, or if its label is the other class. Every
image is the same point with an id, so a noise, of its own: certificates are independent, and the number of
wrong ones is at most Binomial(images, alpha) for a sound method.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

FALSE_ALARM = 1e-6


def half_space(direction: str, dim: int) -> tuple[jax.tree_util.Partial, np.ndarray]:
    """The classifier sign(w.x) and its unit normal w: one coordinate, or all of them equally."""
    w = np.zeros(dim, np.float32)
    if direction == "one-hot":
        w[0] = 1.0
    else:
        w[:] = 1 / math.sqrt(dim)
    return jax.tree_util.Partial(_scores, jnp.asarray(w)), w.astype(np.float64)


def _scores(w: jax.Array, batch: jax.Array) -> jax.Array:
    margin = jnp.dot(batch, w, precision=jax.lax.Precision.HIGHEST)
    return jnp.stack([-margin, margin], -1)


def wrong_certificates(
    method: Callable[..., tuple[np.ndarray, np.ndarray]],
    *,
    direction: str,
    dim: int,
    distance: float,
    images: int,
    seed: int = 0,
) -> int:
    """How many of ``images`` independent certificates of a point at ``distance`` are wrong.

    ``method(key, classify, x) -> (label, radius)``, label -1 where it abstains.
    """
    classify, w = half_space(direction, dim)
    x = np.broadcast_to((distance * w).astype(np.float32), (images, dim))
    true_distance = float(x[0].astype(np.float64) @ w)
    label, radius = (np.asarray(value) for value in method(jax.random.key(seed), classify, x))
    return int(np.sum((label == 0) | ((label == 1) & (radius > true_distance))))


def is_sound(wrong: int, images: int, alpha: float) -> bool:
    """Whether so many wrong certificates are compatible with alpha, at a false alarm of one in a million."""
    return bool(stats.binom.sf(wrong - 1, images, alpha) > FALSE_ALARM)


@functools.lru_cache
def _log_choose(n: int) -> np.ndarray:
    k = np.arange(n + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1, dtype=np.longdouble)))])
    return log_factorial[n] - log_factorial[k] - log_factorial[n - k]


def worst_error_rate(lower_bound: Callable[[np.ndarray, int, float], np.ndarray], n: int, alpha: float) -> float:
    """The supremum over p of P(lower_bound(Bin(n, p)) > p), by enumeration in extended precision.

    The bound grows with the count, so the supremum is approached from below the values of the bound:
    at p just under bound(k) the error event is "k or more".
    """
    counts = np.arange(n + 1)
    bound = np.asarray(lower_bound(counts, n, alpha), np.longdouble)
    assert (np.diff(bound) >= 0).all()
    worst = 0.0
    for k in np.unique(np.linspace(1, n, 60).astype(int)):
        p = bound[k]
        if not 0 < p < 1:
            continue
        upper = counts[k:]
        terms = _log_choose(n)[k:] + upper * np.log(p) + (n - upper) * np.log1p(-p)
        worst = max(worst, float(np.exp(terms).sum()))
    return worst
