"""What a function reads, however it reads it, is seen to change: by name, through modules, through classes."""

import builtins
import collections
import contextlib
import enum
import functools
import os
import pathlib
import re
import sys
import tempfile
import threading
import types
import typing

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxsmooth as js
from jaxsmooth._program import find_program
from jaxsmooth._referred import Referred
from jaxsmooth.sampling.kernel import scored

X = np.zeros((1, 2), np.float32)


def program_of(classify):
    return find_program(scored, classify, X).program


def scores(sign, x):
    return jnp.broadcast_to(jnp.array([1.0 * sign, 0.0]), (len(x), 2))


def module(name, **members):
    made = types.ModuleType(name)
    vars(made).update(members)
    return made


@pytest.fixture
def settings(monkeypatch):
    """A module of a user, also in a package, and what sets its sign to another one."""
    made, package = module("settings_of_a_user", SIGN=1.0), module("package_of_a_user", __path__=[])
    vars(package)["settings_of_a_user"] = made
    monkeypatch.setitem(sys.modules, "package_of_a_user", package)
    for name in ("settings_of_a_user", "package_of_a_user.settings_of_a_user"):
        monkeypatch.setitem(sys.modules, name, made)
    monkeypatch.setitem(globals(), "SETTINGS", made)
    monkeypatch.setitem(globals(), "PACKAGE", package)
    return made


SETTINGS = PACKAGE = module("nothing")
NUMBER = 1.0
IN_A_PACKAGE = {"__package__": "package_of_a_user", "scores": scores}
exec(
    "def relative(x):\n    from . import settings_of_a_user\n    return scores(settings_of_a_user.SIGN, x)",
    IN_A_PACKAGE,
)


def imported(x):
    import settings_of_a_user  # pyright: ignore[reportMissingImports]

    return scores(settings_of_a_user.SIGN, x)


def imported_from(x):
    from settings_of_a_user import SIGN  # pyright: ignore[reportMissingImports]

    return scores(SIGN, x)


def imported_inside(x):
    import package_of_a_user.settings_of_a_user as inside  # pyright: ignore[reportMissingImports]

    return (lambda: scores(inside.SIGN, x))()


class Holds:
    def __init__(self, held):
        self.held = held

    def __call__(self, x):
        return scores(self.held.SIGN, x)


def sign_of(read):
    return read.SIGN


# Functions that read the sign of the module.
OF_MODULES = {
    "imported": lambda _: imported,
    "imported from": lambda _: imported_from,
    "imported from a package": lambda _: imported_inside,
    "imported from its own package": lambda _: IN_A_PACKAGE["relative"],
    "a global": lambda _: lambda x: scores(SETTINGS.SIGN, x),
    "inside another": lambda _: lambda x: scores(PACKAGE.settings_of_a_user.SIGN, x),
    "getattr": lambda _: lambda x: scores(getattr(SETTINGS, "SI" + "GN"), x),
    "vars": lambda _: lambda x: scores(vars(SETTINGS)["SIGN"], x),
    "passed on": lambda _: lambda x: scores(sign_of(SETTINGS), x),
    "under another name": lambda _: lambda x: (lambda other: scores(other.SIGN, x))(SETTINGS),
    "a cell": lambda settings: lambda x: scores(settings.SIGN, x),
    "a default": lambda settings: lambda x, settings=settings: scores(settings.SIGN, x),
    "an attribute": Holds,
    "an attribute of a package": lambda _: lambda x: Holds(PACKAGE.settings_of_a_user)(x),
    "in a list": lambda settings: (lambda held: lambda x: scores(held[0].SIGN, x))([settings]),
    "the modules": lambda _: lambda x: scores(sys.modules["settings_of_a_user"].SIGN, x),
}


@pytest.mark.parametrize("way", OF_MODULES)
def test_modules_are_what_they_are_at_the_moment(settings, way):
    classify = jax.tree_util.Partial(OF_MODULES[way](settings))
    before = program_of(classify)
    assert program_of(classify) == before
    settings.SIGN = -1.0
    assert program_of(classify) != before


