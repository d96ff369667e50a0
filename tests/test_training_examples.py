"""The training examples: they run, a killed run goes on to the same weights, every objective has a name."""

import argparse
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import jaxsmooth as js
from tests.conftest import FLAGS
from tests.test_examples import ROOT, run

sys.path.insert(0, str(ROOT / "examples"))
import checkpoints
import frameworks
import input_pipeline
import models
import train
import training_plan
from convolution import small_convolution


@pytest.mark.slow
def test_compare_training(tmp_path):
    out = run("examples/compare_training.py", "--quick", "--output", str(tmp_path))
    assert "ACR(consistency) - ACR(gaussian)" in out and "  1.96x" in out and "missing" in out
    rows = list(csv.DictReader((tmp_path / "compare_training.csv").read_text().splitlines()))
    assert {row["sigma"] for row in rows} == {"0.25", "0.5"} and all(float(row["acr"]) >= 0 for row in rows)
    assert (tmp_path / "compare_training.png").stat().st_size > 20_000


@pytest.mark.slow
@pytest.mark.long
def test_compare_training_shows_what_it_should(tmp_path):
    out = run("examples/compare_training.py", "--output", str(tmp_path))
    assert "NO" not in out


def weights(out):
    return re.search(r"weights (\w+)", out)[1]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    command = ["examples/train.py", "--quick", "--epochs", "3", "--batch-size", "512"]
    whole = run(*command, "--output", str(tmp_path / "whole"))
    assert "smoothed test accuracy" in whole and "average certified radius" in whole
    assert (tmp_path / "whole/certificates.tsv").exists() and (tmp_path / "whole/certified_accuracy.png").exists()

    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, *command, "--output", str(cut)],
        cwd=ROOT, env={**os.environ, "XLA_FLAGS": FLAGS}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (cut / "checkpoints/1").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = run(*command, "--output", str(cut))
    assert "epoch 1 " not in again and weights(again) == weights(whole)

    saved = json.loads((cut / "settings.json").read_text())
    with pytest.raises(SystemExit, match=r"other settings \(lam was 5.0\): pass another --output"):
        checkpoints.Checkpoints(cut, saved | {"lam": "1.0"})


@pytest.mark.slow
def test_nnx_grain_and_four_devices(tmp_path):
    out = run(
        "examples/train.py", "--quick", "--epochs", "1", "--framework", "nnx", "--loader", "grain",
        "--objective", "smoothadv_consistency", "--attack-steps", "1", "--output", str(tmp_path),
        XLA_FLAGS="--xla_force_host_platform_device_count=4",
    )  # fmt: skip
    assert "SmoothAdv" in out and "64 images in a step" in out and "average certified radius" in out


@pytest.mark.parametrize("name", training_plan.OBJECTIVES)
def test_every_objective_has_a_name(name):
    options = argparse.Namespace(
        objective=name, preset=False, dataset="digits", sigma=0.25, lam=5.0, eta=0.5, epsilon=0.5, attack_steps=2,
        num_samples=None, ramp_epochs=1, batch_size=64, epochs=4, clip=5.0, weight_decay=None, learning_rate=None,
        nesterov=True,
    )  # fmt: skip
    plan = training_plan.make_plan(options, 1297)
    assert plan.size % jax.device_count() == 0 and plan.per_epoch == 1297 // plan.size
    network = frameworks.linen_network("mlp", "digits", 10, (8, 8, 1), 0, jnp.float32)
    x, labels, targets = jnp.zeros((8, 8, 8, 1)), jnp.arange(8), jnp.full((8, 10), 0.1)
    call = lambda weights: plan.objective(
        jax.random.key(0), lambda x: network.train(weights, {}, x), js.noises.Gaussian(0.25), x, labels,
        step=3, has_state=True, attack_apply=lambda x: network.evaluate(weights, {}, x), targets=targets,
    )  # fmt: skip
    assert jax.eval_shape(call, network.weights)[0].shape == ()


