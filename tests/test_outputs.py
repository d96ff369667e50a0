"""Many outputs: multiplicity, reference values, one output, masks, what scores mean, and memory."""

import dataclasses
import functools
import gc
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
from jaxsmooth.bounds import holm, k_fwer
from jaxsmooth.bounds.binomial_tail import tail_at_least
from jaxsmooth.bounds.multiplicity import critical_values, least_rejected
from jaxsmooth.designs import Agreement, Bins
from jaxsmooth.sampling.ballots import Labels, plurality, winner
from tests.test_designs import CLASSIFY, KEY, NOISE, X
from tests.test_output_kinds import MAPS, MASK

# n, tau, alpha, outputs, the least agreement, its p-value, the radius of tau at sigma 1: mpmath with 50 digits.
THRESHOLDS = [
    (100, 0.75, 0.001, 1, 89, 0.000393517786698752, 0.674489750196082),
    (100, 0.75, 0.001, 2097152, 98, 1.87407514365793e-10, 0.674489750196082),
    (75, 0.75, 0.001, 2097152, 75, 4.26181657761259e-10, 0.674489750196082),
    (500, 0.95, 0.001, 2097152, 499, 1.98708480020366e-10, 1.64485362695147),
    (100, 0.5, 0.05, 10, 64, 0.00331856025796306, 0.0),
]
# n, tau, alpha, agreement, decisions of Holm and of Bonferroni.
DECISIONS = [
    (100, 0.75, 0.05, [75, 84, 85, 86, 88, 90, 100, 100, 60, 83], [3, 4, 5, 6, 7], [4, 5, 6, 7]),
    (100, 0.75, 0.05, [*[87] * 9, 83], list(range(10)), list(range(9))),
    (50, 0.9, 0.01, [50] * 5, [], []),
]
CRITICAL = {
    1: [0.00833333333333333, 0.01, 0.0125, 0.0166666666666667, 0.025, 0.05],
    2: [0.0166666666666667, 0.0166666666666667, 0.02, 0.025, 0.0333333333333333, 0.05],
    3: [0.025, 0.025, 0.025, 0.03, 0.0375, 0.05],
}
# n, alpha, outputs, agreement, the radius at sigma 1 of one of simultaneous bounds.
SIMULTANEOUS = [
    (1000, 0.001, 2097152, 1000, 2.02888235935879),
    (1000, 0.001, 2097152, 990, 1.7080412578499),
    (1000, 0.001, 2097152, 700, 0.270477820817554),
    (100, 0.001, 4096, 100, 1.07480546091934),
    (100, 0.001, 4096, 95, 0.696336297692401),
]


@functools.cache
def p_table(n, tau):
    return tail_at_least(np.arange(n + 1), np.int64(n), tau)


@pytest.mark.parametrize(("n", "tau", "alpha", "m", "k", "p", "radius"), THRESHOLDS)
def test_least_agreement(n, tau, alpha, m, k, p, radius):
    table, histogram = p_table(n, tau), np.zeros(n + 1, int)
    histogram[n] = m
    assert least_rejected(histogram, table, alpha, "bonferroni", 1) == k
    histogram[[n, 0]] = 1, m - 1
    assert least_rejected(histogram, table, alpha, "holm", 1) == k or m == 1
    assert table[k] == pytest.approx(p, rel=1e-10)
    assert float(js.certified_radius(js.noises.Gaussian(1.0), tau)) == pytest.approx(radius, abs=1e-10)


@pytest.mark.parametrize(("n", "tau", "alpha", "agree", "by_holm", "by_bonferroni"), DECISIONS)
def test_decisions(n, tau, alpha, agree, by_holm, by_bonferroni):
    table, agree = p_table(n, tau), np.array(agree)
    p, histogram = table[agree], np.bincount(agree, minlength=n + 1)
    assert np.flatnonzero(holm(p, alpha)).tolist() == by_holm
    assert np.flatnonzero(agree >= least_rejected(histogram, table, alpha, "holm", 1)).tolist() == by_holm
    assert np.flatnonzero(agree >= least_rejected(histogram, table, alpha, "bonferroni", 1)).tolist() == by_bonferroni


