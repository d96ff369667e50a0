"""Intervals of numbers: order statistics, bins, two bins, what is no number, and another question of the same votes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
from jaxsmooth.bounds import quantile_indices
from jaxsmooth.designs import Finished, Setting, Values
from tests.test_designs import CLASSIFY, KEY, NOISE, X
from tests.test_output_kinds import NUMBERS

# n, distance in sigma, alpha of a side, l, u: mpmath with 50 digits. 0 and n + 1: no bound.
INDICES = [
    (100, 0.5, 0.025, 22, 79),
    (1000, 0.5, 0.0005, 261, 740),
    (1000, 3.0, 0.0005, 0, 1001),
    (10000, 2.0, 0.0005, 180, 9821),
    (20, 0.5, 0.0005, 0, 21),
    (44, 1.0, 0.0005, 1, 44),
    (1000, 0.0, 0.0005, 448, 553),
]
SMALLEST = [(0.0, 11), (0.25, 15), (0.5, 21), (1.0, 44), (1.44, 98), (2.0, 331), (3.0, 5627)]
EDGES = (0.0, 1.0, 2.0, 3.0)
# Counts of five bins, and the bounds of the median at 0, 1/4, 1/2 and 1 sigma.
BINNED = [
    ([0, 10, 80, 10, 0], [(1, 2), (1, 2), (1, 2), (0, 3)]),
    ([5, 40, 40, 15, 0], [(0, 2), (0, 2), (0, 2), (-math.inf, 3)]),
    ([0, 0, 100, 0, 0], [(1, 2), (1, 2), (1, 2), (1, 2)]),
    ([50, 0, 0, 0, 50], [(-math.inf, math.inf)] * 4),
    ([0, 3, 94, 3, 0], [(1, 2), (1, 2), (1, 2), (1, 2)]),
    ([1, 0, 98, 0, 1], [(1, 2), (1, 2), (1, 2), (1, 2)]),
]


@pytest.mark.parametrize(("n", "distance", "side", "l", "u"), INDICES)
def test_indices(n, distance, side, l, u):
    assert quantile_indices(n, stats.norm.cdf(-distance), stats.norm.cdf(distance), 2 * side) == (l, u)


@pytest.mark.parametrize(("distance", "n"), SMALLEST)
def test_smallest_n(distance, n):
    q = stats.norm.cdf(distance)
    lower, upper = quantile_indices(np.array([n - 1, n]), 1 - q, q, 0.001)
    assert lower.tolist() == [0, 1] and upper.tolist() == [n, n]


def test_indices_cannot_be_moved_in():
    rng = np.random.default_rng(0)
    n = np.concatenate([rng.integers(1, 300, 60), [10**5, 10**6]])
    q, alpha = rng.uniform(0.01, 0.99, 62), 0.01
    lower, upper = quantile_indices(n, q, q, alpha)
    assert ((lower == 0) | (stats.binom.cdf(lower - 1, n, q) <= alpha / 2 * (1 + 1e-9))).all()
    assert (stats.binom.cdf(lower, n, q) > alpha / 2 * (1 - 1e-9)).all()
    assert ((upper == n + 1) | (stats.binom.sf(upper - 1, n, q) <= alpha / 2 * (1 + 1e-9))).all()
    assert (stats.binom.sf(upper - 2, n, q) > alpha / 2 * (1 - 1e-9)).all()
    assert quantile_indices(10, 0.0, 1.0, 0.05) == (0, 11)


def concluded(counts, invalid=0, **options):
    """What a design makes of the counts of one image."""
    counts = np.array(counts, np.int32)
    n = int(counts.sum()) + invalid
    design = Values(**{"edges": EDGES, "n": n, "radius": [0, 0.25, 0.5, 1.0], "simultaneous": False, **options})
    design = design.bind(Setting(js.noises.Gaussian(1.0), js.noises.Gaussian(1.0), 4, 1, False, ()))
    votes = js.Votes(np.append(counts, invalid)[None].astype(np.int32), np.array([invalid], np.int32))
    return design.conclude({}, Finished(np.arange(1), votes, np.array([n]), None, np.array([True])))


@pytest.mark.parametrize(("counts", "bounds"), BINNED)
def test_binned(counts, bounds):
    made = concluded(counts)
    assert list(zip(made.lower[0].tolist(), made.upper[0].tolist(), strict=True)) == bounds
    together = concluded(counts, simultaneous=True)
    assert (together.lower <= made.lower).all() and (together.upper >= made.upper).all()


def test_two_bins_are_certify():
    """The median of an indicator, and the class that it indicates."""
    two = jax.tree_util.Partial(lambda f, batch: f(batch)[:, :2], CLASSIFY)
    indicator = jax.tree_util.Partial(lambda f, batch: jnp.argmax(f(batch), -1), two)
    whole = js.certify(KEY, two, NOISE, X, n=500, n0=10, alpha=0.005)
    votes = np.asarray(js.count_votes(KEY, two, NOISE, X, 500).counts)
    radii = [0.0, 0.1, 0.3, 0.6]
    made = js.certify_values(KEY, indicator, NOISE, X, radii, edges=[0.5], n=500, alpha=0.01, simultaneous=False)
    np.testing.assert_array_equal(made.votes.counts, votes)
    bound = js.certified_radius(NOISE, js.bounds.clopper_pearson_lower(votes, 500, 0.005))
    for i, radius in enumerate(radii):
        positive = bound > 0 if radius == 0 else bound >= radius
        np.testing.assert_array_equal(np.isfinite(made.lower[:, i]), positive[:, 1])
        np.testing.assert_array_equal(np.isfinite(made.upper[:, i]), positive[:, 0])
    assert whole.radius.max() > 0.6


def test_bins_are_rounded_outward():
    """Never inside the order statistics of the same draws; at them where every output is an edge."""
    coarse, fine = np.linspace(-3, 3, 13), np.linspace(-3, 3, 601)
    wide, narrow = (js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, edges=edges, n=500) for edges in (coarse, fine))
    assert (wide.lower <= narrow.lower).all() and (wide.upper >= narrow.upper).all()
    assert (wide.width[np.isfinite(wide.width)] >= narrow.width[np.isfinite(wide.width)]).all()
    whole = jax.tree_util.Partial(lambda f, batch: jnp.round(4 * f(batch)[:, 0]) / 4, NUMBERS)
    exact = js.certify_values(KEY, whole, NOISE, X, 0.0, edges=np.arange(-40, 41) / 4, n=500)
    l, u = quantile_indices(500, 0.5, 0.5, 1e-3)
    cumulative = np.cumsum(exact.votes.counts, -1)
    sorted_value = lambda place: np.append(-math.inf, exact.edges)[(cumulative < place).sum(-1)]
    np.testing.assert_array_equal(exact.lower, sorted_value(l))
    np.testing.assert_array_equal(exact.upper, sorted_value(u) + 0.25)


def test_symmetry():
    edges = np.linspace(-4, 4, 33) + 0.001
    one = js.certify_values(KEY, NUMBERS, NOISE, X, 0.3, edges=edges, n=500, quantile=0.3)
    other = js.certify_values(
        KEY, jax.tree_util.Partial(lambda f, batch: -f(batch), NUMBERS), NOISE, X, 0.3, edges=-edges[::-1], n=500,
        quantile=0.7,
    )  # fmt: skip
    np.testing.assert_array_equal(one.lower, -other.upper)
    np.testing.assert_array_equal(one.upper, -other.lower)


def test_what_is_no_number_counts_against_both_bounds():
    plain = concluded([0, 10, 80, 10, 0])
    few, many = concluded([0, 10, 80, 9, 0], invalid=1), concluded([0, 10, 40, 10, 0], invalid=40)
    assert few.votes.invalid.tolist() == [1] and (few.lower <= plain.lower).all() and (few.upper >= plain.upper).all()
    assert many.lower[0, 0] == -math.inf and many.upper[0, 1] == math.inf
    infinite = jax.tree_util.Partial(
        lambda f, batch: jnp.where(batch[:, 0] > 9, jnp.nan, jnp.where(batch[:, 0] > 0, jnp.inf, -jnp.inf)), NUMBERS
    )
    made = js.certify_values(KEY, infinite, NOISE, X, 0.1, edges=[0.0], n=500)
    assert (made.votes.counts.sum(-1) == 500).all() and (np.isinf(made.lower) | (made.lower == 0)).all()
    never = lambda batch: jnp.full(len(batch), jnp.nan)
    with pytest.warns(UserWarning, match="vote for nobody"):
        nothing = js.certify_values(KEY, never, NOISE, X[:2], 0.1, edges=[0.0], n=500)
    assert np.isnan(nothing.value).all() and np.isinf(nothing.lower).all() and np.isinf(nothing.upper).all()


def test_a_constant():
    made = js.certify_values(
        KEY, lambda batch: jnp.full(len(batch), 7), NOISE, X[:2], [0.1, 0.5], edges=[6, 7, 8], n=500
    )
    assert made.lower.tolist() == [[7, 7]] * 2 and made.upper.tolist() == [[8, 8]] * 2
    assert made.value.tolist() == [7.5, 7.5]


def test_shapes():
    one = js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, edges=[-1, 0, 1], n=500)
    assert one.value.shape == one.lower.shape == (30, 2) and one.votes.counts.shape == (30, 2, 4)
    several = js.certify_values(KEY, NUMBERS, NOISE, X, [0.25, 0.5], edges=[-1, 0, 1], n=500)
    assert several.lower.shape == (30, 2, 2) and (several.lower[..., 1] <= several.lower[..., 0]).all()
    apart = js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, edges=[-1, 0, 1], n=500, simultaneous=False)
    half = js.certify_values(KEY, NUMBERS, NOISE, X, 0.25, edges=[-1, 0, 1], n=500, alpha=2e-3)
    assert (apart.width <= one.width).all()
    np.testing.assert_array_equal(apart.lower, half.lower)


def test_norms():
    for norm, factor in ((1, 1.0), (np.inf, 2.0)):
        made = js.certify_values(KEY, NUMBERS, NOISE, X, 0.2, edges=np.linspace(-4, 4, 81), n=500, norm=norm)
        same = js.certify_values(KEY, NUMBERS, NOISE, X, 0.2 * factor, edges=np.linspace(-4, 4, 81), n=500)
        np.testing.assert_array_equal(made.lower, same.lower)


def test_few_draws_are_warned_of():
    with pytest.warns(UserWarning, match=r"leave some intervals without a bound .* n >= 44 for all of them"):
        made = js.certify_values(KEY, NUMBERS, NOISE, X, [0.0, 0.5], edges=[0.0], n=30, simultaneous=False)
    assert np.isinf(made.lower[..., 1]).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"edges": None}, ValueError, "edges must be given: the edges of bins at which you need the bounds"),
        ({"edges": []}, ValueError, "at least one number"),
        ({"edges": [0, 2, 2, 3]}, ValueError, "edges must increase; got 2 and 2 at positions 1 and 2"),
        ({"edges": [0, math.nan]}, ValueError, "edges must be finite; got nan at position 1"),
        ({"radius": -1}, ValueError, "radius must be finite and at least 0"),
        ({"radius": [[0.1]]}, ValueError, "radius must be one number or a sequence"),
        ({"quantile": 1}, ValueError, "quantile must be strictly between"),
        ({"alpha": 0}, ValueError, "alpha must be strictly between"),
        ({"noise": js.noises.Laplace(0.5)}, TypeError, "noise must be jaxsmooth.noises.Gaussian"),
        ({"noise": js.noises.InputDependentGaussian(js.scales.Constant(0.5))}, TypeError, "of one sigma"),
        ({"predict": lambda batch: batch[:, :, None]}, ValueError, r"predict must map .* to \(batch,\)"),
    ],
)
def test_bad_values(options, error, message):
    given = {"predict": NUMBERS, "noise": NOISE, "radius": 0.1, "edges": [0.0], **options}
    with pytest.raises(error, match=message):
        js.certify_values(KEY, x=X, n=500, **given)


def test_summaries():
    made = js.certify_values(KEY, NUMBERS, NOISE, X, [0.0, 0.25], edges=np.linspace(-8, 8, 161), n=500)
    found = js.analysis.value_summary(made, made.value)
    assert found.error == 0 and found.bounded.tolist() == [1, 1] and found.width[1] > found.width[0]
    far = np.maximum(made.upper - made.value[..., None], made.value[..., None] - made.lower)
    np.testing.assert_allclose(found.certified_error, far.reshape(-1, 2).mean(0))
    plain = js.analysis.value_summary(made)
    assert math.isnan(plain.error) and list(plain.columns) == [
        "bounded at 0", "width at 0", "bounded at 0.25", "width at 0.25",
    ]  # fmt: skip
    assert str(found).splitlines()[0].endswith("mean error 0") and "certified error" in str(found)
    assert js.analysis.summary_table({"run": found}, format="csv").startswith("run,error,bounded_at_0,width_at_0,")
    with pytest.raises(ValueError, match="runs must have the same numbers"):
        js.analysis.summary_table({"a": found, "b": plain})
    with pytest.raises(ValueError, match="targets must have the shape of the values"):
        js.analysis.value_summary(made, [1.0])
    axes = js.analysis.plot_values(made, made.value)
    assert axes.get_title() == "radius 0.25" and len(axes.get_lines()) == 2
    with pytest.raises(ValueError, match="radius must be one of"):
        js.analysis.plot_values(made, radius=0.7)


@pytest.mark.parametrize(
    "predict",
    [
        lambda batch: batch[:, 0] + batch.mean(),
        lambda batch: batch[:, :2] + batch.mean(),
        lambda batch: batch[:, :1] - batch.mean(0)[:1],
        lambda batch: jnp.broadcast_to(batch.mean(), (len(batch),)),
    ],
    ids=["one", "two", "a column", "nothing else"],
)
def test_a_shift_that_depends_on_the_batch_is_refused(predict):
    """Of scores of classes it changes nothing; numbers are all it changes."""
    if predict(X).shape == (30, 2):
        js.certify(KEY, predict, NOISE, X[:2], n=100)
    with pytest.raises(ValueError, match="every row on its own"):
        js.certify_values(KEY, predict, NOISE, X[:2], 0.1, edges=[0.0], n=500)


@pytest.mark.parametrize(
    ("value", "edges", "bounds"),
    [
        (2**30 + 1, [2.0**30 + 0.5, 2.0**30 + 2, 2.0**31], (2.0**30 + 0.5, 2.0**30 + 2)),
        (-(2**31), [-1e300, -(2.0**31), 0.0], (-(2.0**31), 0.0)),
        (2**31 - 1, [0.0, 2.0**31], (0.0, 2.0**31)),
        (3, [-math.pi, 3.0, 3.5, 1e300], (3.0, 3.5)),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_integers_are_compared_as_integers(value, edges, bounds, many):
    """float32 would move them to another bin."""
    more = [2.0**32 + 512.0 * i for i in range(600)] if many and edges[-1] < 1e300 else []
    made = js.certify_values(
        KEY, lambda batch: jnp.full(len(batch), value, jnp.int32), NOISE, X[:2], 0.1, edges=[*edges, *more], n=500
    )
    assert {*zip(made.lower.tolist(), made.upper.tolist(), strict=True)} == {bounds}


@pytest.mark.parametrize("many", [False, True])
def test_subnormal_numbers_and_edges_are_compared_as_they_are(many):
    """Compiled programs take them for 0, which edge they would then reach."""
    least = np.nextafter(0, 1)
    edges = (-1e-40, 0.0, *(least * (1 + np.arange(600)) if many else ()), 1e-40, 1.0)
    values = np.array([0.0, -0.0, -1e-40, -1e-41, 1e-45, 1e-41, 2e-40, 1.0, np.inf, -np.inf, np.nan], np.float32)
    at, invalid = (found[:, 0] for found in jax.jit(js.designs.Bins(edges)._bins_of)(values[:, None]))
    np.testing.assert_array_equal(at[:-1], np.searchsorted(edges, values[:-1].astype(np.float64), side="right"))
    np.testing.assert_array_equal(invalid, np.isnan(values))
    made = js.certify_values(KEY, lambda batch: 0 * batch[:, 0], NOISE, X[:2], 0.1, edges=edges, n=500)
    assert (made.lower == 0).all() and (made.upper == edges[2]).all()


def test_many_numbers_may_have_been_meant_as_scores():
    with pytest.warns(UserWarning, match="80 numbers for every image.* If they are scores of classes use certify"):
        js.certify_values(KEY, lambda batch: jnp.tile(batch, (1, 20)), NOISE, X[:2], 0.1, edges=[0.0], n=500)


def test_noise_derived_from_gaussian_noise_is_another_noise():
    class Wide(js.noises.Gaussian):
        def sample(self, key, shape):
            return 10 * super().sample(key, shape)

    with pytest.raises(TypeError, match=r"noise must be a pytree.*Wide is none.*jaxsmooth\.frozen_pytree"):
        js.certify(KEY, CLASSIFY, Wide(0.5), X)
    Wide = js.frozen_pytree(Wide)
    with pytest.raises(TypeError, match=r"noise must be jaxsmooth.noises.Gaussian or LatticeGaussian, .* got Wide"):
        js.certify_values(KEY, NUMBERS, Wide(0.5), X, 0.1, edges=[0.0])
    with pytest.raises(TypeError, match=r"noise must be jaxsmooth.noises.Gaussian"):
        js.certify_top_k(KEY, CLASSIFY, Wide(0.5), X, k=2)


def test_what_is_suspicious_is_said():
    with pytest.warns(UserWarning, match="Use a smaller radius"):
        nothing = js.certify_values(KEY, NUMBERS, NOISE, X[:2], 50.0, edges=[0.0], n=500, alpha=0.5)
    notes = js.analysis.value_summary(nothing).notes
    assert "may be wrong with this probability" in notes[0] and "no interval has both bounds" in notes[1]
    holes = js.certify_values(
        KEY, lambda batch: jnp.stack([batch[:, 0], jnp.full(len(batch), jnp.nan)], -1), NOISE, X[:2], 0.1, edges=[0.0],
        n=500,
    )  # fmt: skip
    assert "note: 50.0% of the outputs are NaN" in str(js.analysis.value_summary(holes))
    with pytest.raises(ValueError, match="alpha = 1e-300 is too small for so many intervals"):
        js.certify_values(KEY, NUMBERS, NOISE, X[:2], 0.1, edges=[0.0], n=500, alpha=1e-300)
