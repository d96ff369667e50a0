"""Noise on a lattice: tables, draws and sums are exact, and radii are proved; against independent references."""

import functools
import hashlib
import itertools
import json
import math
import pathlib
from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import jaxsmooth as js
from jaxsmooth.noises import random
from jaxsmooth.noises.lattice import lattice_of
from jaxsmooth.noises.lattice_table import draw_table, rounded_normal
from jaxsmooth.noises.lattice_uniform import share
from jaxsmooth.radii import normal_tail

REFERENCE = json.loads((pathlib.Path(__file__).parent / "lattice_reference.json").read_text())
FALSE_ALARM = 1e-6
KEY = jax.random.key(4)
NOISE = js.noises.LatticeGaussian(0.25)
# Besides the usual ones, a lattice as coarse and one as fine as is allowed, or nearly.
RATIOS = [Fraction(1, 4), Fraction(8), Fraction(255, 4), Fraction(255), Fraction(10_000)]

every_table = pytest.mark.parametrize("table", REFERENCE["tables"], ids=lambda t: f"{t['sigma']}-{t['levels']}")


@jax.jit
def by_upper_word(table, high):
    return table.by_upper_word(high)


def thresholds(noise):
    high, low = noise.table.astype(np.uint64).T
    return (high << np.uint64(32)) + low


def words(u):
    u = np.asarray(u, np.uint64)
    return (u >> np.uint64(32)).astype(np.uint32), u.astype(np.uint32)


@jax.jit
def magnitude(table, high, low):
    return table.magnitude(high, low)


@every_table
def test_tables_are_those_of_the_reference(table):
    noise = js.noises.LatticeGaussian(table["sigma"], step=1 / table["levels"])
    t = thresholds(noise).tolist()
    assert len(t) == table["M"] and {m: str(t[int(m) - 1]) for m in table["t"]} == table["t"]
    assert hashlib.sha256("\n".join(map(str, t)).encode()).hexdigest() == table["sha256_of_all_joined_by_newline"]
    pmf = -np.diff([2**63, *t[:3]]).astype(float) / 2**63 * [1, 0.5, 0.5]
    np.testing.assert_allclose(pmf, table["pmf_of_k_0_1_2"], rtol=1e-13)
    np.testing.assert_allclose(noise.variance * table["levels"] ** 2, table["variance_of_k"], rtol=1e-14)
    ratio = noise.variance / noise.sigma**2
    np.testing.assert_allclose(ratio, table["variance_over_(sigma levels)^2"], rtol=1e-12)
    for dim, eta in ((1, "total_variation_per_coordinate_upper"), (3072, "eta_3072"), (150_528, "eta_150528")):
        np.testing.assert_allclose(noise.total_variation(dim), table[eta], rtol=1e-5)


@every_table
def test_total_variation_is_an_upper_bound(table):
    """Of the sum over the table, in 60 digits, and within the factor of two that neighbours may cancel."""
    noise, s = js.noises.LatticeGaussian(table["sigma"], step=1 / table["levels"]), table["sigma"] * table["levels"]
    with mpmath.workdps(60):
        above = [mpmath.erfc((m - mpmath.mpf(0.5)) / (s * mpmath.sqrt(2))) for m in range(1, 2 * table["M"])]
        drawn = [1, *(mpmath.mpf(t) / 2**63 for t in thresholds(noise).tolist())]
        drawn += [0] * (2 * table["M"] - len(drawn))
        lost = [a - b for a, b in zip([1, *above], drawn, strict=True)]
        exact = sum(abs(a - b) for a, b in itertools.pairwise(lost)) / 2
        assert all(0 <= part < mpmath.mpf(2) ** -63 for part in lost)
        assert exact <= noise.total_variation() <= 4 * exact


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_draws_are_exact_at_every_threshold(ratio):
    """U = t - 1 has t above it, U = t has not; so has every U near 0, and a million in between."""
    law = rounded_normal(ratio)
    assert wrong_draws(law.table, law.thresholds) == 0


def wrong_draws(table, t):
    """How many draws are not the number of thresholds above them."""
    rng = np.random.default_rng(0)
    scattered = rng.integers(0, 2**63, 300_000, np.uint64) >> rng.integers(0, 63, 300_000, np.uint64)
    u = np.concatenate([t - np.uint64(1), t, np.arange(2048, dtype=np.uint64), [np.uint64(2**63 - 1)], scattered])
    expected = len(t) - np.searchsorted(t[::-1], u, side="right")
    wrong = np.asarray(magnitude(table, *words(u))) != expected
    if table.leading:
        found, undecided = (np.asarray(value) for value in by_upper_word(table, words(u)[0]))
        wrong |= ~undecided & (found != expected)
        # and no more is left open than must be
        wrong |= undecided & ~np.isin(words(u)[0], words(t)[0])
    return int(wrong.sum())


