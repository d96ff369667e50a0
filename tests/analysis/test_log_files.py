"""Logs on the disk: where they go, over what they do not go, and what the file beside them keeps."""

import errno
import importlib.metadata
import json
import os
import re
import socket
import stat
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.analysis as analysis
from jaxsmooth import _replace_files as files

LABELS = np.array([3, 2, 1])
VOTES = js.Votes(
    np.array([[0, 1, 0, 999, 0], [500, 0, 400, 0, 95], [0, 2, 0, 0, 998]], np.int32), np.array([0, 5, 0], np.int32)
)
NOISE = js.noises.Gaussian(np.float32(0.1))


def certificates(**changes):
    fields = {
        "label": np.array([3, -1, 4], np.int32),
        "radius": np.array([2 / 3, 0.0, 1 / 3]),
        "p_lower": np.array([0.9 + 1e-13, np.nan, 0.99]),
        "p_upper": np.array([0.1, 1.0, 0.01 + 1e-17]),
        "samples": np.array([1100, 1600, 1100]),
        "votes": VOTES,
        "noise": NOISE,
        "alpha": 0.001,
        "rule": np.array(["cohen_2019", "", "cohen_2019"]),
        "reason": np.array(["certified", "hopeless", "certified"]),
    }
    return js.Certificates(**(fields | changes))


def write(path, **changes):
    analysis.write_log(path, certificates(**changes), LABELS)
    return path


def contents(folder):
    """What is in a folder: bytes and mode of every file, where every link leads."""
    return {
        path.name: os.readlink(path) if path.is_symlink() else (path.read_bytes(), path.stat().st_mode)
        for path in folder.iterdir()
        if not path.is_dir()
    }


def identity(path):
    """What tells that nobody wrote or replaced it; when it was read last (following a link reads it) tells nothing."""
    status = os.lstat(path)
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


# --- where a log goes


def test_a_link_is_followed(tmp_path):
    (tmp_path / "store").mkdir()
    link, target = tmp_path / "latest.tsv", tmp_path / "store" / "run7.tsv"
    link.symlink_to("store/run7.tsv")
    for _ in range(2):  # to a file that is not there yet, and over it
        write(link)
        assert os.readlink(link) == "store/run7.tsv"
        assert sorted(contents(tmp_path / "store")) == ["run7.tsv", "run7.tsv.json"]
        assert sorted(contents(tmp_path)) == ["latest.tsv"]
    for path in (link, target):
        assert analysis.read_log(path)[0].alpha == 0.001


def test_a_link_beside_the_log_is_followed(tmp_path):
    write(tmp_path / "log.tsv")
    os.rename(tmp_path / "log.tsv.json", tmp_path / "elsewhere")
    (tmp_path / "log.tsv.json").symlink_to("elsewhere")
    write(tmp_path / "log.tsv", alpha=0.01)
    assert (tmp_path / "log.tsv.json").is_symlink()
    assert analysis.read_log(tmp_path / "log.tsv")[0].alpha == 0.01


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_the_mode_is_kept(tmp_path, mode):
    path = tmp_path / "log.tsv"
    path.touch()
    path.chmod(mode)
    for changes in ({}, {"alpha": 0.01}):
        write(path, **changes)
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {mode}
    os.chmod(tmp_path / "log.tsv.json", 0o604)
    write(path)
    assert stat.S_IMODE(os.stat(tmp_path / "log.tsv.json").st_mode) == 0o604


def test_a_new_log_has_the_mode_of_new_files(tmp_path):
    (tmp_path / "other").touch()
    write(tmp_path / "log.tsv")
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1


def test_a_private_log_is_never_open_to_others(tmp_path, monkeypatch):
    path = tmp_path / "log.tsv"
    path.touch()
    path.chmod(0o600)
    seen, replace = [], os.replace
    monkeypatch.setattr(files.os, "fsync", lambda _: seen.extend(p.stat().st_mode & 0o077 for p in tmp_path.iterdir()))
    monkeypatch.setattr(files.os, "replace", lambda *names: (files.os.fsync(0), replace(*names)))
    write(path)
    assert seen and not any(seen)


