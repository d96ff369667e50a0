"""The papers' networks: outputs of PyTorch on weights by formula, negative controls, and how files are found."""

import collections
import functools
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.interop import papers
from jaxsmooth.interop.papers import cifar_resnet, layers, mnist_lenet, unet
from jaxsmooth.sampling.row_independence import rows_are_independent
from tests.interop.papers_checkpoints import LAYOUTS, SHAPES, SMALL_UNET, digest, images, weights

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))
import models

REFERENCE = json.loads((pathlib.Path(__file__).parent / "data/torch_checkpoints.json").read_text())
UNET = next(name for name in SHAPES if "UNet" in name)
NETWORKS = {
    "cohen cifar_resnet20": functools.partial(papers.cifar_resnet20, normalize="cifar10"),
    "cohen cifar_resnet110": functools.partial(papers.cifar_resnet110, normalize="cifar10"),
    "jeong lenet": papers.lenet,
    "jeong cifar_densenet40": functools.partial(papers.densenet40, normalize="cifar10"),
    "rs4a WideResNet-40-2": papers.wide_resnet,
    "rs4a ResNet-110 (option A)": papers.resnet110_a,
    "denoised-smoothing DnCNN": papers.dncnn,
    "cohen resnet50": functools.partial(papers.resnet50, normalize="imagenet"),
    UNET: functools.partial(papers.unet_cifar, sizes=SMALL_UNET),
}
TOLERANCE = 5e-5
# As others, and longer.
LONG = {"cohen cifar_resnet110", "rs4a ResNet-110 (option A)", "cohen resnet50"}
slow = functools.partial(pytest.param, marks=pytest.mark.slow)


def made(name):
    return NETWORKS[name](weights(SHAPES[name]))


def output(name, network):
    """The first ten outputs of each image, as the reference lists them."""
    known = REFERENCE["models"][name]
    x = images(known["input"], 2)[: len(known["output"])]
    more = (np.full(len(x), 289.5, np.float32),) if name == UNET else ()
    found = np.asarray(jax.jit(lambda *given: network(*given))(x, *more))
    return found.reshape(len(x), -1) if found.ndim == 2 else found.transpose(0, 3, 1, 2).reshape(len(x), -1)


def error(name, network):
    known = np.array(REFERENCE["models"][name]["output"])
    return np.abs(output(name, network)[:, : known.shape[1]] - known).max() / np.abs(known).max()


@pytest.mark.parametrize("name", [*SHAPES, *LAYOUTS])
def test_names_and_shapes_are_those_of_the_papers(name):
    shapes = {**SHAPES, **LAYOUTS}[name]
    known = {**REFERENCE["models"], **REFERENCE["layouts"]}[name]
    assert len(shapes) == known["tensors"]
    assert digest("\n".join(f"{key} {shape}" for key, shape in shapes.items())) == known["sha256_of_keys_and_shapes"]
    counted = [shape for key, shape in shapes.items() if key.rpartition(".")[2] not in NOT_PARAMETERS]
    assert sum(int(np.prod(shape)) for shape in counted) == known["parameters"]
    assert list(shapes)[:4] == known.get("first_keys", list(shapes)[:4])
    assert list(shapes)[-3:] == known.get("last_keys", list(shapes)[-3:])


NOT_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked", "mu", "log_sig")


@pytest.mark.parametrize("name", [slow(name) if name in LONG else name for name in NETWORKS])
def test_outputs_are_those_of_pytorch(name):
    assert error(name, made(name)) < TOLERANCE


