"""What is taken besides the plainest types, and means the same: integers of any type, norms by name, arrays of other
libraries, batches as loaders give them. And what looks alike and is refused: masked arrays, pairs for images."""

import importlib.util
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth._check import split_batch
from tests.bad_input.values import GAUSSIAN, KEY, LABELS, NEW, RECORDED, SAMPLING, TABLE, X, classify
from tests.test_bad_input import ROWS, SLOW

FEW = {"n": 20, "n0": 5, "alpha": 0.01}
CURVE = js.designs.Curve([0.1], n_max=100, alpha=0.01)
INTEGERS = [
    (name, argument)
    for name, row in ROWS.items()
    if name not in SLOW and not {RECORDED, NEW} & {v for v in row.good.values() if isinstance(v, str)}
    for argument, value in row.good.items()
    if type(value) is int and (argument in row.bad) and 2.5 in [v for v in row.bad[argument] if isinstance(v, float)]
]


DRAWS = ("n", "n0", "n_max")  # 1e5 is a usual way to write them


def leaves(result):
    """The numbers of a result, but for the noise in it."""
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in leaves(part)]
    if isinstance(result, js.Certificates):
        return leaves([result.label, result.radius, result.samples, result.votes])
    return [np.asarray(leaf) if hasattr(leaf, "dtype") else repr(leaf) for leaf in jax.tree.leaves(result)]


@pytest.mark.parametrize(("name", "argument"), INTEGERS, ids=lambda value: value)
def test_an_integer_of_any_type_is_the_integer(name, argument):
    """The narrowest type that holds it: its squares and products do not fit."""
    row = ROWS[name]
    value = row.good[argument]
    expected = leaves(row.call(**row.good))
    narrow = (np.min_scalar_type(value).type, np.int8 if value < 128 else np.int16, np.int64)
    for kind in (*narrow, *((np.float32, float) if argument in DRAWS and "." not in name else ())):
        found = leaves(row.call(**{**row.good, argument: kind(value)}))
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=f"{argument} as {kind.__name__}")


@pytest.mark.parametrize("n", [np.uint8(200), np.int8(100), np.int16(1000), np.array(200, np.uint8), 200.0])
def test_narrow_integers_count_every_draw(n):
    votes = js.count_votes(KEY, classify, GAUSSIAN, np.zeros((300, 2), np.float32), n)
    assert np.asarray(votes.total).tolist() == [int(n)] * 300