class Members(list):
    SIGN = 1.0


class Named(dict):
    SIGN = 1.0


class Whole(int):
    SIGN = 1.0


class Part(functools.partial):
    SIGN = 1.0


class Choice(enum.Enum):
    ONE = 1


class Meta(type):
    sign = 1.0

    @property
    def SIGN(cls):
        return Meta.sign


class OfMeta(metaclass=Meta):
    pass


class Private:
    __slots__ = ("__sign",)

    def __init__(self):
        self.__sign = 1.0

    @property
    def SIGN(self):
        return self.__sign

    @SIGN.setter
    def SIGN(self, value):
        self.__sign = value


class Asked:
    """Raises what no attribute should."""

    def __init__(self):
        self.values = {"SIGN": 1.0}

    def __getattr__(self, name):
        return self.__dict__["values"][name]


class First(typing.NamedTuple):
    scale: float

    def __call__(self, x):
        return scores(self.scale, x)


class Second(First):
    def __call__(self, x):
        return -scores(self.scale, x)


def negated(method, arguments, keywords, context):
    return -method(*arguments, **keywords)


class Lazy:
    """Builds what it is made of when it is first called."""

    def __init__(self):
        self.layers, self.sizes, self.width = [], [], 0

    def __call__(self, x):
        if not self.layers:
            self.layers.append({"sign": np.float32(1)})
            self.sizes.append(2)
            self.width = 3
        return sum(layer["sign"] for layer in self.layers) * sum(self.sizes) * self.width * scores(1.0, x)


def set_sign(held):
    classify = Holds(held)
    return classify, lambda: setattr(classify.held, "SIGN", -1.0)


def of_masked():
    masked = np.ma.array([1.0, -1.0], mask=[False, True])
    return lambda x: scores(float(masked.sum()), x), lambda: setattr(masked, "mask", [True, False])


def of_bytes():
    held = bytearray(b"\x01")
    return lambda x: scores(1.0 if held[0] else -1.0, x), lambda: held.__setitem__(0, 0)


def of_named_tuple():
    held = [First(1.0)]
    return lambda x: held[0](x), lambda: held.__setitem__(0, Second(1.0))


class Queue(collections.deque):
    """Keeps what is in no attribute."""


class OfThread(threading.local):
    SIGN = 1.0


def of_queue():
    held = Queue([1.0])
    return lambda x: scores(held[0], x), lambda: held.__setitem__(0, -1.0)


def of_tensor():
    tensor = pytest.importorskip("torch").ones(1)
    return lambda x: scores(float(tensor.numpy()[0]), x), tensor.neg_


def of_default():
    held = collections.defaultdict(lambda: 1.0)
    change = lambda: (held.clear(), setattr(held, "default_factory", lambda: -1.0))
    return lambda x: scores(held.default_factory(), x), change


@jax.tree_util.register_pytree_node_class
class Reads:
    """A pytree whose method reads a global."""

    def tree_flatten(self):
        return (), None

    @classmethod
    def tree_unflatten(cls, _, leaves):
        return cls()

    def __call__(self, x):
        return scores(NUMBER, x)


def of_structure():
    return js.interop.from_pytree(Reads()), lambda: globals().update(NUMBER=NUMBER - 2)


def of_cached(cache):
    made = cache(lambda: types.SimpleNamespace(sign=1.0))
    return lambda x: scores(made().sign, x), lambda: setattr(made(), "sign", -1.0)


def of_installed(stack):
    """A function of the user reads it; what is inside of a package is known not to change."""
    relu = nn.relu
    stack.callback(setattr, nn, "relu", relu)
    return lambda x: scores(nn.relu(1.0), x), lambda: setattr(nn, "relu", lambda x: -relu(x))


