"""Symmetric Pareto (Lomax) noise and its radii."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import convert_norm, radius_rule
from jaxsmooth.radii.growth_bounds import sub_gaussian_radius, sub_gaussian_tail


@frozen_pytree
class Pareto(AbstractNoise):
    r"""Independent noise of density proportional to :math:`\prod_i (1 + |x_i| / \lambda)^{-1 - a}`.

    As a grows it becomes ``Laplace``.

    Args:
        sigma: root mean square of each coordinate, in the units of ``x``; positive.
        a: the power of the tail, above 2, else there is no variance.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020.

    Example:
        >>> import jax, jaxsmooth as js
        >>> js.noises.Pareto(0.25, a=4.0).sample(jax.random.key(0), (8, 8, 1)).shape
        (8, 8, 1)
    """

    sigma: Any
    a: float = static(default=3.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.require_positive("a", self.a)
        if self.a <= 2:
            raise ValueError(f"a must exceed 2, else the noise has no variance; got {self.a!r}")

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        self.check_event(math.prod(shape))
        exponential = random.laplace(key, shape)
        magnitude = jnp.expm1(jnp.abs(exponential) / float(self.a))
        return self.sigma / self._root() * jnp.copysign(magnitude, exponential)

    def scale(self, dim: int) -> Any:
        """Lambda, whatever the dimension."""
        return float32_law.on_host(self.sigma) / self._root()

    def check_event(self, dim: int) -> None:
        """See ``AbstractNoise.check_event``."""
        float32_law.check_parameter("a", self.a, "Laplace")

    def _root(self) -> float:
        """Sigma in units of lambda."""
        return math.sqrt(2 / ((self.a - 1) * (self.a - 2)))


@radius_rule(
    Pareto,
    norm=1,
    source="Yang et al. 2020, differential method",
    two_sided="path",
    needs_dim=False,
)
def yang_2020(noise: Pareto, tail: np.ndarray, dim: int | None) -> np.ndarray:
    r"""The score (1 + a) / (1 + |x|) leads near 0: growth is :math:`\frac{a}{2} (1 - (1 - 2 p)^{1 + 1/a})`.

    Its reciprocal integrates to :math:`\frac{q}{a} {}_2F_1(1, b; 1 + b; z)` with q = 1 - 2 tail, b = a / (a + 1) and
    z = q^(1/b).
    """
    b = noise.a / (noise.a + 1)
    with np.errstate(divide="ignore"):
        log_q = np.log1p(-2 * np.asarray(tail, np.float64))
        complement = -np.expm1(log_q / b)
        series = np.where(complement < 0.5, _near_one(b, complement), special.hyp2f1(1, b, 1 + b, 1 - complement))
    return (1 - 1e-12) * noise.scale(1) / noise.a * np.exp(log_q) * series


def _near_one(b: float, complement: np.ndarray) -> np.ndarray:
    """2F1(1, b; 1 + b; 1 - c) for c <= 1/2, by the expansion at the logarithmic singularity (DLMF 15.8.10)."""
    c = np.minimum(complement, 0.5)
    total, coefficient = np.zeros_like(c), np.ones_like(c)
    for n in range(64):
        # c^n (ln c) is 0 at c = 0 for n >= 1 and infinite for n = 0
        total = total + coefficient * (special.digamma(n + 1) - special.digamma(b + n) - np.log(np.maximum(c, 1e-320)))
        coefficient = coefficient * c * (b + n) / (n + 1)
    return np.where(c == 0, np.inf, b * total)


def _information(noise: Pareto) -> float:
    return (1 + noise.a) ** 2 * noise.a / (noise.a + 2)


@radius_rule(
    Pareto,
    norm=2,
    source="ours: differential method, growth bounded by the Fisher information; score strictly sub-Gaussian",
    inverse=lambda noise, radius, dim: sub_gaussian_tail(_information(noise), radius / noise.scale(1)),
    two_sided="path",
    published=False,
    needs_dim=False,
)
def sub_gaussian(noise: Pareto, tail: np.ndarray, dim: int | None) -> np.ndarray:
    r"""The score of a coordinate has moments :math:`E s^{2n} = (1 + a)^{2n} a / (a + 2n)`.

    They are at most :math:`(2n - 1)!!\, (E s^2)^n`, those of a normal number, since
    :math:`\frac{a}{a + 2n} (1 + 2/a)^n \le \frac{2^n}{1 + n} \le (2n - 1)!!` for a >= 2 and n >= 2. So it is
    sub-Gaussian with its own variance, and so is every weighted sum of independent coordinates.
    """
    return noise.scale(1) * sub_gaussian_radius(_information(noise), tail)


convert_norm(Pareto, "yang_2020", norm=1, to=2)
convert_norm(Pareto, "yang_2020", norm=1, to=np.inf)
convert_norm(Pareto, "sub_gaussian", norm=2, to=np.inf)
