"""Streams: the certificates of all images at once, batch by batch, reading only what is needed."""

import jax
import numpy as np
import pytest

import jaxsmooth as js

KEY = jax.random.key(8)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = np.asarray(jax.random.normal(jax.random.key(2), (30, 4)))
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))
RADII = [0.0, 0.1, 0.25, 0.5]
FIELDS = ("label", "radius", "p_lower", "p_upper", "samples", "rule", "reason")


def batches(x=X, labels=None):
    for images in np.split(np.arange(len(x)), [7, 8, 20]):
        yield x[images] if labels is None else (x[images], labels[images])


def assert_same(parts, whole):
    assert [len(part) for part in parts] == [7, 1, 12, 10]
    for name in FIELDS:
        if getattr(whole, name) is not None:
            together = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(together, getattr(whole, name), err_msg=name)
    np.testing.assert_array_equal(np.concatenate([part.votes.counts for part in parts]), whole.votes.counts)


def test_certify_stream(tmp_path):
    stream = lambda: js.certify_stream(KEY, CLASSIFY, NOISE, batches(), n=500, ledger=tmp_path / "votes.jsonl")
    whole = js.certify(KEY, CLASSIFY, NOISE, X, n=500)
    assert_same(list(stream()), whole)
    assert_same(list(stream()), whole)


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("mesh", [None, (8,)])
def test_certify_curve_stream(labels, mesh, tmp_path):
    mesh = None if mesh is None else jax.make_mesh(mesh, ("draws",))
    stream = lambda: js.certify_curve_stream(
        KEY, CLASSIFY, NOISE, batches(labels=labels), RADII, n_max=2000, mesh=mesh, ledger=tmp_path / "votes.jsonl"
    )
    whole = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=labels, n_max=2000)
    assert_same(list(stream()), whole)
    assert_same(list(stream()), whole)


def test_ragged_batches_share_a_program():
    traces = []

    def classify(batch):
        traces.append(batch.shape)
        return batch @ WEIGHTS

    parts = np.split(X, [10, 20, 27])
    list(js.certify_stream(KEY, classify, NOISE, iter(parts), n=500, batch_size=16))
    # One for the shape of the scores, and one to run.
    assert len(traces) == 2


def test_too_few_labels_for_a_stream():
    with pytest.raises(ValueError, match="labels must have one entry for each image; got 20"):
        js.certify_curve(KEY, CLASSIFY, NOISE, batches(), RADII, labels=LABELS[:20], n_max=2000)


def test_no_more_is_read_or_kept_than_is_needed():
    """A thousand batches: results come while the rest is unread, and few images are ever in hand."""
    read = 0

    def endless():
        nonlocal read
        for start in range(1000):
            read += 1
            yield np.repeat(X[start % 30][None], 64, 0)

    given = 0
    for certificates in js.certify_curve_stream(KEY, CLASSIFY, NOISE, endless(), [0.0], n_max=1000, batch_size=16):
        given += 1
        assert len(certificates) == 64 and read - given <= 40
        if given == 60:
            break


@pytest.mark.parametrize(
    ("stream", "error", "message"),
    [
        (lambda: js.certify_stream(KEY, CLASSIFY, NOISE, batches(), n=3), ValueError, "n"),
        (lambda: js.certify_stream(KEY, CLASSIFY, NOISE, batches(), n=500, norm=3), ValueError, "norm must be"),
        (lambda: js.certify_curve_stream(KEY, CLASSIFY, NOISE, batches(), [1, 0]), ValueError, "radii must increase"),
    ],
)
def test_bad_arguments_are_refused_at_once(stream, error, message):
    with pytest.raises(error, match=message):
        stream()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one image"),
        ([X[:3], X[3:6, :2]], "images of one shape"),
        ([X[:3], np.full((2, 4), np.nan, np.float32)], "x must be finite"),
        ([(X[:3], [0, 1, 7])], "labels must be between"),
        ([(X[:3], [0, 1, 2]), (X[3:5], [0, 9])], "labels must be between"),
        ([(X[:3], [0, 1])], "a label for each image"),
        ([(X[:3], [0, 1, 2]), X[3:5]], "must all be pairs"),
    ],
)
def test_bad_images_are_refused_when_they_come(given, message):
    with pytest.raises(ValueError, match=message):
        list(js.certify_curve_stream(KEY, CLASSIFY, NOISE, given, RADII, n_max=2000))
