"""How Sphinx builds the documentation: ``sphinx-build -W docs build/docs``."""

import importlib.metadata

project = "jaxsmooth"
author = "The jaxsmooth authors"
project_copyright = author
release = version = importlib.metadata.version("jaxsmooth")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

html_theme = "furo"
html_title = "jaxsmooth"
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Every reference leads somewhere, but for types of other libraries and names that exist for type checkers alone.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(numpy|jax|collections|os|datetime|matplotlib)\..*|Axes|Array|Classify|.*\._T")]

# Signatures in one form: a name a line, types in the signature, defaults as written in the source.
autodoc_member_order = "groupwise"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
