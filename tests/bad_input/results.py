"""Analysis, data sets and other libraries."""

import dataclasses

import flax.linen
import matplotlib.figure
import numpy as np
from flax import nnx

import jaxsmooth as js
from tests.bad_input.values import (
    AT_LEAST_0,
    CERTIFICATES,
    CERTIFIED,
    FUNCTION,
    GAUSSIAN,
    INTEGER,
    LABEL,
    LABELS,
    NAN,
    NEW,
    NORM,
    OPTIONAL_INTEGER,
    RADII,
    SHARE,
    Row,
    X,
    classify,
)

_half = np.full(2, 0.5)
ATTACK = js.diagnostics.Attack(_half, X, LABELS, LABELS, _half, LABELS)
_one = np.ones(1)
MAPS = js.OutputCertificates(
    LABELS[None, [0, 1, 0, 1]], LABELS[None, [0, 1, 0, 1]], np.full((1, 4), 9), _one, 0.5 * _one, _one, 0 * _one, n=10
)
NUMBERS = js.ValueCertificates(0.5 * _one, 0 * _one, _one, _one, radius=0.1, edges=(0.0, 1.0))
SCORED = {"certificates": CERTIFICATES, "labels": LABELS}
SHARE_OR_NONE = tuple(value for value in SHARE if value is not None)
BAD_SCORED = {"certificates": CERTIFIED, "labels": (*LABEL, None)}
ANALYSIS = {
    "certified_accuracy": Row(
        js.analysis.certified_accuracy, {**SCORED, "radii": [0.1]}, {**BAD_SCORED, "radii": RADII}
    ),
    "average_certified_radius": Row(js.analysis.average_certified_radius, SCORED, BAD_SCORED),
    "abstention_rate": Row(js.analysis.abstention_rate, {"certificates": CERTIFICATES}, {"certificates": CERTIFIED}),
    "class_wise_accuracy": Row(
        js.analysis.class_wise_accuracy,
        SCORED,
        {**BAD_SCORED, "radius": (*AT_LEAST_0, [0.1, 0.2]), "num_classes": (*OPTIONAL_INTEGER, 1), "alpha": SHARE},
    ),
    "summary": Row(js.analysis.summary, {**SCORED, "radii": [0.1]}, {**BAD_SCORED, "radii": RADII}),
    "sandwich": Row(
        js.analysis.sandwich,
        {"certificates": CERTIFICATES, "attack": ATTACK, "labels": LABELS},
        {
            "certificates": CERTIFIED,
            "attack": (None, 3, "attack", ATTACK[:1], dataclasses.replace(ATTACK, norm=1.0)),
            "labels": LABEL,
            "radii": [bad for bad in RADII if bad is not None],
        },
    ),
    "output_summary": Row(
        js.analysis.output_summary,
        {"certificates": MAPS, "labels": [[0, 1, 0, 1]]},
        {
            "certificates": CERTIFIED,
            "labels": (None, [0, 1, 0, 1], [[0.0, 1.0, 0.0, 1.0]], [[0, 1, -1, 0]], "ab"),
            "ignore_label": (2.5, "10", True),
            "classes": (1, 2.5, "10", True),
        },
    ),
    "value_summary": Row(
        js.analysis.value_summary,
        {"certificates": NUMBERS, "targets": [0.5]},
        {"certificates": CERTIFIED, "targets": ([0.5, 0.5], "a", ["a"], [[0.5]])},
    ),
    "summary_table": Row(
        js.analysis.summary_table,
        {"runs": {"a": js.analysis.value_summary(NUMBERS)}},
        {"runs": (None, 3, {}, {"a": 3}), "format": ("html", None, 3)},
    ),
    "estimate_curve": Row(
        js.analysis.estimate_curve,
        {"votes": js.Votes(np.array([[9, 1]]), np.array([0])), "labels": [0], "noise": GAUSSIAN, "radii": [0.1]},
        {
            "votes": (None, 3),
            "labels": ([0.5], [0, 1], [9], [-1], "a", None, [True]),
            "noise": (None, 0.5, "gaussian", js.noises.Gaussian),
            "radii": RADII,
            "norm": NORM,
            "dim": OPTIONAL_INTEGER,
        },
    ),
    "write_log": Row(
        js.analysis.write_log,
        {"path": NEW, **SCORED},
        {
            **BAD_SCORED,
            "path": (None, 3),
            "image_ids": ([0.0, 1.0], [0], [-1, 0], "ab", [True, False]),
            "times": ([1.0], [-1.0, 1.0], [NAN, 1.0], ["a", "b"], 3, [None, None]),
        },
    ),
    "paired_difference": Row(
        js.analysis.paired_difference,
        {"first": [0.5, 0.2], "second": [0.1, 0.2]},
        {
            "first": (None, "ab", 0.5, [], [NAN, 1.0], [[[1.0]]]),
            "second": (None, "ab", [0.1], [[0.1, 0.2]], [1.0, NAN]),
            "alpha": SHARE,
            "resamples": (*INTEGER, 99),
            "seed": (-1, 2.5, "10", True, None),
        },
    ),
    "table": Row(
        js.analysis.table,
        {"runs": {"a": (CERTIFICATES, LABELS)}},
        {
            "runs": (None, 3, {}, [3], {"a": CERTIFICATES}, {"a": 3}),
            "radii": tuple(value for value in RADII if value is not None),
            "format": (None, 3, "html"),
            "baseline": (3, "b"),
            "alpha": SHARE,
        },
    ),
    "plot_certified_accuracy": Row(
        lambda **given: js.analysis.plot_certified_accuracy(**{"ax": matplotlib.figure.Figure().subplots(), **given}),
        SCORED,
        {
            **BAD_SCORED,
            "certificates": (*CERTIFIED, {}),
            "radii": ([], *RADII[:2]),
            "alpha": SHARE_OR_NONE,
            "ax": (3, "ax"),
        },
    ),
}

OTHERS = {
    "datasets.load": Row(
        js.datasets.load,
        {"name": "digits", "split": "test[:3]"},
        {
            "name": (None, 3, "", "no such", "absent"),
            "split": (None, 3, "", "validation", "test[:0]"),
            "data_dir": (3, b"a"),
        },
    ),
    "datasets.source": Row(
        js.datasets.source,
        {"name": "digits", "split": "test[:3]"},
        {"name": (None, 3, "", "absent"), "split": (None, 3, "", "validation"), "data_dir": (3,)},
    ),
    "interop.from_linen": Row(
        js.interop.from_linen,
        {"model": flax.linen.Dense(2), "variables": {"params": {}}},
        {
            "model": (None, 3, flax.linen.Dense, classify, nnx.Linear(2, 2, rngs=nnx.Rngs(0))),
            "variables": (None, 3, {"weights": {}}),
        },
    ),
    "interop.from_nnx": Row(
        js.interop.from_nnx,
        {"model": nnx.Linear(2, 2, rngs=nnx.Rngs(0))},
        {"model": (None, 3, nnx.Linear, classify, flax.linen.Dense(2))},
    ),
    "interop.from_callable": Row(
        js.interop.from_callable, {"fn": np.asarray, "num_classes": 2}, {"fn": FUNCTION, "num_classes": (*INTEGER, 1)}
    ),
    "interop.from_callable.__call__": Row(
        lambda fn: js.interop.from_callable(fn, 2)(X),
        {"fn": lambda x: x[:, :2]},
        {"fn": (lambda x: x, lambda x: None, lambda x: "ab", lambda x: x[:1, :2])},
    ),
}
