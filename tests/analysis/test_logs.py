"""Logs: what is written is never more than was proved, every variant in circulation is read, the rest refused."""

import datetime
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxsmooth as js
import jaxsmooth.analysis as analysis
from jaxsmooth._printed import rounded_down
from jaxsmooth.analysis.log_format import radius_text

DATA = Path(__file__).parent / "data"
HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
ROW = "20\t7\t7\t0.413\t1\t17.2\n"


def certificates(label, radius, **fields):
    n = len(label)
    unknown = np.full(n, np.nan)
    return js.Certificates(
        np.asarray(label, np.int32), np.asarray(radius, np.float64), unknown, unknown, np.full(n, 1100), **fields
    )


def log(tmp_path, text, name="log.tsv"):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


rows = st.lists(
    st.tuples(
        st.integers(0, 999),
        st.integers(-1, 999),
        st.floats(0, 1e6) | st.floats(0, 5, width=32) | st.decimals(0, 5, places=3).map(float),
        st.floats(0, 1e6),
    ),
    max_size=20,
)


@given(rows)
def test_round_trip(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("log") / "log.tsv"
    label, predict, radius, times = ([row[i] for row in table] for i in range(4))
    radius = [r if p >= 0 else 0.0 for r, p in zip(radius, predict, strict=True)]
    ids = np.arange(len(table)) * 20 + 3
    written = certificates(predict, radius)
    analysis.write_log(path, written, np.array(label, int), image_ids=ids, times=times)
    read, labels = analysis.read_log(path)
    np.testing.assert_array_equal(read.label, written.label)
    np.testing.assert_array_equal(labels, label)
    np.testing.assert_array_equal(analysis.read_log_ids(path), ids)
    assert (read.label.dtype, labels.dtype, read.radius.dtype) == (np.int32, np.int32, np.float64)
    # Never above the truth, and below it by less than one unit of the ninth digit.
    assert (read.radius <= written.radius).all()
    assert (read.radius >= written.radius * (1 - 1.0001e-8) - 5e-324).all()
    # What was read is what is written again: logs do not shrink from copy to copy.
    again = path.with_name("again.tsv")
    analysis.write_log(again, read, labels, image_ids=ids, times=times)
    assert again.read_text() == path.read_text()


@given(st.floats(0, 1e308))
def test_radius_text(radius):
    text = radius_text(radius)
    assert float(text) <= radius
    assert len(re.sub(r"e.*|[.]", "", text).lstrip("0")) <= 9
    assert radius_text(float(text)) == text


@pytest.mark.parametrize(
    ("radius", "text"),
    [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (0.953, "0.953"),
        (1.9057, "1.9057"),
        (2 / 3, "0.666666666"),
        (1e-7 / 3, "3.33333333e-08"),
    ],
)
def test_radius_text_keeps_the_look_of_the_field(radius, text):
    assert radius_text(radius) == text


def test_rounded_down():
    assert [rounded_down(v, 3) for v in (0.953, 1.9999, 0.0, 2.0)] == ["0.953", "1.999", "0.000", "2.000"]
    assert rounded_down(float("nan"), 3) == "nan"


def test_what_is_written(tmp_path):
    path = tmp_path / "log.tsv"
    times = [15.4, datetime.timedelta(hours=25, seconds=1.5)]
    analysis.write_log(path, certificates([3, -1], [2 / 3, 0.0]), [3, 7], image_ids=[0, 20], times=times)
    assert path.read_bytes().decode() == (
        HEADER + "0\t3\t3\t0.666666666\t1\t0:00:15.400000\n" + "20\t7\t-1\t0.0\t0\t25:00:01.500000\n"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.tsv", "log.tsv.json"]
    # A reader that splits at tabs and calls float and int needs no change.
    table = np.genfromtxt(path, delimiter="\t", names=True, dtype=None, encoding="utf-8")
    assert table["radius"].tolist() == [0.666666666, 0.0] and table["predict"].tolist() == [3, -1]


@pytest.mark.parametrize(
    ("noise", "norm"),
    [
        (js.noises.Gaussian(0.25), 2.0),
        (js.noises.Gaussian(np.float32(0.5)), np.inf),
        (js.noises.Uniform(0.25), 1.0),
        (js.noises.ExpInf(0.5, k=2.0), 2.0),
        (js.noises.LatticeGaussian(0.25), 2.0),
        (js.noises.Splits(0.25, seed=3), 1.0),
        (None, 2.0),
    ],
)
def test_the_file_beside_the_log(tmp_path, noise, norm):
    votes = js.Votes(np.full((2, 10), 100, np.int32), np.zeros(2, np.int32))
    written = certificates([3, -1], [0.5, 0.0], noise=noise, norm=norm, alpha=0.001, votes=votes)
    analysis.write_log(tmp_path / "log.tsv", written, [3, 7])
    meaning = json.loads((tmp_path / "log.tsv.json").read_text())
    assert (meaning["n"], meaning["alpha"], meaning["samples"]) == (1000, 0.001, 1100)
    assert meaning["norm"] == ("inf" if norm == np.inf else norm)
    assert meaning["sigma"] == (None if noise is None else noise.sigma)
    read, _ = analysis.read_log(tmp_path / "log.tsv")
    assert (read.noise, read.norm, read.alpha) == (noise, norm, 0.001)
    np.testing.assert_array_equal(read.votes.counts, votes.counts)
    assert read.samples.tolist() == [1100, 1100]


def test_certificates_without_chance_have_no_alpha(tmp_path):
    written = certificates([3, -1], [0.5, 0.0], noise=js.noises.Splits(0.25), norm=1.0, alpha=0.0)
    analysis.write_log(tmp_path / "log.tsv", written, [3, 7])
    assert analysis.read_log(tmp_path / "log.tsv")[0].alpha == 0


def test_unequal_samples_and_a_noise_that_is_no_number(tmp_path):
    scale = type("Scale", (), {})()
    odd = js.noises.Gaussian(0.25)
    object.__setattr__(odd, "sigma", scale)
    found = certificates([3, 1], [0.5, 0.5], noise=odd)
    object.__setattr__(found, "samples", np.array([100, 2000]))
    analysis.write_log(tmp_path / "log.tsv", found, [3, 7])
    read, _ = analysis.read_log(tmp_path / "log.tsv")
    assert read.samples.tolist() == [100, 2000]
    assert read.noise == "Gaussian"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"image_ids": [0]}, ValueError, r"image_ids must have shape \(2,\)"),
        ({"image_ids": [0, -1]}, ValueError, "image_ids must be at least 0; got -1"),
        ({"image_ids": [0.0, 1.0]}, TypeError, "image_ids must be integers"),
        ({"times": [1.0]}, ValueError, "times must have one entry per certificate, 2; got 1"),
        ({"times": [1.0, -1.0]}, ValueError, "times must be finite and at least 0 seconds; got -1"),
        ({"times": [1.0, np.nan]}, ValueError, "times must be finite"),
        ({"labels": [1]}, ValueError, "labels must have shape"),
    ],
)
def test_write_refuses_and_leaves_the_old_log(tmp_path, fields, error, message):
    path = log(tmp_path, "precious")
    with pytest.raises(error, match=message):
        analysis.write_log(path, certificates([3, -1], [0.5, 0.0]), **({"labels": [3, 7]} | fields))
    assert path.read_text() == "precious"


