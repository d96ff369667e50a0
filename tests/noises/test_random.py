"""How random numbers are laid out for each kind of device; their laws are tested with the families."""

import logging

import jax
import numpy as np
import pytest

import jaxsmooth as js
from tests.noises.families import FAMILIES

NOISES = {type(family.noise).__name__: family.noise for family in FAMILIES}
NOISES |= {"LatticeGaussian": js.noises.LatticeGaussian(0.25), "LatticeUniform": js.noises.LatticeUniform(0.25)}


@pytest.mark.parametrize(("platform", "reduced"), [("cpu", True), ("cuda", False), ("tpu", False)])
def test_an_accelerator_does_not_write_the_halves_of_a_pair_to_memory(platform, reduced):
    """The reduction that makes a CPU compute a pair once is a pass over memory elsewhere."""
    sample = jax.jit(lambda key: js.noises.Gaussian(0.5).sample(key, (64,)))
    program = sample.trace(jax.random.key(0)).lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.reduce" in program) == reduced


@pytest.mark.parametrize("name", NOISES)
def test_a_draw_outside_of_a_program_is_compiled_once_and_is_that_inside(name, caplog):
    draw = lambda key: NOISES[name].sample(key, (3, 5))
    first = draw(jax.random.key(3))
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        again = draw(jax.random.key(3))
    assert not [record for record in caplog.records if "XLA compilation" in record.getMessage()]
    np.testing.assert_array_equal(again, first)
    np.testing.assert_allclose(again, jax.jit(draw)(jax.random.key(3)), rtol=1e-6)