@pytest.mark.parametrize("off", [-1, 1])
def test_a_threshold_that_is_off_by_one_is_caught(off):
    law = rounded_normal(Fraction(255, 4))
    for m in (0, 100, 400):
        moved = law.thresholds.copy()
        moved[m] = int(moved[m]) + off
        assert wrong_draws(draw_table(moved), law.thresholds) == 1


def test_which_tables_are_asked_by_one_word():
    """Those of the usual images; the finest lattices have too many thresholds."""
    assert [bool(rounded_normal(ratio).table.leading) for ratio in RATIOS] == [True] * 4 + [False]


def test_undecided_words_are_resolved_one_by_one(monkeypatch):
    """Upper words of thresholds, of which several are in one event."""
    table, t = rounded_normal(Fraction(255, 4)).table, thresholds(NOISE)
    rng = np.random.default_rng(0)
    high = np.where(rng.random((5, 64)) < 0.1, rng.choice(words(t)[0], (5, 64)), rng.integers(0, 2**31, (5, 64)))
    chosen, sign = high.astype(np.uint32) << 1, rng.integers(0, 2, (5, 64)).astype(np.uint32)
    keys = jax.random.split(KEY, 5)
    draw = lambda key, word: _with_words(monkeypatch, word, lambda: table.draws(key, 64))
    found = np.asarray(jax.vmap(draw)(keys, jnp.asarray(chosen | sign)))
    low = jax.vmap(jax.vmap(random.word_at, (None, 0)), (0, None))(keys, jnp.arange(64, dtype=jnp.uint32))
    exact = np.asarray(magnitude(table, high.astype(np.uint32), low))
    np.testing.assert_array_equal(found, np.where(sign == 1, -exact, exact))
    assert np.asarray(by_upper_word(table, high.astype(np.uint32))[1]).sum() > 10


def _with_words(monkeypatch, word, call):
    """Call it where the generator gives these words."""
    monkeypatch.setattr(random, "words", lambda key, size: word)
    return call()


def test_draws_of_the_reference():
    u, expected = zip(*((int(draw["U"]), draw["abs_k"]) for draw in REFERENCE["draws"]), strict=True)
    table = rounded_normal(Fraction(255, 4)).table
    assert np.asarray(magnitude(table, *words(u))).tolist() == list(expected)


@functools.cache
def draws():
    """4 million integers, of 4000 events."""
    sample = jax.jit(jax.vmap(lambda key: NOISE.sample(key, (1000,))))(jax.random.split(jax.random.key(0), 4000))
    k = np.asarray(sample, np.float64) * 255
    np.testing.assert_allclose(k, np.rint(k), atol=1e-3)
    return np.rint(k).astype(int)


