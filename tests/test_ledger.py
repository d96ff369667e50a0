"""The ledger: a killed run goes on, votes merge and extend, and no damage becomes a wrong count."""

import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import jaxsmooth as js
import jaxsmooth.interop
from jaxsmooth.designs import Curve, Fixed
from jaxsmooth.ledger import lines
from jaxsmooth.ledger.fingerprint import run_header
from jaxsmooth.ledger.lines import header_line
from jaxsmooth.sampling.sampler import Sampler

KEY = jax.random.key(5)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = np.asarray(jax.random.normal(jax.random.key(2), (12, 4)))
PYTHON = js.interop.from_callable(lambda x: x @ np.asarray(WEIGHTS), 3)
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))
RADII = [0.0, 0.1, 0.25, 0.5]

# Every verb that takes a ledger, with few votes.
VERBS = {
    "certify": lambda ledger, x=X: js.certify(KEY, CLASSIFY, NOISE, x, n=500, ledger=ledger),
    "certify_curve": lambda ledger, x=X: js.certify_curve(KEY, CLASSIFY, NOISE, x, RADII, n_max=2000, ledger=ledger),
    "certify_curve, labels": lambda ledger, x=X: js.certify_curve(
        KEY, CLASSIFY, NOISE, x, RADII, labels=LABELS[: len(x)], n_max=2000, ledger=ledger
    ),
    "certify_adaptive": lambda ledger, x=X: js.certify_adaptive(KEY, CLASSIFY, NOISE, x, n_max=2000, ledger=ledger),
    "predict": lambda ledger, x=X: js.predict(KEY, CLASSIFY, NOISE, x, n=300, ledger=ledger),
}


def assert_same(one, other):
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        return
    for name in ("label", "radius", "p_lower", "samples", "rule", "reason"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.votes.counts, other.votes.counts)


def no_sampling(monkeypatch):
    """From here on a call of the device is an error."""
    refuse = lambda *args, **kwargs: pytest.fail("sampled what the ledger holds")
    for name in ("count", "count_listed"):
        monkeypatch.setattr(Sampler, name, refuse)


@pytest.fixture(scope="module", params=VERBS)
def case(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "votes.jsonl"
    run = VERBS[request.param]
    return run, run(None), run(path), path


def test_a_ledger_changes_no_result(case):
    _, without, written, _ = case
    assert_same(without, written)


def test_a_complete_ledger_samples_nothing(case, monkeypatch):
    run, without, _, path = case
    size = path.stat().st_size
    no_sampling(monkeypatch)
    assert_same(run(path), without)
    assert path.stat().st_size == size


def test_cut_anywhere_it_goes_on_to_the_same(case, tmp_path):
    """Reading at many places; a run at some, among them every kind of place."""
    run, without, _, path = case
    content = path.read_bytes()
    breaks = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    cut = tmp_path / "cut.jsonl"
    for size in range(0, len(content), 29):
        cut.write_bytes(content[:size])
        known = cut_and(read_or_none, cut, size in (0, *breaks))
        lines = content[:size].count(b"\n")
        assert (known is None) if lines == 0 else (len(known.segments) <= lines - 1)
    for size in [*random.Random(0).sample(range(len(content)), 3), 0, 1, breaks[0] - 1, breaks[0], breaks[-1] - 1]:
        cut.write_bytes(content[:size])
        assert_same(cut_and(run, cut, size in (0, *breaks)), without)
        assert sorted(cut.read_bytes().splitlines()) == sorted(content.splitlines())


def cut_and(use, path, between_lines):
    if between_lines:
        return use(path)
    with pytest.warns(UserWarning, match="torn") as caught:
        value = use(path)
    assert caught[0].filename == __file__
    return value


def read_or_none(path):
    try:
        return js.ledger.read(path)
    except ValueError as error:
        assert "first line is missing" in str(error)
        return None


def test_damage_is_found_or_harmless(case, tmp_path):
    """Bytes changed, removed, doubled, lines swapped or repeated: never another result."""
    run, without, _, path = case
    content, damaged = path.read_bytes(), tmp_path / "damaged.jsonl"
    found = harmless = 0
    rng = random.Random(1)
    for trial in range(150):
        bad = bytearray(content)
        at, kind = rng.randrange(len(bad)), trial % 5
        if kind == 0:
            bad[at] = (bad[at] + rng.randrange(1, 256)) % 256
        elif kind == 1:
            del bad[at : at + rng.randrange(1, 40)]
        elif kind == 2:
            bad[at:at] = bad[at : at + rng.randrange(1, 40)]
        elif kind == 3:
            lines = content.splitlines(keepends=True)
            bad = bytearray(b"".join([lines[0], *rng.sample(lines[1:], len(lines) - 1), lines[-1]]))
        else:
            bad[at] ^= 1 << rng.randrange(8)
        damaged.write_bytes(bad)
        try:
            known = js.ledger.read(damaged)
        except (ValueError, UserWarning) as error:
            found += 1
            assert "damaged" in str(error) or "torn" in str(error) or "not a ledger" in str(error), error
        else:
            harmless += 1
            for image in known.segments:
                assert js.ledger.read(path).segments[image].items() >= known.segments[image].items()
    assert found >= 100 and harmless >= 30
    assert_same(run(path), without)


def test_n_is_extended_without_repeating_a_draw(tmp_path, monkeypatch):
    path = tmp_path / "votes.jsonl"
    js.certify(KEY, CLASSIFY, NOISE, X, n=300, ledger=path)
    drawn, count = [], Sampler.count_listed

    def counted(self, slots, pairs):
        drawn.extend(np.asarray(pairs.draw)[np.asarray(pairs.slot) < len(X)].tolist())
        return count(self, slots, pairs)

    monkeypatch.setattr(Sampler, "count_listed", counted)
    longer = js.certify(KEY, CLASSIFY, NOISE, X, n=700, ledger=path)
    assert sorted(drawn) == sorted(len(X) * list(range(400, 800)))
    assert_same(longer, js.certify(KEY, CLASSIFY, NOISE, X, n=700))
    curve = lambda n_max, ledger=None: js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, n_max=n_max, ledger=ledger)
    curve(1000, path)
    assert_same(curve(4000, path), curve(4000))


