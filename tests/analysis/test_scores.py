"""Certified accuracy, average certified radius, classes and tables: by hand, by plain Python, and bad input."""

import csv
import fractions
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import jaxsmooth as js
import jaxsmooth.analysis as analysis

DATA = Path(__file__).parent / "data"
PUBLISHED = ["cohen_2019_cifar10_sigma025.tsv", "cohen_2019_imagenet_sigma050.tsv"]


def certificates(label, radius, **fields):
    n = len(label)
    return js.Certificates(
        label=np.asarray(label, np.int32),
        radius=np.asarray(radius, np.float64),
        p_lower=np.full(n, np.nan),
        p_upper=np.full(n, np.nan),
        samples=np.full(n, 1100, np.int64),
        **fields,
    )


# Right at 0.5, right at 1, wrong, abstained.
LABELS = np.array([3, 1, 0, 2])
FOUR = certificates([3, 1, 2, -1], [0.5, 1.0, 2.0, 0.0])


def plain_rows(name):
    """A log as exact numbers, by the standard library alone."""
    with open(DATA / name, newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield int(row["label"]), int(row["predict"]), fractions.Fraction(row["radius"])


@pytest.mark.parametrize(
    ("radii", "expected"),
    [
        (0.0, 0.5),
        (0.5, 0.5),
        (np.nextafter(0.5, 1), 0.25),
        (1, 0.25),
        (1.5, 0.0),
        ([0, 0.75, 9], [0.5, 0.25, 0.0]),
        ([[1.0, 0.0], [3.0, 0.5]], [[0.25, 0.5], [0.0, 0.5]]),
        ([], []),
    ],
)
def test_certified_accuracy(radii, expected):
    result = analysis.certified_accuracy(FOUR, LABELS, radii)
    assert np.asarray(result).dtype == np.float64
    assert np.shape(result) == np.shape(radii)
    np.testing.assert_array_equal(result, expected)


def test_average_radius_and_abstention():
    assert analysis.average_certified_radius(FOUR, LABELS) == 1.5 / 4
    assert analysis.abstention_rate(FOUR) == 0.25
    assert analysis.average_certified_radius(FOUR, list(LABELS)) == 1.5 / 4


def test_an_abstention_is_never_correct():
    nothing = certificates([-1, -1], [0.0, 0.0])
    assert analysis.certified_accuracy(nothing, [0, 1], 0.0) == 0.0
    with pytest.raises(ValueError, match="labels must be at least 0"):
        analysis.certified_accuracy(nothing, [-1, -1], 0.0)


def test_no_images_no_number():
    none = certificates([], [])
    assert np.isnan(analysis.certified_accuracy(none, [], [0.0, 1.0])).all()
    assert np.isnan(analysis.average_certified_radius(none, []))
    assert np.isnan(analysis.abstention_rate(none))
    assert np.isnan(analysis.class_wise_accuracy(none, [], num_classes=3).acc).all()
    assert "0 images" in str(analysis.summary(none, [], [0.0]))


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(-1, 2), st.floats(0, 4, allow_subnormal=False)),
        min_size=1,
        max_size=40,
    ),
    st.lists(st.floats(0, 5), min_size=1, max_size=10),
)
def test_counting_by_hand(rows, radii):
    label, predict, radius = (list(column) for column in zip(*rows, strict=True))
    radius = [r if p >= 0 else 0.0 for r, p in zip(radius, predict, strict=True)]
    found = certificates(predict, radius)
    accuracy = analysis.certified_accuracy(found, label, radii)
    for r, value in zip(radii, accuracy, strict=True):
        hits = sum(p == y and s >= r for y, p, s in zip(label, predict, radius, strict=True))
        assert value == hits / len(rows)
    assert all(a >= b for (_, a), (_, b) in itertools.pairwise(sorted(zip(radii, accuracy, strict=True))))
    # The average radius is the area under the curve.
    grid = np.unique([0.0, *radius])
    area = np.sum(np.diff(grid) * analysis.certified_accuracy(found, label, grid)[1:])
    np.testing.assert_allclose(analysis.average_certified_radius(found, label), area, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_logs(name):
    found, labels = analysis.read_log(DATA / name)
    rows = list(plain_rows(name))
    assert len(found) == len(rows) == 40
    for r in ("0", "0.25", "0.378", "0.5", "1.86"):
        hits = sum(label == predict and radius >= fractions.Fraction(r) for label, predict, radius in rows)
        assert analysis.certified_accuracy(found, labels, float(r)) == hits / 40
    exact = sum(radius for label, predict, radius in rows if label == predict) / 40
    assert analysis.average_certified_radius(found, labels) == pytest.approx(float(exact), rel=1e-14)
    assert analysis.abstention_rate(found) == sum(predict == -1 for _, predict, _ in rows) / 40
    result = analysis.class_wise_accuracy(found, labels)
    for k in {label for label, *_ in rows}:
        of_class = [predict == k for label, predict, _ in rows if label == k]
        assert (result.n[k], result.acc[k]) == (len(of_class), sum(of_class) / len(of_class))
    assert result.n.sum() == 40


def test_class_wise_intervals_are_exact():
    label = np.repeat([0, 1, 3], [20, 5, 7])
    predict = np.where(np.arange(32) % 4 == 0, 2, label)
    result = analysis.class_wise_accuracy(certificates(predict, np.ones(32)), label, radius=1.0, alpha=0.1)
    assert result.n.tolist() == [20, 5, 0, 7]
    assert np.isnan(result.acc[2]) and result.interval[2].tolist() == [0, 1]
    for k in (0, 1, 3):
        hits = int(np.sum((label == k) & (predict == k)))
        interval = stats.binomtest(hits, int(result.n[k])).proportion_ci(0.9, "exact")
        assert result.acc[k] == hits / result.n[k]
        low, high = result.interval[k]
        assert low == pytest.approx(interval.low, rel=1e-9) and low <= interval.low + 1e-15
        assert high == pytest.approx(interval.high, rel=1e-9) and high >= interval.high - 1e-15
    present = result.acc[[0, 1, 3]]
    assert result.gap == np.ptp(present)
    assert result.standard_deviation == np.std(present)
    assert (result.radius, result.alpha) == (1.0, 0.1)


def test_class_wise_prints_a_table():
    text = str(analysis.class_wise_accuracy(FOUR, LABELS, num_classes=5, radius=0.75))
    lines = text.splitlines()
    assert lines[0] == "certified accuracy at radius 0.75 by class"
    assert lines[1].split() == ["class", "images", "accuracy", "95%", "interval"]
    assert [line.split()[:3] for line in lines[2:7]] == [
        ["0", "1", "0.0000"],
        ["1", "1", "1.0000"],
        ["2", "1", "0.0000"],
        ["3", "1", "0.0000"],
        ["4", "0", "-"],
    ]
    assert lines[6].endswith("[0.0000, 1.0000]")


def test_number_of_classes():
    votes = js.Votes(np.zeros((4, 6), np.int32), np.zeros(4, np.int32))
    with_votes = certificates(FOUR.label, FOUR.radius, votes=votes)
    assert len(analysis.class_wise_accuracy(FOUR, LABELS).n) == 4
    assert len(analysis.class_wise_accuracy(with_votes, LABELS).n) == 6
    with pytest.raises(ValueError, match=r"labels must be between 0 and 5.*got 6"):
        analysis.class_wise_accuracy(with_votes, [6, 0, 0, 0])


def test_summary_prints_the_radius_next_to_n_and_alpha():
    votes = js.Votes(np.full((4, 5), 200, np.int32), np.zeros(4, np.int32))
    found = certificates(
        FOUR.label, [0.5, 0.99999, 2.0, 0.0], votes=votes, noise=js.noises.Gaussian(0.5), norm=2.0, alpha=0.001
    )
    result = analysis.summary(found, LABELS, [0, 0.5, 1])
    assert result.images == 4 and result.n == (1000, 1000) and result.samples == 1100
    assert result.certified_accuracy.tolist() == [0.5, 0.5, 0.0]
    assert result.clean_accuracy == 0.5 and result.abstention_rate == 0.25
    assert result.standard_error == pytest.approx(np.std([0.5, 0.99999, 0, 0], ddof=1) / 2)
    lines = str(result).splitlines()
    assert lines[0] == "4 images, Gaussian(sigma=0.5), n = 1000, alpha = 0.001"
    assert lines[1].split() == ["l2", "radius", "certified", "accuracy"]
    assert lines[3].split() == ["0.5", "0.5000"]
    # 1.49999 / 4 = 0.3749975, rounded down.
    assert "average certified radius  0.3749 (" in lines[5] and "n = 1000, alpha = 0.001)" in lines[5]
    assert "n unknown, alpha unknown" in str(analysis.summary(FOUR, LABELS, 0.5))
    linf = certificates(FOUR.label, FOUR.radius, norm=np.inf)
    assert "linf radius" in str(analysis.summary(linf, LABELS, 0.5))


@pytest.mark.parametrize(
    "score",
    [
        lambda c, y: analysis.certified_accuracy(c, y, 0.5),
        analysis.average_certified_radius,
        analysis.class_wise_accuracy,
        lambda c, y: analysis.summary(c, y, [0.5]),
        analysis.plot_certified_accuracy,
    ],
)
@pytest.mark.parametrize(
    ("found", "labels", "error", "message"),
    [
        (FOUR, LABELS[:3], ValueError, r"labels must have shape \(4,\), one for each image; got \(3,\)"),
        (FOUR, 3, ValueError, "labels must have shape"),
        (FOUR, LABELS - 1, ValueError, "labels must be at least 0.*got -1"),
        (FOUR, LABELS * 1.0, TypeError, "labels must be integers.*float64"),
        (FOUR.radius, LABELS, TypeError, "certificates must be Certificates.*ndarray"),
        (certificates([1] * 4, [1, 2, np.nan, 3]), LABELS, ValueError, "certificates.radius must be finite"),
        (certificates([1] * 4, [1, 2, -1, 3]), LABELS, ValueError, "certificates.radius .*at least 0; got -1"),
        (certificates([1] * 4, [1, 2]), LABELS, ValueError, "one entry per image"),
    ],
)
def test_bad_certificates_and_labels(score, found, labels, error, message):
    with pytest.raises(error, match=message):
        score(found, labels)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: analysis.certified_accuracy(FOUR, LABELS, -0.1), "radii must be finite and at least 0; got -0.1"),
        (lambda: analysis.certified_accuracy(FOUR, LABELS, [np.nan]), "radii must be finite"),
        (lambda: analysis.summary(FOUR, LABELS, [np.inf]), "radii must be finite"),
        (lambda: analysis.class_wise_accuracy(FOUR, LABELS, radius=-1), "radius must be finite and at least 0"),
        (lambda: analysis.class_wise_accuracy(FOUR, LABELS, radius=[0, 1]), "radius must be one number"),
        (lambda: analysis.class_wise_accuracy(FOUR, LABELS, alpha=0), "alpha must be strictly between 0 and 1"),
        (lambda: analysis.class_wise_accuracy(FOUR, LABELS, num_classes=0), "num_classes must be at least 1; got 0"),
        (lambda: analysis.class_wise_accuracy(FOUR, LABELS, num_classes=3), "num_classes = 3 is too small.*label 3"),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def _made(label, counts, invalid, alpha=0.001, reason=None):
    counts, invalid = np.asarray(counts), np.asarray(invalid)
    radius = np.where(np.asarray(label) >= 0, 0.5, 0.0)
    half = np.full(len(label), 0.5)
    return js.Certificates(
        np.asarray(label), radius, half, half, np.full(len(label), 100), js.Votes(counts, invalid), alpha=alpha,
        reason=reason,
    )  # fmt: skip