def test_published_logs():
    seconds, labels = analysis.read_log(DATA / "cohen_2019_cifar10_sigma025.tsv")
    assert (len(seconds), seconds.radius[0], seconds.label[1], labels[1]) == (40, 0.378, -1, 7)
    assert np.isnan(seconds.p_lower).all() and np.isnan(seconds.p_upper).all() and not seconds.samples.any()
    assert (seconds.noise, seconds.norm, seconds.alpha, seconds.votes) == (None, 2, None, None)
    assert analysis.read_log_ids(DATA / "cohen_2019_cifar10_sigma025.tsv").tolist() == list(range(0, 800, 20))
    clock, _ = analysis.read_log(DATA / "cohen_2019_imagenet_sigma050.tsv")
    assert (len(clock), clock.radius[0], clock.label[0]) == (40, 0.0125, 394)


VARIANTS = {
    "plain seconds": "0\t3\t3\t0.378\t1\t15\n",
    "whole seconds by the clock": "0\t3\t3\t0.378\t1\t0:00:15\n",
    "days": "0\t3\t3\t0.378\t1\t1 day, 2:00:15.25\n20\t3\t3\t0.1\t1\t12 days, 0:00:00\n",
    "four decimals": "0\t3\t3\t0.3780\t1\t15.4\n20\t7\t-1\t0.0000\t0\t1.\n",
    "exponents": "0\t3\t3\t4.88e-05\t1\t15.4\n",
    "seconds with an exponent": "0\t3\t3\t0.378\t1\t9e-05\n20\t3\t5\t0.1\t0\t1.5E+1\n",
    "truth values": "0\t3\t3\t0.378\tTrue\t15.4\n20\t3\t5\t0.1\tFalse\t15.4\n40\t7\t-1\t0.0\tFalse\t1\n",
    "many digits": "0\t3\t3\t0.37812345678901234567890\t1\t15.4\n",
    "no rows": "",
    "no last newline": ROW.rstrip(),
    "windows": ROW.replace("\n", "\r\n"),
    "blank end": ROW + "\n\n",
    "a wrong label keeps its radius": "0\t3\t5\t1.5\t0\t15.4\n",
    "certified at zero": "0\t3\t3\t0.0\t1\t15.4\n",
}


