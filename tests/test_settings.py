"""Settings of JAX: each is without effect on draws and scores, or part of the fingerprint and named when it differs."""

import contextlib
import functools
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import Curve, Fixed
from tests.noises.families import FAMILIES
from tests.test_output_kinds import KINDS

KEY = jax.random.key(5, impl="threefry2x32")
X = np.asarray(jax.random.normal(jax.random.key(2), (6, 8)), np.float32)
WEIGHTS = jax.random.normal(jax.random.key(1), (8, 3), jnp.float32)
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
NOISE = js.noises.Gaussian(0.5)
STRICT = {"jax_numpy_dtype_promotion": "strict", "jax_numpy_rank_promotion": "raise"}
# Together, since each only refuses something, or moves everything.
CHECKS = {
    "jax_legacy_prng_key": "error",
    "jax_debug_key_reuse": True,
    "jax_debug_nans": True,
    "jax_debug_infs": True,
    "jax_enable_checks": True,
    "jax_default_device": jax.devices()[3],
    **STRICT,
}

# The settings, and the name by which a ledger of the other value refuses; None where votes go on.
SETTINGS = {
    "rbg": ({"jax_default_prng_impl": "rbg"}, None),
    "unsafe_rbg": ({"jax_default_prng_impl": "unsafe_rbg"}, None),
    "not partitionable": ({"jax_threefry_partitionable": False}, None),
    "all that check, another device": (CHECKS, None),
    "precision": ({"jax_default_matmul_precision": "highest"}, "matmul_precision"),
    "x64": ({"jax_enable_x64": True}, "x64"),
    "x64, strict promotion": ({"jax_enable_x64": True, **STRICT}, "x64"),
    "no jit": ({"jax_disable_jit": True}, "disable_jit"),
    "optimizations": (
        {"jax_disable_most_optimizations": not jax.config.read("jax_disable_most_optimizations")},
        "disable_most_optimizations",
    ),
}
each_setting = pytest.mark.parametrize("name", SETTINGS)
# What is compiled differently is rounded differently, which the fingerprint says.
ROUNDED = ("no jit", "optimizations")


@contextlib.contextmanager
def settings(values):
    before = {name: jax.config.values[name] for name in values}
    try:
        for name, value in values.items():
            jax.config.update(name, value)
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


SCALE = js.scales.KNNScale(X + 1, 0.5, 0.01, k=3)
NOISES = {
    **{type(family.noise).__name__: family.noise for family in FAMILIES},
    "KNNScale": js.noises.InputDependentGaussian(SCALE),
    "clipped": js.noises.InputDependentGaussian(js.scales.clip(SCALE, 0.4, 0.5)),
    "LipschitzScale": js.noises.InputDependentGaussian(js.scales.LipschitzScale(lambda x: -(x[:, 0] ** 2) / 8, 0.5)),
}


def draws_of_every_noise():
    """What every noise adds to two images."""

    @jax.jit
    def run(x):
        draws = {}
        for name, noise in NOISES.items():
            keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(2, dtype=jnp.uint32))
            draws[name] = jax.vmap(lambda noise, key: noise.sample(key, (8,)))(noise.at(x), keys)
        return draws

    return jax.tree.map(np.asarray, run(X[:2]))


@pytest.fixture(scope="module")
def usual():
    return draws_of_every_noise()


# By default the settings that have to do with random numbers, or with types.
DRAWING = ("rbg", "x64, strict promotion")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in DRAWING else pytest.mark.slow) for name in SETTINGS]
)
def test_draws_of_every_noise(name, usual):
    with settings(SETTINGS[name][0]):
        draws = draws_of_every_noise()
    for noise in NOISES:
        tolerance = 2e-6 * np.abs(usual[noise]).max() if name in ROUNDED else 0
        np.testing.assert_allclose(draws[noise], usual[noise], rtol=0, atol=tolerance, err_msg=noise)
        assert draws[noise].dtype == np.float32, noise