def test_the_summary_says_what_is_suspicious():
    agreed, split = [[100, 0]] * 4, [[99, 1], [95, 5], [97, 3], [100, 0]]
    none, some = [0] * 4, [50, 0, 0, 0]
    cases = [
        (_made([0] * 4, split, none), []),
        (_made([0] * 4, agreed, none), ["n alone limits the radii"]),
        (_made([0] * 4, agreed, none, reason=np.array(["all votes drawn"] * 4)), ["n alone limits the radii"]),
        (_made([0] * 4, agreed, none, reason=np.array(["all radii certified"] * 4)), []),
        (_made([0] * 3, agreed[:3], none[:3]), []),
        (_made([0, 0, 0, -1], split, none), []),
        (_made([-1] * 4, [[50, 50]] * 4, none), ["every image abstains"]),
        (_made([-1] * 4, [[0, 0]] * 4, [100] * 4), ["100.0% of the votes are invalid", "every image abstains"]),
        (_made([0] * 4, [[50, 0], *split[1:]], some), ["12.5% of the votes are invalid"]),
        (_made([0] * 4, split, none, alpha=0.999), ["alpha = 0.999"]),
        (_made([0] * 4, split, none, alpha=0.05), []),
    ]
    for certificates, expected in cases:
        made = js.analysis.summary(certificates, [0] * len(certificates), [0.0])
        assert len(made.notes) == len(expected), made.notes
        for note, words in zip(made.notes, expected, strict=True):
            assert words in note and f"note: {note}" in str(made)


