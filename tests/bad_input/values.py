"""Values that users pass by mistake, by kind, and what a row of the tables is."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxsmooth as js

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
GAUSSIAN = js.noises.Gaussian(0.5)
HUGE, NAN = 2**40, float("nan")


def classify(batch):
    return jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)


RECORDED = "a ledger of classify on X"  # replaced by its path
NEW = "a path that does not exist"
TABLE = js.radius_table(GAUSSIAN, n=20, alpha=0.01)
HALF = np.full(2, 0.5)
CERTIFICATES = js.Certificates(
    np.array([0, 1]), HALF, HALF, HALF, np.full(2, 20), js.Votes(np.full((2, 2), 10), 0 * HALF)
)
TABLE_OF_VOTES = np.array([[9, 1], [4, 6]])
VOTES = (None, 3, "votes", [0.5, 0.5], TABLE_OF_VOTES / 2, -TABLE_OF_VOTES, TABLE_OF_VOTES[:, :1], TABLE_OF_VOTES[:1])
LABELS = np.array([0, 1])
LOGITS = np.zeros((2, 3, 4), np.float32)
CLASSES = np.array([0, 1, 3])
TESTS = js.bounds.GroupSequential(100, 0.01)
CONSTANT = js.scales.Constant(0.5)
GRID = js.diagnostics.SigmaGrid(
    np.zeros((2, 2, 2)),
    np.zeros((2, 2, 2, 2)),
    np.ones((2, 2, 2, 8), bool),
    np.array([0.0, 0.5]),
    np.array([0.0, 0.5]),
    np.arange(8) % 2,
)


def three_classes(batch):
    return jnp.stack([batch.sum(-1), -batch.sum(-1), 0 * batch[:, 0]], -1)


def signs(batch):
    """Every coordinate is an output of two classes."""
    return jnp.stack([-batch, batch], -1)


def average(batch):
    return batch.mean(-1)


# Bad values by kind.
INTEGER = (0, -1, 2.5, "10", True, None, NAN, np.array([3, 4]))
OPTIONAL_INTEGER = tuple(value for value in INTEGER if value is not None)
SHARE = (0, 1, -0.1, 1.5, NAN, "0.1", None, True, np.array([0.1, 0.2]))
POSITIVE = (0.0, -1.0, NAN, float("inf"), "1", None, True)
AT_LEAST_0 = (-1.0, NAN, float("inf"), "1", None, "one", True)
PROBABILITY = (-0.1, 1.1, NAN, "0.9", None, "high", True)
NORM = (3, 0, "2", None, NAN, True, np.array([1, 2]))
KEYS = (
    0,
    None,
    "0",
    1.5,
    jax.random.split(KEY, 3),
    np.zeros(2, np.float32),
    np.zeros(3, np.int32),
    np.zeros(3, np.uint32),
)
IMAGES = (
    None,
    "x",
    1.0,
    np.float32(1),
    np.zeros(4, np.float32),
    np.zeros((2, 4), np.uint8),
    np.zeros((2, 4), bool),
    np.zeros((0, 4), np.float32),
    np.zeros((2, 0), np.float32),
    np.full((2, 4), NAN),
    np.full((2, 4), np.inf),
    np.array([["a", "b"]]),
    np.zeros((2, 4), complex),
)
CLASSIFIERS = (None, 3, "model", lambda x: x.sum(-1), lambda x: x[:, :1], lambda x: (x, x), lambda x: x.astype(complex))
NOISES = (
    None,
    0.5,
    "gaussian",
    js.noises.Gaussian,
    CONSTANT,
    js.noises.Gaussian(None),
    js.noises.Gaussian(jnp.float32(-1)),
    js.noises.Gaussian(np.array(["a"])),
    js.noises.Gaussian(np.array([NAN])),
)

IDS = (np.array([0.0, 1.0]), [0], [[0, 1]], [-1, 0], [0, HUGE], "ab", [True, False], 3)
LABEL = ([0.0, 1.0], [0], [0, 9], [-1, 0], [[0, 1]], ["a", "b"], [True, False], 1, "ab")
MESH = (3, "cpu", [0, 1])
PATH = (3, b"votes", ["votes"])
RADII = ([-1.0], [NAN], "0.5", None, ["a"], [True, False], [float("inf")])
CURVE = (*RADII, [], [0.5, 0.2], [0.2, 0.2], [[0.2, 0.5]], 0.5, [0.1, 50.0])
COUNTS = ([0.5], -1, 99, "3", None, True)
CERTIFIED = (None, 3, "log", [0.5, 0.5])
LOGIT = (
    None,
    1.0,
    "z",
    np.zeros((3, 4), np.float32),
    np.zeros((2, 3, 4), np.int32),
    np.zeros((2, 3, 1), np.float32),
    np.zeros((0, 3, 4), np.float32),
    [[["a"]]],
)
CLASS = ([0.0, 1.0, 2.0], [0, 1], [0, 1, 9], [-1, 0, 1], "abc", [True, False, True], None)
WEIGHT = ("1", None, "one")
FUNCTION = (None, 3, "f")
NUMBER = (-1.0, NAN, "1", None, float("inf"), True)
SCALE = (None, 0.5, "knn", lambda x: x)


class Row(NamedTuple):
    call: Any
    good: dict[str, Any]
    bad: dict[str, tuple[Any, ...]]


SAMPLING = {"key": KEY, "classify": classify, "noise": GAUSSIAN, "x": X}
BAD_SAMPLING = {"key": KEYS, "classify": CLASSIFIERS, "noise": NOISES, "x": IMAGES}
PLACES = {"image_ids": IDS, "batch_size": OPTIONAL_INTEGER, "mesh": MESH}
RUN = {**BAD_SAMPLING, **PLACES, "ledger": PATH}
consume = lambda verb: lambda **given: list(verb(**given))
