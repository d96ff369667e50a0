"""The floors of the package: data flows one way, and imports point down. Read from the sources, nothing is run."""

import ast
import inspect
import pydoc
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import jaxsmooth
from tests.public_surface import functions

PACKAGE = Path(jaxsmooth.__file__).parent

# From the ground up. A module imports its own package and floors below; what shares a floor does not know each other.
FLOORS = (
    {"_printed", "_replace_files", "_failures", "_warn", "_code", "_same"},
    {"_pytree", "_referred", "_version", "_progress", "_processes", "_transfers", "_keys"},
    {"_counters"},
    {"_program", "_types", "_storage"},
    {"_noise", "_classifier"},
    {"_check", "_certificates"},
    {"ledger", "bounds", "losses", "scales", "datasets", "interop"},  # each alone on the ground
    {"sampling", "radii"},  # votes, and what they prove: the two sides of the narrow waist
    {"noises"},  # may import radii, to register rules
    {"designs", "objectives", "analysis", "denoisers"},
    {"_verbs"},  # the one driver: the only room that knows every part
    {"diagnostics"},
    {"_command"},
    {"__main__"},  # the command
)  # fmt: skip
OPTIONAL = {
    "flax", "optax", "matplotlib", "tqdm", "tensorflow_datasets", "grain", "sklearn", "orbax", "PIL", "array_record",
    "torch", "safetensors", "keras", "equinox", "haiku",
}  # fmt: skip
LINES = 400
POSITIONAL = 5
MOST_ANY = 0.08  # of annotated arguments: what a library cannot say about pytrees and what users pass to be checked
# The arguments of a formula or of an experiment, in the order in which the literature's programs are called.
MORE_POSITIONAL = {
    "diagnostics.classwise_over_sigma": 6,
    "diagnostics.region_shrinkage": 6,
    "diagnostics.sigma_grid": 6,
}


class Import(NamedTuple):
    source: str  # the importing module
    target: str  # the imported one, or a package outside
    deferred: bool  # inside a function, or for type checkers only


