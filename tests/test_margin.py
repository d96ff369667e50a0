"""with_margin: what is certified holds for every evaluation of the classifier that differs by less than half of it."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.diagnostics.measure import attack_points

KEY, NOISE, X = jax.random.key(0), js.noises.Gaussian(1.0), np.zeros((1, 2), np.float32)
MARGIN = 1e-5


@jax.tree_util.Partial
def drawn(batch):
    """Class 0 in 38 %, class 1 in 10 %, and a tie of the classes 1 and 2 between, which either may win elsewhere."""
    z = batch[:, 0]
    tie = jnp.where((z >= -0.3) & (z <= 1.3), 0.5, 0.0)
    return jnp.stack([jnp.where(z < -0.3, 1.0, 0.0), jnp.where(z > 1.3, 1.0, tie), tie], -1)


@jax.tree_util.Partial
def viewed(batch):
    low = batch[:, 0] < 0.5
    tie = jnp.where(low, 0.0, 0.5)
    return jnp.stack([jnp.where(low, 1.0, 0.0), tie, tie], -1)


CAREFUL = js.with_margin(drawn, MARGIN)
SPLITS, PIXEL = js.noises.Splits.from_levels(16, step=1 / 16, offsets=[0]), np.array([[9 / 16]], np.float32)


def of_certify(path):
    return js.certify(KEY, CAREFUL, NOISE, X, n=2000, runner_up="bounded", ledger=path).label


def recertified(path):
    of_certify(path)
    return js.recertify(path, NOISE, js.designs.Fixed(n=2000, runner_up="bounded")).label


def of_votes(path):
    votes = js.Votes(np.array([[3773, 962, 0]]), np.array([5265]))
    return js.certificates([[90, 5, 5]], votes, NOISE, dim=2, runner_up="bounded").label


def exact_recertified(path):
    js.certify_exact(js.with_margin(viewed, MARGIN), SPLITS, PIXEL, ledger=path)
    with pytest.raises(ValueError, match=r"strict, designs.Exact\(strict=True\), for a run with a margin"):
        js.recertify(path, SPLITS, js.designs.Exact(strict=False))
    return js.recertify(path, SPLITS).label


def exact_stream(path):
    careful, stream = (
        js.with_margin(viewed, MARGIN),
        lambda design, **options: list(js.certify_stream(KEY, careful, SPLITS, [PIXEL], design, **options)),
    )
    with pytest.raises(ValueError, match=r"design must be strict, .* for a classifier with a margin"):
        stream(js.designs.Exact(strict=False))
    (made,) = stream(js.designs.Exact(), ledger=path)
    with pytest.raises(ValueError, match="for a run with a margin"):
        js.recertify(path, SPLITS, js.designs.Exact(strict=False))
    return made.label


ANSWERS = {
    "certify": of_certify,
    "recertify": recertified,
    "certificates": of_votes,
    "certify_top_k": lambda path: js.certify_top_k(KEY, CAREFUL, NOISE, X, k=1, n=2000).label[:, 0],
    "predict": lambda path: js.predict(KEY, CAREFUL, NOISE, X),
    "certify_exact": lambda path: js.certify_exact(js.with_margin(viewed, MARGIN), SPLITS, PIXEL).label,
    "certify_exact, of a function": lambda path: (
        js.certify_exact(lambda batch: js.with_margin(viewed, MARGIN)(batch), SPLITS, PIXEL).label
    ),
    "certify_exact, recertified": exact_recertified,
    "certify_exact, a stream": exact_stream,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_near_ties_could_change_is_not_certified(name, tmp_path):
    """The most voted class has fewer votes than near ties, which elect another one wherever they all go to it."""
    assert ANSWERS[name](tmp_path / "votes.jsonl").tolist() == [js.ABSTAIN]


def test_what_they_cannot_change_is_certified():
    votes = js.Votes(np.array([[900, 50, 0]]), np.array([50]))
    for runner_up in ("complement", "bounded"):
        made = js.certificates([[90, 5, 5]], votes, NOISE, dim=2, runner_up=runner_up)
        assert made.label.tolist() == [0] and made.radius > 1
    worst = js.certificates([[90, 5, 5]], [[900, 100, 0]], NOISE, dim=2, runner_up="bounded")
    assert made.radius == worst.radius


def test_a_changed_answer_is_changed_whatever_near_ties_do(monkeypatch):
    """20 votes against 8 are a clear change; not where 12 draws that voted for nobody may be for the old answer."""
    search = types.SimpleNamespace(clip=None, norm=2, noise=NOISE)
    for nobody, changed in ((0, True), (12, False)):
        deciding = np.array([[8, 20 + 12 - nobody, 0]])
        monkeypatch.setattr(attack_points, "votes_at", lambda *_, votes=deciding: [np.array([[1, 3, 0]]), votes])
        found = attack_points.NearestPoints(search, X, np.zeros(1, int), np.zeros(1, int), 44)
        assert found.test(np.zeros(1, int), X + 1, 0.05, stage=0).tolist() == [changed]


def test_scores_of_python_functions_are_as_far_apart_as_they_are():
    """Not as their float32: beside a million those lie a sixteenth apart."""
    apart = np.array([1e6 + 0.031 + 0.002, 1e6 + 0.031, 0.0])
    classify = js.interop.from_callable(lambda x: np.broadcast_to(apart, (len(x), 3)), 3)
    assert np.diff(apart.astype(np.float32)[:2]) != 0
    scores = js.with_margin(classify, 0.01)(X)
    assert np.isnan(scores).all()
    np.testing.assert_allclose(js.with_margin(classify, 0.001)(X), [[0.0, -0.002, -1e6 - 0.033]], rtol=1e-6)
    strange = np.array([[np.inf, 1.0, 0.0], [-np.inf, 1.0, 0.0], [-np.inf] * 3, [np.nan, 1.0, 0.0]])
    kept = js.with_margin(js.interop.from_callable(lambda x: strange[: len(x)], 3), 0.5)(np.zeros((4, 2), np.float32))
    assert np.isposinf(kept[0, 0]) and kept[1].tolist() == [-np.inf, 0.0, -1.0]
    assert not np.isfinite(kept[2]).any() and np.isnan(kept[3]).any()


def test_python_functions_of_which_more_is_made_are_left_alone():
    """What reads how large a score is would be another classifier with differences."""
    probable = js.interop.from_callable(lambda x: np.broadcast_to([0.95, 0.05], (len(x), 2)), 2)
    flips = jax.tree_util.Partial(lambda f, x: jnp.where(f(x).max(-1, keepdims=True) > 0.9, f(x), -f(x)), probable)
    np.testing.assert_array_equal(js.with_margin(flips, 0.01)(X), flips(X))
    behind = js.with_margin(js.denoised(lambda x: x, probable), 0.01)
    np.testing.assert_allclose(behind(X), [[0.0, -0.9]], rtol=1e-6)
