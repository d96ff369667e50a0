"""Names in the text lead to what they name: ``js.certify``, ``objectives.Ramp``, ``jax.jit``."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.intersphinx import InventoryAdapter

PACKAGE = "jaxsmooth"
# A name with or without a call behind it.
NAME = re.compile(r"([A-Za-z_][\w.]*?)(?:\(.*\))?", re.DOTALL)
# Words that are names as well; without a prefix or a call they are words.
WORDS = {"certificates", "concatenate", "static", "table", "summary", "predict", "read", "merge", "load"}


def known_names(app: Sphinx) -> dict[str, str]:
    """From what a text may say to the full name: by its module, and by itself where that is clear."""
    objects = app.env.get_domain("py").objects  # pyright: ignore[reportAttributeAccessIssue]
    known, by_last = {}, {}
    for full in objects:
        if not full.startswith(PACKAGE + "."):
            continue
        known[full] = known["js" + full.removeprefix(PACKAGE)] = full
        inner = full.removeprefix(PACKAGE + ".")
        if "." in inner:
            known[inner] = full
        if inner.count(".") <= 1 and "_verbs" not in inner:
            by_last.setdefault(full.rpartition(".")[2], set()).add(full)
    # An alias of the package itself comes before one of a module.
    for last, found in by_last.items():
        top = f"{PACKAGE}.{last}"
        if len(found) == 1 or top in found:
            known.setdefault(last, top if top in found else found.pop())
    return known


def parameters_around(node: nodes.Node) -> set[str]:
    """The parameters of the functions in whose description a node stands: there they are no other names."""
    found = set()
    while node is not None:
        if node.__class__.__name__ == "desc":
            for signature in node.children[:1]:
                for parameter in signature.findall(lambda n: n.__class__.__name__ == "desc_parameter"):
                    found.add(parameter.astext().split(":")[0].split("=")[0].strip(" *"))
        node = node.parent
    return found


def link_names(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    objects: Any = app.env.get_domain("py").objects  # pyright: ignore[reportAttributeAccessIssue]
    known = known_names(app)
    elsewhere = {}
    for kind, inventory in InventoryAdapter(app.env).main_inventory.items():
        if kind.startswith("py:"):
            elsewhere |= {name: item.uri for name, item in inventory.items() if "." in name}
    for node in list(doctree.findall(nodes.literal)):
        if isinstance(node.parent, nodes.reference) or node.parent.__class__.__name__ == "pending_xref":
            continue
        match = NAME.fullmatch(node.astext())
        if match is None:
            continue
        name, called = match[1], match[1] != node.astext()
        if name in WORDS and not called:
            continue
        if name in known and not ("." not in name and not called and name in parameters_around(node)):
            entry = objects[known[name]]
            uri = app.builder.get_relative_uri(docname, entry.docname) + "#" + entry.node_id
            if entry.docname == docname and entry.node_id in _ids_around(node):
                continue  # of the thing itself
            link = nodes.reference("", "", internal=True, refuri=uri, reftitle=known[name], classes=["name"])
        elif name in elsewhere:
            link = nodes.reference("", "", internal=False, refuri=elsewhere[name], reftitle=name, classes=["name"])
        else:
            continue
        node.replace_self(link)
        link += node


def _ids_around(node: nodes.Node) -> set[str]:
    found = set()
    while node is not None:
        if node.__class__.__name__ == "desc" and node.children:
            found |= set(node.children[0].get("ids", ()))
        node = node.parent
    return found


def mend_sources(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """The links back from a source to its documentation, which know nothing of what is exported elsewhere."""
    if not pagename.startswith("_modules/") or "body" not in context:
        return
    entries: Any = app.env.get_domain("py").objects.values()  # pyright: ignore[reportAttributeAccessIssue]
    explained: dict[str, set[str]] = {}
    for entry in entries:
        explained.setdefault(entry.docname, set()).add(entry.node_id)

    def mended(match: re.Match[str]) -> str:
        page, name = match[1].removesuffix(".html").lstrip("./"), match[2]
        ids = explained.get(page, set())
        if name in ids:
            return match[0]
        kept = name.removeprefix(PACKAGE + ".").split(".")
        for start in range(len(kept)):
            found = [known for known in ids if known.endswith("." + ".".join(kept[start:]))]
            if found:
                return match[0].replace("#" + name, "#" + min(found, key=len))
        return ""

    back = re.compile(r'<a class="viewcode-back" href="([^"#]*)#([^"]*)">.*?</a>')
    context["body"] = back.sub(mended, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", link_names)
    app.connect("html-page-context", mend_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
