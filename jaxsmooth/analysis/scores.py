"""Certified accuracy, average certified radius and abstention rate."""

from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import (
    AbstractCertificates,
    Certificates,
    OutputCertificates,
    TopKCertificates,
    ValueCertificates,
)
from jaxsmooth._types import ABSTAIN, ArrayLike
from jaxsmooth.bounds import clopper_pearson_lower, clopper_pearson_upper


def certified_accuracy(certificates: Certificates | TopKCertificates, labels: ArrayLike, radii: ArrayLike) -> Any:
    r"""The fraction of all images whose label is certified at a radius.

    :math:`\mathrm{CA}(r) = \frac1N \#\{i : c_i = y_i,\ R_i \ge r\}`. Abstentions and wrong labels count as
    not certified.

    Args:
        certificates: of N images; of top-k certificates, whether the true class stays among the top k.
        labels: the true classes, integers ``(N,)``.
        radii: radii in the units of the certificates, any shape, finite and at least 0. They are compared
            exactly; ``0.1 * 3 > 0.3`` in floating point, so write decimals out.

    Returns:
        float64 of the shape of ``radii``; nan if there are no images.

    Raises:
        ValueError: if the labels do not fit the certificates, or a radius is negative or not finite.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> p = np.array([0.9, 0.99, 0.6, 0.999])
        >>> radius = js.certified_radius(js.noises.Gaussian(0.5), p)
        >>> certificates = js.Certificates(
        ...     np.array([3, 1, 0, 7]), radius, p, 1 - p, np.full(4, 1000)
        ... )
        >>> js.analysis.certified_accuracy(certificates, [3, 1, 0, 2], [0.0, 0.5, 1.0]).tolist()
        [0.75, 0.5, 0.25]
    """
    radius, correct = scored(certificates, labels)
    radii = _check.nonnegative("radii", radii)
    ordered = np.sort(radius[correct])
    certified = len(ordered) - np.searchsorted(ordered, radii, side="left")
    return _fraction(certified, len(radius))


def average_certified_radius(certificates: Certificates | TopKCertificates, labels: ArrayLike) -> float:
    r"""The mean certified radius of all images, 0 where the label is wrong or nothing is certified.

    :math:`\mathrm{ACR} = \frac1N \sum_i R_i\, 1[c_i = y_i]`, the area under the certified accuracy. It grows
    with the number of samples: compare it at equal n and alpha only.

    Args:
        certificates: of N images.
        labels: the true classes, integers ``(N,)``.

    Returns:
        A float in the units of the radius; nan if there are no images.

    Raises:
        ValueError: if the labels do not fit the certificates.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> half = np.full(3, 0.5)
        >>> certificates = js.Certificates(
        ...     np.array([3, 1, -1]), np.array([0.5, 1.0, 0.0]), half, half, np.ones(3, int)
        ... )
        >>> js.analysis.average_certified_radius(certificates, [3, 2, 0]) * 3
        0.5
    """
    radius, correct = scored(certificates, labels)
    return float((radius * correct).mean()) if len(radius) else float("nan")


def abstention_rate(certificates: Certificates | TopKCertificates) -> float:
    """The fraction of images about which nothing is claimed.

    Args:
        certificates: of N images.

    Returns:
        A float in [0, 1]; nan if there are no images.

    Raises:
        TypeError: if these are no certificates.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> half = np.full(2, 0.5)
        >>> certificates = js.Certificates(
        ...     np.array([3, -1]), np.array([0.5, 0.0]), half, half, np.ones(2, int)
        ... )
        >>> js.analysis.abstention_rate(certificates)
        0.5
    """
    nothing = abstained(certificates)
    return float(_fraction(np.sum(nothing), len(nothing)))


def scored(certificates: Certificates | TopKCertificates, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """``(radius, correct)``: float64 and bool, one per image; an abstention is never correct.

    Of top-k certificates the answer is right where the true class is one of those that stay among the top k.
    """
    label, radius = _of_one_or_more(certificates)
    classes = _check.class_labels(labels, images=len(label), classes=num_classes_of(certificates))
    right = (label == classes[:, None]) & (label != ABSTAIN)
    one = label.shape[1] == 1
    return radius[:, 0] if one else np.where(right, radius, 0.0).max(-1), right.any(-1)


def abstained(certificates: Certificates | TopKCertificates) -> np.ndarray:
    """Whether nothing is claimed of an image, bool ``(N,)``."""
    return (_of_one_or_more(certificates)[0] == ABSTAIN).all(-1)


def _of_one_or_more(certificates: Certificates | TopKCertificates) -> tuple[np.ndarray, np.ndarray]:
    """``(label, radius)`` of ``(N, answers)``: several answers an image only of top-k certificates without labels."""
    if isinstance(certificates, TopKCertificates) and certificates.label.ndim == 2:
        return certificates.label, certificates.radius
    label, radius = checked_certificates(certificates)
    return label[:, None], radius[:, None]


def checked_labels(certificates: Any) -> tuple[np.ndarray, np.ndarray]:
    """``(label, radius)`` of certificates of the most probable class; those of another answer are refused."""
    if isinstance(certificates, AbstractCertificates) and not isinstance(certificates, Certificates):
        raise TypeError(
            f"certificates must be Certificates, of the most probable class; got {type(certificates).__name__}, which "
            "say something else"
        )
    return checked_certificates(certificates)


def checked_certificates(certificates: Any) -> tuple[np.ndarray, np.ndarray]:
    """``(label, radius)`` as int64 and float64 ``(N,)``."""
    instead = _INSTEAD.get(type(certificates))
    if instead or not (hasattr(certificates, "label") and hasattr(certificates, "radius")):
        raise TypeError(
            f"certificates must be Certificates, as from certify or read_log; got {type(certificates).__name__}"
            + (f". Use {instead}" if instead else "")
        )
    label = np.asarray(certificates.label)
    radius = _check.nonnegative("certificates.radius", certificates.radius)
    if label.ndim != 1 or label.shape != radius.shape:
        raise ValueError(
            "certificates.label and certificates.radius must have one entry per image; "
            f"got shapes {label.shape} and {radius.shape}"
        )
    return label.astype(np.int64), radius


def num_classes_of(certificates: Certificates | TopKCertificates) -> int | None:
    """How many classes the classifier has, if the votes are there to tell."""
    return None if certificates.votes is None else int(np.shape(certificates.votes.counts)[-1])


def interval_of_share(hits: ArrayLike, images: ArrayLike, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The two-sided Clopper-Pearson interval of a fraction of images, ``alpha / 2`` on each side."""
    return clopper_pearson_lower(hits, images, alpha / 2), clopper_pearson_upper(hits, images, alpha / 2)


# What reads certificates of other kinds.
_INSTEAD = {
    OutputCertificates: "analysis.output_summary, summary_table and plot_output_map",
    ValueCertificates: "analysis.value_summary, summary_table and plot_values",
}


def _fraction(count: ArrayLike, total: int) -> Any:
    return (np.asarray(count, np.float64) / total if total else np.full(np.shape(count), np.nan))[()]
