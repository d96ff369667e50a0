"""Gaussian noise whose scale depends on the image, and its radii."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree
from jaxsmooth._types import Array, ArrayLike, Noise
from jaxsmooth.noises import float32_law, random
from jaxsmooth.noises.base import AbstractNoise
from jaxsmooth.radii import convert_norm, radius_rule
from jaxsmooth.radii.checked_inverse import normal_radius
from jaxsmooth.radii.semi_elastic import radius_of_tail, tail_of_radius
from jaxsmooth.scales.base import AbstractScale, check_scale, rounding_on_host, sigma_of
from jaxsmooth.scales.constant import Constant

# No radius is larger in units of sigma: in double precision 1 - p is at least 2^-53, whose normal quantile is 8.2.
_REACH = 9.0
# Of the radii, relative: normal quantiles are checked, and the search of ``semi_elastic`` rounds down.
_ERROR = 2.0**-50


@frozen_pytree
class GaussianAt(AbstractNoise):
    r"""The Gaussian noise of some images: what ``InputDependentGaussian`` is there, and may be nearby.

    Made by ``InputDependentGaussian.at``; also the noise of a training batch, aligned with its images:
    ``GaussianAt(sigma[indices])`` with ``sigma = KNNScale.leave_one_out()``, computed once. Votes are counted under
    the ``InputDependentGaussian`` itself. Its radii hold for the classifier that computes sigma anew for every input:
    :math:`\sigma \Phi^{-1}(p)` does not, since at a perturbed image the noise is another one.

    Args:
        sigma: standard deviation at each image, ``(images,)``.
        rate: semi-elasticity of the scale, one number or ``(images,)``; inf where none is declared.
        constant_within: l2 radius within which sigma is constant, one number or ``(images,)``; 0 where none is
            declared.
        margin: how much farther log sigma may move than the rate says, as ``scale.rounding`` bounds it; one number or
            ``(images,)``.

    References:
        Sukenik, Kuvshinov and Guennemann, "Intriguing properties of input-dependent randomized smoothing", 2022.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> noise = js.noises.GaussianAt(np.array([0.25, 0.5]), rate=0.01)
        >>> js.certified_radius(noise, [0.99, 0.99], dim=3072).round(4).tolist()
        [0.5707, 1.0825]
    """

    sigma: Any
    rate: Any = math.inf
    constant_within: Any = 0.0
    margin: Any = 0.0

    def __post_init__(self) -> None:
        # Values that are on a device are not waited for.
        if not isinstance(self.sigma, jax.Array):
            _check.positives("sigma", self.sigma)

    def at(self, x: Array | np.ndarray) -> "GaussianAt":
        """The noise of these very images, one after the other; see ``AbstractNoise.at``."""
        if np.shape(self.sigma) not in ((), x.shape[:1]):
            raise ValueError(
                f"noise.sigma must have one entry for each image of x, shape {x.shape[:1]}; got shape "
                f"{np.shape(self.sigma)}. Pick those of the batch, GaussianAt(sigma[indices])"
            )
        return super().at(x)

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """See ``AbstractNoise.sample``; for the noise of one image, as under ``vmap``."""
        return self.sigma * random.normal(key, shape)

    def scale(self, dim: int) -> Any:
        """The standard deviations, whatever the dimension."""
        return float32_law.on_host(self.sigma)

    def __getitem__(self, images: Any) -> "GaussianAt":
        """The noise of some of the images."""
        shape = np.shape(self.sigma)
        pick = lambda leaf: (np if isinstance(leaf, np.ndarray | float) else jnp).broadcast_to(leaf, shape)[images]
        return GaussianAt(*(pick(leaf) for leaf in (self.sigma, self.rate, self.constant_within, self.margin)))


@frozen_pytree
class InputDependentGaussian(AbstractNoise):
    r"""Independent normal noise of standard deviation :math:`\sigma(x)`, a function of the image.

    The smoothed classifier at x votes under noise of scale sigma(x), at every other point under the scale
    there. That the scale moves is paid for: the radius holds for every scale that its declared
    semi-elasticity allows nearby, and is :math:`\sigma(x) \Phi^{-1}(p)` only for a constant scale.

    Radii are claims about the images at which sigma was computed: ``certify`` computes it; to
    ``certified_radius`` and ``required_probability`` pass ``noise.frozen_at(x)``. There is no ``radius_table``,
    whose entries belong to one sigma; compiled programs use ``radii.semi_elastic_radius_float32`` with the
    sigma, rate and margin of ``noise.at(x)``: the margin is what float32 may do to sigma(x).

    Args:
        sigma_at: one of ``jaxsmooth.scales``, or any scale that declares a semi-elasticity or a local-constancy
            radius.

    Raises:
        TypeError: if it is no scale.
        ValueError: if it declares neither.

    References:
        Sukenik, Kuvshinov and Guennemann, "Intriguing properties of input-dependent randomized smoothing", 2022.

    Example:
        >>> import jax, jaxsmooth as js, jaxsmooth.scales
        >>> reference, _ = js.datasets.load("digits", "train")
        >>> noise = js.noises.InputDependentGaussian(
        ...     js.scales.KNNScale(reference, sigma=0.25, rate=0.05)
        ... )
        >>> x, _ = js.datasets.load("digits", "test[:4]")
        >>> noise.at(x).sigma.shape
        (4,)
    """

    sigma_at: AbstractScale

    def __post_init__(self) -> None:
        check_scale("sigma_at", self.sigma_at)

    def at(self, x: Array | np.ndarray) -> GaussianAt:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The noise used at each image: float32 leaves with a leading axis ``(images,)``; see ``AbstractNoise.at``."""
        rate, within = self.sigma_at.semi_elasticity, self.sigma_at.local_constancy_radius(x)
        # Outward by one unit in the last place: float32 must not claim a smaller rate or a larger ball.
        rate = jnp.nextafter(jnp.asarray(math.inf if rate is None else rate, jnp.float32), jnp.inf)
        within = jnp.nextafter(jnp.asarray(0.0 if within is None else within, jnp.float32), 0.0)
        spread = lambda leaf: jnp.broadcast_to(leaf, x.shape[:1])
        sigma = sigma_of(self.sigma_at, x)
        margin = jnp.nextafter(jnp.asarray(self.sigma_at.rounding(x, _REACH * sigma), jnp.float32), jnp.inf)
        return GaussianAt(sigma, spread(rate), spread(within), spread(margin))

    def frozen_at(self, x: ArrayLike) -> GaussianAt:
        """The noise at each image as radius rules need it: float64 NumPy on the host.

        Args:
            x: ``(images, *event)``.

        Returns:
            ``GaussianAt`` with leaves ``(images,)``.

        Raises:
            TypeError: if something is traced.
            ValueError: if sigma is not positive and finite everywhere.
        """
        if _check.is_traced(self, x):
            raise TypeError("frozen_at works on the host and cannot be traced; inside jit use at")
        # Of the scale as draws see it: numbers of another precision may make another sigma.
        sigma = _check.float32_noise(self).sigma_at.on_host(x)  # pyright: ignore[reportAttributeAccessIssue]
        good = (sigma >= _check.SMALLEST_SIGMA) & (sigma <= _check.LARGEST_SIGMA)
        if not good.all():
            limits = f"between {_check.SMALLEST_SIGMA:.2g} and {_check.LARGEST_SIGMA:.2g}"
            i = int(np.argmin(good))
            raise ValueError(
                f"sigma(x) must be {limits}, for draws are float32; image {i} has {sigma[i]}. Clip the scale"
            )
        rate, within = self.sigma_at.semi_elasticity, self.sigma_at.local_constancy_radius(x)
        host = lambda name, value: np.broadcast_to(_nonnegative(name, value), sigma.shape)
        return GaussianAt(
            sigma,
            np.full(sigma.shape, math.inf) if rate is None else host("semi_elasticity", rate),
            host("local_constancy_radius", 0.0 if within is None else within),
            host("rounding", rounding_on_host(self.sigma_at, x, _REACH * sigma)),
        )

    @property
    def depends_on_input(self) -> bool:
        """Unless the scale is ``Constant``; see ``AbstractNoise.depends_on_input``."""
        return not isinstance(self.sigma_at, Constant)

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """There is no noise without an image: sample from ``noise.at(x)``."""
        raise ValueError("the noise depends on the image; sample from noise.at(x), one key for each image")

    def scale(self, dim: int) -> Any:
        """There is no scale without an image: ask ``noise.at(x)``."""
        raise ValueError("the scale depends on the image; use noise.at(x).sigma")


