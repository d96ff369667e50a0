"""certify: what a fixed number of votes proves about each image, on the host or inside a compiled program."""

import os
from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, Certificates, Classify, Votes
from jaxsmooth.bounds import clopper_pearson_lower, runner_up_bounds
from jaxsmooth.bounds.clopper_pearson import check_can_certify
from jaxsmooth.noises.input_dependent import kappa_at, noise_at_images, refuse_table
from jaxsmooth.radii import explain_radius, rules_for
from jaxsmooth.sampling import count_votes
from jaxsmooth.sampling.job import sampling_job
from jaxsmooth.sampling.suspicious import warn_of_invalid


@deliberate
def certify(
    key: Array,
    classify: Classify,
    noise: Any,
    x: Any,
    *,
    norm: float = 2,
    n0: int = 100,
    n: int = 100_000,
    alpha: float = 1e-3,
    runner_up: Literal["complement", "bounded"] = "complement",
    image_ids: Any = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Certificates:
    r"""Certify every image with a fixed number of votes.

    ``n0`` votes select a class; ``n`` fresh ones give the Clopper-Pearson lower bound of its probability,
    :math:`p_A`; the radius is that of the noise and norm at :math:`p_A` with the runner-up at most
    :math:`1 - p_A`. An image whose bound is 1/2 or less gets ``ABSTAIN`` and radius 0. With probability at
    least ``1 - alpha``, per image, the smoothed classifier gives the label to every point within the radius.

    Args:
        key: a JAX random key. The draws 0 to ``n0 - 1`` select, ``n0`` to ``n0 + n - 1`` estimate.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        n0: votes that select the class.
        n: votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong; all of it one-sided.
        runner_up: ``"complement"``: every other class has at most ``1 - p_A``. ``"bounded"``: a tenth of
            ``alpha`` pays for an upper bound of the largest other class (``bounds.runner_up_bounds``); the
            radius is larger where votes are spread over classes, and ``p_A`` may be below 1/2.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written as they are won, or None. If it holds votes of
            this run, they are not drawn again: a killed run goes on where it was. See ``jaxsmooth.ledger``.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates``, NumPy on the host.

    Raises:
        ValueError: for values out of range, a (noise, norm) pair without a radius rule, or an ``n`` that
            can certify nothing at this ``alpha``; before any sampling.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019,
        algorithm CERTIFY.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> certificates = js.certify(jax.random.key(0), classify, js.noises.Gaussian(0.5), x, n=10_000)
        >>> certificates.label.tolist(), certificates.radius.round(1).tolist()
        ([0, 1], [0.7, 0.4])
    """
    norm, n0, n = check_fixed_n(noise, norm=norm, n0=n0, n=n, alpha=alpha, runner_up=runner_up)
    if _check.is_traced(key, noise, x):
        raise TypeError("certify works on the host and cannot be traced; inside jit use certify_batch")
    with sampling_job(
        key, classify, noise, x,
        image_ids=image_ids, draws=n0 + n, batch_size=batch_size, mesh=mesh, ledger=ledger,
    ) as job:  # fmt: skip
        if job.images is None:
            raise TypeError("x must be an array (images, *event); for a stream of batches use certify_stream")
        selection = job.count_all(n0)
        certified = tally_certified(selection, n, alpha)
        votes = job.count_all(n, first=n0, progress="certify" if progress else None, certified=certified)
    return certificates_of_votes(
        selection, votes, noise, job.x, dim=job.dim, n=n, norm=norm, alpha=alpha, runner_up=runner_up
    )


def certificates_of_votes(
    selection: Votes, votes: Votes, noise: Any, x: Any, *, dim: int, n: int, norm: float, alpha: float, runner_up: str
) -> Certificates:
    """What ``n`` votes prove about the classes that other votes selected; NumPy on the host."""
    warn_of_invalid(votes.invalid, votes.total)
    top = selection.counts.argmax(-1)
    if runner_up == "bounded":
        p_lower, p_upper = runner_up_bounds(votes.counts, top, n, alpha)
        p_upper = np.minimum(p_upper, 1 - p_lower)
    else:
        p_lower = clopper_pearson_lower(votes.counts[np.arange(len(top)), top], n, alpha)
        p_upper = 1 - p_lower
    bounded = p_upper if runner_up == "bounded" else None
    at_images = noise_at_images(noise, x)
    radius, rule = explain_radius(at_images, p_lower, norm=norm, dim=dim, p_upper=bounded)
    return Certificates(
        label=np.where(radius > 0, top, ABSTAIN).astype(np.int32),
        radius=radius,
        p_lower=p_lower,
        p_upper=p_upper,
        samples=(selection.total + votes.total).astype(np.int64),
        votes=votes,
        noise=noise,
        norm=norm,
        alpha=alpha,
        rule=rule,
        kappa=kappa_at(at_images, dim),
    )


def tally_certified(selection: Votes, n: int, alpha: float) -> Callable[[np.ndarray, Votes], int]:
    """How many of some images their votes certify, for the progress bar."""
    top = selection.counts.argmax(-1)
    lower = lambda images, votes: clopper_pearson_lower(votes.counts[images, top[images]], n, alpha)
    return lambda images, votes: int((lower(images, votes) > 0.5).sum())


def check_fixed_n(noise: Any, *, norm: Any, n0: Any, n: Any, alpha: Any, runner_up: Any) -> tuple[float, int, int]:
    """The norm, n0 and n; refuse what could not certify anything, before any sampling."""
    n0 = _check.draws("n0", n0)
    n = _check.draws("n", n, first=n0)
    check_can_certify(n, alpha)
    norm = _check.norm(norm)
    if runner_up not in ("complement", "bounded"):
        raise ValueError(f'runner_up must be "complement" or "bounded"; got {runner_up!r}')
    rules_for(noise, norm)
    return norm, n0, n


@deliberate
def certify_batch(
    key: Array,
    classify: Classify,
    noise: Any,
    x: Array,
    table: Any,
    *,
    n0: int = 100,
    batch_size: int | None = None,
) -> tuple[Array, Array]:
    """Certify a batch on the device: a pure function, legal inside ``jit``, ``vmap`` and ``shard_map``.

    The radius is looked up in ``radius_table``, which was made in float64 and rounded down, so that no
    special function runs in float32. Labels, votes and bounds are those of ``certify`` with the ``n`` of
    the table.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: the noise; its ``sigma`` may be traced, but must be the one of the table.
        x: ``(images, *event)``.
        table: float32 ``(n + 1,)`` from ``radius_table``; may be traced.
        n0: votes that select the class.
        batch_size: see ``count_votes``.

    Returns:
        ``(label, radius)``: int32 ``(images,)``, -1 where nothing is certified, and float32 ``(images,)``.

    Raises:
        ValueError: if the table has the wrong shape, and as ``count_votes``.

    References:
        Cohen et al. 2019, algorithm CERTIFY.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> noise = js.noises.Gaussian(0.5)
        >>> table = js.radius_table(noise, n=1000, alpha=0.001)
        >>> step = jax.jit(lambda key, x: js.certify_batch(key, classify, noise, x, table))
        >>> label, radius = step(jax.random.key(0), jnp.array([[0.5, 0.5], [-0.2, -0.4]]))
        >>> label.tolist()
        [0, 1]
    """
    table = table if _check.is_traced(table) else np.asarray(table)
    if table.ndim != 1 or table.shape[0] < 2 or table.dtype != jnp.float32:
        raise ValueError(
            f"table must be float32 of shape (n + 1,), made by radius_table; got {table.dtype} of shape {table.shape}"
        )
    refuse_table(noise)
    table, n0 = jnp.asarray(table), _check.draws("n0", n0)
    selection = count_votes(key, classify, noise, x, n0, batch_size=batch_size)
    votes = count_votes(key, classify, noise, x, table.shape[0] - 1, first=n0, batch_size=batch_size)
    top = jnp.argmax(selection.counts, -1)
    radius = table[jnp.take_along_axis(votes.counts, top[:, None], axis=1)[:, 0]]
    return jnp.where(radius > 0, top, ABSTAIN).astype(jnp.int32), radius
