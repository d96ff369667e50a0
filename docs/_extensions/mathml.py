"""Formulas as MathML, made when the site is built: they need neither a network nor a script to be read."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def mathml(latex: str, display: str) -> str:
    """MathML of a formula; several lines are aligned as in ``aligned``."""
    latex = latex.strip().replace(r"\arg\max", r"\mathrm{arg\,max}")
    if re.search(r"\\\\", latex) and r"\begin" not in latex:
        latex = rf"\begin{{aligned}} {latex} \end{{aligned}}"
    made = convert(latex, display=display)
    made = made.replace("<mi>&#x0007E;</mi>", "<mo>&#x223C;</mo>")
    if unknown := re.search(r">\\[A-Za-z]+<", made):
        raise ValueError(f"the formula {latex} has {unknown[0][1:-1]}, which latex2mathml does not know")
    return made


def visit_inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(writer: HTML5Translator, node: nodes.math_block) -> None:
    formulas = [part for part in node.astext().split("\n\n") if part.strip()]
    made = "".join(mathml(formula, "block") for formula in formulas)
    writer.body.append(f'<div class="formula">{made}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