def test_a_ledger_is_one_line_at_a_prompt(tmp_path):
    path = tmp_path / "votes.jsonl"
    VERBS["certify"](path)
    ledger = js.ledger.read(path)
    assert repr(ledger) == "Ledger of 12 images: Gaussian(sigma=0.5), 3 classes, 600 draws each"
    assert ledger._repr_html_() == f"<pre>{ledger}</pre>"
    assert repr(js.ledger.Ledger({})) == "Ledger of 0 images: unknown noise, ? classes, 0 draws each"


def test_merge(tmp_path):
    parts = [tmp_path / name for name in "abc"]
    for part, images in zip(parts, ([0, 1, 2, 3, 4], [5, 6, 7], [3, 4, 5, 8, 9, 10, 11]), strict=True):
        js.certify(KEY, CLASSIFY, NOISE, X[images], n=500, image_ids=images, ledger=part)
    merged = js.ledger.merge(parts, tmp_path / "all")
    assert merged.image_ids.tolist() == list(range(12))
    assert_same_votes = lambda a, b: np.testing.assert_array_equal(a.votes.counts, b.votes.counts)
    whole = VERBS["certify"](None)
    assert_same_votes(VERBS["certify"](tmp_path / "all"), whole)
    again = js.recertify(tmp_path / "all", NOISE, Fixed(n=500))
    np.testing.assert_array_equal(again.radius, whole.radius)
    images, votes = js.ledger.read(tmp_path / "all").votes(500, first=100)
    np.testing.assert_array_equal(votes.counts, whole.votes.counts)
    with pytest.raises(FileExistsError):
        js.ledger.merge(parts, tmp_path / "all")
    js.certify(KEY, CLASSIFY, js.noises.Gaussian(0.25), X, n=500, ledger=tmp_path / "other")
    with pytest.raises(ValueError, match=r"its noise is 'Gaussian\(sigma=0.25\)'"):
        js.ledger.merge([parts[0], tmp_path / "other"], tmp_path / "mixed")
    with pytest.raises(ValueError, match="at least one"):
        js.ledger.merge([], tmp_path / "none")


