"""A stream of batches of images: read as they are needed, each of one kind."""

import collections
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._noise import frozen
from jaxsmooth._types import Array, Noise
from jaxsmooth._verbs.memory import Memory
from jaxsmooth.sampling import inputs
from jaxsmooth.sampling.packing import Arrival
from jaxsmooth.sampling.sampler import Sampler


class Stream:
    """Batches that are read as they are needed, and the sizes of those not given out.

    Attributes:
        sizes: how many images there are in each of the batches that have come and have not been given out.
        failure: what kept the next batch from coming, after which none does.
    """

    def __init__(self, batches: Any, noise: Noise, takes_labels: bool = True) -> None:
        if not isinstance(batches, Iterable) or isinstance(batches, str | bytes) or hasattr(batches, "dtype"):
            raise TypeError(
                "batches must be an iterable of arrays (images, *event), such as a generator or a list; got "
                f"{type(batches).__name__}. For one array use the verb without _stream"
            )
        self._batches, self._noise, self._takes_labels = batches, noise, takes_labels
        self._read: Iterator[tuple[Any, Any, Any]] = iter(())
        self._event: tuple[int, ...] = ()
        self._like: tuple[bool, bool] = (False, False)  # whether batches come with labels, with ids
        self.sizes = collections.deque[int]()
        self.failure: Exception | None = None

    @property
    def labelled(self) -> bool:
        """Whether batches come with labels that the design takes."""
        return self._like[0] and self._takes_labels

    def peek(self) -> Array | np.ndarray:
        """The checked images of the first batch."""
        batches = map(_check.split_batch, self._batches)
        first = next(batches, None)
        if first is None:
            raise ValueError("batches must hold at least one batch of images; got none")
        self._like = (first[1] is not None, first[2] is not None)
        x = _check.images_for(self._noise, first[0])
        self._event = x.shape[1:]

        def read() -> Iterator[tuple[Any, Any, Any]]:
            yield first
            yield from batches

        self._read = read()
        return x

    def arrivals(self, memory: Memory, sampling: Sampler) -> Iterator[Arrival]:
        """The images one by one; a batch is made known to ``memory`` before its first image.

        They end with a batch that cannot be read, or that another process does not have, so that what came before it
        is finished; see ``failure``.
        """
        arrived = 0
        while (batch := self._next(sampling)) is not None:
            x, labels, ids, at_images = batch
            memory.add(len(x), labels, at_images)
            self.sizes.append(len(x))
            yield from map(Arrival, x, (np.arange(arrived, arrived + len(x)) if ids is None else ids).tolist())
            arrived += len(x)

    def _next(self, sampling: Sampler) -> tuple[np.ndarray, Any, Any, Any] | None:
        """The next batch and the noise at its images; None if there is none, or ``failure`` says why."""
        found = None
        try:
            if (batch := next(self._read, None)) is not None:
                x, labels, ids = self._checked(*batch, sampling.classes)
                found = x, labels, ids, frozen(self._noise, x)
        except Exception as failure:
            self.failure = failure
        instead = "none is left" if self.failure is None else "none can be read"
        try:
            sampling.require_same("batches", instead if found is None else found[:3])
        except ValueError as failure:
            self.failure = self.failure or failure
        return found if self.failure is None else None

    def _checked(self, x: Any, labels: object, ids: object, classes: int) -> tuple[np.ndarray, Any, Any]:
        like = (labels is not None, ids is not None)
        if like != self._like:
            kinds = {
                (False, False): "images",
                (True, False): "pairs (images, labels)",
                (True, True): "triples with ids",
            }
            raise ValueError(f"batches must all be of one kind; got {kinds[like]} after {kinds[self._like]}")
        # A loader may put its next batch into the memory of this one, which is asked for first.
        x = inputs.on_host(_check.images_for(self._noise, inputs.ours(x)))
        if x.shape[1:] != self._event:
            raise ValueError(f"batches must have images of one shape; got {x.shape[1:]} after {self._event}")
        if not self._takes_labels:
            labels = None
        if labels is not None:
            labels = _check.class_labels(labels, images=len(x), classes=classes)
        return x, labels, None if ids is None else inputs.on_host(_check.image_ids(ids, len(x)))
