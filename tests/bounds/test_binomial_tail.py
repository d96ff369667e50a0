"""Tails and their inverse against sums of binomial terms in 40 digits and extended precision: another method."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from jaxsmooth.bounds import GroupSequential, binomial_tail, clopper_pearson_lower, clopper_pearson_upper
from jaxsmooth.bounds.binomial_tail import tail_at_least

ALPHAS = [0.3, 0.05, 1e-3, 1e-4, 1e-6, 1e-9]


def exact_tail(k: int, n: int, p: mp.mpf) -> mp.mpf:
    """P(Bin(n, p) >= k), right to 1e-14: the first term in 40 digits, its multiples in extended precision."""
    with mp.workdps(40):
        if k <= 0 or k > n:
            return mp.mpf(k <= 0)
        if k < (n + 1) * p:
            return 1 - exact_tail(n - k + 1, n, 1 - p)
        first = mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)
        first = mp.exp(first + k * mp.log(p) + (n - k) * mp.log1p(-p))
        odds, total, last, at, size = _extended(p / (1 - p)), np.longdouble(1), np.longdouble(1), k, 64
        while at < n and last > 1e-22 * total:
            j = np.arange(at, min(at + size, n), dtype=np.longdouble)
            terms = last * np.cumprod((n - j) / (j + 1) * odds)
            total, last, at, size = total + terms.sum(), terms[-1], at + size, min(2 * size, 2**16)
        high = float(total)
        return first * (mp.mpf(high) + mp.mpf(float(total - np.longdouble(high))))


def _extended(value: mp.mpf) -> np.longdouble:
    high = float(value)
    return np.longdouble(high) + np.longdouble(float(value - mp.mpf(high)))


def check_lower(k: int, n: int, alpha: float, bound: float, looseness: float = 1e-11) -> None:
    """The tail at the bound is at most alpha, and above alpha a little further up."""
    with mp.workdps(40):
        p = mp.mpf(bound)
        assert exact_tail(k, n, p) <= alpha * (1 + mp.mpf(10) ** -14), (k, n, alpha)
        further = p + looseness * min(p, 1 - p) + mp.mpf(2) ** -53 * (bound > 0.5)
        assert further >= 1 or exact_tail(k, n, further) > alpha, (k, n, alpha)


def check_both(k: np.ndarray, n: np.ndarray, alpha: float, looseness: float = 1e-11) -> None:
    lower, upper = clopper_pearson_lower(k, n, alpha), clopper_pearson_upper(k, n, alpha)
    for one, trials, low, up in zip(k.tolist(), n.tolist(), lower.tolist(), upper.tolist(), strict=True):
        if one:
            check_lower(one, trials, alpha, low, looseness)
        if one < trials:
            with mp.workdps(40):
                p = 1 - mp.mpf(up)
                assert exact_tail(trials - one, trials, p) <= alpha * (1 + mp.mpf(10) ** -14), (one, trials, alpha)
                further = p + looseness * min(p, 1 - p) + mp.mpf(2) ** -53 * (up > 0.5)
                assert further >= 1 or exact_tail(trials - one, trials, further) > alpha, (one, trials, alpha)


def shapes_near_powers_of_ten(nearby: range) -> np.ndarray:
    """``(shapes, 2)``: successes and failures, each within a few units of 10, 100, ..., 1e9."""
    near = [10**power + one for power in range(1, 10) for one in nearby]
    return np.array(list(itertools.product(near, near)))


@pytest.mark.parametrize("part", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))])
def test_every_shape_near_powers_of_ten(part):
    """SciPy's inverse is wrong at 1000 successes and at 999 failures; each shape at one alpha, all at every one."""
    shapes = shapes_near_powers_of_ten(range(-2, 3))
    k, failures = shapes[part :: len(ALPHAS)].T
    check_both(k, k + failures, ALPHAS[part])


@pytest.mark.slow
@pytest.mark.parametrize("alpha", ALPHAS)
def test_every_shape_near_powers_of_ten_at_every_alpha(alpha):
    k, failures = shapes_near_powers_of_ten(range(-3, 4)).T
    check_both(k, k + failures, alpha)


