"""Every example and benchmark runs in its quick mode and prints what to look at."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jaxsmooth as js
from tests.conftest import FLAGS

ROOT = pathlib.Path(__file__).parent.parent


def run(*command, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": FLAGS, **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow  # CI runs it whole
def test_quickstart(tmp_path):
    out = run("examples/quickstart.py", "--quick", "--output", str(tmp_path))
    assert "average certified radius" in out and "abstention rate" in out
    assert len((tmp_path / "quickstart.tsv").read_text().splitlines()) == 51
    assert (tmp_path / "quickstart.png").stat().st_size > 10_000


@pytest.mark.slow
def test_floating_point(tmp_path):
    out = run("examples/floating_point.py", "--quick", "--output", str(tmp_path))
    verdicts = [line.split()[-1] for line in out.splitlines()[1:3]]
    assert verdicts == ["broken", "holds"] and (tmp_path / "floating_point.png").stat().st_size > 10_000


@pytest.mark.slow
def test_quickstart_on_the_lattice(tmp_path):
    out = run("examples/quickstart.py", "--quick", "--lattice", "--output", str(tmp_path))
    assert "average certified radius" in out


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [("segmentation", "mean IoU"), ("regression", "certified error")])
def test_more_than_one_label(tmp_path, name, words):
    out = run(f"examples/{name}.py", "--quick", "--output", str(tmp_path))
    assert words in out and (tmp_path / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
def test_compare_noises(tmp_path):
    out = run("examples/compare_noises.py", "--quick", "--output", str(tmp_path))
    assert "rule at p=0.9" in out and "certified accuracy (%) at l1 radius" in out
    assert len(list(tmp_path.glob("*.png"))) == 2


@pytest.mark.slow
def test_curve_on_digits():
    out = run("benchmarks/curve_on_digits.py", "--quick")
    assert "of the bare forward" in out and "fewer samples" in out


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "lenet", "forest"])
def test_throughput(network):
    out = run("benchmarks/throughput.py", "--quick", "--no-torch", "--network", network)
    assert "plain/this" in out


@pytest.mark.slow
def test_convolutions():
    assert "all, matmul" in run("benchmarks/convolutions.py", "--quick")


@pytest.mark.slow
def test_convolution_gradients():
    """Ours and XLA's gradients of both networks agree."""
    out = run("benchmarks/convolution_gradients.py", "--quick")
    apart = [float(line.rpartition(" ")[2]) for line in out.splitlines() if "apart by" in line]
    assert len(apart) == 2 and max(apart) < 1e-4


@pytest.mark.slow
def test_between_versions():
    out = run("benchmarks/between_versions.py", str(ROOT), "--rounds=1", "--seconds=.02", "--networks", "linear", "mlp")
    assert "\nmlp" in out and "certify_curve, 64 images" in out


@pytest.mark.slow
def test_accelerator(tmp_path):
    """On a CPU with tiny networks: every part runs, and what it writes can be read."""
    out = run("benchmarks/accelerator.py", "--quick", "--output", str(tmp_path / "one"))
    found = json.loads((tmp_path / "one.json").read_text())
    assert "errors" not in found, found["errors"]
    assert found["checks"]["passed"] and found["equal"]["Gaussian"]["radii equal"] == 64
    assert found["curve"][0]["samples"] > 0 and "| tiny | bfloat16 |" in (tmp_path / "one.md").read_text() in out


@pytest.mark.slow
def test_scaling():
    out = run("benchmarks/scaling.py", "--quick", "--virtual", "2")
    assert out.splitlines()[-1].endswith("none") and "efficiency" in out  # votes are summed on the host


@pytest.mark.slow
def test_hidden_cost(tmp_path):
    out = run("examples/hidden_cost.py", "--quick", "--output", str(tmp_path))
    assert "the lowest class loses" in out and "origins lost" in out and "mean certified radius" in out
    assert len(list(tmp_path.glob("*.png"))) == 5


@pytest.mark.slow
def test_noise_augmentation(tmp_path):
    out = run("examples/noise_augmentation.py", "--quick", "--output", str(tmp_path))
    assert "noise that closes the gap" in out and "McNemar p by seed" in out and "largest gap within a class" in out
    assert len(list(tmp_path.glob("*.png"))) == 3


@pytest.mark.slow
def test_dense_outputs():
    out = run("benchmarks/dense_outputs.py", "--quick")
    assert "outside the network" in out and "peak memory at n = 140" in out


def test_pairwise_distances():
    out = run("benchmarks/pairwise_distances.py", "--quick")
    assert "memory grew by" in out and "largest relative error" in out


def test_certify_a_checkpoint(tmp_path):
    out = run("examples/certify.py", "--quick", "--output", str(tmp_path / "log.tsv"))
    assert "average certified radius" in out and len((tmp_path / "log.tsv").read_text().splitlines()) == 6


def test_every_twentieth_image_is_that_of_the_publishers(monkeypatch):
    """Who store them in another order than TFDS; where images have no identifier, they are as they come."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    order = importlib.import_module("certify").published_order
    records = [{"id": f"test_{number:05d}".encode()} for number in (3, 0, 2, 1)]
    monkeypatch.setattr(js.datasets, "source", lambda *args, **options: records)
    assert order("cifar10", "test", None).tolist() == [1, 3, 2, 0]
    monkeypatch.setattr(js.datasets, "source", lambda *args, **options: [{}, {}])
    assert order("mnist", "test", None).tolist() == [0, 1]


@pytest.mark.slow
def test_denoised(tmp_path):
    out = run("examples/denoised.py", "--quick", "--output", str(tmp_path))
    assert "the same, denoised" in out and len(list(tmp_path.glob("*.png"))) == 1


@pytest.mark.slow
def test_frameworks():
    pytest.importorskip("torch")
    assert "imported" in run("benchmarks/frameworks.py", "--quick")


def test_each_script_says_how_to_run_it():
    scripts = [*ROOT.glob("examples/*.py"), *ROOT.glob("benchmarks/*.py")]
    assert scripts
    for script in scripts:
        text = script.read_text()
        if "__main__" in text:
            assert f"python {script.relative_to(ROOT)}" in text.split('"""')[1], script
