"""Confirmed attacks: half-spaces with a known radius, a sigma that is misreported, and the level of a claim."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.diagnostics.measure.attack_points import distances
from tests.soundness.half_space import half_space, is_sound

KEY = jax.random.key(6)
NOISE = js.noises.Gaussian(0.5)
CLASSIFY, W = half_space("all", 16)
TRUE = np.array([0.2, 0.5, 1.0, 0.35])
X = (TRUE[:, None] * W).astype(np.float32)
FEW = {"steps": 5, "draws": 16, "n": 4000}


@pytest.fixture(scope="module")
def made():
    return js.certify(KEY, CLASSIFY, NOISE, X, n=20_000)


@pytest.fixture(scope="module")
def found(made):
    return js.diagnostics.attack(KEY, CLASSIFY, NOISE, made, X, **FEW)


def test_half_spaces(made, found):
    assert (made.radius < TRUE).all() and (found.upper >= TRUE * (1 - 1e-5)).all() and (found.upper < 1.25 * TRUE).all()
    assert found.other.tolist() == [0] * 4 and found.label.tolist() == [1] * 4
    np.testing.assert_allclose(np.linalg.norm(found.point - X, axis=-1), found.upper, rtol=1e-5)
    assert (found.ratio > 1).all() and "4 of 4 certified answers changed" in repr(found)
    assert js.concatenate([found[:2], found[2:]]) == found and found.to_dict()["upper"].shape == (4,)


@pytest.mark.parametrize("devices", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 8))])
def test_the_same_on_many_devices(made, found, devices):
    mesh = jax.make_mesh((devices,), ("draws",))
    assert js.diagnostics.attack(KEY, CLASSIFY, NOISE, made, X, mesh=mesh, **FEW) == found


def test_a_sigma_that_is_misreported_shows(made):
    """Certificates that claim 20 % more noise than there is: upper < certified."""
    x = np.repeat((np.linspace(0.6, 1.0, 4)[:, None] * W).astype(np.float32), 5, 0)
    honest = js.certify(KEY, CLASSIFY, NOISE, x, n=20_000)
    wrong = dataclasses.replace(honest, radius=1.2 * honest.radius)
    for certificates, violations in ((honest, 0), (wrong, 20)):
        found = js.diagnostics.attack(KEY, CLASSIFY, NOISE, certificates, x, **FEW)
        table = js.analysis.sandwich(certificates, found)
        assert table.violations >= 0.8 * violations and (violations or not table.violations)
        assert ("something is wrong" in str(table)) == bool(violations) == (table.p_value < 1e-3)
        assert violations or (table.certified <= table.attacked).all()


def test_the_claim_is_wrong_with_its_alpha_at_most():
    """On the boundary neither class is more probable: a claim that the answer has changed is false, either way."""
    images = 1000
    x = np.zeros((images, 16), np.float32)
    label, radius = np.ones(images, np.int32), np.full(images, 1e-6)
    none = np.zeros(images)
    certificates = js.Certificates(label, radius, none, none, none.astype(int))
    level = lambda batch: CLASSIFY(batch - (batch - jax.lax.stop_gradient(batch)))  # no gradient: it stays where it is
    found = js.diagnostics.attack(
        KEY, level, NOISE, certificates, x, steps=1, draws=1, tries=1, n=400, alpha=0.2, clip=(-1e-9, 1e-9)
    )
    assert is_sound(int(np.isfinite(found.upper).sum()), images, 0.2)


@pytest.mark.parametrize("norm", [np.inf, pytest.param(1, marks=pytest.mark.slow)])
def test_other_norms(norm):
    made = js.certify(KEY, CLASSIFY, NOISE, X, n=20_000, norm=norm)
    found = js.diagnostics.attack(KEY, CLASSIFY, NOISE, made, X, norm=norm, **FEW)
    # The distance to the plane in the norm: |w.x| over the dual norm of w, all of whose entries are 1/4.
    true = TRUE / (0.25 if norm == 1 else 4)
    assert (made.radius < true).all() and (found.upper >= true * (1 - 1e-5)).all()
    assert (found.upper[np.isfinite(found.upper)] < 1.25 * true[np.isfinite(found.upper)]).all()
    assert np.isfinite(found.upper).sum() >= (4 if norm == np.inf else 2)


def test_clip_and_surrogate(made):
    low = float(X.min() - 0.02)
    found = js.diagnostics.attack(KEY, CLASSIFY, NOISE, made, X, clip=(low, 2.0), **FEW)
    assert (found.point >= np.minimum(X, low) - 1e-6).all()
    assert (np.isinf(found.upper) == np.isinf(found.upper)).all() and np.isinf(found.upper[2])
    hard = lambda batch: jax.nn.one_hot(CLASSIFY(batch).argmax(-1), 2)  # no gradient
    blind = js.diagnostics.attack(KEY, hard, NOISE, made, X, **FEW)
    seeing = js.diagnostics.attack(KEY, hard, NOISE, made, X, surrogate=CLASSIFY, **FEW)
    assert np.isinf(blind.upper).all() and np.isfinite(seeing.upper).all()


def test_abstained_images_are_left_out(made):
    nothing = dataclasses.replace(made, label=np.full(4, -1, np.int32), radius=np.zeros(4))
    found = js.diagnostics.attack(KEY, CLASSIFY, NOISE, nothing, X, **FEW)
    assert np.isnan(found.upper).all() and not found.samples.any()
    np.testing.assert_array_equal(found.point, X)
    table = js.analysis.sandwich(nothing, found, radii=[0.1])
    assert table.violations == 0 and table.certified[0] == 0


def test_sandwich(made, found):
    labels = np.array([1, 1, 1, 0])
    table = js.analysis.sandwich(made, found, labels, radii=[0.0, 0.3, 2.0])
    assert table.certified.tolist() == [0.75, 0.5, 0.0] and table.attacked.tolist() == [0.75, 0.5, 0.0]
    axes = js.analysis.plot_sandwich(made, found, labels)
    assert axes.get_ylabel() == "accuracy" and len(axes.get_lines()) == 2
    for other, message in ((found[:2], "of the 4 images"), (dataclasses.replace(found, norm=1.0), "in the norm 2")):
        with pytest.raises(ValueError, match=message):
            js.analysis.sandwich(made, other)


def test_distances_are_rounded_up():
    delta = np.random.default_rng(0).normal(size=(50, 3, 4))
    assert (distances(delta, 2) >= np.sqrt((delta.astype(np.longdouble) ** 2).sum((1, 2)))).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x": X[:2]}, ValueError, "x must hold the images of the certificates, 4"),
        ({"norm": 1}, ValueError, "norm must be that of the certificates, 2; got 1"),
        ({"n": 50}, ValueError, "n = 50 votes are too few .* use n >= 100"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"clip": (1.0, 0.0)}, ValueError, "must be"),
        ({"certificates": 3}, TypeError, "certificates must be Certificates"),
    ],
)
def test_bad_values(made, options, error, message):
    given = {"certificates": made, "x": X, **options}
    with pytest.raises(error, match=message):
        js.diagnostics.attack(KEY, CLASSIFY, NOISE, **given)


def test_infinite_radii_are_refused(made):
    with pytest.raises((TypeError, ValueError), match="radius"):
        js.diagnostics.attack(KEY, CLASSIFY, NOISE, dataclasses.replace(made, radius=np.full(4, np.inf)), X)


FEW_TRIES = {**FEW, "tries": 5, "n": 1000}


def test_scores_of_minus_infinity_have_no_part_in_the_search(made):
    """A masked class, as nobody's: the gradient of the others is what it was."""
    masked = lambda batch: jax.numpy.pad(CLASSIFY(batch), ((0, 0), (0, 1)), constant_values=-np.inf)
    found = js.diagnostics.attack(KEY, masked, NOISE, dataclasses.replace(made, votes=None), X, **FEW_TRIES)
    assert np.isfinite(found.upper).all() and (found.other == 0).all()