def test_parts_that_contradict_each_other_by_other_segments_do_not_merge(tmp_path):
    """The same draws in two segments and in one: votes that differ are of a classifier that answers otherwise."""
    js.certify(KEY, CLASSIFY, NOISE, X[:1], n=500, ledger=tmp_path / "run")
    (pixels,) = js.ledger.read(tmp_path / "run").pixels.values()
    first_line = (tmp_path / "run").read_bytes().partition(b"\n")[0] + b"\n"
    parts = {
        "two": [(100, {0: 60, 1: 40}), (1000, {0: 600, 1: 400})],
        "same": [(1100, {0: 660, 1: 440})],
        "other": [(1100, {0: 760, 1: 340})],
        "from 100": [(1000, {0: 700, 1: 300})],
    }
    for name, segments in parts.items():
        start = 100 if name == "from 100" else 0
        line = lines.record_line(lines.check_of(first_line), 0, pixels, start, segments)
        (tmp_path / name).write_bytes(first_line + line)
    js.ledger.merge([tmp_path / "two", tmp_path / "same"], tmp_path / "good")
    assert js.recertify(tmp_path / "good", NOISE, Fixed(n=1000)).votes.counts.tolist() == [[600, 400, 0]]
    for one, other, draws in (("two", "other", "0 to 1100"), ("other", "two", "0 to 1100"), ("two", "from 100", "100")):
        with pytest.raises(ValueError, match=f"different votes for draws {draws}"):
            js.ledger.merge([tmp_path / one, tmp_path / other], tmp_path / "bad")
    assert not (tmp_path / "bad").exists()
    (tmp_path / "both").write_bytes((tmp_path / "two").read_bytes() + line)
    with pytest.raises(ValueError, match="different votes for draws 100"):
        js.ledger.read(tmp_path / "both")


def test_a_merged_file_is_whole_or_not_there(tmp_path, monkeypatch):
    """A disk that is full leaves nothing behind; a file system without links has merged files too."""
    VERBS["certify"](tmp_path / "part", X[:3])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    into = tmp_path / "all"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device.*all") as raised:
            js.ledger.merge([tmp_path / "part"], into)
    assert raised.value.filename == str(into) and os.listdir(tmp_path) == ["part"]

    def no_links(*paths):
        raise OSError(95, "Operation not supported")

    for link in (os.link, no_links):
        monkeypatch.setattr(os, "link", link)
        js.ledger.merge([tmp_path / "part"], into)
        assert sorted(os.listdir(tmp_path)) == ["all", "part"]
        with pytest.raises(FileExistsError, match="all"):
            js.ledger.merge([tmp_path / "part"], into)
        assert js.ledger.read(into).image_ids.tolist() == [0, 1, 2]
        into.unlink()