def module_names(root: Path) -> dict[str, Path]:
    names = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports_of(module: str, tree: ast.Module, modules: Mapping[str, object]) -> Iterator[Import]:
    def visit(node: ast.AST, deferred: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            later = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            later |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if isinstance(child, ast.Import):
                yield from (Import(module, name.name, deferred) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0 and child.module, f"{module}, line {child.lineno}: a relative import"
                for name in child.names:
                    inside = f"{child.module}.{name.name}"
                    yield Import(module, inside if inside in modules else child.module, deferred)
            yield from visit(child, later)

    return visit(tree, False)


def all_imports(root: Path = PACKAGE) -> list[Import]:
    modules = module_names(root)
    return [
        edge for module, path in modules.items() for edge in imports_of(module, ast.parse(path.read_text()), modules)
    ]


def area(module: str) -> str:
    """``jaxsmooth.radii.table`` is in ``radii``; the package itself is above everything."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "jaxsmooth"


def inside(edges: list[Import]) -> list[Import]:
    return [edge for edge in edges if edge.target.split(".")[0] == "jaxsmooth"]


def upward(edges: list[Import]) -> list[str]:
    """Imports that do not point down."""
    floor = {name: height for height, names in enumerate((*FLOORS, {"jaxsmooth"})) for name in names}
    return [
        f"{edge.source} -> {edge.target}"
        for edge in inside(edges)
        if area(edge.source) != area(edge.target) and floor[area(edge.source)] <= floor[area(edge.target)]
    ]


def cycles(edges: list[tuple[str, str]]) -> list[list[str]]:
    """Groups of nodes that reach each other; of one node, if it reaches itself."""
    below: dict[str, set[str]] = {}
    for source, target in edges:
        below.setdefault(source, set()).add(target)

    def reached(start: str) -> set[str]:
        found, waiting = set(), [start]
        while waiting:
            for target in below.get(waiting.pop(), ()):
                if target not in found:
                    found.add(target)
                    waiting.append(target)
        return found

    reach = {node: reached(node) for node in below}
    knots = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in below if a in reach[a]}
    return sorted(sorted(knot) for knot in knots)


def module_cycles(edges: list[Import]) -> list[list[str]]:
    return cycles([(edge.source, edge.target) for edge in inside(edges)])


def area_cycles(edges: list[Import]) -> list[list[str]]:
    pairs = {(area(edge.source), area(edge.target)) for edge in inside(edges)}
    return cycles([(source, target) for source, target in pairs if source != target])


def optional_at_import(edges: list[Import]) -> list[str]:
    """Optional packages that ``import jaxsmooth`` would load, and from where."""
    eager = [edge for edge in edges if not edge.deferred]
    loaded, waiting = set(), ["jaxsmooth"]
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        parents = [module.rsplit(".", i)[0] for i in range(1, module.count(".") + 1)]
        found = parents + [edge.target for edge in eager if edge.source == module]
        waiting += [target for target in found if target.split(".")[0] == "jaxsmooth" and target not in loaded]
    return [f"{e.source} -> {e.target}" for e in eager if e.source in loaded and e.target.split(".")[0] in OPTIONAL]


EDGES = all_imports()


def test_every_module_has_a_floor():
    assert {area(module) for module in module_names(PACKAGE)} == set().union(*FLOORS) | {"jaxsmooth"}
    assert sum(map(len, FLOORS)) == len(set().union(*FLOORS))


def test_nothing_imports_upward():
    assert upward(EDGES) == []


def test_no_cycles_of_modules_or_of_packages():
    assert module_cycles(EDGES) == []
    assert area_cycles(EDGES) == []


def test_no_optional_package_at_import():
    assert optional_at_import(EDGES) == []


def test_import_loads_no_optional_package():
    code = f"import sys, jaxsmooth; sys.exit(' '.join({OPTIONAL!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.returncode == 0, f"import jaxsmooth loads {done.stderr}"


@pytest.mark.parametrize(
    ("check", "faults"),
    [
        (upward, [("jaxsmooth.bounds.e_process", "jaxsmooth._verbs", True)]),
        (upward, [("jaxsmooth.radii.limits", "jaxsmooth.sampling.sampler", False)]),
        (upward, [("jaxsmooth.sampling.sampler", "jaxsmooth", False)]),
        (module_cycles, [("jaxsmooth.radii.bracket", "jaxsmooth.radii.semi_elastic", True)]),
        (module_cycles, [("jaxsmooth.ledger.file", "jaxsmooth.ledger.file", False)]),
        (area_cycles, [("jaxsmooth.scales.base", "jaxsmooth.noises.gaussian", True)]),
        (optional_at_import, [("jaxsmooth.interop.nnx", "flax", False)]),
        (
            optional_at_import,
            [
                ("jaxsmooth.datasets.load", "jaxsmooth.datasets.digits", False),
                ("jaxsmooth.datasets.digits", "PIL.Image", False),
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", "fault"),
)
def test_planted_faults_are_caught(check, faults):
    assert check([*EDGES, *(Import(*fault) for fault in faults)])


def test_imports_in_functions_and_for_type_checkers_are_deferred():
    source = """
import jax
if TYPE_CHECKING:
    import matplotlib
class Plot:
    from flax import nnx
    def draw(self):
        from jaxsmooth import _verbs, Votes
"""
    found = [tuple(edge)[1:] for edge in imports_of("m", ast.parse(source), {"jaxsmooth._verbs": None})]
    expected = [
        ("jax", False),
        ("matplotlib", True),
        ("flax", False),
        ("jaxsmooth._verbs", True),
        ("jaxsmooth", True),
    ]
    assert found == expected


def test_files_are_short():
    long = {module: len(path.read_text().splitlines()) for module, path in module_names(PACKAGE).items()}
    assert {module: lines for module, lines in long.items() if lines > LINES} == {}


def test_init_files_only_reexport():
    for path in PACKAGE.rglob("__init__.py"):
        docstring, *statements = ast.parse(path.read_text()).body
        assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant), path
        if path.parent == PACKAGE:
            *statements, listed, completion = statements
            names = [name.asname for statement in statements for name in getattr(statement, "names", ())]
            assert isinstance(listed, ast.Assign) and ast.unparse(listed.targets) == "__all__"
            assert sorted(ast.literal_eval(listed.value)) == sorted(names), "__all__ holds what is re-exported"
            assert ast.unparse(completion) == "def __dir__() -> list[str]:\n    return __all__"
        for statement in statements:
            assert isinstance(statement, ast.ImportFrom), f"{path}, line {statement.lineno}: not an import"
            assert all(name.asname == name.name for name in statement.names), f"{path}, line {statement.lineno}"


def test_help_and_completion_start_with_the_verbs():
    assert dir(jaxsmooth) == sorted(jaxsmooth.__all__)
    assert jaxsmooth.__all__[0] == "certify" and jaxsmooth.__all__[-1] == "__version__"
    page = pydoc.plain(pydoc.render_doc(jaxsmooth))
    assert page.index("certify_curve") < page.index("PACKAGE CONTENTS")
    assert [name for name in jaxsmooth.__all__ if name.startswith("_")] == ["__version__"]


def asserts_on_arguments(tree: ast.Module) -> list[int]:
    """Lines with an ``assert`` about a parameter of the function it stands in: ``python -O`` would drop it."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)} - {"self"}
            for statement in ast.walk(node):
                if isinstance(statement, ast.Assert):
                    names = {name.id for name in ast.walk(statement.test) if isinstance(name, ast.Name)}
                    found += [statement.lineno] * bool(names & given)
    return found


def test_no_assert_checks_what_users_pass():
    assert asserts_on_arguments(ast.parse("def f(x):\n    assert x > 0\n")) == [2]
    assert asserts_on_arguments(ast.parse("def f(x):\n    y = g(x)\n    assert y is not None\n")) == []
    for path in PACKAGE.rglob("*.py"):
        assert asserts_on_arguments(ast.parse(path.read_text())) == [], path


def annotations(tree: ast.AST) -> Iterator[str]:
    """What the arguments of all functions in a file are annotated with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [argument for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
            yield from (ast.unparse(argument.annotation) for argument in given if argument.annotation is not None)


def test_few_arguments_are_annotated_with_any():
    assert list(annotations(ast.parse("def f(x: Any, *, n: int = 1, **rest: Any): ..."))) == ["Any", "int", "Any"]
    found = [name for path in PACKAGE.rglob("*.py") for name in annotations(ast.parse(path.read_text()))]
    assert len(found) > 1000
    assert found.count("Any") < MOST_ANY * len(found)


def test_public_functions_have_few_positional_parameters():
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = lambda f: sum(p.kind in positional for p in inspect.signature(f).parameters.values())
    many = {name: count(function) for name, function in functions().items() if count(function) > POSITIONAL}
    assert many == MORE_POSITIONAL
