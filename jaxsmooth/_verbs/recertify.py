"""recertify: what a design proves of recorded votes, without the classifier."""

import os
from typing import Any

from jaxsmooth import _check
from jaxsmooth._noise import takes_views
from jaxsmooth._types import ArrayLike, Noise
from jaxsmooth._verbs.run import run_ledger
from jaxsmooth.designs.base import AbstractDesign
from jaxsmooth.designs.exact import Exact
from jaxsmooth.designs.fixed import Fixed
from jaxsmooth.ledger import Ledger, read


def recertify(
    ledger: str | os.PathLike[str] | Ledger,
    noise: Noise,
    design: AbstractDesign = Fixed(),  # noqa: B008
    *,
    labels: ArrayLike | None = None,
    x: ArrayLike | None = None,
) -> Any:
    r"""What a design, of another alpha, norm, n or radii than that of the run, proves of recorded votes alone.

    The design is chosen without regard to the votes; its looks at them are repeated. ``designs.Fixed`` needs the votes
    of exactly its draws: ``n`` can be that of the run and, of runs of ``certify``, 100, 200, 500, 1000, ... below it;
    an image whose draws 0 to ``n0 + n - 1`` are not all recorded abstains. ``designs.Curve`` and ``designs.Adaptive``
    keep what is certified at the last look that is recorded, and need the ledger of such a run; a warning says where
    votes are left that the design could not use. Either keeps the error rate whatever decided how many
    votes were drawn: an image that stops early can lose a certificate by it, never gain one.

    Args:
        ledger: the path of the ledger, or what ``jaxsmooth.ledger.read`` gives.
        noise: the noise of the run.
        design: one of ``jaxsmooth.designs``, or one of your own; of a run of ``certify_exact`` the default,
            ``Fixed()``, stands for ``Exact(strict=True)``.
        labels: int ``(images,)``, in the order of the image ids, or None.
        x: the images, in the order of their ids; only for noise that depends on them.

    Returns:
        What the design concludes, such as ``Certificates``, of the images of the ledger, in the order of their ids
        (``jaxsmooth.ledger.read(ledger).image_ids``); ``reason`` says which are not fully recorded.

    Raises:
        ValueError: for another noise than that of the run, a damaged ledger, one of ``certify_exact(lattice=False)``,
            which does not know the images before they were rounded, and as the verb of the design.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import os, tempfile, jax, jax.numpy as jnp, jaxsmooth as js
        >>> path, noise = (
        ...     os.path.join(tempfile.mkdtemp(), "votes.jsonl"),
        ...     js.noises.Gaussian(0.5),
        ... )
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> _ = js.certify(jax.random.key(0), classify, noise, x, n=10_000, ledger=path)
        >>> stricter = js.designs.Fixed(n=10_000, alpha=1e-5)
        >>> js.recertify(path, noise, stricter).radius.round(2).tolist()
        [0.67, 0.4]
        >>> js.recertify(path, noise, js.designs.Fixed(n=1000)).radius.round(1).tolist()
        [0.6, 0.4]
    """
    recorded = ledger if isinstance(ledger, Ledger) else read(_check.path("ledger", ledger))
    if takes_views(noise) and design == Fixed():
        design = Exact(strict=True)
    return run_ledger(design, recorded, noise, labels=labels, x=x)
