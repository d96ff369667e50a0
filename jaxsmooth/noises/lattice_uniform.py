"""Uniform noise on a lattice, drawn exactly: l1 certificates of the program that runs."""

import dataclasses
import math
from fractions import Fraction
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._noise import Shared
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.noises import random
from jaxsmooth.noises.lattice_noise import AbstractLatticeNoise, law_in_words, of_coordinates
from jaxsmooth.noises.uniform import half_width, tail_of_half_width
from jaxsmooth.radii import radius_rule

# Products of 16 and 16 bits.
_MOST_LEVELS = 2**16 - 1


@frozen_pytree
class LatticeUniform(AbstractLatticeNoise):
    r"""Uniform noise on the multiples of ``step`` in :math:`[-\lambda, \lambda]`, drawn and added as integers.

    :math:`h K` with K uniform on the ``levels`` = n integers around 0, :math:`\lambda = n h / 2`. Two such laws,
    shifted by integers of l1 norm r, differ in total variation by at most r / n, exactly as two cubes of side n do:
    the radius is that of ``Uniform`` noise of this lambda, at points of the lattice, but for
    ``total_variation(dim)``, which enters for the drawn law at either point.

    Args:
        sigma: root mean square of each coordinate, in the units of ``x``; the nearest that an odd number of levels
            has is used (``sigma_exact``). Known when the object is made.
        step: the distance of neighbouring pixel values: one over an integer, or an integer.

    References:
        Lee, Yuan, Chang and Jaakkola, 2019, for ``Uniform``; on the lattice: ours, above.

    Example:
        >>> import jaxsmooth as js
        >>> noise = js.noises.LatticeUniform(0.5)
        >>> noise.levels, round(noise.sigma_exact, 6), noise.total_variation(3072) < 1e-12
        (441, 0.499237, True)
    """

    sigma: Any
    step: float = static(default=1 / 255)
    number: Any = dataclasses.field(init=False)

    made_on_host: ClassVar[str] = "levels"

    def __post_init__(self) -> None:
        sigma, lattice = self._checked()
        half = round((math.sqrt(12 * (sigma / float(lattice.step)) ** 2 + 1) - 1) / 2)
        if not 1 <= half <= _MOST_LEVELS // 2:
            raise ValueError(
                f"sigma must be between 0.6 and 18,900 steps of {lattice.step}; got {self.sigma!r}. Use a "
                f"{'smaller' if half < 1 else 'larger'} step, or Uniform"
            )
        _check.keep(self, sigma=sigma, step=float(lattice.step), number=Shared(np.uint32(2 * half + 1)))

    def scale(self, dim: int) -> Any:
        """Half of the side of the cube, ``levels * step / 2``, whatever the dimension."""
        return self.levels * float(self._lattice.step) / 2

    @property
    def levels(self) -> int:
        """How many integers are drawn from; odd."""
        return int(self.number.arrays)

    @property
    def sigma_exact(self) -> float:
        """The root mean square of a coordinate as it is drawn."""
        return float(self._lattice.step) * math.sqrt((self.levels**2 - 1) / 12)

    def total_variation(self, dim: int = 1) -> float:
        r"""How far the drawn law of ``dim`` coordinates may be from the uniform one in total variation; proved.

        A draw is :math:`\lfloor n U / 2^{64} \rfloor` for 64 random bits U: r = 2^64 mod n of the integers are one U
        more frequent than the others, which makes :math:`r (n - r) / (n 2^{64})` a coordinate.

        Args:
            dim: the number of coordinates.

        Returns:
            An upper bound, rounded up.

        Example:
            >>> import jaxsmooth as js
            >>> js.noises.LatticeUniform(0.5).total_variation() < 441 / 4 * 2.0**-64 * 1.001
            True
        """
        n, rest = self.levels, 2**64 % self.levels
        return of_coordinates(Fraction(rest * (n - rest), n << 64), dim)

    def _integers(self, key: Array, size: int) -> Array:
        number = jnp.asarray(self.number.arrays, jnp.uint32)
        index = share(random.word_pairs(key, size), number)
        return index.astype(jnp.int32) - (number >> np.uint32(1)).astype(jnp.int32)


