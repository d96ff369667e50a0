"""What is compiled: the network once for all verbs, images, draws and levels."""

import logging
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsmooth as js

KEY, NOISE = jax.random.key(0), js.noises.Gaussian(0.5)
# The compiled functions that hold the network.
WITH_THE_NETWORK = ("count", "count_images", "call")


@pytest.fixture
def compiled():
    """The names of the functions that are compiled from now on."""
    names, logger = [], logging.getLogger("jax._src.dispatch")

    class Handler(logging.Handler):
        def emit(self, record):
            found = re.search(r"Finished XLA compilation of (?:jit\()?(\w+)", record.getMessage())
            names.extend([found[1]] if found else [])

    handler, level, propagate = Handler(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    with jax.log_compiles():
        yield names
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


def network(classes=3):
    """A classifier that no other test has compiled."""
    weights = jax.random.normal(jax.random.key(1), (5, classes))
    return jax.tree_util.Partial(lambda weights, x: jnp.tanh(x) @ weights, weights)


def images(number):
    return np.random.default_rng(number).normal(size=(number, 5)).astype(np.float32)


VERBS = {
    "certify": lambda classify, x: js.certify(KEY, classify, NOISE, x, n=500),
    "certify_curve": lambda classify, x: js.certify_curve(KEY, classify, NOISE, x, [0.0, 0.2], n_max=1000),
    "certify_adaptive": lambda classify, x: js.certify_adaptive(KEY, classify, NOISE, x, n_max=1000),
    "predict": lambda classify, x: js.predict(KEY, classify, NOISE, x),
    "certify_stream": lambda classify, x: list(
        js.certify_stream(KEY, classify, NOISE, [x[:3], x[3:]], js.designs.Fixed(n=500))
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_the_network_is_compiled_once(verb, compiled):
    VERBS[verb](network(), images(7))
    assert [name for name in compiled if name in WITH_THE_NETWORK] == ["count"]


def test_nothing_is_compiled_for_other_images_draws_levels_or_verbs(compiled):
    classify = network()
    VERBS["certify"](classify, images(7))
    for verb in VERBS.values():
        verb(classify, images(7))
    compiled.clear()
    for number in (4, 8, 50, 200):
        for verb in VERBS.values():
            verb(classify, images(number))
    js.certify(KEY, classify, js.noises.Gaussian(0.7), images(9), n=3000, n0=17, alpha=0.01, norm=np.inf)
    js.certify_curve(KEY, classify, NOISE, images(9), [0.1, 0.3, 0.4], labels=np.zeros(9, int), n_max=3000)
    js.certify(KEY, jax.tree_util.Partial(classify.func, 2 * np.asarray(classify.args[0])), NOISE, images(9), n=500)
    assert compiled == []