def test_the_text_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    events, replace, sync = [], os.replace, os.fsync
    monkeypatch.setattr(files.os, "fsync", lambda number: (events.append("sync"), sync(number)))
    monkeypatch.setattr(files.os, "replace", lambda *names: (events.append(names[1].name), replace(*names)))
    write(tmp_path / "log.tsv")
    # Two files, their names (what the log means before the log), the folder.
    assert events == ["sync", "sync", "log.tsv.json", "log.tsv", "sync"]


def pipe(path):
    os.mkfifo(path)


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(path))


def terminal(path):
    """A device in a file system where nothing can be put in its place, whatever this user may do."""
    _, device = os.openpty()
    path.symlink_to(os.ttyname(device))


NOT_REGULAR = {
    "pipe": ("a pipe", pipe),
    "socket": ("a socket", bound_socket),
    "folder": ("a folder", os.mkdir),
    "device": ("a device", terminal),
}


@pytest.mark.parametrize("where", ["log.tsv", "log.tsv.json"])
@pytest.mark.parametrize("kind", NOT_REGULAR)
def test_what_is_no_regular_file_is_refused(tmp_path, monkeypatch, kind, where):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    word, make = NOT_REGULAR[kind]
    make(files.Path(where))
    before = identity(where)
    with pytest.raises(
        ValueError, match=rf"path must be a regular file .*{re.escape(where)} is {word}\. Pass the path"
    ):
        write("log.tsv")
    assert os.listdir() == [where] and identity(where) == before


@pytest.mark.parametrize("failing", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_no_half(tmp_path, monkeypatch, failing, exists):
    path = tmp_path / "log.tsv"
    if exists:
        write(path)
    before = contents(tmp_path)

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if failing == "write":
        monkeypatch.setattr(files, "open", fail, raising=False)
    else:
        monkeypatch.setattr(files.os, failing, fail)
    with pytest.raises(OSError, match=r"path cannot be written: No space left.*log\.tsv") as caught:
        write(path, alpha=0.01)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert contents(tmp_path) == before


@pytest.mark.parametrize("calls", range(1, 6))
def test_a_kill_leaves_no_mixture(tmp_path, monkeypatch, calls):
    """Before any of the names is moved: what can be read is of one writing."""
    path, radius = write(tmp_path / "log.tsv", norm=1), certificates().radius
    left = [calls]

    class Killed(BaseException):
        pass

    def until(move):
        def moved(*names):
            left[0] -= 1
            if left[0] <= 0:
                raise Killed  # and so do all attempts to mend
            move(*names)

        return moved

    for name in ("rename", "replace"):
        monkeypatch.setattr(files.os, name, until(getattr(os, name)))
    try:
        write(path, norm=2, radius=radius / 2)
    except Killed:
        monkeypatch.undo()
    if path.exists():
        made, _ = analysis.read_log(path)
        assert (made.norm, made.radius.tolist()) in ((1, radius.tolist()), (2, (radius / 2).tolist()))
    else:
        assert calls in (2, 3, 4)


@pytest.mark.parametrize("exists", ["both", "table", "neither"])
def test_where_the_last_file_cannot_be_placed_all_is_as_it_was(tmp_path, monkeypatch, exists):
    path, replace = tmp_path / "log.tsv", os.replace
    if exists != "neither":
        write(path)
    if exists == "table":
        (tmp_path / "log.tsv.json").unlink()
        path.write_bytes(b"")
    before = contents(tmp_path)

    def fail(old, new):
        if new == path:
            raise OSError(errno.EIO, "Input/output error")
        replace(old, new)

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="path cannot be written: Input/output error"):
        write(path, alpha=0.01)
    assert contents(tmp_path) == before


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"in a folder that exists; make it first.*log\.tsv"):
        write(tmp_path / "absent" / "log.tsv")


