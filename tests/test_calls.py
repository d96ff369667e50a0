"""Scripts call the library as it is: every call of a public name, and every partial one, fits its signature."""

import ast
import importlib
import inspect
import pathlib

import pytest

import jaxsmooth as js

ROOT = pathlib.Path(__file__).parent.parent
SCRIPTS = sorted(path for folder in ("examples", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))


def imported(tree):
    """What the names of a script mean that it imports from the library."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "jaxsmooth":
                    module = importlib.import_module(alias.name)
                    names[alias.asname or "jaxsmooth"] = module if alias.asname else js
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jaxsmooth":
            module = importlib.import_module(node.module)
            for alias in node.names:
                found = getattr(module, alias.name, None)
                names[alias.asname or alias.name] = found or importlib.import_module(f"{node.module}.{alias.name}")
    return names


def meant(node, names):
    """The object of the library that an expression ``a.b.c`` names, if it is one."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    inside = meant(node.value, names) if isinstance(node, ast.Attribute) else None
    return None if inside is None else getattr(inside, node.attr)


def faults(source):
    """The calls that do not fit, by line."""
    tree = ast.parse(source)
    names, found = imported(tree), []
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function, arguments, partial = meant(node.func, names), node.args, False
        if ast.unparse(node.func) in ("functools.partial", "partial", "jax.tree_util.Partial", "Partial") and arguments:
            function, arguments, partial = meant(arguments[0], names), arguments[1:], True
        if function is None:
            continue
        try:
            signature = inspect.signature(function)
        except ValueError:
            continue
        positional = [None for given in arguments if not isinstance(given, ast.Starred)]
        partial |= len(positional) < len(arguments) or any(given.arg is None for given in node.keywords)
        named = {given.arg: None for given in node.keywords if given.arg is not None}
        try:
            (signature.bind_partial if partial else signature.bind)(*positional, **named)
        except TypeError as error:
            found.append(f"{node.lineno}: {ast.unparse(node.func)}: {error}")
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_calls_fit(script):
    assert faults(script.read_text()) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("functools.partial(jd.classwise_over_sigma, x=test, y=labels, n=9)", "unexpected keyword argument 'y'"),
        ("functools.partial(jd.classwise_over_sigma, vote_key, key=vote_key)", "multiple values for argument 'key'"),
        ("js.certify(classify, noise, x)", "missing a required argument: 'x'"),
        ("js.certify(key, classify, noise, x, 1000)", "too many positional arguments"),
        ("js.noises.ExpInf(0.25, order=2)", "unexpected keyword argument 'order'"),
        ("Fixed(m=3)", "unexpected keyword argument 'm'"),
        ("js.certify(*given, **options, n_max=3)", "unexpected keyword argument 'n_max'"),
    ],
)
def test_what_does_not_fit_is_found(call, said):
    imports = "import jaxsmooth as js", "from jaxsmooth import diagnostics as jd", "from jaxsmooth.designs import Fixed"
    (found,) = faults("\n".join([*imports, call]))
    assert said in found


def test_most_scripts_are_seen():
    called = lambda path: bool(imported(ast.parse(path.read_text())))
    assert len(SCRIPTS) > 30 and sum(map(called, SCRIPTS)) > len(SCRIPTS) // 2