def of_pattern():
    held = {"pattern": re.compile("a")}
    return lambda x: scores(1.0 if held["pattern"].match("a") else -1.0, x), lambda: held.update(
        pattern=re.compile("b")
    )


def of_builtin(stack):
    vars(builtins)["SIGN_OF_ALL"] = 1.0
    stack.callback(vars(builtins).pop, "SIGN_OF_ALL")
    return lambda x: scores(SIGN_OF_ALL, x), lambda: vars(builtins).update(SIGN_OF_ALL=-1.0)  # noqa: F821


def of_file():
    path = pathlib.Path(tempfile.mkdtemp()) / "sign"
    path.write_text("1.0")
    return lambda x: scores(float(path.read_text()), x), lambda: path.write_text("-1.0")


def of_lazy(change):
    made = Lazy()
    return made, lambda: change(made)


def of_policy(stack):
    hk, jmp = pytest.importorskip("haiku"), pytest.importorskip("jmp")
    transformed = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(2)(x)))
    variables = transformed.init(jax.random.key(0), X)
    stack.callback(hk.mixed_precision.clear_policy, hk.Linear)
    half = jmp.get_policy("params=float32,compute=bfloat16,output=bfloat16")
    return functools.partial(transformed.apply, variables), lambda: hk.mixed_precision.set_policy(hk.Linear, half)


def of_interceptors(stack):
    net = nn.Dense(2)
    variables = net.init(jax.random.key(0), X)
    return lambda x: net.apply(variables, x), lambda: stack.enter_context(nn.intercept_methods(negated))


OTHERS = {
    "globals": lambda _: (lambda x: scores(globals()["NUMBER"], x), lambda: globals().update(NUMBER=NUMBER - 2)),
    "the environment": lambda _: (
        lambda x: scores(float(os.environ.get("SIGN_OF_A_TEST", "1")), x),
        lambda: os.environ.update(SIGN_OF_A_TEST="-1"),
    ),
    "a list with attributes": lambda _: set_sign(Members()),
    "a dictionary with attributes": lambda _: set_sign(Named()),
    "an integer with attributes": lambda _: set_sign(Whole(3)),
    "a partial with attributes": lambda _: set_sign(Part(print)),
    "a member with attributes": lambda _: (setattr(Choice.ONE, "SIGN", 1.0), set_sign(Choice.ONE))[1],
    "a private slot": lambda _: set_sign(Private()),
    "a class of its class": lambda _: (Holds(OfMeta), lambda: setattr(Meta, "sign", -Meta.sign)),
    "a tuple of another class": lambda _: of_named_tuple(),
    "a mask": lambda _: of_masked(),
    "a queue with attributes": lambda _: of_queue(),
    "what a thread has": lambda _: set_sign(OfThread()),
    "a tensor": lambda _: of_tensor(),
    "what a dictionary makes": lambda _: of_default(),
    "bytes": lambda _: of_bytes(),
    "layers made late": lambda _: of_lazy(lambda net: net.layers[0].update(sign=np.float32(-1))),
    "other layers made late": lambda _: of_lazy(lambda net: net.layers.__setitem__(0, {"sign": np.float32(-1)})),
    "another layer": lambda _: of_lazy(lambda net: net.layers.append({"sign": np.float32(-1)})),
    "a number counted on": lambda _: of_lazy(lambda net: setattr(net, "width", 6)),
    "numbers appended": lambda _: of_lazy(lambda net: net.sizes.append(-5)),
    "a structure": lambda _: of_structure(),
    "what was cached": lambda _: of_cached(functools.cache),
    "what was cached of late": lambda _: of_cached(functools.lru_cache(4)),
    "an installed package": of_installed,
    "a file": lambda _: of_file(),
    "a builtin": of_builtin,
    "a pattern": lambda _: of_pattern(),
    "a list of numbers made late": lambda _: of_lazy(lambda net: net.sizes.__setitem__(0, 1)),
    "a number made late": lambda _: of_lazy(lambda net: setattr(net, "width", 4)),
    "interceptors of Flax": of_interceptors,
    "policies of Haiku": of_policy,
}


