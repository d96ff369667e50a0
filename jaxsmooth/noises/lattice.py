"""Lattices of pixel values: integers k that stand for k * step, what is on them, and what a float32 image means."""

import dataclasses
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike

# How far a pixel may be from the lattice, in steps: float32 of k / 255 is within 1e-5 of it.
_TOLERANCE = 1e-3
# Integers of images, which float32 values k * step must give back: the step, the product and the product with 1 / step
# are each rounded by 2**-24 at most, so that k comes out wrong by less than 3.01 * 2**-24 * k, below 0.38. It would be
# 1/2 from 2.8e6 on. Those of noise are below 2**20, and sums below 2**24 are exact in float32.
_LARGEST = 2**21
# Steps, and one over them.
_LARGEST_STEP = 2**22
# Images of whole numbers up to 255 that are meant to be in [0, 1].
_LARGEST_PLAUSIBLE = 4


@dataclasses.dataclass(frozen=True)
class Lattice:
    """The multiples of a step, an integer or one over an integer.

    Attributes:
        step: the distance of neighbouring values, exactly.
    """

    step: Fraction

    def nearest(self, x: Array) -> Array:
        """The integers of float32 values on the lattice, int32: of ``values(k)`` k itself up to 2**21.

        Rounding hides what float32 does to k * step and back, less than 0.38.
        """
        per_unit = np.float32(1 / self.step)
        return jnp.round(x * per_unit).astype(jnp.int32)

    def values(self, k: Array) -> Array:
        """The float32 values that stand for integers: one conversion and one product, a function of k alone."""
        return k.astype(jnp.float32) * np.float32(float(self.step))

    def checked_images(self, x: ArrayLike, instead: str = "use Gaussian") -> Array | np.ndarray:
        """Images on the lattice, ``(images, *event)`` float32: floating point, or uint8, which are integers k.

        Args:
            x: what a user passes.
            instead: what to do about images that are meant to be off the lattice.

        Raises:
            ValueError: if a pixel is off the lattice.
        """
        _check.refuse_pair(x)
        given = _check.numpy_or_jax("x", x)
        if given.dtype == np.uint8:
            return _check.image_batch(self._values_on_host(np.asarray(given).astype(np.float64)))
        images = _check.image_batch(given)
        if _check.is_traced(images):
            return images
        host = np.asarray(images, np.float64) * float(1 / self.step)
        k = np.rint(host)
        self._check_distance(host, k, images, instead)
        snapped = self._values_on_host(k)
        return jnp.asarray(snapped) if isinstance(images, jax.Array) else snapped

    def nearest_points(self, x: np.ndarray, low: ArrayLike, high: ArrayLike) -> np.ndarray:
        """The nearest points of the lattice between bounds, float32, on the host."""
        per_unit = float(1 / self.step)
        least = np.ceil(np.asarray(low, np.float64) * per_unit - _TOLERANCE)
        most = np.floor(np.asarray(high, np.float64) * per_unit + _TOLERANCE)
        return self._values_on_host(np.clip(np.rint(np.asarray(x, np.float64) * per_unit), least, most))

    def _values_on_host(self, k: np.ndarray) -> np.ndarray:
        return k.astype(np.float32) * np.float32(float(self.step))

    def _check_distance(self, host: np.ndarray, k: np.ndarray, images: Array | np.ndarray, instead: str) -> None:
        off = np.abs(host - k)
        low, high = float(host.min() * self.step), float(host.max() * self.step)
        if max(-k.min(), k.max()) > _LARGEST:
            raise ValueError(
                f"x must be within {_LARGEST} steps of 0, where pixels and sums with the noise are exact in float32; "
                f"got values from {low:g} to {high:g} at step {self.step}. Use a larger step"
            )
        whole = self.step < 1 and high > _LARGEST_PLAUSIBLE and bool((np.asarray(images) % 1 == 0).all())
        if off.max() > _TOLERANCE or whole:
            at = tuple(int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
            found = (
                f"x holds whole numbers up to {high:g}"
                if whole
                else f"x{list(at)} = {float(np.asarray(images)[at])!r} is {off[at]:.3g} steps from the nearest multiple"
            )
            raise ValueError(f"x must be on the lattice of step {self.step}: {found}. {_remedy(low, high, instead)}")


def _remedy(low: float, high: float, instead: str) -> str:
    """What to do about images from ``low`` to ``high`` that are not on the lattice."""
    if low >= 0 and _LARGEST_PLAUSIBLE < high < 256:
        return "For pixels from 0 to 255 use step=1, with sigma in the same unit, or divide x by 255"
    if low < -0.05:
        return (
            "Standardise inside the classifier, lambda x: classify((x - mean) / std), and pass plain pixels; or "
            f"round first, or {instead}"
        )
    return f"Round first, x = np.round(x / step) * step, or {instead}"


def lattice_of(step: float) -> Lattice:
    """The lattice of a step given as a float, an integer or one over one.

    Raises:
        ValueError: for any other number.
    """
    value = _check.number("step", step)
    if value > 0 and np.isfinite(value):
        inverse = 1 / value
        for exact in (Fraction(round(value)), Fraction(1, max(round(inverse), 1))):
            if 0 < exact <= _LARGEST_STEP and 1 / exact <= _LARGEST_STEP and abs(value / float(exact) - 1) <= 1e-7:
                return Lattice(exact)
    raise ValueError(
        f"step must be an integer or one over an integer, for example 1/255 for 8-bit pixels in [0, 1], and between "
        f"2**-22 and 2**22; got {step!r}"
    )
