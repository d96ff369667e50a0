"""The one driver: images from an array, a stream or a ledger, decided by any design."""

import contextlib
import dataclasses
import math
import os
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._classifier import parts_with
from jaxsmooth._noise import depends_on_input, frozen, takes_views
from jaxsmooth._program import forget
from jaxsmooth._progress import Done, progress_bar
from jaxsmooth._transfers import deliberate, deliberate_steps
from jaxsmooth._types import Array, ArrayLike, Classify, Noise
from jaxsmooth._verbs.memory import Memory, certified
from jaxsmooth._verbs.recorded import check_recorded, recorded_images
from jaxsmooth._verbs.stream import Stream
from jaxsmooth._warn import warn_user
from jaxsmooth.designs.base import AbstractDesign, Setting, check_design
from jaxsmooth.ledger import Ledger
from jaxsmooth.ledger.fingerprint import ballot_header, run_header
from jaxsmooth.ledger.functions import function_digest
from jaxsmooth.ledger.recording import Recording
from jaxsmooth.sampling import inputs, placement
from jaxsmooth.sampling.ballots import WINNER
from jaxsmooth.sampling.packing import Arrival, Passed, replay, sample_until_decided
from jaxsmooth.sampling.sampler import Sampler, sampler


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
    if ledger is not None:
        forget()
    with sampler(key, classify, noise, x, batch_size=batch_size, mesh=mesh, ballot=design.ballot) as sampling:
        if labels is not None:
            labels = _check.class_labels(labels, images=len(x), classes=sampling.classes)
        sampling.require_same("labels, image_ids and what is asked for", labels, ids, _fields(design))
        at_images = frozen(noise, x)
        memory = _memory(design, sampling, noise, at_images, labels is not None, len(x))
        memory.add(len(x), labels, at_images)
        arrivals = map(Arrival, inputs.on_host(x), inputs.on_host(ids).tolist())
        marks = {**recorded, **_marks_of_near_ties(design, sampling.classify)}
        with _recording(ledger, sampling, marks) as recording:
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
        memory = _memory(design, sampling, noise, at_images, False, len(x))
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
    source = Stream(batches, noise, design.takes_labels)

    def results() -> Iterator[Any]:
        x = source.peek()
        if ledger is not None:
            forget()
        with sampler(key, classify, noise, x, batch_size=batch_size, mesh=mesh, ballot=design.ballot) as sampling:
            at_images = None if depends_on_input(noise) else noise
            memory = _memory(design, sampling, noise, at_images, source.labelled)
            sampling.require_same("design", _fields(design))
            marks = _marks_of_near_ties(design, sampling.classify)
        with _recording(ledger, sampling, marks) as recording:
            passed = _sampled(sampling, memory, source.arrivals(memory, sampling), recording)
            for _ in placement.steps_within(sampling.mesh, passed):
                while source.sizes and memory.is_finished(source.sizes[0]):
                    yield memory.take(source.sizes.popleft())
        if source.failure is not None:
            raise source.failure

    return progress_bar(progress, verb, None, results(), lambda result: Done(len(result), 0, certified(result)))


