"""What the noises of integers share: images on a lattice, sums of integers, and what is made once, on the host."""

import abc
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.noises.lattice import Lattice, lattice_of


class AbstractLatticeNoise(AbstractNoise):
    """Integers in units of ``step``, added to those of the image: the classifier sees a function of the sums alone.

    Subclasses have ``sigma``, known when the object is made, and ``step`` as their fields. They say how integers are
    drawn, and how far the law of a draw is from the exact one.
    """

    step: float
    # What is made of sigma, in messages.
    made_on_host: ClassVar[str]

    @abc.abstractmethod
    def _integers(self, key: Array, size: int) -> Array:
        """The noise in units of ``step``, int32 ``(size,)``."""

    @abc.abstractmethod
    def total_variation(self, dim: int = 1) -> float:
        """How far the drawn law of ``dim`` coordinates may be from the exact one in total variation; proved.

        Args:
            dim: the number of coordinates.

        Returns:
            An upper bound, rounded up.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sigma={self.sigma!r}, step={self._lattice.step})"

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        return self._lattice.values(self._integers(key, math.prod(shape))).reshape(shape)

    def perturb(self, key: Array, x: Array) -> Array:
        """The sum of two integers, in the units of ``x``; see ``AbstractNoise.perturb``."""
        k = self._lattice.nearest(x.reshape(-1))
        return self._lattice.values(k + self._integers(key, k.size)).reshape(x.shape)

    def at(self, x: Array | np.ndarray) -> Self:
        """The noise used at each image; what is not sigma is shared. See ``AbstractNoise.at``."""
        at = jax.tree.map(lambda leaf: leaf, self)
        _check.keep(at, sigma=jnp.broadcast_to(jnp.asarray(self.sigma, jnp.float32), x.shape[:1]))
        return at

    def checked_images(self, x: ArrayLike) -> Array | np.ndarray:
        """Images that are on the lattice; see ``AbstractNoise.checked_images``."""
        if not _check.is_traced(self.sigma):
            self._check_known()
        return self._lattice.checked_images(x)

    def on_lattice(self, x: np.ndarray, low: ArrayLike = -math.inf, high: ArrayLike = math.inf) -> np.ndarray:
        """The nearest points of the lattice; what ``diagnostics.attack`` tests.

        Args:
            x: points, NumPy.
            low: least value of a coordinate, of the shape of ``x`` or a number.
            high: largest one.

        Returns:
            float32 of the shape of ``x``.
        """
        return self._lattice.nearest_points(x, low, high)

    @property
    def exact_sigma(self) -> bool:
        """What is drawn belongs to sigma as it is given, in double precision."""
        return True

    @property
    def _lattice(self) -> Lattice:
        return lattice_of(self.step)

    def _check_known(self) -> None:
        """Refuse a noise whose law is no longer known, before anything is drawn."""

    def _checked(self) -> tuple[float, Lattice]:
        """Sigma and the lattice, which must be known; ``__post_init__`` begins with it."""
        if _check.is_traced(self.sigma):
            raise TypeError(
                f"sigma is traced by JAX; the {self.made_on_host} of {type(self).__name__} are made on the host. Make "
                "it outside"
            )
        super().__post_init__()
        return _check.number("sigma", self.sigma), lattice_of(self.step)


def of_coordinates(variation: Fraction, dim: Any) -> float:
    """The total variation of ``dim`` coordinates that are independent, from that of one; rounded up."""
    dim = _check.integer("dim", dim, at_least=1)
    return min(math.nextafter(float(dim * variation), math.inf), 1.0)


def law_in_words(law: str) -> Callable[[AbstractLatticeNoise, int | None], str]:
    """What ``certificates.rule`` says of a noise: that it is on a lattice, how far the drawn law is off, the step."""
    return lambda noise, dim: (
        f"{law}, lattice, eta={noise.total_variation(dim or 1):.3g}, step {lattice_of(noise.step).step}; "
    )
