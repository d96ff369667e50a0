"""certify_curve: decisions of the plan on the votes of count_votes, whatever the packing."""

import jax
import numpy as np
import pytest

import jaxsmooth as js

KEY = jax.random.key(11)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = np.asarray(jax.random.normal(jax.random.key(2), (60, 4)))
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))
LABELS = np.where(np.arange(60) % 7 == 0, (LABELS + 1) % 3, LABELS)  # some are wrong
RADII = np.array([0.0, 0.1, 0.25, 0.5, 0.75])


def by_hand(labels, n_max, alpha):
    """The same decisions, from prefixes of all votes of all images."""
    tests = js.bounds.curve_tests(n_max, alpha)
    plan = js.bounds.CurvePlan(tests, js.required_probability(NOISE, RADII), any_class=labels is None)
    label, certified = np.full(60, js.ABSTAIN), np.zeros(60, int)
    going, samples = np.ones(60, bool), np.zeros(60, int)
    for look, draws in enumerate(plan.looks):
        counts = np.asarray(js.count_votes(KEY, CLASSIFY, NOISE, X, int(draws)).counts)
        tested = counts.argmax(-1) if labels is None else labels
        now, stop = plan.decide(look, counts[np.arange(60), tested], certified)
        label = np.where(going & (now > certified), tested, label)
        certified, samples = np.where(going, now, certified), np.where(going, draws, samples)
        going &= ~stop
    return label, np.where(certified > 0, RADII[np.maximum(certified - 1, 0)], 0), samples


@pytest.fixture(scope="module", params=["labels", "no labels"])
def case(request):
    labels = LABELS if request.param == "labels" else None
    return labels, js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=labels, n_max=1500, alpha=0.01)


def test_decisions_are_those_of_the_plan(case):
    labels, certificates = case
    label, radius, samples = by_hand(labels, 1500, 0.01)
    np.testing.assert_array_equal(certificates.label, label)
    np.testing.assert_array_equal(certificates.radius, radius)
    np.testing.assert_array_equal(certificates.samples, samples)
    np.testing.assert_array_equal(certificates.votes.total, samples)
    assert len(set(certificates.reason)) == 3 and certificates.alpha == 0.01
    assert certificates.label.dtype == np.int32 and certificates.samples.dtype == np.int64


def test_fields_agree(case):
    _, certificates = case
    certified = certificates.label != js.ABSTAIN
    np.testing.assert_array_equal(certificates.p_lower > 0, certified)
    radius = js.certified_radius(NOISE, certificates.p_lower[certified])
    np.testing.assert_allclose(radius, certificates.radius[certified], atol=1e-9)
    assert (certificates.radius[~certified] == 0).all()
    assert all(
        ("cohen" in rule) == (radius > 0) for rule, radius in zip(certificates.rule, certificates.radius, strict=True)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 13},
        {"batch_size": 500},
        {"mesh": (8,)},
        {"mesh": (2, 2)},
        {"mesh": (4,), "batch_size": 3},
        {"progress": True},
    ],
)
def test_packing_changes_nothing(case, options):
    labels, certificates = case
    if "mesh" in options:
        options = options | {"mesh": jax.make_mesh(options["mesh"], tuple("ab"[: len(options["mesh"])]))}
    other = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=labels, n_max=1500, alpha=0.01, **options)
    np.testing.assert_array_equal(other.votes.counts, certificates.votes.counts)
    np.testing.assert_array_equal(other.radius, certificates.radius)


def test_few_slots_change_nothing(case, monkeypatch):
    from jaxsmooth.sampling import packing

    labels, certificates = case
    monkeypatch.setattr(packing, "_SLOT_BYTES", 0)  # 16 slots for 60 images
    monkeypatch.setattr(packing, "_BATCHES_PER_STEP", 2)
    other = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=labels, n_max=1500, alpha=0.01, batch_size=16)
    np.testing.assert_array_equal(other.votes.counts, certificates.votes.counts)


def test_an_iterator_is_for_streams():
    with pytest.raises(TypeError, match="for a stream of batches use certify_stream"):
        js.certify_curve(KEY, CLASSIFY, NOISE, iter([X]), RADII)


def test_image_ids_travel_with_their_images(case):
    labels, certificates = case
    order = np.random.default_rng(0).permutation(60)
    other = js.certify_curve(
        KEY, CLASSIFY, NOISE, X[order], RADII,
        labels=None if labels is None else labels[order], image_ids=order, n_max=1500, alpha=0.01,
    )  # fmt: skip
    np.testing.assert_array_equal(other.votes.counts, certificates.votes.counts[order])


