"""Radii and bounds."""

import jaxsmooth as js
from tests.bad_input.values import (
    AT_LEAST_0,
    COUNTS,
    GAUSSIAN,
    HUGE,
    INTEGER,
    NAN,
    NORM,
    OPTIONAL_INTEGER,
    POSITIVE,
    PROBABILITY,
    SHARE,
    TESTS,
    Row,
)

P, RHO = {"p_lower": PROBABILITY}, {"sigma": 0.5, "rate": 0.01, "dim": 4}
BAD_RHO = {"sigma": POSITIVE, "rate": AT_LEAST_0, "dim": INTEGER}
NOISE_AT = {"noise": GAUSSIAN, "norm": 2, "dim": 4}
BAD_NOISE_AT = {"noise": (None, 0.5, "gaussian", js.noises.Gaussian), "norm": NORM, "dim": OPTIONAL_INTEGER}
RADIUS_RULES = {
    "certified_radius": Row(
        js.certified_radius,
        {**NOISE_AT, "p_lower": 0.9},
        {**BAD_NOISE_AT, "p_lower": (*PROBABILITY, 1.0), "p_upper": PROBABILITY[:4]},
    ),
    "explain_radius": Row(js.radii.explain_radius, {**NOISE_AT, "p_lower": 0.9}, {**BAD_NOISE_AT, **P}),
    "published_radius": Row(js.radii.published_radius, {**NOISE_AT, "p_lower": 0.9}, {**BAD_NOISE_AT, **P}),
    "required_probability": Row(
        js.required_probability, {**NOISE_AT, "radius": 0.5}, {**BAD_NOISE_AT, "radius": AT_LEAST_0}
    ),
    "radius_table": Row(
        js.radius_table,
        {**NOISE_AT, "n": 20, "alpha": 0.01},
        {**BAD_NOISE_AT, "n": (*INTEGER, 5, HUGE), "alpha": SHARE},
    ),
    "top_k_radius": Row(
        js.radii.top_k_radius,
        {"p_lower": [0.5, 0.6], "sums_upper": [[0.1, 0.2], [0.1, 0.3]], "sigma": 0.5},
        {
            "p_lower": (*PROBABILITY, 0.5, [0.5, 1.5]),
            "sums_upper": (0.1, [0.1, 0.2], [[0.1, 2.0], [0.1, 0.2]], "ab", None),
            "sigma": POSITIVE,
            "total_variation": PROBABILITY,
        },
    ),
    "sampling_cap": Row(
        js.radii.sampling_cap, {**NOISE_AT, "n": 20, "alpha": 0.01}, {**BAD_NOISE_AT, "n": INTEGER, "alpha": SHARE}
    ),
    "chebyshev_cap": Row(
        js.radii.chebyshev_cap,
        {"p_lower": 0.9, "sigma": 1.0, "dim": 4},
        {**P, "sigma": POSITIVE, "norm": NORM, "dim": OPTIONAL_INTEGER},
    ),
    "gauss_cap": Row(
        js.radii.gauss_cap,
        {"p_lower": 0.9, "sigma": 1.0, "dim": 4},
        {**P, "sigma": POSITIVE, "norm": NORM, "dim": OPTIONAL_INTEGER},
    ),
    "limit_scale": Row(js.radii.limit_scale, {"norm": 2, "dim": 4}, {"norm": (0, "2", None, NAN), "dim": INTEGER}),
    "rules_for": Row(
        js.radii.rules_for, {"noise": GAUSSIAN, "norm": 2}, {"noise": (None, 0.5, "gaussian"), "norm": NORM}
    ),
    "radius_rule": Row(
        js.radii.radius_rule,
        {"noise_type": js.noises.Gaussian, "norm": 2, "source": "ours"},
        {"norm": NORM, "noise_type": (GAUSSIAN, None, "gaussian")},
    ),
    "convert_norm": Row(
        js.radii.convert_norm,
        {"noise_type": js.noises.Gaussian, "name": "cohen_2019", "norm": 2, "to": 1},
        {"norm": NORM, "to": NORM, "name": ("missing", 3), "noise_type": (None, 3)},
    ),
    "semi_elastic_radius": Row(
        js.radii.semi_elastic_radius,
        {**RHO, "p_lower": 0.9},
        {**BAD_RHO, "p_lower": (*PROBABILITY, 1.0), "margin": AT_LEAST_0},
    ),
    "semi_elastic_required_probability": Row(
        js.radii.semi_elastic_required_probability,
        {**RHO, "radius": 0.5},
        {**BAD_RHO, "radius": AT_LEAST_0, "margin": AT_LEAST_0},
    ),
    "semi_elastic_radius_float32": Row(
        js.radii.semi_elastic_radius_float32,
        {**RHO, "tail": 0.1},
        {"dim": INTEGER, "tail": ("x", None), "sigma": ("x", None), "rate": ("x", None), "margin": ("x", None)},
    ),
    "normalised_rate": Row(js.radii.normalised_rate, RHO, BAD_RHO),
    "admissible_ratios": Row(
        js.radii.admissible_ratios, {"p_lower": 0.9, "dim": 4}, {**P, "dim": INTEGER, "distance": AT_LEAST_0}
    ),
    "chernoff_ratios": Row(js.radii.chernoff_ratios, {"p_lower": 0.9, "dim": 4}, {**P, "dim": INTEGER}),
    "simple_ratio": Row(js.radii.simple_ratio, {"p_lower": 0.9, "dim": 4}, {**P, "dim": INTEGER}),
    "rate_radius_ceiling": Row(js.radii.rate_radius_ceiling, {"p_lower": 0.9, "dim": 4}, {**P, "dim": INTEGER}),
    "worst_case_mass": Row(
        js.radii.worst_case_mass,
        {"p_lower": 0.9, "distance": 0.5, "sigma": 0.5, "other_sigma": 0.6, "dim": 4},
        {**P, "distance": AT_LEAST_0, "sigma": POSITIVE, "other_sigma": POSITIVE, "dim": INTEGER},
    ),
    "ScoreLaw": Row(
        js.radii.ScoreLaw,
        {"level": [1.0], "probability": [0.1], "growth": [0.2]},
        {"level": ([1.0, 2.0], ["a"])},
    ),
}

