"""self_check passes here and catches planted faults; measure_throughput measures."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.sampling import kernel

module = importlib.import_module("jaxsmooth._verbs.self_check")


@pytest.fixture
def fresh_programs():
    """Compiled programs remember the sampler they were made of."""
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.slow
def test_passes_on_a_mesh(optimized):
    report = js.self_check(mesh=jax.make_mesh((2, 4), ("a", "b")))
    assert report.passed, str(report)
    assert str(report).endswith("passed") and len(report.checks) == 9


def bfloat16(noise, key, shape):
    return noise.sigma * jax.random.normal(key, shape, jnp.bfloat16).astype(jnp.float32)


def too_small(noise, key, shape):
    return 0.95 * noise.sigma * jax.random.normal(key, shape)


@pytest.mark.parametrize(
    ("check", "sample"),
    [
        pytest.param(lambda: module._float32_noise(None), bfloat16, marks=pytest.mark.slow),
        pytest.param(lambda: module._law("all coordinates", None), bfloat16, marks=pytest.mark.slow),
        pytest.param(lambda: module._law("one coordinate", None), too_small, marks=pytest.mark.slow),
        (lambda: module._law("all coordinates", None), too_small),
    ],
)
def test_catches_noise_of_another_law(check, sample, monkeypatch, fresh_programs):
    assert check().passed
    jax.clear_caches()
    monkeypatch.setattr(js.noises.Gaussian, "sample", sample)
    found = check()
    assert not found.passed
    assert "NOT PASSED" in str(module.SelfCheck((found,), ""))


def test_catches_devices_that_share_their_noise(monkeypatch, fresh_programs):
    """As two devices do that start from one key: every draw comes twice."""
    count = kernel._count_batch
    twice = lambda counts, call, classify, slots, owner, draw, *rest: count(
        counts, call, classify, slots, owner, draw // 2, *rest
    )
    monkeypatch.setattr(kernel, "_count_batch", twice)
    assert not module._fresh_noise(None).passed


def test_catches_alpha_that_is_not_kept(monkeypatch):
    spent = lambda *args, alpha, **options: js.certify(*args, alpha=4 * alpha, **options)
    monkeypatch.setattr(module, "certify", spent)
    assert not module._error_rate("one coordinate", None).passed


def test_catches_counts_that_depend_on_the_batch(monkeypatch):
    monkeypatch.setattr(
        module,
        "count_votes",
        lambda key, *args, batch_size=64, **options: js.count_votes(
            jax.random.fold_in(key, batch_size), *args, batch_size=batch_size, **options
        ),
    )
    assert not module._same_counts(None).passed


def test_a_mesh_is_asked_for():
    with pytest.raises(TypeError, match="mesh must be a jax"):
        js.self_check(mesh=3)


@pytest.mark.slow  # the docstring does without a mesh
@pytest.mark.parametrize("devices", [None, 2])
def test_throughput(devices):
    weights = jax.random.normal(jax.random.key(0), (16, 3))
    classify = jax.tree_util.Partial(lambda weights, x: x @ weights, weights)
    mesh = None if devices is None else jax.make_mesh((devices,), ("draws",))
    measured = js.measure_throughput(
        jax.random.key(1), classify, js.noises.Gaussian(0.5), np.ones((2, 16)), batch_size=32, mesh=mesh
    )
    assert measured.devices == (devices or 1) and measured.batch_size == 32
    assert min(measured.votes, measured.forward, measured.noise) > 0
    assert measured.ratio == measured.votes / measured.forward
    assert all(word in str(measured) for word in ("votes", "bare forward", "noise alone", "per device"))