def test_proved_numbers_print_on_their_safe_side():
    """Radii and probabilities down, widths and errors up; exactly what was asked where that has few digits."""
    votes = js.Votes(np.full((1, 2), 50), np.zeros(1, int), "binned")
    values = js.ValueCertificates(
        np.zeros(1), np.zeros((1, 2)), np.full((1, 2), 0.00004), np.full(1, 100), votes, np.array(["all"], object),
        (0.25, 0.123466), (-1.0, 1.0), 0.5, js.noises.Gaussian(0.5),
    )  # fmt: skip
    found = analysis.value_summary(values, np.full(1, 0.00002))
    assert list(found.columns)[1:4] == ["bounded at 0.25", "width at 0.25", "certified error at 0.25"]
    rows = [line.split() for line in str(found).splitlines()[2:4]]
    assert rows[0] == ["0.25", "1.0000", "4e-05", "2e-05"] and rows[1][0] == "0.1234"
    assert analysis.summary_table({"run": found}).splitlines()[1].split()[-2:] == ["0.0001", "0.0001"]
    attack = js.diagnostics.Attack(
        np.array([1.00006]),
        np.zeros((1, 2), np.float32),
        np.array([1]),
        np.array([0]),
        np.array([1.00009]),
        np.array([9]),
    )
    assert "upper / certified 0.99" in str(attack) and {"1.001", "1"} <= set(str(attack).split())
    over = js.diagnostics.RadiusOverSigma(*(np.array([0.99999]) for _ in range(3)), np.array([0]), np.array([0.99999]))
    assert repr(over).startswith("RadiusOverSigma(r=[0.9999], p_lower=[0.9999], cap=[0.9999], label=[0]")
