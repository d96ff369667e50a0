"""What users pass by mistake: an error that names the argument, shows the value and says what to do; nothing is lost.

The tables are in ``tests/bad_input``: a row is a call that works, and bad values of its arguments, which each
replace the good one. To hold a new public function to this, write a row.
"""

import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from tests import public_surface
from tests.bad_input.diagnostics import DIAGNOSTICS
from tests.bad_input.noise import FAMILIES, SCALES
from tests.bad_input.results import ANALYSIS, OTHERS
from tests.bad_input.sampling import DESIGNS, VERBS
from tests.bad_input.statistics import BOUNDS, RADIUS_RULES
from tests.bad_input.training import LOSSES, OBJECTIVES
from tests.bad_input.values import CERTIFICATES, GAUSSIAN, KEY, LABELS, NEW, RECORDED, SAMPLING, Row, X, classify

AREAS = {
    "": VERBS | OTHERS, "designs.": DESIGNS, "radii.": RADIUS_RULES, "bounds.": BOUNDS, "noises.": FAMILIES,
    "scales.": SCALES,
    "losses.": LOSSES, "objectives.": OBJECTIVES, "analysis.": ANALYSIS, "diagnostics.": DIAGNOSTICS,
}  # fmt: skip
ROWS: dict[str, Row] = {area + name: row for area, rows in AREAS.items() for name, row in rows.items()}
CASES = [(name, argument) for name, row in ROWS.items() for argument in row.bad]

