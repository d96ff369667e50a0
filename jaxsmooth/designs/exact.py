"""Exact: every view of an image once, and a certificate without chance."""

import dataclasses
from typing import Any, Self

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._noise import takes_views
from jaxsmooth._types import ABSTAIN
from jaxsmooth.designs.base import Finished, Rows, Setting, reason_of
from jaxsmooth.designs.one_look import AbstractOneLookDesign

# Of images that are moved on the lattice only, and of all others.
RULES = {True: "split votes", False: "split votes, for any move"}


@dataclasses.dataclass(frozen=True)
class Exact(AbstractOneLookDesign):
    r"""All views of ``Splits``, each once: the design of ``certify_exact``.

    Whoever moves an image by r steps changes at most r votes. With :math:`n_c` votes for class c and A the first class
    with the most, the label holds up to :math:`\min_{b \ne A} \lfloor (n_A - n_b - [b < A]) / 2 \rfloor` steps, since
    a tie goes to the smaller class. ``strict`` adds the votes for nobody to each :math:`n_b`: in another evaluation of
    the classifier they may go to b, and a changed vote still takes one from A and gives one to b.

    Args:
        lattice: whether images are moved on the lattice only; else half a step of a pixel passes a threshold, and the
            radius around an image on the lattice is half as large. Images off the lattice lie closer to thresholds;
            ``certify_exact`` takes that off.
        strict: whether votes for nobody may go to any class elsewhere, and are counted for the strongest rival, as
            ``certify_exact`` does. Otherwise they are believed to be for nobody wherever they are.

    References:
        Levine and Feizi, "Improved, deterministic smoothing for l1 certified robustness", 2021.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Exact()
        Exact(lattice=True, strict=True)
    """

    lattice: bool = True
    strict: bool = True

    @property
    def deterministic(self) -> bool:
        """Draws are views, numbered; there is no chance."""
        return True

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``."""
        if not takes_views(setting.noise):
            raise ValueError(
                f"noise must be Splits for certificates without chance; got {setting.noise!r}. Use certify"
            )
        return super().bind(setting)

    @property
    def looks(self) -> np.ndarray:
        """One, after all views."""
        return np.array([_levels(self.setting.noise)])

    def conclude(self, rows: Rows, finished: Finished) -> Certificates:
        """See ``AbstractDesign.conclude``."""
        noise: Any = self.setting.noise
        complete, invalid = finished.complete, np.asarray(finished.votes.invalid)
        counts, views = np.asarray(finished.votes.counts, np.int64), noise.levels
        label, steps = split_radius(counts, invalid if self.strict else np.zeros_like(invalid))
        known = complete & (steps >= 0)
        rest = counts.copy()
        rest[np.arange(len(rest)), label] = -1
        per_unit = round(1 / noise.step)
        return Certificates(
            label=np.where(known, label, ABSTAIN).astype(np.int32),
            radius=np.where(known, np.maximum(steps, 0) / (per_unit if self.lattice else 2 * per_unit), 0.0),
            p_lower=np.where(known, counts.max(-1) / views, 0.0),
            p_upper=np.where(known, (rest.max(-1) + invalid) / views, 1.0),
            samples=np.where(complete, finished.samples, 0).astype(np.int64),
            votes=finished.votes,
            noise=noise,
            norm=1.0,
            alpha=0.0,
            rule=np.where(known, RULES[self.lattice], "").astype(object),
            reason=reason_of(complete),
        )


def split_radius(counts: np.ndarray, invalid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label that views elect and the largest number of changed votes that cannot take it away.

    Args:
        counts: integers ``(images, classes)``, at least 2 classes.
        invalid: integers ``(images,)``, votes for nobody that might go to any class elsewhere.

    Returns:
        ``(label, steps)``, int64 ``(images,)``; below 0 steps the label is not even known here.
    """
    counts = np.asarray(counts, np.int64)
    label = counts.argmax(-1)
    own = np.take_along_axis(counts, label[:, None], -1)
    smaller = np.arange(counts.shape[-1]) < label[:, None]
    steps = (own - counts - invalid[:, None] - smaller) // 2
    np.put_along_axis(steps, label[:, None], np.iinfo(np.int64).max, -1)
    return label, steps.min(-1)


def _levels(noise: Any) -> int:
    return _check.integer("noise.levels", noise.levels, at_least=1)
