"""Streams: of loaders that reuse their memory, of loaders that fail, and inside a mesh of the caller's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import Curve, Fixed

KEY = jax.random.key(3)
NOISE = js.noises.Gaussian(0.25)
FIXED = Fixed(n=200)
BATCHES = np.array([[[1.0, 1.0]], [[-1.0, -1.0]], [[1.0, 1.0]]], np.float32)


@jax.tree_util.Partial
def classify(batch):
    return jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)


def reused(parts=1, batches=BATCHES):
    """Batches of one image, with a label and an id as ``parts`` asks for, all in the same arrays."""
    buffers = np.empty((1, 2), np.float32), np.empty(1, np.int64), np.empty(1, np.int32)
    for number, image in enumerate(batches):
        for buffer, value in zip(buffers, (image, number % 2, 7 - number), strict=True):
            buffer[:] = value
        yield buffers[0] if parts == 1 else buffers[:parts]
    for buffer in buffers:
        buffer[:] = 0


def together(design, batches, noise=NOISE, **run):
    return js.concatenate(list(js.certify_stream(KEY, classify, noise, batches, design, **run)))


@pytest.mark.parametrize(("design", "parts"), [(FIXED, 1), (Curve((0.0, 0.1), n_max=1000), 3)], ids=["x", "triples"])
def test_a_loader_may_reuse_its_memory(design, parts):
    copied = (batch.copy() if parts == 1 else tuple(map(np.copy, batch)) for batch in reused(parts))
    one, other = together(design, reused(parts)), together(design, copied)
    assert one.label.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(one.votes.counts, other.votes.counts)
    np.testing.assert_array_equal(one.radius, other.radius)


def test_sigma_and_pixels_are_of_one_image():
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(BATCHES[0], sigma=0.25, rate=0.05, k=1))
    certificates = together(FIXED, reused(), noise)
    assert certificates.label.tolist() == [0, 1, 0]
    whole = js.certify(KEY, classify, noise, BATCHES[:, 0], n=200)
    np.testing.assert_array_equal(certificates.votes.counts, whole.votes.counts)
    np.testing.assert_allclose(certificates.radius, whole.radius, rtol=1e-12)


def test_what_came_before_a_loader_failed_is_finished(tmp_path):
    def fails():
        yield from BATCHES[:2]
        raise OSError("the disk is gone")

    found, ledger = [], tmp_path / "votes"
    with pytest.raises(OSError, match="the disk is gone") as raised:
        found.extend(
            certificates.label.tolist()
            for certificates in js.certify_stream(KEY, classify, NOISE, fails(), FIXED, ledger=ledger)
        )
    assert found == [[0], [1]] and raised.traceback[-1].name == "fails"
    assert js.ledger.read(ledger).image_ids.tolist() == [0, 1]


@pytest.mark.parametrize("ended", ["read", "closed"])
def test_a_mesh_of_the_callers_is_his_between_the_batches(ended):
    """With explicit axes, which the library makes automatic ones for its own programs; a key may be made on it."""
    mesh = jax.make_mesh((2,), ("draws",))
    context = jax.sharding.get_abstract_mesh
    outside = context()
    with jax.set_mesh(mesh):
        inside, key = context(), jax.random.key(3)
        stream = js.certify_stream(key, classify, NOISE, iter(BATCHES), FIXED, mesh=mesh)
        found = [next(stream)]
        assert context() == inside
    if ended == "closed":
        stream.close()
    else:
        found.extend(stream)
        assert [certificates.label.tolist() for certificates in found] == [[0], [1], [0]]
    assert context() == outside
