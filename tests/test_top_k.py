"""Top-k certificates: reference values, the linear program, k = 1, and the bounds without a union over classes."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

import jaxsmooth as js
from jaxsmooth.bounds import top_k_bounds
from jaxsmooth.radii import top_k_radius
from tests.test_designs import CLASSIFY, KEY, LABELS, NOISE, X

# Probabilities (the class itself first), k, and the radius at sigma 1: mpmath with 50 digits.
EXACT = [
    ([0.5, 0.3, 0.15, 0.05], 1, 0.26220025635402),
    ([0.3, 0.4, 0.2, 0.1], 2, 0.158610360432437),
    ([0.2, 0.5, 0.1, 0.1, 0.1], 2, 0.219965165985843),
    ([0.1, 0.5, 0.2, 0.15, 0.05], 3, 0.0),
    ([0.18, *[0.082] * 10], 5, 0.32370167274079),
    ([0.6, 0.4], 2, math.inf),
]
# Counts (those of the class first), k, the bound of the class, those of the sums by t, and the radius.
COUNTED = [
    ([700, 200, 60, 40], 1, 0.652997820799735, [0.250305555488409], 0.533477605969825),
    ([3000, 4000, 2000, 1000], 2, 0.285786724375418, [0.216607529012692, 0.618997754117227], 0.10898308061585),
    ([100000, 0, 0], 1, 0.999929871301186, [9.20991623314899e-05], 3.80771391540985),
]


def sums(p, k):
    """The sums of the t smallest of the k largest others, t = 1, ..., k."""
    others = np.sort(np.asarray(p)[1:])[::-1]
    largest = np.concatenate([others, np.zeros(k)])[:k]
    return np.cumsum(largest[::-1])


@pytest.mark.parametrize(("p", "k", "radius"), EXACT)
def test_exact_probabilities(p, k, radius):
    assert float(top_k_radius(p[0], sums(p, k), 1.0)) == pytest.approx(radius, abs=1e-9)
    assert float(top_k_radius(p[0], sums(p, k), 0.25)) <= radius / 4


@pytest.mark.parametrize(("counts", "k", "lower", "upper", "radius"), COUNTED)
def test_counts(counts, k, lower, upper, radius):
    found = top_k_bounds([counts], [0], sum(counts), 1e-3, k=k)
    assert found[0] == pytest.approx([lower], abs=1e-12) and found[0] <= lower
    np.testing.assert_allclose(found[1], [upper], rtol=1e-10)
    assert float(top_k_radius(*found, 1.0)[0]) == pytest.approx(radius, abs=1e-9)


def test_one_of_one_is_the_certificate_with_a_runner_up():
    whole = js.certify(KEY, CLASSIFY, NOISE, X, n=500, runner_up="bounded")
    made = js.certify_top_k(KEY, CLASSIFY, NOISE, X, k=1, n=500)
    assert made.label.shape == (30, 1) and made.sums_upper.shape == (30, 1, 1)
    for name in ("label", "radius", "p_lower", "rule"):
        np.testing.assert_array_equal(getattr(made, name)[:, 0], getattr(whole, name), err_msg=name)
    np.testing.assert_array_equal(np.minimum(made.sums_upper[:, 0, 0], 1 - whole.p_lower), whole.p_upper)
    np.testing.assert_array_equal(made.votes.counts, whole.votes.counts)
    np.testing.assert_array_equal(made.samples, whole.samples)
    for norm in (1, np.inf):
        whole = js.certify(KEY, CLASSIFY, NOISE, X, n=500, runner_up="bounded", norm=norm)
        made = js.certify_top_k(KEY, CLASSIFY, NOISE, X, k=1, n=500, norm=norm)
        np.testing.assert_array_equal(made.radius[:, 0], whole.radius)


def test_labels_need_no_selection():
    made = js.certify_top_k(KEY, CLASSIFY, NOISE, X, LABELS, k=2, n=500)
    assert set(made.samples.tolist()) == {500} and made.radius.shape == (30,)
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X, 500)
    lower, upper = top_k_bounds(np.asarray(votes.counts), LABELS, 500, 1e-3, k=2)
    np.testing.assert_array_equal(made.sums_upper, upper)
    by_hand = top_k_radius(lower, upper, 0.5)
    np.testing.assert_allclose(made.radius, by_hand, rtol=1e-8, atol=1e-12)
    one = js.certify_top_k(KEY, CLASSIFY, NOISE, X, LABELS, k=1, n=500)
    assert (made.radius > one.radius).mean() > 0.8
    flat = js.certify_top_k(KEY, CLASSIFY, NOISE, X, LABELS, k=2, n=500, norm=np.inf)
    np.testing.assert_allclose(flat.radius, made.radius / 2, rtol=1e-12)


def test_joint_statements_are_smaller():
    with pytest.raises(ValueError, match=r"certificates must be made alike; their \w+ have shapes"):
        js.concatenate([js.certify_top_k(KEY, CLASSIFY, NOISE, X, *labels, k=2, n=500) for labels in ((), (LABELS,))])
    apart, joint = (js.certify_top_k(KEY, CLASSIFY, NOISE, X, k=2, n=500, joint=joint) for joint in (False, True))
    assert (joint.radius <= apart.radius).all() and (joint.radius < apart.radius).any()
    tenth = js.certify_top_k(KEY, CLASSIFY, NOISE, X, k=2, n=500, alpha=5e-4)
    np.testing.assert_array_equal(joint.radius, tenth.radius)
    assert joint.joint and not apart.joint


def test_monotone():
    rng = np.random.default_rng(0)
    for k in (1, 2, 4):
        others = np.sort(rng.dirichlet(np.ones(8), 200) * 0.6, -1)[:, ::-1]
        p = rng.uniform(0.05, 0.4, 200)
        s = np.cumsum(others[:, :k][:, ::-1], -1)
        base = top_k_radius(p, s, 1.0)
        assert (top_k_radius(p + 0.02, s, 1.0) >= base).all()
        assert (top_k_radius(p, np.minimum(s * 1.05, 1), 1.0) <= base).all()
        more = np.cumsum(others[:, : k + 1][:, ::-1], -1)
        assert (top_k_radius(p, more, 1.0) >= base).all()


def test_ends_of_the_range():
    assert top_k_radius([0.0, 1e-300, 1.0], np.array([[0.5, 0.9], [0.0, 1e-301], [0.0, 0.0]]), 1.0).tolist() == [
        0.0,
        math.inf,
        math.inf,
    ]
    tiny = top_k_radius(1e-300, [1e-302], 1.0)
    assert 0 < tiny < 1 and np.isfinite(tiny)
    assert top_k_radius(0.25, [0.25], 1.0) == 0 and top_k_radius(0.2, [0.3, 0.4], 1.0) == 0
    assert top_k_radius(0.8, [0.9], 1.0) == pytest.approx(stats.norm.ppf(0.8), rel=1e-12)  # capped at 1 - p
    lower, upper = top_k_bounds([[1000, 0, 0, 0]], [0], 1000, 1e-3, k=3)
    assert np.isfinite(top_k_radius(lower, upper, 1.0)).all()
    assert top_k_bounds([[0, 500, 500, 0]], [0], 1000, 1e-3, k=2)[0].tolist() == [0.0]


@pytest.mark.parametrize(
    ("p", "k"), [(EXACT[0][0], 1), (EXACT[1][0], 2), ([0.3, 0.3, 0.25, 0.15], 2), ([0.2, 0.3, 0.25, 0.15, 0.1], 3)]
)
def test_no_larger_radius_follows_from_these_probabilities(p, k):
    """The best adversary over 160 cells of the direction of the shift: short of the radius it fails, past it wins."""
    radius = float(top_k_radius(p[0], sums(p, k), 1.0))
    edges = stats.norm.ppf(np.linspace(0, 1, 161))
    for factor, sign in ((0.97, -1), (1.03, 1)):
        mass, moved = (np.diff(stats.norm.cdf(edges - shift)) for shift in (0.0, factor * radius))
        assert sign * _best_margin(np.asarray(p), k, mass, moved) > 0


def _best_margin(p, k, mass, moved):
    """The largest, over classifiers with these probabilities, of how far k others are above the class."""
    cells, classes, best = len(mass), len(p), -math.inf
    same = np.kron(np.eye(classes), mass[None])
    full = np.kron(np.ones((1, classes)), np.eye(cells))
    rows = lambda c: np.concatenate([moved if j == c else 0 * moved for j in range(classes)])
    for rivals in itertools.combinations(range(1, classes), k):
        # margin <= P'(rival) - P'(class) for each rival; maximise the margin
        above = [np.append(rows(0) - rows(c), 1.0) for c in rivals]
        pad = lambda matrix: np.hstack([matrix, np.zeros((len(matrix), 1))])
        found = optimize.linprog(
            np.append(np.zeros(cells * classes), -1.0), A_ub=np.array(above), b_ub=np.zeros(len(rivals)),
            A_eq=pad(np.vstack([same, full])), b_eq=np.concatenate([p, np.ones(cells)]),
            bounds=[(0, 1)] * (cells * classes) + [(-1, 1)], method="highs",
        )  # fmt: skip
        assert found.status == 0
        best = max(best, -found.fun)
    return best


POPULATIONS = [
    ([0.25, 0.3, 0.2, 0.15, 0.1], 2),
    ([0.2] * 5, 3),
    ([0.18, *[0.082] * 10], 5),
    ([0.1, *[0.9 / 1000] * 1000], 5),
]


@pytest.mark.parametrize(("p", "k"), POPULATIONS)
def test_error_rate(p, k):
    counts = np.random.default_rng(1).multinomial(1000, p, size=2000)
    lower, upper = top_k_bounds(counts, np.zeros(2000, int), 1000, 0.05, k=k)
    truth = float(top_k_radius(p[0], sums(p, k), 1.0))
    wrong = (top_k_radius(lower, upper, 1.0) > truth).sum()
    assert stats.binom.sf(wrong - 1, 2000, 0.05) > 1e-6
    assert (upper + 1e-12 < sums(p, k)).any(-1).mean() < 0.05


@pytest.mark.parametrize(("p", "k"), POPULATIONS[:3])
def test_votes_for_nobody_are_in_every_sum(p, k):
    """A third of the other votes become votes for nobody, which k classes that reach the class share as they like."""
    p = np.array(p)
    p[1:] *= 2 / 3
    nobody = 1 - p.sum()
    counts = np.random.default_rng(3).multinomial(1000, [*p, nobody], size=2000)
    label = np.zeros(2000, int)
    lower, upper = top_k_bounds(counts[:, :-1], label, 1000, 0.05, k=k, subsets="all", invalid=counts[:, -1])
    truth = np.minimum(sums(p, k) + nobody, 1)
    assert stats.binom.sf((upper < truth).any(-1).sum() - 1, 2000, 0.05) > 1e-6
    wrong = top_k_radius(lower, upper, 1.0) > float(top_k_radius(p[0], truth, 1.0))
    assert stats.binom.sf(wrong.sum() - 1, 2000, 0.05) > 1e-6
    careless = top_k_bounds(counts[:, :-1], label, 1000, 0.05, k=k, subsets="all")[1]
    assert (careless < truth).any(-1).mean() > 0.5


@pytest.mark.parametrize(("k", "q"), [(5, 0.12), (10, 0.09)])
def test_the_number_of_subsets_is_what_it_costs(k, q):
    """k others of equal probability, the sharp case; without the number of subsets the bound fails."""
    p = [1 - k * q, *[q] * k]
    counts = np.sort(np.random.default_rng(2).multinomial(1000, p, size=4000)[:, 1:], -1)
    smallest = np.cumsum(counts, -1)
    for t in (1, 2, k):
        short = lambda level, t=t: float(
            (js.bounds.clopper_pearson_upper(smallest[:, t - 1], 1000, level) < t * q).mean()
        )
        assert short(0.05 / math.comb(k, t)) < 0.065
        assert t == k or short(0.05) > 0.15


def test_bad_values():
    certify = lambda **options: js.certify_top_k(KEY, CLASSIFY, NOISE, X, LABELS, **{"k": 2, "n": 500, **options})
    with pytest.raises(ValueError, match="top 3 of 3 classes always contains every class"):
        certify(k=3)
    with pytest.raises(ValueError, match=r"n = 6 votes can never certify a top 2 .* use n >= 7"):
        certify(n=6)
    with pytest.raises(TypeError, match=r"noise must be jaxsmooth.noises.Gaussian"):
        js.certify_top_k(KEY, CLASSIFY, js.noises.Laplace(0.5), X, LABELS, k=2)
    with pytest.raises(ValueError, match="labels must be between 0 and 2"):
        js.certify_top_k(KEY, CLASSIFY, NOISE, X, np.full(30, 3), k=2)
    with pytest.raises(ValueError, match="sums_upper must have the shape of p_lower"):
        top_k_radius([0.5, 0.5], [0.1, 0.2], 1.0)


def test_manners(tmp_path):
    for labels in (LABELS, None):
        made = js.certify_top_k(KEY, CLASSIFY, NOISE, X, labels, k=2, n=500)
        assert "TopKCertificates of 30 images" in repr(made) and "k 2, norm 2, alpha 0.001" in repr(made)
        assert js.concatenate([made[:10], made[10]]) == made[:11] and "<table>" in made._repr_html_()
        made.save(tmp_path / "made.npz")
        assert js.TopKCertificates.load(tmp_path / "made.npz") == made
        with pytest.raises(ValueError, match=r"written by Certificates\.save"):
            js.Certificates.load(tmp_path / "made.npz")
        columns = made.to_dict()
        assert {len(column) for column in columns.values()} == {30 if labels is not None else 60}
        assert len(np.asarray(made)) == len(columns["label"]) and made.rule.flat[0].name
        with pytest.raises(TypeError, match=r"certificates\[1\] must be TopKCertificates"):
            js.concatenate([made, js.certify(KEY, CLASSIFY, NOISE, X, n=500)])
