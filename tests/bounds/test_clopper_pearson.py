"""Exact enumeration of the error, and comparison with 50-digit arithmetic."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxsmooth.bounds import clopper_pearson_lower, clopper_pearson_upper
from jaxsmooth.bounds.clopper_pearson import check_can_certify

ALPHAS = [0.2, 0.05, 1e-3, 1e-6]
EDGE_COUNTS = {1: [0, 1], 7: range(8), 200: [0, 1, 2, 100, 198, 199, 200], 10_000: [1, 37, 5000, 9_990, 9_999]}


def exact_lower(k: int, n: int, alpha: float) -> mp.mpf:
    """The root p of P(Bin(n, p) >= k) = alpha, by Newton's method on the directly summed tail."""
    with mp.workdps(50):
        alpha = mp.mpf(alpha)
        choose = mp.binomial(n, k)
        p = mp.mpf(float(stats.beta.ppf(float(alpha), k, n - k + 1)))
        for _ in range(8):
            ratio = p / (1 - p)
            first = term = choose * p**k * (1 - p) ** (n - k)
            tail = mp.mpf(0)
            for s in range(k, n + 1):
                tail += term
                if term < tail * mp.mpf(10) ** -45:
                    break
                term *= ratio * (n - s) / (s + 1)
            step = (tail - alpha) / (k * first / p)
            p -= step
            if abs(step) < p * (1 - p) * mp.mpf(10) ** -30:
                return p
    raise AssertionError("Newton's method did not converge")


@pytest.mark.parametrize("n", [1, 2, 5, 40, 1000])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_exact_error_is_at_most_alpha_at_every_proportion(n, alpha):
    lower = clopper_pearson_lower(np.arange(n + 1), n, alpha)
    jumps = lower[1:]
    p = np.concatenate([np.linspace(0, 1, 203), np.nextafter(jumps, 0), jumps, np.nextafter(jumps, 1)])
    errs = np.searchsorted(lower, p, side="right")  # the smallest count whose bound is above p
    error = np.where(errs > n, 0.0, stats.binom.sf(errs - 1, n, p))
    assert error.max() <= alpha * (1 + 1e-12)
    assert error.max() > 0.99 * alpha  # all of alpha is spent just below a jump


@pytest.mark.parametrize("alpha", [0.05, 1e-3])
def test_the_exact_error_at_a_hundred_thousand_draws(alpha):
    n = 100_000
    k = np.array([1, 2, 10, 50_000, 50_500, 84_134, 99_000, 99_990, 99_999, 100_000])
    p = np.nextafter(clopper_pearson_lower(k, n, alpha), 0)
    error = stats.binom.sf(k - 1, n, p)
    # The tail itself is only right to 1e-11 or so in double precision.
    np.testing.assert_array_less(error, alpha * (1 + 1e-10))


@pytest.mark.parametrize("n", EDGE_COUNTS)
@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-9])
def test_lower_agrees_with_high_precision_and_is_never_above_it(n, alpha):
    for k in EDGE_COUNTS[n]:
        if k == 0:
            continue
        exact, ours = exact_lower(k, n, alpha), mp.mpf(float(clopper_pearson_lower(k, n, alpha)))
        assert ours <= exact
        assert exact - ours <= 5e-12 * min(exact, 1 - exact) + mp.mpf(2) ** -52


@pytest.mark.parametrize("n", EDGE_COUNTS)
@pytest.mark.parametrize("alpha", [0.05, 1e-3])
def test_upper_agrees_with_high_precision_and_is_never_below_it(n, alpha):
    for k in EDGE_COUNTS[n]:
        if k == n:
            continue
        with mp.workdps(50):
            exact = 1 - exact_lower(n - k, n, alpha)
            ours = mp.mpf(float(clopper_pearson_upper(k, n, alpha)))
            assert ours >= exact
            assert ours - exact <= 5e-12 * min(exact, 1 - exact) + mp.mpf(2) ** -52


