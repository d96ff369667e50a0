"""The command: what it prints is what the library says, and what cannot be done ends with a word and status 2."""

import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.__main__ as command
from jaxsmooth._command import devices
from jaxsmooth._command.words import noise_of
from jaxsmooth._verbs.self_check import Check, SelfCheck

DATA = pathlib.Path(__file__).parent / "analysis/data"
LOGS = [str(DATA / f"cohen_2019_cifar10_sigma{sigma}.tsv") for sigma in ("025", "050")]
NOISE, LABELS = js.noises.Gaussian(0.5), [0, 1, 0, 1]


def classify(batch):
    return jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory):
    """Two parts of one run, and the certificates of all of it."""
    folder = tmp_path_factory.mktemp("ledgers")
    x = jnp.array([[0.5, 0.5], [-0.2, -0.4], [0.9, -0.1], [0.01, 0.0]])
    run = lambda x, **more: js.certify(jax.random.key(0), classify, NOISE, x, n=1000, batch_size=64, **more)
    parts = [folder / "a.jsonl", folder / "b.jsonl"]
    for part, ids in zip(parts, ([0, 1], [2, 3]), strict=True):
        run(x[np.array(ids)], image_ids=ids, ledger=part)
    return parts, run(x)


def run(*words: object) -> int:
    return command.main([str(word) for word in words])


