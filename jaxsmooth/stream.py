"""Streams: batches of images in, their certificates out in order, with memory that does not grow."""

import collections
import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._curve_run import USUAL_DRAWS, CurveRun, checked_curve
from jaxsmooth._progress import Done, progress_bar
from jaxsmooth._transfers import deliberate_steps
from jaxsmooth._types import Array, Certificates, Classify
from jaxsmooth.certify import certificates_of_votes, check_fixed_n
from jaxsmooth.noises.input_dependent import refuse_stream
from jaxsmooth.sampling.batches import split_batch
from jaxsmooth.sampling.job import sampling_job
from jaxsmooth.sampling.packing import Finished, count_until_decided, in_order


@deliberate_steps
def certify_stream(
    key: Array,
    classify: Classify,
    noise: Any,
    batches: Iterable[Any],
    *,
    norm: float = 2,
    n0: int = 100,
    n: int = 100_000,
    alpha: float = 1e-3,
    runner_up: Literal["complement", "bounded"] = "complement",
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Iterator[Certificates]:
    r"""``certify`` for a whole data set: one ``Certificates`` for each batch, as soon as it is done.

    The images are numbered 0, 1, ... as they come; the certificates are those of ``certify`` on all of them
    at once.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of the images.
        batches: arrays ``(images, *event)``; one is read when the one before it is done.
        norm: see ``certify``, as the rest.
        n0: votes that select the class.
        n: votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong.
        runner_up: ``"complement"`` or ``"bounded"``.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Yields:
        The ``Certificates`` of each batch, in order.

    Raises:
        ValueError: as ``certify``; bad arguments at once, bad images when they come.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> batches = (jnp.full((2, 4), value) for value in (0.5, -0.5))
        >>> stream = js.certify_stream(jax.random.key(0), classify, js.noises.Gaussian(0.5), batches, n=1000)
        >>> [certificates.label.tolist() for certificates in stream]
        [[0, 0], [1, 1]]
    """
    norm, n0, n = check_fixed_n(noise, norm=norm, n0=n0, n=n, alpha=alpha, runner_up=runner_up)
    _check_batches(batches)

    def results() -> Iterator[Certificates]:
        with sampling_job(
            key, classify, noise, iter(batches),
            image_ids=None, draws=n0 + n, batch_size=batch_size, mesh=mesh, ledger=ledger,
        ) as job:  # fmt: skip
            for part in job.batches():
                selection = part.count_all(n0)
                votes = part.count_all(n, first=n0)
                yield certificates_of_votes(
                    selection, votes, noise, part.x, dim=job.dim, n=n, norm=norm, alpha=alpha, runner_up=runner_up
                )  # fmt: skip

    done = lambda part: Done(len(part), int(part.samples.sum()), int((part.label >= 0).sum()))
    return progress_bar(progress, "certify", None, results(), done)


@deliberate_steps
def certify_curve_stream(
    key: Array,
    classify: Classify,
    noise: Any,
    batches: Iterable[Any],
    radii: Any,
    *,
    norm: float = 2,
    n_max: int = 100_000,
    alpha: float = 1e-3,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Iterator[Certificates]:
    r"""``certify_curve`` for a whole data set: one ``Certificates`` for each batch, in order.

    The device is kept full across batches: a batch is given out when all of its images are decided, while
    later ones are in progress. The images are numbered 0, 1, ... as they come; the certificates are those
    of ``certify_curve`` on all of them at once.

    Args:
        key: a JAX random key.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of the images.
        batches: arrays ``(images, *event)``, or pairs of them and their labels, which are then tested; read as
            slots become free.
        radii: increasing radii in the units of the images, at least 0.
        norm: see ``certify_curve``, as the rest.
        n_max: the most votes an image may take.
        alpha: the probability, per image, that the certificate is wrong.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written, or None; see ``certify``.
        progress: show a progress bar (tqdm).

    Yields:
        The ``Certificates`` of each batch, in order.

    Raises:
        ValueError: as ``certify_curve``; bad radii at once, bad images when they come.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> batches = ((jnp.full((2, 4), value), [0, 0]) for value in (0.5, -0.5))
        >>> stream = js.certify_curve_stream(jax.random.key(0), classify, js.noises.Gaussian(0.5), batches, [0, 0.5])
        >>> [certificates.radius.tolist() for certificates in stream]
        [[0.5, 0.5], [0.0, 0.0]]
    """
    radii, norm, n_max, alpha = checked_curve(radii, norm=norm, n_max=n_max, alpha=alpha)
    refuse_stream(noise)
    _check_batches(batches)
    source = _Source(batches)

    def results() -> Iterator[Certificates]:
        with sampling_job(
            key, classify, noise, iter(source),
            image_ids=None, draws=min(n_max, USUAL_DRAWS), batch_size=batch_size, mesh=mesh, ledger=ledger,
        ) as job:  # fmt: skip
            source.check_labels(job.classes)
            labels = source if source.labelled else None
            run = CurveRun(noise, noise, radii, labels, dim=job.dim, norm=norm, n_max=n_max, alpha=alpha)
            waiting: dict[int, Finished] = {}
            given = 0
            for finished in count_until_decided(job, run.looks, run.decide):
                waiting.update(_one_by_one(finished))
                while source.sizes and all(image in waiting for image in range(given, given + source.sizes[0])):
                    size = source.sizes.popleft()
                    yield run.certificates(in_order([waiting.pop(i) for i in range(given, given + size)]))
                    given += size

    done = lambda part: Done(len(part), int(part.samples.sum()), int((part.label >= 0).sum()))
    return progress_bar(progress, "certify_curve", None, results(), done)


def _check_batches(batches: Any) -> None:
    """Refuse what holds no batches; one array would be read as batches of its rows."""
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes) or hasattr(batches, "dtype"):
        raise TypeError(
            "batches must be an iterable of arrays (images, *event), such as a generator or a list; got "
            f"{type(batches).__name__}. For one array use the verb without _stream"
        )


class _Source:
    """The batches, and what has been read of them: their sizes and the labels, by number of the image."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches, self.sizes = batches, collections.deque[int]()
        self.labelled: bool | None = None
        self._labels: list[int] = []
        self._classes: int | None = None

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches:
            x, labels, ids = split_batch(batch)
            if ids is not None:
                raise ValueError(f"batches must be images or pairs (images, labels); got a tuple of {len(batch)}")
            if self.labelled not in (None, labels is not None):
                raise ValueError(
                    "batches must all be pairs (images, labels) or all be images; got "
                    + ("images after pairs" if self.labelled else "a pair after images")
                )
            self.labelled = labels is not None
            self.sizes.append(len(x) if np.ndim(x) else 0)
            if labels is not None:
                self._labels += np.asarray(labels).tolist()
                if self._classes is not None:
                    _check.class_labels(labels, classes=self._classes)
            yield x

    def check_labels(self, classes: int) -> None:
        """Check the labels that have come; from now on they are checked as they come."""
        self._classes = classes
        if self.labelled:
            _check.class_labels(self._labels, classes=classes)

    def __getitem__(self, images: np.ndarray) -> np.ndarray:
        return np.array([self._labels[image] for image in images.tolist()], np.int32)


def _one_by_one(finished: Finished) -> Iterator[tuple[int, Finished]]:
    """The images as parts of their own, by their numbers."""
    for i, image in enumerate(finished.images.tolist()):
        one = slice(i, i + 1)
        yield image, Finished(finished.images[one], finished.votes[one], finished.samples[one], 0)
