"""The README's programs run, and importing the library stays light."""

import contextlib
import io
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
# What follows the three backticks, and the text: ``python`` is run, ``python skip`` and anything else is not.
FENCE = re.compile(r"^```([^\n`]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
# Programs that need a package: ``python NAME``, run with the first program of the page where NAME is installed.
OPTIONAL = [
    (page, package)
    for page in sorted(ROOT.glob("docs/*.md"))
    for package in dict.fromkeys(re.findall(r"^```python (\w+)\n", page.read_text(), re.MULTILINE))
    if package != "skip"
]
PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if "```python\n" in page.read_text()]
# By default the shortest of the first steps; CI runs all.
FIRST = ("choose", "theorem", "noises")


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


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.stem, marks=() if page.stem in FIRST else pytest.mark.slow) for page in PAGES],
)
def test_the_programs_of_the_docs_run(page, tmp_path, monkeypatch):
    """The blocks of a page share their names; an ``output`` fence below a block is what the block prints."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    printed = None
    for language, text in FENCE.findall(page.read_text()):
        if language == "python":
            printed = output_of(text, names)
        elif language.startswith("python "):
            printed = None  # what follows is compared where the package is installed
        elif language == "output" and printed is not None:
            check_output(printed, text)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "package"), OPTIONAL, ids=[f"{page.stem}-{package}" for page, package in OPTIONAL])
def test_the_programs_of_the_docs_that_need_a_package_run(page, package, tmp_path, monkeypatch):
    pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    fences = FENCE.findall(page.read_text())
    output_of(next(text for language, text in fences if language == "python"), names)
    printed = None
    for language, text in fences:
        if language.startswith("python"):
            printed = output_of(text, names) if language == f"python {package}" else None
        elif language == "output" and printed is not None:
            check_output(printed, text)


def test_output_follows_a_program():
    for page in ROOT.glob("docs/*.md"):
        languages = [language.partition(" ")[0] for language, _ in FENCE.findall(page.read_text())]
        for before, language in zip(["", *languages], languages, strict=False):
            assert language != "output" or before == "python", f"{page}: an output fence must follow a program"


def output_of(program, names):
    with contextlib.redirect_stdout(io.StringIO()) as captured:
        exec(program, names)
    return captured.getvalue()


def check_output(printed, text):
    words, numbers = NUMBER.sub("#", printed).split(), [float(n) for n in NUMBER.findall(printed)]
    assert words == NUMBER.sub("#", text).split(), printed
    # Votes may differ by a few where another processor rounds a score differently.
    assert numbers == pytest.approx([float(n) for n in NUMBER.findall(text)], rel=0.01, abs=0.006), printed


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


def test_on_a_package_index_every_link_leads_to_the_repository():
    """The substitutions that the build makes of the README; what is linked there is in the repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    page = README
    for change in hook["substitutions"]:
        page = re.sub(change["pattern"], change["replacement"], page)
    targets = re.findall(r"\]\(([^)]+)\)", page)
    repository = project["project"]["urls"]["Repository"]
    raw = repository.replace("github.com", "raw.githubusercontent.com")
    assert len(targets) > 10 and all(t.startswith((f"{repository}/blob/main/", f"{raw}/main/")) for t in targets)
    assert f"({raw}/main/docs/images/quickstart.png)" in page


def test_import_needs_only_run_time_dependencies():
    heavy = ["flax", "optax", "tensorflow_datasets", "matplotlib", "sklearn", "tqdm", "grain", "PIL", "chex"]
    code = f"import sys, jaxsmooth; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
