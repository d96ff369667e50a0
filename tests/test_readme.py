"""The README's programs run, and importing the library stays light."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_twelve_lines_and_the_noise_of_ones_own_run(capsys):
    twelve_lines = next(program for program in PROGRAMS if "js.datasets.load" in program)
    assert len([line for line in twelve_lines.splitlines() if line.strip()]) <= 12
    names: dict = {}
    exec(twelve_lines, names)
    assert "certified accuracy" in capsys.readouterr().out
    own_noise = next(program for program in PROGRAMS if "AbstractNoise" in program)
    exec(own_noise, names)
    js, noise = names["js"], names["MyGaussian"](0.25)
    assert js.certified_radius(noise, 0.9) == pytest.approx(js.certified_radius(js.noises.Gaussian(0.25), 0.9))
    assert len(js.certify(names["jax"].random.key(0), names["classify"], noise, names["images"], n=200)) == 20


def test_the_programs_of_the_docs_run(capsys):
    for page in sorted(ROOT.glob("docs/*.md")):
        for program in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            exec(program, {})
    assert "[1.2113" in capsys.readouterr().out


def test_every_name_in_the_readme_exists():
    import jaxsmooth as js

    for path in set(re.findall(r"\bjs\.([a-zA-Z_.]+[a-zA-Z])", README)):
        value = js
        for name in path.split("."):
            value = getattr(value, name)


def test_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 150
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_import_needs_only_run_time_dependencies():
    heavy = ["flax", "optax", "tensorflow_datasets", "matplotlib", "sklearn", "tqdm", "grain", "PIL", "chex"]
    code = f"import sys, jaxsmooth; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
