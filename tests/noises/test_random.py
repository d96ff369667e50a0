"""How random numbers are laid out for each kind of device; their laws are tested with the families."""

import jax
import pytest

import jaxsmooth as js


@pytest.mark.parametrize(("platform", "reduced"), [("cpu", True), ("cuda", False), ("tpu", False)])
def test_an_accelerator_does_not_write_the_halves_of_a_pair_to_memory(platform, reduced):
    """The reduction that makes a CPU compute a pair once is a pass over memory elsewhere."""
    sample = jax.jit(lambda key: js.noises.Gaussian(0.5).sample(key, (64,)))
    program = sample.trace(jax.random.key(0)).lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.reduce" in program) == reduced
