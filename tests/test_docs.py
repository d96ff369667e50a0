"""The documentation builds without a warning, and its reference leaves nothing out."""

import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import jaxsmooth as js

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = pathlib.Path(js.__file__).parent  # elsewhere, where it is installed
README = (ROOT / "README.md").read_text()
REFERENCE = "\n".join(page.read_text() for page in sorted(ROOT.glob("docs/api/*.md")))
PAGES = [*sorted(ROOT.glob("docs/*.md")), *(ROOT / name for name in ("examples/README.md", "CONTRIBUTING.md"))]


def test_the_reference_covers_the_public_surface():
    """Every verb and type by name, every namespace as a whole."""
    listed = set(re.findall(r"auto(?:function|class|data|module):: jaxsmooth\.(\w+)$", REFERENCE, re.MULTILINE))
    exported = set(re.findall(r" as (\w+)$", (PACKAGE / "__init__.py").read_text(), re.MULTILINE))
    assert listed == exported - {"__version__"}
    namespaces = {name for name in exported if inspect.ismodule(getattr(js, name))}
    assert len(namespaces) > 5


def test_every_page_is_reached_and_every_picture_is_shown():
    pages = {page.stem for page in ROOT.glob("docs/*.md")}
    index = (ROOT / "docs/index.md").read_text()
    reached = set(re.findall(r"^(\w+)$", index, re.MULTILINE)) | {"index"}
    assert pages <= reached, pages - reached
    texts = [index, README, (ROOT / "examples/README.md").read_text(), *(p.read_text() for p in ROOT.glob("docs/*.md"))]
    for picture in ROOT.glob("docs/images/*"):
        assert picture.suffix == ".png" and picture.stat().st_size < 100_000, picture
        assert any(f"images/{picture.name})" in text for text in texts), picture


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_exists(page):
    text = page.read_text()
    for path in set(re.findall(r"\bjs\.([a-zA-Z_][a-zA-Z_0-9.]*[a-zA-Z0-9])", text)):
        value = js
        for name in path.split("."):
            value = getattr(value, name)
    for file in re.findall(r"`((?:tests|examples|benchmarks|docs|jaxsmooth)/[\w/.]+)`", text):
        root = PACKAGE.parent if file.startswith("jaxsmooth/") else ROOT
        assert (root / file).exists() or "NAME" in file, file
    for file in re.findall(r"`python ((?:examples|benchmarks|docs)/\w+\.py)", text):
        assert (ROOT / file).exists(), file


def test_every_example_has_its_line_and_its_picture():
    """Scripts that are run have a command and a picture; parts of others are named."""
    gallery = (ROOT / "examples/README.md").read_text()
    for script in ROOT.glob("examples/*.py"):
        run = re.search(rf"`python examples/{script.name}[^`]*`(.*?)(?=`python examples/|\Z)", gallery, re.DOTALL)
        if "__main__" in script.read_text():
            assert run and "](../docs/images/" in run.group(1), script.name
        else:
            assert f"`{script.name}`" in gallery, script.name


@pytest.mark.slow
def test_the_docs_build_without_warnings(tmp_path):
    pytest.importorskip("furo")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for page in ("index", "theorem", "choose", "extend", "promises", "api/verbs", "api/noises"):
        assert (tmp_path / f"{page}.html").exists()
    assert "certify_curve" in (tmp_path / "api/verbs.html").read_text()