VERBS = {
    "count_votes": lambda **_: js.count_votes(KEY, CLASSIFY, NOISE, X, 64, batch_size=64),
    "certify": lambda **given: js.certify(KEY, CLASSIFY, NOISE, X, n0=16, n=128, **given),
    "certify_curve": lambda **given: js.certify_curve(KEY, CLASSIFY, NOISE, X, [0.0, 0.3], n_max=256, **given),
    "certify_adaptive": lambda **given: js.certify_adaptive(KEY, CLASSIFY, NOISE, X, n0=16, n_max=256, **given),
    "predict": lambda **given: js.predict(KEY, CLASSIFY, NOISE, X, n=64, **given),
    "certify_stream": lambda **given: list(
        js.certify_stream(KEY, CLASSIFY, NOISE, [X[:4], X[4:]], Fixed(n=64), **given)
    ),
    "certify_stream, a curve": lambda **given: list(
        js.certify_stream(KEY, CLASSIFY, NOISE, [X[:4], X[4:]], Curve([0.0, 0.3], n_max=256), **given)
    ),
    "certify, KNNScale": lambda **given: js.certify(KEY, CLASSIFY, NOISES["KNNScale"], X, n0=16, n=128, **given),
}  # fmt: skip


def numbers(result):
    """The arrays of a result."""
    parts = result if isinstance(result, list) else [result]
    names = ("counts", "invalid", "label", "radius", "p_lower", "samples", "rule")
    return [np.asarray(getattr(part, name)) for part in parts for name in names if hasattr(part, name)] or [result]