@pytest.mark.parametrize("k", CRITICAL)
def test_critical_values(k):
    np.testing.assert_allclose(critical_values(6, 0.05, k), CRITICAL[k], rtol=1e-12)


def test_holm_is_that_of_statsmodels(monkeypatch):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    monkeypatch.setattr(gc, "collect", lambda: 0)  # it is called every time, and takes longer than the test
    rng = np.random.default_rng(0)
    for _ in range(2000):
        m, n = rng.integers(1, 30), 40
        agree = rng.binomial(n, rng.choice([0.75, 0.9, 0.97]), m)
        p = p_table(n, 0.75)[agree]  # few values, many ties
        alpha = rng.choice([0.01, 0.05, 0.2])
        theirs = multitest.multipletests(p, alpha, method="holm")[0]
        np.testing.assert_array_equal(holm(p, alpha), theirs)
        for method, k in (("holm", 1), ("k_fwer", 3)):
            least = least_rejected(np.bincount(agree, minlength=n + 1), p_table(n, 0.75), alpha, method, k)
            np.testing.assert_array_equal(agree >= least, k_fwer(p, alpha, k))


def test_rows_are_families_of_their_own():
    p = np.random.default_rng(1).uniform(size=(3, 2, 9)) ** 4
    np.testing.assert_array_equal(holm(p, 0.1), [[holm(row, 0.1) for row in rows] for rows in p])
    assert (k_fwer(p, 0.1, 1) == holm(p, 0.1)).all() and (k_fwer(p, 0.1, 3) >= holm(p, 0.1)).all()
    assert holm(np.zeros((3, 0)), 0.1).shape == (3, 0) and holm([], 0.1).shape == (0,)


@pytest.mark.parametrize(("n", "alpha", "m", "agree", "radius"), SIMULTANEOUS)
def test_simultaneous_radii(n, alpha, m, agree, radius):
    bound = js.bounds.clopper_pearson_lower(agree, n, alpha / m)
    assert float(js.certified_radius(js.noises.Gaussian(1.0), bound)) == pytest.approx(radius, abs=1e-10)


def test_one_output_is_certify():
    one = jax.tree_util.Partial(lambda f, batch: f(batch)[:, None], CLASSIFY)
    whole = js.certify(KEY, CLASSIFY, NOISE, X, n0=10, n=200, alpha=0.01)
    top = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, 10).counts).argmax(-1)
    for method, radius in itertools.product(("holm", "bonferroni"), (0.1, 0.3)):
        made = js.certify_outputs(KEY, one, NOISE, X, radius=radius, n=200, alpha=0.01, method=method)
        np.testing.assert_array_equal(made.selected[:, 0], top)
        np.testing.assert_array_equal(made.agreement[:, 0], np.asarray(whole.votes.counts)[np.arange(30), top])
        np.testing.assert_array_equal(made.label[:, 0], np.where(whole.radius >= radius, whole.label, js.ABSTAIN))
        assert 5 < (made.label >= 0).sum() < 30
    np.testing.assert_allclose(made.radius[:, 0], np.where(whole.radius >= 0.3, whole.radius, 0), rtol=1e-9)


def test_agreement_is_what_counts_say():
    """Each output on its own, by count_votes."""
    made = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05)
    for output in range(5):
        alone = jax.tree_util.Partial(lambda f, batch, output=output: f(batch)[:, output], MAPS)
        first = np.asarray(js.count_votes(KEY, alone, NOISE, X, 10).counts)
        rest = np.asarray(js.count_votes(KEY, alone, NOISE, X, 120, first=10).counts)
        np.testing.assert_array_equal(made.selected[:, output], first.argmax(-1))
        np.testing.assert_array_equal(made.agreement[:, output], rest[np.arange(30), first.argmax(-1)])
    p = stats.binom.sf(made.agreement - 1, 120, 0.6)
    np.testing.assert_allclose(made.p_value, p, rtol=1e-9)
    np.testing.assert_array_equal(made.label >= 0, holm(p, 0.05))
    assert (made.radius == js.certified_radius(NOISE, 0.6)).sum() == (made.label >= 0).any(-1).sum()