def _refuse_table(noise: Noise) -> None:
    """Refuse a radius table for noise whose sigma varies: an entry belongs to one sigma."""
    if noise.depends_on_input:
        raise ValueError(
            "the radius of InputDependentGaussian depends on sigma(x), so that one radius per probability does not "
            "exist, nor a table of them. Use certify, or pass noise.frozen_at(x), which knows sigma at each image, to "
            "certified_radius and required_probability; inside jit use jaxsmooth.radii.semi_elastic_radius_float32 "
            "with sigma, rate and margin of noise.at(x), all three"
        )


def _nonnegative(name: str, value: object) -> np.ndarray:
    """At least 0, float64; inf is allowed."""
    array = _check.as_float64(name, value)
    if not (array >= 0).all():
        raise ValueError(f"{name} of the scale must be at least 0; got {array[~(array >= 0)].flat[0]}")
    return array


def _leaves(noise: GaussianAt) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rate, within = (_nonnegative(name, getattr(noise, name)) for name in ("rate", "constant_within"))
    return np.asarray(noise.sigma, np.float64), rate, within


def _margin(noise: GaussianAt) -> np.ndarray:
    return _nonnegative("margin", noise.margin)


def _semi_elastic_tail(noise: GaussianAt, radius: np.ndarray, dim: int) -> np.ndarray:
    sigma, rate, _ = _leaves(noise)
    known = np.isfinite(rate)
    return np.where(known, tail_of_radius(radius, sigma, np.where(known, rate, 0.0), dim, _margin(noise)), 0.0)


