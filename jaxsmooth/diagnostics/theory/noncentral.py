"""The noncentral chi-squared law of a squared distance, and the logarithm of its tail where it underflows."""

import numpy as np
from scipy import special

# Below this the tail comes from the series in logarithms; SciPy's is right to 1e-12 above, and wrong below 1e-150.
_DEEP = 1e-100
# Above this product of both, and for squares this much above d, SciPy's loses digits, all of them in the end.
_FLAT, _FLAT_SQUARE = 1e8, 100.0
_NODES = 8


def ball_probability(rho: np.ndarray, radius: np.ndarray, d: np.ndarray) -> np.ndarray:
    """P(||rho e1 + Z|| <= radius) for standard normal Z in d dimensions; arrays of one shape."""
    # SciPy takes half a second to import it, which `import jaxsmooth` need not pay for.
    from scipy import stats

    flat = _is_flat(rho, radius, d)
    near = np.where(flat, 1.0, rho)
    result = np.where(
        rho > 0,
        stats.ncx2.cdf(np.where(flat, 1.0, radius) ** 2, d, np.maximum(near, 1e-300) ** 2),
        special.gammainc(d / 2, radius**2 / 2),
    )
    result[flat] = np.exp(_log_over_flat(rho[flat], radius[flat], d[flat], -1))
    return result


def ball_log_outside(rho: np.ndarray, radius: np.ndarray, d: np.ndarray) -> np.ndarray:
    """log P(||rho e1 + Z|| > radius); arrays of one shape, no underflow."""
    from scipy import stats

    flat = _is_flat(rho, radius, d)
    near = np.where(flat, 1.0, rho)
    tail = np.where(
        rho > 0,
        stats.ncx2.sf(np.where(flat, 1.0, radius) ** 2, d, np.maximum(near, 1e-300) ** 2),
        special.gammaincc(d / 2, radius**2 / 2),
    )
    tail[flat] = rho[flat] > radius[flat]
    with np.errstate(divide="ignore"):
        result = np.array(np.log(tail))
    # Gauss's rule is right as long as the exponent hardly bends, which far out it may.
    flat &= np.abs(rho - radius) * np.sqrt(d / 2) < radius / 2
    result[flat] = _log_over_flat(rho[flat], radius[flat], d[flat], 1)
    for i in np.argwhere(~flat & ~(tail >= _DEEP)):  # SciPy has NaN far out
        at = tuple(i)
        result[at] = _log_tail_series(float(rho[at]), float(radius[at]), float(d[at]))
    return result


def _is_flat(rho: np.ndarray, radius: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Where the sphere is nearly a plane."""
    return (rho * radius > _FLAT) & (radius**2 > _FLAT_SQUARE * d)


def _log_over_flat(rho: np.ndarray, radius: np.ndarray, d: np.ndarray, sign: int) -> np.ndarray:
    r"""The logarithm of the probability outside (sign 1) or inside (-1) of a sphere that is nearly a plane.

    Given :math:`W = Z_2^2 + \dots + Z_d^2`, chi-squared with d - 1 degrees of freedom, it is
    :math:`\Phi(\pm(\rho - \sqrt{r^2 - W}))`, which varies slowly with W: Gauss's rule for the law of W.
    """
    result, degree = np.empty(rho.shape), np.arange(_NODES)
    for i, (start, edge, half) in enumerate(zip(rho, radius, (d - 1) / 2, strict=True)):
        off = np.sqrt(degree[1:] * (degree[1:] + half - 1))  # of generalized Laguerre polynomials
        nodes, vectors = np.linalg.eigh(np.diag(2 * degree + half) + np.diag(off, 1) + np.diag(off, -1))
        bend = 2 * np.maximum(nodes, 0.0)
        sagitta = bend / (edge + np.sqrt(edge**2 - bend))
        result[i] = special.logsumexp(special.log_ndtr(sign * (start - edge + sagitta)), b=vectors[0] ** 2)
    return result


def _log_tail_series(rho: float, radius: float, d: float) -> float:
    """The tail as a Poisson mixture of central tails, summed in logarithms around its largest term."""
    y, mean = radius**2 / 2, rho**2 / 2
    if mean == 0:  # also where the square of rho underflows
        return float(_log_gamma_tail(np.array([d / 2]), y)[0])
    if rho * radius > 1e13 * d:
        # The sphere is a plane with a first-order correction; what is left out is d^2 / (8 rho radius).
        return float(special.log_ndtr(rho - radius) + (d - 1) / 2 * np.log(radius / rho))
    # Successive terms have the ratio mean y / ((j + 1) (d / 2 + j)), about.
    peak = (np.sqrt(d**2 / 4 + 4 * mean * y) - d / 2) / 2
    width = 40 * np.sqrt(peak) + 200
    # Terms change by little from one to the next where there are many: every stride-th stands for its neighbours.
    stride = np.ceil(width / 10_000)
    j = np.arange(max(0.0, np.floor(peak - width)), np.ceil(peak + width) + 1, stride)
    terms = j * np.log(mean) - mean - special.gammaln(j + 1) + _log_gamma_tail(d / 2 + j, y)
    return float(special.logsumexp(terms) + np.log(stride))


def _log_gamma_tail(a: np.ndarray, y: float) -> np.ndarray:
    """log Q(a, y): Legendre's continued fraction by Lentz's method where y is above a + 1, SciPy elsewhere."""
    far = y > a + 1 + 5 * np.sqrt(a)
    result = np.zeros(a.shape)
    result[~far] = np.log(special.gammaincc(a[~far], y))
    a = a[far]
    b = y + 1 - a
    c, inverse = np.full(a.shape, np.inf), 1 / b
    fraction = inverse.copy()
    for i in range(1, 100_000):
        numerator = -i * (i - a)
        b = b + 2
        inverse = 1 / (numerator * inverse + b)
        c = b + numerator / c
        step = c * inverse
        fraction = fraction * step
        if np.all(np.abs(step - 1) < 1e-15):
            break
    result[far] = a * np.log(y) - y - special.gammaln(a) + np.log(fraction)
    return result
