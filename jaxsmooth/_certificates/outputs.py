"""Certificates of many outputs of an image: pixels, tokens, labels."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
from scipy import special

from jaxsmooth._certificates.base import SHOWN, AbstractCertificates, rounded_down


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OutputCertificates(AbstractCertificates):
    """What was proved about each output of each image, all of it together; NumPy arrays ``(images, *outputs)``.

    Attributes:
        label: int32, the certified class of each output, or ``ABSTAIN`` (-1).
        selected: int32, the class that the first draws selected, before any abstention.
        agreement: int32, how many of ``n`` draws gave the selected class.
        radius: float64, in the units of ``x``, within which no certified output changes: ``(images,)``, one for all of
            them; of each output, all right together, with ``method="bonferroni"``. 0 where nothing is certified.
        tau: float64 ``(images,)``, the probability that certified outputs exceed.
        samples: int64 ``(images,)``, draws spent on the image, selection included.
        invalid: int32 ``(images,)``, draws in which some output had scores that decide nothing.
        counted: bool, the outputs that were in the family; None: all of them.
        rule: the radius rule, one ``Rule`` per image; empty where the radius is 0.
        reason: why an image got no more votes, in words, one string per image.
        noise: the noise that was used.
        norm: 1, 2 or ``np.inf``.
        alpha: the probability with which any certified output of a family is wrong, for each family.
        n: draws that counted.
        method: ``"holm"``, ``"bonferroni"`` or ``"k_fwer"``.
        k: with ``"k_fwer"`` the number of wrong outputs that has probability alpha; 1 otherwise.
        family: ``"image"``; or ``"call"`` for all images of a call, or of a batch of a stream: after ``concatenate``
            there are several, whose sizes are not kept.
        kind: what was counted; see ``Votes.kind``.
        hierarchy: the tree of classes of which ``label`` and ``selected`` are nodes; None: they are classes.
    """

    shared: ClassVar[tuple[str, ...]] = ("norm", "alpha", "n", "method", "k", "family", "kind", "hierarchy", "noise")

    label: np.ndarray
    selected: np.ndarray
    agreement: np.ndarray
    radius: np.ndarray
    tau: np.ndarray
    samples: np.ndarray
    invalid: np.ndarray
    counted: np.ndarray | None = None
    rule: np.ndarray | None = None
    reason: np.ndarray | None = None
    noise: Any = None
    norm: float = 2
    alpha: float | None = None
    n: int = 0
    method: str = "holm"
    k: int = 1
    family: str = "image"
    kind: str = "hard"
    hierarchy: tuple[tuple[int, ...], ...] | None = None

    @property
    def votes_kind(self) -> str:
        """See ``AbstractCertificates.votes_kind``."""
        return self.kind.partition("(")[0]

    @property
    def p_value(self) -> np.ndarray:
        """float64 ``(images, *outputs)``, of the hypothesis that the selected class has at most probability ``tau``.

        To double precision; decisions are made by a bound of it that is proved.
        """
        found = np.ones(self.agreement.shape)
        for image, tau in enumerate(self.tau.tolist()):
            if tau < 1:  # no votes are evidence against a probability of 1, or one that there is not
                table = special.bdtrc(np.arange(self.n + 1) - 1.0, self.n, tau)
                found[image] = table[self.agreement[image]]
        return found

    @property
    def certified_share(self) -> np.ndarray:
        """float64 ``(images,)``, the share of each image's outputs, those in the family, that are certified."""
        axes = tuple(range(1, self.label.ndim))
        size = np.prod(self.label.shape[1:]) if self.counted is None else self.counted.sum(axes)
        return (self.label >= 0).sum(axes) / np.maximum(size, 1)

    def to_dict(self) -> dict[str, np.ndarray]:
        """The columns by name, a row an image: what ``pandas.DataFrame`` takes.

        Returns:
            ``certified_share``, ``radius`` (the smallest of the certified outputs), ``tau``, ``samples``, ``invalid``;
            ``rule`` and ``reason`` where they are known.
        """
        radius = self.radius
        if radius.ndim > 1:
            axes = tuple(range(1, radius.ndim))
            least = np.min(np.where(self.label >= 0, radius, np.inf), axes, initial=np.inf)
            radius = np.where(np.isinf(least), 0.0, least)
        columns = {"certified_share": self.certified_share, "radius": radius}
        columns |= {name: getattr(self, name) for name in ("tau", "samples", "invalid")}
        return columns | {name: value for name in ("rule", "reason") if (value := getattr(self, name)) is not None}

    def _column(self, name: str, others: list[Any]) -> Any:
        """All outputs were counted where some of the others had a mask."""
        if name == "counted" and self.counted is None and any(other.counted is not None for other in others):
            return np.ones(self.label.shape, bool)
        return super()._column(name, others)

    def _settings(self) -> list[str]:
        words = [text for text in super()._settings() if not text.startswith(("kind ", "hierarchy "))]
        return words if self.hierarchy is None else [*words, f"{len(self.hierarchy)} levels"]

    def _certified(self) -> str:
        if not len(self):
            return ""
        shape = "x".join(map(str, self.label.shape[1:]))
        return f" of {shape} outputs: {self.certified_share.mean():.1%} certified"

    def _rows(self) -> list[tuple[str, ...]]:
        columns = self[:3].to_dict()
        row = lambda i: (
            str(i), rounded_down(columns["certified_share"][i]), rounded_down(columns["radius"][i]),
            rounded_down(self.tau[i]), str(self.samples[i]),
        )  # fmt: skip
        head = ("image", "certified", "radius", "tau", "samples")
        return [head, *(row(i) for i in range(min(len(self), SHOWN)))]
