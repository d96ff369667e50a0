"""Losses and objectives."""

import jax.numpy as jnp
import numpy as np

import jaxsmooth as js
from tests.bad_input.values import (
    CLASS,
    CLASSES,
    GAUSSIAN,
    IMAGES,
    INTEGER,
    KEY,
    KEYS,
    LABELS,
    LOGIT,
    LOGITS,
    NAN,
    NOISES,
    NORM,
    SHARE,
    WEIGHT,
    Row,
    X,
)

LOSS, BAD_LOSS = {"logits": LOGITS, "labels": CLASSES}, {"logits": LOGIT, "labels": CLASS}
TARGET = (None, 1.0, "t", np.zeros((2, 4), np.float32), np.zeros((3, 4), np.int32))
LOSSES = {
    "gaussian_cross_entropy": Row(js.losses.gaussian_cross_entropy, LOSS, BAD_LOSS),
    "soft_smoothed_nll": Row(js.losses.soft_smoothed_nll, LOSS, BAD_LOSS),
    "log_mean_softmax": Row(js.losses.log_mean_softmax, {"logits": LOGITS}, {"logits": LOGIT}),
    "consistency_kl": Row(js.losses.consistency_kl, {"logits": LOGITS}, {"logits": LOGIT}),
    "mean_entropy": Row(js.losses.mean_entropy, {"logits": LOGITS}, {"logits": LOGIT}),
    "consistency": Row(
        js.losses.consistency,
        {**LOSS, "lam": 1.0},
        {"logits": (*LOGIT, LOGITS[:1]), "labels": CLASS, "lam": WEIGHT, "eta": WEIGHT, "kind": ("js", None, 1)},
    ),
    "stability": Row(
        js.losses.stability,
        {**LOSS, "clean_logits": LOGITS[0], "lam": 1.0},
        {**BAD_LOSS, "clean_logits": TARGET, "lam": WEIGHT},
    ),
    "noisy_stability": Row(
        js.losses.noisy_stability,
        {**LOSS, "lam": 1.0},
        {"logits": (*LOGIT, LOGITS[:1]), "labels": CLASS, "lam": WEIGHT},
    ),
    "macer": Row(
        js.losses.macer,
        {**LOSS, "sigma": 0.5, "lam": 1.0},
        {**BAD_LOSS, "sigma": WEIGHT, "lam": WEIGHT, "beta": WEIGHT, "gamma": WEIGHT},
    ),
    "macer_margin": Row(js.losses.macer_margin, LOSS, {**BAD_LOSS, "beta": WEIGHT, "gamma": WEIGHT}),
    "mixup_kl": Row(js.losses.mixup_kl, {"logits": LOGITS, "target": LOGITS[0]}, {"logits": LOGIT, "target": TARGET}),
    "worst_kl": Row(js.losses.worst_kl, {"logits": LOGITS, "target": LOGITS[0]}, {"logits": LOGIT, "target": TARGET}),
    "lowest_cross_entropy": Row(
        js.losses.lowest_cross_entropy,
        {**LOSS, "count": np.array([1, 1, 1])},
        {**BAD_LOSS, "count": ([0.5, 1, 1], [1, 1], "abc", None, [True, False, True])},
    ),
}

