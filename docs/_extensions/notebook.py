"""Notebooks from the scripts ``docs/notebooks/NAME.py``: executed when the site is built, shown, and offered.

    python docs/_extensions/notebook.py docs/notebooks/first_certificate.py first_certificate.ipynb

``# %%`` begins a cell of code and ``# %% [markdown]`` one of text.
"""

import hashlib
import pathlib
import re
import sys
from typing import Any

import nbformat
from sphinx.application import Sphinx

import jaxsmooth

CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
# Figures for screens of twice the density, on no background.
BEFORE = """
import logging, warnings
logging.disable(logging.WARNING)
try:
    import matplotlib
    matplotlib.rcParams.update({"figure.dpi": 100})
    %config InlineBackend.figure_formats = ["retina"]
except ImportError:
    pass
"""


def cells(script: str) -> list[Any]:
    """The cells of a script, without outputs."""
    _, *parts = CELL.split(script)
    found = []
    for kind, text in zip(parts[::2], parts[1::2], strict=True):
        if "markdown" in kind:
            words = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines())
            found.append(nbformat.v4.new_markdown_cell(words))
        else:
            found.append(nbformat.v4.new_code_cell(text.strip()))
    for number, cell in enumerate(found):
        cell["id"] = f"cell-{number}"
    return found


def executed(path: pathlib.Path) -> Any:
    """The notebook of a script, executed in a process of its own; an exception in a cell is an error."""
    from nbclient import NotebookClient

    before = nbformat.v4.new_code_cell(BEFORE)
    notebook = nbformat.v4.new_notebook(cells=[before, *cells(path.read_text())])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    notebook.cells = notebook.cells[1:]
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count = number + 1
        cell.metadata.clear()
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = number + 1
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Outputs with what was printed in one piece; it arrives in several."""
    made: list[Any] = []
    for output in outputs:
        before = made[-1] if made else {}
        if output.output_type == "stream" and before.get("output_type") == "stream" and before.name == output.name:
            before.text += output.text
        else:
            made.append(output)
    return made


def page(notebook: Any, name: str) -> str:
    """The notebook as a page of MyST Markdown."""
    made = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            made.append(cell.source)
            continue
        made.append(f"```python\n{cell.source}\n```")
        made += [shown for output in cell.outputs if (shown := _shown(output))]
    title, _, rest = "\n\n".join(made).partition("\n\n")
    download = f'<p class="download"><a href="{name}.ipynb" download>Download this notebook</a></p>'
    return f"{title}\n\n```{{raw}} html\n{download}\n```\n\n{rest}\n"


def _shown(output: Any) -> str:
    if output.output_type == "stream":
        return "" if output.name == "stderr" else f"```output\n{output.text.rstrip()}\n```"
    data = output.get("data", {})
    if "image/png" in data:
        size = output.get("metadata", {}).get("image/png", {})
        width = f' width="{size["width"]}"' if "width" in size else ""
        picture = f'<img class="figure" alt="figure"{width} src="data:image/png;base64,{data["image/png"].strip()}">'
        return f"```{{raw}} html\n{picture}\n```"
    if "text/html" in data:
        return f'```{{raw}} html\n<div class="shown">{data["text/html"]}</div>\n```'
    return f"```output\n{data['text/plain']}\n```" if "text/plain" in data else ""


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill the page of a notebook, which has but a heading for its place in the contents."""
    path = pathlib.Path(app.srcdir, docname + ".py")
    if path.parent.name != "notebooks" or not path.exists():
        return
    # What was executed stays as long as neither the script nor the library changes.
    sources = [path, *sorted(pathlib.Path(jaxsmooth.__file__).parent.rglob("*.py"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    kept = pathlib.Path(app.doctreedir, f"{path.stem}-{digest}.ipynb")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(executed(path), kept)
    notebook = nbformat.read(kept, as_version=4)
    target = pathlib.Path(app.outdir, docname + ".ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    source[0] = page(notebook, path.stem)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    nbformat.write(executed(pathlib.Path(sys.argv[1])), sys.argv[2])