A = {"alpha": SHARE}
K_OF_N = {"successes": ([0.5], -1, 99, "3", None, True), "trials": ([0.5], 0, -1, "3", None, True)}
LOOKS = {"look": (-9, 99, 0.5, "0", None, True)}
BOUNDS = {
    "clopper_pearson_lower": Row(
        js.bounds.clopper_pearson_lower, {"successes": 9, "trials": 10, "alpha": 0.01}, {**K_OF_N, **A}
    ),
    "clopper_pearson_upper": Row(
        js.bounds.clopper_pearson_upper, {"successes": 9, "trials": 10, "alpha": 0.01}, {**K_OF_N, **A}
    ),
    "anytime_lower": Row(
        js.bounds.anytime_lower, {"successes": 9, "trials": 10, "alpha": 0.01}, {**K_OF_N, "alpha": (*SHARE, 0.7)}
    ),
    "anytime_threshold": Row(
        js.bounds.anytime_threshold,
        {"trials": 10, "null": 0.5, "alpha": 0.01},
        {"trials": K_OF_N["trials"], "null": (0, 1, NAN, "0.5", None), **A},
    ),
    "mixture_log_e_value": Row(
        js.bounds.mixture_log_e_value,
        {"successes": 9, "trials": 10, "null": 0.5},
        {**K_OF_N, "null": (0, 1, NAN, "0.5", None)},
    ),
    "crossing_probability": Row(
        js.bounds.crossing_probability,
        {"p": 0.5, "looks": [1, 2], "upper": [1, 2]},
        {
            "p": PROBABILITY,
            "looks": ([], [2, 1], [0, 1], [0.5, 1], "ab", 3, None),
            "upper": ([1], [0.5, 1], "ab", 3, None),
            "lower": ([1], [0.5, 1]),
        },
    ),
    "leader_p_value": Row(
        js.bounds.leader_p_value,
        {"leader": 9, "second": 3},
        {"leader": (-1, 2.5, "9", None, True), "second": (-1, 2.5, "9", None, True, 11)},
    ),
    "top_k_bounds": Row(
        js.bounds.top_k_bounds,
        {"counts": [[6, 2, 1]], "label": [0], "trials": 10, "alpha": 0.01, "k": 2},
        {
            "counts": ([6, 2], [[0.5, 1, 2]], [[60, 2, 1]], [[-1, 2, 3]], "ab"),
            "label": ([0, 1], [9], [-1], [0.5], "a", None, 0),
            "trials": (0, 2.5, "10", None, True),
            **A,
            "k": (*INTEGER, 3, 4),
            "share": SHARE,
            "subsets": ("some", None, 1),
            "invalid": (-1, 2, 0.5, "1", None, True),
        },
    ),
    "holm": Row(js.bounds.holm, {"p": [0.1, 0.2], "alpha": 0.05}, {"p": (*PROBABILITY, [0.1, 2.0], 0.5), **A}),
    "k_fwer": Row(
        js.bounds.k_fwer,
        {"p": [0.1, 0.2], "alpha": 0.05, "k": 2},
        {"p": (*PROBABILITY, [0.1, 2.0], 0.5), **A, "k": INTEGER},
    ),
    "quantile_indices": Row(
        js.bounds.quantile_indices,
        {"n": 20, "q_lower": 0.4, "q_upper": 0.6, "alpha": 0.05},
        {"n": (0, 2.5, "10", None, True), "q_lower": PROBABILITY, "q_upper": PROBABILITY, **A},
    ),
    "runner_up_bounds": Row(
        js.bounds.runner_up_bounds,
        {"counts": [[6, 2, 1]], "top": [0], "trials": 10, "alpha": 0.01},
        {
            "counts": ([6, 2], [[6]], [[0.5, 1]], [[60, 2]], [[-1, 2]], "ab"),
            "top": ([0, 1], [9], [-1], [0.5], "a", None, 0),
            "trials": (0, 2.5, "10", None, True),
            **A,
            "share": SHARE,
            "invalid": (-1, 2, 0.5, "1", None, True),
        },
    ),
    "GroupSequential": Row(
        js.bounds.GroupSequential,
        {"n_max": 100, "alpha": 0.01},
        {
            "n_max": (*INTEGER, 5),
            **A,
            "first_look": INTEGER,
            "ratio": (1.0, 0, NAN, float("inf"), "2", None),
            "last_share": SHARE,
        },
    ),
    "GroupSequential.thresholds": Row(TESTS.thresholds, {"p": [0.5]}, {"p": (-0.1, 1.1, NAN, "0.5", None, [[0.5]])}),
    "GroupSequential.lower_bound": Row(TESTS.lower_bound, {"look": 0, "counts": 60}, {**LOOKS, "counts": COUNTS}),
    "GroupSequential.crossing_probability": Row(
        TESTS.crossing_probability, {"p": 0.5}, {"p": PROBABILITY, "null": PROBABILITY[:4]}
    ),
    "GroupSequential.required_n_max": Row(TESTS.required_n_max, {"p": 0.5}, {"p": (*PROBABILITY, 1.0)}),
    "CurvePlan": Row(
        js.bounds.CurvePlan,
        {"tests": TESTS, "p": [0.5, 0.6]},
        {"p": ([], [0.6, 0.5], [NAN], "0.5", None, 0.5, [1.0]), "tests": (None, 3)},
    ),
    "CurvePlan.decide": Row(
        js.bounds.CurvePlan(TESTS, [0.5]).decide,
        {"look": 0, "counts": [60], "certified": [0]},
        {**LOOKS, "counts": ([0.5], [-1], [99], "a", None), "certified": ([0.5], [-1], [9])},
    ),
    "curve_tests": Row(js.bounds.curve_tests, {"n_max": 200, "alpha": 0.01}, {"n_max": (*INTEGER, 5), **A}),
    "calibrated_thresholds": Row(
        js.bounds.calibrated_thresholds,
        {"tests": TESTS, "p": [0.5]},
        {"tests": (None, 3), "p": (-0.1, 1.1, NAN, "0.5", None, [[0.5]])},
    ),
    "adaptive_tests": Row(js.bounds.adaptive_tests, {"n_max": 200, "alpha": 0.01}, {"n_max": (*INTEGER, 5), **A}),
    "AdaptivePlan": Row(
        js.bounds.AdaptivePlan,
        {"tests": TESTS, "p": [0.5, 0.6]},
        {"p": ([], [0.6, 0.5], [NAN], "0.5", None, 0.5, [1.0]), "tests": (None, 3), "min_gain": POSITIVE},
    ),
    "AdaptivePlan.decide": Row(
        js.bounds.AdaptivePlan(TESTS, [0.5, 0.6]).decide,
        {"look": 0, "counts": [60], "bound": [0.0]},
        {**LOOKS, "counts": ([0.5], [-1], [99], "a", None)},
    ),
    "PredictPlan": Row(js.bounds.PredictPlan, {"tests": TESTS}, {"min_gain": (0, -1, NAN, "1"), "tests": (None, 3)}),
    "PredictPlan.decide": Row(
        js.bounds.PredictPlan(TESTS).decide,
        {"look": 0, "counts": [[60, 2]]},
        {**LOOKS, "counts": ([60, 2], [[60]], [[0.5, 1]], [[99, 2]], [[-1, 2]], None)},
    ),
    "ConfidentlyBelow": Row(js.bounds.ConfidentlyBelow, {"beta": 0.01}, {"beta": SHARE}),
    "ConditionalPower": Row(js.bounds.ConditionalPower, {"min_gain": 0.01}, {"min_gain": POSITIVE}),
    "OptimalFutility": Row(js.bounds.OptimalFutility, {"min_gain": 0.01}, {"min_gain": POSITIVE}),
}
