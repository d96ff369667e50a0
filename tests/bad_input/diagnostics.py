"""Diagnostics."""

import numpy as np

import jaxsmooth as js
from tests.bad_input.values import (
    AT_LEAST_0,
    BAD_SAMPLING,
    CERTIFICATES,
    CERTIFIED,
    CLASSIFIERS,
    FUNCTION,
    GRID,
    HALF,
    HUGE,
    IMAGES,
    INTEGER,
    KEY,
    KEYS,
    LABELS,
    MESH,
    NAN,
    NORM,
    OPTIONAL_INTEGER,
    PLACES,
    POSITIVE,
    SAMPLING,
    SHARE,
    Row,
    X,
    classify,
)

D = js.diagnostics
DIM = (0, -1, 2.5, "3", None, NAN, True)
LEVEL = (0, 1, -0.1, NAN, "0.5", None, True)
ANGLE = (0.0, 2.0, -0.1, NAN, "1", None, True)
SIGMAS = ([], [-1.0], [NAN], "0.5", None, [[0.5]])
Y = (None, 3, "ab", [0.0, 1.0], [0], [-1, 0], [[0, 1]], [True, False])
IV = [[-1.0, 1.0]]
BAD_IV = (None, 3, "ab", [1.0, 2.0], [[1.0, -1.0]], [[NAN, 1.0]], [[0, 1, 2]])
TWO = np.array([[0.0, 0.0], [1.0, 1.0], [3.0, 0.0]])
POINTS = (
    None,
    3,
    "ab",
    np.zeros(4, np.float32),
    np.zeros((3, 2), int),
    np.full((3, 2), NAN),
    np.zeros((0, 2), np.float32),
)
NOT_RIGHT = (None, 3, [0.5, 1.0], "ab", True, [True], [True] * 3, [[True], [True, False]])
GAP = D.noise_augmentation_gap(GRID)
CELL = {"R": POSITIVE, "sigma": POSITIVE, "d": DIM}
DIAGNOSTICS = {
    "attack": Row(
        D.attack,
        {**SAMPLING, "certificates": CERTIFICATES, "steps": 1, "draws": 2, "tries": 1, "n": 200, "alpha": 0.1},
        {
            **BAD_SAMPLING,
            **PLACES,
            "certificates": (*CERTIFIED, CERTIFICATES[:1]),
            "norm": (*NORM, 1),
            "steps": INTEGER,
            "draws": INTEGER,
            "tries": INTEGER,
            "n": (*INTEGER, 50, HUGE),
            "alpha": SHARE,
            "clip": ((1.0, 0.0), 3, "box", (0.0,)),
        },
    ),
    "ball_prob": Row(D.ball_prob, {"rho": 0.0, "R": 1.0, "sigma": 0.5, "d": 3}, {"rho": AT_LEAST_0, **CELL}),
    "ball_smoothed_radius": Row(D.ball_smoothed_radius, {"R": 1.0, "sigma": 0.5, "d": 3}, {**CELL, "threshold": LEVEL}),
    "ball_vanishing_sigma": Row(
        D.ball_vanishing_sigma, {"R": 1.0, "d": 3, "threshold": 0.5}, {"R": POSITIVE, "d": DIM, "threshold": LEVEL}
    ),
    "ball_vanishing_bound": Row(
        D.ball_vanishing_bound, {"R": 1.0, "d": 30, "threshold": 0.5}, {"R": POSITIVE, "d": DIM, "threshold": LEVEL}
    ),
    "ball_shrink_onset": Row(
        D.ball_shrink_onset, {"R": 1.0, "d": 3, "threshold": 0.5}, {"R": POSITIVE, "d": DIM, "threshold": LEVEL}
    ),
    "ball_shrinkage_rate": Row(
        D.ball_shrinkage_rate, {"R": 1.0, "sigma": 0.1, "d": 3, "threshold": 0.5}, {**CELL, "threshold": LEVEL}
    ),
    "ball_certified_radius": Row(
        D.ball_certified_radius,
        {"R": 1.0, "sigma": 0.1, "d": 3, "n": 100, "alpha": 0.01},
        {**CELL, "rho": AT_LEAST_0, "n": (0, -1, 2.5, "10", True), "alpha": (0, 1, NAN, "0.1")},
    ),
    "cone_prob": Row(
        D.cone_prob,
        {"depth": 1.0, "theta": 1.0, "sigma": 0.5, "d": 3},
        {"depth": (NAN, "1", None), "theta": ANGLE, "sigma": POSITIVE, "d": DIM},
    ),
    "cone_rate": Row(
        D.cone_rate, {"theta": 1.0, "d": 3, "threshold": 0.5}, {"theta": ANGLE, "d": DIM, "threshold": LEVEL}
    ),
    "cone_rate_bound": Row(
        D.cone_rate_bound, {"theta": 1.0, "d": 3, "threshold": 0.5}, {"theta": ANGLE, "d": DIM, "threshold": LEVEL}
    ),
    "cone_critical_angle": Row(D.cone_critical_angle, {"d": 3, "threshold": 0.5}, {"d": DIM, "threshold": LEVEL}),
    "cone_rate_mc": Row(
        D.cone_rate_mc,
        {"key": KEY, "theta": 1.0, "d": 3, "n": 100},
        {"key": KEYS, "theta": ANGLE, "d": DIM, "n": INTEGER, "threshold": LEVEL, "confidence": SHARE},
    ),
    "interval_risk": Row(
        D.interval_risk,
        {"intervals": IV, "alpha": 0.1, "beta": 0.1},
        {"intervals": BAD_IV, "alpha": AT_LEAST_0, "beta": AT_LEAST_0},
    ),
    "smooth_intervals": Row(
        D.smooth_intervals,
        {"intervals": IV, "sigma": 0.1, "threshold": 0.5},
        {"intervals": BAD_IV, "sigma": (-1.0, NAN, "1", None), "threshold": LEVEL},
    ),
    "closing_sigma": Row(D.closing_sigma, {"gap": 0.5}, {"gap": POSITIVE, "width": POSITIVE}),
    "mixture_bias_1d": Row(
        D.mixture_bias_1d,
        {"a": 2.0, "k": 3.0, "eps": 0.05, "so": 0.5, "st": 0.5},
        {
            "a": (NAN, "1", None),
            "k": (NAN, "1", None),
            "eps": (-0.1, 1.1, NAN, "1", None),
            "so": AT_LEAST_0,
            "st": AT_LEAST_0,
        },
    ),
    "ball_field": Row(
        D.ball_field,
        {"key": KEY, "r": 2, "zeta": 1, "side": 8, "trials": 10},
        {"key": KEYS, "r": POSITIVE, "zeta": AT_LEAST_0, "side": INTEGER, "trials": INTEGER},
    ),
    "grid_risk": Row(
        D.grid_risk,
        {"h": np.eye(3), "alpha": 0.0, "beta": 1.0},
        {
            "h": (None, 1.0, np.zeros(3), np.full((2, 2), 2.0), np.full((2, 2), NAN), "a"),
            "alpha": AT_LEAST_0,
            "beta": AT_LEAST_0,
        },
    ),
    "classwise_accuracy": Row(
        D.classwise_accuracy,
        {"labels": LABELS, "preds": LABELS, "K": 2},
        {"labels": (*Y[:4], *Y[5:]), "preds": Y[:5], "K": (*INTEGER, 1), "alpha": SHARE},
    ),
    "classwise_certified": Row(
        D.classwise_certified,
        {"labels": LABELS, "preds": LABELS, "radii": HALF, "grid": [0.1]},
        {
            "labels": (*Y[:4], *Y[5:]),
            "preds": (*Y[:5], *Y[6:], [[0], [0, 1]]),
            "radii": ([0.5], [-1.0, 1.0], [NAN, 1.0], "a", None),
            "grid": SIGMAS,
            "K": (*OPTIONAL_INTEGER, 1),
        },
    ),
    "classwise_over_sigma": Row(
        D.classwise_over_sigma,
        {"classify": classify, "x": X, "labels": LABELS, "sigmas": [0.5], "n": 4, "key": KEY},
        {
            "classify": CLASSIFIERS,
            "x": IMAGES,
            "labels": Y,
            "sigmas": SIGMAS,
            "n": INTEGER,
            "key": KEYS,
            "batch_size": OPTIONAL_INTEGER,
            "mesh": MESH,
        },
    ),
    "votes_over_sigma": Row(
        D.votes_over_sigma,
        {"key": KEY, "classify": classify, "x": X, "sigmas": [0.5], "n": 4},
        {
            "key": KEYS,
            "classify": CLASSIFIERS,
            "x": IMAGES,
            "sigmas": SIGMAS,
            "n": INTEGER,
            "first": (-1, 0.5, "0"),
            **PLACES,
        },
    ),
    "votes_over_sigma without noise": Row(
        D.votes_over_sigma,
        {"key": KEY, "classify": classify, "x": X, "sigmas": [0.0], "n": 4},
        {
            "key": KEYS,
            "n": INTEGER,
            "first": (-1, 0.5, "0"),
            "image_ids": PLACES["image_ids"],
            "batch_size": OPTIONAL_INTEGER,
        },
    ),
    "radius_over_sigma": Row(
        D.radius_over_sigma,
        {"classify": classify, "x": X, "sigmas": [0.5], "n": 20, "alpha": 0.01, "key": KEY, "n0": 4},
        {
            "classify": CLASSIFIERS,
            "x": IMAGES,
            "sigmas": (*SIGMAS, [0.0]),
            "n": (*INTEGER, 5),
            "alpha": SHARE,
            "key": KEYS,
            "n0": INTEGER,
            "batch_size": OPTIONAL_INTEGER,
            "mesh": MESH,
        },
    ),
    "region_shrinkage": Row(
        D.region_shrinkage,
        {
            "classify": classify,
            "origins": X[:1],
            "classes": 0,
            "directions": X,
            "sigma": 0.5,
            "t_max": 1.0,
            "steps": 2,
            "n": 4,
            "key": KEY,
        },
        {
            "classify": CLASSIFIERS,
            "origins": IMAGES,
            "classes": (None, "a", 0.5, -1, True),
            "directions": (*IMAGES, np.zeros((1, 4), np.float32), np.ones((1, 3), np.float32)),
            "sigma": POSITIVE,
            "t_max": POSITIVE,
            "steps": INTEGER,
            "n": INTEGER,
            "key": KEYS,
            "threshold": LEVEL,
            "batch_size": OPTIONAL_INTEGER,
        },
    ),
    "interference_distance": Row(
        D.interference_distance,
        {"x": TWO, "labels": [0, 1, 1]},
        {"x": POINTS, "labels": (None, 3, [0.0, 1, 1], [0, 1], [0, 0, 0], [-1, 0, 1], "abc"), "chunk": INTEGER},
    ),
    "component_gap": Row(D.component_gap, {"x": TWO}, {"x": POINTS}),
    "kde_augmented_classifier": Row(
        D.kde_augmented_classifier,
        {"x": TWO, "labels": [0, 1, 1], "alpha": 0.5},
        {"x": POINTS, "labels": (None, 3, [0.0, 1, 1], [0, 1], [-1, 0, 1], "abc"), "alpha": AT_LEAST_0},
    ),
    "mcnemar_p_value": Row(
        D.mcnemar_p_value,
        {"first": [True, False], "second": [True, True]},
        {"first": NOT_RIGHT, "second": NOT_RIGHT},
    ),
    "noise_augmentation_gap": Row(
        D.noise_augmentation_gap,
        {"grid": GRID, "resamples": 20},
        {
            "grid": (None, 3, "grid", (0.5, 0.5), np.zeros((2, 2, 2))),
            "validation": (3, [True], "ab"),
            "confidence": SHARE,
            "resamples": INTEGER,
            "seed": INTEGER[1:],
        },
    ),
    "seed_interval": Row(
        D.seed_interval,
        {"values": [0.5, 0.6]},
        {
            "values": ([0.5], 0.5, "ab", None, [0.5, NAN], [0.5, float("inf")]),
            "axis": (1, -2, 0.5, "0", None, True, NAN, (0,)),
            "confidence": SHARE,
        },
    ),
    "sigma_grid": Row(
        D.sigma_grid,
        {
            "train": lambda *a, **k: classify,
            "data": (X, LABELS),
            "alphas": [0.0, 0.5],
            "betas": [0.0, 0.5],
            "seeds": [0],
            "n": 4,
        },
        {
            "train": FUNCTION,
            "data": (
                None,
                3,
                "ab",
                X,
                (X,),
                (X, LABELS, LABELS),
                {"x": X},
                (X[0], LABELS),
                (X, [0]),
                ([[0.0], []], [0]),
            ),
            "alphas": SIGMAS,
            "betas": SIGMAS,
            "seeds": ([], "a", None, 3, 0.5, [0.5], [None], [True], [HUGE]),
            "n": INTEGER,
            "batch_size": OPTIONAL_INTEGER,
        },
    ),
}