def share(words: tuple[Array, Array], number: Array) -> Array:
    """floor(n U / 2^64) of numbers U of two words, the upper one first, for n < 2^16; uint32."""
    half, low_bits = np.uint32(16), np.uint32(0xFFFF)

    def product(word: Array) -> tuple[Array, Array]:
        """The two words of n times a word, by its two halves."""
        upper, lower = (word >> half) * number, (word & low_bits) * number
        low = (upper << half) + lower
        return (upper >> half) + (low < lower).astype(jnp.uint32), low

    high, low = product(words[0])
    carried, _ = product(words[1])
    return high + ((low + carried) < carried).astype(jnp.uint32)


_detail = law_in_words("uniform")


def _lost(noise: LatticeUniform, tail: np.ndarray, dim: int) -> np.ndarray:
    """How much of the top class may be lost: p - 1/2 - 2 eta."""
    return np.maximum(0.5 - tail - 2 * noise.total_variation(dim) - 2.0**-52, 0.0)


def _lost_of_two(noise: LatticeUniform, tail: np.ndarray, p_upper: np.ndarray, dim: int) -> np.ndarray:
    """Half of the lead, p_A - p_B - 4 eta."""
    return np.maximum((1 - tail - p_upper) / 2 - 2 * noise.total_variation(dim) - 2.0**-52, 0.0)


def _required(noise: LatticeUniform, lost: np.ndarray, dim: int) -> np.ndarray:
    return 0.5 - lost - 2 * noise.total_variation(dim) - 2.0**-50


_SOURCE = "total variation of shifted cubes of the lattice, for points of the lattice; exact"


@radius_rule(
    LatticeUniform,
    norm=1,
    source=_SOURCE,
    inverse=lambda noise, radius, dim: _required(noise, radius / (2 * noise.scale(dim)), dim),
    two_sided=lambda noise, tail, p_upper, dim: 2 * noise.scale(dim) * _lost_of_two(noise, tail, p_upper, dim),
    published=False,
    error=2.0**-50,
    detail=_detail,
)
def lattice_uniform(noise: LatticeUniform, tail: np.ndarray, dim: int) -> np.ndarray:
    r"""2 lambda (p - 1/2 - 2 eta).

    Laws shifted by integers v overlap in :math:`\prod_i (1 - |v_i| / n) \ge 1 - \|v\|_1 / n`, the fraction of the
    points of one cube that are in the other, so that no probability changes by more than r / n for the exact law, and
    r / n + 2 eta for the drawn one; the class keeps its majority while that is below p - 1/2.
    """
    return 2 * noise.scale(dim) * _lost(noise, tail, dim)


@radius_rule(
    LatticeUniform,
    norm=np.inf,
    source=_SOURCE,
    inverse=lambda noise, radius, dim: (
        tail_of_half_width(noise, radius, dim) - 2 * noise.total_variation(dim) - 2.0**-50
    ),
    two_sided=lambda noise, tail, p_upper, dim: half_width(noise, _lost_of_two(noise, tail, p_upper, dim), dim),
    published=False,
    error=2.0**-48,
    detail=_detail,
)
def lattice_uniform_linf(noise: LatticeUniform, tail: np.ndarray, dim: int) -> np.ndarray:
    """As for ``Uniform``: the overlap, the same product, is smallest at a corner."""
    return half_width(noise, _lost(noise, tail, dim), dim)


@radius_rule(
    LatticeUniform,
    norm=2,
    source=f"{_SOURCE}; sqrt(dim) times the linf radius",
    inverse=lambda noise, radius, dim: (
        tail_of_half_width(noise, radius / np.sqrt(dim), dim) - 2 * noise.total_variation(dim) - 2.0**-50
    ),
    two_sided=lambda noise, tail, p_upper, dim: (
        np.sqrt(dim) * half_width(noise, _lost_of_two(noise, tail, p_upper, dim), dim)
    ),
    published=False,
    error=2.0**-48,
    detail=_detail,
)
def lattice_uniform_l2(noise: LatticeUniform, tail: np.ndarray, dim: int) -> np.ndarray:
    """As for ``Uniform``: among shifts of one length the even one overlaps least."""
    return np.sqrt(dim) * lattice_uniform_linf(noise, tail, dim)
