"""The numbers of a set of certificates in one table."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import AbstractCertificates, Certificates, Reason, TopKCertificates
from jaxsmooth._printed import Printed, norm_in_words, rounded_down
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.log_format import draws_in_words, noise_in_words, radius_text
from jaxsmooth.analysis.scores import abstained, abstention_rate, certified_accuracy, scored

# Above this error probability, and from this number of certified images on, the summary says a word.
_USUAL_ALPHA, _ENOUGH = 0.1, 4
INVISIBLE_NOISE = "the noise may be invisible, as sigma = 0.25 is to pixels from 0 to 255"


@dataclasses.dataclass(frozen=True, repr=False)
class Summary(Printed):
    """What certificates amount to; prints as a table.

    Attributes:
        images: how many.
        radii: float64 ``(M,)``.
        certified_accuracy: float64 ``(M,)``, at the radii.
        average_certified_radius: mean radius, 0 where wrong or abstained.
        standard_error: of that mean, over images.
        clean_accuracy: fraction of images with a correct certified label, at any radius.
        abstention_rate: fraction of images about which nothing is claimed.
        samples: mean number of draws per image, selection included.
        n: draws behind the bound of an image: ``(least, most)``; None if unknown.
        alpha: error probability per image; None if unknown.
        noise: the noise in words.
        norm: 1, 2 or ``np.inf``.
        notes: what is suspicious, in words; empty if nothing is.
    """

    images: int
    radii: np.ndarray
    certified_accuracy: np.ndarray
    average_certified_radius: float
    standard_error: float
    clean_accuracy: float
    abstention_rate: float
    samples: float
    n: tuple[int, int] | None
    alpha: float | None
    noise: str
    norm: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        n = "n unknown" if self.n is None else f"n = {draws_in_words(self.n)}"
        alpha = "alpha unknown" if self.alpha is None else f"alpha = {self.alpha:g}"
        acr, error = rounded_down(self.average_certified_radius, 4), f"{self.standard_error:.4f}"
        header = f"{norm_in_words(self.norm)} radius"
        rows = [
            f"{radius_text(float(r)):>12}  {accuracy:.4f}"
            for r, accuracy in zip(self.radii, self.certified_accuracy, strict=True)
        ]
        return "\n".join(
            [
                f"{self.images} images, {self.noise}, {n}, {alpha}",
                f"{header:>12}  certified accuracy",
                *rows,
                f"average certified radius  {acr} (standard error {error}; {n}, {alpha})",
                f"clean accuracy            {self.clean_accuracy:.4f}",
                f"abstention rate           {self.abstention_rate:.4f}",
                f"samples per image         {f'{self.samples:.0f}' if self.samples else 'unknown'}",
                *(f"note: {note}" for note in self.notes),
            ]
        )


def summary(certificates: Certificates | TopKCertificates, labels: ArrayLike, radii: ArrayLike) -> Summary:
    """Certified accuracy, average certified radius, abstention and cost of certificates, as one table.

    The average certified radius stands next to n and alpha, because it grows with n: two of them compare
    only at equal n and alpha.

    Args:
        certificates: of N images.
        labels: the true classes, integers ``(N,)``.
        radii: the radii of the table, one or a sequence, in the units of the certificates.

    Returns:
        ``Summary``; ``print`` it, or read its fields.

    Raises:
        ValueError: if the labels do not fit the certificates, or a radius is negative or not finite.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> noise, p = js.noises.Gaussian(0.5), np.array([0.9, 0.99, 0.6, 0.5])
        >>> radius = js.certified_radius(noise, p)
        >>> certificates = js.Certificates(
        ...     np.array([3, 1, 0, -1]),
        ...     radius,
        ...     p,
        ...     1 - p,
        ...     np.full(4, 1100),
        ...     noise=noise,
        ...     alpha=0.001,
        ... )
        >>> print(js.analysis.summary(certificates, [3, 1, 2, 2], [0, 0.5, 1]))
        4 images, Gaussian(sigma=0.5), n unknown, alpha = 0.001
           l2 radius  certified accuracy
                 0.0  0.5000
                 0.5  0.5000
                 1.0  0.2500
        average certified radius  0.4509 (standard error 0.2814; n unknown, alpha = 0.001)
        clean accuracy            0.5000
        abstention rate           0.2500
        samples per image         1100
    """
    radius, correct = scored(certificates, labels)
    scores = radius * correct
    radii = np.atleast_1d(_check.nonnegative("radii", radii)).ravel()
    images = len(scores)
    return Summary(
        images=images,
        radii=radii,
        certified_accuracy=certified_accuracy(certificates, labels, radii),
        average_certified_radius=float(scores.mean()) if images else math.nan,
        standard_error=float(scores.std(ddof=1) / math.sqrt(images)) if images > 1 else math.nan,
        clean_accuracy=float(correct.mean()) if images else math.nan,
        abstention_rate=abstention_rate(certificates),
        samples=float(np.mean(certificates.samples)) if images else 0.0,
        n=draws_behind_bounds(certificates),
        alpha=certificates.alpha,
        noise=noise_in_words(certificates.noise),
        norm=certificates.norm,
        notes=tuple(_suspicious(certificates)),
    )


def draws_behind_bounds(certificates: Certificates | TopKCertificates) -> tuple[int, int] | None:
    """The least and the most draws that the bound of an image rests on; None without votes."""
    if certificates.votes is None or not len(certificates):
        return None
    total = np.asarray(certificates.votes.total)
    return int(total.min()), int(total.max())


def _suspicious(certificates: Certificates | TopKCertificates) -> Iterator[str]:
    """What makes certificates look better or worse than the classifier is."""
    votes = certificates.votes
    certified = ~abstained(certificates)
    yield from suspicious_settings(certificates)
    if votes is not None and (invalid := int(np.sum(votes.invalid))):
        share = invalid / int(np.sum(votes.total))
        yield f"{share:.1%} of the votes are invalid: the scores of these draws were NaN or infinite"
    if len(certified) and not certified.any():
        yield "every image abstains: nothing is certified; js.check_classifier may say why"
    stopped_early = certificates.reason is not None and bool((certificates.reason != Reason.ALL_DRAWN).any())
    if certified.sum() < _ENOUGH or stopped_early:
        return
    if votes is None:
        agreed = bool(np.ptp(np.asarray(certificates.radius)[certified]) == 0)
    else:
        counts = np.asarray(votes.counts)[certified]
        agreed = bool((counts.max(-1) == np.asarray(votes.total)[certified]).all())
    if agreed:
        yield f"all votes agree at every certified image, so that n alone limits the radii: {INVISIBLE_NOISE}"


def suspicious_settings(certificates: AbstractCertificates) -> Iterator[str]:
    """What is unusual about how they were made."""
    alpha, votes = getattr(certificates, "alpha", None), getattr(certificates, "votes", None)
    if alpha is not None and alpha > _USUAL_ALPHA:
        yield f"alpha = {alpha:g}: each certificate may be wrong with this probability; 0.001 is usual"
    if certificates.votes_kind != "hard":
        kind = getattr(certificates, "kind", "soft") if votes is None else votes.kind
        yield f"{kind} votes: of the class of the largest expected probability, another smoothed classifier"
