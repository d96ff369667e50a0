"""Every kind of output from every source: streams, ledgers and meshes give what the array gives."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import Outputs, TopK, Values
from jaxsmooth.sampling.sampler import Sampler
from tests.test_designs import CLASSIFY, IDS, KEY, LABELS, NOISE, X, batches

EDGES = np.linspace(-4, 4, 33)
WEIGHTS = jax.random.normal(jax.random.key(4), (4, 5, 3))
MAPS = jax.tree_util.Partial(lambda weights, batch: jnp.einsum("bd,dmc->bmc", batch, weights), WEIGHTS)
MASK = np.random.default_rng(0).uniform(size=(30, 5)) < 0.7
NUMBERS = jax.tree_util.Partial(lambda weights, batch: batch @ weights[:, :2, 0], WEIGHTS)


def outputs(**options):
    design = {"tau": 0.6, "n": 120, "alpha": 0.05, **options}
    return Outputs(**design), MAPS, lambda **run: js.certify_outputs(KEY, MAPS, NOISE, X, **design, **run)


# One row a kind: the design, the classifier, and the verb that is its array form.
KINDS = {
    "top-k, labels": (
        TopK(k=2, n=500),
        CLASSIFY,
        lambda **run: js.certify_top_k(KEY, CLASSIFY, NOISE, X, LABELS, k=2, n=500, **run),
    ),
    "top-k": (
        TopK(k=2, n=500, subsets="all", joint=True),
        CLASSIFY,
        lambda **run: js.certify_top_k(KEY, CLASSIFY, NOISE, X, k=2, n=500, subsets="all", joint=True, **run),
    ),
    "holm": outputs(),
    "bonferroni": outputs(method="bonferroni", mask=MASK),
    "values": (
        Values([0.0, 0.25], EDGES, n=500),
        NUMBERS,
        lambda **run: js.certify_values(KEY, NUMBERS, NOISE, X, [0.0, 0.25], edges=EDGES, n=500, **run),
    ),
}


@pytest.fixture(scope="module")
def arrays():
    """The array form of every kind, computed once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = KINDS[name][2]()
        return made[name]

    return get


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("devices", [None, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 8))])
def test_stream_and_ledger_are_the_array(arrays, name, devices, tmp_path, monkeypatch):
    design, classify, _ = KINDS[name]
    whole, labels = arrays(name), LABELS if name == "top-k, labels" else None
    mesh = None if devices is None else jax.make_mesh((devices,), ("draws",))
    path = tmp_path / "votes.jsonl"
    stream = lambda: js.certify_stream(KEY, classify, NOISE, batches(labels), design, mesh=mesh, ledger=path)
    parts = list(stream())
    assert [len(part) for part in parts] == [7, 1, 12, 10]
    assert js.concatenate(parts) == whole
    assert js.recertify(path, NOISE, design, labels=labels) == whole
    size = path.stat().st_size
    monkeypatch.setattr(Sampler, "count_listed", lambda *given: pytest.fail("sampled what the ledger holds"))
    assert js.concatenate(list(stream())) == whole
    assert path.stat().st_size == size


@pytest.mark.parametrize("name", KINDS)
def test_a_killed_run_goes_on(arrays, name, tmp_path):
    path = tmp_path / "votes.jsonl"
    _, _, run = KINDS[name]
    assert run(ledger=path, batch_size=16) == arrays(name)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 31
    path.write_bytes(b"".join(lines[:20]))
    assert run(ledger=path) == arrays(name)
    parts = [tmp_path / "first", tmp_path / "second"]
    for part, kept in zip(parts, (lines[1:16], lines[10:]), strict=True):
        part.write_bytes(lines[0] + b"".join(kept))
    merged = js.ledger.merge(parts, tmp_path / "all")
    labels = LABELS if name == "top-k, labels" else None
    assert js.recertify(merged, NOISE, KINDS[name][0], labels=labels) == arrays(name)


def test_ids_choose_the_noise():
    _, classify, run = KINDS["holm"]
    turned = run(image_ids=IDS)
    same = js.certify_outputs(KEY, classify, NOISE, X[::-1].copy(), tau=0.6, n=120, alpha=0.05)[::-1]
    np.testing.assert_array_equal(turned.agreement, same.agreement)


def test_another_question_of_a_ledger(arrays, tmp_path):
    path = tmp_path / "votes.jsonl"
    KINDS["values"][2](ledger=path)
    for options in ({"quantile": 0.25, "alpha": 0.01}, {"n": 200}):
        again = js.recertify(path, NOISE, Values(0.1, EDGES, **{"n": 500, **options}))
        fresh = js.certify_values(KEY, NUMBERS, NOISE, X, 0.1, edges=EDGES, **{"n": 500, **options})
        assert again == fresh
    path = tmp_path / "outputs.jsonl"
    KINDS["bonferroni"][2](ledger=path)
    for tau in (0.5, 0.7):
        again = js.recertify(path, NOISE, Outputs(tau=tau, n=120, alpha=0.05, method="bonferroni", mask=MASK))
        assert ((again.radius > 0) == (again.label >= 0)).all()
        np.testing.assert_array_equal(again.agreement, arrays("bonferroni").agreement)