def test_parts_that_number_their_images_alike_do_not_merge(tmp_path):
    parts = [tmp_path / name for name in "ab"]
    for part, images in zip(parts, (X[:3], X[3:6]), strict=True):
        js.certify(KEY, CLASSIFY, NOISE, images, n=500, ledger=part)
    with pytest.raises(ValueError, match=f"image 0 of {parts[1]} is not image 0 of {parts[0]}.*image_ids=np.arange"):
        js.ledger.merge(parts, tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_full_disk_is_told_with_the_file(tmp_path):
    """In a process of its own: the limit stays."""
    path = tmp_path / "votes.jsonl"
    code = f"""
import resource, jax, numpy as np, jaxsmooth as js
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
classify = lambda batch: jax.numpy.stack([batch.sum(-1), -batch.sum(-1)], -1)
js.predict(jax.random.key(0), classify, js.noises.Gaussian(0.5), np.ones((30, 2)), n=100, ledger={str(path)!r})
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"OSError: [Errno 27] File too large: '{path}'" in run.stderr, run.stderr


def test_recertify_at_another_alpha_norm_and_rule(tmp_path):
    path = tmp_path / "votes.jsonl"
    js.certify(KEY, CLASSIFY, NOISE, X, n=500, ledger=path)
    settings = [
        {},
        {"alpha": 1e-6},
        {"norm": 1},
        {"norm": np.inf},
        {"runner_up": "bounded"},
        {"n": 200},
        {"n0": 7, "n": 93},
    ]
    wanted = [js.certify(KEY, CLASSIFY, NOISE, X, **{"n": 500} | setting) for setting in settings]
    for setting, certificates in zip(settings[:5], wanted[:5], strict=True):
        again = js.recertify(path, NOISE, Fixed(**{"n": 500} | setting))
        for name in ("label", "radius", "p_lower", "p_upper", "samples", "rule"):
            np.testing.assert_array_equal(getattr(again, name), getattr(certificates, name))
    # Fewer votes can be asked for, in steps of 1, 2 and 5.
    fewer, whole = js.recertify(path, NOISE, Fixed(n=200)), js.certify(KEY, CLASSIFY, NOISE, X, n=200)
    assert_same(fewer, whole)
    # Draws 0 to 349 are no union of segments, so that their votes are not known.
    said = "design Fixed could not use all votes of .* images: the ledger has no counts at its next look"
    with pytest.warns(UserWarning, match=said):
        again = js.recertify(path, NOISE, Fixed(n=250))
    assert (again.label == js.ABSTAIN).all() and (again.radius == 0).all()
    assert set(again.reason) == {"not all votes recorded"}
    for runner_up in ("complement", "bounded"):
        with pytest.warns(UserWarning, match=said):
            again = js.recertify(path, NOISE, Fixed(n=250, runner_up=runner_up))
        assert (again.p_lower == 0).all() and (again.p_upper == 1).all() and set(again.rule) == {""}


def test_recertify_a_curve(tmp_path):
    path = tmp_path / "votes.jsonl"
    curve = lambda radii, labels=None, ledger=None, **options: js.certify_curve(
        KEY, CLASSIFY, NOISE, X, radii, labels=labels, n_max=2000, ledger=ledger, **options
    )
    first = curve(RADII, LABELS, ledger=path)
    assert_same(js.recertify(path, NOISE, Curve(RADII, n_max=2000), labels=LABELS), first)
    # Votes that end early can only lose a radius.
    for options in ({"alpha": 1e-8}, {"radii": [0, 0.05, 0.3, 0.6]}, {"norm": np.inf, "radii": [0, 0.05]}):
        settings = {"radii": RADII} | options
        again = js.recertify(path, NOISE, Curve(n_max=2000, **settings), labels=LABELS)
        full = curve(labels=LABELS, **settings)
        assert (again.radius <= full.radius).all() and (again.samples <= first.samples).all()


def test_recertify_noise_that_depends_on_the_image(tmp_path):
    path = tmp_path / "votes.jsonl"
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(X, 0.5, 0.01, k=3))
    whole = js.certify(KEY, CLASSIFY, noise, X[:4], n=500, ledger=path)
    np.testing.assert_array_equal(js.recertify(path, noise, Fixed(n=500), x=X[:4]).radius, whole.radius)
    with pytest.raises(ValueError, match="x must hold the images"):
        js.recertify(path, noise, Fixed(n=500))
    with pytest.raises(ValueError, match="it holds others"):
        js.recertify(path, noise, Fixed(n=500), x=X[1:5])
    with pytest.raises(ValueError, match="noise must be that of the ledger"):
        other = js.noises.InputDependentGaussian(js.scales.KNNScale(X + 1, 0.5, 0.01, k=3))
        js.recertify(path, other, Fixed(n=500), x=X[:4])


ANOTHER_RUN = {
    "key": lambda path: js.certify(jax.random.key(6), CLASSIFY, NOISE, X, n=500, ledger=path),
    "noise": lambda path: js.certify(KEY, CLASSIFY, js.noises.Laplace(0.5), X, n=500, norm=1, ledger=path),
    "classifier": lambda path: js.certify(
        KEY, jax.tree_util.Partial(CLASSIFY.func, WEIGHTS.at[0, 0].add(1e-6)), NOISE, X, n=500, ledger=path
    ),
    "classes": lambda path: js.certify(KEY, lambda batch: batch[:, :2], NOISE, X, n=500, ledger=path),
    "matmul_precision": lambda path: with_precision(VERBS["certify"], path),
}


def with_precision(run, path):
    with jax.default_matmul_precision("highest"):
        return run(path)


@pytest.mark.parametrize("differs", ANOTHER_RUN)
def test_a_ledger_of_another_run_is_refused(differs, tmp_path):
    path = tmp_path / "votes.jsonl"
    VERBS["certify"](path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="belongs to another run"):
        ANOTHER_RUN[differs](path)
    assert path.read_bytes() == before


def test_another_image_under_the_same_id_is_refused(tmp_path):
    path = tmp_path / "votes.jsonl"
    VERBS["certify"](path)
    for verb in VERBS.values():
        with pytest.raises(ValueError, match="image 2 is not the one of the ledger"):
            verb(path, np.where(np.arange(12)[:, None] == 2, X + 1e-6, X).astype(np.float32))


def test_weights_in_a_closure_are_part_of_the_fingerprint(tmp_path):
    path = tmp_path / "votes.jsonl"
    inner = lambda weights: jax.jit(lambda batch: batch @ weights)
    make = lambda weights: lambda batch: inner(weights)(batch)
    js.certify(KEY, make(WEIGHTS), NOISE, X, n=500, ledger=path)
    js.certify(KEY, make(WEIGHTS), NOISE, X, n=500, ledger=path)
    with pytest.raises(ValueError, match="its classifier is"):
        js.certify(KEY, make(WEIGHTS.at[3, 2].add(1e-6)), NOISE, X, n=500, ledger=path)


@jax.tree_util.register_pytree_node_class
class PlainNoise:
    """A noise of one's own that is no dataclass."""

    def __init__(self, sigma, factor=1.0):
        self.sigma, self.factor = sigma, factor

    def tree_flatten(self):
        return (self.sigma,), self.factor

    @classmethod
    def tree_unflatten(cls, factor, leaves):
        return cls(*leaves, factor)

    def scale(self, dim):
        return self.sigma

    def at(self, x):
        return PlainNoise(jnp.broadcast_to(self.sigma, x.shape[:1]), self.factor)

    def sample(self, key, shape):
        return self.factor * self.sigma * jax.random.normal(key, shape)


def lipschitz(sigma):
    return js.noises.InputDependentGaussian(js.scales.LipschitzScale(lambda x: jnp.full(x.shape[:1], sigma), 0.1))


ALIKE = {
    "the function of a scale": (lipschitz(0.2), lipschitz(2.0)),
    "leaves of a noise that is no dataclass": (PlainNoise(0.1), PlainNoise(0.9)),
    "the program of a sampler": (PlainNoise(0.1, 1.0), PlainNoise(0.1, 2.0)),
}


@pytest.mark.parametrize("name", ALIKE)
def test_noises_that_look_alike_are_told_apart(name, tmp_path):
    first, second = ALIKE[name]
    predict = lambda noise: js.predict(KEY, CLASSIFY, noise, X, n=100, ledger=tmp_path / "votes.jsonl")
    np.testing.assert_array_equal(predict(first), predict(first))
    with pytest.raises(ValueError, match="its noise"):
        predict(second)


def test_the_fingerprint_does_not_depend_on_the_terminal(tmp_path, monkeypatch):
    """A run that began on a terminal, where JAX prints programs in colour, goes on in a batch job."""
    from jax._src import pretty_printer

    program = jax.make_jaxpr(lambda x: x @ x)(jnp.ones((2, 2)))
    printed, headers = set(), []
    for color in (False, True):
        monkeypatch.setattr(pretty_printer, "CAN_USE_COLOR", color)
        printed.add(str(program))
        VERBS["certify"](tmp_path / f"{color}.jsonl")
        headers.append(js.ledger.read(tmp_path / f"{color}.jsonl").header)
    assert len(printed) == 2 and headers[0] == headers[1]


def test_ids_that_repeat(tmp_path):
    path, ids = tmp_path / "votes.jsonl", np.arange(12) // 2
    repeated = lambda x: js.certify(KEY, CLASSIFY, NOISE, x, n=500, image_ids=ids, ledger=path)
    with pytest.raises(ValueError, match="image 0 is not the one of the ledger"):
        repeated(X)
    assert len(js.ledger.read(path).segments) == 0
    assert_same(repeated(X[ids]), repeated(X[ids]))


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*args):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.warns(UserWarning, match="no locks on its file system") as caught:
        VERBS["certify"](tmp_path / "votes.jsonl")
    assert caught[0].filename == __file__
    assert len(js.ledger.read(tmp_path / "votes.jsonl").segments) == 12


