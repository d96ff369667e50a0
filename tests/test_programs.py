"""Programs are found by everything that shapes them: a noise, a classifier or a closure is never run as another's."""

import ast
import collections
import dataclasses
import enum
import functools
import gc
import types
import weakref
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth import _program
from jaxsmooth._program import classes_of, find_program, jit
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._referred import Referred
from jaxsmooth.sampling.kernel import scored

PACKAGE = Path(js.__file__).parent
KEY, X = jax.random.key(0), np.zeros((1, 2), np.float32)

# Jitted functions of arrays alone, made anew for every call, or given their program; every other one takes what users
# make, and goes through ``_program.jit``.
OF_ARRAYS = {
    "scales/neighbours.py", "scales/nearest.py", "diagnostics/measure/cone_samples.py",
    "diagnostics/measure/distances.py",
    "sampling/kernel.py", "sampling/throughput.py", "_program.py", "_keys.py", "noises/random.py",
    "noises/lattice_table.py",
    "_verbs/check_classifier.py", "sampling/batching.py",
}  # fmt: skip


def classes_of_library():
    values = [
        js.noises.Gaussian(1.0), js.noises.Laplace(1.0), js.noises.Uniform(1.0), js.noises.UniformBall(1.0),
        js.noises.Exp1(1.0), js.noises.Exp2(1.0), js.noises.ExpInf(1.0), js.noises.Expp(1.0), js.noises.Pareto(1.0),
        js.noises.Pow2(1.0), js.noises.PowInf(1.0), js.noises.GaussianAt(1.0),
        js.noises.InputDependentGaussian(js.scales.Constant(1.0)), js.scales.Constant(1.0), js.Votes(1, 2),
        js.objectives.GaussianAugmentation(), js.objectives.Stability(), js.objectives.Consistency(),
        js.objectives.MACER(), js.objectives.SmoothMix(), js.objectives.SmoothAdv(), js.objectives.CatRS(),
    ]  # fmt: skip
    return {type(value).__name__: value for value in values}


def registered_dataclass(**members):
    """A class as JAX's own registration makes it: to JAX equal to every other one with these fields."""
    cls = type("Made", (members.pop("base", object),), {"__annotations__": {"sigma": float}, **members})
    return jax.tree_util.register_dataclass(dataclasses.dataclass(frozen=True)(cls))


def constant_noise(value):
    return registered_dataclass(
        base=js.noises.AbstractNoise,
        scale=lambda self, dim: self.sigma,
        sample=lambda self, key, shape: jnp.full(shape, float(value), jnp.float32),
    )(1.0)


def constant_classifier(value, classes):
    return registered_dataclass(
        __call__=lambda self, x: jax.nn.one_hot(jnp.full(len(x), value), classes) + 0 * self.sigma
    )(1.0)


def test_no_class_of_the_library_is_another():
    structures = {name: jax.tree.structure(value) for name, value in classes_of_library().items()}
    names = list(structures)
    assert [(a, b) for i, a in enumerate(names) for b in names[:i] if structures[a] == structures[b]] == []


def test_jax_takes_registered_dataclasses_for_each_other():
    """The fault of JAX that all of this is about: when this fails, its versions have mended it."""
    assert jax.tree.structure(constant_noise(0)) == jax.tree.structure(constant_noise(1))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: (value, 1.0),
        lambda value: {"inside": [value]},
        lambda value: jax.tree_util.Partial(print, value),
        lambda value: js.noises.InputDependentGaussian(js.scales.LipschitzScale(jax.tree_util.Partial(abs, value), 1)),
    ],
    ids=["bare", "tuple", "list in dict", "Partial", "in a noise"],
)
def test_classes_of_users_are_told_apart_at_any_depth(wrap):
    first, second = wrap(constant_classifier(0, 2)), wrap(constant_classifier(1, 2))
    assert jax.tree.structure(first) == jax.tree.structure(second)
    assert classes_of(first) != classes_of(second)
    assert classes_of(first) == classes_of(first)


