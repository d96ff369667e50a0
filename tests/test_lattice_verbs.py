"""Noise of integers with every verb and design: streams, ledgers and meshes give what the array gives."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import Adaptive, Curve, Fixed, Outputs, Predict, Setting, TopK, Values
from tests.soundness.half_space import half_space

KEY, NOISE = jax.random.key(8), js.noises.LatticeGaussian(0.5, step=1 / 64)
X = np.random.default_rng(0).integers(-64, 65, (11, 4)).astype(np.float32) / 64
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
MAPS = jax.tree_util.Partial(
    lambda weights, batch: jnp.einsum("bd,dmc->bmc", batch, weights), jax.random.normal(jax.random.key(2), (4, 5, 3))
)
NUMBERS = jax.tree_util.Partial(lambda weights, batch: batch @ weights[:, :2], WEIGHTS)
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))
RADII, EDGES = (0.0, 0.1, 0.25), np.linspace(-4, 4, 33)
ETA = f"gaussian l2, lattice, eta={NOISE.total_variation(4):.3g}"

# One row a verb: the design, the classifier, whether labels are tested, and the call.
VERBS = {
    "certify": (Fixed(n=500), CLASSIFY, False, functools.partial(js.certify, n=500)),
    "bounded": (
        Fixed(n=500, norm=np.inf, runner_up="bounded"),
        CLASSIFY,
        False,
        functools.partial(js.certify, n=500, norm=np.inf, runner_up="bounded"),
    ),
    "certify_curve": (
        Curve(RADII, n_max=2000),
        CLASSIFY,
        True,
        functools.partial(js.certify_curve, radii=RADII, n_max=2000),
    ),
    "certify_adaptive": (Adaptive(n_max=2000), CLASSIFY, False, functools.partial(js.certify_adaptive, n_max=2000)),
    "predict": (Predict(n=300), CLASSIFY, False, functools.partial(js.predict, n=300)),
    "certify_top_k": (TopK(k=2, n=500), CLASSIFY, True, functools.partial(js.certify_top_k, k=2, n=500)),
    "certify_outputs": (
        Outputs(tau=0.6, n=120, alpha=0.05),
        MAPS,
        False,
        functools.partial(js.certify_outputs, tau=0.6, n=120, alpha=0.05),
    ),
    "certify_values": (
        Values(RADII, EDGES, n=500),
        NUMBERS,
        False,
        functools.partial(js.certify_values, radius=RADII, edges=EDGES, n=500),
    ),
}


def same(one, other):
    assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


# Of most of these tests/noises/test_lattice.py asks, too.
LONG = ("certify", "bounded", "certify_curve", "certify_adaptive", "predict", "certify_outputs")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in VERBS])
def test_every_source_gives_the_same(name, tmp_path):
    design, classify, labelled, verb = VERBS[name]
    labels, path = LABELS if labelled else None, tmp_path / "votes.jsonl"
    given = {"labels": labels} if labelled else {}
    whole = verb(KEY, classify, NOISE, X, ledger=path, **given)
    same(js.recertify(path, NOISE, design, labels=labels), whole)
    batches = [(X[part], labels[part]) if labelled else X[part] for part in (slice(0, 4), slice(4, 11))]
    parts = list(js.certify_stream(KEY, classify, NOISE, batches, design, mesh=jax.make_mesh((2,), ("draws",))))
    same(np.concatenate(parts) if isinstance(whole, np.ndarray) else js.concatenate(parts), whole)
    rules = [str(rule) for rule in np.ravel(getattr(whole, "rule", np.array(ETA))) if rule]
    assert rules and all(ETA in rule for rule in rules)
    with pytest.raises(ValueError, match="noise must be that of the ledger"):
        js.recertify(path, js.noises.LatticeGaussian(0.5, step=1 / 128), design, labels=labels)
    with pytest.raises(ValueError, match="x must be on the lattice of step 1/64"):
        verb(KEY, classify, NOISE, X + np.float32(0.001), **given)


def test_other_integers_have_no_rule_for_sums():
    uniform = js.noises.LatticeUniform(0.5, step=1 / 64)
    for name in ("certify_top_k", "certify_values"):
        _, classify, _, verb = VERBS[name]
        with pytest.raises(TypeError, match=r"noise must be .* or LatticeGaussian"):
            verb(KEY, classify, uniform, X)
    assert js.certify_outputs(KEY, MAPS, uniform, X, tau=0.6, n=120, alpha=0.05, norm=1).radius.max() > 0


# --- what the law of the draws costs -------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [1e-13, 1e-6, 1e-3])
@pytest.mark.parametrize(("p", "sums"), [(0.6, [0.3]), (0.3, [0.2, 0.6]), (0.97, [0.02]), (0.05, [0.001, 0.1])])
def test_top_k_radii_pay_for_it_at_both_ends(p, sums, eta):
    radius = float(js.radii.top_k_radius(p, sums, 1.0, total_variation=eta))
    with mpmath.workdps(40):
        quantile = lambda q: mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(q) - 1)

        def margin(r, t, s):
            ours = mpmath.ncdf(quantile(mpmath.mpf(p) - eta) - r) - eta
            return ours - (mpmath.ncdf(quantile(min(mpmath.mpf(s), 1 - mpmath.mpf(p)) + eta) + r) + eta) / t

        holds = lambda r: max(margin(mpmath.mpf(r), t, s) for t, s in enumerate(sums, 1))
        assert radius > 0 and holds(radius) >= 0 > holds(radius * (1 + 1e-9) + 1e-11)
    plain = float(js.radii.top_k_radius(p, sums, 1.0))
    assert radius < plain and (eta > 1e-9 or radius > plain - 1e-9)


def test_top_k_of_too_few_classes_is_unlimited():
    assert np.isinf(js.radii.top_k_radius(0.6, [0.0, 0.3], 1.0, total_variation=1e-3))
    assert js.radii.top_k_radius(0.1, [0.0999], 1.0, total_variation=1e-3) == 0
    with pytest.raises(ValueError, match="total_variation must be between 0 and 1; got 2"):
        js.radii.top_k_radius(0.6, [0.3], 1.0, total_variation=2)


@pytest.mark.parametrize("eta", [1e-12, 1e-3])
@pytest.mark.parametrize("quantile", [0.5, 0.9, 1e-4])
def test_values_pay_for_it_at_both_ends(quantile, eta, monkeypatch):
    monkeypatch.setattr(js.noises.LatticeGaussian, "total_variation", lambda noise, dim=1: eta)
    design = Values((0.0, 0.25, 2.0), (0.0,), quantile=quantile, n=10**6)
    bound = super(Values, design).bind(Setting(NOISE, NOISE, 4, 1, False, ()))
    for r, low, high in zip(design.radius, *bound._levels(), strict=True):
        with mpmath.workdps(40):
            q, z = mpmath.mpf(quantile), mpmath.mpf(r) / NOISE.sigma
            move = lambda p, by: mpmath.ncdf(mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1) + by)
            exact_low = move(q - eta, -z) - eta if q > eta else 0
            exact_high = move(q + eta, z) + eta
            if r == 0:
                exact_low = exact_high = q
            assert low <= max(exact_low, 0) and high >= min(exact_high, 1)
            assert low >= exact_low * (1 - 1e-9) - 1e-15 and high <= exact_high * (1 + 1e-9)


# --- the other side of the radius ------------------------------------------------------------------------------


@pytest.mark.slow
def test_attacks_stay_on_the_lattice():
    classify, w = half_space("all", 16)
    noise, steps = js.noises.LatticeGaussian(0.5, step=1 / 64), np.array([[4], [8], [16]])
    x = (steps * np.ones(16)).astype(np.float32) / 64
    made = js.certify(KEY, classify, noise, x, n=4000)
    found = js.diagnostics.attack(KEY, classify, noise, made, x, steps=5, draws=16, n=4000, clip=(-0.5, 0.99))
    np.testing.assert_array_equal(found.point * 64, np.rint(found.point * 64))
    true = x @ w
    assert (made.radius < true + 1 / 64).all() and np.isfinite(found.upper).all()
    assert (found.upper >= true - 1 / 64).all() and (found.upper < 1.4 * true + 1 / 16).all()
    assert found.point.min() >= -0.5 and not js.analysis.sandwich(made, found).violations
    with pytest.raises(ValueError, match="x must be on the lattice"):
        js.diagnostics.attack(KEY, classify, noise, made, x + np.float32(0.003))
    with pytest.raises(ValueError, match="noise Splits is deterministic"):
        js.diagnostics.attack(KEY, classify, js.noises.Splits(0.5), made, x)
    beside = noise.on_lattice(np.array([0.991, -0.51, 0.3]), -0.5, 0.99)
    np.testing.assert_array_equal(beside * 64, [63, -32, 19])
