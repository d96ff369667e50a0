"""check_classifier says what is suspicious, each kind by its name and with its remedy, and nothing of a sound one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxsmooth as js
from jaxsmooth.interop import from_callable

KEY, NOISE = jax.random.key(0), js.noises.Gaussian(0.25)
W = jnp.asarray(np.random.default_rng(0).standard_normal((16, 3)), jnp.float32)
X = np.random.default_rng(1).uniform(size=(20, 4, 4)).astype(np.float32)


def sound(batch):
    return (batch.reshape(len(batch), -1) - 0.5) @ W


def dropped(batch):
    kept = (batch * (RNG.random(batch.shape) > 0.5)).reshape(len(batch), -1)
    return (kept - 0.5) @ np.asarray(W)


def to_the_power_of_the_size(batch):
    return jax.lax.map(lambda row: sound(row[None])[0] ** len(batch), batch)


RNG = np.random.default_rng(0)
ROWS, CALLS = "rows do not depend on their batch", "the same inputs have the same scores"
NUMBERS, LARGEST = "scores are numbers", "one score is the largest"
UNIT, PIXELS, REACHES = "x and the noise have one unit", "x holds plain pixels", "the noise reaches the scores"
DIFFER, CHANCE = "answers differ between images", "answers under noise are above chance"
CONSEQUENCES = {CHANCE}  # also found of what is random or drowned
SUSPICIOUS = {
    "batch statistics": ({"classify": lambda b: sound(b) - sound(b).mean(0)}, {ROWS}, "from_nnx"),
    "dropout by place": (
        {"classify": lambda b: sound(jnp.where(jax.random.bernoulli(KEY, 0.5, b.shape), b, 0))}, {ROWS}, "train=False",
    ),
    "the size of the batch": ({"classify": to_the_power_of_the_size}, {ROWS}, "train=False"),
    "random": ({"classify": from_callable(dropped, 3)}, {ROWS, CALLS}, "model.eval"),
    "all NaN": ({"classify": lambda b: sound(b) * jnp.nan}, {NUMBERS}, "NaN"),
    "some NaN": ({"classify": lambda b: jnp.log(b.reshape(len(b), -1)[:, :3])}, {NUMBERS}, "log"),
    "equal scores": ({"classify": lambda b: 0 * sound(b)}, {LARGEST, DIFFER, REACHES}, "logits in float32"),
    "a constant answer": (
        {"classify": lambda b: sound(b) + jnp.array([99.0, 0.0, 0.0])}, {DIFFER}, "layout",
    ),
    "pixels to 255": ({"x": 255 * X}, {UNIT}, "x / 255"),
    "sigma for pixels to 255": ({"noise": js.noises.Gaussian(64.0)}, {UNIT}, "x / 255"),
    "standardised": ({"x": (X - X.mean()) / X.std()}, {PIXELS}, "standardise inside"),
    "chance": (
        {"classify": lambda b: jax.nn.one_hot((b.sum((1, 2)) * 1e4).astype(int) % 3, 3)}, {CHANCE}, "Train with this",
    ),
    "rounded": ({"classify": lambda b: jnp.round(sound(b) * 0.3)}, {LARGEST}, "float32"),
}  # fmt: skip


def test_a_sound_classifier_is_not_suspicious():
    report = js.check_classifier(KEY, sound, NOISE, X)
    assert report.passed and not report.suspicious and "nothing suspicious" in str(report), str(report)
    assert all(finding.name in str(report) for finding in report.findings)


@pytest.mark.parametrize("name", SUSPICIOUS)
def test_each_kind_is_named_with_its_remedy(name):
    change, expected, remedy = SUSPICIOUS[name]
    report = js.check_classifier(**{"key": KEY, "classify": sound, "noise": NOISE, "x": X, **change})
    found = {finding.name for finding in report.suspicious}
    assert found - CONSEQUENCES == expected - CONSEQUENCES and expected <= found, str(report)
    assert remedy in str(report) and not report.passed and "to look at" in str(report)


def test_coarse_scores_are_told_where_the_program_proves_nothing():
    signs = lambda b: jax.lax.map(lambda row: jnp.sign(sound(row[None])[0]), b)
    assert "only large changes show" in js.check_classifier(KEY, signs, NOISE, X).findings[0].found


def test_one_infinite_score_wins():
    forced = lambda batch: jnp.where(sound(batch) == sound(batch).max(-1, keepdims=True), jnp.inf, sound(batch))
    assert js.check_classifier(KEY, forced, NOISE, X).passed


def test_a_bare_nnx_model_is_looked_at_in_evaluation_mode():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.norm, self.dense = nnx.BatchNorm(16, rngs=rngs), nnx.Linear(16, 3, rngs=rngs)

        def __call__(self, x):
            return self.dense(self.norm(x.reshape(len(x), -1) - 0.5))

    model = Net(nnx.Rngs(0))
    assert js.check_classifier(KEY, model, NOISE, X).findings[0].passed
    training = jax.tree_util.Partial(lambda model, b: model(b), model)
    assert not js.check_classifier(KEY, training, NOISE, X).findings[0].passed


def test_noise_that_depends_on_the_image_and_few_images():
    noise = js.noises.InputDependentGaussian(js.scales.Constant(0.25))
    assert js.check_classifier(KEY, sound, noise, X[:2]).passed
