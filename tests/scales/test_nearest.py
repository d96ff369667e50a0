"""Neighbours are exact: against NumPy in double precision, with duplicates, ties, and where products cancel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.scales
from jaxsmooth.scales import neighbours
from jaxsmooth.scales.neighbours import nearest_distances, nearest_neighbours

RNG = np.random.default_rng(0)


def exact(x, reference, k, leave_out=None):
    difference = np.float64(x)[:, None] - np.float64(reference)[None]
    distance = np.sqrt((difference**2).sum(-1))
    if leave_out is not None:
        distance[np.arange(len(x)), leave_out] = np.inf
    return np.sort(distance, axis=1)[:, :k]


def found(x, reference, k, leave_out=None):
    leave_out = np.full(len(x), -1, np.int32) if leave_out is None else np.int32(leave_out)
    return np.asarray(nearest_distances(np.float32(x), np.float32(reference), leave_out, k=k))


def far_cluster(size, dim):
    """A cloud of radius 1e-2 at distance 1e3: squared distances by products are nothing but rounding."""
    return (1000 + 0.01 * RNG.normal(size=(size, dim))).astype(np.float32)


@pytest.mark.parametrize(
    "reference, x",
    [
        (RNG.normal(size=(50, 7)), RNG.normal(size=(20, 7))),
        (RNG.normal(size=(9000, 3)), RNG.normal(size=(3, 3))),
        (RNG.uniform(size=(400, 50)), RNG.uniform(size=(260, 50))),
        (np.repeat(RNG.normal(size=(40, 6)), 30, axis=0), RNG.normal(size=(10, 6))),
        (np.zeros((100, 4)), np.zeros((3, 4))),
        (far_cluster(600, 5), far_cluster(20, 5)),
    ],
    ids=["small", "several blocks", "several blocks of images", "duplicates", "all the same", "cancellation"],
)
def test_distances_are_exact(reference, x):
    x, reference, k = np.float32(x), np.float32(reference), 20
    np.testing.assert_allclose(found(x, reference, k), exact(x, reference, k), rtol=2e-6, atol=1e-7)


def test_reference_points_are_at_distance_zero():
    reference = np.float32(RNG.normal(size=(300, 30)))
    assert (found(reference[:50], reference, 1) == 0).all()


def test_a_shortlist_by_products_alone_would_be_wrong_and_is_noticed(monkeypatch):
    """Without the second look at all references the cancelling case fails, so the check is what saves it."""
    reference, x = far_cluster(600, 5), far_cluster(20, 5)
    monkeypatch.setattr(neighbours, "_HALF_ULP", -1.0)
    jax.clear_caches()
    wrong = found(x, reference, 20)
    monkeypatch.undo()
    jax.clear_caches()
    assert np.abs(wrong / exact(x, reference, 20) - 1).max() > 1e-3


def test_results_do_not_depend_on_the_batch():
    reference, x = np.float32(RNG.uniform(size=(500, 64))), np.float32(RNG.uniform(size=(300, 64)))
    scale = js.scales.KNNScale(reference, 0.5, 0.1)
    together = np.asarray(scale.mean_distance(x))
    for images in (slice(0, 1), slice(200, 300)):
        assert (np.asarray(scale.mean_distance(x[images])) == together[images]).all()


def test_leaving_one_out():
    reference = np.float32(RNG.normal(size=(80, 6)))
    scale = js.scales.KNNScale(reference, 0.5, 0.1, k=5, offset=1.0)
    everyone = np.arange(80)
    expected = 0.5 * np.exp(0.1 * (exact(reference, reference, 5, everyone).mean(1) - 1.0))
    np.testing.assert_allclose(scale.leave_one_out(), expected, rtol=1e-6)
    np.testing.assert_allclose(scale.leave_one_out([3, 7]), expected[[3, 7]], rtol=1e-6)
    # a duplicate of a reference stays its neighbour
    twice = js.scales.KNNScale(np.concatenate([reference, reference[:1]]), 0.5, 0.1, k=1, offset=1.0)
    assert float(twice.leave_one_out([0])[0]) == pytest.approx(0.5 * np.exp(-0.1))


def test_all_but_one_reference_are_neighbours_once():
    reference = np.float32(RNG.normal(size=(10, 4)))
    everyone = np.arange(10)
    np.testing.assert_allclose(
        found(reference, reference, 9, everyone), exact(reference, reference, 9, everyone), rtol=2e-6
    )


def test_which_references_and_the_filling_left_out():
    reference, x = np.float32(RNG.normal(size=(30, 4))), np.float32(RNG.normal(size=(7, 4)))
    filled = np.concatenate([reference, np.repeat(x[:1], 34, 0)])
    nobody = np.full(len(x), -1, np.int32)
    distance, index = nearest_neighbours(x, filled, nobody, np.int32(30), k=3)
    np.testing.assert_allclose(distance, exact(x, reference, 3), rtol=2e-6)
    by_index = np.linalg.norm(reference[np.asarray(index)] - x[:, None], axis=-1)
    np.testing.assert_allclose(by_index, distance, rtol=2e-6)


def test_default_offset_makes_sigma_typical():
    images, _ = js.datasets.load("digits", "train")
    test, _ = js.datasets.load("digits", "test")
    scale = js.scales.KNNScale(images, 0.25, 0.1)
    assert np.asarray(scale(test[:100])).mean() == pytest.approx(0.25, rel=0.03)
    assert js.scales.KNNScale(images[:1], 0.25, 0.1, k=1).offset == 0.0
    assert np.isfinite(js.scales.KNNScale(images[:3], 0.25, 0.1, k=3).offset)


GOOD = np.float32(RNG.normal(size=(30, 4)))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: js.scales.KNNScale(GOOD, 0.5, -0.1), "rate must be finite and at least 0; got -0.1"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, np.nan), "rate must be finite"),
        (lambda: js.scales.KNNScale(GOOD, -0.5, 0.1), "sigma must be positive and finite; got -0.5"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1, k=31), "k must be at most the number of references, 30; got 31"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1, k=0), "k must be at least 1"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1, k=2.5), "k must be a Python integer"),
        (lambda: js.scales.KNNScale(GOOD * np.nan, 0.5, 0.1), "reference must be finite"),
        (lambda: js.scales.KNNScale(GOOD[0], 0.5, 0.1), "reference must be a batch"),
        (lambda: js.scales.KNNScale(GOOD[:0], 0.5, 0.1), "reference must be a batch"),
        (lambda: js.scales.KNNScale(np.int32(GOOD), 0.5, 0.1), "reference must be floating point"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1, offset=np.inf), "offset must be finite"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1)(np.ones((2, 5))), r"shape of the references, \(4,\); got \(5,\)"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1, k=30).leave_one_out(), "k must be below the number of references"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1).leave_one_out([30]), r"indices must lie in \[0, 30\)"),
        (lambda: js.scales.KNNScale(GOOD, 0.5, 0.1).leave_one_out([0.5]), "indices must be integers"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_no_images():
    scale = js.scales.KNNScale(np.eye(6, dtype=np.float32), 0.5, 0.01, k=2)
    nothing = jnp.zeros((0, 6))
    assert scale(nothing).shape == (0,) and scale.leave_one_out(np.zeros((0,), np.int32)).shape == (0,)
