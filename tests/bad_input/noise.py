"""Noises and scales."""

import numpy as np

import jaxsmooth as js
from tests.bad_input.values import (
    CERTIFIED,
    CONSTANT,
    FUNCTION,
    HALF,
    IMAGES,
    INTEGER,
    NAN,
    NUMBER,
    POSITIVE,
    SCALE,
    Row,
    X,
)

SIGMA = tuple(value for value in POSITIVE if value is not None)  # None stands for any leaf of a pytree
FAMILIES = {
    **{
        name: Row(getattr(js.noises, name), {"sigma": 0.5}, {"sigma": SIGMA})
        for name in ("Gaussian", "Laplace", "Uniform", "UniformBall")
    },
    "ExpInf": Row(
        js.noises.ExpInf, {"sigma": 0.5}, {"sigma": SIGMA, "k": POSITIVE, "j": (-1, NAN, float("inf"), "1", None, True)}
    ),
    "Exp2": Row(
        js.noises.Exp2, {"sigma": 0.5}, {"sigma": SIGMA, "k": POSITIVE, "j": (-1, NAN, float("inf"), "1", None, True)}
    ),
    "Exp1": Row(js.noises.Exp1, {"sigma": 0.5}, {"sigma": SIGMA, "k": POSITIVE}),
    "Expp": Row(js.noises.Expp, {"sigma": 0.5}, {"sigma": SIGMA, "p": POSITIVE}),
    "Pareto": Row(js.noises.Pareto, {"sigma": 0.5}, {"sigma": SIGMA, "a": (*POSITIVE, 2.0)}),
    "Pow2": Row(
        js.noises.Pow2,
        {"sigma": 0.5},
        {"sigma": SIGMA, "k": POSITIVE, "a": tuple(v for v in POSITIVE if v is not None)},
    ),
    "PowInf": Row(js.noises.PowInf, {"sigma": 0.5}, {"sigma": SIGMA, "a": tuple(v for v in POSITIVE if v is not None)}),
    "LatticeGaussian": Row(
        js.noises.LatticeGaussian, {"sigma": 0.5}, {"sigma": (*POSITIVE, 1e-4, 1e4), "step": (*POSITIVE, 0.3, 2.5)}
    ),
    "LatticeUniform": Row(
        js.noises.LatticeUniform, {"sigma": 0.5}, {"sigma": (*POSITIVE, 1e-4, 1e4), "step": (*POSITIVE, 0.3, 2.5)}
    ),
    "Splits": Row(
        js.noises.Splits,
        {"sigma": 0.5},
        {
            "sigma": (*POSITIVE, 1e6),
            "step": (*POSITIVE, 0.3, 2.0),
            "seed": tuple(value for value in INTEGER if not isinstance(value, int) or value is True or value < 0),
            "offsets": ("offsets", [0.5], [-1], [10**6], 0.5),
        },
    ),
    "split_layer": Row(js.noises.split_layer, {"u": X, "lam": 0.5}, {"lam": POSITIVE}),
    "InputDependentGaussian": Row(js.noises.InputDependentGaussian, {"sigma_at": CONSTANT}, {"sigma_at": SCALE}),
    "GaussianAt": Row(js.noises.GaussianAt, {"sigma": np.array([0.5, 0.6])}, {"sigma": POSITIVE}),
}

SELECTOR = js.Certificates(np.array([0, -1]), HALF, HALF, HALF, np.full(2, 20), alpha=0.01)
SCALES = {
    "Constant": Row(js.scales.Constant, {"sigma": 0.5}, {"sigma": (*POSITIVE, np.array(["a"]), [0.5])}),
    "Constant.__call__": Row(CONSTANT, {"x": X}, {"x": (np.zeros(4), 1.0, None, "x")}),
    "KNNScale": Row(
        js.scales.KNNScale,
        {"reference": X, "sigma": 0.5, "rate": 0.1, "k": 1, "offset": 1.0},
        {
            "reference": IMAGES,
            "sigma": POSITIVE,
            "rate": NUMBER,
            "k": (*INTEGER, 3),
            "offset": (NAN, "1", float("inf"), "one"),
        },
    ),
    "LipschitzScale": Row(
        js.scales.LipschitzScale,
        {"fn": lambda x: x.sum(-1), "constant": 2.0},
        {"fn": FUNCTION, "constant": NUMBER, "error": NUMBER},
    ),
    "LipschitzScale.__call__": Row(
        lambda fn: js.scales.LipschitzScale(fn, 1.0)(X),
        {"fn": lambda x: x.sum(-1)},
        {"fn": (lambda x: x, lambda x: x.sum(), lambda x: None)},
    ),
    "clip": Row(
        js.scales.clip,
        {"scale": CONSTANT, "smallest": 0.1, "largest": 1.0},
        {"scale": SCALE, "smallest": POSITIVE, "largest": (*POSITIVE, 0.05)},
    ),
    "minimum": Row(
        lambda scales: js.scales.minimum(*scales),
        {"scales": [CONSTANT]},
        {"scales": ([], [None], [0.5], [CONSTANT, "a"])},
    ),
    "maximum": Row(
        lambda scales: js.scales.maximum(*scales),
        {"scales": [CONSTANT]},
        {"scales": ([], [None], [0.5], [CONSTANT, "a"])},
    ),
    "mnist": Row(
        js.scales.mnist,
        {"reference": np.zeros((20, 2, 2, 1), np.float32), "sigma": 0.5},
        {"reference": IMAGES, "sigma": POSITIVE, "rate": NUMBER},
    ),
    "certify_selected": Row(
        js.scales.certify_selected,
        {"selector": SELECTOR, "sigmas": [0.5, 0.25], "certify_at": lambda sigma, images: SELECTOR[images]},
        {
            "selector": CERTIFIED,
            "sigmas": ([], [0.5, 0.0], [NAN], ["a"], None, 0.5),
            "certify_at": (None, 3, lambda sigma, images: SELECTOR),
        },
    ),
}
