"""A proof, read off the program of a classifier, that every row of scores depends on its own input alone.

An abstract interpretation of the jaxpr: a value is either batched, slice i along one axis being the same function of
input row i for every i; or unbatched, the same whatever the batch is; or nothing is known of it. Where a rule is
missing nothing is known, so that True is a proof and False is none.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxsmooth._classifier import takes_keys
from jaxsmooth._program import jaxpr_of
from jaxsmooth._types import Classify
from jaxsmooth.sampling.kernel import scored


@dataclasses.dataclass(frozen=True)
class Batched:
    """Slice i along ``axis`` is the same function of input row i for every i."""

    axis: int


@dataclasses.dataclass(frozen=True)
class Unbatched:
    """Independent of the batch; constant along the axes in ``same``."""

    same: frozenset[int] = frozenset()


_Value = Batched | Unbatched | None  # None: nothing is known
_Rule = Callable[[list[_Value], list[Any], dict[str, Any]], _Value]

_ELEMENTWISE = frozenset(
    "abs acos acosh add and asin asinh atan atan2 atanh cbrt ceil clamp clz convert_element_type copy copy_p cos cosh "
    "digamma div eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt integer_pow is_finite le le_to lgamma log log1p "
    "logistic lt lt_to max min mul ne neg nextafter not or population_count pow pvary real reduce_precision rem round "
    "rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub "
    "tan tanh xor".split()
)
_REDUCTIONS = frozenset(
    "argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum reduce_xor".split()
)
_CUMULATIVE = frozenset("cumlogsumexp cummax cummin cumprod cumsum".split())
_CALLS = frozenset(
    "checkpoint closed_call core_call core_closed_call custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr jit pjit "
    "remat remat2".split()
)
_WINDOWS = frozenset("reduce_window_max reduce_window_min reduce_window_sum".split())
# Batches of which rows are proved independent: each of two groups of two rows is a row alone, as one of six is not.
_SIZES = (2, 12)


def rows_are_independent(classify: Classify, event: tuple[int, ...], traced: core.ClosedJaxpr | None = None) -> bool:
    """Whether the program of the classifier proves that rows of scores depend on their own inputs alone.

    Args:
        classify: the classifier.
        event: the shape of an image.
        traced: its program of two rows without keys, if it is there.
    """
    return all(_is_proved(classify, event, size, traced if size == _SIZES[0] else None) for size in _SIZES)


def _is_proved(classify: Classify, event: tuple[int, ...], size: int, traced: core.ClosedJaxpr | None) -> bool:
    rows = [jax.ShapeDtypeStruct((size, *event), jnp.float32)]
    if takes_keys(classify):
        rows, traced = [*rows, jax.ShapeDtypeStruct((size, 2), jnp.uint32)], None  # the keys of the rows
    try:
        program = traced or jaxpr_of(scored, classify, *rows)
    except Exception:  # of the classifier, which need not take a batch of this size
        return False
    given: list[_Value] = [*[Unbatched()] * (len(program.jaxpr.invars) - len(rows)), *[Batched(0)] * len(rows)]
    try:
        (scores,) = _run(program.jaxpr, [Unbatched()] * len(program.consts), given)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False  # a primitive that another version of JAX defines in another way
    return scores == Batched(0) or (isinstance(scores, Unbatched) and 0 in scores.same)


def _run(jaxpr: Any, consts: Sequence[_Value], given: Sequence[_Value]) -> list[_Value]:
    """What is known of the results of a jaxpr."""
    known: dict[Any, _Value] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *given], strict=True))
    # A literal is a number, the same everywhere; what JAX may make of arrays is like any constant.
    read = lambda atom: Unbatched() if isinstance(atom, core.Literal) else known[atom]
    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        for variable, value in zip(equation.outvars, _apply(equation, values), strict=True):
            known[variable] = value
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, values: list[_Value]) -> list[_Value]:
    name, params = equation.primitive.name, equation.params
    operands = [atom.aval for atom in equation.invars]
    outputs = len(equation.outvars)
    if equation.effects or "callback" in name or name == "rng_uniform":
        return [None] * outputs
    if name == "scan":
        return _scan(values, params)
    if name == "while":
        return _while(values, params)
    if name == "cond":
        if not isinstance(values[0], Unbatched):
            return [None] * outputs
        branches = [_call(branch, values[1:]) for branch in params["branches"]]
        return [_join(*found) for found in zip(*branches, strict=True)]
    if name in _CALLS:
        inner = next(params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params)
        return _call(inner, values)
    if any(value is None for value in values):
        return [None] * outputs
    if name == "optimization_barrier":
        return values
    if name == "unstack":
        taken, axes = params["axis"], range(len(operands[0].shape))
        return [_moved(values[0], {axis: axis - (axis > taken) for axis in axes if axis != taken})] * outputs
    if name == "threefry2x32":
        return [_together(values, operands)] * outputs
    if name in ("sort", "split", "top_k"):
        axis = params.get("dimension", params.get("axis", len(operands[0].shape) - 1))
        return [_unlike(_together(values, operands), axis)] * outputs
    rule = _RULES.get(name)
    if rule is not None:
        return [rule(values, operands, {**params, "_shape": equation.outvars[0].aval.shape})] * outputs
    return [Unbatched() if all(isinstance(value, Unbatched) for value in values) else None] * outputs


def _call(inner: Any, values: Sequence[_Value]) -> list[_Value]:
    closed = hasattr(inner, "consts")
    jaxpr = inner.jaxpr if closed else inner
    return _run(jaxpr, [Unbatched()] * len(jaxpr.constvars), values)


def _join(*values: _Value) -> _Value:
    """What holds whichever of the values it is."""
    if any(value is None for value in values):
        return None
    axes = {value.axis for value in values if isinstance(value, Batched)}
    unbatched = [value.same for value in values if isinstance(value, Unbatched)]
    if not axes:
        return Unbatched(frozenset.intersection(*unbatched))
    return Batched(*axes) if len(axes) == 1 and all(axes <= same for same in unbatched) else None


def _while(values: list[_Value], params: dict[str, Any]) -> list[_Value]:
    first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    carry = values[second:]
    while True:
        new = [
            _join(*pair) for pair in zip(carry, _call(params["body_jaxpr"], values[first:second] + carry), strict=True)
        ]
        if new == carry:
            break
        carry = new
    (again,) = _call(params["cond_jaxpr"], values[:first] + carry)
    return carry if isinstance(again, Unbatched) else [None] * len(carry)


def _scan(values: list[_Value], params: dict[str, Any]) -> list[_Value]:
    """A loop over a leading axis that is not that of the rows."""
    if "num_consts" in params:
        first, carried = params["num_consts"], params["num_carry"]
    else:  # in JAX 0.12: trees of constants, carry and inputs
        first, carried = (len(list(part)) for part in params["ft_in"].unpack()[:2])
    second = first + carried
    xs = [None if value == Batched(0) else _shifted(value, -1) for value in values[second:]]
    carry = values[first:second]
    while True:
        found = _call(params["jaxpr"], values[:first] + carry + xs)
        new = [_join(*pair) for pair in zip(carry, found[: len(carry)], strict=True)]
        if new == carry:
            return carry + [_shifted(value, 1) for value in found[len(carry) :]]
        carry = new


def _together(values: list[_Value], operands: list[Any]) -> _Value:
    """Operands of one shape, but for axes of length one and scalars, entry by entry."""
    ones = lambda operand: {axis for axis, size in enumerate(operand.shape) if size == 1}
    arrays: list[_Value] = [
        Unbatched(value.same | ones(operand)) if isinstance(value, Unbatched) else value
        for value, operand in zip(values, operands, strict=True)
        if operand.shape
    ]
    return _join(*arrays) if arrays else Unbatched()


def _unlike(value: _Value, *axes: int) -> _Value:
    """What is known if entries along the axes are mixed."""
    if isinstance(value, Unbatched):
        return Unbatched(value.same - set(axes))
    return None if value is None or value.axis in axes else value


def _moved(value: _Value, to: dict[int, int]) -> _Value:
    """What is known if each axis goes to another; None if that of the rows does not stay what it is."""
    if isinstance(value, Unbatched):
        return Unbatched(frozenset(to[axis] for axis in value.same if axis in to))
    return Batched(to[value.axis]) if value is not None and value.axis in to else None


def _shifted(value: _Value, by: int) -> _Value:
    """What is known with an axis more in front, or one less."""
    if isinstance(value, Unbatched):
        return Unbatched(frozenset(axis + by for axis in value.same if axis + by >= 0))
    return None if value is None else Batched(value.axis + by)


def _elementwise(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return _together(values, operands)


def _bitcast(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return values[0] if params["_shape"] == operands[0].shape else None


def _broadcast(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    shape, to = operands[0].shape, params["broadcast_dimensions"]
    kept = {axis: new for axis, new in enumerate(to) if shape[axis] == params["shape"][new]}
    value = _moved(values[0], kept)
    if isinstance(value, Unbatched):
        return Unbatched(value.same | (set(range(len(params["shape"]))) - set(kept.values())))
    return value


def _transpose(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return _moved(values[0], {axis: new for new, axis in enumerate(params["permutation"])})


def _reshape(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    """An axis stays what it is if as many entries come before it, and it is as long."""
    old, new = operands[0].shape, params["new_sizes"]
    if params.get("dimensions") is not None:
        return None
    place = lambda shape: {(math.prod(shape[:i]), size): i for i, size in enumerate(shape) if size != 1}
    places = place(new)
    return _moved(values[0], {i: places[key] for key, i in place(old).items() if key in places})


def _squeeze(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    left = [axis for axis in range(len(operands[0].shape)) if axis not in params["dimensions"]]
    return _moved(values[0], {axis: new for new, axis in enumerate(left)})


def _reduction(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return _squeeze(values, operands, {"dimensions": params["axes"]})


def _cumulative(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return _unlike(values[0], params["axis"])


def _window(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    plain = [
        (size, stride, tuple(pad), base, window) == (1, 1, (0, 0), 1, 1)
        for size, stride, pad, base, window in zip(
            params["window_dimensions"], params["window_strides"], params["padding"], params["base_dilation"],
            params["window_dilation"], strict=True,
        )
    ]  # fmt: skip
    return _unlike(values[0], *(axis for axis, alone in enumerate(plain) if not alone))


def _pad(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    touched = [axis for axis, config in enumerate(params["padding_config"]) if tuple(config) != (0, 0, 0)]
    return _unlike(values[0], *touched) if isinstance(values[1], Unbatched) else None


def _concatenate(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return _unlike(_join(*values), params["dimension"])


def _stack(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    axis, old = params["axis"] % len(params["_shape"]), range(len(operands[0].shape))
    return _moved(_join(*values), {i: i + (i >= axis) for i in old})


def _slice(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    value, shape = values[0], operands[0].shape
    if isinstance(value, Unbatched):
        return value
    strides = params["strides"] or (1,) * len(shape)
    whole = lambda axis: (params["start_indices"][axis], params["limit_indices"][axis], strides[axis])
    return value if value is not None and whole(value.axis) == (0, shape[value.axis], 1) else None


def _dynamic_slice(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    value, shape = values[0], operands[0].shape
    if value is None or not all(isinstance(index, Unbatched) for index in values[1:]):
        return None
    return value if isinstance(value, Unbatched) or params["slice_sizes"][value.axis] == shape[value.axis] else None


def _reverse(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    value = values[0]
    return value if isinstance(value, Unbatched) else _unlike(value, *params["dimensions"])


def _iota(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    return Unbatched(frozenset(range(len(params["shape"]))) - {params["dimension"]})


def _dot(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    (contract_a, contract_b), (batch_a, batch_b) = params["dimension_numbers"]
    free = lambda i, used: [axis for axis in range(len(operands[i].shape)) if axis not in used]
    free_a, free_b = free(0, (*contract_a, *batch_a)), free(1, (*contract_b, *batch_b))
    a = _moved(values[0], {axis: new for new, axis in enumerate([*batch_a, *free_a])})
    after = len(batch_a) + len(free_a)
    places = [*range(len(batch_b)), *range(after, after + len(free_b))]
    b = _moved(values[1], dict(zip([*batch_b, *free_b], places, strict=True)))
    # An axis that only one factor has is one along which the other is the same.
    of_a, of_b = set(range(len(batch_a), after)), set(range(after, after + len(free_b)))
    alike = lambda value, axes: Unbatched(value.same | axes) if isinstance(value, Unbatched) else value
    return _join(alike(a, of_b), alike(b, of_a))


def _convolution(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    image, kernel = values
    numbers = params["dimension_numbers"]
    if not isinstance(kernel, Unbatched) or params["batch_group_count"] != 1:
        return None
    return _moved(image, {numbers.lhs_spec[0]: numbers.out_spec[0]})


def _gather(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    operand, indices = values
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    shape = operands[0].shape
    batching = tuple(numbers.operand_batching_dims)
    kept = [a for a in range(len(shape)) if a not in (*numbers.collapsed_slice_dims, *batching)]
    whole = lambda axis: axis not in numbers.start_index_map and sizes[axis] == shape[axis]
    to = {axis: new for axis, new in zip(kept, numbers.offset_dims, strict=True) if whole(axis)}
    outer = [axis for axis in range(len(params["_shape"])) if axis not in numbers.offset_dims]
    of_index = dict(enumerate(outer))
    paired = dict(zip(batching, (of_index[a] for a in numbers.start_indices_batching_dims), strict=True))
    a, b = _moved(operand, to | paired), _moved(indices, of_index)
    alike = lambda value, axes: Unbatched(value.same | axes) if isinstance(value, Unbatched) else value
    return _join(alike(a, set(outer) - set(paired.values())), alike(b, set(numbers.offset_dims)))


def _scatter(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    operand, indices, updates = values
    numbers, shape = params["dimension_numbers"], operands[0].shape
    inserted = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    kept = [axis for axis in range(len(shape)) if axis not in inserted]
    whole = lambda axis, new: axis not in numbers.scatter_dims_to_operand_dims and operands[2].shape[new] == shape[axis]
    window = {new: axis for axis, new in zip(kept, numbers.update_window_dims, strict=True) if whole(axis, new)}
    into = _moved(updates, window)
    if not isinstance(indices, Unbatched) or into is None:
        return None
    joined = _join(operand, into)
    return joined if isinstance(joined, Unbatched) or (joined is not None and joined.axis in window.values()) else None


def _random(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    """Keys of data, data of keys, and what is drawn from keys: the leading axes of both are the same."""
    lead = min(len(operands[0].shape), len(params["_shape"]))
    return _moved(values[0], {axis: axis for axis in range(lead)})


def _gamma(values: list[_Value], operands: list[Any], params: dict[str, Any]) -> _Value:
    """Entries that share a key are drawn by their place among them."""
    keys, entries = (len(operand.shape) for operand in operands)
    return _join(_random(values[:1], operands, params), _unlike(values[1], *range(keys, entries)))


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(_CUMULATIVE, _cumulative),
    **dict.fromkeys(_WINDOWS, _window),
    **dict.fromkeys(("random_bits", "random_seed", "random_split", "random_unwrap", "random_wrap"), _random),
    "random_fold_in": _elementwise,
    "random_gamma": _gamma,
    **dict.fromkeys(("scatter", "scatter-add", "scatter_add", "scatter_mul", "scatter_max", "scatter_min"), _scatter),
    "bitcast_convert_type": _bitcast,
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "conv_general_dilated": _convolution,
    "dot_general": _dot,
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "iota": _iota,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _reverse,
    "slice": _slice,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
}
