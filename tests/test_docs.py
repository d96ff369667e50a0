"""The documentation names what exists, and its reference leaves nothing out; ``test_site`` builds it."""

import inspect
import pathlib
import re

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


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_links_lead_to_headings(page):
    """Anchors are what headings are called, wherever pages are read; those of the gallery are made with the site."""
    for file, anchor in re.findall(r"\]\(((?:[\w/.]+\.md)?)#([\w-]+)\)", page.read_text()):
        headings = re.findall(r"^#+ (.*)$", (page.parent / file if file else page).read_text(), re.MULTILINE)
        slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert anchor in slugs or file == "gallery.md", (file, anchor)


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.stem)
def test_programs_fit_the_page(page):
    """At most 88 columns, which the site shows without a scroll bar."""
    inside = ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = "" if inside else line
        elif inside and not inside.startswith("```{"):
            assert len(line) <= 88, f"line {number}: {len(line)} columns"


def test_every_example_has_its_line_and_its_picture():
    """Scripts that are run have a command and a picture; parts of others are named."""
    gallery = (ROOT / "examples/README.md").read_text()
    for script in ROOT.glob("examples/*.py"):
        run = re.search(rf"`python examples/{script.name}[^`]*`(.*?)(?=`python examples/|\Z)", gallery, re.DOTALL)
        if "__main__" in script.read_text():
            assert run and "](../docs/images/" in run.group(1), script.name
        else:
            assert f"`{script.name}`" in gallery, script.name
