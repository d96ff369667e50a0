"""What every design is: when to look at the votes of an image, when to stop, and what they prove then."""

import abc
import dataclasses
from typing import Any, NamedTuple, Self

import numpy as np

from jaxsmooth._certificates import Reason
from jaxsmooth._types import Noise, Votes
from jaxsmooth.sampling.ballots import WINNER, AbstractBallot

# What is remembered of images between looks: arrays by name, a row an image.
Rows = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Setting:
    """The run that a design is asked to decide.

    Attributes:
        noise: the noise.
        at_images: the noise as radius rules see it: at all images, in their order, where it depends on them; None if
            it does and the images come in a stream, which nobody has seen to its end.
        dim: coordinates of one image.
        classes: the number of classes.
        labelled: whether images come with labels, which are then tested.
        shape: the shape of what the classifier returns for one image, ``(classes,)`` or ``(*outputs, classes)``.
        images: how many there are; None if they come in a stream.
    """

    noise: Noise
    at_images: Noise | None
    dim: int
    classes: int
    labelled: bool
    shape: tuple[int, ...] = ()
    images: int | None = None


class Finished(NamedTuple):
    """Images about which nothing more will be known.

    Attributes:
        images: int64 ``(images,)``, their places in the order of arrival.
        votes: the ``Votes`` (NumPy) of all draws up to the last look that they passed.
        samples: int64 ``(images,)``, the draws made by then.
        at_images: the noise at these images, as radius rules see it.
        complete: bool ``(images,)``, whether the design stopped them; not where a ledger ends before.
        chosen: int32 ``(images, outputs)``, what votes were counted against, where the ballot chooses it.
    """

    images: np.ndarray
    votes: Votes
    samples: np.ndarray
    at_images: Any
    complete: np.ndarray
    chosen: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class AbstractDesign(abc.ABC):
    """A sampling design: frozen and pure. The driver owns loops, devices, ledger, progress and order.

    The draws of an image are numbered from 0. After ``looks[0]``, ``looks[1]``, ... of them the driver calls ``look``,
    which may stop the image, and must at the last one. What a design remembers of images it returns as rows; it
    keeps nothing itself. Subclasses are frozen dataclasses and are never subclassed again.
    """

    _setting: Setting | None = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def bind(self, setting: Setting) -> Self:
        """This design for a run, before anything is sampled: where to refuse what can never be proved.

        Args:
            setting: the run.

        Returns:
            The design, its ``setting`` known.
        """
        bound = dataclasses.replace(self)  # and not a copy, which would have what was planned for another run
        object.__setattr__(bound, "_setting", setting)
        return bound

    @property
    def setting(self) -> Setting:
        """The run to decide, known once the driver has called ``bind``."""
        if self._setting is None:
            raise ValueError(f"{self!r} is not bound to a run; the verbs do it, or design.bind(Setting(...))")
        return self._setting

    @property
    def noise_at_images(self) -> Noise:
        """The noise of the run as radius rules see it at all images; refused where nobody has seen them all."""
        if self.setting.at_images is None:
            raise TypeError(
                f"x must be an array (images, *event) for noise that depends on the image, not a stream; "
                f"{type(self).__name__} must know all images before it begins"
            )
        return self.setting.at_images

    @property
    def deterministic(self) -> bool:
        """Whether draws are the numbered views of an image, each of which is seen once."""
        return False

    @property
    def takes_labels(self) -> bool:
        """Whether labels that come with images are classes; else they are left alone, such as maps and targets."""
        return True

    @property
    def ballot(self) -> AbstractBallot:
        """What the scores of a draw count for: the class of the largest one, unless the design says otherwise."""
        return WINNER

    @property
    @abc.abstractmethod
    def looks(self) -> np.ndarray:
        """int64 ``(looks,)``, increasing: the numbers of draws after which an image is looked at."""

    @property
    def checkpoints(self) -> np.ndarray:
        """int64: further numbers of draws at which votes are written to a ledger, so that they can be asked for."""
        return np.zeros(0, np.int64)

    @abc.abstractmethod
    def init(self, images: int) -> Rows:
        """What is remembered of images that have not been looked at.

        Args:
            images: how many.

        Returns:
            Arrays by name, each with a row for every image.
        """

    @abc.abstractmethod
    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """Look at the votes of some images.

        Args:
            rows: what is remembered of these images.
            look: int64 ``(images,)``, the index of the look that each of them has reached.
            counts: integers ``(images, classes)``, all votes so far; ``(images, width)`` of another ballot.
            labels: int64 ``(images,)``, or None.

        Returns:
            ``(rows, stop)``: what is remembered from now on, and bool ``(images,)``, which images are finished.
        """

    @abc.abstractmethod
    def conclude(self, rows: Rows, finished: Finished) -> Any:
        """What is proved.

        Args:
            rows: what is remembered of the images.
            finished: the images and their votes. Of an image whose ``complete`` is False a ledger has the votes up to
                its last recorded look alone, or none, which are 0 then: claim no more than those prove.

        Returns:
            Something with a length and an entry for every image, such as ``Certificates``.
        """


def check_design(design: Any) -> None:
    """Refuse what is no design."""
    if not isinstance(design, AbstractDesign):
        raise TypeError(
            "design must be one of jaxsmooth.designs, for example jaxsmooth.designs.Fixed(n=1000), or an "
            f"AbstractDesign of your own; got {design!r}"
        )


def votes_since(finished: Finished, selection: np.ndarray, draws: int) -> Votes:
    """The votes after the first ``draws``, whose counts are ``selection``; none for images that are not complete."""
    rest = finished.votes.counts - selection
    invalid = finished.votes.invalid - (draws - selection.sum(-1))
    return Votes(
        np.where(finished.complete[:, None], rest, 0).astype(np.int32),
        np.where(finished.complete, invalid, 0).astype(np.int32),
        finished.votes.kind,
    )


def reason_of(complete: np.ndarray) -> np.ndarray:
    """Why images of a design without early stopping got no more votes: all were drawn, or a ledger ends before."""
    return np.where(complete, str(Reason.ALL_DRAWN), str(Reason.NOT_ALL_RECORDED)).astype(object)
