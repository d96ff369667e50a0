"""Remainders of Stirling's formula against 40 digits: of the tables, where the series begin, and far out."""

import mpmath as mp
import numpy as np

from jaxsmooth.bounds import stirling


def test_at_integers():
    with mp.workdps(40):
        for z in [*range(1, 40), 1000, 10**9]:
            exact = mp.loggamma(z) - (z - mp.mpf(1) / 2) * mp.log(z) + z - mp.log(2 * mp.pi) / 2
            assert abs(float(stirling.remainder(np.array(float(z)))) - exact) < 2.0**-52


def test_halfway_between_integers():
    with mp.workdps(40):
        for x in [*range(40), 1000, 10**9]:
            exact = mp.loggamma(x + mp.mpf(1) / 2) - (x * mp.log(x) if x else 0) + x - mp.log(2 * mp.pi) / 2
            assert abs(float(stirling.remainder_at_half(np.array(float(x)))) - exact) < 2.0**-49
