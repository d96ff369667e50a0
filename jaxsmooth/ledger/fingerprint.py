"""What a run is: the fingerprint that keeps the votes of another run out of a ledger."""

import dataclasses
import json
import math
import re
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr
from jax.sharding import Mesh

from jaxsmooth._classifier import classified, parts_with, takes_keys
from jaxsmooth._noise import perturbed_each
from jaxsmooth._processes import from_first_process, gathered
from jaxsmooth._program import checksums, jaxpr_of, primitives, text_of
from jaxsmooth._types import Array, Classify, Noise
from jaxsmooth._version import __version__
from jaxsmooth.ledger.functions import function_digest
from jaxsmooth.ledger.lines import digest


def run_header(
    key_data: Array,
    classify: Classify,
    noise: Noise,
    event: tuple[int, ...],
    classes: int,
    mesh: Mesh | None,
    counted: Mapping[str, Any] = types.MappingProxyType({}),
    kind: str = "hard",
    *,
    shared: bool = False,
) -> dict[str, Any]:
    """Everything that votes depend on, apart from the images: each of these must agree to add votes.

    Classifier and noise are known by their arrays and by their programs as JAX traces them; a Python function that is
    called back from a program, by what it answers. ``counted`` says what is counted, if not winners; ``shared``,
    whether all processes make this call.
    """
    program = _traced_classifier(classify, event)
    return {
        "jaxsmooth": __version__,
        "jax": jax.__version__,
        "devices": sorted({f"{device.platform} {device.device_kind}" for device in _devices(key_data, classify, mesh)}),
        **_settings(program, _traced_noise(noise, event)),
        "key": np.asarray(key_data).tobytes().hex(),
        **noise_header(noise, event),
        **_denoiser(classify),
        "classifier": digest(text_of(program), checksums(classify)),
        **_answers(program, classify, event, shared),
        "event": list(event),
        "classes": classes,
        **counted,
        **({} if kind == "hard" else {"votes": kind}),
    }


