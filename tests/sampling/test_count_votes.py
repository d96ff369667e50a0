"""count_votes: counts depend on key, image and draw alone, in every way of running it."""

import functools
import re
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import jaxsmooth as js
from jaxsmooth._program import find_program
from jaxsmooth.sampling import batching
from jaxsmooth.sampling.kernel import scored
from jaxsmooth.sampling.sampler import Sampler

KEY = jax.random.key(7)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (5, 3))
X = jax.random.uniform(jax.random.key(2), (6, 5))
N = 1000


def linear(weights, batch):
    return batch @ weights


CLASSIFY = jax.tree_util.Partial(linear, WEIGHTS)


@pytest.fixture(scope="module")
def reference():
    """The definition, written out: one draw at a time, two fold_ins."""
    draw = lambda i, j: NOISE.sample(jax.random.fold_in(jax.random.fold_in(KEY, i), j), (5,))
    noise = jax.jit(jax.vmap(jax.vmap(draw, (None, 0)), (0, None)))(jnp.arange(6), jnp.arange(N))
    winner = jnp.argmax((X[:, None] + noise) @ WEIGHTS, -1)
    return np.asarray(jax.nn.one_hot(winner, 3, dtype=jnp.int32).sum(1))


def test_counts_are_those_of_the_definition(reference):
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X, N)
    np.testing.assert_array_equal(votes.counts, reference)
    assert votes.counts.dtype == jnp.int32 and votes.invalid.dtype == jnp.int32
    np.testing.assert_array_equal(votes.total, N)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000, 100_000])
def test_batch_size_changes_nothing(reference, batch_size):
    np.testing.assert_array_equal(js.count_votes(KEY, CLASSIFY, NOISE, X, N, batch_size=batch_size).counts, reference)


@pytest.mark.parametrize(
    ("shape", "batch_size"),
    [
        pytest.param(
            shape, size, marks=() if (shape, size) in [((2,), None), ((8,), 7), ((4, 2), None)] else pytest.mark.slow
        )
        for shape in [(1,), (2,), (4,), (8,), (4, 2), (2, 2, 2)]
        for size in (None, 7)
    ],
)
def test_mesh_changes_nothing(reference, shape, batch_size):
    mesh = jax.make_mesh(shape, tuple("abc"[: len(shape)]))
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X, N, mesh=mesh, batch_size=batch_size)
    np.testing.assert_array_equal(votes.counts, reference)


def test_keys_among_the_leaves_of_a_classifier_on_a_mesh():
    """As in the models of NNX that have dropout."""
    classify = jax.tree_util.Partial(lambda weights, key, x: CLASSIFY(x), jnp.ones(2), jax.random.key(3))
    votes = js.count_votes(KEY, classify, NOISE, X[:2], 20, mesh=jax.make_mesh((2,), ("mc",)))
    np.testing.assert_array_equal(votes.counts, js.count_votes(KEY, CLASSIFY, NOISE, X[:2], 20).counts)


def test_more_devices_than_draws(reference):
    mesh = jax.make_mesh((8,), ("mc",))
    few = js.count_votes(KEY, CLASSIFY, NOISE, X[:1], 3, mesh=mesh)
    np.testing.assert_array_equal(few.counts, js.count_votes(KEY, CLASSIFY, NOISE, X[:1], 3).counts)


def test_pmap_changes_nothing(reference):
    share = N // 8
    votes = jax.pmap(lambda r: js.count_votes(KEY, CLASSIFY, NOISE, X, share, first=r * share))(jnp.arange(8))
    np.testing.assert_array_equal(votes.counts.sum(0), reference)