LAM, COPIES = (-1.0, NAN, float("inf"), "1", None, True), INTEGER
apply = lambda batch: batch @ jnp.eye(4, 3)
STEP = {"key": KEY, "apply": apply, "noise": GAUSSIAN, "x": X, "labels": LABELS}
BAD_STEP = {
    "key": KEYS,
    "apply": (None, 3, lambda x: x.sum(-1), lambda x: (x, x), lambda x: x[:1]),
    "noise": NOISES,
    "x": IMAGES,
    "labels": (
        None,
        3,
        "ab",
        np.array([0.0, 1.0]),
        np.array([0]),
        np.array([[0, 1]]),
        np.array([0, 9]),
        np.array([-1, 0]),
        np.array([True, False]),
    ),
}
ATTACK = {
    "apply": apply,
    "x": X,
    "labels": LABELS,
    "delta": np.zeros((2, 1, 4), np.float32),
    "epsilon": 0.5,
    "steps": 1,
}
BAD_ATTACK = {
    "apply": (None, 3),
    "x": IMAGES,
    "delta": (None, "d", np.zeros((2, 4)), np.zeros((3, 1, 4)), np.zeros((2, 1, 4), int)),
    "labels": BAD_STEP["labels"],
    "epsilon": (-1.0, NAN, "1", None),
    "steps": INTEGER,
}
OBJECTIVES = {
    "GaussianAugmentation": Row(js.objectives.GaussianAugmentation, {}, {"num_samples": COPIES}),
    "Stability": Row(
        js.objectives.Stability,
        {},
        {"lam": LAM, "num_samples": tuple(c for c in COPIES if c is not None), "kind": ("noisy", None)},
    ),
    "Consistency": Row(
        js.objectives.Consistency, {}, {"lam": LAM, "eta": LAM, "num_samples": (*COPIES, 1), "kind": ("js", None)}
    ),
    "MACER": Row(js.objectives.MACER, {}, {"lam": LAM, "gamma": LAM, "beta": LAM, "num_samples": COPIES}),
    "SmoothAdv": Row(
        js.objectives.SmoothAdv,
        {},
        {
            "epsilon": LAM,
            "steps": COPIES,
            "norm": NORM,
            "attack": ("fgsm", None),
            "objective": (None, 3),
            "box": (3, (1.0, 0.0), "ab", (0.0,)),
        },
    ),
    "SmoothMix": Row(
        js.objectives.SmoothMix,
        {},
        {
            "eta": LAM,
            "steps": COPIES,
            "step_size": LAM,
            "warmup": LAM,
            "num_samples": COPIES,
            "norm": NORM,
            "box": (3, (1.0, 0.0), "ab", (0.0,)),
        },
    ),
    "CatRS": Row(
        js.objectives.CatRS,
        {},
        {"lam": LAM, "epsilon": LAM, "steps": COPIES, "num_samples": COPIES, "confidence": ("x", None)},
    ),
    "Ramp": Row(js.objectives.Ramp, {"value": 1.0, "steps": 10}, {"value": LAM, "steps": INTEGER, "first": LAM}),
    "Deferred": Row(
        js.objectives.Deferred, {"value": 1.0, "start": 10}, {"value": LAM, "start": (-1, 2.5, "10", True, None)}
    ),
    "GaussianAugmentation.__call__": Row(js.objectives.GaussianAugmentation(), STEP, BAD_STEP),
    "Consistency.__call__": Row(js.objectives.Consistency(), STEP, BAD_STEP),
    "CatRS.__call__": Row(
        js.objectives.CatRS(),
        {**STEP, "targets": np.full((2, 3), 1 / 3)},
        {
            "targets": (
                *(None, 3, "ab", np.zeros(2), np.zeros((3, 3)), np.full((2, 4), 1 / 4)),
                # votes, scores, NaN: no probabilities
                *(np.full((2, 3), 5), np.array([[2.0, -1.0, 0.0]] * 2), np.full((2, 3), NAN)),
            )
        },
    ),
    "class_collapse": Row(
        js.objectives.class_collapse,
        {"predicted": [5, 5], "labelled": [5, 5]},
        {
            "predicted": ([5], [-1, 5], [NAN, 1], "ab", 5, None),
            "labelled": ([5], [-1, 5], "ab", None),
            "fraction": SHARE,
        },
    ),
    "frequencies": Row(
        js.objectives.frequencies,
        {"votes": js.Votes(np.ones((2, 3), int), np.zeros(2, int))},
        {"votes": (None, 3, np.ones((2, 3)))},
    ),
    "preset": Row(
        js.objectives.preset,
        {"method": "macer", "dataset": "mnist", "sigma": 0.25, "steps_per_epoch": 10},
        {"method": ("x", None, ["a"]), "dataset": ("x", None), "sigma": (0.3, None, "a"), "steps_per_epoch": INTEGER},
    ),
    "smooth_pgd": Row(js.objectives.smooth_pgd, ATTACK, {**BAD_ATTACK, "norm": NORM, "box": (3, (1.0, 0.0), "ab")}),
    "smooth_ddn": Row(
        js.objectives.smooth_ddn,
        {**ATTACK, "steps": 2},
        {**BAD_ATTACK, "box": (3, (1.0, 0.0), "ab"), "levels": (1, 2.5, "a"), "steps": (1, 0, 2.5, "a")},
    ),
}