def test_a_read_only_file_is_left_alone(tmp_path, monkeypatch):
    path = write(tmp_path / "log.tsv")
    before = contents(tmp_path)
    monkeypatch.setattr(files.os, "access", lambda *_: False)  # root may write all
    with pytest.raises(PermissionError, match=r"it is read-only.*log\.tsv"):
        write(path, alpha=0.01)
    assert contents(tmp_path) == before


def test_a_tree_that_is_not_installed(tmp_path, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    write(tmp_path / "log.tsv")
    assert json.loads((tmp_path / "log.tsv.json").read_text())["jaxsmooth"] == js.__version__
    assert len(analysis.read_log(tmp_path / "log.tsv")[0]) == 3


def test_two_processes_write_one_log(tmp_path):
    script = """
import sys, numpy as np, jaxsmooth as js
one = np.ones(int(sys.argv[2]))
c = js.Certificates(one.astype(int), one, one / 2, one / 2, one.astype(int), alpha=.01)
for _ in range(20):
    js.analysis.write_log(sys.argv[1], c, one.astype(int))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "log.tsv")]
    runs = [subprocess.Popen([*command, size], stderr=subprocess.PIPE, text=True) for size in ("3", "4000")]
    assert [(run.communicate(timeout=120)[1], run.returncode) for run in runs] == [("", 0)] * 2
    assert sorted(contents(tmp_path)) == ["log.tsv", "log.tsv.json"]


# --- over what it does not go

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
ROW = "0\t3\t3\t0.378\t1\t15.4\n"
OTHERS = {
    "notes": ({"log.tsv": "precious\n"}, "holds a file that is no log of certificates"),
    "binary": ({"log.tsv": "\0\0"}, "holds a file that is no log"),
    "another program's log": ({"log.tsv": HEADER + ROW}, r"or whose log\.tsv\.json is gone"),
    "notes beside": ({"log.tsv.json": "{}"}, r"needs .*log\.tsv\.json, which holds a file that write_log did not"),
    "text beside": ({"log.tsv.json": "notes"}, "which holds a file that write_log did not write"),
    "another program's log and settings": ({"log.tsv": HEADER + ROW, "log.tsv.json": '{"lr": 0.1}'}, "did not write"),
}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("case", OTHERS)
def test_files_of_others_are_left_alone(tmp_path, case, linked):
    texts, message = OTHERS[case]
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "log.tsv"
    if linked:
        path = tmp_path / "link"
        path.symlink_to("log.tsv")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        write(path)
    assert str(path) in str(caught.value) and "Delete it, or pass another path" in str(caught.value)
    assert contents(tmp_path) == before


def test_our_own_are_replaced_and_empty_ones_filled(tmp_path):
    path = write(tmp_path / "log.tsv")
    write(path, alpha=0.01)
    assert analysis.read_log(path)[0].alpha == 0.01
    (tmp_path / "log.tsv.json").write_text("")
    path.write_text("")
    write(path)
    # One of version 0.1.0, without digests.
    (tmp_path / "log.tsv.json").write_text('{"images": 3, "jaxsmooth": "0.1.0"}')
    write(path)
    # One that was cut, or whose other half a crash had left behind.
    path.write_text(HEADER + ROW)
    write(path)
    assert len(analysis.read_log(path)[0]) == 3


# --- what the file beside it keeps


def same(first, second):
    for name in ("label", "radius", "p_lower", "p_upper", "samples", "rule", "reason"):
        a, b = getattr(first, name), getattr(second, name)
        if a is None or b is None:
            assert a is b, name
            continue
        np.testing.assert_array_equal(a, b, err_msg=name)
        assert a.dtype == b.dtype or name in ("rule", "reason"), name  # strings come in several types
    assert (first.norm, first.alpha, first.noise) == (second.norm, second.alpha, second.noise)
    assert (first.votes is None) == (second.votes is None)
    if first.votes is not None:
        np.testing.assert_array_equal(first.votes.counts, second.votes.counts)
        np.testing.assert_array_equal(first.votes.invalid, second.votes.invalid)
        assert second.votes.counts.dtype == second.votes.invalid.dtype == first.votes.counts.dtype


NONE = dict.fromkeys(("votes", "noise", "alpha", "rule", "reason"))
KEPT = {
    "everything": {},
    "nothing": NONE,
    "linf": {"norm": np.inf},
    "l1": {"norm": 1, "noise": js.noises.Laplace(0.5)},
    "parameters": {"noise": js.noises.ExpInf(0.1, k=2.0)},
    "int64": {"votes": js.Votes(VOTES.counts.astype(np.int64) * 2**33, VOTES.invalid.astype(np.int64))},
    "words": {"noise": "Ring(sigma=0.5)"},
    "lattice": {"noise": js.noises.LatticeGaussian(0.1, step=1 / 16)},
    "views": {"noise": js.noises.Splits(0.5, step=1 / 16, seed=3), "norm": 1, "alpha": 0.0},
}


@pytest.mark.parametrize("case", KEPT)
def test_nothing_is_lost(tmp_path, case):
    written = certificates(**KEPT[case])
    analysis.write_log(tmp_path / "log.tsv", written, LABELS)
    read, labels = analysis.read_log(tmp_path / "log.tsv")
    same(written, read)
    # Nor by the next copy, nor in the table.
    analysis.write_log(tmp_path / "copy.tsv", read, labels)
    same(written, analysis.read_log(tmp_path / "copy.tsv")[0])
    assert str(analysis.summary(read, labels, [0, 1 / 3])) == str(analysis.summary(written, LABELS, [0, 1 / 3]))


def test_what_certify_returns_survives(tmp_path):
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
    found = js.certify(jax.random.key(0), classify, js.noises.Gaussian(0.5), x, n0=10, n=100, alpha=0.01)
    analysis.write_log(tmp_path / "log.tsv", found, [0, 1])
    read, labels = analysis.read_log(tmp_path / "log.tsv")
    same(found, read)
    assert "n = 100," in str(analysis.summary(read, labels, [0]))


def test_no_images(tmp_path):
    none = certificates()[:0]
    analysis.write_log(tmp_path / "log.tsv", none, [])
    same(none, analysis.read_log(tmp_path / "log.tsv")[0])


class Gaussian(js.noises.AbstractNoise):
    """Not the library's."""

    sigma = 0.5
    sample = scale = None  # pyright: ignore[reportAssignmentType]


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (Gaussian(), "Gaussian"),
        (js.noises.InputDependentGaussian(js.scales.Constant(0.5)), "InputDependentGaussian"),
        (js.noises.GaussianAt(np.full(3, 0.5)), "GaussianAt"),
    ],
)
def test_a_noise_that_cannot_be_restored_stays_in_words(tmp_path, noise, words):
    read, labels = analysis.read_log(write(tmp_path / "log.tsv", noise=noise))
    assert read.noise == words
    assert f"3 images, {words}, n = 1000" in str(analysis.summary(read, labels, [0]))


