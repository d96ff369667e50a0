"""PyTorch modules and checkpoints; skipped where PyTorch is not installed."""

import functools
import warnings

import jax
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.interop.papers import cifar_resnet
from tests.interop.papers_checkpoints import images

torch = pytest.importorskip("torch")
from tests.interop import torch_networks  # noqa: E402

pytestmark = pytest.mark.usefixtures("optimized")
KEY, NOISE = jax.random.key(4), js.noises.Gaussian(0.25)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """What the training script of Cohen et al. leaves on disk, and the network."""
    network, path = torch_networks.cifar_resnet(20), tmp_path_factory.mktemp("models") / "checkpoint.pth.tar"
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    torch.save(
        {
            "epoch": 90,
            "arch": "cifar_resnet20",
            "state_dict": network.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        path,
    )
    return path, network


@pytest.mark.parametrize("images", [pytest.param(10_000, marks=pytest.mark.slow), 500])
def test_an_imported_network_gives_the_same_labels(checkpoint, images):
    """On noisy images labels differ where the two largest scores agree to rounding, if at all."""
    path, network = checkpoint
    imported = js.interop.from_paper(path, "cifar10")
    rng = np.random.default_rng(0)
    x = (rng.random((images, 32, 32, 3)) + 0.25 * rng.standard_normal((images, 32, 32, 3))).astype(np.float32)
    scores = jax.jit(lambda network, x: network(x))
    ours = np.concatenate([np.asarray(scores(imported, part)) for part in np.split(x, len(x) // 500)])
    with torch.inference_mode():
        parts = [network(torch.from_numpy(part).permute(0, 3, 1, 2)) for part in np.split(x, len(x) // 500)]
    theirs = torch.cat(parts).numpy()
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()
    first, second = np.sort(theirs, -1)[:, [-1, -2]].T
    differ = ours.argmax(-1) != theirs.argmax(-1)
    assert differ.sum() <= 2 and (first - second)[differ].max(initial=0) < 1e-5 * np.abs(theirs).max()
    assert len(np.unique(theirs.argmax(-1))) > 1


@pytest.mark.parametrize(("old", "parallel"), [(False, True), (True, False)], ids=["zip", "legacy"])
def test_both_formats_with_and_without_dataparallel(tmp_path, old, parallel):
    network = torch_networks.cifar_resnet(20)
    if parallel:
        network = torch.nn.Sequential(network[0], torch.nn.DataParallel(network[1]))
    torch.save({"state_dict": network.state_dict()}, tmp_path / "net.pth", _use_new_zipfile_serialization=not old)
    state = js.interop.torch_state(tmp_path / "net.pth")
    assert list(state) == list(network.state_dict())
    assert all((state[name] == value.numpy()).all() for name, value in network.state_dict().items())
    assert js.interop.from_paper(state, "cifar10").name == "cifar_resnet20"
    assert js.interop.papers.cifar_resnet20(network.state_dict(), "cifar10").name == "cifar_resnet20"
    assert next(iter(state)).endswith("conv1.weight") and len(cifar_resnet.shapes(3, 10)) == len(state)


def test_files_that_hold_objects_or_are_damaged(tmp_path):
    network = torch_networks.lenet()
    torch.save(network, tmp_path / "module.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    content = tmp_path / "whole.pth"
    torch.save(network.state_dict(), content)
    (tmp_path / "half.pth").write_bytes(content.read_bytes()[:10_000])
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("module.pth", "text.pth", "half.pth", "list.pth"):
        with pytest.raises(ValueError, match=f"path must be a checkpoint.*{name}"):
            js.interop.from_paper(tmp_path / name)
    half = {name: value.half() for name, value in network.state_dict().items()}
    torch.save({name: value.bfloat16() for name, value in half.items()}, tmp_path / "low.pth")
    assert js.interop.from_paper(half).params["conv1.weight"].dtype == np.float32
    assert js.interop.torch_state(tmp_path / "low.pth")["1.fc2.bias"].dtype == np.float32


@pytest.mark.parametrize("name", ["lenet", pytest.param("resnet20", marks=pytest.mark.slow)])
def test_a_module_is_a_classifier(name):
    module = torch_networks.lenet() if name == "lenet" else torch_networks.cifar_resnet(20)
    shape = (1, 28, 28) if name == "lenet" else (3, 32, 32)
    x = images(shape, 8)
    with torch.inference_mode():
        expected = module(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    module.train()
    classify = js.interop.from_torch(module, 10)
    assert not module.training
    np.testing.assert_allclose(classify(x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.jit(classify)(x), expected, rtol=1e-4, atol=1e-5)
    count = lambda **given: np.asarray(js.count_votes(KEY, classify, NOISE, x[:2], 64, **given).counts)
    np.testing.assert_array_equal(count(batch_size=64), count(batch_size=64, mesh=jax.make_mesh((2,), ("draws",))))


def test_the_batch_is_read_where_it_lies():
    """PyTorch sees the memory of JAX: no copy, and channels_last strides."""
    seen = []

    class Module(torch.nn.Module):
        def forward(self, x):
            seen.append((x.shape, x.stride(), x.is_contiguous(memory_format=torch.channels_last)))
            return x.mean((2, 3))

    classify = js.interop.from_torch(Module(), 3)
    jax.jit(classify)(images((3, 8, 8), 4)).block_until_ready()
    assert seen[-1] == ((4, 3, 8, 8), (192, 1, 24, 3), True)
    plain = js.interop.from_torch(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3)), 3, channels_first=False
    )
    assert plain(images((3, 8, 8), 4)).shape == (4, 3)


def test_weights_of_lower_and_of_higher_precision():
    module = torch.nn.Linear(4, 3).bfloat16()
    classify = js.interop.from_torch(module, 3)
    assert classify(np.ones((2, 4), np.float32)).dtype == np.float32
    double = torch.nn.Linear(4, 2).double()
    with torch.no_grad():
        double.weight.zero_()
        double.bias.copy_(torch.tensor([1.0, 1.0 + 1e-10], dtype=torch.float64))
    assert js.interop.from_torch(double, 2)(np.ones((1, 4), np.float32)).argmax() == 1


def test_a_part_in_training_mode_is_refused():
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
    classify = js.interop.from_torch(module.train(), 2)
    assert classify(np.ones((3, 2), np.float32)).shape == (3, 2)
    module[0].train()
    with pytest.raises(ValueError, match="module must be in evaluation mode; it, or its BatchNorm1d was put"):
        classify(np.ones((3, 2), np.float32))


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: js.interop.from_torch(lambda x: x, 3), TypeError, "module must be a torch.nn.Module"),
        (lambda: js.interop.from_torch(torch.nn.Linear(4, 3), 1), ValueError, "num_classes must be at least 2"),
        (
            lambda: js.interop.from_torch(torch.nn.Linear(4, 3), 5)(np.ones((2, 4), np.float32)),
            ValueError,
            "num_classes",
        ),
        (lambda: certified(js.interop.from_torch(torch.nn.LSTM(4, 3), 3)), TypeError, "module must return a tensor"),
        (lambda: certified(torch.nn.Linear(4, 3)), TypeError, r"jaxsmooth.interop.from_torch\(model, num_classes\)"),
        (lambda: certified(trained(js.interop.from_torch(torch.nn.Linear(4, 3), 3))), ValueError, "evaluation mode"),
    ],
)
def test_bad_input(use, error, message):
    with pytest.raises(error, match=message):
        use()


def certified(classify):
    return js.certify(KEY, classify, NOISE, np.ones((2, 4), np.float32), n=200)


def trained(classify):
    classify.fn.module.train()
    return classify


def test_no_warning_of_memory_that_cannot_be_written():
    classify = js.interop.from_torch(torch.nn.Linear(4, 3), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certified(classify)
        jax.jit(functools.partial(jax.vmap(classify)))(np.ones((2, 3, 4), np.float32)).block_until_ready()