@pytest.mark.parametrize("number", [8, pytest.param(48, marks=pytest.mark.slow)])
def test_votes_are_those_of_the_class_that_was_asked_for(number):
    # Of 48 classes, five to nine met the program of another one.
    n = 4
    reads = lambda x: jax.nn.one_hot(jnp.round(x[:, 0]).astype(int), number)
    for i in range(number):
        votes = js.count_votes(KEY, reads, constant_noise(i), X, n, batch_size=n)
        assert votes.counts[0, i] == n
    for i in range(number // 2):
        votes = js.count_votes(KEY, constant_classifier(i, number), js.noises.Gaussian(1.0), X, n, batch_size=n)
        assert votes.counts[0, i] == n


@pytest.mark.parametrize("number", [6, pytest.param(32, marks=pytest.mark.slow)])
def test_verbs_are_those_of_the_class_that_was_asked_for(number):
    """Through slots that are refilled, whose structure comes back from a compiled program."""
    reads = lambda x: jax.nn.one_hot(jnp.round(x[:, 0]).astype(int), number)
    for i in range(number):
        assert js.predict(KEY, reads, constant_noise(i), X, n=16, batch_size=16).tolist() == [i]


def test_every_compiled_function_of_users_values_goes_through_one_door():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("jit", "pjit", "pmap")
                and isinstance(node.value, ast.Name)
            ):
                found |= {str(path.relative_to(PACKAGE))} if node.value.id == "jax" else set()
    assert found == OF_ARRAYS