# --- whether the two belong together


def edited(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))


NORMS = pytest.mark.parametrize("norm", [2, np.inf])
NOT_OF_THIS_LOG = {
    "of another log": (lambda path: os.replace(path.with_name("other.tsv.json"), f"{path}.json"), "of as many images"),
    "log edited": (lambda path: path.write_text(path.read_text().replace("0.666", "0.999")), "was the log edited"),
    "log cut": (lambda path: path.write_text(path.read_text()[:-30].rpartition("\n")[0]), "about 3 images and the log"),
}


@NORMS
@pytest.mark.parametrize("case", NOT_OF_THIS_LOG)
def test_a_file_of_another_log(tmp_path, case, norm):
    change, message = NOT_OF_THIS_LOG[case]
    write(tmp_path / "other.tsv", norm=norm, radius=np.array([0.5, 0.0, 0.25]))
    path = write(tmp_path / "log.tsv", norm=norm)
    change(path)
    if norm != 2:  # nobody can know what the radii are
        with pytest.raises(ValueError, match=rf"log\.tsv\.json says .* norm 'inf', but it .*{message}.*; restore"):
            analysis.read_log(path)
        return
    with pytest.warns(analysis.LogWarning, match=rf"log\.tsv\.json .*{message}.*; it is ignored") as caught:
        read, _ = analysis.read_log(path)
    assert caught[0].filename == __file__
    assert (read.votes, read.noise, read.alpha, read.norm, read.samples.any()) == (None, None, None, 2, False)
    assert np.isnan(read.p_lower).all()


