"""Noise whose law is Gaussian, of one sigma: under it the growth of every probability is known, sums included."""

from typing import NamedTuple

from jaxsmooth import _check
from jaxsmooth._types import Noise
from jaxsmooth.noises.gaussian import Gaussian
from jaxsmooth.noises.lattice_gaussian import LatticeGaussian


class GaussianLaw(NamedTuple):
    """What radii know of a noise.

    Attributes:
        sigma: that of the draws, in double precision.
        variation: how far the law of a draw may be from the Gaussian one in total variation, before and after any move.
    """

    sigma: float
    variation: float


def gaussian_law(noise: Noise, dim: int, why: str) -> GaussianLaw:
    """The law of Gaussian noise.

    Args:
        noise: ``Gaussian``, or ``LatticeGaussian`` with what drawing it costs.
        dim: the number of coordinates of one input.
        why: what is known under it alone, in words.

    Raises:
        TypeError: for any other noise.
    """
    if type(noise) is LatticeGaussian:
        return GaussianLaw(float(noise.sigma), noise.total_variation(dim))
    if type(noise) is not Gaussian:  # one derived from it may draw what it likes
        raise TypeError(
            f"noise must be jaxsmooth.noises.Gaussian or LatticeGaussian, of one sigma, under which {why} is known; "
            f"got {type(noise).__name__}"
        )
    return GaussianLaw(_check.sampled_sigma("noise.sigma", noise.sigma), 0.0)