def test_a_ledger_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "votes.jsonl"
    KINDS["holm"][2](ledger=path)
    with pytest.raises(ValueError, match=r"design must count what the ledger holds, Agreement\(n0=10\)"):
        js.recertify(path, NOISE, js.designs.Fixed())
    with pytest.raises(ValueError, match=r"design must count .*, which counts Agreement\(n0=5\)"):
        js.recertify(path, NOISE, Outputs(tau=0.6, n0=5))
    with pytest.raises(ValueError, match="belongs to another run: its ballot is"):
        js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n0=11, n=120, ledger=path)
    shape = json.loads(path.read_bytes().splitlines()[0])
    assert shape["shape"] == [5, 3] and shape["width"] == 5 and shape["first"] == 10


def test_votes_of_many_outputs_are_packed(tmp_path):
    many = lambda batch: jnp.stack([-(y := jnp.tile(batch, (1, 1250))), y], -1)
    path, x = tmp_path / "votes.jsonl", X[:3]
    made = js.certify_outputs(KEY, many, NOISE, x, tau=0.6, n=60, ledger=path)
    assert made.agreement.shape == (3, 5000) and path.stat().st_size < 3 * 5000
    design = Outputs(tau=0.6, n=60)
    assert js.recertify(path, NOISE, design) == made
    assert js.certify_outputs(KEY, many, NOISE, x, tau=0.6, n=60, ledger=path) == made
    copies = made.agreement.reshape(3, 1250, 4)
    assert (copies == copies[:, :1]).all()
    damaged = path.read_text().replace('"chosen":"e', '"chosen":"f', 1)
    path.write_text(damaged)
    with pytest.raises(ValueError, match=r"line 2 of ledger .* is damaged"):
        js.ledger.read(path)


@pytest.mark.parametrize("name", KINDS)
def test_manners(arrays, name, tmp_path):
    made = arrays(name)
    assert repr(made).startswith(f"{type(made).__name__} of 30 images") and repr(made).count("\n") <= 6
    assert len(repr(made)) < 800 and "Gaussian(sigma=0.5)" in repr(made) and "<table>" in made._repr_html_()
    assert "0 images" in repr(made[:0])
    assert js.concatenate([made[:10], *made[10:12], made[12:]]) == made != made[:29]
    made.save(tmp_path / "made.npz")
    for kind in (type(made), js.AbstractCertificates):
        found = kind.load(tmp_path / "made.npz")
        assert type(found) is type(made) and found == made
    with pytest.raises(ValueError, match=r"written by Certificates\.save"):
        js.Certificates.load(tmp_path / "made.npz")
    lengths = {column.shape for column in made.to_dict().values()}
    pandas = pytest.importorskip("pandas")
    assert len(pandas.DataFrame(made.to_dict())) == len(np.asarray(made))
    assert made[np.arange(30) % 2 == 0] == made[::2] and made[-1] == made[29:]
    assert len(lengths) == 1 and len(np.asarray(made)) == lengths.pop()[0]
    assert set(made.samples.tolist()) == {{"top-k": 600, "holm": 130, "bonferroni": 130}.get(name, 500)}
    assert all(reason == "all votes drawn" for reason in made.reason)
    other = dataclasses.replace(made, alpha=0.5)
    with pytest.raises(ValueError, match="of one alpha"):
        js.concatenate([made, other])


def test_certificates_that_votes_do_not_fill(arrays, tmp_path):
    """An image of which a ledger does not hold all draws is concluded without a claim."""
    path = tmp_path / "votes.jsonl"
    for name in ("top-k", "holm", "values"):
        path.unlink(missing_ok=True)
        design, _, run = KINDS[name]
        run(ledger=path)
        with pytest.warns(UserWarning, match="could not use all votes"):
            found = js.recertify(path, NOISE, dataclasses.replace(design, n=3000))
        assert set(found.reason) == {"not all votes recorded"} and not found.samples.any()
        if name == "values":
            assert np.isnan(found.value).all() and np.isinf(found.width).all()
        else:
            assert (found.label == js.ABSTAIN).all() and not found.radius.any()


def test_printed_bounds_claim_no_more_than_is_proved():
    """Every bound as printed is on the safe side of its value, of numbers of any size."""
    outward = [
        js.ValueCertificates(
            *(np.array([value * sign]) for value in (0.5, lower, upper)), samples=np.array([9]), radius=0.123456
        )
        for lower, upper in ((0.12345678, 0.12345678), (123456.7, 123456.7), (9.99961e-7, 9.99961e-7), (0.0, math.inf))
        for sign in (1, -1)
    ]
    for made in outward:
        row = dict(zip(*(line.split() for line in repr(made).splitlines()[1:]), strict=True))
        assert float(row["lower"]) <= made.lower[0] and float(row["upper"]) >= made.upper[0]
        assert float(row["radius"]) <= 0.123456 and ", radius 0.1234," in repr(made)
        np.testing.assert_allclose(
            [float(row["lower"]), float(row["upper"])], [made.lower[0], made.upper[0]], rtol=2e-3
        )
    signs = lambda batch: jnp.stack([-batch, batch], -1)
    made = js.certify_outputs(KEY, signs, js.noises.Gaussian(0.25), np.array([[0.9, -0.8]], np.float32), tau=0.84996)
    assert "0.8499" in repr(made) and "0.8500" not in repr(made)
