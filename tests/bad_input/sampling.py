"""The verbs, and what else draws votes or reads them."""

import numpy as np

import jaxsmooth as js
from tests.bad_input.values import (
    AT_LEAST_0,
    BAD_SAMPLING,
    CERTIFICATES,
    CLASSIFIERS,
    CURVE,
    GAUSSIAN,
    HUGE,
    IMAGES,
    INTEGER,
    KEY,
    KEYS,
    LABEL,
    LABELS,
    MESH,
    NAN,
    NEW,
    NOISES,
    NORM,
    OPTIONAL_INTEGER,
    PATH,
    PLACES,
    RECORDED,
    RUN,
    SAMPLING,
    SHARE,
    TABLE,
    TABLE_OF_VOTES,
    VOTES,
    Row,
    X,
    average,
    classify,
    consume,
    signs,
    three_classes,
)

HALVES = np.array([[0.0, 0.5, 1.0, 0.25], [0.5, 0.5, 0.0, 1.0]], np.float32)
FLAG = (None, 1, "yes", 0.5)
TOP_K = {"share": SHARE, "subsets": ("some", None, 1), "joint": FLAG}
OUTPUTS = {
    "tau": (0.4, 1, NAN, "0.6", True),
    "n": (*INTEGER, HUGE),
    "n0": (*INTEGER, HUGE),
    "alpha": SHARE,
    "method": ("hochberg", None, 1),
    "k": (*INTEGER, 2),
    "family": ("batch", None, 1),
    "mask": (1.0, "mask", [1, 0], np.ones(4), True),
    "norm": NORM,
}
VALUES = {
    "radius": (*AT_LEAST_0, [], [[0.1]], [0.1, -1]),
    "edges": (None, 3, "ab", [], [1.0, 1.0], [1.0, 0.0], [NAN], [[0.0, 1.0]]),
    "quantile": SHARE,
    "n": (*INTEGER, HUGE),
    "alpha": SHARE,
    "simultaneous": FLAG,
    "norm": NORM,
}
DESIGNS = {
    "Fixed": Row(
        js.designs.Fixed,
        {"n": 20, "n0": 5, "alpha": 0.01},
        {
            "n": (*INTEGER, 5, HUGE),
            "n0": (*INTEGER, HUGE),
            "alpha": SHARE,
            "norm": NORM,
            "runner_up": ("bound", None, 1),
        },
    ),
    "Curve": Row(
        js.designs.Curve,
        {"radii": [0.1, 0.2], "n_max": 100, "alpha": 0.01},
        # Which radii are out of reach is known when the noise is.
        {"radii": [v for v in CURVE if v != [0.1, 50.0]], "n_max": (*INTEGER, HUGE), "alpha": SHARE, "norm": NORM},
    ),
    "Adaptive": Row(
        js.designs.Adaptive,
        {"n_max": 200, "alpha": 0.01, "n0": 5},
        {"n_max": (*INTEGER, HUGE), "n0": (*INTEGER, HUGE), "alpha": SHARE, "norm": NORM},
    ),
    "TopK": Row(
        js.designs.TopK,
        {"k": 2, "n": 50, "n0": 5, "alpha": 0.01},
        {"k": INTEGER, "n": (*INTEGER, HUGE), "n0": (*INTEGER, HUGE), "alpha": SHARE, "norm": NORM, **TOP_K},
    ),
    "Outputs": Row(js.designs.Outputs, {"tau": 0.6, "n": 60, "alpha": 0.01}, OUTPUTS),
    "Values": Row(js.designs.Values, {"radius": 0.1, "edges": [0.0, 1.0], "n": 60, "alpha": 0.01}, VALUES),
    "Predict": Row(js.designs.Predict, {"n": 20, "alpha": 0.01}, {"n": (*INTEGER, 5, HUGE), "alpha": SHARE}),
}
VERBS = {
    "count_votes": Row(
        js.count_votes,
        {**SAMPLING, "n": 20},
        {**BAD_SAMPLING, **PLACES, "n": (*INTEGER, HUGE), "first": (-1, 0.5, "0", None, True, HUGE)},
    ),
    "certify": Row(
        js.certify,
        {**SAMPLING, "n": 20, "n0": 5, "alpha": 0.01},
        {
            **RUN,
            "n": (*INTEGER, 5, HUGE),
            "n0": (*INTEGER, HUGE),
            "alpha": SHARE,
            "norm": NORM,
            "runner_up": ("bound", None, 1),
        },
    ),
    "certify_exact": Row(
        js.certify_exact,
        {"classify": classify, "noise": js.noises.Splits(0.5, step=1 / 4), "x": HALVES},
        {
            **{name: values for name, values in RUN.items() if name not in ("key", "noise", "x")},
            "noise": (*NOISES, GAUSSIAN, np.float64(0.5)),
            "x": (*(value for value in IMAGES if getattr(value, "dtype", None) != np.uint8), HALVES - 1, HALVES + 0.1),
            "norm": (*NORM, 2, np.inf),
            "lattice": (None, 1, "no"),
            "margin": AT_LEAST_0,
        },
    ),
    "with_margin": Row(
        js.with_margin, {"classify": classify, "margin": 0.1}, {"classify": (None, 3, "f"), "margin": AT_LEAST_0}
    ),
    "certify_curve": Row(
        js.certify_curve,
        {**SAMPLING, "radii": [0.1, 0.2], "n_max": 100, "alpha": 0.01, "labels": LABELS},
        {**RUN, "radii": CURVE, "n_max": (*INTEGER, 5, HUGE), "alpha": SHARE, "norm": NORM, "labels": LABEL},
    ),
    "certify_adaptive": Row(
        js.certify_adaptive,
        {**SAMPLING, "n_max": 200, "alpha": 0.01, "n0": 5},
        {**RUN, "n_max": (*INTEGER, 5, HUGE), "n0": (*INTEGER, HUGE), "alpha": SHARE, "norm": NORM, "labels": LABEL},
    ),
    "certify_top_k": Row(
        js.certify_top_k,
        {**SAMPLING, "classify": three_classes, "labels": LABELS, "k": 2, "n": 50, "alpha": 0.01},
        {
            **RUN,
            "noise": (*NOISES, js.noises.Laplace(0.5)),
            "labels": LABEL,
            "k": (*INTEGER, 3, 9),
            "n": (*INTEGER, 3, HUGE),
            "n0": (*INTEGER, HUGE),
            "alpha": SHARE,
            "norm": NORM,
            **TOP_K,
        },
    ),
    "certify_outputs": Row(
        js.certify_outputs,
        {**SAMPLING, "classify": signs, "tau": 0.6, "n": 60, "alpha": 0.01},
        {
            **RUN,
            **OUTPUTS,
            "classify": (*CLASSIFIERS, lambda x: signs(x)[..., :1], classify),
            "n": (*INTEGER, 5, HUGE),
            "mask": (*OUTPUTS["mask"], np.ones((3, 4), bool)[:, :3], np.ones(3, bool)),
        },
    ),
    "certify_values": Row(
        js.certify_values,
        {
            "key": KEY,
            "predict": average,
            "noise": GAUSSIAN,
            "x": X,
            "radius": 0.1,
            "edges": [0.0],
            "n": 60,
            "alpha": 0.01,
        },
        {
            **{name: bad for name, bad in RUN.items() if name != "classify"},
            **VALUES,
            "predict": (None, 3, "model", lambda x: x[:, :, None], lambda x: (x, x), lambda x: x.astype(complex)[:, 0]),
            "noise": (*NOISES, js.noises.Laplace(0.5)),
        },
    ),
    "predict": Row(js.predict, {**SAMPLING, "n": 20, "alpha": 0.01}, {**RUN, "n": (*INTEGER, 5, HUGE), "alpha": SHARE}),
    "certify_batch": Row(
        js.certify_batch,
        {**SAMPLING, "table": TABLE, "n0": 5},
        {
            **BAD_SAMPLING,
            "n0": (*INTEGER, HUGE),
            "batch_size": OPTIONAL_INTEGER,
            "table": (None, 1.0, "table", TABLE[:1], TABLE[None], TABLE.astype(np.float16), np.arange(20)),
        },
    ),
    "certify_stream": Row(
        consume(js.certify_stream),
        {
            "key": KEY,
            "classify": classify,
            "noise": GAUSSIAN,
            "batches": [(X, LABELS)],
            "design": js.designs.Curve([0.1, 0.2], n_max=100, alpha=0.01),
        },
        {
            "key": KEYS,
            "classify": CLASSIFIERS,
            "noise": NOISES,
            "batches": (
                None,
                3,
                [],
                [(X, [0])],
                [(X, [0, 9])],
                [(X, [0.0, 1.0])],
                [(X, LABELS), X],
                [(X, LABELS, 0)],
                [np.zeros(4)],
                [X, X[:, :3]],
            ),
            "design": (None, 3, js.designs.Fixed),
            "batch_size": OPTIONAL_INTEGER,
            "mesh": MESH,
            "ledger": PATH,
        },
    ),
    "recertify": Row(
        js.recertify,
        {
            "ledger": RECORDED,
            "noise": GAUSSIAN,
            "design": js.designs.Curve([0.1], n_max=25, alpha=0.01),
            "labels": LABELS,
        },
        {
            "ledger": (None, 3, NEW),
            "noise": (*NOISES, js.noises.Gaussian(0.25)),
            "design": (None, 3, js.designs.Curve),
            "labels": LABEL,
        },
    ),
    "certificates": Row(
        js.certificates,
        {"selection": TABLE_OF_VOTES, "votes": TABLE_OF_VOTES, "noise": GAUSSIAN, "dim": 4},
        {
            "selection": VOTES,
            "votes": VOTES,
            "noise": NOISES,
            "dim": INTEGER,
            "alpha": SHARE,
            "norm": NORM,
            "runner_up": ("bound", None),
        },
    ),
    "concatenate": Row(
        js.concatenate, {"certificates": [CERTIFICATES]}, {"certificates": (None, 3, [], [X], "certificates")}
    ),
    "measure_throughput": Row(
        js.measure_throughput, SAMPLING, {**BAD_SAMPLING, "batch_size": OPTIONAL_INTEGER, "mesh": MESH}
    ),
    "check_classifier": Row(js.check_classifier, SAMPLING, BAD_SAMPLING),
    "self_check": Row(js.self_check, {}, {"mesh": MESH}),
    "ledger.read": Row(js.ledger.read, {"path": RECORDED}, {"path": (None, 3, NEW, ["a"])}),
    "ledger.merge": Row(
        js.ledger.merge,
        {"paths": [RECORDED], "into": NEW},
        {"paths": (None, 3, [], "votes", [3]), "into": (None, 3, RECORDED)},
    ),
}
