"""Noise-augmented training on a pixel grid: unions of discs, and the risk of training and smoothing with noise."""

from typing import Any

import numpy as np

from jaxsmooth import _check, _keys
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike


@deliberate
def ball_field(key: Array, r: float, zeta: float, side: int, *, trials: int = 10_000) -> np.ndarray:
    """A random union of discs that keep a distance: a class region with a given gap between its components.

    Centres are tried one after the other, uniformly on the pixels; one is taken if no earlier centre lies in the
    axis-aligned box of half-width ``2 r + zeta`` around it.

    Args:
        key: a JAX random key.
        r: radius of the discs in pixels, positive.
        zeta: gap in pixels, at least 0.
        side: pixels on each side.
        trials: centres tried.

    Returns:
        bool ``(side, side)``, True in the class.

    Raises:
        ValueError: for a value out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Pal and Sulam 2023, released code: side 100, r 10, zeta 0 to 3.

    Example:
        >>> import jax
        >>> field = ball_field(jax.random.key(0), 10, 2, 100)
        >>> field.shape, bool(0.1 < field.mean() < 0.6)
        ((100, 100), True)
    """
    r, zeta = float(_check.positives("r", r)), float(_check.nonnegative("zeta", zeta))
    side, trials = _check.integer("side", side, at_least=1), _check.integer("trials", trials, at_least=1)
    tried = np.asarray(_keys.index(_check.typed_key(key), side, (trials, 2)))
    reach = int(np.floor(2 * r + zeta))
    taken = np.zeros((side, side), bool)
    field = np.zeros((side, side), bool)
    row, column = np.ogrid[:side, :side]
    for y, x in tried:
        if not taken[y, x]:
            taken[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = True
            field |= (row - y) ** 2 + (column - x) ** 2 <= r**2
    return field


@deliberate
def grid_risk(h: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Any:
    r"""The share of pixels that are wrong after training with alpha and smoothing with beta.

    :math:`\Delta_{\alpha,\beta}`, the mean of :math:`|\phi(h) - \phi(\phi(h * p_\alpha) * p_\beta)|` with
    :math:`\phi(u) = 1[u \ge 1/2]`; outside of the grid h is 0. The Gaussian filter has no cut-off.

    Args:
        h: ``(H, W)``, the probability of the class at each pixel, in [0, 1].
        alpha: standard deviation of the training noise in pixels, at least 0; any shape, broadcast against ``beta``.
        beta: standard deviation of the smoothing noise in pixels, at least 0.

    Returns:
        float64 of the broadcast shape, a fraction of pixels.

    Raises:
        ValueError: for a value out of range.

    References:
        Pal and Sulam 2023, released code.

    Example:
        >>> import jax
        >>> field = ball_field(jax.random.key(0), 10, 0, 100)
        >>> grid_risk(field, 0.0, [0.0, 14.0]).round(2).tolist()
        [0.0, 0.46]
    """
    h = np.asarray(h)
    h = _check.probabilities("h", h.astype(np.float64) if h.dtype == bool else h)
    if h.ndim != 2 or not h.size:
        raise ValueError(f"h must be a grid (H, W), not empty; got shape {h.shape}")
    alpha, beta = np.broadcast_arrays(_check.nonnegative("alpha", alpha), _check.nonnegative("beta", beta))
    truth = h >= 0.5
    bases = {a: _filtered(h, a) >= 0.5 for a in np.unique(alpha)}
    risk = [np.mean(truth != (_filtered(bases[a], b) >= 0.5)) for a, b in zip(alpha.flat, beta.flat, strict=True)]
    return np.reshape(risk, alpha.shape)[()]


def _filtered(h: np.ndarray, sigma: float) -> np.ndarray:
    """h convolved with a Gaussian, zero outside: two products with matrices of weights."""
    if sigma == 0:
        return np.asarray(h, np.float64)
    reach = np.arange(-max(8, int(np.ceil(40 * sigma))), max(8, int(np.ceil(40 * sigma))) + 1)
    total = np.exp(-0.5 * (reach / sigma) ** 2).sum()
    weights = [np.exp(-0.5 * ((np.arange(n)[:, None] - np.arange(n)) / sigma) ** 2) / total for n in h.shape]
    # Thirteen digits, so that equal sums in another order are not told apart by the threshold.
    return np.round(weights[0] @ h @ weights[1].T, 13)