@pytest.mark.parametrize("k", [50_000, 84_134, 99_865, 99_990, 99_999])
def test_lower_agrees_with_high_precision_at_a_hundred_thousand_draws(k):
    exact, ours = exact_lower(k, 100_000, 1e-3), mp.mpf(float(clopper_pearson_lower(k, 100_000, 1e-3)))
    assert 0 <= exact - ours <= 5e-12 * min(exact, 1 - exact) + mp.mpf(2) ** -52


@pytest.mark.parametrize("n", [1, 10, 100_000, 10_000_000])
def test_unanimous_and_absent_votes(n):
    alpha = 1e-3
    with mp.workdps(50):
        exact = mp.mpf(alpha) ** (mp.mpf(1) / n)
        ours = mp.mpf(float(clopper_pearson_lower(n, n, alpha)))
        assert 0 <= exact - ours <= 5e-12 * (1 - exact) + mp.mpf(2) ** -52
        assert 1 - exact <= mp.mpf(float(clopper_pearson_upper(0, n, alpha))) <= (1 - exact) * (1 + 5e-12)
    assert clopper_pearson_lower(0, n, alpha) == 0
    assert clopper_pearson_upper(n, n, alpha) == 1


@given(st.integers(1, 100_000), st.data(), st.floats(1e-9, 0.4))
def test_monotone_in_count_draws_and_alpha(n, data, alpha):
    k = data.draw(st.integers(0, n - 1))
    for bound in (clopper_pearson_lower, clopper_pearson_upper):
        assert bound(k, n, alpha) < bound(k + 1, n, alpha)  # one more vote
        assert bound(k, n + 1, alpha) <= bound(k, n, alpha)  # one more vote against
        assert bound(k, n, alpha) <= bound(k + 1, n + 1, alpha)  # one more vote for
    assert clopper_pearson_lower(k, n, alpha) <= k / n <= clopper_pearson_upper(k, n, alpha)
    assert clopper_pearson_lower(k, n, alpha) <= clopper_pearson_lower(k, n, 2 * alpha)
    assert clopper_pearson_upper(k, n, alpha) >= clopper_pearson_upper(k, n, 2 * alpha)


def test_shapes_broadcast():
    assert clopper_pearson_lower(np.zeros((3, 1), int), np.full(4, 10), 0.1).shape == (3, 4)
    assert np.ndim(clopper_pearson_upper(3, 10, 0.1)) == 0


@pytest.mark.parametrize("bound", [clopper_pearson_lower, clopper_pearson_upper])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1.0, 10, 0.1), TypeError, "successes must be integer counts; got dtype float64"),
        ((1, 10.5, 0.1), TypeError, "trials must be integer counts"),
        ((True, 10, 0.1), TypeError, "successes must be integer counts; got dtype bool"),
        ((11, 10, 0.1), ValueError, "between 0 and trials; got 11"),
        ((-1, 10, 0.1), ValueError, "between 0 and trials; got -1"),
        ((0, 0, 0.1), ValueError, "trials must be at least 1; got 0"),
        ((1, 2**48, 0.1), ValueError, r"trials must be below 2\*\*48.*got 281474976710656"),
        ((1, 10, 0.0), ValueError, "alpha must be strictly between 0 and 1; got 0.0"),
        ((1, 10, 1.5), ValueError, "alpha must be strictly between 0 and 1; got 1.5"),
        ((1, 10, "a"), TypeError, "alpha must be a number"),
    ],
)
def test_bad_input(bound, arguments, error, message):
    with pytest.raises(error, match=message):
        bound(*arguments)


def test_a_number_of_votes_that_can_never_certify_is_refused():
    check_can_certify(10, 1e-3)
    with pytest.raises(ValueError, match=r"n = 9 votes can never certify at alpha = 0\.001.*use n >= 10"):
        check_can_certify(9, 1e-3)
