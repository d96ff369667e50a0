"""The mixture e-process: high precision, and every draw peeked at."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxsmooth.bounds import anytime_lower, anytime_threshold, crossing_probability, mixture_log_e_value
from jaxsmooth.bounds.e_process import _log_e_value


def exact_log_e(s: int, n: int, tau: float) -> mp.mpf:
    """The likelihood ratio averaged over the prior, by quadrature in x with q = cos(x)^2."""
    with mp.workdps(40):
        t = mp.mpf(tau)
        limit = mp.acos(mp.sqrt(t))
        log_ratio = lambda x: 2 * s * mp.log(mp.cos(x)) + (2 * (n - s) * mp.log(mp.sin(x)) if s < n else 0)
        peak = min(mp.acos(mp.sqrt(mp.mpf(s) / n)), limit)
        width = 1 / mp.sqrt(4 * n)
        base = log_ratio(peak) if peak > 0 else mp.mpf(0)
        cuts = sorted({mp.mpf(0), limit, *(min(max(peak + k * width, 0), limit) for k in range(-24, 25, 2))})
        mean = mp.quad(lambda x: mp.exp(log_ratio(x) - base) if x > 0 or s == n else mp.mpf(0), cuts) / limit
        return mp.log(mean) + base - s * mp.log(t) - (n - s) * mp.log(1 - t)


CASES = [
    (0, 1, 0.5),
    (1, 1, 0.9999),
    (5, 100, 0.5),
    (10, 10, 0.5),
    (90, 100, 0.5),
    (30, 5000, 1e-3),
    (4990, 4999, 0.99),
    (4999, 4999, 0.9987),
    (99_990, 100_000, 0.9987),
    (100_000, 100_000, 0.9999),
    (5_010_000, 10_000_000, 0.5),
    (8_415_000, 10_000_000, 0.8413),
    (9_999_999, 10_000_000, 0.999999),
    (10_000_000, 10_000_000, 1 - 1e-7),
    (7_000_000, 10_000_000, 0.5),
]


@pytest.mark.parametrize(("s", "n", "tau"), CASES)
def test_log_e_value_agrees_with_high_precision(s, n, tau):
    exact = exact_log_e(s, n, tau)
    error = abs(mp.mpf(float(mixture_log_e_value(s, n, tau))) - exact)
    assert error <= 1e-9 + 1e-14 * abs(exact)


@pytest.mark.parametrize("tau", [6e-17, 1.7e-16, 7e-15, 1e-10, 0.3, 0.7])
@pytest.mark.parametrize(("s", "n"), [(1, 50), (8, 98), (40, 50)])
def test_the_lower_bound_of_the_evidence_is_one(s, n, tau):
    value, error = _log_e_value(np.array([s]), np.array([n]), np.array([tau]), certain=True)
    assert 0 <= exact_log_e(s, n, tau) - mp.mpf(float(value[0] - error[0])) or exact_log_e(s, n, tau) < 0


@pytest.mark.parametrize("tau", [0.02, 0.5, 0.8413, 0.9987])
@pytest.mark.parametrize("alpha", [pytest.param(0.1, marks=pytest.mark.slow), 1e-3])
def test_peeking_at_every_draw_stays_below_alpha(tau, alpha):
    draws = np.arange(1, 10_001)
    crossing = crossing_probability(tau, draws, anytime_threshold(draws, tau, alpha))
    assert crossing <= alpha
    assert crossing > 0.05 * alpha  # and some of it is spent


def test_peeking_with_a_fixed_sample_bound_is_caught():
    draws = np.arange(1, 10_001)
    upper = stats.binom.isf(1e-3, draws, 0.5).astype(int) + 1
    assert crossing_probability(0.5, draws, upper) > 0.01


@pytest.mark.parametrize("n", [1, 2, 17, 1000, 100_000])
@pytest.mark.parametrize("tau", [0.1, 0.5, 0.99])
def test_threshold_is_where_the_evidence_reaches_one_over_alpha(n, tau):
    count = int(anytime_threshold(n, tau, 0.01))
    if count <= n:
        assert mixture_log_e_value(count, n, tau) >= np.log(100)
    assert count == 0 or mixture_log_e_value(count - 1, n, tau) < np.log(100) + 1e-7


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 3000])
def test_rejected_nulls_form_an_interval(n):
    """Where the evidence is at least 2 it decreases with the null: the bound may be found by bisection."""
    tau = np.concatenate([np.geomspace(1e-6, 0.5, 2000)[:-1], 1 - np.geomspace(1e-9, 0.5, 2000)[::-1]])
    for s in {1, 2, n // 2, n - 1, n}:
        if 1 <= s <= n:
            log_e = mixture_log_e_value(s, n, tau)
            enough = log_e >= np.log(2) + 1e-9
            assert np.all(np.diff(enough.astype(int)) <= 0)
            assert np.all(np.diff(log_e[enough]) < 0)


@given(st.integers(1, 10**7), st.data(), st.floats(1e-9, 0.4))
def test_lower_bound_is_the_inverse_of_the_threshold(n, data, alpha):
    s = data.draw(st.integers(0, n))
    lower = float(anytime_lower(s, n, alpha))
    assert 0 <= lower < 1
    assert lower <= s / n
    if lower > 1e-12:
        assert mixture_log_e_value(s, n, lower) >= np.log(1 / alpha)
        assert mixture_log_e_value(s, n, lower + (1 - lower) * 1e-7) < np.log(1 / alpha) + 1
    assert lower <= anytime_lower(s, n, min(2 * alpha, 0.49)) + 1e-15
    if s < n:
        assert lower <= anytime_lower(s + 1, n, alpha)


@pytest.mark.parametrize(("s", "n"), [(10, 10), (700, 1000), (999, 1999), (99_900, 100_000), (5_010_000, 10_000_000)])
def test_the_exact_evidence_against_the_lower_bound_suffices(s, n):
    for alpha in (0.3, 1e-3):
        lower = float(anytime_lower(s, n, alpha))
        exact = exact_log_e(s, n, lower)
        assert 0 <= exact + mp.log(alpha) < alpha / 2 + 1e-6


def test_lower_bound_holds_at_all_times_for_simulated_walks():
    """False alarm 1e-6."""
    rng = np.random.default_rng(0)
    walks, alpha, looks = 400, 0.05, np.unique(np.geomspace(2, 20_000, 16).astype(int))
    for p in (0.5, 0.95):
        counts = np.cumsum([rng.binomial(m, p, walks) for m in np.diff(looks, prepend=0)], axis=0)
        wrong = (anytime_lower(counts, looks[:, None], alpha) > p).any(axis=0)
        assert wrong.sum() <= stats.binom.isf(1e-6, walks, alpha)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (mixture_log_e_value, (1.0, 2, 0.5), TypeError, "successes must be integer counts"),
        (mixture_log_e_value, (3, 2, 0.5), ValueError, "between 0 and trials; got 3"),
        (mixture_log_e_value, (1, 2, 1.0), ValueError, "null must lie strictly between 0 and 1; got 1.0"),
        (anytime_threshold, (10, 0.0, 0.1), ValueError, "null must lie strictly between 0 and 1"),
        (anytime_threshold, (0, 0.5, 0.1), ValueError, "trials must be at least 1; got 0"),
        (anytime_threshold, (10, 0.5, 1.0), ValueError, "alpha must be strictly between 0 and 1"),
        (anytime_lower, (1, 2, 0.5), ValueError, "alpha must be below 1/2 for an anytime bound; got 0.5"),
    ],
)
def test_bad_input(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)