def test_classifiers_that_draw():
    noisy = js.randomized(lambda keys, batch: CLASSIFY(batch) + 0.1 * jax.vmap(jax.random.normal)(keys)[:, None])
    for classify in (noisy, js.soft(CLASSIFY, temperature=0.1)):
        certificates = js.certify(KEY, classify, NOISE, X, n=2000)
        found = js.diagnostics.attack(KEY, classify, NOISE, certificates, X, **FEW_TRIES)
        assert np.isfinite(found.upper).all() and (found.ratio > 1).all()


@pytest.mark.parametrize(
    "noise", [js.noises.LatticeGaussian(0.5, step=1 / 8), js.noises.LatticeUniform(0.5, step=1 / 8)]
)
def test_points_on_the_lattice(noise):
    x = (np.rint(8 * X) / 8).astype(np.float32)
    norm = 2 if isinstance(noise, js.noises.LatticeGaussian) else 1
    certificates = js.certify(KEY, CLASSIFY, noise, x, n=2000, norm=norm)
    found = js.diagnostics.attack(KEY, CLASSIFY, noise, certificates, x, norm=norm, **FEW_TRIES)
    certified = np.isfinite(found.upper)
    assert certified.any() and (found.ratio[certified] > 1).all()
    assert (8 * found.point == np.rint(8 * found.point)).all()
    delta = (found.point - x.astype(np.float64))[certified]
    np.testing.assert_allclose(np.linalg.norm(delta, ord=norm, axis=-1), found.upper[certified], rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"label": 5}, ValueError, "the label 5"),
        ({"surrogate": lambda batch: batch[:, :3]}, ValueError, "surrogate must have the 2 classes of classify; got 3"),
        ({"classify": js.soft(CLASSIFY)}, ValueError, "whose votes are hard; got one with soft"),
        ({"classify": js.interop.from_callable(lambda batch: batch[:, :2], 2)}, TypeError, "classify must have a grad"),
        ({"kind": js.TopKCertificates}, TypeError, "certificates must be Certificates, of the most probable class"),
        ({"clip": "ab"}, TypeError, "clip must be"),
        ({"clip": (0.0, np.nan)}, ValueError, "clip must be"),
    ],
)
def test_what_the_certificates_are_not_of_is_refused(made, options, error, message):
    given = {"classify": CLASSIFY, **options}
    if "label" in given:
        made = dataclasses.replace(made, label=np.full(4, given.pop("label"), np.int32))
    if (kind := given.pop("kind", None)) is not None:
        made = kind(made.label, made.radius, made.p_lower, made.p_upper[:, None], made.samples, k=1)
    with pytest.raises(error, match=message):
        js.diagnostics.attack(KEY, noise=NOISE, certificates=made, x=X, **given, **FEW)
    if kind is not None:
        for refused in (js.analysis.sandwich, lambda made, _: js.analysis.write_log("nowhere.tsv", made, [1] * 4)):
            with pytest.raises(TypeError, match="which say something else"):
                refused(made, None)