def test_small_and_other_leaves_have_a_checksum():
    from jaxsmooth._program import checksums

    rng = np.random.default_rng(0)
    for dtype in ("int4", "uint4", "int8", "bool", "bfloat16", "float8_e4m3fn", "float16", "complex64", "int32"):
        values = [jnp.asarray(rng.integers(0, 2, (3, 5)), dtype) for _ in range(8)]
        different = {np.asarray(value.astype(jnp.float32)).tobytes() for value in values if dtype != "complex64"}
        assert len({checksums(value) for value in values}) == (len(different) or 8)
    assert checksums(jax.random.key(0)) != checksums(jax.random.key(1))


def test_one_run_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "votes.jsonl"
    VERBS["certify"](path)
    from jaxsmooth.ledger.recording import Recording

    header = {name: value for name, value in js.ledger.read(path).header.items() if name != "ledger"}
    held = Recording(path, header)
    with pytest.raises(ValueError, match="being written by another run"):
        VERBS["certify"](path)
    forked = os.dup(held._file.fileno())  # as in a process that was forked meanwhile: one lock for both
    held.close()
    VERBS["certify"](path)
    os.close(forked)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"some":"json"}\n', "not a ledger of this version"),
        (b"idx\tlabel\tpredict\n", "not a ledger of this version"),
        (header_line({}).replace(b'"ledger":2', b'"ledger":3'), "checksum"),
        (b"\n", "not a ledger of this version"),
        (b'{"weights": [1, 2, 3]}', "not a ledger"),
        (b'{"ledger": "of a shop", "sum": 3}', "not a ledger"),
        (b"\x93NUMPY\n\x00\x01", "not a ledger"),
    ],
)
def test_something_else_is_no_ledger(content, message, tmp_path):
    path = tmp_path / "votes.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        VERBS["certify"](path)
    assert path.read_bytes() == content


