"""Splits: the image between thresholds at fixed places, a few hundred views that decide l1 certificates for certain."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check, _keys
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.noises.lattice import Lattice, lattice_of

# Thresholds, in half steps, and the integers that views are made of stay far below 2**24.
_MOST_LEVELS = 2**20
_FINEST = Fraction(1, 2**16)


@frozen_pytree
class Splits(AbstractNoise):
    r"""No noise but ``levels`` fixed views of an image, of which a single step of one pixel changes a single one.

    For pixels k / q, k = 0, ..., q, view s divides [0, 1] for every coordinate i at :math:`(j + m L + 1/2) / q` for all
    integers m, with :math:`j = (v_i + s) \bmod L`, L = ``levels`` and fixed offsets v; the classifier sees the middle
    of the interval that holds the pixel. One step of one pixel passes the threshold of exactly one j, so of one view:
    whoever moves an image by r steps in l1 changes at most r of the L votes. See ``certify_exact``.

    As a noise for training, ``perturb`` draws s at random: the same law for a coordinate as ``split_layer`` after
    ``Uniform(sigma)``, to a lattice.

    Args:
        sigma: root mean square of the equivalent uniform noise of half width L / 2q, in the units of ``x``;
            ``levels`` is the nearest number to :math:`2 \sqrt 3 \sigma q` (``sigma_exact``).
        step: 1 / q.
        seed: of the offsets, which depend on it and on the number of coordinates alone.
        offsets: integers in [0, levels), one a coordinate, instead of those of the seed.

    References:
        Levine and Feizi, "Improved, deterministic smoothing for l1 certified robustness", 2021.

    Example:
        >>> import jaxsmooth as js
        >>> noise = js.noises.Splits(0.5)
        >>> noise.levels, round(noise.sigma_exact, 5)
        (442, 0.50037)
    """

    sigma: Any
    step: float = static(default=1 / 255)
    seed: int = static(default=0)
    offsets: Any = static(default=None)
    levels: int = dataclasses.field(init=False, metadata={"static": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        sigma, lattice = _check.number("sigma", self.sigma), lattice_of(self.step)
        if not _FINEST <= lattice.step <= 1:
            raise ValueError(f"step must be one over an integer up to 2**16, for pixels in [0, 1]; got {self.step!r}")
        levels = max(1, round(2 * math.sqrt(3) * sigma / float(lattice.step)))
        if levels > _MOST_LEVELS:
            raise ValueError(
                f"sigma must be at most {_MOST_LEVELS * float(lattice.step) / 2 / math.sqrt(3):.3g} for steps of "
                f"{lattice.step}, or there are more than 2**20 views; got {self.sigma!r}"
            )
        _check.keep(
            self,
            sigma=sigma,
            step=float(lattice.step),
            seed=_check.integer("seed", self.seed, at_least=0),
            levels=levels,
            offsets=None if self.offsets is None else _checked_offsets(self.offsets, levels),
        )

    @classmethod
    def from_levels(cls, levels: int, step: float = 1 / 255, seed: int = 0, offsets: ArrayLike | None = None) -> Self:
        """Splits with a given number of views.

        Args:
            levels: how many; at least 1.
            step: as for the class.
            seed: as for the class.
            offsets: as for the class.

        Returns:
            ``Splits`` of the sigma that belongs to them.

        Raises:
            ValueError: for values out of range.

        Example:
            >>> import jaxsmooth as js
            >>> round(js.noises.Splits.from_levels(442).sigma, 5)
            0.50037
        """
        levels = _check.integer("levels", levels, at_least=1)
        return cls(levels * _check.number("step", step) / (2 * math.sqrt(3)), step, seed, offsets)

    def __repr__(self) -> str:
        given = ", offsets given" if self.offsets is not None else f", seed={self.seed}"
        return f"Splits(levels={self.levels}, step={self._lattice.step}{given})"

    @property
    def sigma_exact(self) -> float:
        """The sigma of uniform noise of half width ``levels * step / 2``."""
        return self.levels * float(self._lattice.step) / (2 * math.sqrt(3))

    @property
    def exact_sigma(self) -> bool:
        """The number of levels is that of sigma as it is given."""
        return True

    def view(self, index: Array, x: Array) -> Array:
        """What the classifier sees of an image in one of the ``levels`` views.

        Args:
            index: the number of the view, an integer from 0; may be traced.
            x: float32, one event on the lattice.

        Returns:
            float32 of the shape of ``x``, in [0, 1]: a function of the integers of its pixels alone.
        """
        levels, q = self.levels, round(1 / self._lattice.step)
        k = self._lattice.nearest(x.reshape(-1))
        j = jnp.asarray(_offsets(self, k.size), jnp.int32) + jnp.asarray(index).astype(jnp.int32)
        j = jnp.where(j >= levels, j - levels, j)
        # The threshold above the pixel is m L + j + 1/2, that below it L less; in half steps both are integers.
        m = (k - j - 1 + levels) // levels
        above = jnp.minimum(2 * (j + m * levels) + 1, 2 * q)
        below = jnp.maximum(2 * (j + (m - 1) * levels) + 1, 0)
        return ((above + below).astype(jnp.float32) / np.float32(4 * q)).reshape(x.shape)

    def perturb(self, key: Array, x: Array) -> Array:
        """A view at random; see ``AbstractNoise.perturb``."""
        return self.view(_keys.index(key, self.levels), x)

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """Nothing is added to an image: use ``perturb``, or ``view``."""
        raise ValueError("Splits adds no noise; use noise.perturb(key, x) for a view at random, noise.view(index, x)")

    def scale(self, dim: int) -> Any:
        """Half of the distance of two thresholds, ``levels * step / 2``, whatever the dimension."""
        return self.levels * float(self._lattice.step) / 2

    def checked_images(self, x: ArrayLike) -> Array | np.ndarray:
        """Images on the lattice with pixels in [0, 1]; see ``AbstractNoise.checked_images``."""
        _check.refuse_pair(x)
        given = x if _check.is_traced(x) else _check.numpy_or_jax("x", x)
        integers = getattr(given, "dtype", None) == np.uint8
        images = given if integers else _check.image_batch(given)
        if not _check.is_traced(images) and np.size(images):
            host = np.asarray(images, np.float64) * (self.step if integers else 1.0)
            if not (host.min() >= -1e-3 * self.step and host.max() <= 1 + 1e-3 * self.step):
                raise ValueError(
                    f"x must have pixels in [0, 1] for Splits; got values from {host.min():g} to {host.max():g}. "
                    "Divide by the largest pixel value, and standardise inside the classifier"
                )
        return self._lattice.checked_images(x, "pass lattice=False to certify_exact")

    def rounded(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Images off the lattice as the classifier sees them, and how far each pixel is from being seen otherwise.

        Args:
            x: floating point ``(images, *event)`` in [0, 1], or uint8, which are on it.

        Returns:
            ``(nearest, distance)``: images on the lattice, and distances in steps, at most 1/2, rounded down.
        """
        _check.refuse_pair(x)
        given = _check.gathered_images(_check.numpy_or_jax("x", x))
        if given.dtype == np.uint8:
            given = self.checked_images(given)
        steps = round(1 / self._lattice.step)
        k = np.floor(np.asarray(_check.image_batch(given), np.float64) * steps + 0.5)
        # From the image itself, whose float32 may be elsewhere; and the float32 of a moved one may lie past a threshold
        # that it has not reached, by half of a spacing, which is at most 2**-24 of it.
        off = np.abs(np.asarray(given, np.float64) * steps - k)
        distance = np.maximum(0.5 - off - 2.0**-24 * (np.abs(k) + 1) - 2.0**-30, 0.0)
        return k.astype(np.float32) * np.float32(self.step), distance

    @property
    def _lattice(self) -> Lattice:
        return lattice_of(self.step)


