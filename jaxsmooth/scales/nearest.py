"""KNNScale: sigma grows with the distance to the data."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.scales.base import EXPONENTIAL_ERROR, AbstractScale, checked_images, one_by_one
from jaxsmooth.scales.neighbours import mean_distance

# The default offset is the mean over this many references, spread evenly.
_SAMPLE = 1000


@frozen_pytree
class KNNScale(AbstractScale):
    r"""Sigma by the mean distance to the nearest references, :math:`\sigma_b e^{r (D_k(x) - m)}`.

    :math:`D_k(x)` is the mean l2 distance to the k nearest points of a fixed reference set, as a rule the
    training images, in the units in which noise is added. For a fixed subset the mean of the distances to its
    points is 1-Lipschitz; :math:`D_k` is the minimum of these over all subsets of k points, so it is 1-Lipschitz,
    and the scale is r-semi-elastic. Neighbours are exact: approximate ones would void the certificate. What float32
    adds to its movement is bounded by ``rounding``.

    Args:
        reference: ``(references, *event)``, finite; images of the same shape as those certified.
        sigma: sigma_b, the scale where :math:`D_k(x) = m`; positive.
        rate: r, the semi-elasticity, at least 0. It costs a factor of about
            :math:`\sqrt{1 + 2 d r^2 \sigma^2}` of every radius, see ``jaxsmooth.radii.normalised_rate``.
        k: how many neighbours.
        offset: m. By default the mean of :math:`D_k` over (up to 1,000 of) the references, each left out of
            its own neighbours, so that sigma(x) is about ``sigma`` for a typical image.

    Raises:
        ValueError: for references that are not finite or no batch, ``k`` larger than their number, or numbers
            out of range; when called, for images of another shape.
        TypeError: for arguments of the wrong kind.

    References:
        Sukenik, Kuvshinov and Guennemann, "Intriguing properties of input-dependent randomized smoothing", 2022.

    Example:
        >>> import jaxsmooth as js, jaxsmooth.scales
        >>> reference, _ = js.datasets.load("digits", "train")
        >>> scale = js.scales.KNNScale(reference, sigma=0.25, rate=0.05)
        >>> x, _ = js.datasets.load("digits", "test[:100]")
        >>> scale(x).shape, scale.semi_elasticity, round(float(scale(x).mean()), 2)
        ((100,), 0.05, 0.25)
    """

    reference: Any
    sigma: Any
    rate: Any
    k: int = static(default=20)
    offset: Any = None

    def __post_init__(self) -> None:
        if not _check.is_traced(self.reference):
            _check.keep(self, reference=_checked_reference(self.reference))
        _check.keep(self, k=_check.integer("k", self.k, at_least=1))
        references = self.reference.shape[0]
        if self.k > references:
            raise ValueError(f"k must be at most the number of references, {references}; got {self.k}")
        if not _check.is_traced(self.sigma):
            _check.require_positive("sigma", self.sigma)
            _check.require_sigma("sigma", self.sigma)
        if not _check.is_traced(self.rate):
            _check.nonnegative("rate", self.rate)
        if self.offset is None:
            _check.keep(self, offset=self._typical_distance())
        elif not _check.is_traced(self.offset) and not np.isfinite(_check.as_float64("offset", self.offset)).all():
            raise ValueError(f"offset must be finite; got {self.offset!r}")

    def __call__(self, x: ArrayLike) -> Array:
        """See ``AbstractScale.__call__``."""
        return self._sigma_at(self.mean_distance(x))

    @property
    def semi_elasticity(self) -> Any:
        """The rate, since the mean distance is 1-Lipschitz."""
        return self.rate

    def rounding(self, x: ArrayLike, reach: Array) -> Any:
        r"""What float32 can add to the movement of log sigma; about :math:`10^{-6} + 10^{-5} r D_k` for CIFAR-10.

        Let :math:`u = 2^{-24}`. The square of a difference is right to 3u of itself, and its sum in two levels, of w
        and d / w terms, to w + d / w more, whatever the order. A square root halves that and adds 2u, a mean of k
        numbers k + 1, and the smallest of the means of all subsets is right to what each of them is. So :math:`D_k`
        is right to :math:`\eta = (w + d / w + 3) u / 2 + (k + 6) u` of itself; differences that underflow are below
        :math:`2^{-63}` a coordinate. The rate, the difference and the product cost 4u of :math:`z = r (D_k - m)`, the
        exponential and the product with sigma 10u. At the other end D is larger by at most ``reach`` and z by r times
        that, so that both ends together are at most the value here.
        """
        distance = self.mean_distance(x)
        dim, u = math.prod(self.reference.shape[1:]), 2.0**-24
        width = max(1, math.isqrt(dim))
        relative = (width + -(-dim // width) + 3) * u / 2 + (self.k + 6) * u
        rate, offset = jnp.asarray(self.rate, jnp.float32), jnp.asarray(self.offset, jnp.float32)
        distances = rate * (distance + reach + 2.0**-62 * math.sqrt(dim) / relative)
        exponents = rate * (jnp.abs(distance - offset) + reach)
        # One per cent for the square terms, and for this being computed in float32 itself.
        return 2.02 * (relative * distances + 4 * u * exponents + EXPONENTIAL_ERROR)

    def mean_distance(self, x: ArrayLike) -> Array:
        """:math:`D_k`, the mean distance to the k nearest references.

        Args:
            x: ``(images, *event)``.

        Returns:
            float32 ``(images,)``.
        """
        x = checked_images(x)
        if x.shape[1:] != self.reference.shape[1:]:
            raise ValueError(
                f"x must hold images of the shape of the references, {self.reference.shape[1:]}; got {x.shape[1:]}"
            )
        return mean_distance(x, self.reference, np.full(x.shape[0], -1, np.int32), k=self.k)

    def leave_one_out(self, indices: ArrayLike | None = None) -> Array:
        """Sigma at references, each left out of its own neighbours: what training on the reference set uses.

        At a reference itself the scale is smaller than at a new image of the same kind, because the nearest
        neighbour is the image. Certificates never use this.

        Args:
            indices: int ``(images,)``, which references; all by default.

        Returns:
            float32 ``(images,)``.

        Raises:
            ValueError: if ``k`` is the number of references, so that k others do not exist, or for an index
                out of range.

        Example:
            >>> import jaxsmooth as js, jaxsmooth.scales
            >>> reference, _ = js.datasets.load("digits", "train")
            >>> scale = js.scales.KNNScale(reference, sigma=0.25, rate=0.05)
            >>> bool((scale.leave_one_out([0, 1, 2]) > scale(reference[:3])).all())
            True
        """
        references = self.reference.shape[0]
        if self.k >= references:
            raise ValueError(f"k must be below the number of references, {references}, to leave one out; got {self.k}")
        picked = np.arange(references) if indices is None else np.asarray(indices)
        if picked.ndim != 1 or picked.dtype.kind not in "iu":
            raise ValueError(f"indices must be integers (images,); got {picked.dtype} of shape {picked.shape}")
        if picked.size and not (picked.min() >= 0 and picked.max() < references):
            raise ValueError(f"indices must lie in [0, {references}); got {picked.min()} to {picked.max()}")
        return self._sigma_at(mean_distance(self.reference[picked], self.reference, picked, k=self.k))

    def _sigma_at(self, distance: Array) -> Array:
        return _exponential(distance, *(jnp.asarray(v, jnp.float32) for v in (self.sigma, self.rate, self.offset)))

    def _typical_distance(self) -> float | Array:
        references = self.reference.shape[0]
        if references == 1:
            return 0.0
        picked = np.unique(np.linspace(0, references - 1, min(references, _SAMPLE)).astype(np.int32))
        k = min(self.k, references - 1)
        distance = mean_distance(self.reference[picked], self.reference, picked, k=k).mean()
        return distance if _check.is_traced(distance) else float(distance)


@jax.jit
def _exponential(distance: Array, sigma: Array, rate: Array, offset: Array) -> Array:
    return one_by_one(lambda d: sigma * jnp.exp(rate * (d - offset)), distance)


def _checked_reference(reference: ArrayLike) -> Array:
    array = np.asarray(reference)
    if array.dtype.kind not in "f" and array.dtype != jnp.bfloat16:
        raise TypeError(
            f"reference must be floating point, in the units of x (pixels in [0, 1]); got dtype {array.dtype}. "
            "Convert it first, for example reference.astype(np.float32) / 255"
        )
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"reference must be a batch (references, *event), not empty; got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("reference must be finite; it holds NaN or infinite values")
    return jnp.asarray(array, jnp.float32)