def test_votes_of_two_runs_in_one_file_are_refused(tmp_path):
    """Whatever is written behind what: those of less noise would certify radii of more."""
    paths = [tmp_path / name for name in "ab"]
    for path, sigma, ids in zip(paths, (0.05, 2.0), ([0, 1], [2, 3]), strict=True):
        js.certify(KEY, CLASSIFY, js.noises.Gaussian(sigma), X[:2], n=500, image_ids=ids, ledger=path)
    less, more = (path.read_bytes() for path in paths)
    both = tmp_path / "both.jsonl"
    for content, message in (
        (more + less, "line 4 of ledger .* begins another run"),
        (
            more + b"".join(less.splitlines(keepends=True)[1:]),
            "line 4 of ledger .* or of another run .*Delete the line",
        ),
    ):
        both.write_bytes(content)
        for use in (
            js.ledger.read,
            lambda path: js.recertify(path, js.noises.Gaussian(2.0), Fixed(n=500)),
            lambda path: js.certify(KEY, CLASSIFY, js.noises.Gaussian(2.0), X[:2], n=500, ledger=path),
        ):
            with pytest.raises(ValueError, match=message):
                use(both)
    # One run, written into two files that were put together, is one run.
    both.write_bytes(more + more)
    assert js.ledger.read(both).segments == js.ledger.read(paths[1]).segments


