"""Theorems about smoothed regions, on many examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

import jaxsmooth.diagnostics as diagnostics

dimension = st.integers(2, 400)
fraction = st.floats(0.02, 0.98)


@given(d=dimension, share=fraction, scale=st.floats(0.01, 100), threshold=st.sampled_from([0.1, 1 / 3, 0.5, 0.7]))
def test_a_smoothed_ball_is_homogeneous(d, share, scale, threshold):
    sigma = share * diagnostics.ball_vanishing_sigma(1.0, d, threshold=threshold)
    one = diagnostics.ball_smoothed_radius(1.0, sigma, d, threshold=threshold)
    np.testing.assert_allclose(
        diagnostics.ball_smoothed_radius(scale, scale * sigma, d, threshold=threshold), scale * one, 1e-9
    )


@given(d=dimension, share=fraction, less=fraction)
def test_a_smoothed_ball_falls_with_sigma_and_grows_with_its_radius(d, share, less):
    sigma = share * diagnostics.ball_vanishing_sigma(1.0, d, threshold=0.5)
    radius = diagnostics.ball_smoothed_radius(1.0, [less * sigma, sigma], d)
    assert radius[0] > radius[1] > 0
    assert diagnostics.ball_smoothed_radius(1 + less, sigma, d) > radius[1]


@given(d=dimension, share=fraction)
def test_a_smoothed_ball_lies_between_two_roots(d, share):
    """sqrt(1 - m_d s^2) <= R_s <= sqrt(1 - (d - 1) s^2), m_d the median of chi-squared: ours, the first not proved."""
    sigma = share * diagnostics.ball_vanishing_sigma(1.0, d, threshold=0.5)
    radius = diagnostics.ball_smoothed_radius(1.0, sigma, d)
    median = 2 * special.gammaincinv(d / 2, 0.5)
    assert np.sqrt(max(0, 1 - median * sigma**2)) - 1e-9 <= radius
    assert radius <= np.sqrt(max(0, 1 - (d - 1) * sigma**2)) + 1e-9


@given(d=dimension, classes=st.integers(3, 100), share=st.floats(0.1, 0.9))
def test_below_its_onset_a_ball_grows_and_above_it_shrinks(d, classes, share):
    onset = diagnostics.ball_shrink_onset(1.0, d, threshold=1 / classes)
    vanishing = diagnostics.ball_vanishing_sigma(1.0, d, threshold=1 / classes)
    assert diagnostics.ball_smoothed_radius(1.0, share * onset, d, threshold=1 / classes) > 1
    assert diagnostics.ball_smoothed_radius(1.0, onset + share * (vanishing - onset), d, threshold=1 / classes) < 1


@given(d=dimension, share=st.floats(1e-4, 0.9), less=st.floats(0.1, 0.9), rho=st.floats(0, 0.9))
def test_an_exact_radius_falls_with_sigma_from_the_distance_to_the_boundary(d, share, less, rho):
    sigma = share * diagnostics.ball_vanishing_sigma(1.0, d, threshold=0.5)
    radius = diagnostics.ball_certified_radius(1.0, np.array([1e-7, less, 1.0]) * sigma, d, rho)
    assert radius[0] >= radius[1] >= radius[2] and (radius <= 1 - rho + 1e-12).all()
    assert radius[0] == pytest.approx(1 - rho, abs=1e-4)


def test_a_radius_does_not_jump_where_the_tail_underflows():
    sigma = np.linspace(0.02, 0.05, 400)
    for rho in (0.0, 0.3):
        for d in (1, 2, 7, 64):
            radius = diagnostics.ball_certified_radius(1.0, sigma, d, rho)
            assert np.abs(np.diff(radius, 2)).max() < 1e-4 and (np.diff(radius) <= 1e-13).all()


def test_one_dimension_has_its_own_formulas():
    """An interval [-1, 1], Mohapatra et al. 2021, appendix D.1."""
    for c in (3, 10, 100):
        onset, vanishing = 2 / special.ndtri(0.5 + 1 / c), 1 / special.ndtri(0.5 + 0.5 / c)
        assert diagnostics.ball_shrink_onset(1.0, 1, threshold=1 / c) == pytest.approx(onset, rel=1e-9)
        assert diagnostics.ball_vanishing_sigma(1.0, 1, threshold=1 / c) == pytest.approx(vanishing, rel=1e-12)
    for sigma in (0.3, 1.0, 1.4):
        interval = diagnostics.smooth_intervals([[-1, 1]], sigma, threshold=0.5)
        assert diagnostics.ball_smoothed_radius(1.0, sigma, 1) == pytest.approx(interval[0, 1], rel=1e-9)


@given(d=st.integers(2, 3000), theta=st.floats(2, 85), wider=st.floats(0.1, 4), threshold=st.sampled_from([0.1, 0.5]))
def test_the_rate_of_a_cone_falls_with_its_angle_and_grows_with_the_dimension(d, theta, wider, threshold):
    theta, wider = np.radians(theta), np.radians(theta + wider)
    rate, in_wider, in_more = diagnostics.cone_rate([theta, wider, theta], [d, d, d + 1], threshold=threshold)
    assert in_wider < rate < in_more
    if threshold == 0.5:
        assert rate >= diagnostics.cone_rate_bound(theta, d, threshold=threshold)


@pytest.mark.parametrize("d", [2, 3, 64, 784, 150_528])
@pytest.mark.parametrize("classes", [3, 10, 1000])
def test_the_critical_angle_is_where_the_rate_is_zero(d, classes):
    critical = diagnostics.cone_critical_angle(d, threshold=1 / classes)
    assert diagnostics.cone_rate(critical, d, threshold=1 / classes) == pytest.approx(0, abs=1e-9)
    assert diagnostics.cone_prob(0.0, critical, 1.0, d) == pytest.approx(1 / classes, rel=1e-10)
    assert diagnostics.cone_critical_angle(d, threshold=0.5) == np.pi / 2


NODES, WEIGHTS = np.polynomial.legendre.leggauss(400)


def probability_of_polygon(normals, offsets, x, sigma):
    """P(x + sigma Z in {z: normals z <= offsets}): exact in the first coordinate, quadrature in the second."""
    z = 8 * NODES
    bounds = (offsets - normals[:, 1] * (x[1] + sigma * z)[:, None]) / normals[:, 0]
    high = np.where(normals[:, 0] > 0, bounds, np.inf).min(1)
    low = np.where(normals[:, 0] < 0, bounds, -np.inf).max(1)
    inside = np.maximum(special.ndtr((high - x[0]) / sigma) - special.ndtr((low - x[0]) / sigma), 0)
    return 8 * WEIGHTS @ (inside * np.exp(-z * z / 2) / np.sqrt(2 * np.pi))


@pytest.mark.parametrize("seed", range(20))
def test_smoothing_never_enlarges_a_convex_polygon(seed):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, 2 * np.pi, rng.integers(1, 9))
    normals, offsets = np.stack([np.cos(angles), np.sin(angles)], -1), rng.uniform(0.2, 1.5, len(angles))
    for x in rng.normal(0, 2, (40, 2)):
        if (normals @ x > offsets).any():
            assert probability_of_polygon(normals, offsets, x, rng.uniform(0.1, 3)) <= 0.5 + 1e-3


sigma_of_noise = st.floats(0, 3)


@given(a=st.floats(-2, 2), length=st.floats(0.1, 4), alpha=sigma_of_noise, beta=sigma_of_noise)
def test_training_noise_never_helps_an_interval_nor_its_complement(a, length, alpha, beta):
    interval = np.array([[a, a + length]])
    risk = diagnostics.interval_risk(interval, [0.0, alpha], beta)
    assert risk[1] >= risk[0] - 1e-9
    complement = [[-np.inf, a], [a + length, np.inf]]
    np.testing.assert_allclose(diagnostics.interval_risk(complement, [0.0, alpha], beta), risk, rtol=1e-9, atol=1e-9)


@given(d=dimension, alpha=fraction, beta=fraction)
def test_training_noise_never_helps_a_ball(d, alpha, beta):
    most = diagnostics.ball_vanishing_sigma(1.0, d, threshold=0.5)
    once = diagnostics.ball_smoothed_radius(1.0, alpha * most, d)
    assert diagnostics.ball_smoothed_radius(once, beta * most, d) <= diagnostics.ball_smoothed_radius(
        1.0, beta * most, d
    )


@given(alpha=sigma_of_noise, beta=sigma_of_noise)
def test_a_half_space_loses_nothing(alpha, beta):
    assert diagnostics.interval_risk([[-np.inf, 0.3]], alpha, beta) == pytest.approx(0, abs=1e-9)
    assert diagnostics.interval_risk([[-np.inf, np.inf]], alpha, beta) == 0


@given(
    ends=st.lists(st.floats(-5, 5), min_size=6, max_size=6, unique=True),
    sigma=st.floats(0.01, 3),
    threshold=st.sampled_from([0.05, 0.3, 0.5, 0.9]),
)
def test_smoothed_intervals_are_where_the_probability_is_large_enough(ends, sigma, threshold):
    intervals = np.sort(ends).reshape(3, 2)
    found = diagnostics.smooth_intervals(intervals, sigma, threshold=threshold)
    assert len(found) <= 3 and (np.diff(found.ravel()) >= 0).all()
    x = np.linspace(-8, 8, 997)
    low, high = ((intervals[:, i, None] - x) / sigma for i in (0, 1))
    probability = (special.ndtr(high) - special.ndtr(low)).sum(0)
    clear = np.abs(probability - threshold) > 1e-9
    inside = ((x[:, None] >= found[:, 0]) & (x[:, None] <= found[:, 1])).any(1)
    np.testing.assert_array_equal(inside[clear], (probability >= threshold)[clear])


@given(gap=st.floats(0.01, 0.93))
def test_noise_above_the_closing_sigma_closes_the_gap(gap):
    intervals = [[-1 - gap / 2, -gap / 2], [gap / 2, 1 + gap / 2]]
    closing = diagnostics.closing_sigma(gap)
    assert len(diagnostics.smooth_intervals(intervals, closing * 0.999, threshold=0.5)) == 2
    # Just above; further up the intervals shrink apart again.
    middle = [2 * (special.ndtr(-gap / 2 / s) - special.ndtr(-(gap / 2 + 1) / s)) for s in (closing, closing * 1.0001)]
    assert middle[0] == pytest.approx(0.5, rel=1e-9)


@given(k=st.floats(1, 50), eps=st.floats(0.01, 0.45), so=st.floats(0.05, 2), st_=st.floats(0.05, 5))
def test_the_centred_class_keeps_its_centre_and_shrinks_when_smoothed(k, eps, so, st_):
    found = diagnostics.mixture_bias_1d(1.0, k, eps, so, st_)
    assert found.base[0] < 0 < found.base[1]
    if not np.isnan(found.smoothed).any():
        assert found.base[0] - 1e-9 <= found.smoothed[0] < found.smoothed[1] <= found.base[1] + 1e-9
    assert found.bias == abs(found.acc1 - found.acc2) and 0 <= found.acc1 <= 1 and 0 <= found.acc2 <= 1


@pytest.mark.parametrize("d", [1, 64, 3072])
def test_a_ball_of_many_sigmas(d):
    """Its sphere is nearly a plane: the smoothed radius is R less (d - 1) sigma^2 / (2 R), to the next order."""
    sigma = np.array([1e-4, 1e-5, 1e-6])
    less = 1 - diagnostics.ball_smoothed_radius(1.0, sigma, d)
    np.testing.assert_allclose(less, (d - 1) * sigma**2 / 2, rtol=1e-3, atol=1e-14)
    at = diagnostics.ball_prob(1 + sigma * (-1.0), 1.0, sigma, d)
    np.testing.assert_allclose(at, stats.norm.cdf(1 - (d - 1) * sigma / 2), rtol=1e-5)
    far = diagnostics.ball_certified_radius(1.0, 1e-6, d, 1 - 3e-5)  # 30 sigmas inside
    np.testing.assert_allclose(far, 3e-5, rtol=1e-4)
