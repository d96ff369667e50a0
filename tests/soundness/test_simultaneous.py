"""``simultaneous=True``: with probability 1 - alpha not one certificate of a whole data set is wrong."""

import jax
import numpy as np
import pytest

import jaxsmooth as js
from tests.soundness.half_space import half_space, is_sound

ALPHA = 0.3
SETS, IMAGES, DIM = 20, 50, 4


def sets_with_a_wrong_certificate(simultaneous):
    """Of data sets whose images all lie just nearer to the boundary than the radius that is asked for."""
    classify, w = half_space("one-hot", DIM)
    radius = 0.5
    x = np.broadcast_to(np.float32((radius - 1e-4) * w), (IMAGES, DIM))
    failed = 0
    for seed in range(SETS):
        found = js.certify_curve(
            jax.random.key(seed),
            classify,
            js.noises.Gaussian(0.5),
            x,
            [radius],
            labels=np.ones(IMAGES, int),
            n_max=400,
            alpha=ALPHA,
            simultaneous=simultaneous,
        )
        failed += bool((found.radius >= radius).any())
    return failed


@pytest.mark.parametrize("simultaneous", [True, False])
def test_all_images_together_or_each_by_itself(simultaneous):
    assert is_sound(sets_with_a_wrong_certificate(simultaneous), SETS, ALPHA) == simultaneous
