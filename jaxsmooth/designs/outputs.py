"""Outputs: many outputs of an image certified together, with one noise draw for all of them."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, Self

import jax
import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import OutputCertificates
from jaxsmooth._noise import sigma_per_image
from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds import clopper_pearson_lower
from jaxsmooth.bounds.binomial_tail import SMALLEST_LEVEL, tail_at_least
from jaxsmooth.bounds.multiplicity import Method, k_fwer, least_rejected
from jaxsmooth.designs.base import Finished, Rows, Setting, reason_of
from jaxsmooth.designs.fixed import draws_to_record
from jaxsmooth.designs.one_look import AbstractOneLookDesign
from jaxsmooth.radii import certified_radius, explain_radius, required_probability, rules_for
from jaxsmooth.sampling.ballots import Agreement
from jaxsmooth.sampling.hierarchy import checked_hierarchy

Family = Literal["image", "call"]


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs(AbstractOneLookDesign):
    r"""``n0`` draws select a class for every output, ``n`` count how often it comes: the design of ``certify_outputs``.

    The hypothesis of an output is that its class has at most probability tau; its p-value
    :math:`P(\mathrm{Bin}(n, \tau) \ge \mathrm{agreement})`. Which are rejected together, ``method`` says.

    Args:
        tau: the probability that certified outputs exceed, at least 1/2; or ``radius``.
        radius: the radius that certified outputs have; tau is then what it requires.
        n0: draws that select.
        n: draws that count.
        alpha: the probability, per family, that any certified output is wrong.
        method: ``"holm"``; ``"bonferroni"``, which gives each output a radius of its own; ``"k_fwer"``, where alpha
            is the probability of ``k`` wrong outputs or more.
        k: for ``"k_fwer"``.
        family: ``"image"``, or ``"call"`` for all images that are concluded together: of a call, or of a batch of a
            stream.
        mask: bool ``(*outputs)`` or ``(images, *outputs)``: the outputs in the family, chosen without the draws; all by
            default.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        hierarchy: integers ``(levels, classes)``, the node of every class on every level of a tree, from the classes
            themselves up; each set of classes has a number of its own. None: classes alone.
        coarsen: ``votes -> levels``: from the votes ``(outputs, classes)`` of the ``n0`` draws of an image to the level
            on which each output is certified; by default the finest one on which nine tenths of them agree.

    Raises:
        ValueError: for values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Fischer, Baader and Vechev, "Scalable certified segmentation via randomized smoothing", 2021; the tree: Anani,
        Lorenz, Schiele and Fritz, "Adaptive hierarchical certification for segmentation using randomized smoothing",
        2024.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Outputs(tau=0.75).ballot
        Agreement(n0=10)
    """

    tau: float | None = None
    radius: float | None = None
    n0: int = 10
    n: int = 100
    alpha: float = 1e-3
    method: Method = "holm"
    k: int = 1
    family: Family = "image"
    mask: Any = dataclasses.field(default=None, repr=False)
    norm: float = 2
    hierarchy: Any = dataclasses.field(default=None, repr=False)
    coarsen: Callable[[np.ndarray], np.ndarray] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.tau is None) == (self.radius is None):
            both = "none" if self.tau is None else "both"
            raise ValueError(f"tau or radius must be given, one of them; got {both}")
        if self.tau is not None and not 0.5 <= _check.number("tau", self.tau) < 1:
            raise ValueError(f"tau must be at least 1/2 and below 1; got {self.tau}")
        if self.radius is not None and not 0 < _check.number("radius", self.radius) < math.inf:
            raise ValueError(f"radius must be positive and finite; got {self.radius}")
        n0, method = _check.draws("n0", self.n0), self.method
        _check.require_one_of("method", method, Method)
        k = _check.integer("k", self.k, at_least=1)
        if (method == "k_fwer") != (k > 1):
            raise ValueError(f'k must be at least 2 with method="k_fwer" and 1 otherwise; got k = {k} with {method!r}')
        _check.require_one_of("family", self.family, Family)
        n = _check.draws("n", self.n, first=n0)
        alpha, norm = _check.probability("alpha", self.alpha), _check.norm(self.norm)
        given = {name: float(value) for name in ("tau", "radius") if (value := getattr(self, name)) is not None}
        mask = _checked_mask(self.mask)
        tree = checked_hierarchy(self.hierarchy)
        if self.coarsen is not None and (tree is None or not callable(self.coarsen)):
            raise TypeError(f"coarsen must be a function of votes, for a hierarchy; got {self.coarsen!r}")
        _check.keep(self, n0=n0, n=n, alpha=alpha, k=k, norm=norm, mask=mask, hierarchy=tree, **given)

    @property
    def takes_labels(self) -> bool:
        """See ``AbstractDesign.takes_labels``."""
        return False

    @property
    def ballot(self) -> Agreement:
        """See ``AbstractDesign.ballot``."""
        return Agreement(self.n0, self.hierarchy, self.coarsen)

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``."""
        outputs = setting.shape[:-1]
        if self.mask is not None and self.mask.shape not in (outputs, self.mask.shape[:1] + outputs):
            raise ValueError(f"mask must have shape {outputs}, or (images, ...) before that; got {self.mask.shape}")
        if self.hierarchy is not None and len(self.hierarchy[0]) != setting.classes:
            raise ValueError(
                f"hierarchy must have a column for each of the {setting.classes} classes; got {len(self.hierarchy[0])}"
            )
        rows = None if self.mask is None or self.mask.shape == outputs else len(self.mask)
        if None not in (rows, setting.images) and rows != setting.images:
            raise ValueError(f"mask must have a row for every image; got {rows} for {setting.images} images")
        bound = super().bind(setting)
        if setting.at_images is not None:
            rules_for(setting.at_images, self.norm)
        if self.tau is not None or setting.at_images is not None:
            bound._check_that_some_can_be_certified(float(bound._levels(setting.at_images).min()))
        return bound

    def _check_that_some_can_be_certified(self, tau: float) -> None:
        """Refuse an n of which even full agreement certifies no output of the smallest family."""
        if not tau < 1:
            raise ValueError(
                f"radius = {self.radius} cannot be certified under {self.setting.noise!r}: no probability suffices. "
                "Use a larger sigma"
            )
        sizes = self._sizes()
        if not len(sizes):
            return
        level = self.alpha * self.k / int(sizes.min())
        if not level > SMALLEST_LEVEL:
            raise ValueError(f"alpha = {self.alpha:g} is too small for {sizes.min()} outputs; use a larger one")
        if tail_at_least(self.n, self.n, tau) > level:
            needed = math.ceil(math.log(level) / math.log(tau))
            while tail_at_least(needed, needed, tau) > level:
                needed += 1
            raise ValueError(
                f"n = {self.n} can certify no output: with m = {sizes.min()}, alpha = {self.alpha:g}, tau = {tau:.4g} "
                f"at least {needed} draws are needed; use n >= {needed}"
            )

    def _sizes(self) -> np.ndarray:
        """How many outputs the families have that have any, as far as that is known before there are images."""
        outputs = self.setting.shape[:-1]
        mask = np.ones(outputs, bool) if self.mask is None else self.mask
        sizes = mask.reshape(-1, math.prod(outputs)).sum(-1)
        # Of a stream each batch is a family, of one image or more.
        if self.family == "call" and self.setting.images is not None:
            sizes = sizes.sum(keepdims=True) * (1 if mask.ndim > len(outputs) else self.setting.images)
        return sizes[sizes > 0]

    def _levels(self, at_images: Any) -> np.ndarray:
        """tau ``(1,)`` or ``(images,)``."""
        if self.radius is None:
            return np.atleast_1d(np.float64(self.tau))
        return np.atleast_1d(required_probability(at_images, self.radius, norm=self.norm, dim=self.setting.dim))

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``."""
        return np.array([self.n0 + self.n])

    @property
    def checkpoints(self) -> np.ndarray:
        """As those of ``Fixed``."""
        return self.n0 + draws_to_record(self.n)

    def conclude(self, rows: Rows, finished: Finished) -> OutputCertificates:
        """See ``AbstractDesign.conclude``."""
        complete = finished.complete
        images, shape = len(complete), self.setting.shape[:-1]
        agreement = np.asarray(finished.votes.counts) * complete[:, None].astype(np.int32)
        chosen = np.zeros_like(agreement) if finished.chosen is None else finished.chosen
        tau = np.broadcast_to(self._levels(finished.at_images), (images,))
        counted = self._counted(finished.images)
        sizes = counted.sum(-1) if self.family == "image" else np.full(images, counted.sum())
        # Images that are not complete stay in their family, with no agreement.
        certified = self._rejected(agreement, counted, tau) & complete[:, None]
        radius, rule = self._radii(finished.at_images, agreement, certified, sizes, tau)
        return OutputCertificates(
            label=np.where(certified, chosen, ABSTAIN).astype(np.int32).reshape(images, *shape),
            selected=chosen.reshape(images, *shape),
            agreement=agreement.reshape(images, *shape),
            radius=radius.reshape(images, *shape) if self.method == "bonferroni" else radius,
            tau=tau.copy(),
            samples=np.where(complete, finished.samples, 0),
            invalid=np.where(complete, finished.votes.invalid, 0),
            counted=None if self.mask is None else counted.reshape(images, *shape),
            rule=rule,
            reason=reason_of(complete),
            noise=self.setting.noise,
            norm=self.norm,
            alpha=self.alpha,
            n=self.n,
            method=self.method,
            k=self.k,
            family=self.family,
            kind=finished.votes.kind,
            hierarchy=self.hierarchy,
        )

    def _counted(self, images: np.ndarray) -> np.ndarray:
        """The outputs in the families, bool ``(images, outputs)``."""
        outputs = self.setting.shape[:-1]
        if self.mask is None:
            return np.ones((len(images), math.prod(outputs)), bool)
        if self.mask.shape == outputs:
            return np.broadcast_to(self.mask.ravel(), (len(images), self.mask.size))
        if len(images) and images.max() >= len(self.mask):
            raise ValueError(
                f"mask must have a row for every image; got {len(self.mask)} for {images.max() + 1} images"
            )
        return self.mask.reshape(len(self.mask), -1)[images]

    def _rejected(self, agreement: np.ndarray, counted: np.ndarray, tau: np.ndarray) -> np.ndarray:
        """The outputs whose hypotheses are rejected, bool ``(images, outputs)``."""
        counts = np.arange(self.n + 1)
        levels = np.where(tau < 1, tau, np.nan)
        tables = {level: tail_at_least(counts, self.n, level) for level in set(levels[levels < 1].tolist())}
        table = lambda image: tables.get(float(levels[image]), np.ones(self.n + 1))
        if self.family == "call" and len(tables) > 1:
            p = np.concatenate([table(i)[agreement[i][counted[i]]] for i in range(len(tau))])
            rejected = np.zeros_like(counted)
            bonferroni = p <= self.alpha / max(len(p), 1)
            rejected[counted] = bonferroni if self.method == "bonferroni" else k_fwer(p, self.alpha, self.k)
            return rejected
        histograms = [np.bincount(agreement[i][counted[i]], minlength=self.n + 1) for i in range(len(tau))]
        if self.family == "call":
            histograms = [np.sum(histograms, 0)] * len(tau)
        least = [
            least_rejected(histogram, table(i), self.alpha, self.method, self.k)
            for i, histogram in enumerate(histograms)
        ]
        return counted & (agreement >= np.array(least, np.int64).reshape(-1, 1))

    def _radii(
        self, at_images: Any, agreement: np.ndarray, certified: np.ndarray, sizes: np.ndarray, tau: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """``(radius, rule)``: of each image, or of each output where all bounds hold together."""
        some, apart = certified.any(-1), sigma_per_image(at_images)
        below = np.where(tau < 1, tau, 0.5)
        radius, rule = explain_radius(at_images, below if apart else below[:1], norm=self.norm, dim=self.setting.dim)
        radius = np.broadcast_to(radius if self.radius is None else self.radius, tau.shape)
        rule = np.where(some, rule, np.array("", object))
        if self.method != "bonferroni":
            return np.where(some, radius, 0.0), rule
        found, tables = np.zeros(agreement.shape), {}
        for i in np.flatnonzero(some).tolist():
            noise = jax.tree.map(lambda leaf, i=i: leaf[i], at_images) if apart else at_images
            known = (int(sizes[i]), i if apart else 0)
            if known not in tables:
                bound = clopper_pearson_lower(np.arange(self.n + 1), self.n, self.alpha / known[0])
                tables[known] = certified_radius(noise, bound, norm=self.norm, dim=self.setting.dim)
            found[i] = np.where(certified[i], np.maximum(tables[known][agreement[i]], radius[i]), 0.0)
        return found, rule


def _checked_mask(mask: Any) -> np.ndarray | None:
    if mask is None:
        return None
    array = _check.as_array("mask", mask)
    if array.dtype != bool:
        raise TypeError(f"mask must be bool, True for outputs in the family; got dtype {array.dtype}")
    if not array.ndim:
        raise ValueError("mask must have shape (*outputs) or (images, *outputs); got one truth value, ()")
    return array
