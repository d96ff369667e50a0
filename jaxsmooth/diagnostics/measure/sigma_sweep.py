"""One base classifier under smoothing noise of several sizes: its votes and its certified radii."""

import functools
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._classifier import takes_keys
from jaxsmooth._printed import short_repr
from jaxsmooth._program import jit
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, ArrayLike, Classify
from jaxsmooth.bounds import clopper_pearson_lower
from jaxsmooth.bounds.clopper_pearson import check_can_certify
from jaxsmooth.diagnostics import arguments
from jaxsmooth.noises import Gaussian
from jaxsmooth.radii import certified_radius
from jaxsmooth.radii.limits import sampling_cap
from jaxsmooth.sampling import count_votes, inputs


@deliberate
def votes_over_sigma(
    key: Array,
    classify: Classify,
    x: ArrayLike,
    sigmas: ArrayLike,
    n: int,
    *,
    first: int = 0,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> np.ndarray:
    """Votes under Gaussian noise of several sizes, the same standard normal numbers for each.

    Sigma is data: there is one program for all of them.

    Args:
        key: a JAX random key.
        classify: the base classifier, see ``count_votes``.
        x: ``(N, *event)``, floating point and finite.
        sigmas: ``(S,)``, standard deviations, at least 0; at 0 the base classifier votes n times, with a key for each
            vote if it takes keys.
        n: votes an image.
        first: number of the first draw.
        image_ids: int32 ``(N,)``, what the noise of an image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: see ``count_votes``; it cannot change the result.

    Returns:
        int32 ``(S, N, K)``; a row with scores that are not finite votes for nobody.

    Raises:
        ValueError: for shapes or values that do not fit.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> sign = lambda x: jnp.stack([x[:, 0], -x[:, 0]], -1)
        >>> votes_over_sigma(jax.random.key(0), sign, jnp.ones((1, 1)), [0.0, 0.1], 50).tolist()
        [[[50, 0]], [[50, 0]]]
    """
    sigmas, classify = arguments.sigmas("sigmas", sigmas), inputs.as_pytree(classify)
    x, key = arguments.events("x", x), _check.typed_key(key)
    # Without noise nothing below looks at these.
    n = _check.draws("n", n)
    first, image_ids = _check.first_draw(first, n), _check.image_ids(image_ids, len(x))
    batch_size = _check.batch_size(batch_size)
    counts = []
    for sigma in sigmas:
        if sigma == 0:
            # One vote tells all of them, unless the classifier draws numbers of its own.
            draws = n if takes_keys(classify) else 1
            votes = (n // draws) * np.asarray(
                _votes_without_noise(key, classify, np.float32(0), x, first, image_ids, n=draws, batch_size=batch_size)
            )
        else:
            votes = count_votes(
                key, classify, Gaussian(float(sigma)), x, n,
                first=first, image_ids=image_ids, batch_size=batch_size, mesh=mesh,
            ).counts  # fmt: skip
        counts.append(np.asarray(votes))
    return np.stack(counts)


def winners(votes: np.ndarray) -> np.ndarray:
    """The class with most votes, ``(..., K)`` to ``(...)``; -1 where nobody was voted for."""
    return np.where(votes.any(-1), votes.argmax(-1), ABSTAIN)


@short_repr
class RadiusOverSigma(NamedTuple):
    """Certificates of one base classifier, smoothed with several sigmas.

    Attributes:
        r: float64 ``(S, N)``, certified l2 radius of the predicted class, 0 where nothing is certified.
        p_lower: float64 ``(S, N)``, lower confidence bound of its probability.
        cap: float64 ``(S,)``, the radius that unanimous votes certify: no curve of measured radii exceeds it.
        label: int32 ``(S, N)``, the certified class; -1 where nothing is certified.
        sigmas: float64 ``(S,)``.
    """

    r: np.ndarray
    p_lower: np.ndarray
    cap: np.ndarray
    label: np.ndarray
    sigmas: np.ndarray

    PROVED_AT_LEAST = ("r", "p_lower", "cap")

    def average(self, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Mean radius over images, both readings of the literature.

        Args:
            labels: int ``(N,)``, the true classes.

        Returns:
            Two float64 ``(S,)``: over all images, 0 where the label is wrong, and over the right ones only; nan where
            none is right.
        """
        right = self.label == arguments.labelled(labels, number=self.r.shape[1])
        total, number = (self.r * right).sum(1), right.sum(1)
        return total / right.shape[1], np.where(number > 0, total / np.maximum(number, 1), np.nan)


@deliberate
def radius_over_sigma(
    key: Array,
    classify: Classify,
    x: ArrayLike,
    sigmas: ArrayLike,
    n: int,
    *,
    alpha: float = 1e-3,
    n0: int = 100,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> RadiusOverSigma:
    r"""Certified l2 radius of every image as sigma grows: the rise along the cap, then the fall.

    For a convex region the true radius only falls with sigma; what rises is the cap :math:`\sigma
    \Phi^{-1}(\alpha^{1/n})` of finitely many votes. Draw both.

    Args:
        key: a JAX random key; the same standard normal noise for every sigma.
        classify: the base classifier, see ``count_votes``.
        x: ``(N, *event)``, floating point and finite.
        sigmas: ``(S,)``, standard deviations of the noise, positive.
        n: votes that estimate the probability.
        alpha: error probability of each certificate, in (0, 1).
        n0: votes that select the class.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: see ``count_votes``; it cannot change the result.

    Returns:
        ``RadiusOverSigma``, the certificates of ``certify`` at each sigma. Costs ``S N (n0 + n)`` forwards.

    Raises:
        ValueError: for shapes or values that do not fit, or an ``n`` that can certify nothing at this ``alpha``.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen et al. 2019, algorithm CERTIFY; the curves of Mohapatra et al. 2021, Figure 3. The cap is ours.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> disc = lambda x: jnp.stack([1 - (x**2).sum(-1), (x**2).sum(-1) - 1], -1)
        >>> found = radius_over_sigma(
        ...     jax.random.key(0), disc, jnp.zeros((1, 2)), [0.1, 0.4, 0.8], 1000
        ... )
        >>> bool((found.r[:, 0] <= found.cap).all()), found.r.argmax().item()
        (True, 1)
    """
    sigmas = _check.positives("sigmas", arguments.sigmas("sigmas", sigmas))
    n0, n = _check.integer("n0", n0, at_least=1), _check.integer("n", n, at_least=1)
    check_can_certify(n, alpha)
    sweep = lambda draws, first: votes_over_sigma(
        key, classify, x, sigmas, draws, first=first, batch_size=batch_size, mesh=mesh
    )
    top = sweep(n0, 0).argmax(-1)
    counts = np.take_along_axis(sweep(n, n0), top[..., None], -1)[..., 0]
    p_lower = clopper_pearson_lower(counts, n, alpha)
    drawn = sigmas.astype(np.float32).astype(np.float64)  # the noise is drawn with float32 numbers
    r = drawn[:, None] * certified_radius(Gaussian(1.0), p_lower)
    label = np.where(r > 0, top, ABSTAIN).astype(np.int32)
    return RadiusOverSigma(r, p_lower, drawn * sampling_cap(Gaussian(1.0), n=n, alpha=alpha), label, sigmas)


@functools.partial(jit, static_argnames=("n", "batch_size"))
def _votes_without_noise(
    key: Array,
    classify: Classify,
    sigma: Array,
    x: Array,
    first: int,
    image_ids: Array,
    *,
    n: int,
    batch_size: int | None,
) -> Array:
    """Votes under traced sigma, which may be 0: the base classifier itself, int32 ``(N, K)``."""
    return count_votes(
        key, classify, Gaussian(sigma), x, n, first=first, image_ids=image_ids, batch_size=batch_size
    ).counts
