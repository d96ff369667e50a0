"""Certificates and votes as sequences, tables and files."""

import html

import jax
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth._pytree import named_class
from jaxsmooth._verbs.check_classifier import ClassifierCheck
from jaxsmooth._verbs.self_check import Check, SelfCheck
from jaxsmooth.sampling.throughput import Throughput

SELECTION = np.array([[9, 1, 0], [4, 6, 0], [5, 5, 0], [0, 0, 10], [3, 3, 4]])
COUNTS = np.array([[950, 50, 0], [300, 700, 0], [500, 500, 0], [0, 0, 1000], [300, 300, 400]])
INVALID = np.array([0, 0, 0, 0, 7])
NOISE = js.noises.Gaussian(0.25)
MADE = js.certificates(SELECTION, js.Votes(COUNTS, INVALID), NOISE, dim=64)


def test_iteration_ends():
    for sequence in (MADE, MADE.votes, js.Votes(js.Votes(COUNTS, INVALID).counts, INVALID)):
        assert len(list(sequence)) == len(sequence) == 5
        assert [len(part) if isinstance(part, js.Certificates) else 1 for part in sequence] == [1] * 5
        assert len(np.asarray(sequence)) == 5
        for index in (5, -6, np.int64(7)):
            with pytest.raises(IndexError, match="out of range for 5 images"):
                sequence[index]
    assert [int(part.label[0]) for part in MADE] == MADE.label.tolist()
    assert [part.counts.tolist() for part in MADE.votes] == COUNTS.tolist()


@pytest.mark.parametrize("pick", [slice(1, 4), np.array([True, False, True, False, True]), np.array([4, 0, 0]), -1, 2])
def test_picking(pick):
    picked = MADE[pick]
    places = np.atleast_1d(np.arange(5)[pick])
    np.testing.assert_array_equal(picked.radius, MADE.radius[places])
    np.testing.assert_array_equal(picked.votes.counts, COUNTS[places])
    np.testing.assert_array_equal(picked.rule, MADE.rule[places])


def test_equality():
    again = js.certificates(SELECTION, js.Votes(COUNTS, INVALID), NOISE, dim=64)
    assert MADE == again and not MADE != again
    for other in (MADE[:4], js.certificates(SELECTION, COUNTS, NOISE, dim=64), "text", None):
        assert MADE != other
    assert MADE != js.certificates(SELECTION, js.Votes(COUNTS, INVALID), js.noises.Gaussian(0.5), dim=64)
    assert js.Votes(COUNTS, INVALID) == js.Votes(COUNTS, INVALID) != js.Votes(COUNTS, INVALID + 1)


def test_repr_is_short_whatever_the_number_of_images():
    many = js.concatenate([MADE] * 2000)
    assert len(many) == 10_000
    for shown in (repr(many), repr(many.votes), repr(MADE)):
        assert shown.count("\n") <= 6 and len(shown) < 600
    assert "Certificates of 10000 images" in repr(many) and "Gaussian(sigma=0.25)" in repr(many)
    page = many._repr_html_()
    assert page.count("<tr>") == 4 and len(page) < 2000 and "Gaussian(sigma=0.25)" in page
    assert "0 images" in repr(MADE[:0]) and "0 images" in MADE[:0]._repr_html_()


def test_votes_of_many_classes_and_values_with_large_arrays_are_short():
    counts = np.zeros((5, 1000), int)
    counts[:, [3, 7, 9, 11]] = 900, 60, 30, 10
    shown = repr(js.Votes(counts, np.zeros(5, int)))
    row = "{3: 900, 7: 60, 9: 30, ...}"
    assert shown == f"Votes of 5 images in 1000 classes, 0 invalid: {row}, {row}, {row}, ..."
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(np.zeros((500, 28, 28)), sigma=0.25, rate=0.01))
    assert "float32[500, 28, 28]" in repr(noise) and len(repr(noise)) < 200
    weights = {f"layer {i}": {"kernel": np.ones((64, 64)), "bias": np.ones(64)} for i in range(20)}
    assert repr(js.interop.LinenClassifier(weights, None, ())).startswith(
        "LinenClassifier(variables=dict of 40 arrays, 83,200 numbers, "
    )
    assert "<code>Votes of 5" in js.Votes(counts, np.zeros(5, int))._repr_html_() and "<code>" in noise._repr_html_()


