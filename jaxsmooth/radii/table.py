"""Certification as a table: the radius of every possible count, for use inside compiled programs."""

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Noise
from jaxsmooth.bounds import clopper_pearson_lower
from jaxsmooth.bounds.clopper_pearson import check_can_certify
from jaxsmooth.radii.certified_radius import certified_radius


def radius_table(noise: Noise, *, n: int, alpha: float, norm: float = 2, dim: int | None = None) -> np.ndarray:
    """The certified radius of each count of ``n`` votes, rounded down to float32.

    A count has only ``n + 1`` values, so all of certification is a table: made once on the host in
    float64, gathered on the device by ``certify_batch``, inside any ``jit``, ``vmap`` or ``shard_map``.
    For ``Exp2`` and ``Pow2``, entries of large tables are a little lower, as ``certified_radius`` says.

    Args:
        noise: the noise, with a concrete ``sigma``.
        n: number of votes that estimate the probability.
        alpha: error probability per image, in (0, 1).
        norm: 1, 2 or ``np.inf``.
        dim: the number of coordinates of one input; needed by most rules.

    Returns:
        float32 ``(n + 1,)``: entry k is the radius certified by k votes of n; 0 where none is.

    Raises:
        ValueError: if even n votes of n certify nothing at this ``alpha`` (the message says which n
            would), and as ``certified_radius``.

    Example:
        >>> import jaxsmooth as js
        >>> table = js.radius_table(js.noises.Gaussian(0.25), n=1000, alpha=0.001)
        >>> table[[400, 900, 1000]].round(4)
        array([0.    , 0.2786, 0.6158], dtype=float32)
    """
    noise, n = _check.noise_of_one_sigma(noise), _check.draws("n", n)
    check_can_certify(n, alpha)
    # Half of the counts or fewer never certify: their lower bound is below 1/2.
    majority = np.arange(n // 2 + 1, n + 1)
    radius = certified_radius(noise, clopper_pearson_lower(majority, n, alpha), norm=norm, dim=dim)
    single = radius.astype(np.float32)
    single = np.where(single > radius, np.nextafter(single, np.float32(0)), single)
    return np.concatenate([np.zeros(n // 2 + 1, np.float32), single])
