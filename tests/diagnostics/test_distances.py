"""Distances between and within classes, exactly: against NumPy and SciPy in double precision."""

import numpy as np
import pytest
from scipy.sparse import csgraph
from scipy.spatial import distance

import jaxsmooth.diagnostics as diagnostics

RNG = np.random.default_rng(0)


def clouds(size, dim, classes):
    return np.float32(RNG.normal(size=(size, dim))), RNG.permutation(np.arange(size) % classes)


def near_duplicates():
    """Pairs across classes far closer than float32 products can tell at this distance from the origin."""
    x = np.float32(RNG.normal(size=(60, 8)) * 3 + 500)
    x[1::2] = x[::2] + np.float32(RNG.normal(size=(30, 8)) * 1e-3)
    return x, np.arange(60) % 2


CASES = {
    "two classes": clouds(50, 3, 2),
    "ten classes of digits size": clouds(700, 64, 10),
    "more than a chunk": clouds(300, 5, 3),
    "near duplicates": near_duplicates(),
    "equal points": (np.ones((12, 4), np.float32), np.arange(12) % 3),
    "unequal classes": (np.float32(RNG.normal(size=(130, 6))), np.r_[np.zeros(100, int), np.full(29, 1), [4]]),
}


@pytest.mark.parametrize("name", CASES)
def test_interference_distance(name):
    x, labels = CASES[name]
    found = diagnostics.interference_distance(x, labels, chunk=128)
    exact = distance.cdist(np.float64(x), np.float64(x))
    np.fill_diagonal(exact, np.inf)
    other = np.where(labels[:, None] == labels, np.inf, exact)
    np.testing.assert_allclose(found.nn_other, other.min(1), rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(other[np.arange(len(x)), found.idx], found.nn_other, rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(found.nn_same, np.where(labels[:, None] == labels, exact, np.inf).min(1), rtol=2e-6)
    number = labels.max() + 1
    pairs = np.full((number, number), np.inf)
    np.minimum.at(pairs, (labels[:, None].repeat(len(x), 1), labels[None].repeat(len(x), 0)), exact)
    np.testing.assert_allclose(found.pair_min, pairs, rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(found.quantiles[[0, 3, 6]], np.quantile(found.nn_other, [0, 0.5, 1]))


def test_the_chunk_cannot_change_the_result():
    x, labels = clouds(150, 7, 4)
    one, other = (diagnostics.interference_distance(x, labels, chunk=c) for c in (150, 32))
    np.testing.assert_array_equal(one.nn_other, other.nn_other)
    np.testing.assert_array_equal(one.pair_min, other.pair_min)


@pytest.mark.parametrize(("size", "dim"), [(2, 1), (40, 3), (257, 16)])
def test_component_gaps_are_the_spanning_tree(size, dim):
    x = RNG.normal(size=(size, dim))
    tree = csgraph.minimum_spanning_tree(distance.cdist(x, x))
    np.testing.assert_allclose(diagnostics.component_gap(x), np.sort(tree.data), rtol=2e-6)


def test_component_gaps_of_equal_points_and_of_one_point():
    assert diagnostics.component_gap(np.ones((5, 3))).tolist() == [0.0] * 4
    assert diagnostics.component_gap(np.ones((1, 3))).shape == (0,)


def test_two_clouds_have_one_long_edge():
    x = RNG.uniform(0, 1, (100, 2))
    x[50:, 0] += 10
    gaps = diagnostics.component_gap(x)
    assert (gaps > 5).sum() == 1 and gaps[-1] == pytest.approx(9, abs=0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.interference_distance(np.ones((3, 2)), [0, 0, 0]), "labels must hold at least 2 classes"),
        (lambda: diagnostics.interference_distance(np.ones((3, 2)), [0, 1]), r"labels must have shape \(3,\)"),
        (lambda: diagnostics.interference_distance(np.ones((3, 2), int), [0, 1, 1]), "x must be floating point"),
        (lambda: diagnostics.interference_distance(np.full((2, 2), np.nan), [0, 1]), "x must be finite"),
        (lambda: diagnostics.interference_distance(np.ones((2, 2)), [0, 1], chunk=0), "chunk must be at least 1"),
        (lambda: diagnostics.component_gap(np.ones(3)), r"x must be a batch \(N, \*event\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_large_class_ids_are_refused():
    with pytest.raises(ValueError, match=r"labels must be below 16384.*got 200000. Renumber them"):
        diagnostics.interference_distance(np.eye(4, dtype=np.float32), np.array([0, 0, 1, 200_000]))