def test_copies_are_certified_together():
    copies = jax.tree_util.Partial(lambda f, batch: jnp.repeat(f(batch)[:, None], 40, 1), CLASSIFY)
    made = js.certify_outputs(KEY, copies, NOISE, X, tau=0.6, n=120, alpha=0.05)
    assert (made.label == made.label[:, :1]).all()
    np.testing.assert_array_equal(made.label[:, 0] >= 0, made.p_value[:, 0] <= 0.05 / 40)


def test_masks():
    made = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05, mask=MASK)
    plain = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05)
    assert (made.label[~MASK] == js.ABSTAIN).all() and (made.label[MASK] >= 0).sum() >= (plain.label[MASK] >= 0).sum()
    np.testing.assert_array_equal(made.agreement, plain.agreement)
    for image in range(30):
        np.testing.assert_array_equal(made.label[image][MASK[image]] >= 0, holm(made.p_value[image][MASK[image]], 0.05))
    common = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05, mask=MASK[0])
    np.testing.assert_array_equal(common.label[0], made.label[0])
    call = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05, mask=MASK, family="call")
    np.testing.assert_array_equal(call.label[MASK] >= 0, holm(call.p_value[MASK], 0.05))
    nothing = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, mask=np.zeros(5, bool))
    assert (nothing.label == js.ABSTAIN).all() and not nothing.radius.any() and not nothing.samples.any()


def test_methods_are_ordered():
    given = {"tau": 0.6, "n": 120, "alpha": 0.05, "family": "call"}
    bonferroni, by_holm, loose = (
        js.certify_outputs(KEY, MAPS, NOISE, X, **given, **options)
        for options in ({"method": "bonferroni"}, {}, {"method": "k_fwer", "k": 3})
    )
    certified = [made.label >= 0 for made in (bonferroni, by_holm, loose)]
    assert certified[0].sum() <= certified[1].sum() < certified[2].sum()
    assert (certified[0] <= certified[1]).all() and (certified[1] <= certified[2]).all()
    assert bonferroni.radius.shape == (30, 5) and ((bonferroni.radius > 0) == certified[0]).all()
    assert "k_fwer" in repr(loose) and "k 3" in repr(loose)


def test_a_sigma_for_every_image():
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(X[:20] + 1, sigma=0.5, rate=0.05, k=3))
    for options in ({"radius": 0.1}, {"tau": 0.7}, {"radius": 0.1, "method": "bonferroni"}):
        made = js.certify_outputs(KEY, MAPS, noise, X, n=120, alpha=0.05, **options)
        certified = (made.label >= 0).reshape(30, -1)
        assert certified.any(-1).sum() > 5
        if "radius" in options:
            assert len(set(made.tau.tolist())) == 30
            one = js.required_probability(noise.frozen_at(X[:1]), 0.1, dim=4)
            assert made.tau[0] == one[0]
        each = js.certified_radius(noise.frozen_at(X), made.tau, dim=4)
        assert (made.radius.reshape(30, -1).max(-1)[certified.any(-1)] >= 0.99 * each[certified.any(-1)]).all()
        whole = js.certify_outputs(KEY, MAPS, noise, X, n=120, alpha=0.05, family="call", **options)
        assert 0 < (whole.label >= 0).sum() < certified.sum()


def test_scores_that_are_no_numbers():
    """They agree with nothing, and count as draws."""

    def sometimes(batch):
        scores = MAPS(batch)
        return scores.at[:, 0].set(jnp.where(batch[:, :1] > 0, jnp.nan, scores[:, 0]))

    made = js.certify_outputs(KEY, sometimes, NOISE, X, tau=0.6, n=120, alpha=0.05)
    plain = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05)
    np.testing.assert_array_equal(made.agreement[:, 1:], plain.agreement[:, 1:])
    assert (made.agreement[:, 0] + made.invalid <= 120).all() and made.invalid.max() > 100
    always = lambda batch: jnp.full((len(batch), 5, 3), jnp.nan)
    with pytest.warns(UserWarning, match="vote for nobody"):
        nothing = js.certify_outputs(KEY, always, NOISE, X, tau=0.6, n=120)
    assert (nothing.label == js.ABSTAIN).all() and (nothing.selected == -1).all() and (nothing.invalid == 120).all()