def test_attacks_are_not_traced(made):
    with pytest.raises(TypeError, match="attack works on the host"):
        jax.jit(lambda x: js.diagnostics.attack(KEY, CLASSIFY, NOISE, made, x).upper)(X)


def test_an_abstention_may_be_right(made, found):
    """What nobody certifies bounds the accuracy from above as much as what nobody attacks."""
    label, upper = made.label.copy(), found.upper.copy()
    label[0], upper[0] = js.ABSTAIN, np.nan
    abstains = dataclasses.replace(made, label=label, radius=np.where(label < 0, 0, made.radius))
    attacked = dataclasses.replace(found, label=label, upper=upper)
    table = js.analysis.sandwich(abstains, attacked, np.array([1, 1, 1, 0]), radii=[0.0, 2.0])
    assert table.certified.tolist() == [0.5, 0.0] and table.attacked.tolist() == [0.75, 0.25]
    assert js.analysis.sandwich(abstains, attacked, radii=[0.0]).attacked.tolist() == [0.75]  # of certified answers


def test_an_attack_on_other_answers_is_refused(made, found):
    with pytest.raises(ValueError, match=r"of these certificates; it left another answer .* for 4 images"):
        js.analysis.sandwich(made, dataclasses.replace(found, label=1 - found.label))


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_radii_of_a_sandwich_reach_the_largest_and_no_further(made, found, scale):
    small = dataclasses.replace(made, radius=scale * made.radius)
    radii = js.analysis.sandwich(small, found).radii
    largest = small.radius.max()
    assert len(radii) == 6 and 0.99 * largest < radii[-1] <= largest
