"""Measurements on classifiers whose regions are known, against the closed forms: within four standard errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import jaxsmooth as js
import jaxsmooth.diagnostics as diagnostics


def _ball_scores(radius, x):
    """Class 0 inside the ball, class 1 outside."""
    square = (x.reshape(len(x), -1) ** 2).sum(-1)
    return jnp.stack([radius**2 - square, square - radius**2], -1)


def ball(radius=1.0):
    return jax.tree_util.Partial(_ball_scores, jnp.float32(radius))


def _cone_scores(slope, x):
    """Class 0 in the cone around the first axis, apex at the origin, opening upwards."""
    inside = x[:, 0] * slope - jnp.linalg.norm(x[:, 1:], axis=-1)
    return jnp.stack([inside, -inside], -1)


def cone(degrees):
    return jax.tree_util.Partial(_cone_scores, jnp.float32(np.tan(np.radians(degrees))))


def within_four_errors(share, p, n):
    assert np.all(np.abs(share - p) <= 4 * np.sqrt(p * (1 - p) / n) + 1e-12), (share, p)


@pytest.mark.parametrize("d", [10, *(pytest.param(d, marks=pytest.mark.slow) for d in (2, 100))])
def test_votes_over_a_ball(d):
    n, sigma = 20_000, 0.7 * diagnostics.ball_vanishing_sigma(1.0, d, threshold=0.5)
    rho = np.array([0.0, 0.4, 0.9])
    x = np.zeros((3, d), np.float32)
    x[:, 0] = rho
    votes = diagnostics.votes_over_sigma(jax.random.key(1), ball(), x, [0.0, sigma, 2 * sigma], n)
    assert votes.dtype == np.int32 and votes.shape == (3, 3, 2) and (votes.sum(-1) == n).all()
    assert (votes[0, :, 0] == n).all()
    for row, s in zip(votes[1:], (sigma, 2 * sigma), strict=True):
        within_four_errors(row[:, 0] / n, diagnostics.ball_prob(rho, 1.0, s, d), n)


@pytest.mark.parametrize(
    ("degrees", "d"), [(30, 3), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((45, 10), (80, 25)))]
)
def test_votes_over_a_cone(degrees, d):
    n, depth = 20_000, np.array([-0.5, 0.0, 0.7])
    x = np.zeros((3, d), np.float32)
    x[:, 0] = depth
    votes = diagnostics.votes_over_sigma(jax.random.key(2), cone(degrees), x, [0.2], n)[0]
    within_four_errors(votes[:, 0] / n, diagnostics.cone_prob(depth, np.radians(degrees), 0.2, d), n)


@pytest.mark.parametrize(("degrees", "d", "threshold"), [(10, 25, 0.5), (45, 2, 0.5), (80, 3072, 0.1), (45, 784, 0.1)])
def test_the_rate_by_monte_carlo(degrees, d, threshold):
    four_errors = 1 - 2 * special.ndtr(-4)
    found = diagnostics.cone_rate_mc(
        jax.random.key(3), np.radians(degrees), d, 200_000, threshold=threshold, confidence=four_errors
    )
    exact = diagnostics.cone_rate(np.radians(degrees), d, threshold=threshold)
    assert found.interval[0] < exact < found.interval[1]
    assert found.interval[0] < found.rate < found.interval[1]
    few = diagnostics.cone_rate_mc(jax.random.key(3), np.radians(degrees), d, 3, threshold=threshold)
    assert np.isinf(few.interval).any()


def shrinkage(classify=None, origins=None, classes=0, directions=None, sigma=0.3, t_max=2.0, steps=20, n=4000, **more):
    directions = jax.random.normal(jax.random.key(7), (6, 10)) if directions is None else directions
    origins = np.zeros((1, 10), np.float32) if origins is None else origins
    return diagnostics.region_shrinkage(
        jax.random.key(0),
        ball() if classify is None else classify,
        origins,
        classes,
        directions,
        sigma,
        t_max=t_max,
        steps=steps,
        n=n,
        **more,
    )


@pytest.mark.parametrize(
    ("sigma", "threshold"), [(0.15, 0.5), (0.2, 0.1), pytest.param(0.25, 0.5, marks=pytest.mark.slow)]
)
def test_rays_leave_a_smoothed_ball_at_its_radius(sigma, threshold):
    n = 4000
    found = shrinkage(sigma=sigma, n=n, threshold=threshold)
    radius = diagnostics.ball_smoothed_radius(1.0, sigma, 10, threshold=threshold)
    slope = diagnostics.ball_prob([radius - 0.01, radius + 0.01], 1.0, sigma, 10)
    error = np.sqrt(threshold * (1 - threshold) / n) / ((slope[0] - slope[1]) / 0.02)
    np.testing.assert_allclose(found.t_base, 1.0, atol=1e-3)
    assert np.abs(found.t_smooth - radius).max() < 4 * error + 1e-3
    assert found.t_base.shape == found.t_smooth.shape == found.censored.shape == found.ratio.shape == (1, 6)
    assert found.alive.all() and found.censored_share == 0
    np.testing.assert_allclose(found.quantiles, np.quantile(found.ratio, [0.05, 0.25, 0.5, 0.75, 0.95]))


def test_a_ball_that_vanished_and_an_origin_outside():
    origin = np.zeros((2, 10), np.float32)
    origin[1, 0] = 3.0
    found = shrinkage(origins=origin, sigma=0.5)
    assert not found.alive.any() and (found.t_smooth == 0).all()
    assert (found.ratio[0] == 0).all() and np.isnan(found.ratio[1]).all() and (found.t_base[1] == 0).all()


def test_rays_without_an_exit_are_censored_and_reported():
    found = shrinkage(t_max=0.5)
    assert found.censored.all() and found.censored_share == 1 and np.isnan(found.quantiles).all()
    assert (found.t_base == 0.5).all() and np.isnan(found.ratio).all()
    # Along a half-space's normal one way has an exit and the other has none.
    half_space = lambda x: jnp.stack([x[:, 0], -x[:, 0]], -1)
    origin, dirs = np.ones((1, 2), np.float32), np.array([[2.0, 0.0], [-2.0, 0.0]])
    found = shrinkage(half_space, origin, 0, dirs, sigma=0.3, n=20_000)
    assert found.censored.tolist() == [[True, False]]
    assert found.t_base[0, 1] == pytest.approx(1, abs=1e-3)
    assert found.t_smooth[0, 1] == pytest.approx(1, abs=4 * 0.3 * np.sqrt(np.pi / 2 / 20_000) + 1e-3)


def test_a_region_need_not_be_star_shaped():
    """The first exit counts, though the class comes back further out."""
    shell = lambda x: jnp.stack([jnp.sin(5 * jnp.linalg.norm(x, axis=-1) + 0.5), jnp.zeros(len(x))], -1)
    found = shrinkage(shell, t_max=3.0, steps=60, n=10)
    np.testing.assert_allclose(found.t_base, (np.pi - 0.5) / 5, atol=1e-3)


def test_rays_do_not_depend_on_the_batch_nor_on_each_other():
    together, alone = shrinkage(n=200, batch_size=64), shrinkage(n=200, batch_size=7)
    np.testing.assert_array_equal(together.t_smooth, alone.t_smooth)


def test_sigma_is_data():
    traces = []

    def scores(x):
        traces.append(x.shape)
        return _ball_scores(1.0, x)

    x = np.zeros((4, 3), np.float32)
    sweep = lambda sigmas: diagnostics.votes_over_sigma(jax.random.key(0), scores, x, sigmas, 100, batch_size=50)
    sweep([0.1])
    first = len(traces)
    sweep([0.2, 0.3, 0.7])
    assert len(traces) == first


def test_radius_over_sigma_is_certify_at_every_sigma():
    x = np.zeros((2, 10), np.float32)
    x[1, 0] = 0.3
    sigmas, key = [0.0625, 0.1875, 0.3125], jax.random.key(4)  # float32 numbers, as those that are drawn
    found = diagnostics.radius_over_sigma(key, ball(), x, sigmas, 2000, alpha=0.001)
    for i, sigma in enumerate(sigmas):
        one = js.certify(key, ball(), js.noises.Gaussian(sigma), x, n=2000, alpha=0.001)
        np.testing.assert_allclose(found.r[i], one.radius, rtol=1e-12)
        np.testing.assert_array_equal(found.label[i], one.label)
        np.testing.assert_allclose(found.p_lower[i], one.p_lower)
    cap = diagnostics.ball_certified_radius(1.0, sigmas, 10, n=2000, alpha=0.001)
    np.testing.assert_allclose(found.cap, np.array(sigmas) * special.ndtri(0.001 ** (1 / 2000)), rtol=1e-12)
    assert (found.r[:, 0] <= cap * (1 + 1e-12)).all()
    everyone, right = found.average([0, 1])
    np.testing.assert_allclose(everyone, found.r[:, 0] / 2)
    np.testing.assert_allclose(right, found.r[:, 0])
    assert np.isnan(found.average([1, 1])[1]).all()


def test_common_noise_makes_the_votes_of_a_half_space_monotone():
    """The same standard normal numbers at every sigma: whoever crosses the plane at one sigma does at a larger one."""
    half_space = lambda x: jnp.stack([x[:, 0], -x[:, 0]], -1)
    sigmas = np.linspace(0.05, 3, 20)
    votes = diagnostics.votes_over_sigma(jax.random.key(0), half_space, np.ones((1, 1), np.float32), sigmas, 500)
    assert (np.diff(votes[:, 0, 0]) <= 0).all()


def test_votes_on_a_mesh_are_the_same():
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)
    mesh = jax.make_mesh((4,), ("votes",))
    one, many = (
        diagnostics.votes_over_sigma(jax.random.key(0), ball(), x, [0.0, 0.4], 100, mesh=m) for m in (None, mesh)
    )
    np.testing.assert_array_equal(one, many)


BAD = [
    (lambda: shrinkage(classes=[0, 1]), "classes must be one class, or one for each of the 1 origins"),
    (lambda: shrinkage(classes=2), "below the 2 of the classifier; got 2"),
    (lambda: shrinkage(directions=np.zeros((2, 10))), "directions must not hold a direction of length 0"),
    (
        lambda: shrinkage(directions=np.ones((2, 9))),
        r"directions must have the shape of an origin, \(10,\); got \(9,\)",
    ),
    (lambda: shrinkage(origins=np.ones(10)), r"origins must be a batch \(N, \*event\)"),
    (lambda: shrinkage(origins=np.full((1, 10), np.nan)), "origins must be finite"),
    (lambda: shrinkage(origins=np.ones((1, 10), int)), "origins must be floating point"),
    (lambda: shrinkage(sigma=0.0), "sigma must be positive and finite; got 0"),
    (lambda: shrinkage(t_max=-1.0), "t_max must be positive and finite; got -1.0"),
    (lambda: shrinkage(n=0), "n must be at least 1"),
    (lambda: shrinkage(steps=1.5), "steps must be a Python integer"),
    (lambda: shrinkage(threshold=1.0), "threshold must be strictly between 0 and 1"),
    (lambda: diagnostics.ball_smoothed_radius(0.0, 1.0, 3), "R must be positive and finite; got 0"),
    (lambda: diagnostics.ball_smoothed_radius(1.0, 1.0, 2.5), "d must be a whole number of at least 1; got 2.5"),
    (lambda: diagnostics.ball_smoothed_radius(1.0, 1.0, 3, threshold=2), "1/c for the most generous region"),
    (lambda: diagnostics.ball_vanishing_bound(1.0, 1, threshold=0.5), "d must be a whole number of at least 2"),
    (lambda: diagnostics.ball_certified_radius(1.0, 1.0, 3, n=10), "n and alpha belong together"),
    (lambda: diagnostics.ball_prob(-1.0, 1.0, 1.0, 3), "rho must be finite and at least 0"),
    (lambda: diagnostics.cone_rate(45.0, 3, threshold=0.5), "Convert degrees with np.radians"),
    (lambda: diagnostics.cone_prob(np.nan, 0.5, 1.0, 3), "depth must be finite"),
    (lambda: diagnostics.cone_rate_bound(0.5, 3, threshold=0.6), "threshold must be at most 1/2"),
    (lambda: diagnostics.smooth_intervals([[1, 0]], 1.0, threshold=0.5), "each \\[a, b\\] with a <= b"),
    (lambda: diagnostics.smooth_intervals([0, 1], 1.0, threshold=0.5), "intervals must be pairs"),
    (lambda: diagnostics.mixture_bias_1d(1, 1, 0.6, 1, 1), "eps must be below 1/2"),
    (lambda: diagnostics.mixture_bias_1d(1, 1, 0.1, 0, 0), "so and st must not both be 0"),
    (lambda: diagnostics.radius_over_sigma(jax.random.key(0), ball(), np.zeros((1, 2)), [0.1], 5), "use n >= 10"),
    (lambda: diagnostics.votes_over_sigma(jax.random.key(0), ball(), np.zeros((1, 2)), [], 5), "sigmas must be a list"),
    (lambda: diagnostics.votes_over_sigma(jax.random.key(0), 3, np.zeros((1, 2)), [1.0], 5), "classify must be"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=range(len(BAD)))
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_classifier_that_draws_votes_anew_without_noise():
    """n votes, each with a key of its own, and not n times the first."""
    even, x = js.soft(lambda batch: jnp.zeros((len(batch), 2))), np.zeros((3, 2), np.float32)
    votes = diagnostics.votes_over_sigma(jax.random.key(0), even, x, [0.0, 1e-6], 1000)
    assert (votes.sum(-1) == 1000).all() and (np.abs(votes[..., 0] - 500) < 100).all()
    later = diagnostics.votes_over_sigma(jax.random.key(0), even, x, [0.0], 1000, first=1000, image_ids=[5, 6, 7])
    assert (later[0] != votes[0]).any()
    with pytest.raises(ValueError, match="classify must give every point one class"):
        diagnostics.region_shrinkage(
            jax.random.key(0), even, x, classes=0, directions=np.eye(2), sigma=0.1, t_max=1, steps=4, n=10
        )
