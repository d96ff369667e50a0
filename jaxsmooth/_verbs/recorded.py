"""What a ledger holds against what is asked of it: noise, what was counted, images."""

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike, Noise
from jaxsmooth.designs.base import AbstractDesign
from jaxsmooth.ledger import Ledger
from jaxsmooth.ledger.fingerprint import functions_header, image_digest, noise_header
from jaxsmooth.sampling.ballots import WINNER


def check_recorded(recorded: Ledger, design: AbstractDesign, noise: Noise) -> None:
    """Refuse a noise that is not that of the ledger, and a design that counts or forgets something else."""
    _check_noise(recorded, noise)
    _check_ballot(recorded, design)
    _check_views(recorded, design)


def _check_noise(recorded: Ledger, noise: Noise) -> None:
    given = noise_header(_check.float32_noise(noise), tuple(recorded.header["event"]))
    if any(recorded.header.get(name) != value for name, value in given.items()):
        raise ValueError(
            f"noise must be that of the ledger, {recorded.header['noise']}; got {given['noise']}, or one that differs "
            "in its arrays or its program, as this version of JAX traces it"
        )


def _check_ballot(recorded: Ledger, design: AbstractDesign) -> None:
    of_ledger, asked = recorded.header.get("ballot", repr(WINNER)), repr(design.ballot)
    if of_ledger != asked:
        raise ValueError(
            f"design must count what the ledger holds, {of_ledger}; got {type(design).__name__}, which counts {asked}"
        )
    if recorded.header.get("ballot_functions") != functions_header(design.ballot).get("ballot_functions"):
        raise ValueError(
            f"design must count what the ledger holds, {of_ledger}; got one whose function is not known to be the same"
        )


def _check_views(recorded: Ledger, design: AbstractDesign) -> None:
    """Refuse to forget what ``certify_exact`` took off the radius and votes do not show."""
    if recorded.header.get("rounded"):
        raise ValueError(
            "the ledger holds rounded images of certify_exact(lattice=False), not how far the images are from them: "
            "call certify_exact again with the ledger, which draws nothing"
        )
    if recorded.header.get("strict") and not getattr(design, "strict", True):
        raise ValueError(f"design must be strict, designs.Exact(strict=True), for a run with a margin; got {design!r}")


def recorded_images(recorded: Ledger, x: ArrayLike | None) -> Array | np.ndarray:
    """The images, checked to be those of the ledger."""
    if x is None:
        raise ValueError("x must hold the images, in the order of their ids, for noise that depends on the image")
    x = _check.image_batch(x)
    digests = [image_digest(event) for event in np.asarray(x, np.float32)]
    if digests != [recorded.pixels[image] for image in recorded.image_ids.tolist()]:
        raise ValueError("x must hold the images of the ledger in the order of their ids; it holds others")
    return x
