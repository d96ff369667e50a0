"""Values: intervals that the smoothed quantile of numbers does not leave."""

import dataclasses
import math
from typing import Any, Self

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._certificates import ValueCertificates
from jaxsmooth._check import MOST_DRAWS
from jaxsmooth._types import ArrayLike, Votes
from jaxsmooth._warn import warn_user
from jaxsmooth.bounds import quantile_indices
from jaxsmooth.bounds.binomial_tail import SMALLEST_LEVEL
from jaxsmooth.designs.base import Finished, Rows, Setting, reason_of
from jaxsmooth.designs.fixed import draws_to_record
from jaxsmooth.designs.gaussian_law import gaussian_law
from jaxsmooth.designs.one_look import AbstractOneLookDesign
from jaxsmooth.radii.checked_inverse import normal_quantile_above, normal_quantile_below
from jaxsmooth.sampling.bins import Bins

KNOWN = "the growth of every probability"
# Outputs of an image from which on they may have been meant as scores.
_MANY = 64


@dataclasses.dataclass(frozen=True)
class Values(AbstractOneLookDesign):
    r"""``n`` draws bound a quantile of the outputs at every point within a radius: the design of ``certify_values``.

    Args:
        radius: one or several.
        edges: increasing, of the bins in which outputs are counted; bounds are rounded outward to them.
        quantile: which one of the outputs under noise is predicted.
        n: draws.
        alpha: the probability that an interval is wrong, half of it for each side.
        simultaneous: whether alpha is for all outputs and radii of an image together.
        norm: 1, 2 or ``np.inf``: the norm of the radius.

    Raises:
        ValueError: for values out of range, or edges that do not increase.
        TypeError: for arguments of the wrong kind.

    References:
        Chiang et al., "Detection as regression: certified object detection by median smoothing", 2020.

    Example:
        >>> import numpy as np, jaxsmooth as js
        >>> js.designs.Values(0.25, np.linspace(-3, 3, 61)).looks.tolist()
        [10000]
    """

    radius: Any
    edges: Any = dataclasses.field(repr=False)
    quantile: float = 0.5
    n: int = 10_000
    alpha: float = 1e-3
    simultaneous: bool = True
    norm: float = 2

    def __post_init__(self) -> None:
        radius = _check.nonnegative("radius", self.radius)
        if radius.ndim > 1 or not radius.size:
            raise ValueError(f"radius must be one number or a sequence of them; got shape {radius.shape}")
        _check.keep(
            self,
            radius=tuple(radius.tolist()) if radius.ndim else float(radius),
            edges=_checked_edges(self.edges),
            quantile=_check.probability("quantile", self.quantile),
            n=_check.draws("n", self.n),
            alpha=_check.probability("alpha", self.alpha),
            simultaneous=_check.boolean("simultaneous", self.simultaneous),
            norm=_check.norm(self.norm),
        )

    @property
    def ballot(self) -> Bins:
        """See ``AbstractDesign.ballot``."""
        return Bins(self.edges)

    @property
    def takes_labels(self) -> bool:
        """See ``AbstractDesign.takes_labels``."""
        return False

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``; warns where ``n`` is too small for bounds on both sides."""
        gaussian_law(setting.noise, setting.dim, KNOWN)
        bound = super().bind(setting)
        outputs = math.prod(setting.shape)
        if outputs > _MANY:
            warn_user(
                f"predict returns {outputs} numbers for every image, each counted in {len(self.edges) + 1} bins: "
                f"{4 * outputs * (len(self.edges) + 2) / 2**20:.3g} MiB an image. If they are scores of classes use "
                "certify, or certify_outputs"
            )
        if not bound._alpha > SMALLEST_LEVEL:
            raise ValueError(f"alpha = {self.alpha:g} is too small for so many intervals; use a larger one")
        lower, upper = bound._indices()
        if (lower == 0).any() or (upper > self.n).any():
            q_lower, q_upper = bound._levels()
            log_level = math.log(bound._alpha / 2)
            sides = [log_level / math.log(q) for q in (*(1 - q_lower), *q_upper) if 0 < q < 1]
            every = len(sides) == len(q_lower) + len(q_upper) and max(sides) < MOST_DRAWS
            needed = f"n >= {math.ceil(max(sides))} for all of them" if every else "a smaller radius"
            warn_user(f"n = {self.n} draws leave some intervals without a bound at this radius and alpha. Use {needed}")
        return bound

    @property
    def _radii(self) -> np.ndarray:
        return np.atleast_1d(np.asarray(self.radius, np.float64))

    @property
    def _alpha(self) -> float:
        """The level of one interval."""
        parts = len(self._radii) * math.prod(self.setting.shape) if self.simultaneous else 1
        return self.alpha / parts

    def _levels(self) -> tuple[np.ndarray, np.ndarray]:
        """The quantiles at x between which the quantile is within each radius, rounded outward.

        Of draws whose law is off by eta at either point, those of q - eta and q + eta, less and plus another eta.
        """
        dim = self.setting.dim
        sigma, eta = gaussian_law(self.setting.noise, dim, KNOWN)
        moved = self._radii / sigma * (math.sqrt(dim) if math.isinf(self.norm) else 1.0) * (1 + 2.0**-50)
        p = np.asarray(self.quantile)
        below, above = (p, p) if not eta else (max(np.nextafter(p - eta, 0), 0.0), min(np.nextafter(p + eta, 1), 1.0))
        low = normal_quantile_below(np.asarray(below)) - moved
        high = normal_quantile_above(np.asarray(above)) + moved
        slack = lambda z: 2.0**-48 * (1 + np.minimum(np.abs(z), 40.0) ** 2)
        q_lower = special.ndtr(low) * (1 - slack(low))
        tail = special.ndtr(-high) * (1 - slack(high))
        q_upper = np.nextafter(1 - tail, 1)
        if eta:
            q_lower, q_upper = np.maximum(np.nextafter(q_lower - eta, -1), 0), np.nextafter(q_upper + eta, 2)
        still = moved == 0
        return np.where(still, p, q_lower), np.where(still, p, np.minimum(q_upper, 1))

    def _indices(self) -> tuple[np.ndarray, np.ndarray]:
        """The order statistics of each radius."""
        return quantile_indices(self.n, *self._levels(), self._alpha)

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``."""
        return np.array([self.n])

    @property
    def checkpoints(self) -> np.ndarray:
        """As those of ``Fixed``."""
        return draws_to_record(self.n)

    def conclude(self, rows: Rows, finished: Finished) -> ValueCertificates:
        """See ``AbstractDesign.conclude``."""
        complete, outputs = finished.complete, self.setting.shape
        images, bins = len(complete), len(self.edges) + 1
        table = np.asarray(finished.votes.counts).reshape(images, math.prod(outputs), bins + 1)
        table = np.where(complete[:, None, None], table, 0)
        counts, invalid = table[..., :-1], table[..., -1]
        # One bin more, where no bin is reached.
        left, right = np.array([-math.inf, *self.edges, math.inf]), np.array([*self.edges, math.inf, math.inf])
        reached = np.cumsum(counts, -1)
        # What is no number is below everything for the lower bound, and above everything for the upper one.
        bin_of = lambda reached, place: np.minimum((reached < place).sum(-1), bins)
        first, last = self._indices()
        lower = np.stack([left[bin_of(reached + invalid[..., None], at)] for at in first.tolist()], -1)
        upper = np.stack([right[bin_of(reached, at)] for at in last.tolist()], -1)
        known = complete[:, None, None]
        shape = (images, *outputs, *np.shape(self.radius))
        return ValueCertificates(
            value=self._value(counts, left, right).reshape(images, *outputs),
            lower=np.where(known & (first > 0), lower, -math.inf).reshape(shape),
            upper=np.where(known, upper, math.inf).reshape(shape),
            samples=np.where(complete, finished.samples, 0),
            votes=Votes(
                counts.reshape(images, *outputs, bins).astype(np.int32),
                invalid.reshape(images, *outputs).astype(np.int32),
                finished.votes.kind,
            ),
            reason=reason_of(complete),
            radius=self.radius,
            edges=self.edges,
            quantile=self.quantile,
            noise=self.setting.noise,
            norm=self.norm,
            alpha=self.alpha,
            simultaneous=self.simultaneous,
        )

    def _value(self, counts: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The middle of the bin that the quantile of the valid draws lies in; nan if there are none."""
        total = counts.sum(-1)
        place = np.maximum(np.ceil(total * self.quantile), 1)
        at = np.minimum((np.cumsum(counts, -1) < place[..., None]).sum(-1), counts.shape[-1] - 1)
        ends = np.where(np.isinf(left[at]), right[at], left[at]), np.where(np.isinf(right[at]), left[at], right[at])
        return np.where(total > 0, (ends[0] + ends[1]) / 2, np.nan)


def _checked_edges(edges: ArrayLike | str | None) -> tuple[float, ...]:
    if edges is None or isinstance(edges, str):
        raise ValueError(
            "edges must be given: the edges of bins at which you need the bounds, which are rounded outward to them; "
            f'got {edges!r}. Choose them from other data, or other draws, as certify_values does with edges="pilot"'
        )
    array = _check.as_float64("edges", edges)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"edges must be a sequence of at least one number; got shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ValueError(f"edges must be finite; got {array[bad[0]]} at position {bad[0]}")
    bad = np.flatnonzero(np.diff(array) <= 0)
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"edges must increase; got {array[i]:g} and {array[i + 1]:g} at positions {i} and {i + 1}")
    return tuple(array.tolist())
