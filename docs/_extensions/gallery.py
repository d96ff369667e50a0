"""The gallery: a card for each picture of ``examples/README.md``, which leads to the code of the example.

``{gallery}`` in a page makes the cards. Each example becomes a page of its own, ``code/NAME.html``, beside its file.
"""

import html
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = pathlib.Path(__file__).parent.parent.parent
CARD = re.compile(r"`python (examples/(\w+)\.py)[^`]*`(?P<text>.*?)!\[(?P<alt>[^]]*)\]\((?P<image>[^)]+)\)", re.DOTALL)


def cards() -> Iterator[tuple[str, str, str]]:
    """Heading or empty, and for cards the script and the picture, in the order of the page."""
    text = (ROOT / "examples/README.md").read_text()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        yield "heading", title, body
        position = 0
        for match in re.finditer(r"!\[(?P<alt>[^]]*)\]\((?P<image>[^)]+)\)", body):
            words = body[position : match.start()].strip()
            position = match.end()
            yield words, match["alt"], match["image"]


class Gallery(SphinxDirective):
    """Cards in a grid, by the headings of the page."""

    def run(self) -> list[nodes.Node]:
        made: list[str] = []
        script = ""
        for words, alt, image in cards():
            if words == "heading":
                made += [f"## {alt}", ""]
                if "](../docs/images/" not in image:
                    made += [_relative(image.strip()), ""]
                continue
            if found := re.search(r"`python examples/(\w+)\.py", words):
                script = found[1]
            picture = image.removeprefix("../docs/")
            made += [
                ":::{container} card",
                f"```{{image}} {picture}",
                f":alt: {alt}",
                f":target: code/{script}.html",
                "```",
                "",
                _relative(words),
                "",
                f'<a href="code/{script}.html">The code of {script}.py</a>',
                ":::",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(made), allow_section_headings=True)


def _relative(text: str) -> str:
    return text.replace("](../docs/", "](")


def code_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page with the code of each example."""
    folder = pathlib.Path(app.outdir, "code")
    folder.mkdir(exist_ok=True)
    for path in sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("examples/reproduce/*.py")]):
        source = path.read_text()
        (folder / path.name).write_text(source)
        code = app.builder.highlighter.highlight_block(source, "python")  # pyright: ignore[reportAttributeAccessIssue]
        words = html.escape(source.split('"""')[1].partition("\n")[0])
        body = (
            f"<section><h1>{path.name}</h1><p>{words}</p>"
            f'<p><a href="{path.name}" download>Download</a> · <a href="../gallery.html">All examples</a></p>'
            f"{code}</section>"
        )
        yield f"code/{path.stem}", {"title": path.name, "body": body, "parents": []}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("gallery", Gallery)
    app.connect("html-collect-pages", code_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
