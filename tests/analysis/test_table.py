"""Tables of several runs: the numbers of the published logs in four formats, and what does not compare."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxsmooth as js
import jaxsmooth.analysis as analysis
from jaxsmooth._printed import rounded_up

DATA = Path(__file__).parent / "data"
LOGS = {"sigma_0.25 & more": DATA / "cohen_2019_cifar10_sigma025.tsv", "0.50": DATA / "cohen_2019_cifar10_sigma050.tsv"}
FORMATS = ("text", "markdown", "latex", "csv")


def run(radius, label=None, labels=None, **fields):
    """A run whose images are of class 0."""
    radius = np.asarray(radius, float)
    label = np.zeros(len(radius), int) if label is None else np.asarray(label)
    votes = fields.pop("n", None)
    if votes is not None:
        fields["votes"] = js.Votes(np.full((len(radius), 2), votes // 2), np.zeros(len(radius), int))
    found = js.Certificates(label, radius, 0 * radius, 0 * radius, np.ones(len(radius), int), **fields)
    return found, np.zeros(len(radius), int) if labels is None else labels


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def cells(markdown):
    head, _, *rows = (line.strip("| ").split(" | ") for line in markdown.partition("\n\n")[0].splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


RADIUS = np.linspace(0, 1, 200)
LABEL = np.where(np.arange(200) % 10, 0, -1)
RUNS = {
    "first": run(RADIUS * (LABEL >= 0), LABEL, n=1000, alpha=0.001),
    "second": run(1.1 * RADIUS, n=1000, alpha=0.001),
}


def test_csv_has_the_numbers_of_the_other_functions():
    found = rows_of(analysis.table(RUNS, [0, 0.5], format="csv", baseline="first", alpha=0.1))
    assert [row["run"] for row in found] == ["first", "second"]
    for row, (certificates, labels) in zip(found, RUNS.values(), strict=True):
        # Rounded down to nine digits.
        acr = analysis.average_certified_radius(certificates, labels)
        assert acr * (1 - 1.1e-8) <= float(row["acr"]) <= acr
        assert float(row["accuracy_at_0.5"]) == analysis.certified_accuracy(certificates, labels, 0.5)
        assert float(row["abstention"]) == analysis.abstention_rate(certificates)
        hits = round(200 * float(row["accuracy_at_0"]))
        assert float(row["accuracy_at_0_lower"]) == js.bounds.clopper_pearson_lower(hits, 200, 0.05)
        assert float(row["accuracy_at_0_upper"]) == js.bounds.clopper_pearson_upper(hits, 200, 0.05)
        error = analysis.summary(certificates, labels, [0]).standard_error
        np.testing.assert_allclose(float(row["acr_upper"]) - acr, 1.6448536 * error, rtol=1e-6)
        assert (row["images"], row["n"], row["alpha"]) == ("200", "1000", "0.001")
    scores = [certificates.radius * (certificates.label == 0) for certificates, _ in RUNS.values()]
    gap = analysis.paired_difference(scores[1], scores[0], alpha=0.1)
    assert tuple(float(found[1][f"difference{end}"]) for end in ("", "_lower", "_upper")) == gap
    assert found[0]["difference"] == ""


def test_published_logs():
    found = cells(analysis.table(LOGS, [0, 0.25, 1], format="markdown"))
    assert [row["images"] for row in found] == ["40", "500"]
    # What the authors' own analysis prints for sigma = 0.50: .652, .546, .234; ACR .5375.
    plain = {key: value.replace("*", "") for key, value in found[1].items()}
    assert [plain[f"at {r}"].split()[0] for r in ("0", "0.25", "1")] == ["65.2", "54.6", "23.4"]
    assert plain["ACR"].split()[0] == "0.537" and plain["abstention"].split()[0] == "16.6"
    assert (plain["n"], plain["alpha"]) == ("unknown", "unknown")


@pytest.mark.parametrize("format", FORMATS)
def test_logs_and_certificates_give_one_table(tmp_path, format):
    for name, (certificates, labels) in RUNS.items():
        analysis.write_log(tmp_path / f"{name}.tsv", certificates, labels)
    paths = {"first": tmp_path / "first.tsv", "second": str(tmp_path / "second.tsv")}
    assert analysis.table(paths, format=format, baseline="first") == analysis.table(
        RUNS, format=format, baseline="first"
    )


def test_the_best_is_bold():
    markdown = cells(analysis.table(RUNS, [0.5, 5], format="markdown"))
    assert [row["at 0.5"].startswith("**") for row in markdown] == [False, True]
    assert [row["ACR"].startswith("**") for row in markdown] == [False, True]
    assert not any("**" in row["at 5"] + row["abstention"] + row["images"] for row in markdown)  # none is best
    latex = analysis.table(RUNS, [0.5], format="latex").splitlines()
    assert [line.count(r"\textbf") for line in latex if line.startswith(("first", "second"))] == [0, 2]
    assert "**" not in analysis.table(RUNS, [0.5]) and "**" not in analysis.table(
        {"a": RUNS["first"]}, format="markdown"
    )


def test_answers_of_several_classes_are_named_and_compare_with_no_other():
    """More images have their class among the top k: that is no better method."""
    labels, radius = np.zeros(20, int), np.linspace(0.1, 1, 20)
    certificates = js.TopKCertificates(
        labels, 1.1 * radius, np.full(20, 0.9), np.full((20, 3), 0.1), np.full(20, 1000), alpha=0.001, k=3
    )
    runs = {"one": run(radius, alpha=0.001), "three": (certificates, labels)}
    made = analysis.table(runs, [0], format="markdown")
    assert "that the class stays among the top 3: three" in made
    assert "**" not in made
    assert "top" not in analysis.table({"one": runs["one"]}, [0])


def test_equal_ones_are_both_bold():
    tied = {"a": run([1, 1, 0]), "b": run([1, 1, 0.4]), "c": run([0.2, 0.2, 0.2])}
    assert ["**" in row["at 1"] for row in cells(analysis.table(tied, [1], format="markdown"))] == [True, True, False]


@pytest.mark.parametrize("other", [{"n": 100, "alpha": 0.001}, {"n": 1000, "alpha": 0.01}, {"alpha": 0.001}], ids=str)
def test_an_acr_of_another_n_does_not_compare(other):
    runs = {"first": RUNS["first"], "other": run(RADIUS, **other)}
    text = analysis.table(runs, [0.5], format="markdown")
    assert not any("**" in row["ACR"] for row in cells(text))
    assert any("**" in row["at 0.5"] for row in cells(text))
    assert "n or alpha differ between runs: the ACR grows with both and does not compare" in text


@given(st.lists(st.floats(0, 3, width=32), min_size=1, max_size=30))
def test_rounding_is_to_the_safe_side(radius):
    certificates, labels = run(radius)
    text = analysis.table({"a": (certificates, labels)}, [0.5], format="markdown")
    exact = rows_of(analysis.table({"a": (certificates, labels)}, [0.5], format="csv"))[0]
    (row,) = cells(text)
    assert float(row["ACR"].split()[0]) <= analysis.average_certified_radius(certificates, labels)
    for key, name, unit in (("ACR", "acr", 1), ("at 0.5", "accuracy_at_0.5", 100)):
        ends = re.findall(r"[\d.]+", row[key])[1:]
        if ends:
            assert float(ends[0]) <= unit * float(exact[f"{name}_lower"]) + 1e-12
            assert float(ends[1]) >= unit * float(exact[f"{name}_upper"]) - 1e-12
    assert abs(float(row["at 0.5"].split()[0]) - 100 * float(exact["accuracy_at_0.5"])) <= 0.05 + 1e-9


def test_rounded_up():
    assert [rounded_up(v, 3) for v in (0.1231, 0.123, -0.1231, 0.0, -0.0004)] == [
        "0.124", "0.123", "-0.123", "0.000", "0.000"
    ]  # fmt: skip
    assert rounded_up(float("inf"), 3) == "inf"


def test_one_image_has_no_interval_of_its_mean():
    (row,) = rows_of(analysis.table({"a": run([0.5])}, format="csv"))
    assert (row["acr"], row["acr_lower"], row["acr_upper"]) == ("0.5", "", "")
    assert cells(analysis.table({"a": run([0.5])}, format="markdown"))[0]["ACR"] == "0.500"


@pytest.mark.parametrize(
    ("largest", "radii"),
    [
        (0.0, ["0"]),
        (1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0.978, ["0", "0.2", "0.4", "0.6", "0.8"]),
        (3.91, ["0", "1", "2", "3"]),
        (1.2, ["0", "0.25", "0.5", "0.75", "1"]),
        (300.0, ["0", "100", "200", "300"]),
        (0.0003, ["0", "0.0001", "0.0002", "0.0003"]),
    ],
)
def test_radii_nobody_asked_for_are_round(largest, radii):
    (row,) = cells(analysis.table({"a": run([largest, 0.0])}, format="markdown"))
    assert [key[3:] for key in row if key.startswith("at ")] == radii


@pytest.mark.parametrize(("norm", "word"), [(1, "l1"), (2, "l2"), (np.inf, "linf")])
def test_the_norm_is_named(norm, word):
    runs = {"a": run([0.5, 0.6], norm=norm)}
    assert f"certified accuracy at {word} radi" in analysis.table(runs)
    assert f"certified accuracy at {word} radius" in analysis.table(runs, format="latex")


def test_names_are_escaped():
    names = {"a_1 & 50% {x}": RUNS["first"], "p|q": RUNS["second"], 'u,"v"': RUNS["second"]}
    latex = analysis.table(names, [0], format="latex")
    assert r"a\_1 \& 50\% \{x\} &" in latex
    columns = {line.replace(r"\&", "").count("&") for line in latex.splitlines() if line.endswith(r"\\")}
    # The line of groups spans columns.
    assert max(columns) == 6 and len(columns) <= 2
    assert r"| p\|q |" in analysis.table(names, [0], format="markdown")
    assert [row["run"] for row in rows_of(analysis.table(names, [0], format="csv"))] == list(names)


def test_text_is_aligned():
    lines = analysis.table(RUNS, [0, 0.5], baseline="first").splitlines()
    assert len({line.index(part) for line, part in zip(lines[:3], ("images", "200", "200"), strict=True)}) == 1
    assert all(line == line.rstrip() for line in lines)
    assert lines[-1] == "difference: ACR minus that of first, paired by image"


LABELS = np.zeros(200, int)
OTHER = (RUNS["second"][0], np.ones(200, int))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"runs": {}}, ValueError, "runs must hold at least one run"),
        ({"runs": [1]}, TypeError, "runs must be a mapping"),
        ({"runs": {"a": 3}}, TypeError, r"runs\['a'\] must be the path of a log or \(certificates, labels\); got int"),
        ({"runs": {"a": RUNS["first"][0]}}, TypeError, r"runs\['a'\] must be the path"),
        ({"runs": {"a": run([])}}, ValueError, r"runs\['a'\] must have images"),
        ({"runs": {"a": run([1.0]), "b": run([1.0], norm=1)}}, ValueError, r"several norms, \[1.0, 2.0\]"),
        ({"format": "html"}, ValueError, "format must be one of 'text', 'markdown', 'latex', 'csv'; got 'html'"),
        ({"baseline": "third"}, ValueError, "baseline must be the name of a run, 'first', 'second'; got 'third'"),
        ({"runs": {"a": RUNS["first"], "b": OTHER}, "baseline": "a"}, ValueError, "not of the images of baseline"),
        ({"radii": [-1]}, ValueError, "radii must be finite and at least 0"),
        ({"alpha": 2}, ValueError, "alpha must be strictly between 0 and 1"),
    ],
)
def test_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        analysis.table(**({"runs": RUNS} | arguments))


def test_logs_of_other_images_are_not_paired(tmp_path):
    for start in (0, 1):
        analysis.write_log(tmp_path / f"{start}.tsv", *RUNS["first"], image_ids=np.arange(200) + start)
    runs = {"a": tmp_path / "0.tsv", "b": tmp_path / "1.tsv"}
    with pytest.raises(ValueError, match="not of the images of baseline"):
        analysis.table(runs, baseline="a")
    assert len(rows_of(analysis.table(runs, format="csv"))) == 2


# --- paired differences


def test_the_difference_of_known_pairs():
    hard = np.random.default_rng(0).uniform(size=(3, 400))
    gain, lower, upper = analysis.paired_difference(hard + 0.05, hard)
    np.testing.assert_allclose((gain, lower, upper), 0.05, rtol=1e-12)  # what is hard cancels
    assert analysis.paired_difference(hard, hard) == (0, 0, 0)
    flipped = analysis.paired_difference(hard[0], hard[1])
    np.testing.assert_allclose(analysis.paired_difference(hard[1], hard[0]), -np.array(flipped)[[0, 2, 1]], rtol=1e-12)


def test_one_run_may_leave_out_its_axis_and_truth_values_are_numbers():
    first, second = np.random.default_rng(0).uniform(size=(2, 50)) < 0.5
    expected = analysis.paired_difference(first[None].astype(float), second[None].astype(float))
    assert analysis.paired_difference(first, second) == expected
    assert analysis.paired_difference(first, second, seed=1) != expected


def test_the_interval_covers():
    """The bootstrap's 90 % in 100 repetitions with seeds of their own."""
    random, held = np.random.default_rng(0), 0
    for _ in range(100):
        gap = random.exponential(size=100) - 0.8
        _, lower, upper = analysis.paired_difference(gap, np.zeros(100), alpha=0.1, resamples=200)
        held += lower <= 0.2 <= upper
    assert 80 <= held <= 98
