"""Group-sequential tests of a binomial proportion: look at the counts a few times, at exact total alpha."""

import dataclasses
import functools
import itertools
import math
from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth.bounds.binomial_tail import tail_at_least
from jaxsmooth.bounds.boundary_crossing import crossing_probability
from jaxsmooth.bounds.clopper_pearson import checked_counts, clopper_pearson_lower

# More than the roundings of a sum over the looks and of a power.
_OUTWARD = 1 + 1e-10
# More than the roundings of the shares of alpha, so that their exact sum is at most alpha.
_INWARD = 1 - 2.0**-48


@dataclasses.dataclass(frozen=True)
class GroupSequential:
    r"""When to look at the votes of an image, and how many votes are enough at each look.

    Looks at :math:`n_k = \lceil n_1 r^k \rceil` draws, the last at ``n_max``. The last look spends
    ``last_share`` of alpha, the others share the rest equally: :math:`\sum_k \alpha_k = \alpha`. A null
    proportion tau is rejected (its radius is certified) when the count reaches the threshold

    .. math:: c_k(\tau) = \min\{c : P(\mathrm{Bin}(n_k, \tau) \ge c) \le \alpha_k\}.

    *Proof.* If the true proportion is at most tau, the count reaches the threshold at look k with
    probability at most alpha_k, so at any look with at most alpha. Stopping early for any other reason
    only removes looks: whatever rule gives up an image (futility is non-binding), the error stays below
    alpha. ``crossing_probability`` computes the error exactly, and ``calibrated_thresholds`` spends what is left.

    *Many radii at once.* Thresholds increase with tau, so the counts that certify tau_j certify every
    smaller one. The largest certified radius of an image is wrong only if some tau_j > p was rejected;
    then the smallest such tau_j was rejected, too, which has probability at most alpha. Alpha is not
    divided among radii.

    Args:
        n_max: the most draws an image may take.
        alpha: the probability, per image, of certifying too much. For a claim about all m images of a
            data set together use ``alpha / m`` (Bonferroni).
        first_look: draws before the first look.
        ratio: growth of the number of draws from look to look.
        last_share: the share of alpha that the look at ``n_max`` spends.

    Raises:
        ValueError: if ``alpha``, ``ratio`` or ``last_share`` is out of range, or if unanimous votes
            reject 1/2 at no look.
        TypeError: if ``n_max`` or ``first_look`` is not an integer.

    References:
        Pocock, "Group sequential methods in the design and analysis of clinical trials", Biometrika 1977;
        Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 1983. The shape of
        the spending and the argument for many radii: ours, above.

    Example:
        >>> plan = GroupSequential(1000, 0.001)
        >>> plan.looks.tolist()
        [64, 96, 144, 216, 324, 486, 729, 1000]
        >>> plan.thresholds([0.5, 0.84])[:, -1].tolist()
        [553, 878]
    """

    n_max: int
    alpha: float
    _: dataclasses.KW_ONLY
    first_look: int = 64
    ratio: float = 1.5
    last_share: float = 0.5

    def __post_init__(self) -> None:
        n_max = _check.integer("n_max", self.n_max, at_least=1)
        _check.keep(self, n_max=n_max)
        _check.keep(self, first_look=_check.integer("first_look", self.first_look, at_least=1))
        alpha = _check.probability("alpha", self.alpha)
        share = _check.probability("last_share", self.last_share)
        ratio = _check.number("ratio", self.ratio)
        if not 1.01 <= ratio < math.inf:
            raise ValueError(f"ratio must be at least 1.01, the growth from look to look; got {self.ratio!r}")
        _check.keep(self, alpha=alpha, last_share=share, ratio=ratio)
        if not self._can_certify(n_max):
            needed = next(n for n in itertools.count(n_max + 1) if self._can_certify(n))
            raise ValueError(
                f"n_max = {n_max} can never certify at alpha = {alpha:g}, not even when all votes agree; "
                f"use n_max >= {needed}"
            )

    @functools.cached_property
    def looks(self) -> np.ndarray:
        """int64 ``(looks,)``: the draws made by each look; the last is ``n_max``."""
        return self._looks(self.n_max)

    @functools.cached_property
    def alphas(self) -> np.ndarray:
        """float64 ``(looks,)``: the error probability that each look spends; the sum is ``alpha``, rounded down."""
        return self._alphas(len(self.looks))

    def _looks(self, n_max: int) -> np.ndarray:
        looks, k = [], 0
        ratio = min(self.ratio, float(n_max) + 1)  # the second look is the last, without an overflow
        while (n := math.ceil(self.first_look * ratio**k)) < n_max:
            looks.append(n)
            k += 1
        return np.unique(np.array([*looks, n_max], np.int64))

    def _alphas(self, looks: int) -> np.ndarray:
        others = looks - 1
        if others == 0:
            return np.array([self.alpha])
        return self.alpha * _INWARD * np.array([(1 - self.last_share) / others] * others + [self.last_share])

    def _can_certify(self, n_max: int) -> bool:
        """Whether unanimous votes reject 1/2 at some look of this plan with ``n_max`` draws."""
        looks = self._looks(n_max)
        return bool(np.any(0.5**looks * _OUTWARD <= self._alphas(len(looks))))

    def thresholds(self, p: Any, *, any_class: bool = False) -> np.ndarray:
        r"""The votes that reject each null proportion at each look.

        With ``any_class`` the label is unknown and any class that reaches a threshold is accepted: the
        largest certified radius of *any* class is then wrong with probability at most alpha.

        *Rule.* Let tau_1 >= 1/2 be the smallest null and :math:`U_\tau(p) = \sum_k P(\mathrm{Bin}(n_k, p)
        \ge c_k(\tau))`, the union bound of an error. tau spends :math:`a(\tau) \le \alpha -
        U_{\tau_1}(1 - \tau)` in place of alpha: all but what the other classes may need. At tau = 1/2 it is
        alpha / 2, from about 0.52 it is alpha but for a rounding.

        *Proof.* A wrong pair (class, radius) implies that some class a was accepted at the smallest null
        above p_a. For p < tau, U_tau is convex and U_tau(0) = 0, because :math:`P(\mathrm{Bin}(n, p) \ge
        c)` has a derivative in p that increases up to (c - 1) / (n - 1) >= tau. Let t be the most likely
        class. The others have :math:`\sum_{a \ne t} p_a \le 1 - p_t`, so convexity bounds their part by
        :math:`U_{\tau_1}(1 - p_t)` when p_t >= 1/2; and for p_t < 1/2 it bounds all classes by :math:`2
        U_{\tau_1}(1/2)`. The sum f(p_t) of the parts of t and of the others is convex between neighbouring
        nulls, hence largest at an end: at tau_j it is at most a(tau_j) + U(1 - tau_j) <= alpha, at
        tau_{j-1} at most the same of tau_{j-1} since thresholds increase with tau; at 1/2 < tau_1 it is
        :math:`2 U_{\tau_1}(1/2) \le U_{\tau_1}(\tau_1) + U_{\tau_1}(1 - \tau_1) \le \alpha`.

        Args:
            p: null proportions in [0, 1], any order; what ``required_probability`` gives for each radius.
                inf (no probability suffices) is never rejected.
            any_class: accept any class, not one chosen before the draws. Then every ``p`` >= 1/2.

        Returns:
            int64 ``(len(p), looks)``, nondecreasing in ``p`` at each look; ``n_k + 1`` where not even a
            unanimous vote suffices.

        Raises:
            ValueError: for proportions out of range.

        References:
            Ours, with the proofs above.

        Example:
            >>> GroupSequential(100, 0.01, first_look=50).thresholds([0.5, 0.9]).tolist()
            [[36, 51, 64], [51, 75, 98]]
        """
        p = checked_nulls(p, any_class)
        order = np.argsort(p, kind="stable")
        ascending = p[order]
        if not any_class or len(p) == 0:
            rows = thresholds_at(self, ascending, np.full(len(p), self.alpha))
        else:
            rows = self._thresholds_any_class(ascending)
        # Equal up to rounding where they are equal in theory: never let a larger null need fewer votes.
        thresholds = np.empty_like(rows)
        thresholds[order] = np.maximum.accumulate(rows, axis=0)
        return thresholds

    def lower_bound(self, look: int, counts: Any) -> np.ndarray:
        r"""Lower confidence bounds of the proportions at a look; the largest over the looks is valid, too.

        The Clopper-Pearson bound at level alpha_k. It exceeds the true proportion with probability at most
        alpha_k, so the maximum over all looks does with at most alpha: a radius of any value, not only of a
        grid, and any rule may decide when to stop. It is at least tau exactly when the threshold of tau that
        ``thresholds`` gives is reached: both may be reported at one alpha. ``calibrated_thresholds`` are lower: with
        those, radii and this bound are two claims, each at alpha.

        Args:
            look: index of the look.
            counts: integers, any shape: votes for a class chosen before the draws.

        Returns:
            float64 of the shape of ``counts``, rounded down.

        Raises:
            ValueError: for a look or a count out of range.
            TypeError: for counts that are not integers.

        References:
            Ours, with the proof above.

        Example:
            >>> float(GroupSequential(1000, 0.001).lower_bound(-1, 990).round(4))
            0.9749
        """
        if not -len(self.looks) <= _check.integer("look", look) < len(self.looks):
            raise ValueError(f"look must be below {len(self.looks)}, the number of looks; got {look}")
        checked_counts(counts, self.looks[look], name="counts")
        return clopper_pearson_lower(counts, self.looks[look], self.alphas[look])

    def crossing_probability(self, p: float, null: float | None = None) -> float:
        r"""The exact probability that the null is rejected at some look, if nothing stops the image early.

        :math:`P(\exists k: S_k \ge c_k(\mathrm{null}))` when each draw votes for the class with
        probability ``p``. At ``p = null`` this is the error rate, which never exceeds alpha.

        Args:
            p: the true proportion.
            null: the null proportion; ``p`` by default.

        Returns:
            A float, rounded up (``bounds.crossing_probability``).

        Raises:
            ValueError: for proportions outside [0, 1].

        Example:
            >>> plan = GroupSequential(1000, 0.001)
            >>> 0.0004 < plan.crossing_probability(0.5) <= 0.001
            True
        """
        p = float(_check.probabilities("p", p))
        tested = p if null is None else float(_check.probabilities("null", null))
        thresholds = self.thresholds([tested])[0]
        return crossing_probability(p, self.looks, thresholds)

    def required_n_max(self, p: Any) -> Any:
        """The smallest ``n_max`` whose last look rejects each null proportion by unanimous votes, all else unchanged.

        The smallest n with ``p ** n <= alpha * last_share``; alpha, if one look at n draws is all there is. Thresholds
        of ``calibrated_thresholds`` need fewer: the smallest n with ``p ** n <= alpha``.

        Args:
            p: null proportions in [0, 1), any shape.

        Returns:
            int64 of the shape of ``p``.

        Raises:
            ValueError: for proportions outside [0, 1); 1 is never rejected.

        Example:
            >>> int(GroupSequential(1000, 0.001).required_n_max(0.9987))
            5844
        """
        p = _check.probabilities("p", p)
        if np.any(p == 1):
            raise ValueError("p = 1 cannot be rejected by any number of votes; use a smaller radius")
        return np.vectorize(self._unanimous, otypes=[np.int64])(p)[()]

    def _unanimous(self, p: float) -> int:
        only = _unanimous(self.alpha, p)
        return only if only <= self.first_look else _unanimous(self.alpha * self.last_share, p)

    def _thresholds_any_class(self, p: np.ndarray) -> np.ndarray:
        smallest = p[:1]
        if not np.isfinite(smallest[0]):
            return thresholds_at(self, p, np.full(len(p), self.alpha))
        # The thresholds at full alpha are the lowest, so they overstate what the other classes need.
        loosest = thresholds_at(self, smallest, np.array([self.alpha]))[0]
        first = max(self.alpha / 2, self.alpha - union_bound(self.looks, loosest, 1 - smallest)[0])
        lowest = thresholds_at(self, smallest, np.array([first]))[0]
        other = union_bound(self.looks, lowest, 1 - np.minimum(p, 1.0))
        spent = np.where(p == smallest, first, self.alpha - other)
        return np.maximum(thresholds_at(self, p, spent), lowest)


