"""certify_outputs: many outputs of an image certified together: pixels, tokens, labels."""

import os
from collections.abc import Callable

import numpy as np
from jax.sharding import Mesh

from jaxsmooth._certificates import OutputCertificates
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.run import nothing_drawn, run_array
from jaxsmooth.bounds.multiplicity import Method
from jaxsmooth.designs.outputs import Family, Outputs


def certify_outputs(
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    *,
    tau: float | None = None,
    radius: float | None = None,
    n0: int = 10,
    n: int = 100,
    alpha: float = 1e-3,
    method: Method = "holm",
    k: int = 1,
    family: Family = "image",
    mask: ArrayLike | None = None,
    norm: float = 2,
    hierarchy: ArrayLike | None = None,
    coarsen: Callable[[np.ndarray], np.ndarray] | None = None,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> OutputCertificates:
    r"""Certify the outputs of every image together, or abstain: a segmentation map, a text's tokens, many labels.

    ``n0`` draws select a class for every output; ``n`` fresh ones count how often it comes. An output is certified
    where its class is proved to have more than probability tau, so that no perturbation within the radius of tau
    changes it. With probability at least ``1 - alpha``, per image, *all* certified outputs are right. One draw serves
    all outputs, however dependent they are; only the agreement of each is kept, in memory that depends neither on ``n``
    nor on the number of classes.

    With ``method="bonferroni"`` every output has a lower bound and a radius of its own, all right together, so that
    the counts may be asked at any tau afterwards; with ``"holm"`` more outputs are certified, at the one tau.

    Args:
        key: a JAX random key. The draws 0 to ``n0 - 1`` select, ``n0`` to ``n0 + n - 1`` count.
        classify: any callable ``(batch, *event) -> (batch, *outputs, classes)`` of scores.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        tau: the probability that certified outputs exceed, from 1/2 to below 1; this or ``radius``.
        radius: the radius of certified outputs, in the units of ``x``; tau is what it requires.
        n0: draws that select.
        n: draws that count; at least ``log(alpha / outputs) / log(tau)``.
        alpha: the probability, per family, that any certified output is wrong.
        method: ``"holm"``, ``"bonferroni"``, or ``"k_fwer"``: alpha is the probability of ``k`` wrong outputs or more.
        k: for ``"k_fwer"``, at least 2.
        family: ``"image"``: the outputs of one image; ``"call"``: of all images.
        mask: bool ``(*outputs)`` or ``(images, *outputs)``: outputs that matter, as the data set says, not the draws.
            The others abstain, and the fewer there are the more are certified.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        hierarchy: integers ``(levels, classes)``, a tree: the node of every class on every level, from the classes
            themselves up; each set of classes has a number of its own. Labels are then nodes: where draws do not agree
            on a class they may on "vehicle".
        coarsen: ``votes -> levels``: from the votes ``(outputs, classes)`` of the ``n0`` draws to the level of each
            output; by default the finest one on which nine tenths of the draws agree.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which agreement is written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Returns:
        ``OutputCertificates``.

    Raises:
        ValueError: for values out of range, scores without an axis of outputs, or an ``n`` that can certify no output;
            before any sampling.
        TypeError: for arguments of the wrong kind.

    References:
        Fischer, Baader and Vechev, "Scalable certified segmentation via randomized smoothing", 2021. Holm, "A simple
        sequentially rejective multiple test procedure", 1979. Anani, Lorenz, Schiele and Fritz, "Adaptive hierarchical
        certification for segmentation using randomized smoothing", 2024, for trees.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> signs = lambda batch: jnp.stack(
        ...     [-batch, batch], -1
        ... )  # every coordinate is an output: its sign
        >>> x = jnp.array([[0.9, -0.8, 0.1, -1.0]])
        >>> made = js.certify_outputs(
        ...     jax.random.key(0), signs, js.noises.Gaussian(0.25), x, radius=0.25
        ... )
        >>> made.label.tolist(), made.radius.tolist()
        ([[1, 0, -1, 0]], [0.25])
    """
    design = Outputs(
        tau=tau, radius=radius, n0=n0, n=n, alpha=alpha, method=method, k=k, family=family, mask=mask, norm=norm,
        hierarchy=hierarchy, coarsen=coarsen,
    )  # fmt: skip
    given = {"image_ids": image_ids, "batch_size": batch_size, "mesh": mesh, "ledger": ledger, "progress": progress}
    if design.mask is not None and not design.mask.any():
        return nothing_drawn(design, key, classify, noise, x, verb="certify_outputs")
    return run_array(design, key, classify, noise, x, **given, verb="certify_outputs")