def test_the_law_of_four_million_draws(optimized):
    k, edge = draws(), 200
    t = thresholds(NOISE).astype(float) / 2**63
    pmf = np.concatenate([t[:edge][::-1] - t[1 : edge + 1][::-1], [2 * (1 - t[0])], t[:edge] - t[1 : edge + 1]]) / 2
    observed = np.bincount((np.clip(k, -edge - 1, edge + 1) + edge + 1).ravel(), minlength=2 * edge + 3)
    expected = k.size * np.concatenate([[t[edge] / 2], pmf, [t[edge] / 2]])
    assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM
    assert stats.binomtest(int((k > 0).sum()), int((k != 0).sum())).pvalue > FALSE_ALARM
    # neighbouring coordinates of an event, and one coordinate of neighbouring events
    for a, b in ((k[:, :-1], k[:, 1:]), (k[:-1], k[1:])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / math.sqrt(a.size)
        assert stats.binomtest(int(((a > 30) == (b > 30)).sum()), a.size, _agreement(k > 30)).pvalue > FALSE_ALARM


def _agreement(event):
    share = float(event.mean())
    return share**2 + (1 - share) ** 2


def test_a_sum_is_the_same_bits_however_it_is_reached():
    lattice, sums = lattice_of(1 / 255), np.arange(-4000, 4001)
    values = np.asarray(jax.jit(lattice.values)(sums))
    assert len(np.unique(values)) == len(sums)
    np.testing.assert_array_equal(jax.jit(lattice.nearest)(values), sums)
    perturb = jax.jit(lambda x, k: lattice.values(lattice.nearest(x) + k))
    for k_x in (0, 1, 17, 128, 255):
        np.testing.assert_array_equal(perturb(jnp.float32(k_x / 255), sums - k_x), values)


def test_a_draw_adds_integers():
    key, x = jax.random.key(3), (np.arange(256, dtype=np.float32) / 255).reshape(4, 8, 8)
    k = np.rint(np.asarray(NOISE.sample(key, x.shape), np.float64) * 255) + np.arange(256).reshape(4, 8, 8)
    np.testing.assert_array_equal(NOISE.perturb(key, x), k.astype(np.float32) * np.float32(1 / 255))


@given(st.floats(0, 9.99))
def test_the_normal_tail_is_enclosed(z):
    with mpmath.workdps(40):
        exact = mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2)) / 2
    below, above = (float(value) for value in normal_tail.tail(z))
    assert below <= exact <= above <= below * (1 + 2.0**-45) + 1e-300
    if z <= 0.5:
        below, above = (float(value) for value in normal_tail.middle(z))
        with mpmath.workdps(40):
            exact = mpmath.erf(mpmath.mpf(z) / mpmath.sqrt(2)) / 2
        assert below <= exact <= above <= below * (1 + 2.0**-45) + 1e-300


def proved_radius(noise, p_lower, dim):
    """In 40 digits."""
    with mpmath.workdps(40):
        quantile = lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)
        eta = mpmath.mpf(noise.total_variation(dim))
        return noise.sigma * (quantile(mpmath.mpf(p_lower) - eta) - quantile(mpmath.mpf(0.5) + eta))


@pytest.mark.parametrize("row", REFERENCE["radius"], ids=lambda row: f"eta-{row['eta']}")
def test_radius_of_the_reference(row):
    dim = round(row["eta"] / NOISE.total_variation())
    radius = js.certified_radius(NOISE, row["p_lower"], dim=dim)
    np.testing.assert_allclose(radius / 0.25, row["radius_over_sigma"], rtol=1e-9)


@given(st.floats(0.5, 1), st.sampled_from([1, 784, 150_528, 10**13]))
def test_radii_are_proved_roundings(p_lower, dim):
    radius = float(js.certified_radius(NOISE, p_lower, dim=dim))
    with mpmath.workdps(40):
        exact = proved_radius(NOISE, p_lower, dim) if p_lower > 0.5 + 2 * NOISE.total_variation(dim) else 0
    assert radius <= exact if radius else exact < 1e-9
    assert radius >= exact * (1 - 1e-12) - 1e-13
    linf = float(js.certified_radius(NOISE, p_lower, norm=np.inf, dim=dim))
    assert linf <= exact / mpmath.sqrt(dim) or linf == 0


def test_eta_left_out_is_caught():
    """At a billion votes of one class in the dimension of ImageNet the radius without eta is more than is proved."""
    noise, n, dim = js.noises.LatticeGaussian(0.25), 10**9, 150_528
    p_lower = float(js.bounds.clopper_pearson_lower(n, n, 0.001))
    exact = proved_radius(noise, p_lower, dim)
    assert float(js.certified_radius(noise, p_lower, dim=dim)) <= exact
    assert float(js.certified_radius(js.noises.Gaussian(0.25), p_lower)) > exact


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("noise", [NOISE, js.noises.LatticeUniform(0.25)], ids=repr)
def test_required_probability_is_the_inverse(noise, norm):
    reach = {1: 1.0, 2: 1.0 if noise is NOISE else 0.03, np.inf: 1 / 28 if noise is NOISE else 0.001}[norm]
    radii = np.array([1e-6, 0.01, 0.1, 0.3]) * reach
    required = js.required_probability(noise, radii, norm=norm, dim=784)
    assert np.all(js.certified_radius(noise, required, norm=norm, dim=784) >= radii)
    assert np.all(js.certified_radius(noise, required - 1e-8, norm=norm, dim=784) < radii)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("family", ["Gaussian", "Uniform"])
