"""Certificates of numbers in numbers: how wide intervals are, and how far from the truth they reach."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import ValueCertificates
from jaxsmooth._printed import Printed, norm_in_words, significant_down, significant_up
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.log_format import alpha_in_words, noise_in_words
from jaxsmooth.analysis.summary import suspicious_settings


@dataclasses.dataclass(frozen=True, repr=False)
class ValueSummary(Printed):
    """What certificates of numbers amount to; prints as a table.

    Attributes:
        images: how many.
        radii: float64 ``(M,)``.
        bounded: float64 ``(M,)``, the fraction of intervals with both ends.
        width: float64 ``(M,)``, their median width.
        error: mean distance of the values from the targets; nan without targets.
        certified_error: float64 ``(M,)``, the mean of the largest distance from the target that any point within the
            radius can have, over bounded intervals; nan without targets.
        quantile: which quantile is predicted.
        samples: mean number of draws per image.
        alpha: the probability with which intervals may be wrong.
        noise: the noise in words.
        norm: 1, 2 or ``np.inf``.
        notes: what is suspicious, in words; empty if nothing is.
    """

    images: int
    radii: np.ndarray
    bounded: np.ndarray
    width: np.ndarray
    error: float
    certified_error: np.ndarray
    quantile: float
    samples: float
    alpha: float | None
    noise: str
    norm: float
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, float]:
        """The numbers of a row of ``analysis.summary_table``, by title."""
        found = {} if math.isnan(self.error) else {"error": self.error}
        for i, radius in enumerate(self.radii.tolist()):
            at = significant_down(radius, 6)
            found[f"bounded at {at}"] = float(self.bounded[i])
            found[f"width at {at}"] = float(self.width[i])
            if not math.isnan(self.error):
                found[f"certified error at {at}"] = float(self.certified_error[i])
        return found

    @property
    def setting(self) -> str:
        """The quantile, the norm, alpha and the draws of an image, in words."""
        kind = f"quantile {self.quantile:g}, {norm_in_words(self.norm)} radii"
        return f"{kind}, alpha = {alpha_in_words(self.alpha)}, {self.samples:,.0f} draws each"

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f", mean error {self.error:.4g}"
        rows = [
            f"{significant_down(radius):>8}  {bounded:>7.4f}  {significant_up(width):>12}"
            + ("" if math.isnan(self.error) else f"  {significant_up(certified):>15}")
            for radius, bounded, width, certified in zip(
                self.radii.tolist(), self.bounded, self.width, self.certified_error, strict=True
            )
        ]
        head = f"{self.images} images, {self.noise}, {self.setting}{error}"
        title = "  radius  bounded  median width" + ("" if math.isnan(self.error) else "  certified error")
        return "\n".join([head, title, *rows, *(f"note: {note}" for note in self.notes)])


def value_summary(certificates: ValueCertificates, targets: ArrayLike | None = None) -> ValueSummary:
    """How many intervals are bounded, how wide they are, and how far from the targets they reach.

    Args:
        certificates: of N images.
        targets: the true values, of the shape of ``certificates.value``; none by default.

    Returns:
        ``ValueSummary``; ``print`` it, or read its fields.

    Raises:
        ValueError: if the targets do not fit the certificates.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> made = js.certify_values(
        ...     jax.random.key(0),
        ...     lambda z: z.mean(-1),
        ...     js.noises.Gaussian(0.5),
        ...     jnp.array([[0.5, 0.7]]),
        ...     [0.0, 0.25],
        ...     edges=jnp.linspace(-1, 2, 301),
        ... )
        >>> print(js.analysis.value_summary(made, [0.6]))
        1 images, Gaussian(sigma=0.5), quantile 0.5, l2 radii, alpha = 0.001, 10,000 draws each, mean error 0.005
          radius  bounded  median width  certified error
               0   1.0000       0.04001          0.03001
            0.25   1.0000        0.3901           0.2001
    """
    lower, upper, radii = intervals(certificates)
    finite = np.isfinite(lower) & np.isfinite(upper)
    width = np.where(finite, upper, 0) - np.where(finite, lower, 0)
    columns = lambda values: zip(values.T, finite.T, strict=True)
    of_bounded = lambda values, kind: np.array([kind(v[f]) if f.any() else math.nan for v, f in columns(values)])
    error, certified = math.nan, np.full(len(radii), math.nan)
    if targets is not None:
        truth = checked_targets(certificates, targets).ravel()
        error = float(np.nanmean(np.abs(certificates.value.ravel() - truth))) if len(truth) else math.nan
        ends = (np.where(finite, end, 0) - truth[:, None] for end in (lower, upper))
        far = np.max([np.abs(end) for end in ends], axis=0)
        certified = of_bounded(far, np.mean)
    return ValueSummary(
        images=len(certificates),
        radii=radii,
        bounded=finite.mean(0) if len(finite) else np.full(len(radii), math.nan),
        width=of_bounded(width, np.median),
        error=error,
        certified_error=certified,
        quantile=certificates.quantile,
        samples=float(np.mean(certificates.samples)) if len(certificates) else 0.0,
        alpha=certificates.alpha,
        noise=noise_in_words(certificates.noise),
        norm=certificates.norm,
        notes=tuple(_suspicious(certificates)),
    )


def _suspicious(certificates: ValueCertificates) -> Iterator[str]:
    """What makes intervals say less than they seem to, or nothing."""
    yield from suspicious_settings(certificates)
    votes = certificates.votes
    if votes is not None and (invalid := int(np.sum(votes.invalid))):
        share = invalid / max(invalid + int(np.sum(votes.counts)), 1)
        yield f"{share:.1%} of the outputs are NaN, which counts against both bounds"
    if len(certificates) and not np.isfinite(certificates.width).any():
        yield "no interval has both bounds: more draws, a smaller radius or edges farther out may help"


def intervals(certificates: ValueCertificates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(lower, upper, radii)`` with a row for every output of every image and a column for every radius."""
    if not isinstance(certificates, ValueCertificates):
        raise TypeError(
            f"certificates must be ValueCertificates, as from certify_values; got {type(certificates).__name__}"
        )
    radii = np.atleast_1d(np.asarray(certificates.radius, np.float64))
    return certificates.lower.reshape(-1, len(radii)), certificates.upper.reshape(-1, len(radii)), radii


def checked_targets(certificates: ValueCertificates, targets: ArrayLike) -> np.ndarray:
    """The true values as float64, of the shape of the values."""
    truth = _check.as_float64("targets", targets)
    if truth.shape != certificates.value.shape:
        raise ValueError(f"targets must have the shape of the values, {certificates.value.shape}; got {truth.shape}")
    return truth