@pytest.mark.parametrize("way", OTHERS)
def test_what_is_read_is_what_it_is_at_the_moment(way, monkeypatch):
    monkeypatch.setenv("SIGN_OF_A_TEST", "1")
    with contextlib.ExitStack() as stack:
        made, change = OTHERS[way](stack)
        classify = jax.tree_util.Partial(lambda x: made(x))
        before = program_of(classify)
        assert program_of(classify) == before
        change()
        assert program_of(classify) != before


def nested(depth):
    inside = lambda x: x
    for _ in range(depth):
        inside = (lambda f: lambda x: f(x))(inside)
    return inside


@pytest.mark.parametrize(
    ("classify", "complete"), [(Holds(Asked()), True), (nested(300), False)], ids=["KeyError", "deep"]
)
def test_what_cannot_be_looked_at_is_traced(classify, complete):
    classify = jax.tree_util.Partial(lambda x, held=classify: held(x))
    assert Referred(classify).complete == complete
    assert program_of(classify) == program_of(classify)


def test_models_of_libraries_are_looked_at_whole():
    """So that the next call of the same one needs no trace."""
    from_nnx = lambda: js.interop.from_nnx(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))
    from_linen = js.interop.from_linen(nn.Dense(2), nn.Dense(2).init(jax.random.key(0), X))
    assert all(Referred(model).complete for model in (from_nnx(), from_linen))
    assert Referred(from_nnx()).parts == Referred(from_nnx()).parts


def test_packages_without_a_file_are_followed(monkeypatch):
    """A folder is a package, too, and may be a user's."""
    package = module("folder", settings=module("folder.settings", SIGN=1.0), __path__=["/nowhere/folder"])
    vars(package)["__spec__"] = types.SimpleNamespace(submodule_search_locations=["/nowhere/folder"], origin=None)
    monkeypatch.setitem(globals(), "PACKAGE", package)
    classify = jax.tree_util.Partial(lambda x: scores(PACKAGE.settings.SIGN, x))
    before = program_of(classify)
    package.settings.SIGN = -1.0
    assert program_of(classify) != before


def test_what_a_trace_depends_on_beside_its_arguments_is_looked_at():
    """The settings of JAX, and whether a number takes the type of what it meets."""
    made = lambda x: jnp.zeros(len(x))
    kinds = [find_program(made, X).results.dtype]
    with jax.enable_x64(True):
        kinds.append(find_program(made, X).results.dtype)
    scaled, half = lambda x, scale: x * scale, jnp.zeros(1, jnp.bfloat16)
    kinds += [find_program(scaled, half, jnp.asarray(one)).results.dtype for one in (np.float32(1), 1.0)]
    assert kinds == [jnp.float32, jnp.float64, jnp.float32, jnp.bfloat16]


def test_modules_are_looked_at_in_what_is_read_of_them_alone(settings):
    """Data beside what a function reads would be looked at in every call."""
    settings.data = object()
    reads = lambda classify: any(part is settings.data for part, _ in Referred(classify)._visited.values())
    assert not reads(jax.tree_util.Partial(lambda x: scores(SETTINGS.SIGN, x)))
    assert reads(jax.tree_util.Partial(lambda x: scores(sign_of(SETTINGS), x)))


def test_scalars_of_numpy_are_known_by_their_value():
    """Not by where they lie: another one may lie there next."""
    held = types.SimpleNamespace(sign=np.float32(1))
    classify = jax.tree_util.Partial(lambda x: scores(held.sign, x))
    before, lain = program_of(classify), id(held.sign)
    for _ in range(1000):
        held.sign = None
        held.sign = np.float32(-1)
        if id(held.sign) == lain:
            break
    assert program_of(classify) != before
    held.sign = np.float32(1)
    assert program_of(classify) == before
