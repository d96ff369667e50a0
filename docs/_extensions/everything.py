"""``{everything}``: a table of every public name and the first line of its documentation, by module."""

import inspect
import types

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import jaxsmooth

VERBS = "jaxsmooth itself"


def public() -> dict[str, dict[str, object]]:
    """Names by module, in the order of the package's ``__all__``."""
    found: dict[str, dict[str, object]] = {VERBS: {}}
    for name in jaxsmooth.__all__:
        value = getattr(jaxsmooth, name)
        if isinstance(value, types.ModuleType):
            own = [inner for inner in vars(value) if not inner.startswith("_")]
            named = {inner: getattr(value, inner) for inner in own if not inspect.ismodule(getattr(value, inner))}
            if name == "ledger":
                named = {inner: named[inner] for inner in ("read", "merge", "Ledger")}
            found[name] = named
        elif name != "__version__":
            found[VERBS][name] = value
    return found


def first_line(value: object) -> str:
    if not callable(value):
        return f"the number {value}"
    line = (inspect.getdoc(value) or "").partition("\n")[0]
    return line.replace("|", r"\|").replace("``", "`")


class Everything(SphinxDirective):
    """One table for each module."""

    def run(self) -> list[nodes.Node]:
        made: list[str] = []
        for module, names in public().items():
            prefix, page = ("js", "verbs") if module == VERBS else (f"js.{module}", module)
            made += [f"## [{prefix}]({page}.md)", "", "| name | |", "|---|---|"]
            made += [f"| `{prefix}.{name}` | {first_line(value)} |" for name, value in names.items()]
            made.append("")
        return self.parse_text_to_nodes("\n".join(made), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("everything", Everything)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