def _checked_offsets(offsets: ArrayLike, levels: int) -> tuple[int, ...]:
    given = _check.as_array("offsets", offsets)
    if given.dtype.kind not in "iu" or not given.size or given.min() < 0 or given.max() >= levels:
        raise ValueError(
            f"offsets must be integers from 0 to levels - 1 = {levels - 1}; got {given.dtype} {offsets!r:.80}"
        )
    return tuple(given.ravel().tolist())


def _offsets(noise: Splits, dim: int) -> np.ndarray:
    if noise.offsets is None:
        return _drawn_offsets(noise.seed, noise.levels, dim)
    if len(noise.offsets) != dim:
        raise ValueError(f"offsets must be one for each of the {dim} coordinates of an image; got {len(noise.offsets)}")
    return np.array(noise.offsets, np.int32)


@functools.lru_cache(maxsize=16)
def _drawn_offsets(seed: int, levels: int, dim: int) -> np.ndarray:
    """Uniform and independent, from the same generator as noise; that no radius depends on how well."""
    counter = np.arange(dim, dtype=np.uint32)
    words = [np.full(dim, (seed >> shift) % 2**32, np.uint32) for shift in (32, 0)]
    high, low = _keys.threefry((words[0], words[1]), (np.zeros_like(counter), counter))  # pyright: ignore
    return ((np.asarray(high).astype(np.uint64) << np.uint64(32) | np.asarray(low)) % np.uint64(levels)).astype(
        np.int32
    )


def split_layer(u: Array, lam: ArrayLike) -> Array:
    r"""The middle of [u - lam, u + lam] within [0, 1]: what makes of uniform noise the split of a pixel.

    :math:`g(u) = (\min(u + \lambda, 1) + \max(u - \lambda, 0)) / 2`. With u = x + delta, delta uniform on
    [-lam, lam], this is the middle of the interval of a split of random offset that holds x. Train with
    ``Uniform(lam / sqrt(3))`` and this layer in front of the network, certify with ``Splits``; or certify the random
    version, ``certify(key, lambda u: classify(split_layer(u, lam)), Uniform(lam / sqrt(3)), x, norm=1)``.

    Args:
        u: noisy images, any shape.
        lam: half of the width of the noise.

    Returns:
        Of the shape of ``u``, in [0, 1] for images in [0, 1].

    Raises:
        ValueError: if ``lam`` is not positive.

    References:
        Levine and Feizi, 2021.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js
        >>> js.noises.split_layer(jnp.array([-0.25, 0.5, 1.25]), 0.25).tolist()
        [0.0, 0.5, 1.0]
    """
    _check.require_positive("lam", lam)
    half = jnp.asarray(lam)
    return (jnp.minimum(u + half, 1.0) + jnp.maximum(u - half, 0.0)) / 2
