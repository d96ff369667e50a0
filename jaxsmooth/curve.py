"""certify_curve: the whole certified-accuracy curve from a fraction of the votes, with exact error rates."""

from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._progress import progress_bar
from jaxsmooth._types import ABSTAIN, Array, Certificates, Classify, Votes
from jaxsmooth.bounds import CurvePlan, GroupSequential
from jaxsmooth.noises.input_dependent import InputDependentGaussian, noise_at_images
from jaxsmooth.radii import explain_radius, required_probability
from jaxsmooth.sampling.job import SamplingJob, sampling_job
from jaxsmooth.sampling.packing import Finished, count_until_decided

# What an image takes on average, about, for choosing a batch size.
_USUAL_DRAWS = 5000
# Plans for noise that depends on the image; each holds for the images of a narrow range of sigma.
_GROUPS = 32
REASONS = ("all radii certified", "no further radius in reach", "n_max reached")


def certify_curve(
    key: Array,
    classify: Classify,
    noise: Any,
    x: Any,
    radii: Any,
    *,
    labels: Any = None,
    norm: float = 2,
    n_max: int = 100_000,
    alpha: float = 1e-3,
    simultaneous: bool = False,
    image_ids: Any = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool = False,
) -> Certificates:
    r"""For every image, the largest of ``radii`` that is certified, with as few votes as it takes.

    Votes are compared with integer thresholds after 64, 96, 144, ... draws, up to ``n_max``. The thresholds
    share ``alpha`` over the looks, so looking often costs no validity: a certificate is wrong with
    probability at most ``alpha`` per image, as in ``certify``. An image stops when the largest radius is
    certified or when the next one is out of reach; on average this takes a tenth of the votes that
    ``certify`` spends for the same curve (``benchmarks/samples_saved.py``).

    With ``labels`` the label itself is tested: no selection, and hopeless images stop within tens of votes.
    The result is then meant for certified accuracy. Without, any class that reaches a threshold is
    certified, at the same error rate.

    Args:
        key: a JAX random key. The draws are 0, 1, ..., ``n_max - 1`` of each image, as far as needed.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite; or an iterator of such batches, which is read as
            images are finished, so that memory does not grow with their number.
        radii: increasing radii in the units of ``x``, at least 0.
        labels: int ``(images,)``, or None.
        norm: 1, 2 or ``np.inf``: the norm of the radii.
        n_max: the most votes an image may take.
        alpha: the probability that a certificate is wrong.
        simultaneous: False: ``alpha`` holds for each image. True: for all images together (each gets
            ``alpha`` over their number), so that the whole curve is right with probability ``1 - alpha``.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates``: ``radius`` is one of ``radii`` (0 with ``ABSTAIN`` where none is certified),
        ``p_lower`` the probability it required, ``samples`` the votes spent, ``reason`` why they ended,
        ``alpha`` the error probability of each image.

    Raises:
        ValueError: for radii that do not increase or that ``n_max`` votes can never certify at this
            ``alpha`` (the message says which ``n_max`` would), labels out of range, and as ``certify``.
        TypeError: for arguments of the wrong kind.

    References:
        The sequential test: ours, proved at ``bounds.GroupSequential``. The radii: as ``certified_radius``.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> certificates = js.certify_curve(
        ...     jax.random.key(0), classify, js.noises.Gaussian(0.5), x, [0, 0.25, 0.5], labels=[0, 1])
        >>> certificates.radius.tolist(), bool(certificates.samples.max() < 20_000)
        ([0.5, 0.25], True)
    """
    radii = _checked_radii(radii)
    if _check.is_traced(key, noise, x):
        raise TypeError("certify_curve works on the host and cannot be traced; inside jit use certify_batch")
    job = sampling_job(
        key, classify, noise, x,
        image_ids=image_ids, draws=min(n_max, _USUAL_DRAWS), batch_size=batch_size, mesh=mesh,
    )  # fmt: skip
    labels = checked_labels(labels, job)
    if simultaneous:
        alpha = _check.probability("alpha", alpha) / _number_of_images(labels, job)
    at_images = _noise_at_images(noise, job)
    required = required_probability(at_images, _column(at_images, radii), norm=norm, dim=job.dim)
    group, plans = _plans(radii, required, n_max, alpha, any_class=labels is None)
    run, results = _Run(plans, group, labels), PerImage()
    finished = count_until_decided(job, plans[0].looks, run.decide)
    for result in progress_bar(progress, "certify_curve", job.images, finished, lambda result: len(result.images)):
        results.add(result)
    nothing, levels = run.certified == 0, np.maximum(run.certified - 1, 0)
    own = required[levels] if required.ndim == 1 else required[levels, np.arange(len(levels))]
    p_lower = np.where(nothing, 0.0, own)
    votes, samples = results.in_order()
    return Certificates(
        label=np.where(nothing, ABSTAIN, run.label).astype(np.int32),
        radius=np.where(nothing, 0.0, radii[levels]),
        p_lower=p_lower,
        p_upper=1 - p_lower,
        samples=samples,
        votes=votes,
        noise=noise,
        norm=_check.norm(norm),
        alpha=alpha,
        rule=explain_radius(at_images, p_lower, norm=norm, dim=job.dim)[1],
        reason=np.array(REASONS)[run.reason],
    )


class PerImage:
    """Votes and draws of images that finish in any order."""

    def __init__(self) -> None:
        self._parts: list[Finished] = []

    def add(self, finished: Finished) -> None:
        """Keep what is finished."""
        self._parts.append(finished)

    def in_order(self) -> tuple[Votes, np.ndarray]:
        """Votes and draws in the order in which the images arrived."""
        order = np.argsort(np.concatenate([part.images for part in self._parts]))
        together = lambda arrays: np.concatenate(arrays)[order]
        counts = together([part.votes.counts for part in self._parts])
        votes = Votes(counts, together([part.votes.invalid for part in self._parts]))
        return votes, together([part.samples for part in self._parts])


