"""The most likely class with an error guarantee, looked for sequentially; no labels, no bound on p."""

import dataclasses
from typing import Any

import numpy as np
from scipy import special

from jaxsmooth import _check
from jaxsmooth._types import ABSTAIN
from jaxsmooth.bounds.binomial_tail import MOST_TRIALS, tail_at_least
from jaxsmooth.bounds.curve_plan import checked_range
from jaxsmooth.bounds.group_sequential import GroupSequential, check_tests


def leader_p_value(leader: Any, second: Any) -> Any:
    r"""The p-value of "the class with the most votes is not the most likely one".

    :math:`\min(1, 2 P(\mathrm{Bin}(n_1 + n_2, 1/2) \ge n_1))` for the two largest counts: the two-sided
    binomial test.

    *Proof.* Let t be the most likely class and j another one. Given the votes of all other classes, of which
    M is the largest, and m votes for j and t together, :math:`n_j \sim \mathrm{Bin}(m, \theta)` with theta <=
    1/2, and j leads if :math:`n_j \ge b = \max(M, \lceil m / 2 \rceil)`. Binomials are ordered by likelihood
    ratio in m and in theta, so :math:`P(n_j \ge a \mid n_j \ge b)` grows with both: it is at most its value at
    theta = 1/2 and m' = a + (the runner-up's votes) >= m. There the condition has probability at least 1/2,
    since b <= ceil(m' / 2), which leaves at most the two-sided p-value. So given that j leads, the p-value is
    at most alpha with probability at most alpha; only one class leads.

    Args:
        leader: integers, the largest counts, any shape.
        second: integers, the second largest counts, at most ``leader``.

    Returns:
        float64 of the broadcast shape, never below the p-value (the error of the tail is proved in
        ``bounds/binomial_tail.py``).

    Raises:
        ValueError: for negative counts, or a second one above the largest.
        TypeError: for counts that are not integers.

    References:
        Hung and Fithian, "Rank verification for exponential families", Annals of Statistics 2019; used to
        predict by Cohen et al. 2019, Proposition 1.

    Example:
        >>> round(float(leader_p_value(11, 0)), 6)
        0.000977
    """
    leader = checked_range("leader", leader, MOST_TRIALS // 2 - 1)
    second = checked_range("second", second, leader)
    tail = tail_at_least(leader, np.maximum(leader + second, 1), 0.5)
    return np.minimum(2 * tail, 1.0)[()]


@dataclasses.dataclass(frozen=True)
class PredictPlan:
    """Return the class that leads as soon as its lead is significant; abstain as soon as that is hopeless.

    At look k the leading class is returned if ``leader_p_value <= alpha_k``. A class other than the most
    likely one is returned with probability at most ``sum(alpha_k) = tests.alpha``: the union of the looks.
    Giving up early cannot add errors.

    Votes for nobody are counted for the runner-up, so that the answer is right for every classifier that votes as this
    one does where it votes at all (``with_margin``). *Proof.* On the same draws such a classifier gives the leader no
    fewer votes and any other class no more than the second and those for nobody, and the p-value decreases in the
    leader's votes and increases in the second's: this plan would return the same class for its votes.

    Args:
        tests: the looks and how they spend alpha. A small ``first_look`` (11 votes decide at alpha = 0.001 if
            it is the only look) answers clear images at once.
        min_gain: an image is given up unless, at some later look, the predicted probability of a decision
            is at least this times ``(draws to go) / n_max``. None: give up only what cannot succeed.

    Raises:
        ValueError: if ``min_gain`` is not positive.
        TypeError: if ``tests`` is not a ``GroupSequential``.

    References:
        Cohen et al. 2019, "predict"; the looks and the abstention: ours, with the proof above.

    Example:
        >>> plan = PredictPlan(GroupSequential(1000, 0.001, first_look=16))
        >>> label, stop = plan.decide(0, [[16, 0, 0], [9, 7, 0]])
        >>> label.tolist(), stop.tolist()
        ([0, -1], [True, False])
    """

    tests: GroupSequential
    _: dataclasses.KW_ONLY
    min_gain: float | None = 0.05

    def __post_init__(self) -> None:
        check_tests(self.tests)
        if self.min_gain is not None:
            _check.require_positive("min_gain", self.min_gain)

    @property
    def looks(self) -> np.ndarray:
        """int64 ``(looks,)``: the draws made by each look."""
        return self.tests.looks

    def decide(self, look: Any, counts: Any) -> tuple[np.ndarray, np.ndarray]:
        """The label of each image at a look, and which images are finished.

        Args:
            look: index of the look, one for all images or one per image; ``looks[look]`` draws of the image
                have been made.
            counts: integers ``(images, classes)``: votes per class; their sum may be below the number of
                draws (votes for nobody, which are counted for the runner-up).

        Returns:
            ``(label, stop)``: int32 with ``ABSTAIN`` where nothing is decided (yet), and bool, whether the
            image is finished. An image that stops with ``ABSTAIN`` abstains.

        Raises:
            ValueError: for a look out of range, counts of another shape, or more votes than draws.
            TypeError: for counts that are not integers.
        """
        look = checked_range("look", look, len(self.looks) - 1)
        counts = _checked_votes(counts, self.looks[look])
        second, leader = np.partition(counts, -2, axis=1)[:, -2:].T
        second = second + self.looks[look] - counts.sum(axis=1)
        # A second one above the leader is not significant, as a tie is not.
        decided = leader_p_value(leader, np.minimum(second, leader)) <= self.tests.alphas[look]
        label = np.where(decided, counts.argmax(axis=1), ABSTAIN).astype(np.int32)
        return label, decided | ~self._worth(look, leader, second)

    def _worth(self, look: np.ndarray, leader: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether some later look may still decide: possible at all, and likely enough for its draws."""
        draws, alphas = self.looks, self.tests.alphas
        ahead = draws[:, None] - draws[look]  # (looks, images)
        later = np.maximum(ahead, 1)
        # Giving up proves nothing, so here SciPy's tail is good enough.
        p_value = 2 * special.betainc(leader + later, second + 1.0, 0.5)
        possible = (ahead > 0) & (p_value <= alphas[:, None])
        if self.min_gain is not None:
            power = _conditional_power(leader, second, draws[look], later, alphas[:, None])
            possible &= power >= self.min_gain * later / draws[-1]
        return possible.any(axis=0)


def _conditional_power(
    leader: np.ndarray, second: np.ndarray, draws: np.ndarray, ahead: np.ndarray, alpha: np.ndarray
) -> np.ndarray:
    """The predicted probability that the lead is significant after ``ahead`` more draws.

    Normal prediction of the lead with its posterior uncertainty included; a lead of d among m votes is
    significant when d is about z(alpha) sqrt(m).
    """
    first, runner_up = leader + 0.5, second + 0.5
    mean = (first - runner_up) / (draws + 1.5)
    votes = (first + runner_up) / (draws + 1.5)
    variance = np.maximum(votes - mean**2, 1e-12) * ahead * (draws + 1.5 + ahead) / (draws + 2.5)
    needed = -special.ndtri(alpha / 2) * np.sqrt(votes * (draws + ahead))
    return special.ndtr((leader - second + ahead * mean - needed) / np.sqrt(variance))


def _checked_votes(counts: Any, draws: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.dtype.kind not in "iu":
        raise TypeError(f"counts must be integers; got dtype {counts.dtype}")
    if counts.ndim != 2 or counts.shape[1] < 2:
        raise ValueError(f"counts must have shape (images, classes) with at least 2 classes; got {counts.shape}")
    counts = counts.astype(np.int64)
    total = counts.sum(axis=1)
    if np.any(counts < 0) or np.any(total > draws):
        raise ValueError(f"counts must be at least 0 and sum to at most the {draws} draws made; got {total.max()}")
    return counts