@pytest.mark.parametrize(
    "changes",
    [{"alpha": 0.1}, {"norm": "inf"}, {"n": 10**6}, {"p_lower": [1, 1, 1]}, {"sha256": None}, {"log_sha256": "0"}],
    ids=str,
)
def test_an_edited_file(tmp_path, changes):
    path = write(tmp_path / "log.tsv")
    edited(tmp_path / "log.tsv.json", **changes)
    with pytest.raises(ValueError, match=r"log\.tsv\.json: .*it was changed since.*restore it or delete it"):
        analysis.read_log(path)


def test_the_layout_does_not_count(tmp_path):
    path = write(tmp_path / "log.tsv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    edited(tmp_path / "log.tsv.json")
    assert analysis.read_log(path)[0].alpha == 0.001


@pytest.mark.parametrize("text", ["{}", '{"alpha": 0.5, "noise": "speckle"}'])
def test_a_file_of_another_program(tmp_path, text):
    path = write(tmp_path / "log.tsv")
    (tmp_path / "log.tsv.json").write_text(text)
    with pytest.warns(analysis.LogWarning, match=r"log\.tsv\.json was not written by write_log; it is ignored"):
        assert analysis.read_log(path)[0].alpha is None


OLD = {
    "images": 3,
    "noise": {"name": "Gaussian", "parameters": {"sigma": 0.25}},
    "sigma": 0.25,
    "norm": "inf",
    "n": 1000,
    "samples": 1100,
    "alpha": 0.001,
    "jaxsmooth": "0.1.0",
}


def test_files_of_version_0_1_0(tmp_path):
    path = write(tmp_path / "log.tsv")
    (tmp_path / "log.tsv.json").write_text(json.dumps(OLD))
    read, _ = analysis.read_log(path)
    assert (read.noise, read.norm, read.alpha) == (js.noises.Gaussian(0.25), np.inf, 0.001)
    assert read.samples.tolist() == [1100] * 3 and read.votes is None


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": 3},
        {"alpha": "small"},
        {"alpha": 2},
        {"samples": [1, 2]},
        {"samples": "many"},
        {"noise": 3},
        {"noise": {"name": "Gaussian", "parameters": {"sigma": -1}}},
        {"noise": {"name": "Gaussian", "parameters": {"k": 1}}},
        {"noise": {"name": "AbstractNoise", "parameters": {}}},
        {"votes": {"classes": 2, "counts": [[[5, 1]]] * 3, "invalid": [0] * 3}},
        {"votes": {"classes": 2, "counts": [[[1, 1]]] * 2, "invalid": [0] * 2}},
        {"p_lower": [0.5]},
        {"rule": "x"},
    ],
    ids=str,
)
def test_values_that_make_no_sense(tmp_path, changes):
    path = write(tmp_path / "log.tsv")
    (tmp_path / "log.tsv.json").write_text(json.dumps(OLD | changes))
    with pytest.raises(ValueError, match=r"log\.tsv\.json: not as write_log leaves it .*restore it or delete it"):
        analysis.read_log(path)
