"""from_paper: the network of a checkpoint, found by the names and shapes of its tensors."""

import os
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxsmooth.interop.checkpoint_files import torch_state
from jaxsmooth.interop.papers.network import Normalize, PaperNetwork, stored_statistics
from jaxsmooth.interop.papers.published import DENOISERS, NOT_NORMALISED, PUBLISHED, STORED, paper_network
from jaxsmooth.interop.papers.state import check, misfit, tensors

_REMEDY = "Of another network pass the PyTorch module to jaxsmooth.interop.from_torch, or write it as a JAX function"


def from_paper(
    state: str | os.PathLike[str] | Mapping[str, Any],
    normalize: Normalize = None,
    *,
    center_only: bool = False,
    dtype: Any = jnp.float32,
) -> PaperNetwork:
    """A network of the papers from its checkpoint, whichever of ``interop.papers`` it is.

    Args:
        state: the path of a checkpoint, which ``torch_state`` reads; or names to arrays.
        normalize: what images are normalised by inside the network, as in ``papers.cifar_resnet110``; the networks of
            rs4a hold it in their files, and LeNet, DnCNN and the UNets have none.
        center_only: take off the mean alone, as some networks of Salman et al. do.
        dtype: what to compute in; anything but float32 is another classifier.

    Returns:
        A ``PaperNetwork``.

    Raises:
        ValueError: if the tensors are not exactly those of one network: the message names the network that fits best
            and five of the tensors that do not; or if ``normalize`` is needed.
        FileNotFoundError: if there is no such file.
        ImportError: if what reads the file is not installed.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> from jaxsmooth.interop.papers.mnist_lenet import shapes
        >>> state = {
        ...     "1." + name: np.zeros(shape, np.float32) for name, shape in shapes(10).items()
        ... }
        >>> js.interop.from_paper(state)
        PaperNetwork(lenet, 8 arrays, 431,080 numbers, float32)
    """
    if isinstance(state, str | os.PathLike):
        state = torch_state(state)
    named = tensors(state)
    wrong = {}
    for architecture in PUBLISHED:
        found = architecture.found(named)
        wrong[architecture] = misfit(found, architecture.wanted(found))
    best = min(PUBLISHED, key=lambda architecture: wrong[architecture])
    found = best.found(named)
    check(found, best.wanted(found), f"{best.name}, which fits best", lambda: _REMEDY)
    if best in STORED:
        if normalize is not None or center_only:
            raise ValueError(
                f"normalize and center_only must be left out for {best.name}, whose file holds mean and standard "
                f"deviation; got normalize={normalize!r}, center_only={center_only}"
            )
        normalize = stored_statistics(named)
    elif best in DENOISERS and (normalize not in (None, "none") or center_only):
        raise ValueError(
            f"normalize and center_only must be left out for {best.name}, a denoiser, which takes images as they are "
            f"and returns such; got normalize={normalize!r}, center_only={center_only}. Normalise in the classifier"
        )
    elif best in NOT_NORMALISED and normalize is None:
        normalize = "none"
    return paper_network(best, named, normalize, center_only, dtype)