def test_callers_shard_map_changes_nothing(reference):
    mesh = jax.make_mesh((8,), ("mc",))

    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh, in_specs=(), out_specs=PartitionSpec())
    def count():
        first = jax.lax.axis_index("mc") * (N // 8)
        return jax.lax.psum(js.count_votes(KEY, CLASSIFY, NOISE, X, N // 8, first=first), "mc")

    np.testing.assert_array_equal(count().counts, reference)


@pytest.mark.parametrize("axis_type", list(jax.sharding.AxisType))
def test_callers_mesh_context_changes_nothing(reference, axis_type):
    if axis_type == jax.sharding.AxisType.Manual:
        pytest.skip("a mesh of manual axes exists only inside shard_map")
    with jax.set_mesh(jax.make_mesh((8,), ("mc",), axis_types=(axis_type,))):
        np.testing.assert_array_equal(js.count_votes(KEY, CLASSIFY, NOISE, X, N).counts, reference)


def test_vmap_over_sigma_and_jit(reference):
    count = jax.jit(jax.vmap(lambda sigma: js.count_votes(KEY, CLASSIFY, js.noises.Gaussian(sigma), X, N).counts))
    np.testing.assert_array_equal(count(jnp.array([0.1, 0.5]))[1], reference)


def test_split_and_permuted_images(reference):
    parts = [js.count_votes(KEY, CLASSIFY, NOISE, X, n, first=first) for first, n in ((0, 1), (1, 499), (500, 500))]
    np.testing.assert_array_equal(sum(parts[1:], parts[0]).counts, reference)
    order = np.array([4, 0, 5])
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X[order], N, image_ids=order)
    np.testing.assert_array_equal(votes.counts, reference[order])


@pytest.mark.parametrize("key", [jax.random.PRNGKey(7), jax.random.key_data(KEY)])
def test_legacy_keys(reference, key):
    np.testing.assert_array_equal(js.count_votes(key, CLASSIFY, NOISE, X, N).counts, reference)


@pytest.mark.parametrize("implementation", ["rbg", "unsafe_rbg"])
def test_other_generators_do_not_depend_on_the_batch(implementation):
    key = jax.random.key(0, impl=implementation)
    counts = [js.count_votes(key, CLASSIFY, NOISE, X, 200, batch_size=size).counts for size in (1, 7, 64)]
    np.testing.assert_array_equal(counts[0], counts[1])
    np.testing.assert_array_equal(counts[0], counts[2])


def test_sweeps_do_not_retrace():
    counted = chex.assert_max_traces(lambda weights, batch: batch @ weights, n=2)  # one for shapes, one to run
    for sigma in (0.1, 1, np.float64(0.3), jnp.float32(2.0)):
        for n, first in ((10, 0), (20, 5)):
            classify = jax.tree_util.Partial(counted, WEIGHTS * sigma)
            js.count_votes(jax.random.key(n), classify, js.noises.Gaussian(sigma), X, n, first=first)


INF, NAN = np.inf, np.nan
DECIDED = {  # the scores of a row, and the class that they vote for
    "ties": ([1.0, 2.0, 2.0], 1),
    "NaN": ([NAN, 1.0, 2.0], None),
    "NaN beside infinity": ([INF, NAN, -INF], None),
    "a masked class": ([-INF, -3.0, -2.0], 2),
    "all classes masked but one": ([-INF, -3e38, -INF], 1),
    "all classes masked": ([-INF, -INF, -INF], None),
    "one infinite score": ([5.0, INF, -INF], 1),
    "two infinite scores": ([INF, 1.0, INF], None),
}


CONSTANT = lambda scores, batch: jnp.broadcast_to(scores, (len(batch), 3))


@pytest.mark.parametrize("case", DECIDED)
def test_which_scores_decide(case):
    scores, winner = DECIDED[case]
    classify = jax.tree_util.Partial(CONSTANT, jnp.array(scores))  # data, so that all cases share a program
    expected = np.eye(4, dtype=int)[3 if winner is None else winner] * 100
    for votes in (
        js.count_votes(KEY, classify, NOISE, X[:1], 100),
        js.count_votes(KEY, classify, NOISE, X[:1], 100, mesh=jax.make_mesh((2,), ("draws",))),
        js.count_votes(KEY, js.interop.from_callable(lambda x: np.tile(scores, (len(x), 1)), 3), NOISE, X[:1], 100),
    ):
        np.testing.assert_array_equal(np.append(votes.counts, votes.invalid), expected)


def test_non_finite_scores_vote_for_nobody():
    classify = lambda batch: jnp.where(batch[:, :1] > 0, jnp.nan, batch[:, :2])
    votes = js.count_votes(KEY, classify, NOISE, X[:2] * 0, 500)
    np.testing.assert_array_equal(votes.total, 500)
    assert (np.abs(np.asarray(votes.invalid) - 250) < 60).all()


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint64", "bool", "int8"])
def test_scores_are_compared_in_their_own_precision(dtype):
    """Two scores that float32 could not tell apart, where the type can; the second is the larger one."""
    with jax.enable_x64(True):
        scores = {"bool": [0, 1, 0], "int8": [-128, 127, 0]}.get(dtype, [2**53 - 2, 2**53 - 1, 0])
        classify = lambda batch: jnp.broadcast_to(jnp.array(scores, dtype), (len(batch), 3))
        votes = js.count_votes(KEY, classify, NOISE, np.asarray(X[:1]), 100)
        np.testing.assert_array_equal(votes.counts, [[0, 100, 0]])


def on_device(tree, first, step=0):
    """Every leaf committed to a device, as after loading a checkpoint; with a step to different ones."""
    leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, tree))
    devices = [jax.devices()[(first + step * i) % 8] for i in range(len(leaves))]
    return structure.unflatten(map(jax.device_put, leaves, devices))


