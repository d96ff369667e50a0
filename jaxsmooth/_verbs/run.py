"""The one driver: images from an array, a stream or a ledger, decided by any design."""

import collections
import contextlib
import math
import os
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth import ledger as ledgers
from jaxsmooth._progress import Done, progress_bar
from jaxsmooth._transfers import deliberate, deliberate_steps
from jaxsmooth._types import (
    Array,
    ArrayLike,
    Classify,
    Noise,
    Votes,
    depends_on_input,
    frozen,
    sigma_per_image,
    takes_views,
)
from jaxsmooth._verbs.recorded import check_recorded, recorded_images
from jaxsmooth.designs.base import AbstractDesign, Finished, Setting, check_design
from jaxsmooth.ledger.fingerprint import ballot_header, run_header
from jaxsmooth.ledger.recording import Recording
from jaxsmooth.sampling import inputs, placement
from jaxsmooth.sampling.ballots import WINNER
from jaxsmooth.sampling.packing import Arrival, Passed, replay, sample_until_decided
from jaxsmooth.sampling.sampler import Sampler, sampler
from jaxsmooth.sampling.suspicious import warn_of_invalid


@deliberate
def run_array(
    design: AbstractDesign,
    key: Array,
    classify: Classify,
    noise: Noise,
    x: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    image_ids: ArrayLike | None = None,
    batch_size: int | None,
    mesh: Mesh | None,
    ledger: str | os.PathLike[str] | None,
    progress: bool,
    verb: str,
    recorded: Mapping[str, Any] = types.MappingProxyType({}),
) -> Any:
    """What a design concludes of an array of images.

    ``verb`` is what messages and the progress bar call it; ``recorded`` is what else a ledger says of the run.
    """
    _check_traced(verb, key, noise, x)
    check_kind(design, noise)
    if isinstance(x, Iterator):
        raise TypeError("x must be an array (images, *event); for a stream of batches use certify_stream")
    x = _check.images_for(noise, x)
    ids = _check.image_ids(image_ids, len(x))
    with sampler(key, classify, noise, x, batch_size=batch_size, mesh=mesh, ballot=design.ballot) as sampling:
        if labels is not None:
            labels = _check.class_labels(labels, images=len(x), classes=sampling.classes)
        at_images = frozen(noise, x)
        bound = design.bind(_setting(sampling, noise, at_images, labels is not None, len(x)))
        memory = _Memory(bound, sampling.width, sampling.choices, sampling.kind)
        memory.add(len(x), labels, at_images)
        arrivals = map(Arrival, inputs.on_host(x), inputs.on_host(ids).tolist())
        with _recording(ledger, sampling, recorded) as recording:
            passed = _sampled(sampling, memory, arrivals, recording)
            for _ in progress_bar(progress, verb, len(x), passed, memory.progress):
                pass
        return memory.take(len(x))


@deliberate
def nothing_drawn(
    design: AbstractDesign, key: Array, classify: Classify, noise: Noise, x: ArrayLike, *, verb: str
) -> Any:
    """What a design concludes of images of which no draw is needed."""
    _check_traced(verb, key, noise, x)
    x = _check.images_for(noise, x)
    with sampler(key, classify, noise, x, batch_size=1, mesh=None, ballot=design.ballot) as sampling:
        at_images = frozen(noise, x)
        bound = design.bind(_setting(sampling, noise, at_images, False, len(x)))
        memory = _Memory(bound, sampling.width, sampling.choices, sampling.kind)
        memory.add(len(x), None, at_images)
        return memory.take(len(x))


@deliberate_steps
def run_stream(
    design: AbstractDesign,
    key: Array,
    classify: Classify,
    noise: Noise,
    batches: Iterable[Any],
    *,
    batch_size: int | None,
    mesh: Mesh | None,
    ledger: str | os.PathLike[str] | None,
    progress: bool,
    verb: str,
) -> Iterator[Any]:
    """What a design concludes of each batch, in order, while later ones keep the device full."""
    check_design(design)
    _check_traced(verb, key, noise)
    check_kind(design, noise)
    source = _Stream(batches, noise, design.takes_labels)

    def results() -> Iterator[Any]:
        x = source.peek()
        with sampler(key, classify, noise, x, batch_size=batch_size, mesh=mesh, ballot=design.ballot) as sampling:
            at_images = None if depends_on_input(noise) else noise
            bound = design.bind(_setting(sampling, noise, at_images, source.labelled))
            memory = _Memory(bound, sampling.width, sampling.choices, sampling.kind)
            with _recording(ledger, sampling, {}) as recording:
                arrivals = source.arrivals(memory, sampling.classes)
                for _ in _sampled(sampling, memory, arrivals, recording):
                    while source.sizes and memory.is_finished(source.sizes[0]):
                        yield memory.take(source.sizes.popleft())

    return progress_bar(progress, verb, None, results(), lambda result: Done(len(result), 0, _certified(result)))


