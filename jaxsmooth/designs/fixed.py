"""Fixed: the same number of votes for every image, and what they prove."""

import dataclasses
from typing import Any, Literal, Self

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._types import ABSTAIN, ArrayLike, Noise, Votes
from jaxsmooth.bounds import clopper_pearson_lower, runner_up_bounds
from jaxsmooth.bounds.binomial_tail import one_minus
from jaxsmooth.bounds.clopper_pearson import check_can_certify
from jaxsmooth.designs.base import AbstractDesign, Finished, Rows, Setting, reason_of, votes_since
from jaxsmooth.radii import explain_radius, rules_for

RunnerUp = Literal["complement", "bounded"]


@dataclasses.dataclass(frozen=True)
class Fixed(AbstractDesign):
    r"""``n0`` votes select a class, ``n`` fresh ones bound its probability: the design of ``certify``.

    Args:
        n0: votes that select the class.
        n: votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong; all of it one-sided.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        runner_up: ``"complement"``: every other class has at most ``1 - p_A``. ``"bounded"``: a tenth of ``alpha`` is
            spent on an upper bound of the runner-up, for which votes for nobody are counted; see
            ``bounds.runner_up_bounds``.

    Raises:
        ValueError: for values out of range, or an ``n`` that can certify nothing at this ``alpha``.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized smoothing", 2019, algorithm
        CERTIFY.

    Example:
        >>> import jaxsmooth as js
        >>> js.designs.Fixed(n=1000).looks.tolist()
        [100, 1100]
    """

    n0: int = 100
    n: int = 100_000
    alpha: float = 1e-3
    norm: float = 2
    runner_up: RunnerUp = "complement"

    def __post_init__(self) -> None:
        n0 = _check.draws("n0", self.n0)
        n, alpha = _check.draws("n", self.n, first=n0), _check.probability("alpha", self.alpha)
        norm = _check.norm(self.norm)
        _check.require_one_of("runner_up", self.runner_up, RunnerUp)
        check_can_certify(n, alpha, share=0.9 if self.runner_up == "bounded" else 1)
        _check.keep(self, n0=n0, n=n, alpha=alpha, norm=norm)

    def bind(self, setting: Setting) -> Self:
        """See ``AbstractDesign.bind``."""
        if setting.at_images is not None:
            rules_for(setting.at_images, self.norm)
        return super().bind(setting)

    @property
    def looks(self) -> np.ndarray:
        """See ``AbstractDesign.looks``."""
        return np.array([self.n0, self.n0 + self.n])

    @property
    def checkpoints(self) -> np.ndarray:
        """1, 2 and 5 times the powers of ten after the selection, so that a smaller n can be asked for later."""
        return self.n0 + draws_to_record(self.n)

    def init(self, images: int) -> Rows:
        """See ``AbstractDesign.init``."""
        return {"selection": np.zeros((images, self.setting.classes), np.int32)}

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """See ``AbstractDesign.look``."""
        selecting = look == 0
        return {"selection": np.where(selecting[:, None], counts, rows["selection"])}, ~selecting

    def conclude(self, rows: Rows, finished: Finished) -> Certificates:
        """See ``AbstractDesign.conclude``."""
        selection = np.where(finished.complete[:, None], rows["selection"], 0)
        certified = _certificates(
            selection, votes_since(finished, selection, self.n0), finished.at_images,
            n=self.n, dim=self.setting.dim, alpha=self.alpha, norm=self.norm, runner_up=self.runner_up,
        )  # fmt: skip
        complete = finished.complete
        return dataclasses.replace(
            certified,
            noise=self.setting.noise,
            p_upper=np.where(complete, certified.p_upper, 1.0),
            samples=np.where(complete, finished.samples, 0),
            reason=reason_of(complete),
        )


def draws_to_record(n: int) -> np.ndarray:
    """1, 2 and 5 times the powers of ten, from 100 on, below n."""
    rounds = np.array([step * 10**power for power in range(2, 10) for step in (1, 2, 5)])
    return rounds[rounds < n]