VERBS = {
    "count_votes": lambda *run, **to: js.count_votes(*run, 300, **to).counts,
    "certify": lambda *run, **to: js.certify(*run, n=500, **to).votes.counts,
    "certify_curve": lambda *run, **to: js.certify_curve(*run, [0.0, 0.1], n_max=500, **to).votes.counts,
    "certify_adaptive": lambda *run, **to: js.certify_adaptive(*run, n_max=500, **to).votes.counts,
    "predict": lambda *run, **to: js.predict(*run, n=500, **to),
    "certify_stream": lambda *run, **to: np.concatenate(
        [
            part.votes.counts
            for part in js.certify_stream(*run[:3], [run[3][:4], run[3][4:]], js.designs.Fixed(n=500), **to)
        ]
    ),
    "default batch size": lambda *run, **to: js.count_votes(*run, N, **to).counts,
}
REFERENCES = jax.random.uniform(jax.random.key(5), (7, 5))


# By default one look, many looks and no look, and a sigma of each image.
USUAL = [("count_votes", False), ("certify_curve", False), ("certify", True)]


@pytest.mark.parametrize(
    ("verb", "input_dependent"),
    [
        pytest.param(verb, varying, marks=() if (verb, varying) in USUAL else pytest.mark.slow)
        for verb in VERBS
        for varying in (False, True)
    ],
)
def test_arguments_on_any_device(verb, input_dependent):
    """Key, sigma, weights and images committed to devices, inside the mesh or not, one or several."""
    noise = js.noises.Gaussian(jnp.float32(0.5))
    if input_dependent:
        noise = js.noises.InputDependentGaussian(js.scales.KNNScale(REFERENCES, sigma=0.5, rate=0.01, k=2))
    run = (KEY, CLASSIFY, noise, X)
    alone = VERBS[verb](*run, batch_size=16)
    mesh = jax.make_mesh((2,), ("draws",), devices=jax.devices()[:2])
    options = {"mesh": mesh} if verb == "default batch size" else {"mesh": mesh, "batch_size": 16}
    for first, step in ((1, 0), (5, 0), (0, 1)):
        np.testing.assert_array_equal(VERBS[verb](*on_device(run, first, step), **options), alone)


def test_an_error_of_the_classifier_says_whence_it_comes():
    def transposed(batch):
        return batch.reshape(-1, 3, 4, 4).mean((2, 3)) @ jnp.ones((3, 2))

    def torch_like(batch):
        return np.stack([np.asarray(batch).sum(-1)] * 2, -1)

    def of_two(batch):
        return batch[:2] if len(batch) == 2 else batch @ jnp.ones((99, 2))

    def refused(_batch):
        raise LookupError("no weights")

    for classify in (transposed, torch_like, of_two, refused):
        for verb in (js.count_votes, js.predict):
            with pytest.raises(Exception) as caught:
                verb(KEY, classify, NOISE, X, **({"n": 100} if verb is js.count_votes else {}))
            (note,) = [note for note in caught.value.__notes__ if "classifier" in note]
            assert re.search(r"float32 of shape \(\d+, 5\), \(batch, \*event\)", note)
            for remedy in ("(batch, height, width, channels)", "batch axis", "from_callable", "from_nnx", "Partial"):
                assert remedy in note
    with pytest.raises(ValueError) as caught:
        js.count_votes(KEY, CLASSIFY, NOISE, X, 0)
    assert not hasattr(caught.value, "__notes__")