@deliberate
def run_ledger(
    design: AbstractDesign, ledger: Any, noise: Noise, *, labels: ArrayLike | None = None, x: ArrayLike | None = None
) -> Any:
    """What a design concludes of recorded votes alone: the looks at them are repeated."""
    check_design(design)
    check_kind(design, noise)
    recorded = ledger if isinstance(ledger, ledgers.Ledger) else ledgers.read(_check.path("ledger", ledger))
    check_recorded(recorded, design, noise)
    ids = recorded.image_ids
    if labels is not None:
        labels = _check.class_labels(labels, images=len(ids), classes=recorded.classes)
    at_images = frozen(noise, recorded_images(recorded, x)) if depends_on_input(noise) else noise
    dim = math.prod(recorded.header["event"])
    shape = tuple(recorded.header.get("shape", (recorded.classes,)))
    bound = design.bind(Setting(noise, at_images, dim, recorded.classes, labels is not None, shape, len(ids)))
    choices = recorded.width if design.ballot.selecting else 0
    memory = _Memory(bound, recorded.width, choices, recorded.kind)
    memory.add(len(ids), labels, at_images)
    looks, known = bound.looks, []
    for image in ids.tolist():
        ends = recorded.reach(image, recorded.first)
        at_looks = [ends[end] for end in _until(looks.tolist(), ends)]
        known.append(recorded.rows(at_looks))
    passed, done = replay(np.arange(len(ids)), known, memory.look)
    last = [rows[number - 1] if number else rows.sum(0) for rows, number in zip(known, passed.tolist(), strict=True)]
    votes = np.array(last, np.int32).reshape(len(ids), recorded.width + 1)
    samples = np.where(passed > 0, looks[passed - 1], 0).astype(np.int64)
    chosen = np.zeros((len(ids), choices), np.int32)
    for i, image in enumerate(ids.tolist() if choices else []):
        chosen[i] = recorded.chosen[image].values
    memory.finish(Passed(np.arange(len(ids)), votes, samples, 0, chosen), done)
    return memory.take(len(ids))


class _Memory:
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
            self._rows[name][at] = values
        return stop

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
        return Done(len(passed.images), passed.drawn, _certified(self._conclude(passed.images - self._first)))

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


class _Stream:
    """Batches that are read as they are needed, and the sizes of those not given out."""

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

    @property
    def labelled(self) -> bool:
        """Whether batches come with labels that the design takes."""
        return self._like[0] and self._takes_labels

    def peek(self) -> Any:
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

    def arrivals(self, memory: _Memory, classes: int) -> Iterator[Arrival]:
        """The images one by one; a batch is made known to ``memory`` before its first image."""
        arrived = 0
        for batch in self._read:
            x, labels, ids = self._checked(*batch, classes)
            memory.add(len(x), labels, frozen(self._noise, x))
            self.sizes.append(len(x))
            yield from map(Arrival, x, (np.arange(arrived, arrived + len(x)) if ids is None else ids).tolist())
            arrived += len(x)

    def _checked(self, x: Any, labels: object, ids: object, classes: int) -> tuple[np.ndarray, Any, Any]:
        like = (labels is not None, ids is not None)
        if like != self._like:
            kinds = {
                (False, False): "images",
                (True, False): "pairs (images, labels)",
                (True, True): "triples with ids",
            }
            raise ValueError(f"batches must all be of one kind; got {kinds[like]} after {kinds[self._like]}")
        x = inputs.on_host(_check.images_for(self._noise, x))
        if x.shape[1:] != self._event:
            raise ValueError(f"batches must have images of one shape; got {x.shape[1:]} after {self._event}")
        if not self._takes_labels:
            labels = None
        if labels is not None:
            labels = _check.class_labels(labels, images=len(x), classes=classes)
        return x, labels, None if ids is None else inputs.on_host(_check.image_ids(ids, len(x)))


def _sampled(
    sampling: Sampler, memory: _Memory, arrivals: Iterator[Arrival], recording: Recording | None
) -> Iterator[Passed]:
    design = memory.design
    checkpoints = design.checkpoints if recording is not None else np.zeros(0, np.int64)
    for passed in sample_until_decided(sampling, arrivals, design.looks, checkpoints, memory.look, recording):
        memory.finish(passed)
        yield passed


def _setting(sampling: Sampler, noise: Noise, at_images: Any, labelled: bool, images: int | None = None) -> Setting:
    return Setting(noise, at_images, sampling.dim, sampling.classes, labelled, sampling.shape, images)


@contextlib.contextmanager
def _recording(path: Any, sampling: Sampler, recorded: Mapping[str, Any]) -> Iterator[Recording | None]:
    """The ledger of a run, closed at its end."""
    if path is None:
        yield None
        return
    ballot = sampling.ballot
    counted = {**recorded, **({} if ballot == WINNER else ballot_header(ballot, sampling.shape))}
    header = run_header(
        sampling.key_data, sampling.classify, sampling.noise, sampling.event, sampling.classes, sampling.mesh, counted,
        sampling.kind,
    )  # fmt: skip
    shared = placement.spans_processes(sampling.mesh)
    with contextlib.closing(Recording(_check.path("ledger", path), header, shared=shared)) as recording:
        yield recording


def _certified(result: Any) -> int | None:
    """How many images a result says something of, for the progress bar."""
    label = getattr(result, "label", result)
    if not isinstance(label, np.ndarray) or label.dtype.kind != "i":
        return None
    # Of images with many outputs as many as their certified outputs would fill.
    return int((label >= 0).reshape(len(label), -1).mean(-1).sum()) if label.size else 0


def _until(looks: list[int], known: Any) -> list[int]:
    """The looks up to the first one that is not known."""
    missing = next((i for i, end in enumerate(looks) if end not in known), len(looks))
    return looks[:missing]


def _check_traced(verb: str, *values: object) -> None:
    if _check.is_traced(*values):
        instead = "count_votes" if verb == "predict" else "certify_batch"
        raise TypeError(f"{verb} works on the host and cannot be traced; inside jit use {instead}")


def check_kind(design: AbstractDesign, noise: object) -> None:
    """Refuse views where draws are asked for, and draws where views are."""
    if not design.deterministic:
        _check.random_noise(noise)
    elif isinstance(noise, type) or not takes_views(noise):
        drawn = "" if isinstance(noise, type) or not hasattr(noise, "sample") else ", which is drawn: use certify"
        raise ValueError(
            f"noise must be Splits for certificates without chance, for example jaxsmooth.noises.Splits(0.5); got "
            f"{noise!r}{drawn}"
        )