@pytest.mark.parametrize("name", ["log.tsv", "noise_0.25_3870", "sigma_0.50", "log_o"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_in_circulation(tmp_path, variant, name):
    header = HEADER.replace("\n", "\r\n") if variant == "windows" else HEADER
    found, labels = analysis.read_log(log(tmp_path, header + VARIANTS[variant], name))
    expected = [line.split("\t") for line in VARIANTS[variant].split("\n") if line.strip()]
    assert found.radius.tolist() == [float(row[3]) for row in expected]
    assert found.label.tolist() == [int(row[2]) for row in expected]
    assert labels.tolist() == [int(row[1]) for row in expected]


def test_a_byte_order_mark_is_no_matter(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).encode())
    assert len(analysis.read_log(path)[0]) == 1


def test_correct_is_decided_anew(tmp_path):
    cumulative = "0\t3\t3\t0.5\t1\t1\n1\t4\t4\t0.5\t2\t1\n2\t5\t6\t0.5\t2\t1\n"
    path = log(tmp_path, HEADER + cumulative)
    with pytest.warns(analysis.LogWarning, match=r"log.tsv, line 3: correct is 2 .* in 2 of 3 rows") as caught:
        found, labels = analysis.read_log(path)
    assert caught[0].filename == __file__
    assert analysis.certified_accuracy(found, labels, 0.5) == 2 / 3


def test_contradictions_are_told(tmp_path):
    with pytest.warns(analysis.LogWarning, match="line 4: image 20 was in line 2 already; 1 rows count twice"):
        analysis.read_log(log(tmp_path, HEADER + ROW + ROW.replace("20", "40", 1) + ROW))
    path = tmp_path / "cut.tsv"
    analysis.write_log(path, certificates([3, -1], [0.5, 0.0]), [3, 7])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.warns(analysis.LogWarning, match="about 2 images and the log has 1"):
        analysis.read_log(path)
    (tmp_path / "cut.tsv.json").write_text("{")
    with pytest.raises(ValueError, match=r"cut.tsv.json: not as write_log leaves it .*delete it"):
        analysis.read_log(path)


def predict_log(columns):
    return columns.replace(" ", "\t") + "\n0\t3\t3\t1\t0:00:15\n"


REFUSED = {
    "prediction log": (predict_log("idx label predict correct time"), "line 1: a log of predictions"),
    "prediction log of a base": (predict_log("idx label basePredict predict correct time"), "a log of predictions"),
    "class scores": (predict_log("idx label p1 p2 c1 c2 correct time"), "line 1: a log of smoothed class scores"),
    "accuracies": ("0.0\t0.74800\n0.005\t0.74600\n", "line 1: a table of certified accuracies"),
    "training": ("epoch\ttime\tlr\ttrain loss\ttrain acc\ttestloss\ttest acc\n", "line 1: a log of training"),
    "headless": (ROW, "line 1: a log without its header"),
    "empty": ("", "line 1: an empty file"),
    "prose": ("hello\n", "line 1: not a log of certificates, its first line is 'hello'"),
    "spaces for tabs": (HEADER.replace("\t", " "), "The header must be, with tabs: idx label predict radius"),
    "torn row": (HEADER + ROW + "40\t7\t7\t0.4", "line 3: 4 fields instead of 6; .*delete the line"),
    "torn middle": (HEADER + "20\t7\n" + ROW, "line 2: 2 fields instead of 6"),
    "blank middle": (HEADER + ROW + "\n" + ROW, "line 3: 1 fields instead of 6"),
    "two runs": (HEADER + ROW + HEADER + ROW, "line 3: a second header; .*split it"),
    "word": (HEADER + ROW.replace("0.413", "big"), "line 2: radius must be a finite number, got 'big'"),
    "comma": (HEADER + ROW.replace("0.413", "0,413"), "radius must be a finite number, got '0,413'"),
    "negative": (HEADER + ROW.replace("0.413", "-0.4"), "radius must be finite and at least 0, got -0.4"),
    "nan": (HEADER + ROW.replace("0.413", "nan"), "radius must be a finite number, got 'nan'"),
    "inf": (HEADER + ROW.replace("0.413", "inf"), "radius must be a finite number, got 'inf'"),
    "overflow": (HEADER + ROW.replace("0.413", "1e999"), "radius must be finite and at least 0, got inf"),
    "idx": (HEADER + ROW.replace("20", "x", 1), "line 2: idx must be an integer, got 'x'"),
    "negative idx": (HEADER + ROW.replace("20", "-20", 1), "idx must be at least 0 and fit into int64, got -20"),
    "idx beyond int64": (HEADER + ROW.replace("20", str(2**63), 1), f"idx must be .*, got {2**63}"),
    "label": (HEADER + "20\t-1\t7\t0.4\t0\t1\n", "label must be a class, at least 0, got -1"),
    "label as a decimal": (HEADER + "20\t7.0\t7\t0.4\t0\t1\n", "label must be an integer, got '7.0'"),
    "predict": (HEADER + "20\t7\t-2\t0.4\t0\t1\n", "predict must be a class or -1 for an abstention, got -2"),
    "huge": (HEADER + "20\t7\t99999999999\t0.4\t0\t1\n", "predict must be a class"),
    "abstention with a radius": (HEADER + "20\t7\t-1\t0.4\t0\t1\n", "line 2: an abstention with radius 0.4"),
    "time": (HEADER + "20\t7\t7\t0.4\t1\tsoon\n", "time must be seconds or h:mm:ss.ffffff, got 'soon'"),
    "negative time": (HEADER + "20\t7\t7\t0.4\t1\t-9e-05\n", "line 2: time must be seconds or .*, got '-9e-05'"),
    "time nan": (HEADER + ROW + "40\t7\t7\t0.4\t1\tnan\n", "line 3: time must be seconds or .*, got 'nan'"),
    "correct": (HEADER + "20\t7\t7\t0.4\tyes\t1\n", "correct must be an integer, got 'yes'"),
    "correct half": (HEADER + "20\t7\t7\t0.4\t0.5\t1\n", "line 2: correct must be an integer, got '0.5'"),
    "label true": (HEADER + "20\tTrue\t7\t0.4\t1\t1\n", "line 2: label must be an integer, got 'True'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_log_of_certificates(tmp_path, case):
    text, message = REFUSED[case]
    path = log(tmp_path, text)
    for read in (analysis.read_log, analysis.read_log_ids):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"MATLAB 5.0 MAT-file\x00\x00\x01IM", b"\x93NUMPY\x01\x00v\x00", b"\xff\xfe\x00"])
def test_binary_files(tmp_path, content):
    (tmp_path / "radii.mat").write_bytes(content)
    with pytest.raises(ValueError, match=r"radii.mat, line 1: a binary file"):
        analysis.read_log(tmp_path / "radii.mat")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent.tsv"):
        analysis.read_log(tmp_path / "absent.tsv")
