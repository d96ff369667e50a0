"""What every shipped scale declares is true: log sigma changes by at most the rate times the distance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.scales

DIM = 12
RNG = np.random.default_rng(0)
# Clusters, duplicates, a point far from all others.
POINTS = np.concatenate(
    [
        RNG.normal(size=(30, DIM)),
        0.01 * RNG.normal(size=(20, DIM)) + 2,
        np.full((25, DIM), -1.0),
        np.full((1, DIM), 30.0),
    ]
).astype(np.float32)
WEIGHT = np.linspace(-1, 1, DIM).astype(np.float32)
WEIGHT /= np.linalg.norm(WEIGHT)


def neighbours(rate, k, offset=None):
    return js.scales.KNNScale(POINTS, 0.5, rate, k=k, offset=offset)


def linear(rate):
    return js.scales.LipschitzScale(jax.tree_util.Partial(lambda w, x: rate * x @ w, jnp.asarray(WEIGHT)), rate)


SCALES = {
    "constant": lambda: js.scales.Constant(0.3),
    "nearest": lambda: neighbours(0.7, 1),
    "mean of 5": lambda: neighbours(0.2, 5),
    "mean of 24, fewer than the duplicates": lambda: neighbours(0.5, 24),
    "mean of all": lambda: neighbours(0.5, len(POINTS), offset=3.0),
    "preset mnist": lambda: js.scales.mnist(POINTS, 0.25, rate=0.3),
    "preset cifar10": lambda: js.scales.cifar10(POINTS, 0.25, rate=0.3),
    "lipschitz": lambda: linear(0.4),
    "clipped": lambda: js.scales.clip(neighbours(0.2, 5), 0.3, 0.6),
    "smallest": lambda: js.scales.minimum(neighbours(0.2, 5), linear(0.4), js.scales.Constant(0.5)),
    "largest": lambda: js.scales.maximum(neighbours(0.2, 5), linear(0.4)),
}


def pairs():
    """Random pairs near and far; reference points; straight towards and away from them; across duplicates."""
    start = RNG.normal(size=(200, DIM)) * np.exp(RNG.uniform(-3, 2, (200, 1)))
    step = RNG.normal(size=(200, DIM)) * np.exp(RNG.uniform(-6, 2, (200, 1)))
    yield start, start + step
    yield POINTS[RNG.integers(0, 76, 100)], POINTS[RNG.integers(0, 76, 100)]
    at = POINTS[RNG.integers(0, 76, 100)].astype(np.float64)
    ray = RNG.normal(size=(100, DIM))
    yield at, at + ray * np.exp(RNG.uniform(-8, 1, (100, 1)))
    toward = POINTS[RNG.integers(0, 76, 100)] - ray
    yield ray, ray + 0.5 * toward
    yield ray, ray + 1e-3 * toward
    yield start, start + WEIGHT * np.exp(RNG.uniform(-4, 1, (200, 1)))


PAIRS = list(pairs())


@pytest.mark.parametrize("name", SCALES)
def test_log_sigma_is_lipschitz(name):
    scale = SCALES[name]()
    rate = float(scale.semi_elasticity)
    x, y = (np.float32(np.concatenate(points)) for points in zip(*PAIRS, strict=True))
    distance = np.linalg.norm(np.float64(x) - y, axis=-1)
    change = np.abs(np.log(scale.on_host(x)) - np.log(scale.on_host(y)))
    # float32 leaves a few parts in 10^7 of the numbers involved
    rounding = 2e-6 * (1 + rate * (30 * np.sqrt(DIM)))
    assert (change <= rate * distance + rounding).all()


@pytest.mark.parametrize("name", SCALES)
def test_what_float32_adds_is_within_the_declared_rounding(name):
    """Pairs so near that rounding is all there is, and far ones: rate times distance, and the margin of one end."""
    scale = SCALES[name]()
    rate = float(scale.semi_elasticity)
    x, y = (np.float32(np.concatenate(points)) for points in zip(*PAIRS, strict=True))
    near = np.nextafter(x, np.float32(np.inf))
    for other in (y, near):
        distance = np.linalg.norm(np.float64(x) - other, axis=-1)
        change = np.abs(np.log(scale.on_host(x)) - np.log(scale.on_host(other)))
        margin = np.asarray(scale.rounding(x, np.float32(distance)), np.float64)
        assert (change <= rate * distance + margin).all()


@pytest.mark.parametrize("shape", [(12,), (28, 28, 1)])
def test_the_neighbour_scale_is_its_real_function_up_to_the_declared_rounding(shape):
    rng = np.random.default_rng(3)
    reference = rng.uniform(size=(60, *shape)).astype(np.float32)
    x = rng.uniform(size=(40, *shape)).astype(np.float32)
    scale = js.scales.KNNScale(reference, 0.25, 0.3, k=5, offset=1.0)
    flat, rows = x.reshape(40, -1).astype(np.float64), reference.reshape(60, -1).astype(np.float64)
    distance = np.sort(np.linalg.norm(flat[:, None] - rows, axis=-1), axis=1)[:, :5].mean(1)
    error = np.abs(np.log(scale.on_host(x)) - (np.log(0.25) + 0.3 * (distance - 1.0)))
    rounding = np.asarray(scale.rounding(x, np.zeros(40, np.float32)), np.float64)
    assert (error <= rounding / 2).all() and (rounding < 2e-5).all()


def test_the_test_would_notice_a_scale_that_is_faster_than_it_says():
    scale = js.scales.LipschitzScale(lambda x: 0.5 * x @ WEIGHT, 0.4)
    x = np.zeros((1, DIM), np.float32)
    y = x + WEIGHT
    change = np.abs(np.log(scale.on_host(x)) - np.log(scale.on_host(y)))
    assert change > scale.semi_elasticity * np.linalg.norm(y - x) * 1.1


@pytest.mark.parametrize("name", SCALES)
def test_scales_are_functions_of_each_image_alone(name):
    scale = SCALES[name]()
    x = RNG.normal(size=(50, DIM)).astype(np.float32)
    together = np.asarray(scale(x))
    assert together.shape == (50,) and together.dtype == np.float32 and (together > 0).all()
    assert (np.asarray(scale(x[:1])) == together[:1]).all()
    assert (np.asarray(scale(x[7:40])) == together[7:40]).all()
    assert (np.asarray(jax.jit(lambda s, x: s(x))(scale, x)) == together).all()


@pytest.mark.parametrize("name", SCALES)
def test_scales_are_pytrees_of_data(name):
    scale = SCALES[name]()
    leaves, tree = jax.tree.flatten(scale)
    again = jax.tree.unflatten(tree, leaves)
    x = RNG.normal(size=(5, DIM)).astype(np.float32)
    assert (np.asarray(again(x)) == np.asarray(scale(x))).all()
    jax.tree.unflatten(tree, [object()] * len(leaves))  # placeholders are not checked


def test_a_sweep_of_rates_does_not_trace_again():
    traces = []

    @jax.jit
    def sigma(scale, x):
        traces.append(None)
        return scale(x)

    x = RNG.normal(size=(3, DIM)).astype(np.float32)
    for rate in (0.1, 0.2):
        scale = neighbours(rate, 5, offset=1.0)
        np.testing.assert_allclose(sigma(jax.tree.map(jnp.float32, scale), x), scale(x), rtol=3e-7)
    assert len(traces) == 1


def test_combinations_take_the_largest_rate():
    members = (neighbours(0.2, 5), linear(0.4), js.scales.Constant(0.5))
    assert js.scales.maximum(*members).semi_elasticity == 0.4
    assert js.scales.clip(members[0], 0.1, 1.0).semi_elasticity == 0.2
    x = RNG.normal(size=(40, DIM)).astype(np.float32)
    values = np.stack([np.asarray(scale(x)) for scale in members])
    assert (np.asarray(js.scales.minimum(*members)(x)) == values.min(0)).all()
    assert (np.asarray(js.scales.maximum(*members)(x)) == values.max(0)).all()


class Silent(js.scales.AbstractScale):
    def __call__(self, x):
        return jnp.ones(x.shape[0])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: js.scales.Constant(0.0), "sigma must be positive"),
        (lambda: js.scales.Constant(-1), "sigma must be positive"),
        (lambda: js.scales.LipschitzScale(0.5, 1.0), "fn must be a function"),
        (lambda: js.scales.LipschitzScale(abs, -1.0), "constant must be finite and at least 0; got -1.0"),
        (lambda: js.scales.LipschitzScale(lambda x: x, 1.0)(np.ones((2, 3))), "one number per image; got"),
        (lambda: js.scales.Constant(0.5)(np.ones(3)), "x must be a batch"),
        (lambda: js.scales.clip(0.5, 0.1, 1.0), "scale must be a scale"),
        (lambda: js.scales.clip(js.scales.Constant(0.5), 0.5, 0.1), "largest must be at least smallest = 0.5"),
        (lambda: js.scales.clip(js.scales.Constant(0.5), 0.0, 0.1), "smallest must be positive"),
        (lambda: js.scales.minimum(), "at least one scale"),
        (lambda: js.scales.maximum(js.scales.Constant(0.5), Silent()), r"scales\[1\] = Silent declares neither"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
