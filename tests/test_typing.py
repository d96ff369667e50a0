"""What a type checker in its strict mode says of a user's script: nothing of what is right, an error of what is not."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import jaxsmooth as js

PACKAGE = pathlib.Path(js.__file__).parent.parent
SCRIPT = """
import jax
import jax.numpy as jnp
import numpy as np
import jaxsmooth as js

key = jax.random.key(0)
images = np.zeros((4, 8, 8, 1), np.float32)
labels = [0, 1, 2, 3]
noise = js.noises.Gaussian(0.25)
others = [js.noises.ExpInf(0.25), js.noises.Exp2(0.25, k=2.0), js.noises.Pareto(0.25), js.noises.PowInf(0.25)]


def classify(batch: jax.Array) -> jax.Array:
    return batch.reshape(len(batch), -1)


class Network:
    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, batch: jax.Array) -> jax.Array:
        return jnp.zeros((len(batch), self.width))


certificates = js.certify(key, classify, noise, images, n=1000)
again = js.certify(key, Network(3), noise, jnp.zeros((2, 4)), norm=np.inf)
nested = js.predict(key, classify, js.noises.InputDependentGaussian(js.scales.Constant(0.5)), [[0.0, 1.0], [1.0, 0.0]])
curve = js.certify_curve(key, classify, noise, images, [0, 0.25], labels=labels)
accuracy = js.analysis.certified_accuracy(certificates, labels, np.linspace(0, 1, 5))
radius = js.certified_radius(noise, 0.9) + js.certified_radius(noise, [0.9, 0.99])
label: np.ndarray = certificates.label

js.certify(key, classify, 0.25, images)  # error: a number for a noise
js.certify(key, classify, js.noises.Gaussian, images)  # error: a class for an instance
js.certify(key, classify, noise, "x")  # error: text for images
js.certify(key, Network, noise, images)  # error: a class for a classifier
js.certify(key, 3, noise, images)  # error: a number for a classifier
js.certify(key, classify, noise, images, runner_up="both")  # error: a choice that does not exist
js.certify(key, classify, noise, images, 1000)  # error: a choice without its name
js.certify_curve(key, classify, noise, images, "0.25")  # error: text for radii
js.certify_stream(key, classify, noise, [images], js.designs.Fixed)  # error: a class for a design
js.analysis.summary(certificates.radius, labels, [0.0])  # error: radii for certificates
js.certified_radius(0.25, 0.9)  # error: a number for a noise
"""
WRONG = {number for number, line in enumerate(SCRIPT.splitlines(), 1) if "# error" in line}


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.slow
def test_strict_pyright(script):
    pyright = shutil.which("pyright", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("no pyright on this machine")
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(PACKAGE)], "reportUnknownMemberType": False}
    (script.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [pyright, "--outputjson", "--pythonpath", sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=script.parent)
    found = json.loads(done.stdout)["generalDiagnostics"]
    messages = {
        entry["range"]["start"]["line"] + 1: entry["message"] for entry in found if entry["severity"] == "error"
    }
    assert messages.keys() == WRONG, messages


@pytest.mark.slow
def test_strict_mypy(script):
    pytest.importorskip("mypy")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--follow-imports",
        "silent",
        str(script),
    ]
    environment = os.environ | {"MYPYPATH": str(PACKAGE)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=script.parent, env=environment)
    messages = {int(line): text for line, text in re.findall(r"script\.py:(\d+): error: (.*)", done.stdout)}
    assert messages.keys() == WRONG, done.stdout + done.stderr