def test_what_prints_as_a_table_shows_it():
    summary = js.analysis.summary(MADE, np.zeros(5, int), [0, 0.25])
    by_class = js.analysis.class_wise_accuracy(MADE, np.zeros(5, int))
    estimate = js.analysis.estimate_curve(js.Votes(COUNTS, INVALID), np.zeros(5, int), NOISE, [0.25])
    checks = SelfCheck((Check("a < b", True, "c"),), "a device"), ClassifierCheck((), 3)
    for shown in (summary, by_class, estimate, *checks, Throughput(1.0, 1.0, 1.0, 1, "cpu", 64)):
        assert repr(shown) == str(shown) and shown._repr_html_() == f"<pre>{html.escape(str(shown))}</pre>"


def test_columns():
    columns = MADE.to_dict()
    assert list(columns) == ["label", "radius", "p_lower", "p_upper", "samples", "invalid", "rule"]
    assert {column.shape for column in columns.values()} == {(5,)}
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns)
    assert frame.shape == (5, 7) and frame.radius.tolist() == MADE.radius.tolist()


def test_rules_have_a_name_and_a_source():
    assert MADE.rule[0].name == "cohen_2019" and "Theorem 1" in MADE.rule[0].source
    assert MADE.rule[2] == "" and MADE.rule[2].name == ""


def test_votes_are_as_those_that_are_counted():
    assert {MADE.votes.counts.dtype, MADE.votes.invalid.dtype} == {np.dtype(np.int32)}
    many = js.certificates([[2, 1]], [[2**31, 1]], NOISE, dim=64)
    assert many.votes.counts.tolist() == [[2**31, 1]]


def test_concatenate():
    assert js.concatenate([MADE[:2], MADE[2:]]) == MADE
    assert js.concatenate([MADE[i] for i in range(5)]) == MADE
    other = js.certificates(SELECTION, COUNTS, NOISE, dim=64, alpha=0.01)
    with pytest.raises(ValueError, match="of one alpha"):
        js.concatenate([MADE, other])
    with pytest.raises(ValueError, match="at least one"):
        js.concatenate([])
    with pytest.raises(TypeError, match=r"certificates\[1\] must be Certificates"):
        js.concatenate([MADE, MADE.label])


NOISES = [
    NOISE,
    js.noises.Exp2(np.float32(0.3), k=3.0, j=1),
    js.noises.PowInf(0.25),
    js.noises.InputDependentGaussian(js.scales.KNNScale(np.eye(4, dtype=np.float32), 0.5, 0.1, k=2)),
    js.noises.InputDependentGaussian(js.scales.clip(js.scales.Constant(0.5), 0.1, 0.6)),
    None,
]  # fmt: skip


@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_files_lose_nothing(noise, tmp_path):
    import dataclasses

    path = tmp_path / "certificates.npz"
    certificates = dataclasses.replace(
        MADE, noise=noise, norm=np.inf, reason=np.array(["a", "b", "", "a", "c"], object)
    )
    certificates.save(path)
    loaded = js.Certificates.load(path)
    assert loaded == certificates and type(loaded.noise) is type(noise)
    for name in ("label", "radius", "p_lower", "samples"):
        assert getattr(loaded, name).dtype == getattr(MADE, name).dtype
    assert loaded.rule[0].name == "cohen_2019"
    assert [entry.name for entry in tmp_path.iterdir()] == ["certificates.npz"]
    path.chmod(0o604)
    loaded.save(path)
    assert path.stat().st_mode & 0o777 == 0o604