def test_winners_of_few_classes_are_those_of_many():
    rng = np.random.default_rng(2)
    scores = rng.choice([0.0, 1.0, -np.inf, np.inf, np.nan], size=(4000, 5), p=[0.4, 0.4, 0.1, 0.06, 0.04])
    scores = jnp.asarray(scores, jnp.float32)
    few, many = jax.jit(winner)(scores.reshape(40, 100, 5)), jax.jit(winner)(scores)
    np.testing.assert_array_equal(few.ravel(), many)


def test_plurality():
    rng = np.random.default_rng(3)
    table = rng.integers(0, 4, size=(3, 7, 50))
    counts = np.stack([(table == c).sum(1) for c in (1, 2, 3)], -1)
    wanted = np.where(counts.any(-1), counts.argmax(-1), -1)
    np.testing.assert_array_equal(plurality(table), wanted)
    np.testing.assert_array_equal(plurality(np.zeros((2, 1), int)), [-1])
    assert Labels(4).width((5, 3)) == 20 and Agreement(4).width((5, 3)) == 5


# Only its shape is asked for. Its 300,000,000 outputs can be numbered, and ten draws of them cannot.
HUGE = lambda batch: jnp.zeros((len(batch), 20_000, 15_000, 2))


@pytest.mark.parametrize(
    ("classify", "options", "message"),
    [
        (CLASSIFY, {}, r"to \(batch, outputs, classes\).* For one output use certify"),
        (lambda batch: MAPS(batch)[..., :1], {}, "at least 2 classes"),
        (HUGE, {}, r"those of shape \(20000, 15000, 2\) have 3,000,000,000 votes to count, .* a smaller n0"),
        (MAPS, {"tau": None}, "tau or radius must be given, one of them; got none"),
        (MAPS, {"radius": 0.1}, "one of them; got both"),
        (MAPS, {"tau": 0.4}, "tau must be at least 1/2"),
        (MAPS, {"tau": 1}, "tau must be at least 1/2 and below 1"),
        (MAPS, {"tau": None, "radius": 0}, "radius must be positive"),
        (MAPS, {"n": 20, "tau": 0.75}, "n = 20 can certify no output: with m = 5, .* at least 30 draws are needed"),
        # a family of all images is larger
        (MAPS, {"n": 30, "tau": 0.75, "family": "call"}, "with m = 150, .* at least 42 draws are needed"),
        (MAPS, {"mask": np.ones(4, bool)}, "mask must have shape"),
        (MAPS, {"mask": MASK[:7]}, "mask must have a row for every image"),
        (MAPS, {"method": "by"}, "method must be"),
        (MAPS, {"k": 2}, "k must be at least 2"),
        (MAPS, {"family": "all"}, "family must be"),
        (MAPS, {"tau": None, "radius": 50.0}, "cannot be certified|can certify no output"),
    ],
)
def test_bad_values(classify, options, message):
    with pytest.raises(ValueError, match=message):
        js.certify_outputs(KEY, classify, NOISE, X, **{"tau": 0.6, "n": 120, **options})


def test_masks_are_truth_values():
    with pytest.raises(TypeError, match="mask must be bool"):
        js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, mask=np.ones(5))


