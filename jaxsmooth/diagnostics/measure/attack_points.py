"""The points that an attack has found: nearer ones replace farther ones, and all have passed a test."""

import numpy as np

from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds.binomial_tail import tail_at_least
from jaxsmooth.diagnostics.measure.attack_search import Search, votes_at
from jaxsmooth.diagnostics.measure.sigma_sweep import winners

# Distances at which a change is confirmed, relative to the one at which cheap votes change.
CONFIRMED_AT = (1.02, 1.05, 1.1, 1.2)
_BISECTIONS = 8
_GROWTH = 1.5


class NearestPoints:
    """The nearest points that passed a test so far."""

    def __init__(self, search: Search, x: np.ndarray, ids: np.ndarray, label: np.ndarray, n: int) -> None:
        self.search, self.x, self.ids, self.label, self.n = search, x, ids, label, n
        self.upper = np.full(len(x), np.inf)
        self.point = x.copy()
        self.other = np.full(len(x), ABSTAIN, np.int32)
        self.samples = np.zeros(len(x), np.int64)

    def point_at(self, images: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """The images moved by so much, inside the box."""
        x = self.x[images]
        low, high = (-np.inf, np.inf) if self.search.clip is None else self.search.clip
        low, high = np.minimum(x, np.float32(low)), np.maximum(x, np.float32(high))
        on_lattice = getattr(self.search.noise, "on_lattice", None)
        return np.clip(x + delta, low, high) if on_lattice is None else on_lattice(x + delta, low, high)

    def test(self, images: np.ndarray, points: np.ndarray, alpha: float, *, stage: int) -> np.ndarray:
        """Claim that the answer has changed, at this level; which claims are made."""
        if not len(images):
            return np.zeros(0, bool)
        first = self.n // 10
        choosing, deciding = votes_at(self.search, stage, points, self.ids[images], [first, self.n])
        self.samples[images] += self.n
        rows, ours = np.arange(len(images)), self.label[images]
        choosing[rows, ours] = -1
        other = choosing.argmax(-1)
        # Votes for nobody might be ours in another evaluation of the classifier.
        nobody = self.n - first - deciding.sum(-1)
        for_us, for_other = deciding[rows, ours] + nobody, deciding[rows, other]
        total = for_us + for_other
        level = np.where(total > 0, tail_at_least(for_other, np.maximum(total, 1), 0.5), 1.0)
        distance = distances(points - self.x[images].astype(np.float64), self.search.norm)
        passed = (level <= alpha) & (distance > 0)
        better = passed & (distance < self.upper[images])
        at = images[better]
        self.upper[at], self.point[at], self.other[at] = distance[better], points[better], other[better]
        return passed

    def search_outward(self, start: np.ndarray, tries: int, alpha: float) -> None:
        """Ascend at growing distances, and test, until a point has passed."""
        certified = np.flatnonzero(self.label != ABSTAIN)
        for attempt in range(tries):
            going = certified[np.isinf(self.upper[certified])]
            length = start[going] * _GROWTH**attempt
            delta = self.search.ascend(self.x[going], self.ids[going], self.label[going], length, attempt)
            self.test(going, self.point_at(going, delta), alpha, stage=attempt)

    def confirm_closer(self, tries: int, alpha: float) -> None:
        """Test on the way to each point that passed, a little beyond where cheap votes change, until one passes."""
        changed = np.flatnonzero(np.isfinite(self.upper))
        length = self._shorten(changed, tries)
        delta, going = self.point[changed] - self.x[changed], np.ones(len(changed), bool)
        for i, factor in enumerate(CONFIRMED_AT):
            points = self.point_at(changed, self._scaled(length * factor, delta))
            passed = self.test(changed[going], points[going], alpha, stage=tries + _BISECTIONS + i)
            going[going] = ~passed

    def _shorten(self, images: np.ndarray, tries: int) -> np.ndarray:
        """By cheap votes, without a claim: the part of the way to the point at which the answer changes."""
        low, high = np.zeros(len(images)), np.ones(len(images))
        delta = self.point[images] - self.x[images]
        for i in range(_BISECTIONS if len(images) else 0):
            middle = (low + high) / 2
            points = self.point_at(images, self._scaled(middle, delta))
            (votes,) = votes_at(self.search, tries + i, points, self.ids[images], [max(self.n // 10, 1)])
            self.samples[images] += max(self.n // 10, 1)
            changed = winners(votes) != self.label[images]
            low, high = np.where(changed, low, middle), np.where(changed, middle, high)
        return high

    def _scaled(self, factor: np.ndarray, delta: np.ndarray) -> np.ndarray:
        return factor.reshape(-1, *(1,) * (self.x.ndim - 1)).astype(np.float32) * delta


def distances(delta: np.ndarray, norm: float) -> np.ndarray:
    """The lengths of float64 ``(images, *event)``, rounded up."""
    flat = np.asarray(delta, np.float64).reshape(len(delta), -1)
    return np.linalg.norm(flat, ord=norm, axis=-1) * (1 + 2.0**-40)
