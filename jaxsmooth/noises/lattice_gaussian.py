"""Gaussian noise rounded to a lattice, drawn exactly: certificates of the program that runs, not of real numbers."""

import dataclasses
import math
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from jaxsmooth import _check
from jaxsmooth._noise import Shared
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law
from jaxsmooth.noises.lattice_noise import AbstractLatticeNoise, law_in_words, of_coordinates
from jaxsmooth.noises.lattice_table import LatticeLaw, rounded_normal
from jaxsmooth.radii import normal_tail, radius_rule

# sigma / step: below, the table is degenerate; above, it is long.
_SMALLEST_RATIO, _LARGEST_RATIO = 0.25, 1e5


@frozen_pytree
class LatticeGaussian(AbstractLatticeNoise):
    r"""Normal noise rounded to multiples of ``step``, drawn by comparisons of integers and added as integers.

    Inputs are on the lattice too, :math:`x = k_x h`, as 8-bit images are with h = 1/255. The noise is :math:`h K` with
    :math:`K = \mathrm{round}(N(0, \sigma^2 / h^2))`, and the classifier sees float32 numbers that are a function of the
    integers :math:`k_x + K` alone. What float32 does to a sum of real numbers is therefore not left to chance: the
    votes are those of a classifier of the lattice, smoothed by real Gaussian noise (rounding its input is part of the
    classifier), but for the law of the draws, which differs from the exact one by at most
    ``total_variation(dim)``. With eta that number the radius is that of Gaussian noise,

    .. math:: \sigma (\Phi^{-1}(p - \eta) - \Phi^{-1}(1/2 + \eta)).

    It holds for points of the lattice, and for what is rounded to it before it is classified.

    Args:
        sigma: standard deviation before rounding, in the units of ``x``; known when the object is made, since its
            tables are computed then, in exact arithmetic. Between step / 4 and 100,000 steps.
        step: the distance of neighbouring pixel values: one over an integer, or an integer.

    References:
        Voracek and Hein, "Sound randomized smoothing in floating-point arithmetics", 2023; Cohen, Rosenfeld and
        Kolter, "Certified adversarial robustness via randomized smoothing", 2019. The draw and its bound: ours.

    Example:
        >>> import jax, numpy as np, jaxsmooth as js
        >>> noise = js.noises.LatticeGaussian(0.25)
        >>> noise.total_variation(3072) < 1e-13
        True
        >>> draws = noise.sample(jax.random.key(0), (8, 8, 1)) * 255
        >>> bool(np.allclose(draws, np.round(draws), atol=1e-3))
        True
    """

    sigma: Any
    step: float = static(default=1 / 255)
    tables: Any = dataclasses.field(init=False)

    made_on_host: ClassVar[str] = "tables"

    def __post_init__(self) -> None:
        sigma, lattice = self._checked()
        ratio = sigma / float(lattice.step)
        if not _SMALLEST_RATIO <= ratio <= _LARGEST_RATIO:
            raise ValueError(
                f"sigma must be between {_SMALLEST_RATIO} and {_LARGEST_RATIO:g} steps of {lattice.step}; "
                f"got {self.sigma!r}, {ratio:g} steps. Use a {'smaller' if ratio < 1 else 'larger'} step, or Gaussian"
            )
        _check.keep(self, sigma=sigma, step=float(lattice.step))
        _check.keep(self, tables=Shared(self._law.table))

    def scale(self, dim: int) -> Any:
        """The standard deviation before rounding, whatever the dimension."""
        return float32_law.on_host(self.sigma)

    @property
    def table(self) -> np.ndarray:
        r"""The thresholds :math:`t_m = \lfloor 2^{63} P(|K| \ge m) \rfloor`: uint32 ``(M, 2)``, upper words first."""
        exact = self._law.thresholds
        return np.stack([(exact >> np.uint64(32)).astype(np.uint32), exact.astype(np.uint32)], -1)

    @property
    def variance(self) -> float:
        """The variance of a coordinate as it is drawn, in the units of ``x``: sigma^2 + step^2 / 12, nearly."""
        exact = self._law.thresholds.tolist()
        second = Fraction(sum((2 * m - 1) * t for m, t in enumerate(exact, 1)), 2**63)
        return float(second * self._lattice.step**2)

    def total_variation(self, dim: int = 1) -> float:
        r"""How far the drawn law of ``dim`` coordinates may be from the exact one in total variation; proved.

        At most ``dim`` times that of a coordinate, :math:`2^{-63} \sum_m (2^{63} P(|K| \ge m) - t_m)`.

        Args:
            dim: the number of coordinates.

        Returns:
            An upper bound, rounded up.

        Example:
            >>> import jaxsmooth as js
            >>> f"{js.noises.LatticeGaussian(0.25).total_variation(3072):.2e}"
            '9.96e-14'
        """
        return of_coordinates(self._law.variation, dim)

    @property
    def _law(self) -> LatticeLaw:
        self._check_known()
        return rounded_normal(Fraction(self.sigma) / self._lattice.step)

    def _check_known(self) -> None:
        if not isinstance(self.sigma, float):  # as after jax.device_put or jax.tree.map, which round it to float32
            raise TypeError(
                f"noise.sigma must be the float that LatticeGaussian was made with, to which its tables belong; got "
                f"{self.sigma!r}. Do not move or map the noise: make it where it is used, LatticeGaussian(sigma, step)"
            )

    def _integers(self, key: Array, size: int) -> Array:
        """K, int32: 63 bits decide the magnitude, one the sign."""
        return self.tables.arrays.draws(key, size)


