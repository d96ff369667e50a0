r"""What Stirling's formula leaves out of log Gamma, at integers and halfway between them.

.. math:: \log \Gamma(z) - \left((z - \tfrac12) \log z - z + \tfrac12 \log 2 \pi\right)
          = 2 \int_0^\infty \frac{\arctan(t / z)}{e^{2 \pi t} - 1} dt, \qquad
          \log \Gamma(z + \tfrac12) - \left(z \log z - z + \tfrac12 \log 2 \pi\right)
          = -2 \int_0^\infty \frac{\arctan(t / z)}{e^{2 \pi t} + 1} dt

(Binet). The series of arctan encloses it from both sides in turn, and so do the ones that follow from it: what is left
out is at most the next term. Small arguments are looked up. u = 2^-53.
"""

import numpy as np

# Of 1 to 15, each at its place.
_REMAINDERS = np.array(
    [
        0.0,
        0.08106146679532726,
        0.0413406959554093,
        0.02767792568499834,
        0.020790672103765093,
        0.016644691189821193,
        0.013876128823070748,
        0.01189670994589177,
        0.010411265261972096,
        0.009255462182712733,
        0.00833056343336287,
        0.007573675487951841,
        0.00694284010720953,
        0.006408994188004207,
        0.0059513701127588475,
        0.005554733551962801,
    ]
)

# Of 0 to 19, each at its place.
_REMAINDERS_AT_HALF = np.array(
    [
        -0.34657359027997264,
        -0.039720770839917964,
        -0.0205500238516442,
        -0.013801796861927592,
        -0.010379406841792997,
        -0.00831412775645832,
        -0.0069332887158612185,
        -0.005945339833132922,
        -0.005203609342362456,
        -0.004626308433378704,
        -0.004164243741365948,
        -0.003786057419507406,
        -0.003470818724230763,
        -0.003204023959949169,
        -0.0029753061292084387,
        -0.002777058622210108,
        -0.002603574000357984,
        -0.0024504862129966195,
        -0.0023143984588193446,
        -0.00219262840594449,
    ]
)


def remainder(z: np.ndarray) -> np.ndarray:
    """log Gamma(z) - ((z - 1/2) log z - z + log(2 pi) / 2) for integers z >= 1, to 2 u."""
    large = np.maximum(z, 16.0)
    v = 1 / large**2
    # The next term, 691 / 360360 v**5 / z, bounds what is left out: 1.1e-16.
    series = (1 / 12 - v * (1 / 360 - v * (1 / 1260 - v * (1 / 1680 - v / 1188)))) / large
    return np.where(z < 16, _REMAINDERS[np.minimum(z, 15.0).astype(np.int64)], series)


def remainder_at_half(x: np.ndarray) -> np.ndarray:
    """log Gamma(x + 1/2) - (x log x - x + log(2 pi) / 2) for integers x >= 0, to 16 u."""
    z = np.maximum(x, 20.0)
    # The next term, 511 / 608256 / z**9, bounds what is left out: 1.7e-15.
    series = (-1 / 24 + (7 / 2880 + (-31 / 40320 + 127 / 215040 / z**2) / z**2) / z**2) / z
    return np.where(x < 20, _REMAINDERS_AT_HALF[np.minimum(x, 19.0).astype(np.int64)], series)