def test_radii_are_those_of_the_noise_on_real_numbers(family, norm):
    exact = getattr(js.noises, f"Lattice{family}")(0.25)
    sigma = exact.scale(1) if family == "Gaussian" else exact.scale(1) / math.sqrt(3)
    plain = js.certified_radius(getattr(js.noises, family)(sigma), [0.5, 0.6, 0.9, 0.999], norm=norm, dim=784)
    found = js.certified_radius(exact, [0.5, 0.6, 0.9, 0.999], norm=norm, dim=784)
    np.testing.assert_allclose(found, plain, rtol=1e-6)
    assert np.all(found[1:] < plain[1:] * (1 + 1e-7))


@pytest.mark.parametrize("place", [0, 1, 2, 5, 10])
def test_half_line_in_closed_form(place):
    """Class 1 from the integer c on: p at k is Phi((k - c + 1/2) h / sigma), so the radius is half a step short."""
    noise = js.noises.LatticeGaussian(0.25, step=1 / 16)
    t = thresholds(noise).astype(float) / 2**63
    p = 0.5 + (1 - t[0]) / 2 + (t[:place].sum() - t[1 : place + 1].sum()) / 2 if place else 0.5 + (1 - t[0]) / 2
    radius = float(js.certified_radius(noise, p, dim=1))
    assert place + 0.5 - 1e-6 <= radius * 16 <= place + 0.5


# --- uniform -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [3, 441, 2**16 - 1])
def test_shares_of_64_bits(number):
    rng = np.random.default_rng(0)
    edges = [-(-(j << 64) // number) + d for j in range(1, number, max(1, number // 500)) for d in (-1, 0, 1)]
    u = np.array([0, 2**64 - 1, 2**32 - 1, 2**32, *edges, *rng.integers(0, 2**64, 10_000, np.uint64)], np.uint64)
    found = jax.jit(share)(words(u), np.uint32(number))
    assert np.asarray(found).tolist() == [int(value) * number >> 64 for value in u]


def test_uniform_draws_have_every_integer_alike(optimized):
    noise = js.noises.LatticeUniform(0.05)
    sample = jax.jit(jax.vmap(lambda key: noise.sample(key, (1000,))))(jax.random.split(jax.random.key(1), 1000))
    k = np.rint(np.asarray(sample, np.float64) * 255).astype(int)
    assert k.min() == -(noise.levels // 2) and k.max() == noise.levels // 2
    assert stats.chisquare(np.bincount((k - k.min()).ravel())).pvalue > FALSE_ALARM
    np.testing.assert_allclose(np.sqrt((k**2).mean()) / 255, noise.sigma_exact, rtol=3e-3)


def test_uniform_certificates_are_true_of_every_classifier_of_a_small_lattice():
    """All majority sets of 5 integers: whoever holds p of the cube at 0 holds the majority as far as is certified."""
    noise = js.noises.LatticeUniform(math.sqrt(2), step=1)
    assert noise.levels == 5
    cube, steps = np.arange(-2, 3), np.arange(-6, 7)
    for members in range(2**5):
        inside = np.isin(np.arange(-8, 9), cube[[bool(members >> i & 1) for i in range(5)]])
        p = lambda x, inside=inside: inside[np.isin(np.arange(-8, 9), cube + x)].mean()
        radius = float(js.certified_radius(noise, p(0), norm=1, dim=1))
        assert all(p(x) > 0.5 for x in steps[np.abs(steps) < radius])


# --- what users pass -----------------------------------------------------------------------------------------


CLASSIFY = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, jax.random.normal(jax.random.key(1), (4, 3)))
ON = np.array([[0, 10, 255, 100], [3, 200, 128, 50]], np.float32) / 255


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (ON + np.float32(0.01), ["steps", "Round first", "or use Gaussian"]),
        (ON.astype(np.float16), ["steps", "Round first"]),
        (ON * 255, ["step=1", "whole numbers up to 255"]),
        (ON * 255 + 0.25, ["step=1", "0.25"]),
        ((ON - 0.4914) / 0.247, ["Standardise inside the classifier"]),
        (ON + np.eye(2, 4, 1, dtype=np.float32) * 0.003, ["x[0, 1]"]),
        (ON * 0 + 2.0**23, ["exact in float32"]),
    ],
    ids=["shifted", "float16", "0 to 255", "0 to 255, off", "standardised", "one pixel", "huge"],
)
def test_images_off_the_lattice_are_refused(x, words):
    with pytest.raises(ValueError, match="x must be") as raised:
        js.certify(jax.random.key(0), CLASSIFY, NOISE, x, n=100)
    assert all(word in str(raised.value) for word in words), str(raised.value)
    with pytest.raises(ValueError, match="x must be"):
        js.count_votes(jax.random.key(0), CLASSIFY, NOISE, x, 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: js.noises.LatticeGaussian(0.25, step=0.3), "step must be an integer or one over an integer"),
        (lambda: js.noises.LatticeGaussian(0.25, step=0), "step must be"),
        (lambda: js.noises.LatticeGaussian(0.25, step=-1), "step must be"),
        (lambda: js.noises.LatticeGaussian(0.25, step=float("nan")), "step must be"),
        (lambda: js.noises.LatticeGaussian(0.0009), "0.2295 steps. Use a smaller step"),
        (lambda: js.noises.LatticeGaussian(400.0), "102000 steps. Use a larger step"),
        (lambda: js.noises.LatticeGaussian(-1.0), "sigma must be positive"),
        (lambda: js.noises.LatticeUniform(0.001), "Use a smaller step"),
        (lambda: js.noises.LatticeUniform(80.0), "Use a larger step"),
        (lambda: js.noises.LatticeUniform(0.25, step=2.5), "step must be"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sigma_cannot_be_traced():
    with pytest.raises(TypeError, match="tables of LatticeGaussian are made on the host"):
        jax.jit(lambda sigma: js.noises.LatticeGaussian(sigma).sample(jax.random.key(0), (2,)))(0.25)


@pytest.mark.parametrize("noise", [NOISE, js.noises.LatticeUniform(0.25)], ids=repr)
def test_bytes_are_the_integers(noise):
    votes = lambda x: np.asarray(js.count_votes(jax.random.key(0), CLASSIFY, noise, x, 200, batch_size=64).counts)
    expected = votes(ON)
    for x in (np.rint(ON * 255).astype(np.uint8), ON.astype(np.float64), jnp.asarray(ON), ON + np.float32(1e-6)):
        np.testing.assert_array_equal(votes(x), expected)
    pixels = js.noises.LatticeGaussian(0.25 * 255, step=1)
    far = js.count_votes(jax.random.key(0), CLASSIFY, pixels, ON * 255, 200, batch_size=64)
    assert np.abs(np.asarray(far.counts) - votes(ON)).max() < 40


# --- through the verbs ---------------------------------------------------------------------------------------


IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4)).astype(np.float32) / 255
EXACT = [NOISE, js.noises.LatticeUniform(0.25)]