def test_nothing_else_that_remembers_functions_is_given_one_twice():
    """``eval_shape`` and its like find what they traced before as ``jit`` does: each is given a function made anew."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            if name in ("eval_shape", "make_jaxpr", "closure_convert", "linearize") and not isinstance(
                node.args[0], ast.Lambda
            ):
                found.append(f"{path.relative_to(PACKAGE)}: {ast.unparse(node.args[0])}")
    assert found == ["scales/lipschitz.py: self.fn"]  # of arrays alone


def test_static_values_that_python_takes_for_equal_are_other_programs():
    @frozen_pytree
    class Power:
        exponent: object = static(default=1)

    values = [1, 1.0, True, np.float64(1.0), (1,), (1.0,), 0.0, -0.0]
    structures = [jax.tree.structure(Power(value)) for value in values]
    for i, a in enumerate(structures):
        assert [j for j, b in enumerate(structures) if a == b] == [i]
        assert a == jax.tree.structure(Power(values[i])) and hash(a) == hash(jax.tree.structure(Power(values[i])))


class Refers:
    """Ways to refer to weights that JAX does not see: (make a classifier, change its weights)."""

    @staticmethod
    def of_global():
        global WEIGHTS
        WEIGHTS = jnp.array([1.0, 0.0])

        def classify(x):
            return jnp.broadcast_to(WEIGHTS, (len(x), 2))

        def change():
            global WEIGHTS
            WEIGHTS = 1 - WEIGHTS

        return classify, change

    @staticmethod
    def of_cell():
        weights = jnp.array([1.0, 0.0])

        def classify(x):
            return (lambda: jnp.broadcast_to(weights, (len(x), 2)))()

        def change():
            nonlocal weights
            weights = 1 - weights

        return classify, change

    @staticmethod
    def of_array_in_place():
        weights = np.array([1.0, 0.0], np.float32)

        def change():
            weights[:] = 1 - weights

        return lambda x: jnp.broadcast_to(weights, (len(x), 2)), change

    @staticmethod
    def of_dictionary():
        parameters = {"layer": {"bias": jnp.array([1.0, 0.0])}}

        def change():
            parameters["layer"]["bias"] = 1 - parameters["layer"]["bias"]

        return lambda x: jnp.broadcast_to(parameters["layer"]["bias"], (len(x), 2)), change

    @staticmethod
    def of_object():
        class Net:
            def __init__(self):
                self.bias = jnp.array([1.0, 0.0])

            def __call__(self, x):
                return jnp.broadcast_to(self.bias, (len(x), 2))

        net = Net()

        def change():
            net.bias = 1 - net.bias

        return net, change

    @staticmethod
    def of_method():
        net, change = Refers.of_object()
        return net.__call__, change

    @staticmethod
    def of_partial():
        weights = np.array([1.0, 0.0], np.float32)

        def change():
            weights[:] = 1 - weights

        return functools.partial(lambda x, w: jnp.broadcast_to(w, (len(x), 2)), w=weights), change

    @staticmethod
    def of_number():
        sign = 1.0

        def classify(x):
            return jnp.broadcast_to(jnp.array([sign, -sign]), (len(x), 2))

        def change():
            nonlocal sign
            sign = -sign

        return classify, change

    @staticmethod
    def of_integer():
        sign = 1

        def classify(x):
            return jnp.broadcast_to(jnp.array([1.0 * sign, -sign]), (len(x), 2))

        def change():
            nonlocal sign
            sign = -sign

        return classify, change

    @staticmethod
    def of_word():
        way = "up"

        def classify(x):
            return jnp.broadcast_to(jnp.array([1.0, 0.0] if way == "up" else [0.0, 1.0]), (len(x), 2))

        def change():
            nonlocal way
            way = "down"

        return classify, change


def first_or_second(first):
    """Scores for the first class, or for the second."""
    return jnp.array([1.0, 0.0] if first else [0.0, 1.0])


class Mode(enum.Enum):
    FIRST = 1
    SECOND = 2


class Slotted:
    __slots__ = ("bias",)


class WithClassAttribute:
    BIAS = jnp.array([1.0, 0.0])

    def __call__(self, x):
        return jnp.broadcast_to(self.BIAS, (len(x), 2))


class WithMethod:
    def head(self, scores):
        return scores

    def __call__(self, x):
        return jnp.broadcast_to(self.head(jnp.array([1.0, 0.0])), (len(x), 2))


@frozen_pytree
class Signed:
    weights: object
    sign: int = static(default=1)

    def __call__(self, x):
        return self.sign * jnp.broadcast_to(self.weights, (len(x), 2))


# What a classifier reads when it is called, and what sets it: (name, the value at first, the value after).
READ = {
    "a function": (lambda: jnp.array([1.0, 0.0]), lambda: jnp.array([0.0, 1.0]), lambda value: value()),
    "a tuple of integers": ((0, 1), (1, 0), lambda value: jnp.array([1.0, 0.0])[np.array(value)]),
    "a number of NumPy": (np.int64(0), np.int64(1), lambda value: jnp.roll(jnp.array([1.0, 0.0]), int(value))),
    "an Enum": (Mode.FIRST, Mode.SECOND, lambda value: first_or_second(value is Mode.FIRST)),
    "a slice": (slice(None), slice(None, None, -1), lambda value: jnp.array([1.0, 0.0])[value]),
    "a static field": (Signed(jnp.array([1.0, 0.0])), Signed(jnp.array([1.0, 0.0]), -1), lambda value: value(X)[0]),
    "None": (None, 0, lambda value: first_or_second(value is None)),
}
# Where it is kept: what makes a place of a value, and is told another one.
KEPT = {
    "a cell": lambda value: (box := [value], lambda: box[0], lambda new: box.__setitem__(0, new))[1:],
    "a dictionary": lambda value: (
        box := {"value": value}, lambda: box["value"], lambda new: box.update(value=new)
    )[1:],
    "an attribute": lambda value: (
        box := types.SimpleNamespace(value=value), lambda: box.value, lambda new: setattr(box, "value", new)
    )[1:],
    "a slot": lambda value: (
        box := Slotted(), setattr(box, "bias", value), lambda: box.bias, lambda new: setattr(box, "bias", new)
    )[2:],
    "a module": lambda value: (
        box := types.ModuleType("mine"), setattr(box, "value", value), lambda: box.value,
        lambda new: setattr(box, "value", new),
    )[2:],
    "a class": lambda value: (
        box := type("Settings", (), {"value": value}), lambda: box.value, lambda new: setattr(box, "value", new)
    )[1:],
}  # fmt: skip
# What it is wrapped in.
WRAPPED = {
    "nothing": lambda f: f,
    "jax.vmap": lambda f: jax.vmap(lambda x: f(x[None])[0]),
    "functools.wraps": lambda f: functools.wraps(f)(lambda x: f(x)),
    "a partial": lambda f: functools.partial(lambda x, k: f(x), k=1),
    "a Partial": jax.tree_util.Partial,
}
WAYS = [("nothing", kept, "a tuple of integers") for kept in KEPT]
WAYS += [(wrapped, "a dictionary", "a static field") for wrapped in WRAPPED]
WAYS += [("nothing", "a cell", read) for read in READ]


@pytest.mark.parametrize(("wrapped", "kept", "read"), sorted(set(WAYS)))
def test_what_a_function_reads_is_what_it_is_at_the_moment(wrapped, kept, read):
    before, after, use = READ[read]
    get, put = KEPT[kept](before)
    classify = WRAPPED[wrapped](lambda x: jnp.broadcast_to(use(get()), (len(x), 2)))
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    assert count() == [[4, 0]]
    put(after)
    assert count() == [[0, 4]]


@pytest.mark.parametrize(
    ("made", "name", "value"),
    [
        (WithClassAttribute, "BIAS", jnp.array([0.0, 1.0])),
        (WithMethod, "head", lambda self, scores: scores[::-1]),
    ],
)
def test_classes_of_a_classifier_are_what_they_are_at_the_moment(made, name, value, monkeypatch):
    classify = made()
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    assert count() == [[4, 0]]
    monkeypatch.setattr(made, name, value)
    assert count() == [[0, 4]]


SHIFT = 0.0


@frozen_pytree
class ShiftedNoise(js.noises.AbstractNoise):
    sigma: float

    def scale(self, dim):
        return self.sigma

    def sample(self, key, shape):
        return jnp.full(shape, SHIFT)


def test_a_noise_is_what_it_is_at_the_moment(monkeypatch):
    positive = lambda x: jnp.stack([-x.sum(-1), x.sum(-1) - 1], -1)
    count = lambda: js.count_votes(KEY, positive, ShiftedNoise(1.0), X, 4, batch_size=4).counts.tolist()
    label = lambda: js.predict(KEY, positive, ShiftedNoise(1.0), X, n=16, batch_size=16).tolist()
    assert (count(), label()) == ([[4, 0]], [0])
    monkeypatch.setitem(globals(), "SHIFT", 5.0)
    assert (count(), label()) == ([[0, 4]], [1])


def test_one_of_several_names_of_an_object_may_change():
    first, second = [jnp.array([1.0, 0.0])], [jnp.array([0.0, 1.0])]
    kept = {"x": first, "y": second, "z": first}
    classify = lambda x: jnp.broadcast_to(kept["z"][0], (len(x), 2))
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    assert count() == [[4, 0]]
    kept["z"] = second
    assert count() == [[0, 4]]


def test_what_cannot_be_followed_is_traced_again():
    """Objects of extensions, and more of anything than is looked at."""
    many = {"numbers": list(range(30_000)), "sign": 1.0}
    assert not Referred(jax.tree_util.Partial(lambda x: x * many["sign"])).complete
    calls = []
    classify = lambda x: (calls.append(1), many["sign"] * jnp.broadcast_to(jnp.array([1.0, 0.0]), (len(x), 2)))[1]
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    assert count() == [[4, 0]]
    many["sign"] = -1.0
    assert count() == [[0, 4]]


def test_a_program_with_another_callback_is_another():
    call = {"back": lambda x: np.broadcast_to(np.float32([1, 0]), (len(x), 2))}
    result = lambda x: jax.ShapeDtypeStruct((len(x), 2), jnp.float32)
    classify = lambda x: jax.pure_callback(call["back"], result(x), x, vmap_method="broadcast_all")
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    assert count() == [[4, 0]]
    call["back"] = lambda x: np.broadcast_to(np.float32([0, 1]), (len(x), 2))
    assert count() == [[0, 4]]


def program_of(classify):
    return find_program(scored, classify, np.zeros((1, 4), np.float32)).program


def test_what_a_program_is_found_by_does_not_keep_weights():
    def referred_and_a_witness():
        weights = jnp.ones((4, 2))
        classify = jax.tree_util.Partial(lambda x: x @ weights)
        assert Referred(classify).parts == Referred(classify).parts
        return Referred(classify).parts, weakref.ref(weights)

    parts, weights = referred_and_a_witness()
    gc.collect()
    assert weights() is None and parts == parts and parts != referred_and_a_witness()[0]


@pytest.mark.parametrize("way", [name for name in vars(Refers) if name.startswith("of_")])
def test_a_function_is_run_with_the_weights_it_has_now(way):
    classify, change = getattr(Refers, way)()
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    label = lambda: js.predict(KEY, classify, js.noises.Gaussian(1.0), X, n=16, batch_size=16).tolist()
    assert (count(), label()) == ([[4, 0]], [0])
    change()
    assert (count(), label()) == ([[0, 4]], [1])


def test_pytrees_of_other_classes_are_other_classifiers():
    """JAX takes structures of classes with the same fields for equal, which is no reason to run the program of one."""
    made = {}
    for name, sign in {"up": 1.0, "down": -1.0}.items():
        body = {"__call__": lambda self, x, sign=sign: sign * (x @ self.w), "__annotations__": {"w": jax.Array}}
        kind = dataclasses.dataclass(type(name, (), body))
        made[name] = js.interop.from_pytree(jax.tree_util.register_dataclass(kind, ["w"], [])(jnp.eye(4, 2)))
    x = np.array([[3.0, 0.0, 0.0, 0.0]], np.float32)
    label = lambda name: js.predict(KEY, made[name], js.noises.Gaussian(0.1), x, n=16, batch_size=16).tolist()
    assert (label("up"), label("down")) == ([0], [1])


def test_a_ledger_has_votes_of_the_program_that_it_names(tmp_path, monkeypatch):
    """Whatever this process takes for unchanged: the next one traces what there is."""
    held = {"sign": 1.0}
    monkeypatch.setattr(Referred, "__init__", lambda self, *_: vars(self).update(parts={}, complete=True))
    classify = lambda x: held["sign"] * jnp.broadcast_to(jnp.array([1.0, 0.0]), (len(x), 2))
    run = lambda ledger: js.certify(KEY, classify, js.noises.Gaussian(1.0), X, n=100, n0=10, ledger=ledger).label[0]
    assert run(tmp_path / "first") == 0
    held["sign"] = -1.0
    assert run(tmp_path / "second") == 1


@pytest.mark.parametrize("change", [lambda net: setattr(net, "sign", 3), lambda net: net.sizes.append(4)])
def test_what_is_made_at_the_first_call_is_no_counter(change):
    """Though it may be set, later, by as much as it moved then, or appended to."""

    class Net:
        def __init__(self):
            self.sign, self.sizes = 0, []

        def __call__(self, x):
            if not self.sign:
                self.sign = 1
                self.sizes.append(1)
            odds = (2.5 - self.sign) * (2.5 - sum(self.sizes))
            return odds * jnp.broadcast_to(jnp.array([1.0, 0.0]), (len(x), 2))

    net = Net()
    label = lambda: js.predict(KEY, net, js.noises.Gaussian(1.0), X, n=16, batch_size=16).tolist()
    assert label() == [0]
    change(net)
    assert label() == [1]


@pytest.mark.parametrize("before", [False, True], ids=["", "an equal program ran before"])
def test_a_function_that_counts_its_calls_is_traced_once(before):
    calls, number, named = [], {"traces": 0}, 0

    def classify(x):
        nonlocal named
        calls.append(1)
        number["traces"] += 1
        named += 1
        return jnp.stack([x.sum(-1), -x.sum(-1) - before], -1)

    count = lambda sigma: js.count_votes(KEY, classify, js.noises.Gaussian(sigma), X, 4, batch_size=4)
    if before:  # what is known of it is not found out again
        equal = lambda x: jnp.stack([x.sum(-1), -x.sum(-1) - before], -1)
        js.count_votes(KEY, equal, js.noises.Gaussian(1.0), X, 4, batch_size=2)
    count(1.0)
    traced = len(calls)
    count(2.0), count(3.0)
    assert len(calls) == traced == number["traces"] == named


def test_what_is_used_is_not_forgotten_for_what_is_not(monkeypatch):
    monkeypatch.setattr(_program, "_MOST", 2)
    monkeypatch.setattr(_program, "_known", collections.OrderedDict())
    traced = []
    classify = lambda x: traced.append(x.shape) or jnp.stack([x.sum(-1), -x.sum(-1)], -1)
    count = lambda classify, size: js.count_votes(
        KEY, classify, js.noises.Gaussian(1.0), jnp.zeros((1, size)), 4, batch_size=4
    )
    count(classify, 3)
    once = len(traced)
    for size in range(4, 8):
        count(lambda x: jnp.stack([x.sum(-1), -x.sum(-1)], -1), size)
        count(classify, 3)
    assert len(traced) == once
    assert len(_program._known) == 2


def test_python_functions_are_called_back_as_they_are():
    """What a host function refers to is looked up when it runs: no new program for a model that is fitted again."""
    state = {"weights": np.array([1.0, 0.0])}
    classify = js.interop.from_callable(lambda x: np.broadcast_to(state["weights"], (len(x), 2)), 2)
    before = program_of(classify)
    count = lambda: js.count_votes(KEY, classify, js.noises.Gaussian(1.0), X, 4, batch_size=4).counts.tolist()
    assert count() == [[4, 0]]
    state["weights"] = 1 - state["weights"]
    assert count() == [[0, 4]] and program_of(classify) == before


@dataclasses.dataclass(frozen=True)
class Service:
    """Equal to every other one of its name."""

    name: str
    scores: object = dataclasses.field(compare=False)

    def __call__(self, x):
        return np.broadcast_to(np.float32(self.scores), (len(x), 2))


@pytest.mark.parametrize(
    "classifier",
    [
        lambda call: js.interop.from_callable(call, 2),
        lambda call: jax.tree_util.Partial(
            lambda x: jax.pure_callback(call, jax.ShapeDtypeStruct((len(x), 2), jnp.float32), x)
        ),
    ],
    ids=["from_callable", "pure_callback"],
)
def test_what_is_called_back_is_itself_alone(classifier):
    first, second = Service("a", [1, 0]), Service("a", [0, 1])
    assert first == second and program_of(classifier(first)) != program_of(classifier(second))
    assert program_of(classifier(first)) == program_of(classifier(first))
    assert program_of(classifier(first.__call__)) == program_of(classifier(first.__call__))


@pytest.mark.parametrize("frozen", [True, False])
def test_a_dataclass_is_a_classifier_whatever_its_fields_compare(frozen):
    @dataclasses.dataclass(frozen=frozen)
    class Net:
        weights: object

        def __call__(self, x):
            return x @ self.weights

    nets = [Net(sign * jnp.eye(2)) for sign in (1, -1)]
    if frozen:
        labels = [
            js.predict(KEY, net, js.noises.Gaussian(0.1), np.float32([[1, -1]]), n=16, batch_size=16) for net in nets
        ]
        assert np.concatenate(labels).tolist() == [0, 1]
    first, second = (jax.tree.structure(js.soft(net)) for net in nets)
    assert first != second and first == jax.tree.structure(js.soft(nets[0]))


def test_jit_looks_at_every_argument():
    which = jit(lambda values, noise: noise.sample(None, (1,))[0] + values[0])
    assert [float(which([0.0], constant_noise(i))) for i in range(20)] == list(range(20))


OVER, LIMIT = np.zeros(1, np.float32), 0.0


@dataclasses.dataclass(frozen=True)
class Over(js.designs.AbstractBallot):
    """How often the first score is above what its module says at the moment."""

    def check(self, shape, event):
        pass

    def width(self, shape):
        return 2

    def count(self, votes, scores, slot, draw, reference):
        return votes.at[slot, self.above(scores).astype(jnp.int32)].add(1, mode="drop")

    def above(self, scores):
        return scores[:, 0] > OVER[0] + LIMIT


@dataclasses.dataclass(frozen=True)
class Counted(js.designs.AbstractDesign):
    @property
    def ballot(self):
        return Over()

    @property
    def looks(self):
        return np.array([50])

    def init(self, images):
        return {}

    def look(self, rows, look, counts, labels):
        return rows, np.ones(len(look), bool)

    def conclude(self, rows, finished):
        return np.asarray(finished.votes.counts)


def test_what_a_ballot_refers_to_is_looked_up_anew(monkeypatch, tmp_path):
    """Equal ballots are one program to jit, whatever their methods find among the globals of their module."""
    classify, path = lambda batch: batch[:, :2], tmp_path / "votes.jsonl"
    count = lambda **run: next(
        iter(
            js.certify_stream(
                jax.random.key(0), classify, js.noises.Gaussian(1.0), [np.zeros((2, 3), np.float32)], Counted(), **run
            )
        )
    )
    assert (count(ledger=path)[:, 1] > 10).all()
    monkeypatch.setitem(globals(), "LIMIT", 100.0)
    assert count()[:, 0].tolist() == [50, 50]
    monkeypatch.setitem(globals(), "LIMIT", 0.0)
    monkeypatch.setitem(globals(), "OVER", np.full(1, 100.0, np.float32))
    assert count()[:, 0].tolist() == [50, 50]
    with pytest.raises(ValueError, match="belongs to another run: its ballot_digest is"):
        count(ledger=path)