def random_shapes(rng: np.random.Generator, size: int, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Any n, and counts that are anywhere, few, or nearly all."""
    n = np.floor(10 ** rng.uniform(0, most, size)).astype(np.int64)
    anywhere, few = rng.uniform(0, 1, size), 10 ** -rng.uniform(0, most, size)
    share = np.choose(rng.integers(0, 3, size), [anywhere, few, 1 - few])
    return np.clip(np.round(share * n).astype(np.int64), 0, n), n


def test_random_counts():
    rng = np.random.default_rng(0)
    for alpha in 10 ** -rng.uniform(0.01, 12, 60):
        check_both(*random_shapes(rng, 25, 7.5), float(alpha))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_two_hundred_thousand_random_counts(seed):
    rng = np.random.default_rng([1, seed])
    for alpha in 10 ** -rng.uniform(0.01, 15, 500):
        check_both(*random_shapes(rng, 20, 9.2), float(alpha))


@pytest.mark.parametrize("alpha", [1e-300, 1e-30, 0.5, 0.9, 1 - 1e-9])
def test_extreme_alphas(alpha):
    rng = np.random.default_rng(2)
    k, n = random_shapes(rng, 60, 5)
    check_both(k, n, alpha)


def test_the_error_that_is_proved_is_never_reached():
    rng = np.random.default_rng(3)
    k, n = random_shapes(rng, 600, 8)
    k = np.maximum(k, 1)
    p = (k + 3 * rng.normal(size=len(k)) * np.sqrt(np.maximum(k * (n - k) / n, 1))) / (n + 1)
    p = np.where((p > 0) & (p < 1), p, k / (n + 1))
    small = p <= 0.5
    s = np.where(small, p, 1 - p)
    log = binomial_tail._log_tail(k.astype(float), n - k + 1.0, s, small)
    above = tail_at_least(k, n, p)
    with mp.workdps(40):
        for i in range(len(k)):
            x = mp.mpf(float(s[i]))
            exact = mp.log(exact_tail(int(k[i]), int(n[i]), x if small[i] else 1 - x))
            assert abs(mp.mpf(float(log.value[i])) - exact) <= log.error[i] / 4 + abs(exact) * 2.0**-48
            assert exact <= mp.mpf(float(log.above[i]))
            assert exact <= mp.log(mp.mpf(float(above[i]))) <= exact + 1e-8
    assert np.all(log.error < 1e-9 + 1e-13 * n)


@pytest.mark.parametrize("fault", [lambda s: s * (1 + 1e-6), lambda s: s * (1 - 1e-6), np.sqrt, lambda s: s**3 / 9])
def test_no_inverse_is_believed(monkeypatch, fault):
    """Whatever Newton's method starts from, the bound is the same, and safe."""
    approximate = binomial_tail._approximate
    k, n = random_shapes(np.random.default_rng(4), 300, 6)
    expected = clopper_pearson_lower(k, n, 1e-3), clopper_pearson_upper(k, n, 1e-3)

    def faulty(a, b, alpha):
        s, small = approximate(a, b, alpha)
        return np.minimum(fault(s), 0.5), small

    monkeypatch.setattr(binomial_tail, "_approximate", faulty)
    found = clopper_pearson_lower(k, n, 1e-3), clopper_pearson_upper(k, n, 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    check_both(k[:40], n[:40], 1e-3)


@pytest.mark.parametrize("n_max", [1000, 100_000, 10**7, 10**9])
def test_thresholds_are_the_smallest_whose_tail_is_at_most_alpha(n_max):
    tests = GroupSequential(n_max, 1e-3, first_look=n_max // 500, ratio=5.0)
    nulls = np.array([0.001, 0.5, 0.84, 1 - 1e-3, 1 - 2e-6])
    for null, row in zip(nulls.tolist(), tests.thresholds(nulls).tolist(), strict=True):
        for n, count, alpha in zip(tests.looks.tolist(), row, tests.alphas.tolist(), strict=True):
            assert exact_tail(count, n, mp.mpf(null)) <= alpha
            assert exact_tail(count - 1, n, mp.mpf(null)) > alpha * (1 - 1e-9)


@pytest.mark.parametrize("fault", [1 + 1e-6, 1 + 1e-9])
def test_an_inverse_that_is_too_high_is_caught(fault):
    k, n = np.array([1, 10, 999, 1000, 50_000, 99_000]), 100_000
    for one, bound in zip(k.tolist(), (special.betaincinv(k, n - k + 1, 1e-3) * fault).tolist(), strict=True):
        with pytest.raises(AssertionError):
            check_lower(one, n, 1e-3, bound)


def test_tails_at_the_ends():
    count, p = np.array([0, 1, 5, 6, 0, 5]), np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1e-310])
    assert tail_at_least(count, np.array(5), p)[:-1].tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]
    assert 0 < tail_at_least(count, np.array(5), p)[-1] < 1e-200