@pytest.mark.parametrize(
    "kind", ["weights", "architecture", "scikit-learn", "keys", "masked", "impossible", "far from 0", "one number"]
)
def test_votes_of_another_python_function_are_refused(kind, tmp_path):
    """Its weights are in no program; what it answers is in the ledger."""

    def classifier(seed):
        weights = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
        if kind == "scikit-learn":
            model = LogisticRegression().fit(X[[*range(12)]], np.arange(12) % 3 if seed else LABELS)
            return js.interop.from_callable(model.predict_proba, 3)
        if kind == "architecture" and seed:
            return js.interop.from_callable(lambda x: np.tanh(x @ weights), 3)
        if kind in ("masked", "impossible", "far from 0"):
            away = {"masked": [0, 0, -1e9], "impossible": [0, 0, -np.inf], "far from 0": [1e4, 1e4, 1e4]}[kind]
            return js.interop.from_callable(lambda x: x @ weights + np.float32(away), 3)
        made = js.interop.from_callable(lambda x: x @ weights, 3)
        if kind == "keys":
            drawn = lambda classify, keys, x: classify(x) + jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)
            return js.randomized(jax.tree_util.Partial(drawn, made))
        return made

    run = lambda seed: js.predict(KEY, classifier(seed), NOISE, X[:3], n=100, ledger=tmp_path / "votes.jsonl")
    if kind == "one number":
        number = lambda seed: js.interop.from_callable(lambda x: 1e4 + x @ [1, 2, 3, 4 + seed], (), numbers=True)
        run = lambda seed: (
            js.certify_values(
                KEY, number(seed), NOISE, X[:3], 0.1, edges=[1e4], n=500, ledger=tmp_path / "votes.jsonl"
            ).lower
        )
    first = run(0)
    np.testing.assert_array_equal(run(0), first)  # made again, as another process does
    with pytest.raises(ValueError, match=r"belongs to another run: the Python function .* answers otherwise"):
        run(1)


@pytest.mark.parametrize("offset", [0, 1e4])
def test_what_rounding_moves_is_the_same_function(offset, tmp_path):
    """Also where it moves something in some calls alone."""
    weights, calls = np.asarray(WEIGHTS), itertools.count()

    def scores(x):
        exact = x @ weights + np.float32(offset)
        return np.nextafter(exact, np.float32(np.inf)) if next(calls) % 3 else exact

    for _ in range(4):
        js.predict(KEY, js.interop.from_callable(scores, 3), NOISE, X[:2], n=100, ledger=tmp_path / "votes.jsonl")
    assert js.ledger.read(tmp_path / "votes.jsonl").header["answers"] != "others in every call"


def test_keys_of_the_answers_are_used_once(tmp_path):
    drawn = js.randomized(lambda keys, x: PYTHON(x) + jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys))
    run = lambda ledger: js.predict(KEY, drawn, NOISE, X[:2], n=100, ledger=ledger)
    right, before = run(None), jax.config.jax_debug_key_reuse
    jax.config.update("jax_debug_key_reuse", True)
    try:
        np.testing.assert_array_equal(run(tmp_path / "votes.jsonl"), right)
    finally:
        jax.config.update("jax_debug_key_reuse", before)


def test_of_a_function_that_answers_otherwise_in_every_call_nothing_is_remembered():
    random_numbers = np.random.default_rng(0)
    noisy = js.interop.from_callable(lambda x: x @ np.asarray(WEIGHTS) + random_numbers.normal(size=(len(x), 3)), 3)
    header = lambda classify: run_header(jax.random.key_data(KEY), classify, NOISE, (4,), 3, None)
    assert header(noisy) == header(noisy) and header(noisy)["answers"] == "others in every call"
    assert "answers" not in header(CLASSIFY)


def of_format_1(path):
    """The file as it was written when a line's checksum was of the line alone."""
    header, *records = (json.loads(line) for line in path.read_bytes().splitlines())
    rest = [
        {name: value for name, value in line.items() if name != "check"} for line in ({**header, "ledger": 1}, *records)
    ]
    path.write_bytes(b"".join(map(lines._line, rest)))


def test_files_of_format_1_are_read_and_not_written_to(tmp_path):
    path, other = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    right = VERBS["certify"](path)
    shutil.copy(path, other)
    of_format_1(path)
    assert_same(js.recertify(path, NOISE, Fixed(n=500)), right)
    with pytest.raises(ValueError, match=r"of format 1, .* Give the file that jaxsmooth.ledger.merge\(\['.*old"):
        VERBS["certify"](path)
    js.ledger.merge([path, other], tmp_path / "merged.jsonl")
    assert js.ledger.read(tmp_path / "merged.jsonl").header == js.ledger.read(other).header
    assert_same(VERBS["certify"](tmp_path / "merged.jsonl"), right)