def test_bfloat16_network_sees_float32_noise():
    seen = []

    def classify(batch):
        seen.append(batch.dtype)
        return batch.astype(jnp.bfloat16) @ WEIGHTS.astype(jnp.bfloat16)

    votes = js.count_votes(KEY, classify, NOISE, X.astype(jnp.bfloat16), 100)
    np.testing.assert_array_equal(votes.total, 100)
    assert set(seen) == {jnp.dtype(jnp.float32)}


def test_votes_are_a_monoid():
    a = js.count_votes(KEY, CLASSIFY, NOISE, X, 10)
    b = js.count_votes(KEY, CLASSIFY, NOISE, X, 20, first=10)
    chex.assert_trees_all_equal(a + b, b + a)
    chex.assert_trees_all_equal(a[2:4].counts, a.counts[2:4])


def default_batch_size(classify, mesh, pairs=None):
    found = find_program(scored, classify, jax.ShapeDtypeStruct((2, *X.shape[1:]), jnp.float32))
    return batching.pick_batch_size(classify, X, mesh, pairs, found=found)


def test_the_default_batch_size_follows_the_operations_of_a_sample():
    """Small models get large batches, large ones small; no number of images or draws enters."""
    wide = lambda size: jax.tree_util.Partial(
        lambda w, x: jnp.tanh(x @ w) @ w.T @ jnp.ones((5, 3)), jnp.ones((5, size))
    )
    sizes = [default_batch_size(wide(size), None) for size in (4, 400_000, 10_000_000)]
    assert sizes[0] == 1024 and 64 < sizes[1] < 1024 and sizes[2] == 64
    assert default_batch_size(wide(4), None, 100) == 128
    mesh = jax.make_mesh((2,), ("draws",))
    assert default_batch_size(wide(400_000), mesh) == sizes[1] // 2