def test_the_curve_is_that_of_certify_at_a_fraction_of_the_votes():
    fixed = js.certify(KEY, CLASSIFY, NOISE, X, n=20_000)
    curve = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=LABELS, n_max=20_000)
    expected = js.analysis.certified_accuracy(fixed, LABELS, RADII[1:])
    actual = js.analysis.certified_accuracy(curve, LABELS, RADII[1:])
    assert np.abs(actual - expected).max() <= 1 / 60 + 1e-12
    assert curve.samples.mean() < 20_000 / 4


def test_simultaneous_alpha_is_shared_by_the_images():
    certificates = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, n_max=500, alpha=0.06, simultaneous=True)
    assert certificates.alpha == pytest.approx(0.001)
    one = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, n_max=500, alpha=0.06 / 60)
    np.testing.assert_array_equal(one.radius, certificates.radius)


def test_other_norms_and_scores_that_are_not_finite():
    linf = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII / 2, norm=np.inf, labels=LABELS, n_max=1500, alpha=0.01)
    euclidean = js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=LABELS, n_max=1500, alpha=0.01)
    np.testing.assert_array_equal(linf.radius, euclidean.radius / 2)
    nan = lambda batch: CLASSIFY(batch) * np.float32(np.nan)
    with pytest.warns(UserWarning, match="NaN or infinite, which vote for nobody"):
        nothing = js.certify_curve(KEY, nan, NOISE, X, RADII)
    assert (nothing.label == js.ABSTAIN).all() and (nothing.votes.invalid == nothing.samples).all()


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"radii": [0.5, 0.25]}, ValueError, "radii must increase"),
        ({"radii": [0.25, 0.25]}, ValueError, "radii must increase"),
        ({"radii": [-0.1, 0.25]}, ValueError, "radii must be finite and at least 0"),
        ({"radii": [np.nan]}, ValueError, "radii must be finite"),
        ({"radii": []}, ValueError, "at least one radius"),
        ({"radii": 0.5}, ValueError, "vector"),
        ({"radii": [0.5, 1.5], "n_max": 1000}, ValueError, "n_max >= 5114"),
        ({"labels": LABELS[:5]}, ValueError, r"shape \(60,\), one for each image; got \(5,\)"),
        ({"labels": LABELS * 0 + 3}, ValueError, "labels must be between 0 and 2"),
        ({"labels": LABELS - 1}, ValueError, "labels must be between 0 and 2"),
        ({"labels": LABELS * 1.0}, TypeError, "labels must be integers"),
        ({"alpha": 0}, ValueError, "alpha must be"),
        ({"n_max": 5}, ValueError, "n_max = 5 can never certify at alpha = 0.001, .* use n_max >= 11"),
        (
            {"n_max": 5, "labels": LABELS},
            ValueError,
            "n_max = 5 can never certify at alpha = 0.001, .* use n_max >= 10",
        ),
        ({"n_max": 5, "radii": [1.0]}, ValueError, "n_max = 5 can never certify at alpha = 0.001, .* use n_max >= 301"),
        ({"n_max": 90, "alpha": 1e-30, "labels": LABELS}, ValueError, "n_max = 90 can never .* use n_max >= 103"),
        ({"norm": 0}, ValueError, "norm must be"),
        ({"x": iter([])}, TypeError, "use certify_stream"),
        ({"x": iter([X[:3]]), "simultaneous": True}, TypeError, "use certify_stream"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {"x": X, "radii": RADII, "n_max": 3000} | change
    with pytest.raises(error, match=message):
        js.certify_curve(KEY, CLASSIFY, NOISE, arguments.pop("x"), arguments.pop("radii"), **arguments)


def test_the_n_max_of_the_message_suffices():
    for labels in (None, LABELS):
        with pytest.raises(ValueError, match="n_max >= ") as error:
            js.certify_curve(KEY, CLASSIFY, NOISE, X, [0.5, 1.5], labels=labels, n_max=1000)
        needed = int(str(error.value).split("n_max >= ")[1].split()[0])
        js.certify_curve(
            KEY, CLASSIFY, NOISE, X[:1], [0.5, 1.5], labels=labels if labels is None else labels[:1], n_max=needed
        )


@pytest.mark.parametrize("noise", [js.noises.Exp2(0.5, k=3.0), NOISE], ids=["Exp2", "Gaussian"])
def test_radii_a_rounding_apart_are_legal(noise):
    """What a larger radius requires is computed a little below what the smaller one does."""
    radii, x = [0.1, np.nextafter(0.1, 1), 0.3, 0.1 * 3], np.ones((1, 16), np.float32)
    found = js.certify_curve(KEY, lambda batch: batch[:, :2] * np.array([1, -1]), noise, x, radii, n_max=2000)
    assert found.radius[0] in radii