def test_bad_paths(tmp_path):
    with pytest.raises(TypeError, match="ledger must be the path"):
        VERBS["certify"](3)
    with pytest.raises(FileNotFoundError):
        js.ledger.read(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        VERBS["certify"](tmp_path / "no folder/votes.jsonl")


def test_many_classes_take_little_room(tmp_path):
    """ImageNet's thousand classes, few of which get votes."""
    path = tmp_path / "votes.jsonl"
    classify = lambda batch: jnp.pad(batch, ((0, 0), (0, 996)))
    js.certify(KEY, classify, NOISE, X, n=500, ledger=path)
    assert path.stat().st_size < 12 * 2 * 200 + 400
    assert json.loads(path.read_text().splitlines()[0])["classes"] == 1000


WORKER = """
import sys, numpy as np, jax
sys.path.insert(0, {root!r})
from tests.test_ledger import VERBS
certificates = VERBS[{verb!r}](sys.argv[1])
np.savez(sys.argv[2], counts=certificates.votes.counts, radius=certificates.radius, label=certificates.label)
"""


def kill_and_go_on(verb, kills, tmp_path):
    """Kill a run at random moments after its first write until it has been killed often enough; then finish it."""
    root = str(pathlib.Path(__file__).parent.parent)
    code = WORKER.format(root=root, verb=verb)
    path, out, rng, done = tmp_path / "votes.jsonl", tmp_path / "out.npz", random.Random(3), 0
    environment = {**os.environ, "JAXSMOOTH_SLOWLY": "1"}
    command = [sys.executable, "-W", "ignore::UserWarning", "-c", SLOW + code, str(path), str(out)]
    whole = VERBS[verb](tmp_path / "whole.jsonl")
    for _ in range(20 * kills):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        size = path.stat().st_size if path.exists() else 0
        while process.poll() is None and (not path.exists() or path.stat().st_size == size):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            done += 1
        process.wait()
        if done == kills or out.exists():
            break
    subprocess.run([*command[:4], code, str(path), str(out)], check=True)
    saved = np.load(out)
    for name, value in (("counts", whole.votes.counts), ("radius", whole.radius), ("label", whole.label)):
        assert saved[name].tobytes() == np.asarray(value).tobytes()
    lines = lambda file: sorted(file.read_bytes().splitlines())
    assert lines(path) == lines(tmp_path / "whole.jsonl")
    return done


# Writes a few bytes at a time, with pauses, so that kills hit every part of a line.
SLOW = """
import os, time, random
import jaxsmooth.ledger.recording as recording
def write(self, lines):
    for start in range(0, len(lines), 37):
        os.write(self._file.fileno(), lines[start : start + 37])
        time.sleep(0.004)
recording.Recording._write = write
"""


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "kills"), [("certify", 2)])
def test_killed_runs(verb, kills, tmp_path):
    assert kill_and_go_on(verb, kills, tmp_path) >= 1


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("verb", ["certify", "certify_curve"])
def test_runs_killed_twenty_times(verb, tmp_path):
    kills = 0
    for trial in range(12):
        (folder := tmp_path / str(trial)).mkdir()
        kills += kill_and_go_on(verb, 5, folder)
        shutil.rmtree(folder)
        if kills >= 20:
            break
    assert kills >= 20


def test_votes_of_no_output_are_votes(tmp_path):
    """Where no draw agrees with the reference, as for four images in 64 by chance, all are recorded all the same."""
    side = lambda batch: batch[:, :, None] * jnp.array([1.0, -1.0])
    x = np.zeros((64, 1), np.float32)
    made = js.certify_outputs(KEY, side, NOISE, x, n=4, tau=0.5, alpha=0.5, ledger=tmp_path / "votes")
    assert (np.asarray(made.agreement) == 0).any()
    recorded = js.ledger.read(tmp_path / "votes")
    assert recorded.votes(4, first=recorded.first)[0].tolist() == list(range(64))


def test_a_ledger_of_values_without_images(tmp_path):
    mean, edges = (lambda batch: batch.mean(-1)), np.linspace(-1, 1, 5)
    js.certify_values(KEY, mean, NOISE, np.zeros((1, 2)), 0.1, edges=edges, n=200, ledger=tmp_path / "votes")
    header = (tmp_path / "votes").read_text().splitlines(keepends=True)[0]
    (tmp_path / "votes").write_text(header)
    found = js.recertify(tmp_path / "votes", NOISE, js.designs.Values(0.1, edges, n=200))
    assert len(found) == 0