def same_answers(one: object, other: object) -> bool:
    """Whether two headers tell of the same answers, but for what other threads or another batch make of them."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one == other
    largest = max(one["largest"], other["largest"])
    near = lambda a, b: (
        a.shape == b.shape and bool(np.all(np.abs(a - b) <= _SAME * max(_size(a), _size(b)) + _ROUNDED * largest))
    )
    parts = ("below", "above", "middle")
    return one["infinite"] == other["infinite"] and all(
        near(*map(np.array, (one[name], other[name]))) for name in parts
    )


def _size(values: np.ndarray) -> float:
    return math.sqrt(np.mean(values**2))


def _answers(program: ClosedJaxpr, classify: Classify, event: tuple[int, ...], shared: bool) -> dict[str, Any]:
    """What a classifier that calls Python answers to inputs that are always the same.

    No program holds the weights of such a function, and other weights answer otherwise.
    """
    on_one = all(getattr(leaf, "is_fully_addressable", True) for leaf in jax.tree.leaves(classify))
    if not on_one or not any(name.endswith("callback") for name in primitives(program)):
        return {}
    if not shared:
        return {"answers": _asked(classify, event)}
    found, error = None, None
    try:
        found = _asked(classify, event)
    except Exception as raised:  # of one process, which must not leave the others waiting
        error = raised
    first = from_first_process(json.dumps(found).encode())
    same = found is not None and same_answers(found, json.loads(first))
    if not gathered(np.array([same])).all():
        raise error or ValueError(
            "classify must answer alike in every process; a Python function that it calls does not"
        )
    return {"answers": json.loads(first)}


def _asked(classify: Classify, event: tuple[int, ...]) -> dict[str, Any] | str:
    """The answers in a few numbers, or that they are others in every call."""
    images = max(2, min(_INPUTS, _NUMBERS // max(1, math.prod(event))))
    x = (0.5 + 0.25 * np.random.default_rng(0).standard_normal((images, *event))).astype(np.float32)

    def ask() -> dict[str, Any]:
        data = jnp.arange(2 * images, dtype=jnp.uint32).reshape(images, 2)
        keys = jax.random.wrap_key_data(data, impl="threefry2x32")
        scores = classified(classify, jnp.asarray(x), keys if takes_keys(classify) else None)
        return _in_a_few_numbers(np.asarray(scores, np.float64).reshape(images, -1))

    once, again = ask(), ask()
    return once if same_answers(once, again) else "others in every call"


def _in_a_few_numbers(scores: np.ndarray) -> dict[str, Any]:
    """Of each input the largest score, and a sum over the others, which one that is masked does not dominate."""
    finite = np.isfinite(scores)
    top = np.max(scores, axis=1, where=finite, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    below = np.arcsinh(np.where(finite, scores, top[:, None]) - top[:, None])
    along = np.random.default_rng(1).standard_normal(scores.shape[1]) / math.sqrt(scores.shape[1])
    numbers = {"below": below @ along, "above": top - np.median(top), "middle": np.median(top)[None]}
    rounded = {name: [float(f"{value:.9g}") for value in part] for name, part in numbers.items()}
    infinite = np.where(np.isnan(scores), 2, np.sign(scores) * ~finite).astype(np.int8)
    return {**rounded, "largest": float(np.abs(top).max()), "infinite": digest(infinite.tobytes())}


# How many inputs, of how many numbers together; which part of what numbers differ by is the same answer, and which of
# the largest score may be rounding.
_INPUTS, _NUMBERS, _SAME, _ROUNDED = 16, 2**22, 1e-3, 4e-6


def noise_header(noise: Noise, event: tuple[int, ...]) -> dict[str, str]:
    """The noise in words, and the digest of its arrays and of the programs that find and draw it."""
    known_by = digest(text_of(_traced_noise(noise, event)), checksums(noise))
    return {"noise": _noise_in_words(noise), "noise_digest": known_by}


def _denoiser(classify: Classify) -> dict[str, str]:
    """What denoisers say of their settings; the digest of the classifier knows them, and says nothing."""
    settings = [part.setting_in_words for part in parts_with(classify, "setting_in_words")]
    return {"denoiser": "; ".join(settings)} if settings else {}


def ballot_header(ballot: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """What is counted: the ballot in words, and of one that is not of the library the digest of its program, too."""
    width, program = ballot.width(shape), traced_ballot(ballot, shape)
    said = {"ballot": repr(ballot), "shape": list(shape), "width": width, "first": ballot.selecting}
    said |= functions_header(ballot)
    return said if program is None else {**said, "ballot_digest": digest(text_of(program))}


def functions_header(ballot: Any) -> dict[str, str]:
    """The digests of the functions by which a ballot chooses, such as a rule that coarsens: words are their names."""
    fields = dataclasses.fields(ballot) if dataclasses.is_dataclass(ballot) else ()
    held = [(field.name, getattr(ballot, field.name)) for field in fields]
    found = ", ".join(f"{name} {function_digest(value)}" for name, value in held if callable(value))
    return {"ballot_functions": found} if found else {}


def traced_ballot(ballot: Any, shape: tuple[int, ...]) -> ClosedJaxpr | None:
    """How a ballot counts scores of this shape; None of one of the library, whose fields say it."""
    if type(ballot).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return None
    width, number = ballot.width(shape), jax.ShapeDtypeStruct((2,), jnp.int32)
    votes, chosen = (jax.ShapeDtypeStruct((2, size), jnp.int32) for size in (width + 1, width))
    scores = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    return jaxpr_of(ballot.count, votes, scores, number, number, chosen if ballot.selecting else None)


def _settings(*programs: ClosedJaxpr) -> dict[str, Any]:
    """The settings of JAX that can change a draw or a score, by their names without ``jax_``.

    Other settings change neither; those of ``jax.random`` matter where a classifier or a noise calls it, since
    this library draws by ``_keys``. What compiles differently rounds differently.
    """
    found: dict[str, Any] = {
        "matmul_precision": _setting("jax_default_matmul_precision") or "default",
        "x64": bool(_setting("jax_enable_x64")),
        "disable_jit": bool(_setting("jax_disable_jit")),
        "disable_most_optimizations": bool(jax.config.read("jax_disable_most_optimizations")),
    }
    if any(name in _RANDOM for program in programs for name in primitives(program)):
        found["default_prng_impl"] = str(_setting("jax_default_prng_impl"))
        found["threefry_partitionable"] = bool(_setting("jax_threefry_partitionable"))
    return found


# What the primitives of jax.random do depends on its settings; to wrap key data or fold a number in does not.
_RANDOM = ("random_seed", "random_split", "random_bits", "random_gamma", "threefry2x32", "rng_bit_generator")


def _devices(key_data: Array, classify: Classify, mesh: Mesh | None) -> list[Any]:
    """Where votes are counted: on the mesh, where arrays were put on purpose, or on the default device."""
    if mesh is not None:
        return list(mesh.devices.flat)
    put = [leaf for leaf in jax.tree.leaves((key_data, classify)) if getattr(leaf, "committed", False)]
    return list((put[0] if put else jax.device_put(np.float32(0))).devices())


def _traced_classifier(classify: Classify, event: tuple[int, ...]) -> ClosedJaxpr:
    example = jax.ShapeDtypeStruct((2, *event), jnp.float32)
    if not takes_keys(classify):
        return jaxpr_of(lambda classify, x: classify(x), classify, example)
    keyed = lambda classify, x, data: classified(classify, x, jax.random.wrap_key_data(data, impl="threefry2x32"))
    return jaxpr_of(keyed, classify, example, jax.ShapeDtypeStruct((2, 2), jnp.uint32))


def _traced_noise(noise: Noise, event: tuple[int, ...]) -> ClosedJaxpr:
    def draw(noise: Noise, x: Array, data: Array) -> Array:
        key = jax.random.wrap_key_data(data, impl="threefry2x32")
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(2, dtype=jnp.int32))
        return perturbed_each(noise.at(x), keys, x)

    example = jax.ShapeDtypeStruct((2, *event), jnp.float32)
    return jaxpr_of(draw, noise, example, jax.ShapeDtypeStruct((2,), jnp.uint32))


def _noise_in_words(noise: Noise) -> str:
    """The noise as it is drawn: numbers to float32, arrays by digest, so that equal words are the same draws."""
    if dataclasses.is_dataclass(noise) and not isinstance(noise, type):
        values = [(field.name, getattr(noise, field.name)) for field in dataclasses.fields(noise) if field.init]
        return f"{type(noise).__name__}({', '.join(f'{name}={_noise_in_words(value)}' for name, value in values)})"
    if isinstance(noise, jax.Array | np.ndarray | np.generic | float) and np.ndim(noise) == 0:
        return str(np.float32(noise))
    if isinstance(noise, jax.Array | np.ndarray):
        return f"array{list(noise.shape)}:{digest(checksums(noise))}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(noise))[:200]


def image_digest(event: np.ndarray) -> str:
    """The digest of one float32 image."""
    return digest(str(event.shape).encode(), np.ascontiguousarray(event).tobytes())


def _setting(name: str) -> Any:
    return getattr(jax.config, name)