@pytest.mark.parametrize("noise", EXACT, ids=repr)
def test_counts_are_those_of_draws_written_out(noise):
    """In every batch size and on every mesh."""
    draw = lambda x, i, j: noise.perturb(jax.random.fold_in(jax.random.fold_in(KEY, i), j), x)
    seen = jax.jit(jax.vmap(jax.vmap(draw, (None, None, 0)), (0, 0, None)))(IMAGES, jnp.arange(9), jnp.arange(300))
    winner = np.asarray(CLASSIFY(seen.reshape(-1, 4))).argmax(-1).reshape(9, 300)
    expected = np.stack([(winner == c).sum(1) for c in range(3)], -1)
    for options in (
        {},
        {"batch_size": 7},
        {"mesh": jax.make_mesh((2,), ("a",))},
        {"mesh": jax.make_mesh((8,), ("a",))},
    ):
        np.testing.assert_array_equal(js.count_votes(KEY, CLASSIFY, noise, IMAGES, 300, **options).counts, expected)


def test_verbs_and_ledgers(tmp_path):
    path, mesh = tmp_path / "votes.jsonl", jax.make_mesh((8,), ("draws",))
    fixed = js.certify(KEY, CLASSIFY, NOISE, IMAGES, n=500, ledger=path)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))  # cut off
    assert js.certify(KEY, CLASSIFY, NOISE, IMAGES, n=500, ledger=path, mesh=mesh) == fixed
    assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert js.recertify(path, NOISE, js.designs.Fixed(n=500)) == fixed
    for other in (js.noises.LatticeGaussian(0.2500001), js.noises.LatticeGaussian(0.25, step=1 / 256)):
        with pytest.raises(ValueError, match="noise must be that of the ledger"):
            js.recertify(path, other, js.designs.Fixed(n=500))
    assert js.ledger.read(path).header["noise"] == "LatticeGaussian(sigma=0.25, step=0.003921569)"
    fixed.save(tmp_path / "certificates.npz")
    assert js.Certificates.load(tmp_path / "certificates.npz") == fixed
    certified = fixed.rule[fixed.radius > 0]
    eta = f"eta={NOISE.total_variation(4):.3g}"
    assert len(certified) and all(f"gaussian l2, lattice, {eta}" in rule for rule in certified)
    (stream,) = js.certify_stream(KEY, CLASSIFY, NOISE, [IMAGES], js.designs.Fixed(n=500))
    assert stream == fixed
    table = js.radius_table(NOISE, n=500, alpha=0.001, dim=4)
    label, radius = jax.jit(lambda x: js.certify_batch(KEY, CLASSIFY, NOISE, x, table))(IMAGES)
    np.testing.assert_array_equal(label, fixed.label)
    np.testing.assert_allclose(radius, fixed.radius, rtol=1e-6)
    for norm in (1, np.inf):
        assert (js.certify(KEY, CLASSIFY, NOISE, IMAGES, n=500, norm=norm).label == fixed.label).all()
    bounded = js.certify(KEY, CLASSIFY, NOISE, IMAGES, n=500, runner_up="bounded")
    assert (bounded.radius <= fixed.radius).all()
    assert (js.predict(KEY, CLASSIFY, NOISE, IMAGES) >= -1).all()
    curve = js.certify_curve(KEY, CLASSIFY, NOISE, IMAGES, [0.0, 0.1], n_max=2000, norm=2)
    assert (curve.radius[fixed.radius > 0.15] == 0.1).all()
    assert (js.certify_adaptive(KEY, CLASSIFY, NOISE, IMAGES, n_max=2000).radius >= 0).all()