def test_many_draws_of_many_images_can_be_planned():
    from jaxsmooth.sampling.kernel import spans

    runs = spans(10**5, 10**5, first=0, batch_size=64, devices=8)
    assert runs.trips.tolist() == [-(-(10**10) // 512)] * 8
    assert runs.image.tolist() == [12_500 * i for i in range(8)]
    pairs = [(steps - 1) * 64 + last for steps, last in zip(runs.steps.tolist(), runs.last.tolist(), strict=True)]
    assert sum(pairs) == 10**10
    with pytest.raises(ValueError, match="use a larger batch_size"):
        spans(10**5, 10**5, first=0, batch_size=1, devices=1)


@pytest.mark.parametrize(
    ("name", "norm"), [("l1", 1.0), ("l2", 2.0), ("L2", 2.0), ("linf", np.inf), ("inf", np.inf), ("Linf", np.inf)]
)
def test_norms_by_name(name, norm):
    uniform = js.noises.Laplace(0.5) if norm == 1 else GAUSSIAN
    assert js.certified_radius(uniform, 0.9, norm=name, dim=4) == js.certified_radius(uniform, 0.9, norm=norm, dim=4)
    assert js.radii.rules_for(uniform, name) == js.radii.rules_for(uniform, norm)
    made = js.certify(**{**SAMPLING, "noise": uniform}, **FEW, norm=name)
    assert made.norm == norm and isinstance(made.norm, float)
    np.testing.assert_array_equal(made.radius, js.certify(**{**SAMPLING, "noise": uniform}, **FEW, norm=norm).radius)


@pytest.mark.parametrize("noise", [0.5, "gaussian", None, js.scales.Constant(0.5), jnp.float32(0.5)], ids=repr)
@pytest.mark.parametrize(
    "call",
    [
        lambda noise: js.certify(**{**SAMPLING, "noise": noise}),
        lambda noise: js.certify_curve(**{**SAMPLING, "noise": noise}, radii=[0.1]),
        lambda noise: js.certify_adaptive(**{**SAMPLING, "noise": noise}),
        lambda noise: js.predict(**{**SAMPLING, "noise": noise}),
        lambda noise: js.count_votes(**{**SAMPLING, "noise": noise}, n=20),
        lambda noise: js.certify_batch(**{**SAMPLING, "noise": noise}, table=TABLE),
        lambda noise: list(js.certify_stream(KEY, classify, noise, [X])),
        lambda noise: list(js.certify_stream(KEY, classify, noise, [X], js.designs.Curve([0.1]))),
        lambda noise: js.certificates([[9, 1]], [[90, 10]], noise, dim=4),
        lambda noise: js.certify_values(KEY, classify, noise, X, 0.1, edges="pilot"),
        lambda noise: js.diagnostics.attack(**{**SAMPLING, "noise": noise}, certificates=CERTIFIED),
        lambda noise: js.certified_radius(noise, 0.9),
        lambda noise: js.required_probability(noise, 0.1),
        lambda noise: js.radius_table(noise, n=100, alpha=0.01),
        lambda noise: js.radii.published_radius(noise, 0.9),
        lambda noise: js.radii.rules_for(noise, 2),
        lambda noise: js.measure_throughput(**{**SAMPLING, "noise": noise}),
    ],
)
def test_what_is_no_noise_is_told_what_one_is(call, noise):
    sigma = 0.5 if isinstance(noise, float) else 0.25
    with pytest.raises(TypeError, match=rf"noise must be .* jaxsmooth\.noises\.Gaussian\({sigma}\)") as error:
        call(noise)
    assert "pairs" not in str(error.value)


# --- arrays of other libraries -------------------------------------------------------------------------------


class HasArray:
    """As a pandas DataFrame or a tensor on the host: read by NumPy."""

    dtype = "a type of its own"

    def __init__(self, array):
        self.array, self.shape = np.asarray(array), np.shape(array)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class HasDLPack:
    """As an array of CuPy or of another library that NumPy does not know."""

    dtype = "a type of its own"

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Stubborn(HasDLPack):
    """A tensor that NumPy cannot read, as one of bfloat16."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")


class Unreadable:
    """A tensor that needs a gradient."""

    dtype, shape = "torch.float32", (2, 4)

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


def arrays():
    yield from (X.tolist(), tuple(X.tolist()), [*X], HasArray(X), HasDLPack(X), HasDLPack(X.astype(np.float64)))
    yield Stubborn(jnp.asarray(X))
    if importlib.util.find_spec("torch"):
        import torch  # pyright: ignore[reportMissingImports]

        yield from (torch.from_numpy(X), torch.from_numpy(X.astype(np.float64)))


def test_arrays_of_other_libraries_are_images():
    expected = js.count_votes(**SAMPLING, n=20)
    for x in arrays():
        votes = js.count_votes(KEY, classify, GAUSSIAN, x, 20)
        np.testing.assert_array_equal(votes.counts, expected.counts, err_msg=type(x).__name__)


def test_an_unreadable_array_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"x must be an array; Unreadable .* grad.*detach\(\)\.cpu\(\)\.numpy\(\)"):
        js.certify(KEY, classify, GAUSSIAN, Unreadable(), **FEW)


def test_labels_and_ids_of_other_libraries():
    run = lambda labels, ids: js.certify_curve(
        **SAMPLING, radii=[0.1], n_max=100, alpha=0.01, labels=labels, image_ids=ids
    )
    expected = run(LABELS, [4, 2])
    found = run(HasArray(LABELS), HasArray([4, 2]))
    for one, other in zip(leaves(found.votes), leaves(expected.votes), strict=True):
        np.testing.assert_array_equal(one, other)


def masked(values: Any, mask: Any = False) -> Any:
    return np.ma.masked_array(np.asarray(values), np.asarray(mask, bool))


MASKED = masked(X, np.isclose(X, X[0, 0]))
CERTIFIED = js.Certificates(LABELS, np.full(2, 0.5), np.full(2, 0.9), np.full(2, 0.1), np.full(2, 20))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("x", lambda: js.certify(KEY, classify, GAUSSIAN, MASKED, **FEW)),
        ("x", lambda: js.certify(KEY, classify, GAUSSIAN, [*MASKED], **FEW)),
        ("x", lambda: js.predict(KEY, classify, GAUSSIAN, MASKED)),
        ("x", lambda: list(js.certify_stream(KEY, classify, GAUSSIAN, [MASKED], js.designs.Fixed(**FEW)))),
        ("labels", lambda: js.certify_curve(**SAMPLING, radii=[0.1], labels=masked(LABELS, [0, 1]))),
        (
            "labels",
            lambda: list(js.certify_stream(KEY, classify, GAUSSIAN, [(X, masked(LABELS, [0, 1]))], CURVE)),
        ),
        ("labels", lambda: js.analysis.certified_accuracy(CERTIFIED, masked(LABELS, [0, 1]), 0.1)),
        ("image_ids", lambda: js.count_votes(**SAMPLING, n=20, image_ids=masked([0, 1], [0, 1]))),
        ("trials", lambda: js.bounds.top_k_bounds([[9, 1, 0]], [0], masked([10]), 0.01, k=1)),
        ("mask", lambda: js.certify_outputs(**SAMPLING, tau=0.6, mask=masked([True]))),
        ("edges", lambda: js.certify_values(KEY, classify, GAUSSIAN, X, 0.1, edges=masked([0.0]))),
        ("p_lower", lambda: js.certified_radius(GAUSSIAN, masked([0.9, 0.8], [0, 1]))),
        ("successes", lambda: js.bounds.clopper_pearson_lower(masked([9, 8], [0, 1]), 10, 0.01)),
        (
            "votes.counts",
            lambda: js.analysis.estimate_curve(
                js.Votes(masked([[9, 1]], [[0, 1]]), np.zeros(1, int)), [0], GAUSSIAN, 0.1
            ),
        ),
        (
            "labels",
            lambda: js.objectives.GaussianAugmentation()(KEY, classify, GAUSSIAN, X, masked(LABELS)),
        ),
        ("x", lambda: js.objectives.GaussianAugmentation()(KEY, classify, GAUSSIAN, MASKED, LABELS)),
    ],
)
def test_masked_arrays_are_refused(name, call):
    with pytest.raises(TypeError, match=rf"^{name} must not be a masked array.*filled"):
        call()


# --- batches -------------------------------------------------------------------------------------------------

SQUARE = np.linspace(-1, 1, 4, dtype=np.float32).reshape(2, 2)
BATCHES = [
    (X, LABELS),
    [X, LABELS],
    [jnp.asarray(X), jnp.asarray(LABELS)],
    [HasArray(X), HasArray(LABELS)],
    [X.tolist(), LABELS.tolist()],
    {"image": X, "label": LABELS},
    {"image": X, "label": LABELS, "id": [b"a", b"b"]},
    {"pixel_values": X, "labels": LABELS},
]


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: f"{type(batch).__name__} {list(batch)}"[:40])
def test_batches_as_loaders_give_them(batch):
    run = lambda batch: next(iter(js.certify_stream(KEY, classify, GAUSSIAN, [batch], CURVE)))
    for one, other in zip(leaves(run(batch)), leaves(run((X, LABELS))), strict=True):
        np.testing.assert_array_equal(one, other)
    x, labels, ids = split_batch(batch)
    assert np.shape(x) == (2, 4) and np.shape(labels) == (2,) and ids is None


def test_batches_of_images_alone_and_with_ids():
    for batch in (X, X.tolist(), jnp.asarray(X), {"image": X}):
        x, labels, ids = split_batch(batch)
        assert np.shape(x) == (2, 4) and labels is None and ids is None
    for batch in ((X, LABELS, [4, 5]), [X, LABELS, np.array([4, 5])]):
        assert split_batch(batch)[2].tolist() == [4, 5]


@pytest.mark.parametrize(
    "batch",
    [
        [X, X],
        [SQUARE, SQUARE],
        [X[0], X[1]],
        [X, LABELS, LABELS, LABELS],
        {"image": X, "x": X, "label": LABELS},
        {"features": X, "label": LABELS},
        (X, LABELS[:1]),
        (X, 3),
        (X,),
    ],
    ids=range(9),
)
def test_batches_that_could_be_several_things_are_refused(batch):
    with pytest.raises(ValueError, match="batches must"):
        list(js.certify_stream(KEY, classify, GAUSSIAN, [batch], CURVE))


PAIRS = [
    (X, LABELS),
    [X, LABELS],
    [SQUARE, np.array([0, 1])],
    {"image": X, "label": LABELS},
    (X, np.eye(4, dtype=int)[:2]),
]


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
@pytest.mark.parametrize(
    "verb",
    [
        lambda pair: js.certify(KEY, classify, GAUSSIAN, pair, **FEW),
        lambda pair: js.predict(KEY, classify, GAUSSIAN, pair),
        lambda pair: js.certify_curve(KEY, classify, GAUSSIAN, pair, [0.1], n_max=100, alpha=0.01),
    ],
)
def test_a_pair_where_images_are_wanted_is_told_so(verb, pair):
    with pytest.raises(TypeError, match=r"x must be images alone.*got a (tuple|list|dictionary).*for x, y in batches"):
        verb(pair)