def assert_same(one, other):
    for a, b in zip(numbers(one), numbers(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The result of a verb, and its ledger, computed once."""
    folder = tmp_path_factory.mktemp("ledgers")

    @functools.cache
    def get(verb):
        path = folder / f"{list(VERBS).index(verb)}.jsonl"
        return VERBS[verb](ledger=path, batch_size=64), path

    return get


# What another setting asks for, too; compiled as CI compiles everything once more; not compiled, which takes ten times
# as long.
LATER = ("unsafe_rbg", "x64", "optimizations", "no jit")
# By default a verb of each kind: one look, many looks, and a sigma of each image.
USUAL = ("certify", "certify_curve", "certify, KNNScale")


@pytest.mark.parametrize(
    "verbs", [USUAL, pytest.param([verb for verb in VERBS if verb not in USUAL], marks=pytest.mark.slow)],
    ids=["usual", "others"],
)  # fmt: skip
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LATER else ()) for name in SETTINGS]
)
def test_every_verb(name, verbs, written, tmp_path):
    """Under the setting: the same numbers, and a ledger that goes on, or says which setting is another one."""
    values, refused = SETTINGS[name]
    for i, verb in enumerate(verbs):
        call = VERBS[verb]
        right, ledger = written(verb)
        path = tmp_path / f"{i}.jsonl"
        if ledger.exists():
            # Half of the votes are there.
            path.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:4]))
        with settings(values):
            assert_same(call(batch_size=64), right)
            if refused is None:
                assert_same(call(batch_size=64, ledger=path), right)
            elif ledger.exists():
                with pytest.raises(ValueError, match=f"belongs to another run: its {refused} is"):
                    call(batch_size=64, ledger=path)


SPLITS, LEVELS = js.noises.Splits(0.5, step=1 / 4), np.rint(4 / (1 + np.exp(-X))).astype(np.float32) / 4
OTHER_KINDS = {
    **{name: call for name, (_, _, call) in KINDS.items()},
    "exact": lambda **given: js.certify_exact(CLASSIFY, SPLITS, LEVELS, **given),
    "pilot": lambda **given: js.certify_values(KEY, SUMS, NOISE, X, 0.1, edges="pilot", n=100, alpha=0.01, **given),
}
SUMS = jax.tree_util.Partial(lambda weights, batch: batch @ weights[:, :2], WEIGHTS)


@pytest.fixture(scope="module")
def kinds_written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    return {
        kind: (call(ledger=folder / f"{i}.jsonl", batch_size=64), folder / f"{i}.jsonl")
        for i, (kind, call) in enumerate(OTHER_KINDS.items())
    }


@pytest.mark.slow
@each_setting
def test_every_kind(name, kinds_written, tmp_path):
    """As ``test_every_verb``, of certificates of other kinds; and an attack."""
    values, refused = SETTINGS[name]
    certificates = js.certify(KEY, CLASSIFY, NOISE, X, n0=16, n=128)
    attack = lambda: js.diagnostics.attack(KEY, CLASSIFY, NOISE, certificates, X, steps=2, draws=4, tries=3, n=400)
    upper = attack().upper
    with settings(values):
        np.testing.assert_allclose(attack().upper, upper, rtol=0.2)
    for i, (kind, call) in enumerate(OTHER_KINDS.items()):
        right, ledger = kinds_written[kind]
        path = tmp_path / f"{i}.jsonl"
        path.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:4]))
        with settings(values):
            if name not in ROUNDED and "x64" not in name:
                assert call(batch_size=64) == right, kind
            if refused is None:
                assert call(batch_size=64, ledger=path) == right, kind
            else:
                with pytest.raises(ValueError, match=f"belongs to another run: its {refused} is"):
                    call(batch_size=64, ledger=path)


@each_setting
def test_recertify(name, written):
    right, path = written("certify")
    with settings(SETTINGS[name][0]):
        assert_same(js.recertify(path, NOISE, Fixed(n=128, n0=16)), right)
    if SETTINGS[name][1] is None:
        right, path = written("certify, KNNScale")
        with settings(SETTINGS[name][0]):
            assert_same(js.recertify(path, NOISES["KNNScale"], Fixed(n=128, n0=16), x=X), right)


KEYS = {
    **{f"{impl}, typed": jax.random.key(5, impl=impl) for impl in ("threefry2x32", "rbg", "unsafe_rbg")},
    **{
        f"{impl}, legacy": np.asarray(jax.random.key_data(jax.random.key(5, impl=impl)))
        for impl in ("threefry2x32", "rbg", "unsafe_rbg")
    },
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_the_same_whatever_the_default_generator(name, tmp_path):
    count = lambda: np.asarray(js.count_votes(KEYS[name], CLASSIFY, NOISE, X, 64, batch_size=64).counts)
    certify = lambda: js.certify(KEYS[name], CLASSIFY, NOISE, X, n0=16, n=64, ledger=tmp_path / "votes.jsonl")
    counts, certificates = count(), certify()
    for impl in ("rbg", "unsafe_rbg"):
        with settings({"jax_default_prng_impl": impl}):
            np.testing.assert_array_equal(count(), counts)
            assert_same(certify(), certificates)
    same = "threefry2x32, typed" if "threefry" in name else "rbg, typed"
    np.testing.assert_array_equal(counts, js.count_votes(KEYS[same], CLASSIFY, NOISE, X, 64, batch_size=64).counts)


@jax.tree_util.register_pytree_node_class
class DrawnByJax:
    """A noise of one's own, whose draws are those of ``jax.random``."""

    def __init__(self, sigma):
        self.sigma = sigma

    def tree_flatten(self):
        return (self.sigma,), None

    @classmethod
    def tree_unflatten(cls, _, leaves):
        return cls(*leaves)

    def at(self, x):
        return DrawnByJax(jnp.broadcast_to(self.sigma, x.shape[:1]))

    def scale(self, dim):
        return self.sigma

    def sample(self, key, shape):
        return self.sigma * jax.random.normal(key, shape, jnp.float32)


RANDOM = {
    "noise": lambda ledger: js.predict(KEY, CLASSIFY, DrawnByJax(jnp.float32(0.5)), X, n=32, ledger=ledger),
    "classifier": lambda ledger: js.predict(
        KEY, lambda b: b @ WEIGHTS + jax.random.uniform(jax.random.key(0), (1, 3)), NOISE, X, n=32, ledger=ledger
    ),
}


@pytest.mark.parametrize("setting", [{"jax_default_prng_impl": "rbg"}, {"jax_threefry_partitionable": False}])
@pytest.mark.parametrize("drawn", RANDOM)
def test_who_calls_jax_random_depends_on_its_settings(drawn, setting, tmp_path):
    path = tmp_path / "votes.jsonl"
    RANDOM[drawn](path)
    with settings(setting), pytest.raises(ValueError, match=f"its {next(iter(setting))[4:]} is"):
        RANDOM[drawn](path)


def test_a_mesh_goes_on_with_the_ledger_of_one_device(written, tmp_path):
    for i, verb in enumerate(("certify", "certify_curve")):
        right, ledger = written(verb)
        shutil.copy(ledger, tmp_path / str(i))
        (tmp_path / str(i)).write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:4]))
        assert_same(VERBS[verb](ledger=tmp_path / str(i), batch_size=8, mesh=jax.make_mesh((8,), ("draws",))), right)