def test_summaries():
    made = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05)
    truth = np.array(made.selected)
    truth[:5] = 9
    found = js.analysis.output_summary(made, truth, ignore_label=9)
    assert found.outputs == 125 and found.accuracy == 1 and found.wrong == 0
    assert found.certified_accuracy == pytest.approx((made.label[5:] >= 0).mean())
    np.testing.assert_allclose(found.iou, found.class_accuracy)  # nothing wrong: only abstentions are lost
    other = js.analysis.output_summary(made, (made.selected + 1) % 3)
    assert other.certified_accuracy == 0 and other.mean_iou == 0
    table = js.analysis.summary_table({"right": found, "wrong": other}, format="markdown")
    assert table.startswith("| run | certified accuracy | mean IoU |") and "| wrong | 0.0000 |" in table
    assert table.endswith("\n\nl2 radius 0.1266, n = 120, alpha = 0.05, holm")
    assert (
        str(found).splitlines()[0].startswith("30 images, 125 outputs, Gaussian(sigma=0.5), l2 radius 0.1266, n = 120")
    )
    wide = dataclasses.replace(found, n=200, notes=("odd",), certified_accuracy=0.99996, wrong=0.00004)
    rows = js.analysis.summary_table({"a": found, "b": wide}).splitlines()
    assert rows[2].split()[1:5:3] == ["0.9999", "0.0001"]
    assert rows[3:] == [f"a: {found.setting}", f"b: {wide.setting}", "note on b: odd"]
    with pytest.raises(ValueError, match=r"runs of several norms, \[2.0, inf\], do not compare"):
        js.analysis.summary_table({"a": found, "b": dataclasses.replace(found, norm=np.inf)})
    with pytest.raises(ValueError, match="labels must have shape"):
        js.analysis.output_summary(made, truth[:3])
    with pytest.raises(ValueError, match="Give ignore_label"):
        js.analysis.output_summary(made, np.full((30, 5), -1))


def test_the_picture_of_a_map(tmp_path):
    maps = lambda batch: jnp.stack([-(y := batch.reshape(-1, 2, 2)), y], -1)
    made = js.certify_outputs(KEY, maps, NOISE, X, tau=0.6, n=120, alpha=0.05)
    axes = js.analysis.plot_output_map(made, 1 - made.selected, image=1)
    (picture,) = axes.get_images()
    black = (np.asarray(picture.get_array()) == 0).all(-1)
    np.testing.assert_array_equal(black, made.label[1] >= 0)
    with pytest.raises(ValueError, match="certificates must be of maps"):
        js.analysis.plot_output_map(js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120))


def test_edges_in_float32_decide_as_the_numbers_do():
    ballot = Bins((0.1, 0.2, 0.3))
    values = np.float32([0.1, 0.2, 0.3]).repeat(3)
    values[::3], values[2::3] = np.nextafter(values[::3], np.float32(-1)), np.nextafter(values[2::3], np.float32(1))
    votes = jnp.zeros((1, ballot.width(()) + 1), jnp.int32)
    for value in values:
        row = ballot.count(votes, jnp.asarray([value]), jnp.zeros(1, jnp.int32), jnp.zeros(1, jnp.int32), None)
        assert int(row[0].argmax()) == int((np.float64(value) >= np.array(ballot.edges)).sum())


def test_more_classes_than_a_loop_takes_with_64_bits():
    many = jax.tree_util.Partial(lambda f, batch: jnp.tile(f(batch), (1, 1, 25)), MAPS)
    made = js.certify_outputs(KEY, many, NOISE, X[:3], tau=0.6, n=120)
    for name, value in (("jax_enable_x64", True), ("jax_numpy_dtype_promotion", "strict")):
        jax.config.update(name, value)
    try:
        assert js.certify_outputs(KEY, many, NOISE, X[:3], tau=0.6, n=120) == made
    finally:
        for name, value in (("jax_enable_x64", False), ("jax_numpy_dtype_promotion", "standard")):
            jax.config.update(name, value)


def test_one_output_without_numbers_is_not_all(recwarn):
    holes = jax.tree_util.Partial(lambda f, batch: f(batch).at[:, 0].set(jnp.nan), MAPS)
    made = js.certify_outputs(KEY, holes, NOISE, X, tau=0.6, n=120, alpha=0.05)
    assert not recwarn.list and (made.label[:, 1:] >= 0).any() and (made.invalid == 120).all()
    assert "note: 100.0% of the draws had an output" in str(js.analysis.output_summary(made, np.zeros((30, 5), int)))


