"""Data-parallel training: the same loss and gradient on 1 and 8 devices, without gathering a batch."""

import functools

import chex
import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import jaxsmooth as js
from jaxsmooth import objectives
from tests.objectives.networks import LABELS, TARGETS, VARIABLES, X, normed_eval, normed_train

NOISE = js.noises.Gaussian(0.25)
OBJECTIVES = {
    "gaussian": objectives.GaussianAugmentation(),
    "stability": objectives.Stability(2.0),
    "consistency": objectives.Consistency(10.0, 0.5, 2),
    "smoothmix": objectives.SmoothMix(5.0, 2, 0.5),
    "smoothadv": objectives.SmoothAdv(0.5, 2, objectives.Consistency(1.0, 0.5, 4)),
    "macer": objectives.MACER(4.0, num_samples=4),
    "catrs": objectives.CatRS(1.0, 0.5, 2),
}


SIGMA = jnp.linspace(0.1, 0.5, len(X))


# By default one of each kind: several copies, an attack, a sigma of each image.
DEFAULT = [("consistency", False), ("smoothadv", False), ("macer", True)]
CASES = [*((name, False) for name in OBJECTIVES), ("gaussian", True), ("macer", True)]


@pytest.mark.parametrize(
    ("name", "varying"), [pytest.param(*case, marks=() if case in DEFAULT else pytest.mark.slow) for case in CASES]
)
def test_one_and_eight_devices_agree(name, varying):
    def loss(params, stats, key, x, labels, targets, sigma):
        train, attack = (functools.partial(f, params, stats) for f in (normed_train, normed_eval))
        noise = js.noises.GaussianAt(sigma) if varying else NOISE
        value, aux = OBJECTIVES[name](
            key, train, noise, x, labels, has_state=True, attack_apply=attack, targets=targets
        )
        return value, aux.states

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    everywhere, apart = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("data",)))
    weights = (VARIABLES["params"], VARIABLES["batch_stats"], jax.random.key(0))
    batch = (X, LABELS, TARGETS, SIGMA)
    one = step(*weights, *batch)
    many_inputs = (*jax.device_put(weights, everywhere), *jax.device_put(batch, apart))
    many = step(*many_inputs)
    assert len(many[0][0].sharding.device_set) == 8
    chex.assert_trees_all_close(one, many, rtol=1e-6, atol=1e-6)
    assert "all-gather" not in step.lower(*many_inputs).compile().as_text()