def test_the_default_batch_size_of_a_python_function_is_timed_once():
    calls = []

    def fn(batch):
        calls.append(len(batch))
        time.sleep(0.01)
        return batch[:, :3]

    classify = js.interop.from_callable(fn, 3)
    assert default_batch_size(classify, None) == default_batch_size(classify, None) == 4096
    assert sum(rows > 2 for rows in calls) == 8  # the others are traces


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"key": 0}, TypeError, "key must be a JAX random key"),
        ({"key": jax.random.split(KEY)}, ValueError, "single key"),
        ({"classify": 3}, TypeError, "classify must be a callable"),
        ({"classify": lambda b: b.sum(-1)}, ValueError, r"\(batch, classes\)"),
        ({"classify": lambda b: b[:, :1]}, ValueError, "at least 2 classes"),
        ({"classify": lambda b: (b, 0)}, TypeError, "one array of scores"),
        ({"classify": lambda b: b.astype(jnp.complex64)}, TypeError, "real scores"),
        ({"noise": 0.25}, TypeError, "noise must be an instance"),
        ({"noise": js.noises.Gaussian}, TypeError, "noise must be an instance"),
        ({"noise": js.noises.Gaussian(jnp.float32(-1))}, ValueError, "sigma must be positive"),
        ({"x": X[0]}, ValueError, r"pass x\[None\]"),
        ({"x": X[:0]}, ValueError, "at least one image"),
        ({"x": np.zeros((2, 5), np.uint8)}, TypeError, "floating point"),
        ({"x": X.at[0, 0].set(np.nan)}, ValueError, "x must be finite"),
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"n": 10.5}, TypeError, "n must be a Python integer"),
        ({"n": 2**31}, ValueError, "n must be below"),
        ({"first": -1}, ValueError, "first must be at least 0"),
        ({"image_ids": np.arange(3)}, ValueError, "image_ids must have shape"),
        ({"image_ids": np.arange(6) - 1}, ValueError, "image_ids must lie"),
        ({"image_ids": np.arange(6.0)}, TypeError, "image_ids must be integers"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"mesh": jax.devices()}, TypeError, r"mesh must be a jax\.sharding\.Mesh"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {"key": KEY, "classify": CLASSIFY, "noise": NOISE, "x": X, "n": 10} | change
    with pytest.raises(error, match=message):
        js.count_votes(
            arguments.pop("key"), arguments.pop("classify"), arguments.pop("noise"), arguments.pop("x"),
            arguments.pop("n"), **arguments,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        pytest.param((8,), PartitionSpec(), marks=pytest.mark.slow),
        ((4, 2), PartitionSpec(None, "b")),  # draws over a, the network over b
        pytest.param((2, 4), PartitionSpec("b"), marks=pytest.mark.slow),
        pytest.param((4, 2), PartitionSpec(("a", "b")), marks=pytest.mark.slow),  # every axis taken: gathered
    ],
)
def test_weights_sharded_over_the_mesh_change_nothing(shape, spec):
    mesh = jax.make_mesh(shape, tuple("ab"[: len(shape)]))
    weights = jax.random.normal(jax.random.key(4), (8, 4))
    x, noise = jax.random.uniform(jax.random.key(2), (3, 8)), js.noises.Gaussian(0.5)
    count = lambda weights, **options: js.count_votes(
        KEY, jax.tree_util.Partial(linear, weights), noise, x, 300, **options
    )
    sharded = jax.device_put(weights, jax.sharding.NamedSharding(mesh, spec))
    np.testing.assert_array_equal(count(sharded, mesh=mesh).counts, count(weights).counts)
    radii = [0.0, 0.2]
    curve = lambda weights, **options: js.certify_curve(
        KEY, jax.tree_util.Partial(linear, weights), noise, x, radii, n_max=2000, **options
    )
    np.testing.assert_array_equal(curve(sharded, mesh=mesh).votes.counts, curve(weights).votes.counts)


def mlp(weights, batch):
    return jax.nn.relu(batch @ weights["a"]) @ weights["b"]


def test_explicit_axes_everywhere():
    """The default of jax.make_mesh: as context, for weights that are sharded, and for x."""
    mesh = jax.make_mesh((4, 2), ("draws", "model"))
    place = lambda value, *spec: jax.device_put(value, jax.sharding.NamedSharding(mesh, PartitionSpec(*spec)))
    weights = {"a": jax.random.normal(KEY, (8, 16)), "b": jax.random.normal(jax.random.key(9), (16, 3))}
    x, noise = jax.random.uniform(jax.random.key(2), (4, 8)), js.noises.Gaussian(0.5)
    count = lambda weights, x, **options: js.count_votes(
        KEY, jax.tree_util.Partial(mlp, weights), noise, x, 300, **options
    )
    whole = np.asarray(count(weights, x).counts)
    sharded = {"a": place(weights["a"], None, "model"), "b": place(weights["b"], "model", None)}
    np.testing.assert_array_equal(count(sharded, x, mesh=mesh).counts, whole)
    np.testing.assert_array_equal(count(sharded, place(x, "draws"), mesh=mesh).counts, whole)
    np.testing.assert_array_equal(count(weights, place(x, "draws")).counts, whole)
    np.testing.assert_array_equal(count(weights, jax.device_put(x, jax.devices()[3]), mesh=mesh).counts, whole)
    with jax.set_mesh(mesh):
        np.testing.assert_array_equal(count(weights, x, mesh=mesh).counts, whole)
        made_here = js.count_votes(jax.random.key(7), jax.tree_util.Partial(mlp, weights), noise, x, 300, mesh=mesh)
        np.testing.assert_array_equal(made_here.counts, whole)
        curve = js.certify_curve(KEY, jax.tree_util.Partial(mlp, weights), noise, x, [0.0, 0.2], n_max=2000, mesh=mesh)
    alone = js.certify_curve(KEY, jax.tree_util.Partial(mlp, weights), noise, x, [0.0, 0.2], n_max=2000)
    np.testing.assert_array_equal(curve.votes.counts, alone.votes.counts)