def same_padding(params, name, x, *, stride=1, padding=0):
    return jax.lax.conv_general_dilated(
        x, params[f"{name}.weight"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def other_epsilon(params, name, x):
    return layers.batch_norm(params, name, x, epsilon=1e-3)


def test_negative_controls(monkeypatch):
    """What goes wrong in silence misses the tolerance."""
    name = "cohen cifar_resnet20"
    network = made(name)
    original = cifar_resnet._shortcut
    for attribute, wrong in (("conv", same_padding), ("batch_norm", other_epsilon)):
        with monkeypatch.context() as patched:
            patched.setattr(cifar_resnet, attribute, wrong)
            assert error(name, network) > 10 * TOLERANCE, attribute
    with monkeypatch.context() as patched:
        patched.setattr(cifar_resnet, "_shortcut", lambda params, *given: original(_without(params), *given))
        assert error(name, network) > 10 * TOLERANCE
    state = weights(SHAPES["jeong lenet"])
    unpermuted = layers.transposed({key.removeprefix("1."): value for key, value in state.items()})
    network = papers.lenet(state)
    wrong = lambda x: network.apply(unpermuted, x)
    assert error("jeong lenet", network) < TOLERANCE < 0.1 < error("jeong lenet", wrong)


def _without(params):
    return {key: value for key, value in params.items() if "downsample" not in key}


def test_resampling_blocks_of_guided_diffusion():
    kinds = {"down": "res down", "up": "res up"}
    known = REFERENCE["layouts"]["guided-diffusion ImageNet 256, unconditional"]["resize_blocks"]
    found = {name + ".": kind for name, kind, _, _ in unet._layout(unet.IMAGENET256) if kind in kinds.values()}
    assert found == {name: kinds[kind] for name, kind in known.items()}


@pytest.mark.parametrize("name", [slow(name) if name in LONG else name for name in SHAPES if name != UNET])
def test_the_network_is_found_by_its_names(name):
    state = {"epoch": 90, "arch": "whatever", "state_dict": weights(SHAPES[name]), "optimizer": {"state": {}}}
    parallel = {f"module.{key}": value for key, value in state["state_dict"].items()}
    normalize = "imagenet" if "50" in name else "cifar10" if name.startswith(("cohen", "jeong cifar")) else None
    for given in (state, parallel):
        found = js.interop.from_paper(given, normalize)
        assert found.name == made_name(name)
    assert error(name, found) < TOLERANCE


def made_name(name):
    function = NETWORKS[name]
    return getattr(function, "func", function).__name__


def test_what_is_missing_is_named():
    state = weights(SHAPES["cohen cifar_resnet20"])
    missing = [key for key in state if key.startswith("1.layer3.2.") and "num" not in key]
    partial = {key: value for key, value in state.items() if key not in missing}
    partial["1.fc.extra"] = np.zeros(3, np.float32)
    partial["1.conv1.weight"] = np.zeros((16, 3, 5, 5), np.float32)
    names = ", ".join(key.removeprefix("1.") for key in missing[:5])
    for read in (functools.partial(papers.cifar_resnet20, normalize="cifar10"), js.interop.from_paper):
        with pytest.raises(ValueError, match="state must hold the tensors of cifar_resnet20") as raised:
            read(partial)
        text = str(raised.value)
        assert f"10 missing: {names}, ..." in text and "1 unexpected: fc.extra" in text
        assert "1 of another shape: conv1.weight (16, 3, 5, 5), not (16, 3, 3, 3)" in text
    with pytest.raises(ValueError, match=r"cifar_resnet110; 450 missing.* those of cifar_resnet20: use"):
        papers.cifar_resnet110(state, "cifar10")


DENOISER = {name: np.zeros(shape, np.float32) for name, shape in SHAPES["denoised-smoothing DnCNN"].items()}
STORED = {name: np.zeros(shape, np.float32) for name, shape in SHAPES["rs4a ResNet-110 (option A)"].items()}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: papers.lenet(3), TypeError, "state must be a mapping"),
        (lambda: papers.lenet({}), ValueError, "state must hold the tensors of a network; got none"),
        (lambda: papers.lenet({"conv1.weight": "x"}), TypeError, "'conv1.weight' is a str"),
        (lambda: papers.resnet110_a({"conv1.weight": np.zeros(3)}), ValueError, "missing: norm.mu, norm.log_sig"),
        (lambda: papers.cifar_resnet20(STATE), ValueError, "normalize must be one of 'cifar10', 'imagenet'.*got None"),
        (lambda: papers.cifar_resnet20(STATE, "cifar"), ValueError, "normalize must be one of.*got 'cifar'"),
        (lambda: papers.cifar_resnet20(STATE, 0.5), TypeError, "normalize must be one of.*got 0.5"),
        (lambda: papers.cifar_resnet20(STATE, ((0.5, 0.5), (1, 1))), ValueError, "for each of 3 channels"),
        (lambda: papers.cifar_resnet20(STATE, ((0.5,), (0,))), ValueError, "one positive number"),
        (lambda: papers.cifar_resnet20(STATE, "none", dtype=int), ValueError, "dtype must be float32"),
        (lambda: NETWORK(np.zeros((2, 3, 32, 32))), ValueError, "channels first. Use x.transpose"),
        (lambda: NETWORK(np.zeros((2, 28, 28, 3))), ValueError, r"x must have shape \(batch, 32, 32, 3\)"),
        (lambda: NETWORK(np.zeros((32, 32, 3))), ValueError, r"x must have shape \(batch, 32, 32, 3\)"),
        (
            lambda: js.interop.from_paper(STORED, "none"),
            ValueError,
            "must be left out for resnet110_a, whose file holds",
        ),
        (lambda: js.interop.from_paper(STORED, center_only=True), ValueError, "got normalize=None, center_only=True"),
        (lambda: js.interop.from_paper(DENOISER, "cifar10"), ValueError, "must be left out for dncnn, a denoiser"),
        (lambda: papers.unet_cifar({"a": np.zeros(3)}, 3), TypeError, "sizes must be UNetSizes"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


STATE = weights(cifar_resnet.shapes(3, 10))
NETWORK = papers.cifar_resnet20(STATE, "cifar10")


def test_normalisation():
    x = images((3, 32, 32), 2)
    by_hand = (x - np.array([0.4914, 0.4822, 0.4465], np.float32)) / np.array([0.2023, 0.1994, 0.2010], np.float32)
    plain = papers.cifar_resnet20(STATE, "none")
    np.testing.assert_allclose(NETWORK(x), plain(by_hand), rtol=1e-4, atol=1e-5)
    centred = papers.cifar_resnet20(STATE, "cifar10", center_only=True)
    by_hand = x - np.array([0.4914, 0.4822, 0.4465], np.float32)
    np.testing.assert_allclose(centred(x), plain(by_hand), rtol=1e-4, atol=1e-5)


def test_weights_are_data_and_can_be_trained():
    """One program for two checkpoints; gradients reach the weights."""
    x, traced = images((1, 28, 28), 2), []
    state = weights(mnist_lenet.shapes(10))
    first, second = papers.lenet(state), papers.lenet({name: 2 * value for name, value in state.items()})

    @jax.jit
    def scores(network, x):
        traced.append(None)
        return network(x)

    assert (np.asarray(scores(first, x)) != np.asarray(scores(second, x))).any() and len(traced) == 1
    gradient = jax.grad(lambda params: first.apply(params, x).var())(first.params)
    assert all(np.abs(np.asarray(value)).max() > 0 for value in gradient.values())
    assert repr(first) == "PaperNetwork(lenet, 8 arrays, 431,080 numbers, float32)"


def test_rows_are_proved_independent():
    assert rows_are_independent(NETWORK, (32, 32, 3))
    small = papers.unet_cifar(weights(SHAPES[UNET]), SMALL_UNET)
    denoiser = js.denoisers.one_shot(small, js.denoisers.schedule("cosine", 4000), 0.25, time_scale=0.25)
    assert float(denoiser.timestep) == 289.5
    assert rows_are_independent(js.denoised(denoiser, NETWORK), (32, 32, 3))


def test_bfloat16_is_another_classifier():
    x = images((3, 32, 32), 2)
    low = papers.cifar_resnet20(STATE, "cifar10", dtype=jnp.bfloat16)
    scores = low(x)
    assert scores.dtype == jnp.float32 and "bfloat16" in repr(low)
    difference = np.abs(np.asarray(scores) - np.asarray(NETWORK(x))).max()
    assert 0 < difference < 0.2 * np.abs(np.asarray(NETWORK(x))).max()


def test_files_of_numpy_and_safetensors(tmp_path):
    state = weights(SHAPES["jeong lenet"])
    np.savez(tmp_path / "lenet.npz", **state)
    assert error("jeong lenet", js.interop.from_paper(tmp_path / "lenet.npz")) < TOLERANCE
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(state, tmp_path / "lenet.safetensors")
    read = js.interop.torch_state(tmp_path / "lenet.safetensors")
    assert all((read[name] == value).all() for name, value in state.items())
    with pytest.raises(FileNotFoundError, match="there is no file"):
        js.interop.torch_state(tmp_path / "nothing.npz")
    for name in ("text.npz", "text.safetensors"):
        (tmp_path / name).write_text("no checkpoint")
        with pytest.raises(ValueError, match=f"path must be a checkpoint.*{name}"):
            js.interop.torch_state(tmp_path / name)
    np.savez(tmp_path / "objects.npz", names=np.array(["a", None], object))
    with pytest.raises(ValueError, match="path must be a checkpoint"):
        js.interop.torch_state(tmp_path / "objects.npz")
    with pytest.raises(TypeError, match="path must be the path of a file"):
        js.interop.torch_state(3)


def in_linen(network):
    """The weights under the names that Linen gives to layers, which are numbered in the order of their making."""
    made, weights = {"params": {}, "batch_stats": {}}, network.params
    number = collections.Counter()
    for name in (name.removesuffix(".weight") for name in weights if name.endswith(".weight")):
        part = {key: weights.get(f"{name}.{key}") for key in ("weight", "bias", "running_mean", "running_var")}
        kind = "BatchNorm" if part["running_mean"] is not None else "Conv" if part["weight"].ndim == 4 else "Dense"
        layer = f"{kind}_{number[kind]}"
        number[kind] += 1
        learned = {"scale" if kind == "BatchNorm" else "kernel": part["weight"], "bias": part["bias"]}
        made["params"][layer] = {key: value for key, value in learned.items() if value is not None}
        if kind == "BatchNorm":
            made["batch_stats"][layer] = {"mean": part["running_mean"], "var": part["running_var"]}
    return made


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("jeong lenet", ("lenet", "mnist", 10)),
        slow("cohen cifar_resnet20", ("resnet20", "cifar10", 10)),
        slow("cohen resnet50", ("resnet50", "imagenet2012", 1000)),
    ],
)
def test_networks_of_the_examples_are_the_papers(name, asked):
    """One set of weights, one function: so what is trained with ``examples/models.py`` compares with the papers."""
    paper, module, x = made(name), models.network(*asked), images(REFERENCE["models"][name]["input"], 2)
    expected = np.asarray(jax.jit(lambda network, x: network(x))(paper, x))
    found = np.asarray(jax.jit(module.apply)(in_linen(paper), x))
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    by_scale = {**in_linen(paper), "params": jax.tree.map(lambda value: 1.01 * value, in_linen(paper)["params"])}
    assert np.abs(module.apply(by_scale, x) - expected).max() > 1e-3 * np.abs(expected).max()
