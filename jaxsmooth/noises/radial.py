"""What the radial noises share: a length of a known law, times a direction that is independent of it and uniform."""

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxsmooth._types import Array
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise


class AbstractRadialNoise(AbstractNoise):
    """Noise whose density depends on one norm alone."""

    # A key and the dimension to a uniform point of the unit sphere of that norm.
    _surface: ClassVar[Callable[[Array, int], Array]]
    # The static parameters that may be too large for float32, and what to use then; the first decides the spread.
    _limits: ClassVar[Mapping[str, str]]

    @abc.abstractmethod
    def _root(self, dim: int) -> float:
        """Sigma in units of lambda."""

    @abc.abstractmethod
    def _law(self, dim: int) -> float32_law.LengthLaw:
        """The law of the length in units of lambda."""

    @abc.abstractmethod
    def _length(self, key: Array, dim: int, *, plain: bool) -> tuple[Array, Array]:
        """A length, and the key that is left for the direction.

        ``plain``: as the product of lambda and a length in its units; else in logs, as one of them leaves float32.
        """

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``."""
        dim = math.prod(shape)
        law = self._checked_law(dim)
        length, key_direction = self._length(key, dim, plain=law.has_plain_factors)
        return (length * type(self)._surface(key_direction, dim)).reshape(shape)

    def scale(self, dim: int) -> Any:
        """See ``AbstractNoise.scale``."""
        return float32_law.on_host(self.sigma) / self._root(dim)

    def check_event(self, dim: int) -> None:
        """See ``AbstractNoise.check_event``."""
        self._checked_law(dim)

    def _checked_law(self, dim: int) -> float32_law.LengthLaw:
        for name, limit in self._limits.items():
            float32_law.check_parameter(name, getattr(self, name), limit)
        return float32_law.drawable_law(self, dim, next(iter(self._limits)), lambda noise: noise._law(dim))


class AbstractExponentialNoise(AbstractRadialNoise):
    r"""Density :math:`r^{-j} e^{-r^k}` of a norm r in units of lambda: r to the power k is a Gamma number."""

    k: float

    @abc.abstractmethod
    def _order(self, dim: int) -> float:
        """k times the shape of the Gamma number: dim - j."""

    def _law(self, dim: int) -> float32_law.LengthLaw:
        return float32_law.gamma_length(self._order(dim), float(self.k), -math.log(self._root(dim)))

    def _length(self, key: Array, dim: int, *, plain: bool) -> tuple[Array, Array]:
        order, k, root = self._order(dim), float(self.k), self._root(dim)
        key_length, key_direction = random.split(key)
        if plain:
            length = self.sigma / root * jnp.exp(random.log_gamma(key_length, order / k) / k)
        else:
            length = self.sigma * random.gamma_radius(key_length, order, k, 1 / root)
        return length, key_direction
