"""The rate at which smoothing shrinks a cone, from draws."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import short_repr
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array
from jaxsmooth.diagnostics import arguments
from jaxsmooth.noises import random


@short_repr
class ConeRate(NamedTuple):
    """A measured shrinkage rate.

    Attributes:
        rate: the sample quantile.
        interval: float64 ``(2,)``, an interval that holds the rate with at least the confidence asked for.
    """

    rate: float
    interval: np.ndarray


@deliberate
def cone_rate_mc(
    key: Array, theta: float, d: int, n: int, *, threshold: float = 0.5, confidence: float = 0.95
) -> ConeRate:
    r"""The shrinkage rate from n draws, a check of ``cone_rate`` whose cost does not depend on d.

    The rate is the threshold-quantile of :math:`C \cot\theta - Z`, with :math:`C \sim \chi_{d-1}` and Z normal. The
    interval is between two order statistics, which holds for any law.

    Args:
        key: a JAX random key.
        theta: half-angle in radians, in (0, pi / 2).
        d: dimension, at least 2.
        n: number of draws.
        threshold: as in ``cone_rate``.
        confidence: of the interval, in (0, 1).

    Returns:
        ``ConeRate``; an end of the interval is infinite if n is too small for one.

    Raises:
        ValueError: for a value out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Ours: a point at depth s is inside after noise exactly if :math:`C \cot\theta - Z \le s / \sigma`.

    Example:
        >>> import jax, numpy as np, jaxsmooth.diagnostics as diagnostics
        >>> rate, interval = cone_rate_mc(jax.random.key(0), np.radians(45), 25, 100_000)
        >>> bool(
        ...     interval[0]
        ...     < diagnostics.cone_rate(np.radians(45), 25, threshold=0.5)
        ...     < interval[1]
        ... )
        True
    """
    angle, level = float(arguments.half_angles(theta)), float(arguments.thresholds(threshold))
    d, n = _check.integer("d", d, at_least=2), _check.integer("n", n, at_least=1)
    confidence = _check.probability("confidence", confidence)
    cot = np.float32(1 / math.tan(angle))
    draws = np.sort(np.asarray(_depths(_check.typed_key(key), cot, n=n, shape=(d - 1) / 2), np.float64))
    miss = (1 - confidence) / 2
    lower = int(_binomial_quantile(miss, n, level))
    upper = int(_binomial_quantile(1 - miss, n, level)) + 1
    interval = np.array([draws[lower - 1] if lower > 0 else -np.inf, draws[upper - 1] if upper <= n else np.inf])
    return ConeRate(float(draws[min(n - 1, int(n * level))]), interval)


def _binomial_quantile(p: float, n: int, level: float) -> float:
    from scipy import stats

    return float(stats.binom.ppf(p, n, level))


@functools.partial(jax.jit, static_argnames=("n", "shape"))
def _depths(key: Array, cot: Array, *, n: int, shape: float) -> Array:
    """n draws of C cot - Z; C squared is twice a Gamma(``shape``) number."""
    chi_key, normal_key = random.split(key)
    chi = jnp.sqrt(2 * jnp.exp(jax.vmap(lambda key: random.log_gamma(key, shape))(random.split(chi_key, n))))
    return chi * cot - random.normal(normal_key, (n,))
