"""How Sphinx builds the documentation: ``sphinx-build -W docs build/docs``. It needs no network."""

import pathlib
import re
import sys
import tempfile
import tomllib

DOCS = pathlib.Path(__file__).parent
sys.path[:0] = [str(DOCS / "_extensions"), str(DOCS.parent)]

import inventories  # noqa: E402

import jaxsmooth  # noqa: E402

PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Repository"]

project = "jaxsmooth"
author = "The jaxsmooth authors"
project_copyright = author
release = version = jaxsmooth.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "mathml",
    "names",
    "everything",
    "gallery",
    "notebook",
]
exclude_patterns = ["_build", "_extensions"]
source_suffix = {".md": "markdown"}

html_theme = "furo"
html_title = f"jaxsmooth {version}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "footer_icons": [{"name": "Repository", "url": REPOSITORY, "html": "Repository", "class": "repository"}],
}
pygments_style = "friendly"
pygments_dark_style = "native"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Of a session at a prompt the input alone, without ">>> ".
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

intersphinx_mapping = inventories.mapping(DOCS / "inventories.txt", pathlib.Path(tempfile.mkdtemp()))

# Every reference leads somewhere, but for types of other libraries and names that exist for type checkers alone.
nitpicky = True
ELSEWHERE = r"(numpy|jax|collections|os|datetime|matplotlib)\..*"
INSIDE = r"Axes|Array|ArrayLike|Classify|int64|.*\._(T|Kind)|jaxsmooth\.\w+\.\w+\.\w+"  # of modules that nobody imports
nitpick_ignore_regex = [("py:.*", f"{ELSEWHERE}|{INSIDE}")]


def setup(app):
    """Types of many parts by their names."""
    from sphinx.util.typing import stringify_annotation

    from jaxsmooth._types import ArrayLike, Classify

    names = {
        stringify_annotation(kind, "smart"): name for kind, name in ((ArrayLike, "ArrayLike"), (Classify, "Classify"))
    }

    def by_name(app, what, name, value, options, signature, returned):
        for text, name in names.items():
            signature = signature and signature.replace(text, name)
            returned = returned and returned.replace(text, name)
        return signature, returned

    app.connect("autodoc-process-signature", by_name)

    # Napoleon takes what stands before a colon for a type; of properties it is mostly a sentence.
    sentences: dict[str, list[str]] = {}

    def keep(app, what, name, value, options, lines):
        if what == "property" and lines and not re.match(r"(int|float|bool|str)\d*\b", lines[0]):
            sentences[name] = list(lines)

    def restore(app, what, name, value, options, lines):
        if name in sentences:
            lines[:] = sentences.pop(name)

    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)


# Signatures in one form: a name a line, types in the signature, defaults as written in the source.
autodoc_member_order = "groupwise"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 60
toc_object_entries_show_parents = "hide"
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