def test_one_n_for_all_sigmas():
    """Also where sigma depends on the image, an n that certifies nothing is refused."""
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(X[:20] + 1, sigma=0.5, rate=0.05, k=3))
    for options in ({"tau": 0.75}, {"radius": 0.3}):
        with pytest.raises(ValueError, match="n = 20 can certify no output"):
            js.certify_outputs(KEY, MAPS, noise, X, n=20, **options)
    with pytest.raises(ValueError, match="alpha = 1e-305 is too small"):
        js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, alpha=1e-305)


def test_results_are_of_one_type():
    """Whatever numbers they are asked with; and they say what was counted."""
    made = js.certify_outputs(KEY, MAPS, NOISE, X, radius=np.float32(0.125), n=120, alpha=0.05)
    assert made.radius.dtype == made.tau.dtype == np.float64
    assert made == js.certify_outputs(KEY, MAPS, NOISE, X, radius=0.125, n=120, alpha=0.05)
    soft = js.certify_outputs(KEY, js.soft(MAPS), NOISE, X, tau=0.5, n=120, alpha=0.5)
    assert soft.votes_kind == "soft" and "soft votes" in repr(soft) and "hard" not in repr(made)
    with pytest.raises(ValueError, match="certificates must be of one"):
        js.concatenate([soft, js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.5, n=120, alpha=0.5)])
    masked = js.certify_outputs(KEY, MAPS, NOISE, X, radius=0.125, n=120, alpha=0.05, mask=MASK)
    both = js.concatenate([masked, made])
    np.testing.assert_array_equal(both.counted[:30], MASK)
    np.testing.assert_array_equal(both.certified_share, [*masked.certified_share, *made.certified_share])


def test_the_family_of_a_batch_is_not_that_of_the_stream():
    """Of a mask with a row for each image: an n that suffices for batches of one image, and not for all of them."""
    given = {"tau": 0.75, "n": 40, "alpha": 0.01, "family": "call"}
    one_each = [X[i : i + 1] for i in range(30)]
    masked = js.designs.Outputs(mask=np.ones((30, 5), bool), **given)
    made = js.concatenate(list(js.certify_stream(KEY, MAPS, NOISE, one_each, masked)))
    plain = js.concatenate(list(js.certify_stream(KEY, MAPS, NOISE, one_each, js.designs.Outputs(**given))))
    np.testing.assert_array_equal(made.label, plain.label)
    assert (made.label >= 0).any()
    with pytest.raises(ValueError, match="n = 20 can certify no output: with m = 5, "):
        list(js.certify_stream(KEY, MAPS, NOISE, one_each, dataclasses.replace(masked, n=20)))


def test_labels_of_a_stream_that_are_no_classes():
    """Maps of true classes, and targets, come along and are left alone."""
    made = js.certify_outputs(KEY, MAPS, NOISE, X, tau=0.6, n=120, alpha=0.05)
    design = js.designs.Outputs(tau=0.6, n=120, alpha=0.05)
    for labels in (np.zeros((30, 5), int), np.full(30, 77)):
        batches = [(X[:11], labels[:11]), (X[11:], labels[11:])]
        assert js.concatenate(list(js.certify_stream(KEY, MAPS, NOISE, batches, design))) == made
    with pytest.raises(ValueError, match="mask must have a row for every image; got 30 for 7 images"):
        js.certify_outputs(KEY, MAPS, NOISE, X[:7], tau=0.6, n=120, mask=MASK)


def test_no_hypotheses():
    assert holm([], 0.05).shape == (0,) and k_fwer(np.zeros((3, 0)), 0.05, 2).shape == (3, 0)


def test_the_p_value_of_what_no_probability_certifies_is_one():
    """``tau`` is inf at images whose scale is not known to be constant as far as the radius."""
    made = js.certify_outputs(KEY, lambda x: jnp.stack([-x, x], -1), NOISE, jnp.ones((2, 4)), n=50, radius=0.1)
    unknown = dataclasses.replace(made, tau=np.array([np.inf, made.tau[1]]))
    np.testing.assert_array_equal(unknown.p_value[0], 1.0)
    np.testing.assert_array_equal(unknown.p_value[1], made.p_value[1])