@pytest.mark.parametrize(
    ("size", "strides", "padding"),
    [
        ((3, 2), (1, 1), "VALID"),
        ((3, 3), (1, 1), [(1, 1), (1, 1)]),
        ((3, 2), (1, 1), [(2, 0), (0, 1)]),
        ((3, 2), (1, 1), [(0, 1), (2, 2)]),
        ((3, 3), (2, 2), [(1, 1), (1, 1)]),
        ((1, 1), (2, 1), "VALID"),
    ],
)
@pytest.mark.parametrize(("images", "channels"), [(4, 1), (4, 3), (70, 3)])
def test_small_convolutions(images, channels, size, strides, padding):
    """Values and gradients with respect to images and kernel are those of XLA."""
    k1, k2, k3 = jax.random.split(jax.random.key(0), 3)
    x, kernel = jax.random.normal(k1, (images, 32, 30, channels)), jax.random.normal(k2, (*size, channels, 5))
    options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    both = [
        jax.vjp(lambda x, kernel, f=f: f(x, kernel, strides, padding, **options), x, kernel)
        for f in (small_convolution, jax.lax.conv_general_dilated)
    ]
    gradient = jax.random.normal(k3, both[0][0].shape)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
    jax.tree.map(close, *[(values, gradients(gradient)) for values, gradients in both])


def test_lenet_in_parts(monkeypatch):
    """One CPU goes through the first block a few images at a time: the same network, weights and gradients."""
    x, network = jax.random.uniform(jax.random.key(0), (12, 28, 28, 1)), models.LeNet()
    weights, found = [], []
    for parts in (True, False):
        monkeypatch.setattr(models, "one_cpu", lambda parts=parts: parts)
        weights.append(network.init(jax.random.key(1), x[:1]))
        scores, gradients = jax.vjp(lambda weights: network.apply(weights, x), weights[0])
        found.append((scores, gradients(jax.random.normal(jax.random.key(2), scores.shape))))
    jax.tree.map(np.testing.assert_array_equal, *weights)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), *found)


def test_presets_set_the_recipe():
    options = argparse.Namespace(
        objective="consistency", preset=True, dataset="mnist", sigma=0.5, batch_size=None, epochs=None, clip=0,
        weight_decay=None, learning_rate=None, nesterov=False,
    )  # fmt: skip
    plan = training_plan.make_plan(options, 60_000)
    assert plan.epochs == 90 and plan.size == 128 and plan.objective == js.objectives.Consistency(5.0, 0.5, 2)


@pytest.mark.parametrize(("objective", "epochs", "of_90"), [("macer", 25, 31), ("smoothadv", 15, 10)])
def test_a_preset_in_fewer_epochs_has_its_schedules_in_them(objective, epochs, of_90):
    """MACER's weight is deferred for 31 of 90 epochs, SmoothAdv's radius grows for 10: of fewer for the same share."""
    options = argparse.Namespace(
        objective=objective, preset=True, dataset="mnist", sigma=0.5, batch_size=None, epochs=epochs, clip=0,
        weight_decay=None, learning_rate=None, nesterov=False,
    )  # fmt: skip
    plan = training_plan.make_plan(options, 60_000)
    weight = plan.objective.lam if objective == "macer" else plan.objective.epsilon
    steps = np.arange(0, plan.per_epoch * epochs, plan.per_epoch // 8)
    values = np.array([float(weight(step)) for step in steps])
    assert values[0] < values[-1] == values.max()
    reached = steps[np.argmax(values == values.max())] / plan.per_epoch
    assert abs(reached - of_90 * epochs / 90) < 0.5


def test_the_learning_rate_is_divided_at_every_drop():
    """At once where two come to the same step, and never before the first step."""
    assert training_plan.divisions([30, 60], 10) == {300: 0.1, 600: 0.1}
    assert training_plan.divisions([25 / 3, 50 / 3], 234) == {1950: 0.1, 3900: 0.1}
    assert training_plan.divisions([1, 1], 468) == pytest.approx({468: 0.01})
    assert training_plan.divisions([0, 0.5], 468) == {234: 0.1}


def test_a_preset_leaves_no_hyperparameter_to_the_command_line(capsys):
    assert train.parse(["--preset"]).clip == 0 and train.parse([]).clip == 5
    assert train.parse([]).lam == 5 and train.parse(["--lam", "0"]).lam == 0
    with pytest.raises(SystemExit):
        train.parse(["--preset", "--num-samples", "4"])
    assert "--preset sets --num-samples" in capsys.readouterr().err


SIZES = {
    "lenet": ((28, 28, 1), 10, 431_080),
    "resnet20": ((32, 32, 3), 10, 272_474),
    "resnet110": ((32, 32, 3), 10, 1_730_714),
    "resnet50": ((224, 224, 3), 1000, 25_557_032),
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("framework", ["linen", pytest.param("nnx", marks=pytest.mark.slow)])
def test_networks_have_their_published_size(name, framework):
    shape, classes, size = SIZES[name]
    if framework == "linen":
        model = models.network(name, "cifar10", classes)
        made = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape))))["params"]
    elif name == "resnet50":
        with pytest.raises(SystemExit, match="--framework linen"):
            frameworks.nnx_network(name, "imagenet2012", classes, shape, 0, jnp.float32)
        return
    else:
        made = jax.eval_shape(lambda: frameworks.nnx_network(name, "cifar10", classes, shape, 0, jnp.float32).weights)
    assert sum(leaf.size for leaf in jax.tree.leaves(made)) == size


