"""certify_values: intervals that the smoothed quantile of a real-valued model does not leave."""

import ast
import contextlib
import math
import os
from typing import Any, Literal

import jax
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._certificates import ValueCertificates
from jaxsmooth._processes import from_first_process
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.designs.gaussian_law import gaussian_law
from jaxsmooth.designs.pilot import PILOT_KEY, Pilot, edges_around, edges_in
from jaxsmooth.designs.values import KNOWN, Values
from jaxsmooth.ledger import file as ledgers
from jaxsmooth.sampling.placement import spans_processes


@deliberate
def certify_values(
    key: Array,
    predict: Classify,
    noise: Noise,
    x: ArrayLike,
    radius: ArrayLike,
    *,
    edges: ArrayLike | Literal["pilot"],
    quantile: float = 0.5,
    n: int = 10_000,
    alpha: float = 1e-3,
    simultaneous: bool = True,
    norm: float = 2,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> ValueCertificates:
    r"""Bound what a real-valued model, smoothed by a quantile, answers anywhere within a radius.

    The smoothed model is the quantile p, the median by default, of ``predict`` under noise. For Gaussian noise and a
    distance e in units of sigma it lies between the quantiles :math:`\Phi(\Phi^{-1}(p) \mp e)` at x. With probability
    at least ``1 - alpha``, per image, it stays between ``lower`` and ``upper`` for all perturbations within the radius.
    Neither a Lipschitz constant nor a bounded range is needed: regression, a coordinate of a box, a score, a policy.

    Outputs are counted in bins, so that memory does not grow with ``n`` and another radius, quantile or alpha can be
    asked of a ledger later; bounds are rounded outward to the edges. What is no number counts against both bounds.

    Args:
        key: a JAX random key.
        predict: any callable ``(batch, *event) -> (batch,)`` or ``(batch, outputs)`` of numbers. Logits are numbers,
            too, and cannot be told apart.
        noise: ``noises.Gaussian`` or ``LatticeGaussian``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        radius: one radius or several, in the units of ``x``; 0 gives the confidence interval of the quantile.
        edges: increasing: where bounds are needed, chosen without these draws. A value equal to an edge belongs to the
            bin that begins there. ``"pilot"``: the quantiles of 1000 draws or more of all images together, under
            another key, so that none of them is certified; or the edges of a ledger that exists. The certificates have
            them.
        quantile: in (0, 1).
        n: draws.
        alpha: the probability that an interval is wrong, half of it for each side.
        simultaneous: alpha for all outputs and all radii of an image together; False: for each interval.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Returns:
        ``ValueCertificates``: ``value`` ``(images,)`` or ``(images, outputs)``; ``lower`` and ``upper`` with a last
        axis for the radii, if there are several.

    Raises:
        ValueError: for values out of range, or edges that do not increase.
        TypeError: for arguments of the wrong kind, and for noise that is not Gaussian.

    Warns:
        UserWarning: where ``n`` is too small for a bound.

    References:
        Chiang et al., "Detection as regression: certified object detection by median smoothing", 2020.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> mean = lambda batch: batch.mean(-1)
        >>> made = js.certify_values(
        ...     jax.random.key(0),
        ...     mean,
        ...     js.noises.Gaussian(0.5),
        ...     jnp.array([[0.5, 0.7]]),
        ...     [0.0, 0.25],
        ...     edges=jnp.linspace(-1, 2, 301),
        ... )
        >>> (
        ...     made.value.round(1).tolist(),
        ...     made.lower.round(1).tolist(),
        ...     made.upper.round(1).tolist(),
        ... )
        ([0.6], [[0.6, 0.4]], [[0.6, 0.8]])
    """
    options: dict[str, Any] = {
        "quantile": quantile, "n": n, "alpha": alpha, "simultaneous": simultaneous, "norm": norm
    }  # fmt: skip
    given: dict[str, Any] = {"image_ids": image_ids, "batch_size": batch_size, "mesh": mesh, "progress": progress}
    if isinstance(edges, str) and edges == "pilot":
        Values(radius, (0.0,), **options)  # what is wrong is said before anything is drawn
        edges = _edges_of(ledger, mesh) or _pilot(key, predict, noise, x, given)
    design = Values(radius, edges, **options)
    return run_array(design, key, predict, noise, x, **given, ledger=ledger, verb="certify_values")


def _pilot(key: Any, predict: Classify, noise: Any, x: Any, given: dict[str, Any]) -> tuple[float, ...]:
    """Edges from draws of their own."""
    x = _check.images_for(noise, x)
    gaussian_law(_check.noise(noise), math.prod(x.shape[1:]), KNOWN)
    if _check.is_traced(key, x):
        raise TypeError("certify_values works on the host and cannot be traced; inside jit use count_votes")
    own_key = jax.random.fold_in(_check.typed_key(key), PILOT_KEY)
    return edges_around(
        run_array(Pilot.of(len(x)), own_key, predict, noise, x, **given, ledger=None, verb="certify_values")
    )


def _edges_of(ledger: Any, mesh: Any) -> tuple[float, ...] | None:
    """The edges of a ledger that exists, which a pilot elsewhere could miss by a rounding; its first process knows."""
    if isinstance(mesh, Mesh) and spans_processes(mesh):
        found = None
        with contextlib.suppress(OSError, ValueError):  # said to all processes when the ledger is opened
            found = _edges_here(ledger) if jax.process_index() == 0 else None
        return ast.literal_eval(from_first_process(repr(found).encode()).decode())
    return _edges_here(ledger)


def _edges_here(ledger: Any) -> tuple[float, ...] | None:
    if ledger is None or not os.path.exists(_check.path("ledger", ledger)) or not os.path.getsize(ledger):
        return None
    return edges_in(ledgers.header(ledger))