def test_weights_without_entries_on_a_mesh(reference):
    weights = {"none": jnp.zeros((0,)), "some": WEIGHTS}
    classify = jax.tree_util.Partial(lambda weights, batch: batch @ weights["some"], weights)
    votes = js.count_votes(KEY, classify, NOISE, X, N, mesh=jax.make_mesh((2,), ("draws",)))
    np.testing.assert_array_equal(votes.counts, reference)


def test_arrays_may_be_overwritten_once_votes_are_counted(monkeypatch):
    """Counting goes on after the call has returned: it reads copies of what NumPy arrays held."""
    read, x, weights = [], np.ones((2, 3), np.float32), np.eye(3, dtype=np.float32)
    count = Sampler.count

    def seen(self, x, *arguments, **options):
        read.extend([x, self.classify.args[0]])
        return count(self, x, *arguments, **options)

    monkeypatch.setattr(Sampler, "count", seen)
    js.count_votes(KEY, jax.tree_util.Partial(linear, weights), NOISE, x, 50)
    for mine, theirs in zip(read, (x, weights), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert not np.shares_memory(mine, theirs)


def test_weights_on_another_mesh_of_the_same_devices():
    other = jax.make_mesh((8,), ("model",))
    weights = jax.random.normal(jax.random.key(4), (8, 4))
    x, noise = jax.random.uniform(jax.random.key(2), (3, 8)), js.noises.Gaussian(0.5)
    sharded = jax.device_put(weights, jax.sharding.NamedSharding(other, PartitionSpec("model")))
    count = lambda weights, **options: js.count_votes(
        KEY, jax.tree_util.Partial(linear, weights), noise, x, 300, **options
    )
    mesh = jax.make_mesh((8,), ("draws",))
    np.testing.assert_array_equal(count(sharded, mesh=mesh).counts, count(weights).counts)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray, list])
def test_image_ids_of_every_kind(reference, kind):
    ids = kind(np.array([4, 0, 5]))
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X[np.array([4, 0, 5])], N, image_ids=ids)
    np.testing.assert_array_equal(votes.counts, reference[[4, 0, 5]])


def test_a_network_with_batch_statistics_on_a_mesh():
    nn = pytest.importorskip("flax.linen")

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            x = nn.Conv(4, (3, 3))(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
            return nn.Dense(3)(x.mean((1, 2)))

    model, x = Network(), jax.random.uniform(jax.random.key(2), (5, 6, 6, 1))
    variables = model.init(jax.random.key(0), x)
    _, moved = model.apply(variables, 3 * x, train=True, mutable=["batch_stats"])
    classify = js.interop.from_linen(model, variables | moved)
    count = lambda **options: js.count_votes(KEY, classify, js.noises.Gaussian(0.5), x, 200, **options).counts
    whole = count()
    assert (np.asarray(whole).max(-1) < 200).any()
    for shape in ((2,), (8,)):
        np.testing.assert_array_equal(count(mesh=jax.make_mesh(shape, ("draws",))), whole)


@pytest.mark.parametrize("axes", [(8,), (2, 4)])
def test_only_counts_cross_between_devices(axes):
    mesh = jax.make_mesh(axes, tuple("ab"[: len(axes)]))
    count = jax.jit(lambda key: js.count_votes(key, CLASSIFY, NOISE, X, N, mesh=mesh))
    program = count.lower(KEY).compile().as_text()
    collectives = re.findall(
        r"= (\S+|\(.*?\)) (all-reduce|all-gather|all-to-all|collective-permute)(?:-start)?\(", program
    )
    assert collectives and all(kind == "all-reduce" for _, kind in collectives)
    moved = [shape for result, _ in collectives for shape in re.findall(r"(\w+)\[[\d,]*\]", result)]
    assert set(moved) == {"s32"}
