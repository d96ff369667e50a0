"""The semi-elastic radius in float32, for compiled programs: certification on the device and large sweeps."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike
from jaxsmooth.radii.quadratic_law import laguerre

_BISECTIONS = 26
_NEWTON_STEPS = 3
# What rounding can do: to a probability near 1/2 (absolute), and to everything else (relative).
_TAIL_MARGIN = np.float32(1 + 6e-6)
_INWARD = np.float32(1 - 2e-5)
# Below it float32's normal quantile is not known to be right; smaller tails certify no more than this one.
_SMALLEST_TAIL = np.float32(1e-20)


def semi_elastic_radius_float32(
    tail: ArrayLike, *, sigma: ArrayLike, rate: ArrayLike, dim: int, margin: ArrayLike = 0.0
) -> Array:
    r"""``semi_elastic_radius`` in float32, never larger: legal inside ``jit``, ``vmap`` and a training step.

    Bisection from below on both extreme scales with Gauss-Laguerre quadrature. The result lies between
    :math:`R - 2\times10^{-5}(R + \sigma)` and the radius R of ``semi_elastic_radius``, for tails of at least
    1e-10 and :math:`\kappa = r \sigma \sqrt{2d}` at most half of :math:`\min(0.8, \sqrt d / 10)`. Where the
    quadrature would not be accurate, for larger kappa, less is certified: down to 0, never too much. Tails below 1e-20
    certify what 1e-20 does.

    Args:
        tail: ``1 - p_lower``, float32, any shape; the complement, because float32 cannot tell 1 - 1e-9 from 1.
        sigma: the scale sigma(x); broadcasts against ``tail``; may be traced.
        rate: r, the semi-elasticity; broadcasts too; may be traced.
        dim: the number of coordinates of one input, a Python int.
        margin: how much farther log sigma may move than the rate says, as in ``semi_elastic_radius``; may be traced.
            Of a scale that is computed in float32 it is not 0: pass that of ``noise.at(x)``.

    Returns:
        float32 of the broadcast shape; 0 for tails of 1/2 and more, and where ``rate`` or ``margin`` is below 0.

    Raises:
        TypeError: if ``dim`` is not a Python integer, or an argument not numeric.
        ValueError: if ``dim`` is below 1, or a ``rate`` or ``margin`` that is not traced is below 0.

    References:
        As ``semi_elastic_radius``; the error bound is measured on a grid by the tests.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> sweep = jax.jit(
        ...     lambda tail: js.radii.semi_elastic_radius_float32(
        ...         tail, sigma=0.5, rate=0.01, dim=3072
        ...     )
        ... )
        >>> sweep(jnp.array([0.01, 0.1])).round(3).tolist()
        [1.0820000171661377, 0.5960000157356262]
    """
    dim = _check.integer("dim", dim, at_least=1)
    given = {"tail": tail, "sigma": sigma, "rate": rate, "margin": margin}
    for name in ("rate", "margin"):
        if not _check.is_traced(given[name]) and not (_check.as_float64(name, given[name]) >= 0).all():
            raise ValueError(f"{name} must be at least 0; got {given[name]!r}")
    tail, sigma, rate, margin = jnp.broadcast_arrays(*(_check.float32(name, value) for name, value in given.items()))
    rho = rate * sigma * np.float32(1 + 4e-7)
    margin = margin * np.float32(1 + 4e-7)
    raised = jnp.clip(tail * _TAIL_MARGIN, _SMALLEST_TAIL, 0.5)
    z = -ndtri(raised)

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        effective = rho + jnp.where(margin > 0, margin / middle, 0.0)
        both = [_largest_tail(middle, effective, dim, side) > raised for side in (1, -1)]
        certified = both[0] & both[1]
        return jnp.where(certified, middle, low), jnp.where(certified, high, middle)

    low, _ = jax.lax.fori_loop(0, _BISECTIONS, halve, (jnp.zeros_like(z), z))
    # Without movement the test is an equality at the upper end, where bisection has nothing to find.
    scaled = jnp.where((rho > 0) | (margin > 0), low, z)
    return jnp.where((tail < 0.5) & (z > 0) & (rate >= 0) & (margin >= 0), scaled * sigma * _INWARD, 0.0)


def _largest_tail(a: Array, rho: Array, dim: int, side: int) -> Array:
    """As in float64, a margin counted in the rate; 0, to certify nothing, where the curvature is too large."""
    u = jnp.clip(side * rho * a, -1.0, 1.0)
    # (1 - e^{2u}) / 2a, with the rate in front so that small ones do not underflow.
    growth = jnp.where(jnp.abs(u) > 1e-6, jnp.expm1(2 * u) / (2 * jnp.where(u == 0, 1.0, u)), 1.0 + u)
    e0 = -side * jnp.maximum(rho * growth, 1e-12)
    e1 = e0 * jnp.exp(-u)
    tau = _median(e1, dim)
    tau = jnp.exp(3 * u) * tau + a * (1 + jnp.exp(2 * u)) / 2 + 2 * dim * a * e0**2
    curvature = jnp.maximum(jnp.abs(e0), jnp.abs(e1)) * np.float32(np.sqrt(2 * dim))
    fits = (jnp.abs(side * rho * a) < 1) & (curvature < min(0.8, 0.1 * np.sqrt(dim)))
    return jnp.where(fits, _law(tau, e0, dim)[0], 0.0)


def _median(e: Array, dim: int) -> Array:
    tau = (8 * dim * e**3 + 6 * e) / (6 * (1 + 2 * dim * e**2))
    for _ in range(_NEWTON_STEPS):
        value, density = _law(tau, e, dim)
        tau = tau + (value - 0.5) / jnp.maximum(density, 1e-3)
    return tau


def _law(tau: Array, e: Array, dim: int) -> tuple[Array, Array]:
    """Survival probability and density of the quadratic law by Gauss-Laguerre."""
    nodes, weights = (jnp.asarray(v, jnp.float32) for v in laguerre(dim))
    tau, e = tau[..., None], e[..., None]
    h = tau + e * nodes
    discriminant = 1 - 4 * e * h
    real = discriminant > 0
    q = jnp.sqrt(jnp.where(real, discriminant, 1.0))
    near, far = 2 * h / (1 + q), (1 + q) / (2 * jnp.abs(e))
    inside = ndtr(-near) - jnp.sign(e) * ndtr(-far)
    value = jnp.where(real, inside, jnp.where(e > 0, 0.0, 1.0))
    far = jnp.minimum(far, 30.0)
    density = jnp.where(real, (jnp.exp(-(near**2) / 2) + jnp.exp(-(far**2) / 2)) / q, 0.0) / np.sqrt(2 * np.pi)
    return jnp.sum(value * weights, -1), jnp.sum(density * weights, -1)