# Every element of batches is an x and its labels; diagnostics pass fn on as the classifier of count_votes.
ALSO_NAMED = {"batches": "x|labels", "fn": "classify", "predict": "classify"}
REMEDY = re.compile(
    r"\b(must|needed|use|pass|give|cannot|too small|not possible|no (preset|radius rule))\b", re.IGNORECASE
)
# Long to compile or to run; their own tests and examples call them.
SLOW = {
    "measure_throughput", "self_check", "radii.semi_elastic_radius_float32", "losses.macer", "objectives.smooth_pgd",
    "objectives.smooth_ddn", "objectives.Consistency.__call__", "objectives.CatRS.__call__",
    "diagnostics.cone_rate_mc", "diagnostics.region_shrinkage", "diagnostics.interference_distance",
}  # fmt: skip
# Public functions without a row, and why.
WITHOUT_ROW = {
    "frozen_pytree": "a decorator of classes",
    "static": "a field of a class",
    "objectives.measure": "called by an objective on what its network returned, inside a compiled step",
    "scales.cifar10": "as scales.mnist",
    "radii.quantile_grid": "takes functions, for authors of radius rules",
    "analysis.read_log": "its bad input are files: tests/analysis/test_logs.py",
    "analysis.read_log_ids": "as analysis.read_log",
    **dict.fromkeys(("denoised", "denoisers.one_shot", "denoisers.trained"), "tests/denoisers/test_denoised.py"),
    **dict.fromkeys(
        ("denoisers.continuous", "denoisers.from_alpha_bar", "denoisers.from_betas", "denoisers.schedule"),
        "tests/denoisers/test_schedules.py",
    ),
    **dict.fromkeys(("randomized", "soft"), "tests/interop/test_randomized_and_soft.py"),
    **dict.fromkeys(
        (name for name in public_surface.functions() if name.startswith("interop.papers.")),
        "tests/interop/test_papers.py",
    ),
    **dict.fromkeys(("interop.from_paper", "interop.torch_state"), "tests/interop/test_papers.py"),
    **dict.fromkeys(
        ("interop.from_pytree", "interop.from_equinox", "interop.from_keras"), "tests/interop/test_pytrees.py"
    ),
    "interop.from_torch": "tests/interop/test_torch.py",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "votes.jsonl"
    js.certify(**SAMPLING, n=20, n0=5, alpha=0.01, ledger=path)
    return path


def with_paths(value, recorded, tmp_path):
    if isinstance(value, list) and value and all(isinstance(entry, str) for entry in value):
        return [with_paths(entry, recorded, tmp_path) for entry in value]
    return {RECORDED: recorded, NEW: tmp_path / "new"}.get(value, value) if isinstance(value, str) else value


def shown(value) -> set[str]:
    """Texts of which a message should have one: the value, an entry, its shape, its type."""
    if isinstance(value, js.noises.AbstractNoise):
        return shown(value.sigma) | {repr(value), type(value).__name__}  # pyright: ignore[reportAttributeAccessIssue]
    texts = {str(value), repr(value), type(value).__name__}
    if isinstance(value, list | tuple | dict):
        texts |= {repr(list(value)), str(len(value)), "none", "empty"} | {type(entry).__name__ for entry in value}
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return texts | {str(getattr(value, "shape", value))}
    texts |= {str(array.shape), str(array.shape[1:]), str(array.dtype), "NaN", *map(str, array.shape)}
    if array.dtype.kind in "iufb":
        texts |= {text for entry in array.ravel()[:20].tolist() for text in (str(entry), f"{entry:g}")}
    return texts


def fault(call, given: dict, argument: str, value) -> str | None:
    """What is wrong with the answer to a bad value; None if it is as it should be."""
    try:
        result = call(**given, **{argument: value})
    except Exception as error:
        message = str(error)
        if type(error).__module__.startswith("jax") or not isinstance(error, ValueError | TypeError | OSError):
            return f"{type(error).__name__}: {message[:200]}"
        if isinstance(error, OSError):
            return None if str(value) in message else f"does not show the file: {message[:200]}"
        names = f"{re.escape(argument)}|{ALSO_NAMED.get(argument, argument)}"
        if not re.search(rf"(?<!\w)({names})(?!\w)", message):
            return f"does not name {argument}: {message[:200]}"
        of_batches = argument == "batches" and isinstance(value, list)
        if not callable(value) and not of_batches and not any(text in message for text in shown(value)):
            return f"does not show the value: {message[:200]}"
        return None if REMEDY.search(message) else f"no remedy: {message[:200]}"
    return f"accepted: {str(result)[:200]}"


@pytest.mark.parametrize(("name", "argument"), CASES, ids=lambda value: value)
def test_bad_values_are_refused(name, argument, recorded, tmp_path):
    row = ROWS[name]
    given = {key: with_paths(value, recorded, tmp_path) for key, value in row.good.items() if key != argument}
    before = recorded.read_bytes()
    faults = {}
    for value in row.bad[argument]:
        value = with_paths(value, recorded, tmp_path)
        if found := fault(row.call, given, argument, value):
            faults[repr(value)[:60]] = found
    assert faults == {}
    assert recorded.read_bytes() == before


@pytest.mark.slow  # of the table, not of the library
@pytest.mark.parametrize("name", [name for name in ROWS if name not in SLOW])
def test_the_calls_of_the_rows_work(name, recorded, tmp_path):
    """Else a bad value could be refused for another reason."""
    row = ROWS[name]
    row.call(**{key: with_paths(value, recorded, tmp_path) for key, value in row.good.items()})


def test_every_public_function_and_noise_has_a_row():
    """But for plots, which draw the results of functions that check."""
    functions = [name for name in public_surface.functions() if name not in WITHOUT_ROW and ".plot_" not in name]
    assert [name for name in functions if not {name, f"radii.{name}"} & set(ROWS)] == []
    families = {name for name, cls in public_surface.classes().items() if issubclass(cls, js.noises.AbstractNoise)}
    assert families - {"noises.AbstractNoise"} <= set(ROWS)


def test_a_silent_acceptance_is_found():
    def half(number):
        if number is None:
            raise ValueError("something is wrong")
        return number / 2

    assert "accepted" in (fault(half, {}, "number", -1) or "")
    assert "does not name" in (fault(half, {}, "number", None) or "")
    assert "TypeError" not in (fault(lambda number: {}[number], {}, "number", 3) or "")


RUNS = {
    "certify": lambda **given: js.certify(**{**SAMPLING, "n": 20, "n0": 5, "alpha": 0.01, **given}),
    "certify_curve": lambda **given: js.certify_curve(
        **{**SAMPLING, "radii": [0.1], "n_max": 100, "alpha": 0.01, **given}
    ),
    "certify_adaptive": lambda **given: js.certify_adaptive(**{**SAMPLING, "n_max": 200, "alpha": 0.01, **given}),
    "predict": lambda **given: js.predict(**{**SAMPLING, "n": 20, "alpha": 0.01, **given}),
}
FAILURES = (
    {"noise": js.noises.Gaussian(0.25)},  # another run
    {"key": jax.random.key(1)},
    {"x": X[:, :3]},
    {"x": -X},  # other images under the ids of the ledger
    {"alpha": 2.0},
    {"classify": lambda batch: batch.sum(-1)},
    {"x": np.full((2, 4), np.nan, np.float32)},
    {"norm": 3},
)


@pytest.mark.parametrize("verb", RUNS)
def test_a_failed_run_leaves_the_ledger_as_it_was(verb, recorded):
    """Also one of another run whose last line is torn: it is not ours to mend."""
    whole = recorded.read_bytes()
    for change in FAILURES:
        if verb == "predict" and "norm" in change:
            continue
        with pytest.raises((ValueError, TypeError)):
            RUNS[verb](**change, ledger=recorded)
        assert recorded.read_bytes() == whole, change


def test_a_torn_ledger_of_another_run_is_left_alone(recorded, tmp_path):
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(recorded.read_bytes()[:-10])
    with warnings.catch_warnings(action="ignore"), pytest.raises(ValueError, match="another run"):
        RUNS["certify"](noise=js.noises.Gaussian(0.25), ledger=torn)
    assert torn.read_bytes() == recorded.read_bytes()[:-10]
    with pytest.warns(UserWarning, match="torn"):
        RUNS["certify"](ledger=torn)
    assert torn.read_bytes() == recorded.read_bytes()


@pytest.mark.parametrize(
    "change",
    [{"labels": [0]}, {"labels": [0, 9.5]}, {"image_ids": [0]}, {"times": [1.0]}, {"times": "ab"}, {"certificates": 3}],
    ids=str,
)
def test_a_failed_write_log_leaves_the_old_one(change, tmp_path):
    path = tmp_path / "log.tsv"
    js.analysis.write_log(path, CERTIFICATES, LABELS)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises((ValueError, TypeError)):
        js.analysis.write_log(**{"path": path, "certificates": CERTIFICATES, "labels": LABELS, **change})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_verbs_of_the_host_refuse_tracers():
    for verb in RUNS.values():
        with pytest.raises(TypeError, match=r"inside jit use (certify_batch|count_votes)"):
            jax.jit(lambda x, verb=verb: verb(x=x))(X)


def certified(**given):
    return js.certify(**{**SAMPLING, "n": 20, "n0": 5, "alpha": 0.01, **given})


@pytest.mark.parametrize(
    "x",
    [
        X.astype(np.float64),
        jnp.asarray(X),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        np.lib.stride_tricks.as_strided(X, X.shape, X.strides, writeable=False),
        X[::-1][::-1],
        X.tolist(),
    ],
    ids=["float64", "jax", "fortran", "strided", "read-only", "reversed", "list"],
)
def test_any_layout_of_the_images_works(x):
    expected = certified()
    result = certified(x=x)
    np.testing.assert_array_equal(result.votes.counts, expected.votes.counts)
    np.testing.assert_array_equal(result.radius, expected.radius)


def test_edge_cases_work():
    """The fewest votes that can certify, one image, two classes, bfloat16 images, numbers of NumPy and JAX."""
    clear = np.full((1, 4), 10.0, np.float32)
    assert certified(x=clear, n=10, alpha=1e-3).label.tolist() == [0]
    with pytest.raises(ValueError, match="use n >= 10"):
        certified(x=clear, n=9, alpha=1e-3)
    assert js.predict(KEY, classify, GAUSSIAN, clear, n=11).tolist() == [0]
    with pytest.raises(ValueError, match="use n >= 11"):
        js.predict(KEY, classify, GAUSSIAN, clear, n=10)
    assert certified(x=jnp.asarray(clear, jnp.bfloat16)).label.tolist() == [0]
    for sigma in (np.float32(0.5), np.float64(0.5), jnp.float32(0.5), np.array(0.5)):
        result = certified(x=clear, noise=js.noises.Gaussian(sigma), n=np.int64(20), alpha=np.float32(0.01))
        assert result.label.tolist() == [0]
        assert 0 < js.certified_radius(js.noises.Gaussian(sigma), np.float32(0.9), dim=np.int32(4)) < 0.65
