"""When to give up an image: rules that save draws and cannot touch the error rate."""

import abc
import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy import special

from jaxsmooth import _check


class AbstractFutility(abc.ABC):
    """A rule that gives up an image whose count is too low; non-binding, so any rule is valid."""

    @abc.abstractmethod
    def minimal_counts(self, looks: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """The smallest counts that are worth going on with.

        Args:
            looks: int64 ``(looks,)``.
            p: float64 ``(levels,)``, nondecreasing null proportions, some of them perhaps inf.
            thresholds: int64 ``(levels, looks)``.

        Returns:
            int64 ``(looks, levels)``: entry ``[k, j]`` is for images at look k of which the first j levels
            are certified.
        """


@dataclasses.dataclass(frozen=True)
class Unreachable(AbstractFutility):
    r"""Give up only when unanimous votes from now on would reach no further level.

    Go on while :math:`S \ge \min_{l > k} c_l(\tau) - (n_l - n_k)`. Loses nothing.

    References:
        Curtailed sampling: Wald, "Sequential Analysis", 1947.

    Example:
        >>> Unreachable().minimal_counts(
        ...     np.array([10, 20]), np.array([0.5]), np.array([[11, 18]])
        ... ).tolist()
        [[8], [21]]
    """

    def minimal_counts(self, looks: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """See ``AbstractFutility.minimal_counts``."""
        slack = np.where(thresholds > looks, np.inf, thresholds - looks).T
        ahead = np.minimum.accumulate(slack[::-1], axis=0)[::-1]
        ahead = np.concatenate([ahead[1:], np.full((1, len(p)), np.inf)])
        return np.clip(np.minimum(ahead, 1.0) + looks[:, None], 0, looks[:, None] + 1).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class ConfidentlyBelow(AbstractFutility):
    r"""Give up a level when the Clopper-Pearson upper bound at level ``beta`` is below its null.

    Go on while :math:`P(\mathrm{Bin}(n_k, \tau) \le S) > \beta`. An image whose proportion is above tau is
    given up at any one look with probability at most ``beta``.

    Args:
        beta: error probability of the upper bound, per look.

    Raises:
        ValueError: if ``beta`` is outside (0, 1).

    References:
        Clopper and Pearson, Biometrika 1934; as a stopping rule Horváth et al., "Boosting randomized
        smoothing with variance reduced classifiers", ICLR 2022.

    Example:
        >>> ConfidentlyBelow(0.01).minimal_counts(
        ...     np.array([100, 200]), np.array([0.5]), np.array([[66, 120]])
        ... ).tolist()
        [[38], [201]]
    """

    beta: float = 0.01

    def __post_init__(self) -> None:
        _check.probability("beta", self.beta)

    def minimal_counts(self, looks: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """See ``AbstractFutility.minimal_counts``."""
        n, tau = looks[:, None], np.minimum(p, 1.0)
        goes_on = lambda count: special.bdtr(np.minimum(count, n).astype(np.float64), n, tau) > self.beta
        return np.maximum(_smallest(goes_on, looks, len(p)), Unreachable().minimal_counts(looks, p, thresholds))


@dataclasses.dataclass(frozen=True)
class ConditionalPower(AbstractFutility):
    r"""Give up when no later look promises enough new radii for its draws.

    Go on while, for some later look l,

    .. math:: \frac{1}{J} \sum_{j\,\mathrm{pending}} P(S_l \ge c_l(\tau_j) \mid S_k)
              \ge g \, \frac{n_l - n_k}{n_\max}.

    The prediction is a normal distribution with the two moments of the beta-binomial that a Jeffreys prior
    gives: with :math:`\hat p = (S_k + 1/2) / (n_k + 1)` and m draws to come the mean is :math:`m \hat p` and
    the variance :math:`m \hat p (1 - \hat p) (n_k + 1 + m) / (n_k + 2)`, the uncertainty of p included.

    Args:
        min_gain: g, the share of the curve's radii that ``n_max`` further draws must promise to certify.
            Larger: fewer draws, more radii given up.

    Raises:
        ValueError: if ``min_gain`` is not positive.

    References:
        Lan, Simon and Halperin, "Stochastically curtailed tests in long-term clinical trials",
        Communications in Statistics C 1982. The price per draw: ours.

    Example:
        >>> looks, thresholds = np.array([100, 1000]), np.array([[70, 550]])
        >>> ConditionalPower(0.02).minimal_counts(looks, np.array([0.5]), thresholds).tolist()
        [[46], [1001]]
    """

    min_gain: float = 0.01

    def __post_init__(self) -> None:
        _check.require_positive("min_gain", self.min_gain)

    def minimal_counts(self, looks: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """See ``AbstractFutility.minimal_counts``."""
        counts = np.empty((len(looks), len(p)), np.int64)
        for k, n in enumerate(looks):
            ahead, reach = looks[k + 1 :] - n, thresholds[:, k + 1 :]
            price = self.min_gain * len(p) * ahead / looks[-1]
            goes_on = lambda count: self._worth(count, n, ahead, reach, price)  # noqa: B023
            counts[k] = _smallest(goes_on, looks[k : k + 1], len(p))[0]
        return np.maximum(counts, Unreachable().minimal_counts(looks, p, thresholds))

    def _worth(self, count: np.ndarray, n: int, ahead: np.ndarray, reach: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Whether the counts ``(1, levels)``, one per number of certified levels, are worth going on with."""
        if len(ahead) == 0:
            return np.zeros(count.shape, bool)
        count = count[0, :, None, None]
        mean = (count + 0.5) / (n + 1)
        spread = np.sqrt(ahead * mean * (1 - mean) * (n + 1 + ahead) / (n + 2))
        # (certified, level, look); a level is pending when its index is not below the number certified.
        power = special.ndtr((count + ahead * mean + 0.5 - reach) / spread) * (reach <= n + ahead)
        gain = np.triu(np.ones((len(reach), len(reach))))[:, :, None] * power
        return np.any(gain.sum(1) >= price, axis=-1)[None, :]


def _smallest(goes_on: Callable[[np.ndarray], np.ndarray], looks: np.ndarray, levels: int) -> np.ndarray:
    """``(looks, levels)`` smallest counts with ``goes_on(count)``, increasing in the count; n + 1 if none."""
    low = np.full((len(looks), levels), -1, np.int64)  # never asked: gives up
    high = np.repeat(looks[:, None] + 1, levels, axis=1)
    for _ in range(math.ceil(math.log2(looks[-1] + 2)) + 1):
        middle = np.maximum((low + high) // 2, 0)
        good = goes_on(middle)
        wide = high - low > 1
        low, high = np.where(wide & ~good, middle, low), np.where(wide & good, middle, high)
    return high