# What files of 0.2.0 call the classes that they hold.
NAMES = {
    "_types": "Votes",
    "noises.exp1": "Exp1",
    "noises.exp2": "Exp2",
    "noises.exp_inf": "ExpInf",
    "noises.expp": "Expp",
    "noises.gaussian": "Gaussian",
    "noises.input_dependent": "GaussianAt InputDependentGaussian",
    "noises.laplace": "Laplace",
    "noises.lattice_gaussian": "LatticeGaussian",
    "noises.lattice_uniform": "LatticeUniform",
    "noises.pareto": "Pareto",
    "noises.pow2": "Pow2",
    "noises.pow_inf": "PowInf",
    "noises.splits": "Splits",
    "noises.uniform": "Uniform",
    "noises.uniform_ball": "UniformBall",
    "scales.combine": "ClippedScale ExtremeScale",
    "scales.constant": "Constant",
    "scales.nearest": "KNNScale",
}


@pytest.mark.parametrize("module", NAMES)
def test_classes_in_files_of_earlier_versions_are_found(module):
    for name in NAMES[module].split():
        assert named_class(f"jaxsmooth.{module}:{name}").__name__ == name


def test_what_no_file_can_hold(tmp_path):
    import dataclasses

    scale = js.scales.LipschitzScale(lambda x: x.sum(-1), 1.0)
    bad = dataclasses.replace(MADE, noise=js.noises.InputDependentGaussian(scale))
    with pytest.raises(TypeError, match="cannot be saved"):
        bad.save(tmp_path / "bad.npz")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "other.npz").write_bytes(b"something else")
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    np.save(tmp_path / "labels.npy", np.ones(3))
    for name in ("other.npz", "arrays.npz", "labels.npy"):
        with pytest.raises(ValueError, match="path must be a file"):
            js.Certificates.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        js.Certificates.load(tmp_path / "missing.npz")


def test_any_damage_of_a_file_is_a_value_error_or_harmless(tmp_path):
    made = js.certify(jax.random.key(0), lambda x: x, js.noises.Gaussian(0.5), np.eye(3, dtype=np.float32), n=100)
    made.save(tmp_path / "whole.npz")
    content, rng, found = (tmp_path / "whole.npz").read_bytes(), np.random.default_rng(0), 0
    for at in rng.integers(0, 8 * len(content), 600).tolist():
        bad = bytearray(content)
        bad[at // 8] ^= 1 << at % 8
        (tmp_path / "bad.npz").write_bytes(bad)
        try:
            assert js.Certificates.load(tmp_path / "bad.npz") == made
        except ValueError:
            found += 1
    assert found > 300


@pytest.mark.parametrize(
    ("selection", "votes", "options", "error", "message"),
    [
        (SELECTION, COUNTS[:3], {}, ValueError, "same images and classes"),
        (SELECTION[:, :2], COUNTS, {}, ValueError, "same images and classes"),
        (SELECTION / 2, COUNTS, {}, TypeError, "selection must be Votes or integers"),
        (SELECTION, -COUNTS, {}, ValueError, "votes must be at least 0"),
        (SELECTION, COUNTS[:, 0], {}, ValueError, "votes must be Votes or integers"),
        (SELECTION, COUNTS, {"alpha": 1}, ValueError, "alpha must be"),
        (SELECTION, COUNTS, {"norm": 3}, ValueError, "norm must be"),
        (SELECTION, COUNTS, {"dim": 0}, ValueError, "dim must be"),
        (SELECTION, COUNTS, {"runner_up": "both"}, ValueError, "runner_up must be"),
        (SELECTION, np.ma.masked_less(COUNTS, 3), {}, TypeError, "masked"),
    ],
)
def test_bad_counts(selection, votes, options, error, message):
    with pytest.raises(error, match=message):
        js.certificates(selection, votes, NOISE, **{"dim": 64, **options})