def _constant_tail(noise: GaussianAt, radius: np.ndarray, dim: int | None) -> np.ndarray:
    sigma, _, within = _leaves(noise)
    # radii are asked for with the rounding of this rule on top
    return np.where(radius * (1 - _ERROR) <= within, special.ndtr(-radius / sigma), 0.0)


@radius_rule(
    GaussianAt,
    norm=2,
    source="Sukenik et al. 2022, both extreme scales; tight for what is known of the scale",
    inverse=_semi_elastic_tail,
    error=_ERROR,
)
def sukenik_2022(noise: GaussianAt, tail: np.ndarray, dim: int) -> np.ndarray:
    """The largest distance at which neither extreme scale loses the majority; see ``radii.semi_elastic``."""
    sigma, rate, _ = _leaves(noise)
    known = np.isfinite(rate)
    return np.where(known, radius_of_tail(tail, sigma, np.where(known, rate, 0.0), dim, _margin(noise)), 0.0)


@radius_rule(
    GaussianAt,
    norm=2,
    source="Cohen et al. 2019, Theorem 1, within the ball on which the scale is constant",
    inverse=_constant_tail,
    needs_dim=False,
    error=_ERROR,
)
def locally_constant(noise: GaussianAt, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """Inside the ball it is ordinary smoothing."""
    sigma, _, within = _leaves(noise)
    return np.minimum(sigma * normal_radius(tail), within)


def _constant_sigma(noise: InputDependentGaussian) -> float:
    return _check.sampled_sigma("sigma", noise.sigma_at.sigma)  # pyright: ignore[reportAttributeAccessIssue]


def _cohen_tail(noise: InputDependentGaussian, radius: np.ndarray, dim: int | None) -> np.ndarray:
    _refuse_table(noise)
    return special.ndtr(-radius / _constant_sigma(noise))


@radius_rule(
    InputDependentGaussian,
    norm=2,
    source="Cohen et al. 2019, Theorem 1, for a constant scale; exact",
    inverse=_cohen_tail,
    needs_dim=False,
    error=_ERROR,
)
def constant_scale(noise: InputDependentGaussian, tail: np.ndarray, dim: int | None) -> np.ndarray:
    """A constant scale needs no image; for any other, an explanation of what does."""
    _refuse_table(noise)
    return _constant_sigma(noise) * normal_radius(tail)


for _norm in (1, np.inf):
    convert_norm(GaussianAt, norm=2, to=_norm)
    convert_norm(InputDependentGaussian, norm=2, to=_norm)