SIMULATIONS = {
    "cone_rate_mc": lambda: np.append(*js.diagnostics.cone_rate_mc(KEY, 0.8, 6, 200)[::-1]),
    "ball_field": lambda: js.diagnostics.ball_field(KEY, 3, 1, 40, trials=100),
}


@pytest.mark.parametrize("name", ["rbg", "not partitionable", "all that check, another device", "x64"])
@pytest.mark.parametrize("simulation", SIMULATIONS)
def test_simulations(simulation, name):
    usual = SIMULATIONS[simulation]()
    with settings(SETTINGS[name][0]):
        np.testing.assert_array_equal(SIMULATIONS[simulation](), usual)


OBJECTIVES = {
    "GaussianAugmentation": js.objectives.GaussianAugmentation(),
    "Stability": js.objectives.Stability(),
    "noisy Stability": js.objectives.Stability(num_samples=2, kind="noisy_noisy"),
    "Consistency": js.objectives.Consistency(lam=np.float64(5.0), eta=0.5),
    "SmoothAdv l2": js.objectives.SmoothAdv(steps=2),
    "SmoothAdv l1": js.objectives.SmoothAdv(steps=2, norm=1, objective=js.objectives.Consistency()),
    "SmoothAdv linf": js.objectives.SmoothAdv(js.objectives.Ramp(np.float64(0.1), 3, 0.05), steps=2, norm=np.inf),
    "SmoothAdv ddn": js.objectives.SmoothAdv(steps=2, attack="ddn"),
    "MACER": js.objectives.MACER(js.objectives.Deferred(np.float64(4.0), 1)),
    "SmoothMix": js.objectives.SmoothMix(steps=2),
    "CatRS": js.objectives.CatRS(),
    "CatRS, teacher": js.objectives.CatRS(confidence="teacher"),
}


def losses():
    labels, targets = jnp.array([0, 1, 2], jnp.int32), np.full((3, 3), 1 / 3, np.float32)

    @jax.jit
    def run(x, labels):
        call = lambda objective: objective(KEY, CLASSIFY, NOISE, x, labels, targets=targets, step=1)
        return {name: call(objective) for name, objective in OBJECTIVES.items()}

    return jax.tree.map(np.asarray, run(X[:3], labels))


@pytest.fixture(scope="module")
def usual_losses():
    return losses()


LITTLE_TO_SEE = ("unsafe_rbg", "precision", "x64")
# By default the one that changes types and refuses most.
STRICTEST = ("x64, strict promotion",)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in STRICTEST else pytest.mark.slow)
        for name in SETTINGS
        if name not in LITTLE_TO_SEE
    ],
)
def test_every_objective(name, usual_losses):
    with settings(SETTINGS[name][0]):
        found = losses()
    for objective in OBJECTIVES:
        one, other = jax.tree.leaves(found[objective]), jax.tree.leaves(usual_losses[objective])
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5, err_msg=objective)
            assert a.dtype == b.dtype, objective
