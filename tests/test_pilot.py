"""Edges from a pilot: draws of their own, none of which is certified, and the same edges for every way to run it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs.pilot import PILOT_KEY, Pilot, edges_around, edges_in
from tests.soundness.half_space import is_sound
from tests.test_designs import KEY, NOISE, X
from tests.test_output_kinds import NUMBERS

RUN = {"edges": "pilot", "n": 500}


@pytest.fixture(scope="module")
def made():
    return js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, **RUN)


def test_pilot_draws_are_those_of_another_key(made):
    """The outputs that edges were chosen from, drawn by hand; and none of them is among the certified draws."""
    draw = jax.jit(
        lambda key: jax.vmap(
            lambda i, x: jax.vmap(lambda j: x + NOISE.sample(jax.random.fold_in(jax.random.fold_in(key, i), j), (4,)))(
                jnp.arange(34)
            )
        )(jnp.arange(30), X)
    )
    pilot, certified = (NUMBERS(draw(key).reshape(-1, 4)) for key in (jax.random.fold_in(KEY, PILOT_KEY), KEY))
    assert Pilot.of(30).draws == 34 and Pilot.of(1).draws == 1000 and Pilot.of(10**6).draws == 20
    np.testing.assert_allclose(edges_around(np.asarray(pilot)), made.edges, rtol=1e-4, atol=1e-5)
    inner = np.array(made.edges)[16:-16]
    distance = lambda values: np.abs(np.asarray(values).reshape(-1, 1) - inner).min(0)
    assert (distance(pilot) < 1e-5).all() and (distance(certified) > 1e-5).mean() > 0.8


def test_the_same_however_it_runs(made, tmp_path):
    path, mesh = tmp_path / "votes.jsonl", jax.make_mesh((2,), ("draws",))
    np.testing.assert_allclose(
        js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, batch_size=16, mesh=mesh, **RUN).edges, made.edges, rtol=1e-4,
        atol=1e-5,
    )  # fmt: skip
    assert js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, ledger=path, **RUN) == made
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:9]))
    assert js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, ledger=path, batch_size=16, mesh=mesh, **RUN) == made
    assert js.recertify(path, NOISE, js.designs.Values(0.25, made.edges, n=500)) == made
    other = js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, edges=[-1.0, 0.5], n=500, ledger=tmp_path / "other")
    assert js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, ledger=tmp_path / "other", **RUN) == other
    assert edges_in({"ballot": "Bins(edges=(0.5,))"}) == (0.5,) and edges_in({}) is None


def test_edges_lie_where_outputs_are(made):
    edges = np.array(made.edges)
    assert (np.diff(edges) > 0).all() and np.isfinite(made.width).all()
    by_hand = js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, edges=np.linspace(edges[0], edges[-1], 4001), n=500)
    assert np.median(made.width / by_hand.width) < 1.1
    constant = js.certify_values(KEY, lambda batch: jnp.full(len(batch), 7.0), NOISE, X[:2], 0.25, **RUN)
    assert (constant.lower == 7).all() and (constant.upper > 7).all() and (constant.upper < 7.01).all()
    found = np.array(edges_around(np.array([np.nan, np.inf, 0.0, 1.0])))
    assert found[0] == -1 and found[-1] == 2 and {0.0, 1.0} <= set(found.tolist())


def test_the_error_rate_is_that_of_given_edges():
    """A linear model attains both ends."""
    images = 600
    predict = jax.tree_util.Partial(lambda w, batch: batch @ w, jnp.full(4, 0.5, jnp.float32))
    made = js.certify_values(
        KEY, predict, NOISE, np.zeros((images, 4), np.float32), 0.25, edges="pilot", n=200, alpha=0.1
    )
    assert is_sound(int(((made.lower > -0.25) | (made.upper < 0.25)).sum()), images, 0.1)
    assert np.isfinite(made.width).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"edges": "pilots"}, ValueError, "edges must be given.*got 'pilots'"),
        ({"alpha": 2}, ValueError, "alpha must be"),
        ({"noise": js.noises.Laplace(0.5)}, TypeError, "noise must be jaxsmooth.noises.Gaussian"),
        ({"noise": 0.5}, TypeError, r"noise must be .* jaxsmooth\.noises\.Gaussian\(0\.5\)"),
        ({"x": (X, X[:, 0])}, TypeError, "x must be images alone"),
        ({"predict": lambda batch: batch[:, :, None]}, ValueError, "predict must map"),
        ({"predict": lambda batch: jnp.full(len(batch), jnp.nan)}, ValueError, "no finite output"),
    ],
)
def test_bad_values(options, error, message):
    given = {"predict": NUMBERS, "noise": NOISE, "x": X[:2], "radius": 0.1, **RUN, **options}
    with pytest.raises(error, match=message):
        js.certify_values(KEY, **given)


def test_a_stream_cannot_have_a_pilot():
    with pytest.raises(ValueError, match="as certify_values does"):
        js.designs.Values(0.1, "pilot")