def test_objectives_train_on_draws_and_attack_through_them():
    objective = js.objectives.SmoothAdv(0.3, 2)
    loss, aux = jax.jit(lambda noise: objective(KEY, CLASSIFY, noise, IMAGES, np.zeros(9, int)))(NOISE)
    assert np.isfinite(loss) and aux.terms["moved"] > 0.05
    outside = objective(KEY, CLASSIFY, NOISE, IMAGES, np.zeros(9, int))[0]  # of a program
    np.testing.assert_allclose(outside, loss, rtol=1e-5)


def test_a_sweep_of_sigma_does_not_trace_again():
    traces = []

    @jax.jit
    def sample(noise):
        traces.append(None)
        return noise.sample(KEY, (8,))

    spread = [float(np.std(sample(js.noises.LatticeGaussian(sigma)))) for sigma in (0.12, 0.25, 0.5, 1.0)]
    assert len(traces) == 1 and np.all(np.diff(spread) > 0)


def test_images_of_a_program_are_rounded():
    """Where they cannot be looked at; the host refuses them."""
    count = jax.jit(lambda x: js.count_votes(KEY, CLASSIFY, NOISE, x, 100).counts)
    np.testing.assert_array_equal(count(IMAGES + np.float32(0.001)), count(IMAGES))


def test_margin_makes_near_ties_invalid():
    votes = js.count_votes(KEY, js.with_margin(CLASSIFY, 0.2), NOISE, IMAGES, 300)
    plain = js.count_votes(KEY, CLASSIFY, NOISE, IMAGES, 300)
    assert (np.asarray(votes.invalid) > 0).any() and (np.asarray(votes.counts) <= np.asarray(plain.counts)).all()


@pytest.mark.parametrize("step", [1 / 4095, 1 / 255, 1 / 3, 1 / 4194301, 1, 7, 4194301])
def test_float32_gives_every_integer_of_an_image_back(step):
    """The last 200,000 up to the largest one, on either side of 0; beyond, images are refused."""
    lattice, k = lattice_of(step), np.arange(2**21 - 200_000, 2**21 + 1, dtype=np.int32)
    for integers in (k, -k):
        np.testing.assert_array_equal(lattice.nearest(lattice.values(jnp.asarray(integers))), integers)
    with pytest.raises(ValueError, match="x must be within 2097152 steps of 0"):
        lattice.checked_images(np.full((1, 1), (2**21 + 4) * float(lattice.step), np.float32))


def test_a_noise_that_was_moved_says_so():
    for move in (jax.device_put, lambda noise: jax.tree.map(np.asarray, noise)):
        moved = move(js.noises.LatticeGaussian(0.3))
        for ask in (
            lambda noise: noise.total_variation(2),
            lambda noise: js.certified_radius(noise, 0.9, dim=2),
            lambda noise: noise.checked_images(ON),  # before anything is drawn
        ):
            with pytest.raises(TypeError, match=r"noise.sigma must be the float that LatticeGaussian was made with"):
                ask(moved)