def union_bound(looks: np.ndarray, thresholds: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The sum over the looks of P(count >= threshold) for each of the proportions ``p``, rounded up."""
    return _tail(thresholds, looks, p[:, None]).sum(-1) * _OUTWARD


def thresholds_at(tests: GroupSequential, p: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """``(len(p), looks)`` thresholds when null i spends ``alpha[i]``: looked for, then checked."""
    n, p = tests.looks, p[:, None]
    allowed = alpha[:, None] * (tests.alphas / tests.alpha)
    low = np.zeros((len(p), len(n)), np.int64)  # not enough votes: the tail of 0 is 1
    high = np.broadcast_to(n + 1, low.shape)  # enough: cannot occur
    for _ in range(int(n[-1] + 1).bit_length()):
        middle = (low + high) // 2
        enough = _approximate_tail(middle, n, p) <= allowed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    while np.any(wrong := _tail(high, n, p) > allowed):
        high = high + wrong
    # A share of 1 or more allows everything, and no count is below 0.
    while np.any(enough := (high > 0) & (_tail(np.maximum(high - 1, 0), n, p) <= allowed)):
        high = high - enough
    # The proof for any class needs (c - 1) / (n - 1) >= p; for shares below 1/2 this changes nothing.
    convex = 1 + np.ceil((n - 1) * np.minimum(p, 1.0)).astype(np.int64)
    return np.maximum(high, np.minimum(convex, n + 1))


def check_tests(tests: Any) -> None:
    """Refuse what does not say when to look."""
    if not isinstance(tests, GroupSequential):
        raise TypeError(f"tests must be a GroupSequential, for example GroupSequential(n_max, alpha); got {tests!r}")


def _tail(count: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    """P(Bin(n, p) >= count), never below it; 1 for an infinite p and any count that can be reached."""
    return tail_at_least(count, n, np.minimum(p, 1.0))


def _approximate_tail(count: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The same by SciPy, whose errors are small, but of no proved size."""
    inside = special.betainc(np.maximum(count, 1), np.maximum(n - count, 0) + 1, np.minimum(p, 1.0))
    return np.where(count <= 0, 1.0, np.where(count > n, 0.0, inside))


def unanimous_calibrated(alpha: float, p: float, *, any_class: bool) -> int:
    """The smallest n of which unanimous votes reject p at calibrated thresholds; see ``calibrated_thresholds``."""
    alpha *= 1 - 1e-9  # all of it but for a rounding
    n = _unanimous(alpha, p)
    while any_class and p**n + (1 - p) ** n > alpha:
        n += 1
    return n


def _unanimous(alpha: float, p: float) -> int:
    """The smallest n with p**n <= alpha."""
    n = 1 if p == 0 else max(1, math.ceil(math.log(alpha) / math.log(p)))
    while p**n * _OUTWARD > alpha:
        n += 1
    return n


def checked_nulls(p: Any, any_class: bool) -> np.ndarray:
    """``p`` as a float64 vector, if it is one of null proportions."""
    p = np.atleast_1d(_check.as_float64("p", p))
    if p.ndim != 1:
        raise ValueError(f"p must be a vector of null proportions; got shape {p.shape}")
    finite = np.where(np.isposinf(p), 1.0, p)
    _check.probabilities("p", finite)
    if any_class and np.any(finite < 0.5):
        raise ValueError(
            f"p must be at least 1/2 when any class may be accepted; got {finite.min()}. "
            "Below 1/2 fix the class before the draws"
        )
    return p
