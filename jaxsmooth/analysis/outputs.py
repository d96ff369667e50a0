"""Certificates of many outputs in numbers: certified accuracy and intersection over union, by class and in all."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import OutputCertificates
from jaxsmooth._printed import Printed, norm_in_words, rounded_down, rounded_up, significant_down
from jaxsmooth._types import ABSTAIN, ArrayLike
from jaxsmooth.analysis.log_format import alpha_in_words, noise_in_words
from jaxsmooth.analysis.summary import INVISIBLE_NOISE, suspicious_settings


@dataclasses.dataclass(frozen=True, repr=False)
class OutputSummary(Printed):
    """What certificates of many outputs amount to; prints as a table.

    Attributes:
        images: how many.
        outputs: how many outputs of all images were scored.
        certified_accuracy: the fraction of them with a certified class that is right.
        wrong: the fraction with a certified class that is wrong.
        abstention_rate: the fraction that abstained.
        accuracy: the fraction whose selected class is right, abstentions undone.
        class_accuracy: float64 ``(classes,)``, certified accuracy on the outputs of each class; nan without any.
        iou: float64 ``(classes,)``, certified intersection over union: an abstention counts to the union of its true
            class alone; nan for a class that is nowhere.
        mean_iou: the mean over classes that are somewhere.
        radius: the least and the largest radius of images with certified outputs.
        samples: mean number of draws per image, selection included.
        n: draws that counted.
        alpha: the probability with which any certified output of a family is wrong.
        method: how families were tested.
        noise: the noise in words.
        norm: 1, 2 or ``np.inf``.
        notes: what is suspicious, in words; empty if nothing is.
    """

    images: int
    outputs: int
    certified_accuracy: float
    wrong: float
    abstention_rate: float
    accuracy: float
    class_accuracy: np.ndarray
    iou: np.ndarray
    mean_iou: float
    radius: tuple[float, float]
    samples: float
    n: int
    alpha: float | None
    method: str
    noise: str
    norm: float
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, float]:
        """The numbers of a row of ``analysis.summary_table``, by title."""
        return {
            "certified accuracy": self.certified_accuracy, "mean IoU": self.mean_iou,
            "abstention": self.abstention_rate, "wrong": self.wrong, "accuracy": self.accuracy,
        }  # fmt: skip

    @property
    def setting(self) -> str:
        """The norm, the radii, n, alpha and the method, in words."""
        low, high = map(significant_down, self.radius)
        radius = f"{norm_in_words(self.norm)} radius {low}" + ("" if low == high else f" to {high}")
        return f"{radius}, n = {self.n}, alpha = {alpha_in_words(self.alpha)}, {self.method}"

    def __str__(self) -> str:
        rows = [f"{title:<20}{in_four_places(title, value)}" for title, value in self.columns.items()]
        classes = [
            f"{label:>5}  {accuracy:>18.4f}  {iou:>6.4f}"
            for label, (accuracy, iou) in enumerate(zip(self.class_accuracy, self.iou, strict=True))
            if not math.isnan(iou)
        ]
        head = f"{self.images} images, {self.outputs} outputs, {self.noise}, {self.setting}"
        title = "class  certified accuracy     IoU"
        return "\n".join([head, *rows, title, *classes, *(f"note: {note}" for note in self.notes)])


def in_four_places(title: str, value: float) -> str:
    """A number of a summary: bounds from above are rounded up, and fractions of what is certified down."""
    if title.startswith(("width", "certified error", "wrong")):
        return rounded_up(value, 4)
    return rounded_down(value, 4) if title.startswith(("bounded", "certified accuracy")) else f"{value:.4f}"


def output_summary(
    certificates: OutputCertificates, labels: ArrayLike, *, ignore_label: int | None = None, classes: int | None = None
) -> OutputSummary:
    """Certified accuracy, intersection over union, abstention and errors of certificates of many outputs.

    Args:
        certificates: of N images.
        labels: the true classes, integers ``(N, *outputs)``.
        ignore_label: outputs of this true class are not scored. Leave them out of the family, too: ``mask=labels !=
            ignore_label`` when certifying.
        classes: how many there are; by default as many as occur.

    Returns:
        ``OutputSummary``; ``print`` it, or read its fields.

    Raises:
        ValueError: if the labels do not fit the certificates.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> signs = lambda batch: jnp.stack([-batch, batch], -1)
        >>> x = jnp.array([[0.9, -0.8, 0.1, -1.0]])
        >>> made = js.certify_outputs(
        ...     jax.random.key(0), signs, js.noises.Gaussian(0.25), x, radius=0.25
        ... )
        >>> print(js.analysis.output_summary(made, [[1, 0, 1, 1]]))
        1 images, 4 outputs, Gaussian(sigma=0.25), l2 radius 0.25, n = 100, alpha = 0.001, holm
        certified accuracy  0.5000
        mean IoU            0.4167
        abstention          0.2500
        wrong               0.2500
        accuracy            0.7500
        class  certified accuracy     IoU
            0              1.0000  0.5000
            1              0.3333  0.3333
    """
    truth, scored = checked_outputs(certificates, labels, ignore_label)
    label, selected, truth = certificates.label[scored], certificates.selected[scored], truth[scored]
    if classes is None:
        named = certificates.selected.max(initial=0) + 1
        named = named if certificates.hierarchy is None else len(certificates.hierarchy[0])
        classes = int(max(truth.max(initial=-1) + 1, named))
    else:
        classes = _check.integer("classes", classes, at_least=2)
        if truth.size and truth.max() >= classes:
            raise ValueError(f"labels must be below classes = {classes}; got {truth.max()}. Give ignore_label")
        if certificates.hierarchy is None and label.max(initial=0) >= classes:
            raise ValueError(f"classes = {classes} must be those of the classifier; it answers {label.max()}")
    right = is_right(certificates, label, truth)
    of_truth, hits = np.bincount(truth, minlength=classes), np.bincount(truth[right], minlength=classes)
    # A wrong node of several classes is in the union of none but the true one.
    other = label[(label != ABSTAIN) & ~right & (label < classes)]
    union = of_truth + np.bincount(other, minlength=classes)
    ratio = lambda part, whole: np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
    iou = ratio(hits, union)
    radius = np.asarray(certificates.radius)
    radius = radius[(certificates.label >= 0) if radius.ndim > 1 else radius > 0]
    share = lambda kept: float(kept.mean()) if len(truth) else math.nan
    return OutputSummary(
        images=len(certificates),
        outputs=len(truth),
        certified_accuracy=share(right),
        wrong=share((label != ABSTAIN) & ~right),
        abstention_rate=share(label == ABSTAIN),
        accuracy=share(is_right(certificates, selected, truth)),
        class_accuracy=ratio(hits, of_truth),
        iou=iou,
        mean_iou=float(np.nanmean(iou)) if (union > 0).any() else math.nan,
        radius=(float(radius.min()), float(radius.max())) if radius.size else (0.0, 0.0),
        samples=float(np.mean(certificates.samples)) if len(certificates) else 0.0,
        n=certificates.n,
        alpha=certificates.alpha,
        method=certificates.method if certificates.k == 1 else f"{certificates.method}, k = {certificates.k}",
        noise=noise_in_words(certificates.noise),
        norm=float(certificates.norm),
        notes=tuple(_suspicious(certificates)),
    )


def _suspicious(certificates: OutputCertificates) -> Iterator[str]:
    """What makes certificates look better or worse than the classifier is."""
    yield from suspicious_settings(certificates)
    draws = int(certificates.n * np.count_nonzero(certificates.samples))
    if invalid := int(certificates.invalid.sum()):
        yield (f"{invalid / max(draws, 1):.1%} of the draws had an output whose scores are NaN or infinite")
    if certificates.label.size and not (certificates.label >= 0).any():
        yield "every output abstains: nothing is certified"
    elif draws and (certificates.agreement == certificates.n).all():
        yield f"all draws agree at every output, so that n alone limits what is certified: {INVISIBLE_NOISE}"


def is_right(certificates: OutputCertificates, label: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whether labels are the true classes, or nodes of a tree above them; an abstention never is."""
    if certificates.hierarchy is None:
        return label == truth
    tree = np.array(certificates.hierarchy)
    known = np.minimum(truth, tree.shape[1] - 1)
    return (tree[:, known] == label[None]).any(0) & (known == truth)


def checked_outputs(
    certificates: OutputCertificates, labels: ArrayLike, ignore: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The true classes, and which outputs are scored."""
    if not isinstance(certificates, OutputCertificates):
        raise TypeError(
            f"certificates must be OutputCertificates, as from certify_outputs; got {type(certificates).__name__}"
        )
    truth = _check.as_array("labels", labels)
    if truth.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, the true classes; got dtype {truth.dtype}")
    if truth.shape != certificates.label.shape:
        raise ValueError(f"labels must have shape {certificates.label.shape}, one an output; got {truth.shape}")
    truth = truth.astype(np.int64)
    scored = np.ones(truth.shape, bool)
    if ignore is not None:
        scored = truth != _check.integer("ignore_label", ignore)
    if truth[scored].size and truth[scored].min() < 0:
        raise ValueError(f"labels must be at least 0; got {truth[scored].min()}. Give ignore_label")
    return truth, scored
