"""Everything works inside jax.transfer_guard("disallow"), and leaves the guard as it was, between steps too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.diagnostics as measure
from jaxsmooth.interop import from_callable
from tests.bad_input.sampling import HALVES
from tests.bad_input.values import (
    CERTIFICATES,
    GAUSSIAN,
    KEY,
    LABELS,
    SAMPLING,
    TABLE,
    X,
    average,
    classify,
    signs,
    three_classes,
)

FEW = {"n": 20, "n0": 5, "alpha": 0.01}
ON_DEVICE, CLASSES = jnp.asarray(X), jnp.asarray(LABELS)
KNN = js.noises.InputDependentGaussian(js.scales.KNNScale(np.concatenate([X, -X, 2 * X]), 0.5, 0.05, k=2))
MESH = jax.make_mesh((8,), ("draws",))
RUNS = {
    "count_votes": lambda path: js.count_votes(**SAMPLING, n=20),
    "count_votes on a mesh": lambda path: js.count_votes(**SAMPLING, n=20, mesh=MESH),
    "certify": lambda path: js.certify(**SAMPLING, **FEW),
    "certify twice, with a ledger": lambda path: [js.certify(**SAMPLING, **FEW, ledger=path) for _ in range(2)],
    "certify from the device": lambda path: js.certify(KEY, classify, GAUSSIAN, ON_DEVICE, **FEW),
    "certify a callable": lambda path: js.certify(KEY, from_callable(lambda b: b[:, :2], 2), GAUSSIAN, X, **FEW),
    "certify with a scale": lambda path: js.certify(KEY, classify, KNN, X, **FEW),
    "certify_curve": lambda path: js.certify_curve(**SAMPLING, radii=[0.1], n_max=100, alpha=0.01, ledger=path),
    "certify_adaptive": lambda path: js.certify_adaptive(**SAMPLING, n_max=200, alpha=0.01, ledger=path),
    "predict": lambda path: js.predict(**SAMPLING, n=20, alpha=0.01, ledger=path),
    "certify_batch": lambda path: js.certify_batch(**SAMPLING, table=TABLE, n0=5),
    "certify_stream": lambda path: list(js.certify_stream(KEY, classify, GAUSSIAN, [X, X], js.designs.Fixed(**FEW))),
    "certify_stream, a curve": lambda path: list(
        js.certify_stream(KEY, classify, GAUSSIAN, [(X, LABELS)], js.designs.Curve([0.1], n_max=100, alpha=0.01))
    ),
    "recertify": lambda path: [
        js.certify(**SAMPLING, **FEW, ledger=path),
        js.recertify(path, GAUSSIAN, js.designs.Fixed(**FEW)),
        js.recertify(path, GAUSSIAN, js.designs.Curve([0.1], n_max=25, alpha=0.01)),
        js.ledger.read(path).image_ids,
    ],
    "certify_top_k": lambda path: js.certify_top_k(KEY, three_classes, GAUSSIAN, X, LABELS, k=2, n=50, alpha=0.01),
    "certify_outputs": lambda path: js.certify_outputs(KEY, signs, GAUSSIAN, X, tau=0.6, n=60, ledger=path),
    "certify_values": lambda path: js.certify_values(KEY, average, GAUSSIAN, X, 0.1, edges="pilot", n=60, alpha=0.1),
    "certify_exact": lambda path: js.certify_exact(classify, js.noises.Splits(0.5, step=1 / 4), HALVES, ledger=path),
    "attack": lambda path: js.diagnostics.attack(
        **SAMPLING, certificates=CERTIFICATES, steps=1, draws=2, tries=1, n=200
    ),
    "check_classifier": lambda path: js.check_classifier(**SAMPLING),
    "Consistency": lambda path: js.objectives.Consistency(1.0, 0.5)(KEY, classify, GAUSSIAN, ON_DEVICE, CLASSES),
    "MACER": lambda path: js.objectives.MACER(num_samples=2)(KEY, classify, GAUSSIAN, ON_DEVICE, CLASSES),
}


# By default those that run nothing else of this table.
SLOW = {
    "votes_over_sigma": lambda path: measure.votes_over_sigma(KEY, classify, X, [0.2, 0.4], 8),
    "radius_over_sigma": lambda path: measure.radius_over_sigma(KEY, classify, X, [0.2, 0.4], 20, alpha=0.01),
    "classwise_over_sigma": lambda path: measure.classwise_over_sigma(KEY, classify, X, LABELS, [0.2], 8),
    "sigma_grid": lambda path: measure.sigma_grid(lambda key, alpha: classify, (X, LABELS), [0.1], [0.2], [0], 8),
    "region_shrinkage": lambda path: measure.region_shrinkage(
        KEY, classify, X[:1], LABELS[:1], X[1:3], 0.2, t_max=1.0, steps=2, n=8
    ),
    "plot_decision_regions": lambda path: measure.plot_decision_regions(
        KEY, jax.tree_util.Partial(jnp.sin), 0.2, extent=(-1, 1, -1, 1), n=8, resolution=4
    ),
}
RUNS |= SLOW | {
    "interference_distance": lambda path: measure.interference_distance(ON_DEVICE, CLASSES),
    "component_gap": lambda path: measure.component_gap(ON_DEVICE),
    "cone_rate_mc": lambda path: measure.cone_rate_mc(KEY, 0.8, 6, 200),
    "grid_risk": lambda path: measure.grid_risk(measure.ball_field(KEY, 3, 1, 40, trials=100), 0.0, 2.0),
    "kde_augmented_classifier": lambda path: measure.kde_augmented_classifier(X, LABELS, 0.1),
}


def disallowed():
    try:
        jnp.add(jnp.zeros(3), 1.5)
    except Exception:
        return True
    return False


@pytest.mark.parametrize("run", [pytest.param(run, marks=[pytest.mark.slow] * (run in SLOW)) for run in RUNS])
def test_runs_inside_a_transfer_guard(run, tmp_path):
    with jax.transfer_guard("disallow"):
        RUNS[run](tmp_path / "votes.jsonl")
        assert disallowed()


def test_a_training_of_the_users_is_not_let_off():
    train = lambda key, alpha: [jnp.zeros(3) + 1.5, classify][1]
    with jax.transfer_guard("disallow"), pytest.raises(Exception, match="Disallowed host-to-device transfer"):
        measure.sigma_grid(train, (X, LABELS), [0.1], [0.2], [0], 8)


def test_a_stream_leaves_the_guard_to_the_user_between_its_batches():
    with jax.transfer_guard("disallow"):
        stream = js.certify_stream(KEY, classify, GAUSSIAN, [X, X, X], js.designs.Fixed(**FEW))
        for _ in range(2):
            next(stream)
            assert disallowed()
    assert len(list(stream)) == 1
