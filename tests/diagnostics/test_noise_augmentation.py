"""The grid of training and smoothing noise, its differences, discs on a grid, and the Bayes classifier of the data."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

import jaxsmooth as js
import jaxsmooth.diagnostics as diagnostics

X = np.array([[0.0, 0.0], [0.2, 0.1], [1.0, 1.0], [1.1, 0.9], [0.1, -0.2], [0.9, 1.2]], np.float32)
Y = np.array([0, 0, 1, 1, 0, 1])


def kde(key, alpha):
    del key
    return diagnostics.kde_augmented_classifier(X, Y, alpha)


def test_the_grid_holds_what_it_says():
    grid = diagnostics.sigma_grid(kde, (X, Y), [0.0, 0.3], [0.0, 0.5, 3.0], [0, 1], 50)
    assert grid.risk.shape == (2, 3, 2) and grid.classwise.shape == (2, 3, 2, 2) and grid.correct.shape == (2, 3, 2, 6)
    np.testing.assert_allclose(grid.risk, 1 - grid.correct.mean(-1))
    for k in (0, 1):
        np.testing.assert_allclose(grid.classwise[..., k], grid.correct[..., Y == k].mean(-1))
    assert (grid.risk[:, 0] == 0).all() and (grid.risk[:, 2] > 0).any()
    again = diagnostics.sigma_grid(kde, (X, Y), [0.3], [0.5], [1], 50, batch_size=7)
    np.testing.assert_array_equal(again.correct[0, 0, 0], grid.correct[1, 1, 1])


def test_what_is_measured_is_one_line_at_a_prompt():
    grid = diagnostics.sigma_grid(kde, (X, Y), [0.0, 0.3], [0.0, 0.5, 3.0], [0, 1], 50)
    assert repr(grid) == (
        "SigmaGrid(risk=float64[2, 3, 2], classwise=float64[2, 3, 2, 2], correct=bool[2, 3, 2, 6], alphas=[0. , 0.3], "
        "betas=[0. , 0.5, 3. ], labels=[0, 0, 1, 1, 0, 1])"
    )
    gap = diagnostics.noise_augmentation_gap(made_up([0.6, 0.9, 0.8]))
    interval, distance = diagnostics.seed_interval([0.1, 0.2, 0.4]), diagnostics.interference_distance(X, Y)
    bias = diagnostics.mixture_bias_1d(1.0, 3.0, 0.1, 0.2, 0.3)
    for shown in (grid, gap, interval, distance, bias):
        assert repr(shown).startswith(f"{type(shown).__name__}(") and "\n" not in repr(shown) and len(repr(shown)) < 600
        assert "<code>" in shown._repr_html_()


def test_a_seed_has_one_key_for_every_alpha_and_another_seed_another_one():
    keys = []
    train = lambda key, alpha: keys.append((jax.random.key_data(key).tolist(), alpha)) or kde(key, alpha)
    diagnostics.sigma_grid(train, (X, Y), [0.0, 0.3], [0.5], [3, 4], 5)
    assert [alpha for _, alpha in keys] == [0.0, 0.3] * 2
    assert keys[0][0] == keys[1][0] != keys[2][0] == keys[3][0]


def made_up(accuracies, betas=(1.0,), seeds=5, images=400, alphas=(0.0, 0.5, 1.0)):
    """A grid of independent right answers with known probabilities ``(A, B)``."""
    p = np.reshape(accuracies, (len(alphas), len(betas), 1, 1))
    right = np.random.default_rng(0).random((len(alphas), len(betas), seeds, images)) < p
    labels = np.arange(images) % 10
    return diagnostics.SigmaGrid(
        1 - right.mean(-1), np.empty((*right.shape[:3], 10)), right, np.array(alphas), np.array(betas), labels
    )


def test_differences_and_what_is_chosen():
    grid = made_up([0.6, 0.9, 0.8])
    gap = diagnostics.noise_augmentation_gap(grid)
    report = np.ones(400, bool)
    for k in range(10):
        report[np.flatnonzero(grid.labels == k)[::2]] = False
    risk = 1 - grid.correct[..., report].mean((-1, -2))
    np.testing.assert_allclose(gap.versus_none, risk - risk[0])
    np.testing.assert_allclose(gap.versus_equal, risk - risk[2])
    assert gap.best_alpha.tolist() == [0.5] and gap.best_risk[0] == pytest.approx(risk[1, 0])
    assert gap.equivalent[:, 0].tolist() == [False, True, False]
    assert (gap.versus_none_interval[1:, 0, 1] < 0).all() and (gap.mcnemar[1] < 1e-6).all()
    assert (gap.versus_none_interval[0] == 0).all() and (gap.mcnemar[0] == 1).all()


def test_of_equals_the_smallest_noise_is_best():
    grid = made_up([1.0, 1.0, 1.0], alphas=(1.0, 0.5, 0.0))
    assert diagnostics.noise_augmentation_gap(grid).best_alpha.tolist() == [0.0]


def test_a_beta_that_is_no_alpha_has_no_equal():
    gap = diagnostics.noise_augmentation_gap(made_up([0.6, 0.9, 0.8], betas=(0.7,)))
    assert np.isnan(gap.versus_equal).all() and np.isnan(gap.versus_equal_interval).all()


def test_the_validation_images_choose_and_the_others_report():
    grid = made_up([0.7, 0.8, 0.8])
    validation = np.arange(400) < 200
    grid.correct[1, ..., :200] = True  # the best on validation, the worst elsewhere
    grid.correct[1, ..., 200:] = False
    gap = diagnostics.noise_augmentation_gap(grid, validation=validation)
    assert gap.best_alpha.tolist() == [0.5] and gap.best_risk.tolist() == [1.0]


def test_bootstrap_intervals_cover():
    """Independent seeds and images, no difference: intervals miss 0 about as often as they say."""
    missed = []
    for seed in range(60):
        right = np.random.default_rng(seed).random((2, 1, 8, 200)) < 0.8
        grid = made_up([0.8, 0.8], alphas=(0.0, 0.5))._replace(correct=right, labels=np.arange(200) % 2)
        low, high = diagnostics.noise_augmentation_gap(grid, resamples=500, seed=seed).versus_none_interval[1, 0]
        missed.append(low > 0 or high < 0)
    assert np.mean(missed) <= 0.15


def test_mcnemar_against_the_binomial_test():
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 200)) < 0.8, rng.random((3, 200)) < 0.7
    found = diagnostics.mcnemar_p_value(first, second)
    for row, a, b in zip(found, first, second, strict=True):
        only = int((a & ~b).sum()), int((~a & b).sum())
        assert row == pytest.approx(stats.binomtest(only[0], sum(only)).pvalue)
    assert diagnostics.mcnemar_p_value(first[0], first[0]) == 1


def test_the_bayes_classifier_is_the_mixture_of_gaussians():
    rng = np.random.default_rng(0)
    x, y, queries = rng.normal(size=(60, 4)), rng.integers(0, 3, 60), np.float32(rng.normal(size=(25, 4)))
    for alpha in (0.2, 1.0, 4.0):
        density = np.exp(-((queries[:, None] - x) ** 2).sum(-1) / (2 * alpha**2))
        expected = np.log(np.stack([density[:, y == k].sum(1) for k in range(3)], -1))
        scores = np.asarray(diagnostics.kde_augmented_classifier(x, y, alpha)(jnp.asarray(queries))) / (2 * alpha**2)
        np.testing.assert_allclose(scores - scores[:, :1], expected - expected[:, :1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 1e-8, 1e-3])
def test_without_noise_it_is_the_nearest_neighbour(alpha):
    rng = np.random.default_rng(1)
    x, y, queries = rng.normal(size=(60, 4)), rng.permutation(np.arange(60) % 3), rng.normal(size=(200, 4))
    nearest = y[((queries[:, None] - x) ** 2).sum(-1).argmin(1)]
    scores = diagnostics.kde_augmented_classifier(x, y, alpha)(jnp.asarray(queries, jnp.float32))
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores.argmax(-1), nearest)


def test_alpha_is_data_and_images_keep_their_shape():
    classify = jax.vmap(lambda alpha, x: diagnostics.kde_augmented_classifier(X, Y, alpha)(x), in_axes=(0, None))
    alphas = jnp.array([0.0, 0.3, 1.0])
    together = jax.jit(classify)(alphas, jnp.asarray(X))
    alone = [diagnostics.kde_augmented_classifier(X.reshape(6, 1, 2), Y, a)(X.reshape(6, 1, 2)) for a in (0, 0.3, 1)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-5)
    votes = js.count_votes(jax.random.key(0), kde(None, 0.3), js.noises.Gaussian(0.1), X, 20)
    assert votes.counts.argmax(-1).tolist() == Y.tolist()


def test_another_alpha_is_the_same_program():
    structures = {jax.tree.structure(kde(None, alpha)) for alpha in (0.0, 0.3)}
    assert len(structures) == 1


def test_discs_keep_their_distance():
    field = diagnostics.ball_field(jax.random.key(0), 5, 4, 80)
    parts, number = ndimage.label(field)
    assert number > 3
    points = [np.argwhere(parts == i + 1) for i in range(number)]
    for a, b in itertools.combinations(points, 2):
        assert np.sqrt(((a[:, None] - b) ** 2).sum(-1)).min() > 4
    np.testing.assert_array_equal(field, diagnostics.ball_field(jax.random.key(0), 5, 4, 80))


def test_the_grid_risk_against_the_filters_of_scipy():
    field = diagnostics.ball_field(jax.random.key(1), 10, 0, 60)
    for alpha, beta in ((0.0, 3.0), (2.0, 5.0), (6.0, 14.0)):
        blur = lambda h, s: ndimage.gaussian_filter(np.float64(h), s, mode="constant", truncate=8) if s else h
        base = blur(field, alpha) >= 0.5
        expected = np.mean(field != (blur(base, beta) >= 0.5))
        assert diagnostics.grid_risk(field, alpha, beta) == pytest.approx(expected, abs=2 / field.size)
    assert diagnostics.grid_risk(field, [0.0, 1.0], [[2.0], [3.0], [0.0]]).shape == (3, 2)


def test_a_strip_on_the_grid_is_the_interval_on_the_line():
    strip = np.zeros((400, 41))
    strip[180:220] = 1
    # In one dimension: the field is the same along the other axis but for its ends, so take one wide column.
    strip = np.repeat(strip[:, :1], 1201, axis=1)
    risk = diagnostics.grid_risk(strip, 0.0, 25.0)
    exact = diagnostics.interval_risk([[-20, 20]], 0.0, 25.0)
    assert risk * 400 == pytest.approx(exact, abs=3)


def gap_of(**changes):
    return diagnostics.noise_augmentation_gap(made_up([0.5] * 3)._replace(**changes))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.sigma_grid(3, (X, Y), [0], [1], [0], 5), "train must be a function"),
        (lambda: diagnostics.sigma_grid(kde, (X, Y[:3]), [0], [1], [0], 5), r"data\[1\] must have shape \(6,\)"),
        (lambda: diagnostics.sigma_grid(kde, (X, None), [0], [1], [0], 5), r"data\[1\] must be integers.*object"),
        (lambda: diagnostics.sigma_grid(kde, (X, Y), [-1], [1], [0], 5), "alphas must be finite and at least 0"),
        (lambda: diagnostics.sigma_grid(kde, (X, Y), [0], [1], [], 5), "seeds must hold at least one integer"),
        (lambda: diagnostics.sigma_grid(kde, (X, Y), [0], [1], [0.5], 5), "seeds must be a Python integer"),
        (lambda: diagnostics.noise_augmentation_gap(made_up([0.5], alphas=(1.0,))), "grid must hold alpha = 0"),
        (
            lambda: gap_of(correct=np.ones((3, 1, 400), bool)),
            r"grid.correct must be of 3 alphas, .*got shape \(3, 1, 400",
        ),
        (lambda: gap_of(correct=np.ones((3, 1, 5, 399), bool)), r"and 400 images .*got shape \(3, 1, 5, 399\)"),
        (lambda: gap_of(correct=np.ones((3, 1, 0, 400), bool)), "at least one seed"),
        (lambda: gap_of(correct=np.ones((3, 1, 5, 400))), "grid.correct must be bool, right or wrong; got float64"),
        (lambda: gap_of(labels=np.full(400, -1)), "grid.labels must be at least 0; got -1"),
        (
            lambda: diagnostics.noise_augmentation_gap(made_up([0.5] * 3), validation=np.ones(400, bool)),
            "validation must leave images on both sides",
        ),
        (lambda: diagnostics.noise_augmentation_gap(made_up([0.5] * 3), validation=[0, 1]), "validation must be bool"),
        (lambda: diagnostics.mcnemar_p_value([1, 0], [True, False]), "first and second must be bool"),
        (lambda: diagnostics.kde_augmented_classifier(X, Y + 1, 0.1), r"\[0\] have no image"),
        (lambda: diagnostics.kde_augmented_classifier(X, Y, -0.1), "alpha must be finite and at least 0"),
        (lambda: diagnostics.kde_augmented_classifier(X, Y[:2], 0.1), r"labels must have shape \(6,\)"),
        (lambda: diagnostics.grid_risk(np.zeros(3), 0, 1), r"h must be a grid \(H, W\)"),
        (lambda: diagnostics.grid_risk(np.full((3, 3), 2.0), 0, 1), r"h must lie in \[0, 1\]; got 2"),
        (lambda: diagnostics.ball_field(jax.random.key(0), 0, 0, 10), "r must be positive"),
        (lambda: diagnostics.seed_interval([1.0]), "values must hold at least 2 seeds along axis 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_the_interval_over_seeds_is_students():
    values = np.random.default_rng(0).normal(size=(5, 3))
    found = diagnostics.seed_interval(values, confidence=0.9)
    low, high = stats.t.interval(0.9, 4, values.mean(0), stats.sem(values, axis=0))
    np.testing.assert_allclose([found.low, found.high], [low, high])
