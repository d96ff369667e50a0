"""What the driver remembers of images, from their arrival until a design concludes them."""

from typing import Any

import jax
import numpy as np

from jaxsmooth._noise import sigma_per_image
from jaxsmooth._progress import Done
from jaxsmooth._types import Noise, Votes
from jaxsmooth.designs.base import AbstractDesign, Finished
from jaxsmooth.sampling.packing import Passed
from jaxsmooth.sampling.suspicious import warn_of_invalid


class Memory:
    """What is remembered of the images that have come and have not been concluded, in the order of arrival."""

    def __init__(self, design: AbstractDesign, width: int, choices: int, kind: str) -> None:
        self.design, self._kind = design, kind
        self._first = 0  # the place of the first image that is remembered
        self._rows = design.init(0)
        self._votes, self._samples = np.zeros((0, width + 1), np.int32), np.zeros(0, np.int64)
        self._chosen = np.zeros((0, choices), np.int32)
        self._finished, self._complete = np.zeros(0, bool), np.zeros(0, bool)
        self._labels: np.ndarray | None = None
        self._at_images: Any = None
        self._last = _checked_looks(design) - 1

    def add(self, images: int, labels: np.ndarray | None, at_images: Noise) -> None:
        """More images have come."""
        nothing = len(self._samples) == 0
        longer = lambda old, new: new if nothing else np.concatenate([old, new])
        self._rows = {name: longer(self._rows[name], rows) for name, rows in self.design.init(images).items()}
        self._votes = longer(self._votes, np.zeros((images, self._votes.shape[1]), np.int32))
        self._chosen = longer(self._chosen, np.zeros((images, self._chosen.shape[1]), np.int32))
        self._samples = np.concatenate([self._samples, np.zeros(images, np.int64)])
        self._finished = np.concatenate([self._finished, np.zeros(images, bool)])
        self._complete = np.concatenate([self._complete, np.zeros(images, bool)])
        self._labels = None if labels is None else longer(self._labels, labels)
        if nothing or not sigma_per_image(at_images):
            self._at_images = at_images
        else:
            self._at_images = jax.tree.map(longer, self._at_images, at_images)

    def look(self, images: np.ndarray, looks: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Let the design look at the votes of some images; which of them are finished."""
        at = images - self._first
        labels = None if self._labels is None else self._labels[at]
        rows, stop = self.design.look({name: rows[at] for name, rows in self._rows.items()}, looks, counts, labels)
        for name, values in rows.items():
            self._keep(name, np.asarray(values), at)
        if not np.all(stop | (looks < self._last)):
            raise ValueError(f"look of {type(self.design).__name__} must stop every image at its last look")
        return stop

    def _keep(self, name: str, values: np.ndarray, at: np.ndarray) -> None:
        """Remember a row; refuse what does not fit into what ``init`` made, and would be cut without a word."""
        kept = self._rows.get(name, np.zeros(0, object))
        if name not in self._rows or not _fits(values, kept.dtype):
            made = f"{kept.dtype}" if name in self._rows else "no row of this name"
            raise TypeError(
                f"look of {type(self.design).__name__} must return rows of the names and types that init makes; "
                f"rows[{name!r}] is {values.dtype}, and init makes {made}, which does not hold it. "
                "Texts are of dtype object"
            )
        kept[at] = values

    def finish(self, passed: Passed, complete: Any = True) -> None:
        """Images have passed their last look."""
        at = passed.images - self._first
        self._votes[at], self._samples[at], self._chosen[at] = passed.votes, passed.samples, passed.chosen
        self._finished[at], self._complete[at] = True, complete

    def is_finished(self, images: int) -> bool:
        """Whether the first so many images are."""
        return bool(self._finished[:images].all())

    def progress(self, passed: Passed) -> Done:
        """What finished images add to the progress."""
        return Done(len(passed.images), passed.drawn, certified(self._conclude(passed.images - self._first)))

    def take(self, images: int) -> Any:
        """What is concluded of the first so many images, which are forgotten."""
        ballot, votes = self.design.ballot, self._votes[:images]
        counted = np.maximum(self._samples[:images] - ballot.selecting, 0)
        warn_of_invalid(ballot.meaningful(votes[:, :-1]), votes[:, -1], counted)
        result = self._conclude(np.arange(images))
        self._first += images
        self._rows = {name: rows[images:] for name, rows in self._rows.items()}
        self._votes, self._samples, self._chosen = (
            self._votes[images:], self._samples[images:], self._chosen[images:]
        )  # fmt: skip
        self._finished, self._complete = self._finished[images:], self._complete[images:]
        self._labels = None if self._labels is None else self._labels[images:]
        if sigma_per_image(self._at_images):
            self._at_images = jax.tree.map(lambda leaf: leaf[images:], self._at_images)
        return result

    def _conclude(self, at: np.ndarray) -> Any:
        votes = self._votes[at]
        at_images = self._at_images
        if sigma_per_image(at_images):
            at_images = jax.tree.map(lambda leaf: leaf[at], at_images)
        counted = Votes(votes[:, :-1], votes[:, -1], self._kind)
        finished = Finished(
            at + self._first, counted, self._samples[at], at_images, self._complete[at], self._chosen[at]
        )
        return self.design.conclude({name: rows[at] for name, rows in self._rows.items()}, finished)


def _checked_looks(design: AbstractDesign) -> int:
    """How many looks there are, if they can be made."""
    looks = np.asarray(design.looks)
    integers = looks.ndim == 1 and looks.dtype.kind in "iu" and len(looks) > 0
    if not integers or looks[0] < 1 or (looks[1:] <= looks[:-1]).any():
        raise ValueError(
            f"looks of {type(design).__name__} must be integers of at least 1 that increase, one or more; got {looks!r}"
        )
    return len(looks)


def _fits(values: np.ndarray, dtype: np.dtype) -> bool:
    """Whether values stay what they are as this type, but for the rounding of floats."""
    if not np.can_cast(values.dtype, dtype, "same_kind"):
        return False
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if dtype.kind in "fc":
        return bool((np.isfinite(cast) == np.isfinite(values)).all())
    return dtype.kind not in "iuSU" or bool(np.all(cast == values))


def certified(result: Any) -> int | None:
    """How many images a result says something of, for the progress bar."""
    label = getattr(result, "label", result)
    if not isinstance(label, np.ndarray) or label.dtype.kind != "i":
        return None
    # Of images with many outputs as many as their certified outputs would fill.
    return int((label >= 0).reshape(len(label), -1).mean(-1).sum()) if label.size else 0
