"""Scores of any type become float32 scores with the same winners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jaxsmooth.interop as interop
from jaxsmooth.interop.winners import as_float32

DTYPES = ["bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64", "longdouble"]


@st.composite
def scores(draw):
    """Rows with numbers that are close, equal, huge, subnormal or infinite."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    any_number = hnp.from_dtype(dtype)
    base = draw(any_number)
    near = st.sampled_from(
        [base, *(np.nextafter(base, dtype.type(v)) for v in (-1, 1))] if dtype.kind == "f" else [base]
    )
    return draw(hnp.arrays(dtype, (4, 3), elements=st.one_of(any_number, near)))


def largest(scores):
    return scores == scores.max(-1, keepdims=True)


@given(scores())
def test_the_largest_scores_stay_the_largest(scores):
    found = as_float32(scores)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(scores))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(scores))
    np.testing.assert_array_equal(largest(found), largest(scores))
    # As programs compare: they take subnormal numbers for 0.
    in_program = np.asarray(jax.jit(lambda s: s == s.max(-1, keepdims=True))(found))
    np.testing.assert_array_equal(in_program, largest(scores))


def test_scores_that_float32_keeps_are_only_rounded():
    scores = np.random.default_rng(0).normal(size=(1000, 10))
    np.testing.assert_array_equal(as_float32(scores), scores.astype(np.float32))
    single = np.float32([[1.0, -np.inf, 2.0], [np.inf, 3.0, np.nan], [0.0, -0.0, -1.0]])
    np.testing.assert_array_equal(as_float32(single), single)


ROWS = {  # every function returns the row for every image
    "differences of 1e-9": np.array([1.0, 1 + 1e-9, 0.0]),
    "a tie": np.array([1 + 1e-9, 0.0, 1 + 1e-9]),
    "above the largest float32": np.array([-1e300, 1e300, 1.1e300]),
    "all below the least float32": np.array([-1.1e300, -1e300, -1e301]),
    "subnormal in float32": np.array([0.0, 1e-40, 2e-40]),
    "subnormal float32": np.float32([0.0, 1e-40, -1e-40]),
    "subnormal in float64": np.array([5e-324, 1e-323, 0.0]),
    "integers": np.array([2**62, 2**62 + 1, -(2**63)]),
    "unsigned integers": np.array([0, 2**64 - 1, 2**64 - 2], np.uint64),
    "truth values": np.array([False, True, False]),
    "masked": np.array([-np.inf, 1.0, 1 + 1e-9]),
    "infinite beside huge": np.array([1e300, np.inf, 2.0]),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("compiled", [False, True])
def test_the_winner_is_that_of_the_function(row, compiled):
    classify = interop.from_callable(lambda x: np.tile(row, (len(x), 1)), 3)
    found = (jax.jit(classify) if compiled else classify)(jnp.zeros((2, 4)))
    np.testing.assert_array_equal(jnp.argmax(found, -1), row.argmax())