def certificates(
    selection: ArrayLike,
    votes: Any,
    noise: Noise,
    *,
    dim: int,
    alpha: float = 1e-3,
    norm: float = 2,
    runner_up: RunnerUp = "complement",
) -> Certificates:
    r"""What votes prove about the classes that other votes selected: from counts of any origin to certificates.

    Pure, on the host, in NumPy. The votes may come from a loop of one's own, from a file, or be sums over shards.
    For each image the winner of ``selection`` is taken; ``votes``, which must be of other draws, give the
    Clopper-Pearson lower bound of its probability; the radius is that of the noise and norm there.

    Args:
        selection: ``Votes``, or integers ``(images, classes)``, that select the class.
        votes: ``Votes``, or integers ``(images, classes)``, that estimate its probability; all draws count,
            invalid ones included. Images may have different numbers of draws, which must not have been chosen by
            looking at them.
        noise: the noise under which they were drawn; one that depends on the image is passed at the images,
            ``noise.frozen_at(x)``.
        dim: the number of coordinates of one input.
        alpha: the probability, per image, that the certificate is wrong; all of it one-sided.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        runner_up: ``"complement"`` or ``"bounded"``; see ``certify``.

    Returns:
        ``Certificates``; ``samples`` are the draws of both.

    Raises:
        ValueError: for counts that are negative or of shapes that do not fit, and as ``certify``.
        TypeError: for arguments of the wrong kind.

    References:
        Cohen et al. 2019, algorithm CERTIFY.

    Example:
        >>> import jaxsmooth as js
        >>> selection, votes = [[90, 10], [55, 45]], [[9_900, 100], [5_020, 4_980]]
        >>> made = js.certificates(selection, votes, js.noises.Gaussian(0.25), dim=64)
        >>> made.label.tolist(), made.radius.round(2).tolist()
        ([0, -1], [0.55, 0.0])
    """
    selection, votes = checked_votes("selection", selection), checked_votes("votes", votes)
    if selection.counts.shape != votes.counts.shape:
        raise ValueError(
            f"selection and votes must be of the same images and classes; got shapes {selection.counts.shape} and "
            f"{votes.counts.shape}"
        )
    if selection.kind != votes.kind:
        raise ValueError(f"selection and votes must be of one kind; got {selection.kind} and {votes.kind} votes")
    _check.require_one_of("runner_up", runner_up, RunnerUp)
    if len(empty := np.flatnonzero(votes.total == 0)):
        raise ValueError(f"votes must hold a draw of every image; image {empty[0]} has none. Leave it out of both")
    made = _certificates(
        selection.counts, votes, noise, n=votes.total, dim=_check.integer("dim", dim, at_least=1),
        alpha=_check.probability("alpha", alpha), norm=_check.norm(norm), runner_up=runner_up,
    )  # fmt: skip
    # As those that are counted, where they and their sums fit.
    narrow = lambda values: values.astype(np.int32) if values.max(initial=0) < 2**30 else values
    kept = Votes(narrow(votes.counts), narrow(votes.invalid), votes.kind)
    return dataclasses.replace(made, samples=(selection.total + votes.total).astype(np.int64), votes=kept)


def _certificates(
    selection: np.ndarray, votes: Votes, noise: Noise, *, n: Any, dim: int, alpha: float, norm: float, runner_up: str
) -> Certificates:
    """What ``n`` votes prove about the classes that other votes selected."""
    top = selection.argmax(-1)
    if runner_up == "bounded":
        # Votes for nobody may be near ties, which might all go to one class elsewhere.
        p_lower, p_upper = runner_up_bounds(votes.counts, top, n, alpha, invalid=votes.invalid)
        p_upper = np.minimum(p_upper, one_minus(p_lower, up=True))
    else:
        p_lower = clopper_pearson_lower(votes.counts[np.arange(len(top)), top], n, alpha)
        p_upper = one_minus(p_lower, up=True)
    bounded = p_upper if runner_up == "bounded" else None
    radius, rule = explain_radius(noise, p_lower, norm=norm, dim=dim, p_upper=bounded)
    return Certificates(
        label=np.where(radius > 0, top, ABSTAIN).astype(np.int32),
        radius=radius,
        p_lower=p_lower,
        p_upper=p_upper,
        samples=np.zeros(len(top), np.int64),
        votes=votes,
        noise=noise,
        norm=norm,
        alpha=alpha,
        rule=rule,
    )


def checked_votes(name: str, value: object) -> Votes:
    """``value`` as ``Votes`` of NumPy arrays; counts alone have no invalid draws."""
    if isinstance(value, Votes):
        counts, invalid, kind = np.asarray(value.counts), np.asarray(value.invalid), value.kind
    else:
        kind = "hard"
        counts = _check.as_array(name, value)
        invalid = np.zeros(counts.shape[:1], np.int64)
    if counts.dtype.kind not in "iu" or invalid.dtype.kind not in "iu":
        raise TypeError(f"{name} must be Votes or integers (images, classes); got dtype {counts.dtype}")
    if counts.ndim != 2 or counts.shape[1] < 2 or invalid.shape != counts.shape[:1]:
        raise ValueError(
            f"{name} must be Votes or integers (images, classes), at least 2 classes; got shape {counts.shape}"
        )
    if counts.size and (counts.min() < 0 or invalid.min() < 0):
        raise ValueError(f"{name} must be at least 0; got {min(counts.min(), invalid.min())}")
    # A class of uint8 or int32 would overflow in sums.
    return Votes(counts.astype(np.int64), invalid.astype(np.int64), kind)
