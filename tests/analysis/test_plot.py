"""The certified accuracy plot: what it draws, on whose axes, and what it refuses."""

import sys

import matplotlib.colors
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import jaxsmooth as js
import jaxsmooth.analysis as analysis

LABELS = np.array([3, 1, 0, 2])


def certificates(norm=2.0):
    unknown = np.full(4, np.nan)
    label, radius = np.array([3, 1, 2, -1]), np.array([0.5, 1.0, 2.0, 0.0])
    return js.Certificates(label, radius, unknown, unknown, np.full(4, 1100), norm=norm)


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.mark.parametrize(("norm", "label"), [(1.0, "l1 radius"), (2, "l2 radius"), (np.inf, "linf radius")])
def test_one_curve(ax, norm, label):
    assert analysis.plot_certified_accuracy(certificates(norm), LABELS, ax=ax, title="digits") is ax
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == (label, "certified accuracy", "digits")
    assert ax.get_legend() is None
    (line,) = ax.lines
    # Exact: the value holds up to and including each radius, and falls to 0 at the largest.
    assert line.get_drawstyle() == "steps-pre"
    np.testing.assert_array_equal(line.get_xdata(), [0.0, 0.5, 1.0, 1.0])
    np.testing.assert_array_equal(line.get_ydata(), [0.5, 0.5, 0.25, 0.0])
    assert ax.get_xlim()[0] == 0 and ax.get_xlim()[1] >= 1 and ax.get_ylim()[0] == 0


def test_several_curves_at_given_radii(ax):
    named = {"first": certificates(), "second": certificates()}
    labels = {"first": LABELS, "second": LABELS[::-1]}
    analysis.plot_certified_accuracy(named, labels, radii=[1, 0, 0.5], ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.5, 0.5, 0.25], [0.0, 0.0, 0.0]]
    assert len({line.get_color() for line in ax.lines}) == len({line.get_linestyle() for line in ax.lines}) == 2


@pytest.mark.parametrize("radii", [None, [0, 0.5, 1, 2]])
def test_bands_are_intervals_of_each_radius(ax, radii):
    analysis.plot_certified_accuracy({"a": certificates(), "b": certificates()}, LABELS, radii=radii, alpha=0.1, ax=ax)
    assert len(ax.collections) == len(ax.lines) == 2
    for band, line in zip(ax.collections, ax.lines, strict=True):
        np.testing.assert_array_equal(band.get_facecolor()[0, :3], matplotlib.colors.to_rgb(line.get_color()))
        (path,) = band.get_paths()
        # Between two radii it is that of the larger one, as the curve is.
        for at, hits in ((0.25, 2), (0.5, 2), (0.75, 1), (1.0, 1)):
            lower, upper = (
                f(hits, 4, 0.05) for f in (js.bounds.clopper_pearson_lower, js.bounds.clopper_pearson_upper)
            )
            inside = [path.contains_point((at - 1e-6, y)) for y in (lower + 1e-6, upper - 1e-6)]
            outside = [path.contains_point((at - 1e-6, y)) for y in (lower - 1e-6, upper + 1e-6)]
            assert inside == [True, True] and outside == [False, False]


def test_no_band_by_default(ax):
    analysis.plot_certified_accuracy(certificates(), LABELS, ax=ax)
    assert not ax.collections


def test_nothing_certified(ax):
    nothing = js.Certificates(np.full(2, -1), np.zeros(2), np.zeros(2), np.ones(2), np.ones(2, int))
    analysis.plot_certified_accuracy(nothing, [0, 1], ax=ax)
    assert ax.get_xlim() == (0, 1)


def test_new_axes():
    ax = analysis.plot_certified_accuracy(certificates(), LABELS)
    try:
        ax.figure.canvas.draw()
        assert ax.figure.number in pyplot.get_fignums() and ax.lines
    finally:
        pyplot.close(ax.figure)


@pytest.mark.parametrize(
    ("found", "labels", "radii", "message"),
    [
        ({}, LABELS, None, "at least one set of certificates"),
        ({"a": certificates(), "b": certificates(1.0)}, LABELS, None, r"several norms, \[1.0, 2.0\]"),
        ({"a": certificates()}, {"b": LABELS}, None, "'a' is missing"),
        (certificates(), LABELS, [], "radii must hold at least one radius"),
        (certificates(), LABELS, [-1.0], "radii must be finite and at least 0"),
    ],
)
def test_refuses(ax, found, labels, radii, message):
    with pytest.raises(ValueError, match=message):
        analysis.plot_certified_accuracy(found, labels, radii=radii, ax=ax)
    assert not ax.lines


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "jaxsmooth\[plot\]"'):
        analysis.plot_certified_accuracy(certificates(), LABELS)
