"""The site: it builds without a warning, explains every public name, and reads well in a browser without a network."""

import html.parser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse
import zlib

import pytest

from tests import public_surface

ROOT = pathlib.Path(__file__).parent.parent
pytestmark = pytest.mark.slow
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROGRAMS = "article .highlight-python pre, article .highlight-bash pre, article .highlight-default pre"
WIDTHS = {"desk": 1440, "phone": 390}
# What TeX leaves where it was not turned into a formula.
RAW_TEX = re.compile(r"\\\(|\\\[|\$\$|\\(frac|sigma|Phi|alpha|mathbb|sqrt|text|left|begin)\b")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built documentation; every notebook in it was executed."""
    for package in ("furo", "latex2mathml", "nbclient", "ipykernel", "sphinx_copybutton"):
        pytest.importorskip(package, reason='needs pip install "jaxsmooth[docs]"')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(folder)]
    # Notebooks run as users run them, not with the compiler and the devices of the tests.
    of_tests = ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in of_tests}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    return folder


class Page(html.parser.HTMLParser):
    """Where a page leads, what it can be led to, and its text without code, scripts and formulas."""

    SILENT = ("script", "style", "pre", "code", "math", "title")

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.ids, self.links, self.text, self._inside = set(), [], [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.ids |= {named[key] for key in ("id", "name") if named.get(key)}
        self.links += [named[key] for key in ("href", "src") if named.get(key)]
        if tag in self.SILENT:
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.text.append(data)


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_chapter_is_there(site):
    for page in ("index", "theorem", "choose", "extend", "promises", "install", "sharp_bits", "paper", "api/verbs"):
        assert (site / f"{page}.html").exists()
    for notebook in (ROOT / "docs/notebooks").glob("*.py"):
        assert "execution_count" in (site / f"notebooks/{notebook.stem}.ipynb").read_text()


def test_every_public_name_is_explained(site):
    """Also what is called on an object: ``objectives.AbstractObjective.__call__``."""
    content = (site / "objects.inv").read_bytes()
    listed = zlib.decompress(content.split(b"zlib.\n", 1)[1]).decode()
    explained = {line.split()[0].removeprefix("jaxsmooth.") for line in listed.splitlines()}
    wanted = {re.split(r"[( ]", line)[0] for line in public_surface.lines()} - {"__version__"}
    assert len(wanted) > 300 and "objectives.AbstractObjective.__call__" in wanted
    assert wanted <= explained, sorted(wanted - explained)


def test_no_page_shows_tex(pages):
    raw = {path.name: found[0] for path, page in pages.items() if (found := RAW_TEX.search(" ".join(page.text)))}
    assert raw == {}
    assert RAW_TEX.search(r"the radius \(\sigma\)")


def test_every_link_leads_somewhere(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            if not target.exists() or (
                parts.fragment and target in pages and parts.fragment not in pages[target].ids | {""}
            ):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken, "\n".join(broken)


def test_names_in_the_text_lead_to_what_they_name(site):
    verbs = (site / "api/verbs.html").read_text()
    index = (site / "index.html").read_text()
    assert 'href="api/verbs.html#jaxsmooth.certify"' in index
    assert "https://docs.jax.dev/en/latest/jax.sharding.html#jax.sharding.Mesh" in verbs
    assert verbs.count('class="name reference internal"') > 50


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason='needs pip install "jaxsmooth[docs]"')
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        launched.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_in_a_browser(site, pages, browser, width, scheme):
    """No error on the console, nothing from a network, no sideways scroll; at a desk no program scrolls either."""
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    faults: list[str] = []
    tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on(
        "request",
        lambda request: faults.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
    )
    # What the browser still fetches when it is led to the next page is no fault.
    aborted = lambda request: "ERR_ABORTED" in (request.failure or "")
    tab.on("requestfailed", lambda request: None if aborted(request) else faults.append(f"cannot load {request.url}"))
    found = []
    for path in [path for path in pages if "_modules" not in path.parts]:
        faults.clear()
        tab.goto(path.as_uri())
        wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            faults.append(f"{wide} pixels of sideways scroll")
        if width == "desk" and "code" not in path.parts:
            # What examples print may be wider than they are.
            tab.add_style_tag(content="article pre .go { display: none }")
            scrolls = "e => e.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 60))"
            faults += [f"scrolls: {text}" for text in tab.eval_on_selector_all(PROGRAMS, scrolls)]
        found += [f"{path.relative_to(site)}: {fault}" for fault in faults]
    context.close()
    assert not found, "\n".join(found)
