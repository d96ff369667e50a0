"""certify_exact: l1 certificates without chance, from all views of an image."""

import dataclasses
import os

import jax
import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ArrayLike, Classify
from jaxsmooth._verbs.run import check_kind, run_array
from jaxsmooth.designs.exact import Exact
from jaxsmooth.noises.splits import Splits
from jaxsmooth.sampling.margin import with_margin


@deliberate
def certify_exact(
    classify: Classify,
    noise: Splits,
    x: ArrayLike,
    *,
    norm: float = 1,
    lattice: bool = True,
    margin: float = 0.0,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Certificates:
    r"""Certify every image in l1 without a key and without an error probability.

    The classifier sees each of the ``noise.levels`` = L views of an image once. One step of one pixel changes one view,
    so whoever moves the image by r steps in l1 changes at most r of the L votes: with :math:`n_c` votes for class c and
    A the first class with the most, the label is A up to
    :math:`r = \min_{b \ne A} \lfloor (n_A - n_b - [b < A]) / 2 \rfloor` steps, r / q in the units of ``x``, for images
    whose pixels are k / q, as those in 8-bit files are. What is certified is the classifier that votes over all views.

    Args:
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``. It sees values in
            [0, 1].
        noise: ``Splits``; train with it, or with ``Uniform`` and ``noises.split_layer``.
        x: ``(images, *event)``, pixels in [0, 1] that are multiples of ``noise.step``, or uint8.
        norm: 1, the only norm there is a rule for.
        lattice: whether images are moved by whole steps only. Otherwise ``x`` may lie anywhere in [0, 1], images are
            rounded before they are split, and the radius, r / 2q or less, holds for moves by any real numbers.
        margin: views whose two best scores are closer vote for nobody; see ``with_margin``. 0 believes that an input
            always has the same scores. Views that vote for nobody are always counted for the strongest rival.
        image_ids: int32 ``(images,)``, what a ledger knows the images by; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result but through the rounding of scores.
        mesh: a ``jax.sharding.Mesh`` to spread the views over; see ``count_votes``.
        ledger: the path of a file to which votes are written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates`` with ``alpha`` 0 and L samples an image; ``radius`` may be 0 with a label, which then holds at
        the image itself.

    Raises:
        ValueError: for another noise, another norm, pixels outside [0, 1] or off the lattice.
        TypeError: for arguments of the wrong kind.

    References:
        Levine and Feizi, "Improved, deterministic smoothing for l1 certified robustness", 2021.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), 2 - batch.sum(-1)], -1)
        >>> x = jnp.array([[1.0, 0.8], [0.2, 0.2]])
        >>> certificates = js.certify_exact(classify, js.noises.Splits(0.25), x)
        >>> certificates.label.tolist(), certificates.radius.round(2).tolist()
        ([0, 1], [0.43, 0.37])
    """
    check_kind(Exact(), noise)
    if _check.norm(norm) != 1:
        raise ValueError(f"norm must be 1 for certify_exact: votes change by steps of l1; got {norm!r}. Use certify")
    lattice = _check.boolean("lattice", lattice)
    margin = float(_check.nonnegative("margin", _check.number("margin", margin)))
    careful = with_margin(classify, margin) if margin > 0 else classify
    distance = None
    images = noise.checked_images(x) if lattice else x
    if not lattice:
        images, distance = noise.rounded(x)
    recorded = {} if lattice else {"rounded": True}
    found = run_array(
        Exact(lattice=lattice, strict=True), jax.random.key(0, impl="threefry2x32"), careful, noise, images,
        image_ids=image_ids, batch_size=batch_size, mesh=mesh, ledger=ledger, progress=progress, verb="certify_exact",
        recorded=recorded,
    )  # fmt: skip
    if distance is None:
        return found
    return dataclasses.replace(found, radius=np.minimum(found.radius, _reach(found.radius, distance, noise)))


def _reach(radius: np.ndarray, distance: np.ndarray, noise: Splits) -> np.ndarray:
    """What passing one threshold more than is allowed takes at least, where images are not on the lattice.

    The first threshold of a pixel is ``distance`` away, each further one a step: r + 1 of them, one a pixel or more of
    one pixel, cost at least the sum of the r + 1 smallest of all first distances (at most 1/2 each) and whole steps.
    """
    per_unit = round(1 / noise.step)
    allowed = np.rint(radius * 2 * per_unit).astype(np.int64)
    ordered = np.sort(distance.reshape(len(distance), -1), -1)
    costs = np.concatenate([np.zeros((len(ordered), 1)), np.cumsum(ordered, -1)], -1)
    pixels = np.minimum(allowed + 1, ordered.shape[1])
    total = np.take_along_axis(costs, pixels[:, None], -1)[:, 0] + (allowed + 1 - pixels)
    # An open ball: a little less than what passing takes, of points whose float32 may lie 2**-24 of them farther.
    return np.maximum(total * (1 - 2.0**-22) / per_unit - 2.0**-60, 0.0)