def test_a_process_reports_logs_and_draws_them(tmp_path):
    words = ["report", f"small={LOGS[0]}", LOGS[1], "--radii", "0", "0.5", "--figure", str(tmp_path / "curves.png")]
    done = subprocess.run([sys.executable, "-m", "jaxsmooth", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = {"small": LOGS[0], "cohen_2019_cifar10_sigma050": LOGS[1]}
    assert done.stdout == js.analysis.table(runs, [0, 0.5]) + "\n"
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_process_merges_and_recertifies(ledgers, tmp_path):
    parts, expected = ledgers
    (tmp_path / "labels.txt").write_text("\n".join(map(str, LABELS)))
    python = f"""
import sys
from jaxsmooth.__main__ import main
main(["merge", {str(parts[0])!r}, {str(parts[1])!r}, "--into", "all.jsonl"])
sys.exit(main(["recertify", "all.jsonl", "--labels", "labels.txt", "--output", "log.tsv"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", python], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(pathlib.Path(js.__file__).parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "wrote all.jsonl: votes of 4 images" in done.stdout and "wrote log.tsv" in done.stdout
    certificates, labels = js.analysis.read_log(tmp_path / "log.tsv")
    assert labels.tolist() == LABELS and certificates.noise == NOISE
    assert (certificates.radius == expected.radius).all() and (certificates.label == expected.label).all()


def test_recertify_at_another_alpha_norm_and_radii(ledgers, tmp_path, capsys):
    part, _ = ledgers[0]
    assert run("recertify", part, "--alpha", "1e-6", "--norm", "inf", "--output", tmp_path / "all.npz") == 0
    design = js.designs.Fixed(n=1000, alpha=1e-6, norm=np.inf)
    assert js.Certificates.load(tmp_path / "all.npz") == js.recertify(part, NOISE, design)
    assert "norm inf, alpha 1e-06" in capsys.readouterr().out
    assert run("recertify", part, "--n", "500", "--n0", "100") == 0
    assert str(js.recertify(part, NOISE, js.designs.Fixed(n=500))) in capsys.readouterr().out


def test_recertify_asks_for_n0_where_draws_that_selected_are_not_known(tmp_path, capsys):
    x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
    js.certify(jax.random.key(0), classify, NOISE, x, n0=10, n=1000, ledger=tmp_path / "votes")
    assert run("recertify", tmp_path / "votes") == 2
    assert run("recertify", tmp_path / "votes", "--n", "500") == 2
    assert "--n0 must be another one: " in (said := capsys.readouterr().err) and "first 100 draws of any image" in said
    assert run("recertify", tmp_path / "votes", "--n0", "10") == 0


def test_recertify_asks_for_n_where_votes_decided_how_many_there_are(tmp_path, capsys):
    """The draws of a sequential run are no n: a test at the number at which another one stopped errs more often."""
    x = jnp.array([[0.5, 0.5]])
    js.certify_adaptive(jax.random.key(0), classify, NOISE, x, n_max=1000, ledger=tmp_path / "votes")
    assert run("recertify", tmp_path / "votes") == 2
    assert "--n must be given, as it was chosen before the votes were seen" in capsys.readouterr().err
    js.certify(jax.random.key(0), classify, NOISE, x, n=700, ledger=tmp_path / "fixed")
    assert run("recertify", tmp_path / "fixed") == 0


def test_labels_of_recertify_are_by_image_id(tmp_path, capsys):
    """A file of labels has no ids, so they are in the order of the ids; or it has ids."""
    x = jnp.array([[0.5, 0.5], [-0.2, -0.4], [0.9, -0.1]])
    js.certify(jax.random.key(0), classify, NOISE, x, n=1000, image_ids=[9, 2, 5], ledger=tmp_path / "votes")
    (tmp_path / "by_id").write_text("9 0\n2 1\n5 0\n7 1\n")
    (tmp_path / "in_order").write_text("1\n0\n0\n")
    tables = []
    for labels in ("by_id", "in_order"):
        assert run("recertify", tmp_path / "votes", "--labels", tmp_path / labels) == 0
        told = capsys.readouterr()
        tables.append(told.out)
        assert ("labels are taken in the order of the image ids, 2, 5, 9\n" in told.err) == (labels == "in_order")
    assert tables[0] == tables[1] and "100.0" in tables[0]
    (tmp_path / "by_id").write_text("9 0\n2 1\n7 1\n")
    assert run("recertify", tmp_path / "votes", "--labels", tmp_path / "by_id") == 2
    assert "must have the label of every image; image 5 has none" in capsys.readouterr().err
    (tmp_path / "by_id").write_text("9 0\n2 1\n5 0\n9 1\n")
    assert run("recertify", tmp_path / "votes", "--labels", tmp_path / "by_id") == 2
    assert "must have one label of every image; some have several" in capsys.readouterr().err
    js.certify(jax.random.key(0), classify, NOISE, x[:1], n=1000, image_ids=[5], ledger=tmp_path / "one")
    (tmp_path / "by_id").write_text("5 0\n")
    assert run("recertify", tmp_path / "one", "--labels", tmp_path / "by_id") == 0
    assert "100.0" in capsys.readouterr().out


def test_ledgers_of_other_counts_are_sent_to_python(tmp_path, capsys):
    x = jnp.array([[0.5, 0.5]])
    maps = lambda batch: jnp.stack([-(y := batch[:, :, None].repeat(2, 2)), y], -1)
    js.certify_outputs(jax.random.key(0), maps, NOISE, x, tau=0.6, ledger=tmp_path / "outputs")
    js.certify_values(
        jax.random.key(0),
        lambda batch: batch.sum(-1),
        NOISE,
        x,
        0.1,
        edges=[-1.0, 1.0],
        n=200,
        ledger=tmp_path / "bins",
    )
    for name in ("outputs", "bins"):
        assert run("recertify", tmp_path / name, "--n", "100", "--n0", "10") == 2
        assert "call js.recertify with designs.Outputs, designs.Values" in capsys.readouterr().err


def test_a_ledger_without_images(ledgers, tmp_path, capsys):
    header = ledgers[0][0].read_text().splitlines(keepends=True)[0]
    (tmp_path / "votes").write_text(header)
    assert run("recertify", tmp_path / "votes") == 2
    assert "holds no votes" in capsys.readouterr().err


def test_recertify_and_numbers_of_double_precision(tmp_path, capsys):
    of = lambda noise, path: js.certify(jax.random.key(0), classify, noise, np.array([[0.5, 0.5]]), n=200, ledger=path)
    made = of(js.noises.ExpInf(0.1, k=0.25), tmp_path / "votes")
    assert run("recertify", tmp_path / "votes") == 0 and str(made) in capsys.readouterr().out
    of(js.noises.LatticeGaussian(1 / 3, step=1 / 8), tmp_path / "lattice")
    assert run("recertify", tmp_path / "lattice") == 2
    assert "sigma=0.33333334, step=0.125) with more digits" in capsys.readouterr().err


def test_recertify_certificates_without_chance(tmp_path, capsys):
    x = np.array([[200, 100], [0, 3]], np.uint8)
    made = js.certify_exact(classify, js.noises.Splits.from_levels(12), x, batch_size=64, ledger=tmp_path / "views")
    assert run("recertify", tmp_path / "views", "--alpha", "0.01", "--n", "5") == 2
    assert "--n, --alpha must be left out of certificates without chance" in capsys.readouterr().err
    assert run("recertify", tmp_path / "views") == 0
    assert str(made) in capsys.readouterr().out


def test_self_check_decides_the_status(monkeypatch, capsys):
    for passed in (True, False):
        report = SelfCheck((Check("a", passed, "b"),), "a device")
        monkeypatch.setattr(devices, "self_check", lambda mesh, report=report: report)
        assert run("self-check") == 1 - passed
        assert str(report) in capsys.readouterr().out


def test_throughput_imports_the_classifier(monkeypatch, capsys, tmp_path):
    (tmp_path / "my_model.py").write_text("classify = lambda x: x.reshape(len(x), -1)[:, :3]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    asked = {}
    monkeypatch.setattr(devices, "measure_throughput", lambda *given, **more: asked.update(given=given, **more))
    assert run("throughput", "my_model:classify", "--shape", 4, 4, 1, "--sigma", 0.5, "--batch-size", 64) == 0
    _, classify, noise, x = asked["given"]
    assert classify(x).shape == (1, 3) and noise == NOISE and asked["batch_size"] == 64
    assert run("throughput", "my_model:other", "--shape", "4") == 2
    assert "the module my_model has no other" in capsys.readouterr().err


def log(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    certificates = js.Certificates(np.array([0]), np.array([0.5]), np.array([0.9]), np.array([0.1]), np.array([10]))
    js.analysis.write_log(folder / "certificates.tsv", certificates, [0])
    return folder


def test_runs_are_named_by_what_tells_them_apart(tmp_path, capsys):
    first, second = log(tmp_path / "first"), log(tmp_path / "second")
    assert run("report", first, second / "certificates.tsv", "--format", "csv") == 0
    names = [row.split(",")[0] for row in capsys.readouterr().out.splitlines()]
    assert names == ["run", "first/certificates", "second/certificates"]
    assert run("report", first) == 0 and capsys.readouterr().out.splitlines()[1].startswith("certificates ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "nowhere.tsv"], "jaxsmooth: nowhere.tsv: No such file"),
        (
            ["report", f"a={LOGS[0]}", f"a={LOGS[1]}"],
            "two runs have the same name, among a, a; name them with NAME=LOG",
        ),
        (["recertify", LOGS[0]], "is not a ledger"),
        (["recertify", "PART", "--output", "log.tsv"], "--output log.tsv is a log, which needs --labels"),
        (["recertify", "PART", "--n", "5"], "n = 5"),
        (["recertify", "PART", "--radii", "0.1"], "--n must be given with --radii: the n_max of the run"),
        (["report", LOGS[0], "--labels", "nowhere.npy"], "--labels must be left out of logs"),
        (["report", LOGS[0], "--ignore-label", "1"], "--ignore-label must be left out of logs"),
        (
            ["recertify", "PART", "--radii", "0.1", "--n0", "5"],
            "--n0 must be left out of certificates of given --radii",
        ),
        (["recertify", "PART", "--labels", "nowhere.npy"], "nowhere.npy"),
        (["recertify", "PART", "--norm", "3"], "--norm must be 1, 2 or np.inf"),
        (["merge", "PART", "--into", "PART"], "exists"),
        (["throughput", "my_model", "--shape", "4"], "CLASSIFIER must be MODULE:NAME"),
        (["throughput", "no_such_module:f", "--shape", "4"], "No module named 'no_such_module'"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, message, ledgers, capsys):
    words = [str(ledgers[0][0]) if word == "PART" else word for word in words]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith("jaxsmooth: ") and message in error and "Traceback" not in error


def test_a_noise_that_words_do_not_give_back(ledgers):
    assert noise_of(js.ledger.read(ledgers[0][0]).header["noise"]) == NOISE
    with pytest.raises(ValueError, match=r"of the noise Mine\(sigma=0.5\).*call js.recertify from Python"):
        noise_of("Mine(sigma=0.5)")


def test_report_of_saved_certificates(tmp_path, capsys):
    """Files of ``save``, of every kind: the table and the figure of the kind."""
    x = np.array([[0.5, 0.5], [-0.2, -0.4], [0.9, -0.1]], np.float32)
    maps = lambda batch: jnp.stack([-(y := batch[:, :, None].repeat(2, 2)), y], -1)
    key, three = jax.random.key(0), lambda batch: jnp.pad(classify(batch), ((0, 0), (0, 1)))
    made = {
        "one": js.certify(key, classify, NOISE, x, n=1000),
        "top": js.certify_top_k(key, three, NOISE, x, k=2, n=1000),
        "map": js.certify_outputs(key, maps, NOISE, x, tau=0.6),
        "values": js.certify_values(key, lambda batch: batch.sum(-1), NOISE, x, 0.1, edges=[-1.0, 0.0, 1.0], n=1000),
    }
    truth = {"one": [0, 1, 0], "top": [0, 1, 0], "map": np.ones((3, 2, 2), int), "values": [1.0, -0.6, 0.8]}
    for name, certificates in made.items():
        certificates.save(tmp_path / f"{name}.npz")
        np.save(tmp_path / f"{name}.npy", np.array(truth[name]))
        labels, figure = ("--labels", tmp_path / f"{name}.npy"), tmp_path / f"{name}.png"
        assert run("report", tmp_path / f"{name}.npz", *labels, "--figure", figure) == 0
        assert figure.stat().st_size > 5_000
    out = capsys.readouterr().out
    assert js.analysis.table({"one": (made["one"], truth["one"])}) in out
    summary = js.analysis.output_summary(made["map"], truth["map"])
    assert js.analysis.summary_table({"map": summary}) in out
    assert js.analysis.summary_table({"values": js.analysis.value_summary(made["values"], truth["values"])}) in out
    for words, message in (
        (["one.npz"], "--labels must be given"),
        (["one.npz", "values.npz"], "certificates of several kinds, Certificates, ValueCertificates"),
        (["one.npz", "log.tsv"], "go into tables of their own"),
    ):
        assert run("report", *(tmp_path / word for word in words)) == 2
        assert message in capsys.readouterr().err
    column = js.certify_values(
        key, lambda batch: batch.sum(-1, keepdims=True), NOISE, x, 0.1, edges=[-1.0, 1.0], n=1000
    )
    column.save(tmp_path / "column.npz")
    (tmp_path / "column.txt").write_text("1.0\n-0.6\n0.8\n")
    assert run("report", tmp_path / "column.npz", "--labels", tmp_path / "column.txt") == 0
    summary = js.analysis.value_summary(column, np.array([[1.0], [-0.6], [0.8]]))
    assert js.analysis.summary_table({"column": summary}) in capsys.readouterr().out
    made["values"].save(tmp_path / "again.npz")
    for words, message in (
        (["one.npz", "--ignore-label", "1"], "--ignore-label must be left out of certificates that are not of several"),
        (["map.npz", "--baseline", "map"], "--baseline must be left out of certificates of values and outputs"),
        (["values.npz", "--alpha", "0.1"], "--alpha must be left out of certificates of values and outputs"),
        (["again.npz", "--figure", "values.png"], "--figure is of one file of values or outputs; got 2"),
    ):
        labels = tmp_path / f"{words[0].replace('again', 'values').removesuffix('.npz')}.npy"
        more = [tmp_path / "values.npz"] if words[0] == "again.npz" else []
        assert run("report", tmp_path / words[0], *more, *words[1:], "--labels", labels) == 2
        assert message in capsys.readouterr().err
    assert run("report", tmp_path / "one.npz", "--labels", "nowhere.npy") == 2
    assert capsys.readouterr().err.startswith("jaxsmooth: ")
