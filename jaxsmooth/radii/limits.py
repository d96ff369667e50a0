"""What no radius can exceed: caps that hold for any noise of a given sigma, and the scale of a general limit.

The caps are theorems with their constants; ``limit_scale`` is an order of magnitude and says so.
"""

import math
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike, Noise
from jaxsmooth.radii.certified_radius import certified_radius


def chebyshev_cap(p_lower: ArrayLike, *, sigma: float, norm: float = 2, dim: int | None = None) -> Any:
    r"""Rigorous: no additive symmetric noise of this sigma certifies more, whatever its law.

    .. math:: R \le \frac{\sigma}{d^{\max(0, 1/2 - 1/\mathrm{norm})} \sqrt{2 (1 - p_A)}}

    Some direction has variance at most sigma^2 (an axis for norms 1 and 2, a vector of signs for inf). A
    half-space across it, placed where Chebyshev's inequality leaves it the probability p_A, is crossed there.

    Args:
        p_lower: probability of the top class, any shape, in [0, 1].
        sigma: per-coordinate root mean square of the noise.
        norm: 1, 2 or ``np.inf``.
        dim: the number of coordinates; needed for norm inf.

    Returns:
        float64 of the shape of ``p_lower``: a cap, 0 for ``p_lower <= 1/2`` and inf at 1.

    Raises:
        ValueError: for a bad probability, sigma, norm or dim.

    References:
        Kumar et al., "Curse of dimensionality on randomized smoothing for certifiable robustness", 2020.

    Example:
        >>> round(float(chebyshev_cap(0.98, sigma=1.0)), 9)
        5.0
    """
    p_lower, factor = _arguments(p_lower, sigma, norm, dim)
    with np.errstate(divide="ignore"):
        cap = factor / np.sqrt(2 * (1 - p_lower))
    return np.where(p_lower <= 0.5, 0.0, cap)[()]


def gauss_cap(p_lower: ArrayLike, *, sigma: float, norm: float = 2, dim: int | None = None) -> Any:
    r"""Rigorous for noise whose projection on the direction is symmetric and unimodal, by Gauss' inequality.

    .. math:: R \le \frac{\sigma}{d^{\max(0, 1/2 - 1/\mathrm{norm})}} \begin{cases}
        \sqrt 3 (2 p_A - 1) & p_A \le 5/6 \\ \sqrt{2 / (9 (1 - p_A))} & p_A > 5/6 \end{cases}

    For norm 1 it is enough that each coordinate is symmetric and unimodal; ``Uniform`` attains it up to 5/6.

    Args:
        p_lower: probability of the top class, any shape, in [0, 1].
        sigma: per-coordinate root mean square of the noise.
        norm: 1, 2 or ``np.inf``.
        dim: the number of coordinates; needed for norm inf.

    Returns:
        float64 of the shape of ``p_lower``: a cap, 0 for ``p_lower <= 1/2`` and inf at 1.

    Raises:
        ValueError: for a bad probability, sigma, norm or dim.

    References:
        Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1823.

    Example:
        >>> import jaxsmooth as js
        >>> radius = js.certified_radius(js.noises.Uniform(1.0), 0.8, norm=1)
        >>> round(float(gauss_cap(0.8, sigma=1.0, norm=1) / radius), 9)
        1.0
    """
    p_lower, factor = _arguments(p_lower, sigma, norm, dim)
    with np.errstate(divide="ignore"):
        outer = np.sqrt(2 / (9 * (1 - p_lower)))
    cap = np.where(p_lower <= 5 / 6, math.sqrt(3) * (2 * p_lower - 1), outer)
    return np.where(p_lower <= 0.5, 0.0, factor * cap)[()]


def sampling_cap(noise: Noise, *, n: int, alpha: float, norm: float = 2, dim: int | None = None) -> float:
    """Rigorous: the largest radius that n votes can certify at this alpha, all of them for one class.

    Unanimity bounds the probability by ``alpha ** (1 / n)`` and no count does better.

    Args:
        noise: the noise, with a concrete ``sigma``.
        n: number of votes that estimate the probability.
        alpha: error probability per image, in (0, 1).
        norm: 1, 2 or ``np.inf``.
        dim: the number of coordinates of one input; needed by most rules.

    Returns:
        The radius, in the units of the noise.

    Raises:
        ValueError: as ``certified_radius``, and for a bad n or alpha.

    Example:
        >>> import jaxsmooth as js
        >>> round(sampling_cap(js.noises.Uniform(1.0), n=100_000, alpha=0.0005, norm=1), 4)
        1.7318
    """
    noise = _check.noise_of_one_sigma(noise)
    n, alpha = _check.integer("n", n, at_least=1), _check.probability("alpha", alpha)
    p_largest = 1 + math.expm1(math.log(alpha) / n)
    return float(certified_radius(noise, p_largest, norm=norm, dim=dim))


def limit_scale(norm: float, dim: int) -> float:
    r"""An order of magnitude, not a cap: the scale :math:`\min(1, d^{1/\mathrm{norm} - 1/2})` at which smoothing fails.

    From label statistics under random perturbations of any kind, no scheme has a nontrivial certified accuracy at
    radii far above this scale in high dimension. The constant is not known; inputs lie in the unit cube.

    Args:
        norm: any number of at least 1, or ``np.inf``.
        dim: the number of coordinates of one input.

    Returns:
        The scale.

    Raises:
        ValueError: for a norm below 1 or a dim below 1.

    References:
        Yang et al., "Randomized smoothing of all shapes and sizes", 2020; Blum et al., "Random smoothing might be
        unable to certify l-infinity robustness for high-dimensional images", 2020.

    Example:
        >>> round(limit_scale(np.inf, 3072), 4)
        0.018
    """
    dim = _check.integer("dim", dim, at_least=1)
    if not _check.number("norm", norm) >= 1:
        raise ValueError(f"norm must be at least 1; got {norm!r}")
    return min(1.0, dim ** (1 / norm - 0.5))


def _arguments(p_lower: ArrayLike, sigma: float, norm: float, dim: int | None) -> tuple[np.ndarray, float]:
    """Checked probabilities, and sigma divided by the root of dim for norm inf."""
    p_lower, norm, dim = _check.probabilities("p_lower", p_lower), _check.norm(norm), _check.dimension(dim)
    _check.require_positive("sigma", sigma)
    if math.isinf(norm) and dim is None:
        raise ValueError("dim is needed for norm inf: pass the number of coordinates of one input")
    return p_lower, sigma / math.sqrt(dim) if dim is not None and math.isinf(norm) else float(sigma)
