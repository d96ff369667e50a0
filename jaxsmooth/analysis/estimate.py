"""Estimates of the certified-accuracy curve from few votes: not certificates, and another type."""

import dataclasses

import numpy as np

from jaxsmooth import _check
from jaxsmooth._printed import Printed
from jaxsmooth._types import ArrayLike, Noise, Votes
from jaxsmooth.radii import required_probability


@dataclasses.dataclass(frozen=True, repr=False)
class CurveEstimate(Printed):
    """What a certified-accuracy curve is about; it certifies no image. Prints as a table.

    Attributes:
        radii: float64 ``(M,)``.
        accuracy: float64 ``(M,)``, the estimated fraction of images certified at each radius.
        standard_error: float64 ``(M,)``, over images.
        images: how many.
        votes_per_image: the mean number of votes.
    """

    radii: np.ndarray
    accuracy: np.ndarray
    standard_error: np.ndarray
    images: int
    votes_per_image: float

    def __str__(self) -> str:
        rows = [f"estimate from {self.votes_per_image:.0f} votes per image, {self.images} images: no certificate"]
        rows.append(f"{'radius':>13s}  estimated accuracy")
        for radius, accuracy, error in zip(self.radii, self.accuracy, self.standard_error, strict=True):
            rows.append(f"{radius:13.4g}  {accuracy:.4f} (standard error {error:.4f})")
        return "\n".join(rows)


def estimate_curve(
    votes: Votes, labels: ArrayLike, noise: Noise, radii: ArrayLike, *, norm: float = 2, dim: int | None = None
) -> CurveEstimate:
    r"""Estimate the certified accuracy that infinitely many votes would give, from a few hundred.

    The fraction of images whose share of votes for the label exceeds the probability that the radius
    requires: :math:`\frac1m \#\{i : c_i / n_i > p(R)\}`. Good for monitoring and for choosing a model, with an
    error of about a point at 300 votes for radii up to two sigma. No confidence bound enters, so it says
    nothing about any single image; for that, ``certify`` and ``certify_curve``.

    Args:
        votes: the ``Votes`` of the images, from ``count_votes``.
        labels: int ``(images,)``.
        noise: the noise the votes were drawn with.
        radii: radii in the units of ``x``, any order.
        norm: 1, 2 or ``np.inf``.
        dim: the number of coordinates of one input; needed by most rules.

    Returns:
        A ``CurveEstimate``.

    Raises:
        ValueError: for labels that do not fit the votes, or radii out of range.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jaxsmooth as js
        >>> votes = js.Votes(np.array([[290, 10], [120, 180]]), np.array([0, 0]))
        >>> js.analysis.estimate_curve(
        ...     votes, [0, 1], js.noises.Gaussian(0.5), [0, 0.5]
        ... ).accuracy.tolist()
        [1.0, 0.5]
    """
    if not isinstance(votes, Votes):
        raise TypeError(f"votes must be Votes, as from count_votes; got {type(votes).__name__}")
    counts = _check.as_array("votes.counts", votes.counts)
    labels = _check.class_labels(labels, images=len(counts), classes=counts.shape[1])
    radii = np.atleast_1d(_check.nonnegative("radii", radii)).ravel()
    total = np.asarray(votes.total)
    if not total.all() or not len(total):
        raise ValueError(f"votes must be of at least one image, and at least one of each; got totals {total}")
    share = counts[np.arange(len(labels)), labels] / total
    # One by one: a noise that differs between the images has a probability for each of them.
    required = [required_probability(noise, radius, norm=norm, dim=dim) for radius in radii]
    accuracy = np.array([(share > probability).mean() for probability in required])
    error = np.sqrt(accuracy * (1 - accuracy) / max(len(labels), 1))
    return CurveEstimate(radii, accuracy, error, len(labels), float(total.mean()))
