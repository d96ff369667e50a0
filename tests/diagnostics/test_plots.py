"""What the figures draw, on whose axes, and what they refuse."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import jaxsmooth.diagnostics as diagnostics


@pytest.fixture
def ax():
    return Figure().subplots()


def named(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def disc(x):
    return jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)


@pytest.fixture(scope="module")
def grid():
    right = np.random.default_rng(0).random((3, 2, 5, 100)) < 0.8
    labels, alphas, betas = np.arange(100) % 2, np.array([0.0, 0.5, 1.0]), np.array([0.5, 1.5])
    return diagnostics.SigmaGrid(1 - right.mean(-1), np.empty((3, 2, 5, 2)), right, alphas, betas, labels)


def test_balls(ax):
    assert diagnostics.plot_ball_radius([3, 10], threshold=0.5, ax=ax) is ax
    assert named(ax) == ["d = 3", "d = 10"]
    x, y = ax.lines[0].get_data()
    half = np.argmin(np.abs(x - 0.5))
    sigma = x[half] * diagnostics.ball_vanishing_sigma(1.0, 3, threshold=0.5)
    assert y[half] == pytest.approx(diagnostics.ball_smoothed_radius(1.0, sigma, 3)) and y[-1] == pytest.approx(0)


def test_a_rate_that_is_negative_is_left_out(ax):
    diagnostics.plot_ball_rate([3], threshold=0.1, ax=ax)
    y = ax.lines[0].get_ydata()
    assert np.isnan(y[1]) and np.isfinite(y[-1]) and (y[np.isfinite(y)] > 0).all()


def test_cones_have_their_critical_angle(ax):
    diagnostics.plot_cone_rate([64], threshold=0.1, ax=ax)
    marks = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert marks[0].get_xdata()[0] == pytest.approx(np.degrees(diagnostics.cone_critical_angle(64, threshold=0.1)))
    assert "published bound" in named(ax)


def test_the_cap(ax):
    diagnostics.plot_certified_radius(30, ns=[1000], ax=ax)
    exact, capped = (line.get_ydata() for line in ax.lines)
    assert (capped <= exact + 1e-12).all() and capped[0] < exact[0]


def test_classes(ax):
    labels = np.repeat([0, 1], 50)
    found = [diagnostics.classwise_accuracy(labels, labels * right, 2) for right in (1, 0)]
    diagnostics.plot_class_accuracy([0.1, 0.5], found, names=["cat", "ship"], ax=ax)
    assert {text.get_text() for text in ax.texts} == {"cat", "ship"} and len(ax.collections) == 1
    with pytest.raises(ValueError, match="found must hold one result for each of the 3 sigmas; got 2"):
        diagnostics.plot_class_accuracy([0.1, 0.2, 0.3], found, ax=ax)
    other = diagnostics.classwise_accuracy(labels, labels, 2, alpha=0.01)
    diagnostics.plot_class_accuracy([0.1], [other], ax=ax)
    assert ax.collections[-1].get_label() == "all classes, if they were equal (99 %)"
    with pytest.raises(ValueError, match="results of one alpha"):
        diagnostics.plot_class_accuracy([0.1, 0.2], [found[0], other], ax=ax)


def test_extremes(ax):
    accuracy = np.random.default_rng(0).random((5, 3, 4))
    diagnostics.plot_extreme_classes([0.1, 0.5, 1.0], {"a": accuracy, "b": accuracy / 2}, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), accuracy.min(-1).mean(0))
    np.testing.assert_allclose(ax.lines[1].get_ydata(), accuracy.max(-1).mean(0))


def test_decision_regions(ax):
    diagnostics.plot_decision_regions(
        jax.random.key(0), disc, 0.0, extent=(-2, 2, -2, 2), n=3, resolution=21, points=[[0.0, 0.0]], labels=[0], ax=ax
    )
    shown = ax.images[0].get_array()
    assert shown.shape == (21, 21) and shown[10, 10] == 0 and shown[0, 0] == 1


def test_rays(ax):
    rays = jax.random.normal(jax.random.key(1), (8, 2))
    found = diagnostics.region_shrinkage(
        jax.random.key(0), disc, jnp.zeros((1, 2)), 0, rays, 0.5, t_max=2.0, steps=10, n=50
    )
    none = found._replace(ratio=np.full((1, 8), np.nan), censored=np.ones((1, 8), bool), alive=np.zeros(1, bool))
    diagnostics.plot_ray_ratios({"seen": found, "unseen": none}, ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["seen\n0 %\n0 %", "unseen\n100 %\n100 %"]


def test_distances(ax):
    x, labels = np.random.default_rng(0).normal(size=(100, 9)), np.arange(100) % 2
    found, gaps = diagnostics.interference_distance(x, labels), diagnostics.component_gap(x[labels == 0])
    diagnostics.plot_distances(found, gaps, sigma=0.25, dim=9, ax=ax)
    assert sorted(line.get_xdata()[0] for line in ax.lines) == [0.25, 0.75]


def test_grid_of_risks(ax, grid):
    gap = diagnostics.noise_augmentation_gap(grid)
    diagnostics.plot_sigma_grid(grid, gap, ax=ax)
    texts = [text.get_text() for text in ax.texts]
    assert len(texts) == 6 and sum("bigstar" in text for text in texts) == 2
    assert sum("alpha" in text for text in texts) == 1
    assert len(ax.patches) == gap.equivalent.sum()


def test_risks_with_their_intervals(ax, grid):
    diagnostics.plot_risk(grid, ax=ax)
    assert ax.get_yscale() == "log" and "training = smoothing" in named(ax)


def test_benefit(ax):
    diagnostics.plot_benefit([0, 1], {"gap 0": np.array([[0, 1.0], [0, 2.0]])}, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0, 1.5])


def test_new_axes_and_a_missing_package(monkeypatch):
    ax = diagnostics.plot_vanishing_sigma([2, 10], [0.5])
    try:
        ax.figure.canvas.draw()
    finally:
        pyplot.close(ax.figure)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "jaxsmooth\[plot\]"'):
        diagnostics.plot_vanishing_sigma([2, 10], [0.5])