@deliberate
def run_ledger(
    design: AbstractDesign, recorded: Ledger, noise: Noise, *, labels: ArrayLike | None, x: ArrayLike | None
) -> Any:
    """What a design concludes of recorded votes alone: the looks at them are repeated."""
    check_design(design)
    check_kind(design, noise)
    check_recorded(recorded, design, noise)
    ids = recorded.image_ids
    if labels is not None:
        labels = _check.class_labels(labels, images=len(ids), classes=recorded.classes)
    at_images = frozen(noise, recorded_images(recorded, x)) if depends_on_input(noise) else noise
    dim = math.prod(recorded.header["event"])
    shape = tuple(recorded.header.get("shape", (recorded.classes,)))
    bound = design.bind(Setting(noise, at_images, dim, recorded.classes, labels is not None, shape, len(ids)))
    choices = recorded.width if design.ballot.selecting else 0
    memory = Memory(bound, recorded.width, choices, recorded.kind)
    memory.add(len(ids), labels, at_images)
    looks, known, beyond = bound.looks, [], []
    for image in ids.tolist():
        ends = recorded.reach(image, recorded.first)
        usable = _until(looks.tolist(), ends)
        known.append(recorded.rows([ends[end] for end in usable]))
        beyond.append(max(ends) > max(usable, default=recorded.first))
    passed, done = replay(np.arange(len(ids)), known, memory.look)
    if unused := int((np.array(beyond, bool) & ~done).sum()):
        warn_user(
            f"design {type(design).__name__} could not use all votes of {unused} of {len(ids)} images: the ledger has "
            "no counts at its next look. Ask by the design that recorded them; Fixed needs the n of the run, or 100, "
            "200, 500, ... below it"
        )
    last = [rows[number - 1] if number else rows.sum(0) for rows, number in zip(known, passed.tolist(), strict=True)]
    votes = np.array(last, np.int32).reshape(len(ids), recorded.width + 1)
    samples = np.where(passed > 0, looks[passed - 1], 0).astype(np.int64)
    chosen = np.zeros((len(ids), choices), np.int32)
    for i, image in enumerate(ids.tolist() if choices else []):
        chosen[i] = recorded.chosen[image].values
    memory.finish(Passed(np.arange(len(ids)), votes, samples, 0, chosen), done)
    return memory.take(len(ids))


def _sampled(
    sampling: Sampler, memory: Memory, arrivals: Iterator[Arrival], recording: Recording | None
) -> Iterator[Passed]:
    design = memory.design
    checkpoints = design.checkpoints if recording is not None else np.zeros(0, np.int64)
    for passed in sample_until_decided(sampling, arrivals, design.looks, checkpoints, memory.look, recording):
        memory.finish(passed)
        yield passed


def _memory(
    design: AbstractDesign, sampling: Sampler, noise: Noise, at_images: Any, labelled: bool, images: int | None = None
) -> Memory:
    """What the design will remember of the images of a run; none has come yet."""
    setting = Setting(noise, at_images, sampling.dim, sampling.classes, labelled, sampling.shape, images)
    return Memory(design.bind(setting), sampling.width, sampling.choices, sampling.kind)


@contextlib.contextmanager
def _recording(path: Any, sampling: Sampler, recorded: Mapping[str, Any]) -> Iterator[Recording | None]:
    """The ledger of a run, closed at its end."""
    if path is None:
        yield None
        return
    ballot = sampling.ballot
    counted = {**recorded, **({} if ballot == WINNER else ballot_header(ballot, sampling.shape))}
    shared = placement.spans_processes(sampling.mesh)
    header = run_header(
        sampling.key_data, sampling.classify, sampling.noise, sampling.event, sampling.classes, sampling.mesh, counted,
        sampling.kind, shared=shared,
    )  # fmt: skip
    with contextlib.closing(Recording(_check.path("ledger", path), header, shared=shared)) as recording:
        yield recording


def _marks_of_near_ties(design: AbstractDesign, classify: Classify) -> dict[str, bool]:
    """What a ledger says of certificates without chance of a classifier with a margin; they have to be strict."""
    strict = getattr(design, "strict", None)
    if strict is None or not parts_with(classify, "near_ties_vote_for_nobody"):
        return {}
    if not strict:
        raise ValueError(
            f"design must be strict, designs.Exact(strict=True), for a classifier with a margin; got {design!r}"
        )
    return {"strict": True}


def _fields(design: AbstractDesign) -> list[Any]:
    """The design as it can be compared between processes, where functions and objects lie elsewhere."""
    found: list[Any] = [type(design).__qualname__]
    for field in dataclasses.fields(design) if dataclasses.is_dataclass(design) else ():
        value = getattr(design, field.name)
        if field.init:
            plain = value if hasattr(value, "dtype") else re.sub(r" at 0x[0-9a-f]+", "", repr(value))
            found += [field.name, function_digest(value) if callable(value) else plain]
    return found


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
        _check.refuse_views(noise)
    elif isinstance(noise, type) or not takes_views(noise):
        drawn = "" if isinstance(noise, type) or not hasattr(noise, "sample") else ", which is drawn: use certify"
        raise ValueError(
            f"noise must be Splits for certificates without chance, for example jaxsmooth.noises.Splits(0.5); got "
            f"{noise!r}{drawn}"
        )