def test_pooling_takes_the_largest_of_every_four():
    x = jax.random.normal(jax.random.key(0), (2, 6, 4, 3))
    np.testing.assert_array_equal(models.halved(x), linen.max_pool(x, (2, 2), (2, 2)))


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_statistics_move_in_training_and_stay_in_evaluation(framework):
    network = frameworks.FRAMEWORKS[framework]("resnet8", "cifar10", 10, (8, 8, 3), 0, jnp.bfloat16)
    x = jax.random.uniform(jax.random.key(0), (4, 8, 8, 3))
    logits, new = jax.jit(network.train)(network.weights, network.statistics, x)
    assert logits.shape == (4, 10) and logits.dtype == jnp.float32
    before, after = (jax.tree.leaves(tree) for tree in (network.statistics, new))
    assert len(before) == len(after) and any((a != b).any() for a, b in zip(before, after, strict=True))
    classify = network.classifier(network.weights, new)
    both = lambda weights, statistics, classify, x: (network.evaluate(weights, statistics, x), classify(x))
    np.testing.assert_allclose(*jax.jit(both)(network.weights, new, classify, x), atol=1e-2)


@pytest.mark.parametrize("loader", ["arrays", "grain"])
def test_batches_depend_on_the_step_alone(loader):
    make = lambda first: input_pipeline.batches(loader, "digits", "train[:100]", None, 30, 0, first)
    whole = [batch for batch, _ in zip(make(0), range(7), strict=False)]
    late = [batch for batch, _ in zip(make(4), range(3), strict=False)]
    for (images, _, numbers), again in zip(whole[4:], late, strict=True):
        np.testing.assert_array_equal(numbers, again[2])
        np.testing.assert_array_equal(images, again[0])
    all_images, all_labels = js.datasets.load("digits", "train[:100]")
    np.testing.assert_array_equal(images, all_images[numbers])
    np.testing.assert_array_equal(whole[-1][1], all_labels[numbers])
    assert len({int(n) for batch in whole[:3] for n in batch[2]}) == 90 and (whole[0][2] != whole[3][2]).any()


def test_augmentation():
    images = jax.random.uniform(jax.random.key(0), (16, 8, 8, 3))
    moved = jax.jit(input_pipeline.crop_and_flip)(jax.random.key(1), images)
    assert moved.shape == images.shape and 0 < (moved == 0).mean() < 0.7
    photo = np.random.default_rng(0).random((50, 80, 3), np.float32)
    square = input_pipeline.random_square(photo, np.random.default_rng(1), 32)
    assert square.shape == (32, 32, 3) and 0 <= square.min() and square.max() <= 1


def test_a_teacher_that_voted_on_other_images_is_refused(tmp_path):
    np.savez(tmp_path / "frequencies.npz", frequencies=np.eye(3), of="digits train[:100]")
    options = argparse.Namespace(teacher=tmp_path, dataset="digits", split="train[:100]")
    assert (train.teachers(options) == np.eye(3)).all()
    options.split = "train[100:200]"
    with pytest.raises(
        SystemExit, match=r"voted on digits train\[:100\], and this run trains on digits train\[100:200"
    ):
        train.teachers(options)