class _Run:
    """What is known of each image, by its number in the order of arrival; grows with their number."""

    def __init__(self, plans: list[CurvePlan], group: np.ndarray | None, labels: np.ndarray | None) -> None:
        self.plans, self.group, self.labels = plans, group, labels
        self.certified = np.zeros(0, np.int64)  # levels certified so far
        self.label = np.zeros(0, np.int32)
        self.reason = np.zeros(0, np.int8)

    def decide(self, images: np.ndarray, looks: np.ndarray, counts: np.ndarray, invalid: np.ndarray) -> np.ndarray:
        self._make_room(int(images.max()) + 1)
        if self.labels is None:
            tested = counts.argmax(-1)
        else:
            tested = self.labels[images]
        votes = counts[np.arange(len(counts)), tested]
        before = self.certified[images]
        certified, stop = np.empty_like(before), np.empty(len(before), bool)
        group = np.zeros(len(images), int) if self.group is None else self.group[images]
        for g in np.unique(group):
            at = group == g
            certified[at], stop[at] = self.plans[g].decide(looks[at], votes[at], before[at])
        # Without labels the class that reached the level is the certified one.
        self.label[images] = np.where(certified > before, tested, self.label[images])
        self.certified[images] = certified
        everything, last = certified == len(self.plans[0].p), looks == len(self.plans[0].looks) - 1
        self.reason[images] = np.where(everything, 0, np.where(last, 2, 1))
        return stop

    def _make_room(self, images: int) -> None:
        if images > len(self.certified):
            for name in ("certified", "label", "reason"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros(images - len(array), array.dtype)]))


def _noise_at_images(noise: Any, job: SamplingJob) -> Any:
    if job.images is None and isinstance(noise, InputDependentGaussian):
        raise TypeError("x must be an array (images, *event) for noise that depends on the image, not a stream")
    return noise_at_images(noise, job.x)


def _column(noise: Any, radii: np.ndarray) -> np.ndarray:
    """The radii as a column where the noise has one sigma per image."""
    return radii if np.ndim(noise.sigma) == 0 else radii[:, None]


def _plans(
    radii: np.ndarray, required: np.ndarray, n_max: int, alpha: float, any_class: bool
) -> tuple[np.ndarray | None, list[CurvePlan]]:
    """The thresholds: one plan for all, or, where images differ in what they require, one per group of images.

    A group requires, at every radius, the largest probability of its images, which is safe for all of them.
    """
    if required.ndim == 1:
        return None, [_plan(radii, required, n_max, alpha, any_class)]
    _plan(radii, required.min(1), n_max, alpha, any_class)
    order = np.argsort(required[-1], kind="stable")
    group = np.empty(len(order), int)
    plans = []
    for g, members in enumerate(np.array_split(order, min(_GROUPS, len(order)))):
        group[members] = g
        plans.append(CurvePlan(GroupSequential(n_max, alpha), required[:, members].max(1), any_class=any_class))
    return group, plans


def _plan(radii: np.ndarray, required: np.ndarray, n_max: int, alpha: float, any_class: bool) -> CurvePlan:
    """The thresholds; refuse radii that not even unanimous votes can certify."""
    tests = GroupSequential(n_max, alpha)
    if not np.isfinite(required).all():
        impossible = radii[~np.isfinite(required)][0]
        raise ValueError(f"radii must be within reach of the noise; no probability certifies {impossible:g}")
    plan = CurvePlan(tests, required, any_class=any_class)
    out_of_reach = plan.thresholds[:, -1] > n_max
    if out_of_reach.any():
        # Another class may need a share of alpha, hence the slightly larger p.
        needed = GroupSequential(n_max, alpha * (1 - 1e-9)).required_n_max(required[out_of_reach].max())
        raise ValueError(
            f"radii must be certifiable by n_max = {n_max} votes at alpha = {alpha:g}; {radii[out_of_reach][0]:g} is "
            f"not, even if all agree. Use smaller radii, or n_max >= {needed} for all of these"
        )
    return plan


def _checked_radii(radii: Any) -> np.ndarray:
    radii = _check.nonnegative("radii", radii)
    if radii.ndim != 1 or len(radii) == 0:
        raise ValueError(f"radii must be a vector of at least one radius; got shape {radii.shape}")
    if np.any(np.diff(radii) <= 0):
        raise ValueError(f"radii must increase; got {radii.tolist()}. Use np.unique(radii)")
    return radii


def checked_labels(labels: Any, job: SamplingJob) -> np.ndarray | None:
    """The labels as int32, one per image, each a class."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"labels must be integers (images,); got dtype {labels.dtype} of shape {labels.shape}")
    if job.images is not None and len(labels) != job.images:
        raise ValueError(f"labels must have one entry for each of the {job.images} images; got {len(labels)}")
    if len(labels) and not (0 <= labels.min() and labels.max() < job.classes):
        bad = labels[(labels < 0) | (labels >= job.classes)][0]
        raise ValueError(f"labels must lie between 0 and {job.classes - 1}, the classes of classify; got {bad}")
    return labels.astype(np.int32)


def _number_of_images(labels: np.ndarray | None, job: SamplingJob) -> int:
    number = job.images if labels is None else len(labels)
    if number is None:
        raise ValueError("simultaneous=True needs to know how many images there are: pass labels, or x as an array")
    return number