_detail = law_in_words("gaussian l2")


def _shift(noise: LatticeGaussian, dim: int) -> tuple[float, float]:
    """Eta, and the normal quantile of 1/2 + eta, rounded up."""
    eta = noise.total_variation(dim)
    return eta, float(normal_tail.quantile_above(np.array(eta)))


def _radius(noise: LatticeGaussian, tail: np.ndarray, dim: int) -> np.ndarray:
    eta, least = _shift(noise, dim)
    lost = np.nextafter(tail + eta, 1.0)
    reached = np.where(lost < 0.5, normal_tail.quantile_below(np.minimum(lost, 0.5)), 0.0)
    return noise.sigma * np.maximum(reached - least, 0.0)


def _inverse(noise: LatticeGaussian, radius: np.ndarray, dim: int) -> np.ndarray:
    eta, least = _shift(noise, dim)
    z = np.nextafter(np.nextafter(radius / noise.sigma, np.inf) + least, np.inf)
    # Where z is small the tail is 1/2 less something that is known to more digits.
    tail = np.maximum(normal_tail.tail(z)[0], 0.5 - normal_tail.middle(np.minimum(z, 0.5))[1] - (z > 0.5))
    return np.nextafter(np.nextafter(tail, 0.0) - eta, -1.0)


_SOURCE = "Cohen et al. 2019, Theorem 1, at p_lower - eta, for points of the lattice; exact"


@radius_rule(
    LatticeGaussian,
    norm=2,
    source=_SOURCE,
    inverse=_inverse,
    published=False,
    error=2.0**-50,
    detail=_detail,
)
def lattice_gaussian(noise: LatticeGaussian, tail: np.ndarray, dim: int) -> np.ndarray:
    r"""The drawn votes at x and at x' differ by eta from the exact ones, between which Gaussian noise holds.

    :math:`p'(x) \ge p` for the drawn law gives p(x) >= p - eta for the exact one, so that p(x') >= Phi(Phi^-1(p - eta)
    - r / sigma), and the drawn votes at x' are a majority while this exceeds 1/2 + eta. It is one-sided: a bound of
    the runner-up is not used.
    """
    return _radius(noise, tail, dim)


@radius_rule(
    LatticeGaussian,
    norm=1,
    source=f"{_SOURCE}; with ||v||_2 <= ||v||_1",
    inverse=_inverse,
    published=False,
    error=2.0**-50,
    detail=_detail,
)
def lattice_gaussian_l1(noise: LatticeGaussian, tail: np.ndarray, dim: int) -> np.ndarray:
    """The l1 ball touches the l2 ball of the same radius at the coordinate axes."""
    return _radius(noise, tail, dim)


@radius_rule(
    LatticeGaussian,
    norm=np.inf,
    source=f"{_SOURCE}; with ||v||_2 <= sqrt(dim) ||v||_inf",
    inverse=lambda noise, radius, dim: _inverse(noise, radius * math.sqrt(dim) * (1 + 2.0**-50), dim),
    published=False,
    error=2.0**-50,
    detail=_detail,
)
def lattice_gaussian_linf(noise: LatticeGaussian, tail: np.ndarray, dim: int) -> np.ndarray:
    """The largest cube inside the l2 ball."""
    return _radius(noise, tail, dim) / math.sqrt(dim)
