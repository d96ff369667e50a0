"""certify_adaptive: a radius of any value, with votes spent where they raise the average certified radius."""

import os
from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._progress import Done, progress_bar
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, Certificates, Classify
from jaxsmooth.bounds import AdaptivePlan, adaptive_tests
from jaxsmooth.noises.gaussian import Gaussian
from jaxsmooth.noises.input_dependent import kappa_at, noise_at_images
from jaxsmooth.radii import certified_radius, explain_radius, required_probability, rules_for
from jaxsmooth.sampling.job import SamplingJob, sampling_job
from jaxsmooth.sampling.packing import Finished, count_until_decided, in_order
from jaxsmooth.sampling.suspicious import warn_of_invalid

# Steps of the grid of radii on which the gain of further votes is predicted.
_LEVELS = 150


@deliberate
def certify_adaptive(
    key: Array,
    classify: Classify,
    noise: Any,
    x: Any,
    *,
    labels: Any = None,
    norm: float = 2,
    n0: int = 100,
    n_max: int = 100_000,
    alpha: float = 1e-3,
    image_ids: Any = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    ledger: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Certificates:
    r"""Certify the radius of every image with a number of votes that depends on what they gain.

    Votes are looked at after 100, 200, 400, ... draws, up to ``n_max``. At each look the Clopper-Pearson
    bound at that look's share of ``alpha`` is taken, and the largest so far counts; an image goes on while
    the radius it is expected to gain is worth the votes. The target is an average certified radius within
    1% of that of ``n_max`` votes for every image; see ``benchmarks/samples_saved.py`` for what it saves.
    With probability at least ``1 - alpha``, per image, the certificate is right.

    Args:
        key: a JAX random key. Without labels the draws 0 to ``n0 - 1`` select the class.
        classify: any callable ``(batch, *event) -> (batch, classes)`` of scores; see ``count_votes``.
        noise: one of ``jaxsmooth.noises``, in the units of ``x``.
        x: ``(images, *event)``, floating point and finite.
        labels: int ``(images,)``: test the label itself, and select nothing; or None.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        n0: votes that select the class where there are no labels.
        n_max: the most votes that estimate its probability.
        alpha: the probability, per image, that the certificate is wrong.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the result.
        mesh: a ``jax.sharding.Mesh`` to spread the draws over; see ``count_votes``.
        ledger: the path of a file to which votes are written as they are won, or None. If it holds votes of
            this run, they are not drawn again: a killed run goes on where it was. See ``jaxsmooth.ledger``.
        progress: show a progress bar (tqdm).

    Returns:
        ``Certificates``; ``samples`` are the votes spent on each image.

    Raises:
        ValueError: as ``certify``.
        TypeError: for arguments of the wrong kind.

    References:
        The bound over looks: ours, proved at ``bounds.GroupSequential.lower_bound``.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> certificates = js.certify_adaptive(jax.random.key(0), classify, js.noises.Gaussian(0.5), x)
        >>> certificates.radius.round(1).tolist(), bool(certificates.samples.max() < 100_000)
        ([0.7, 0.4], True)
    """
    norm = _check.norm(norm)
    rules_for(noise, norm)
    n0 = _check.draws("n0", n0)
    n_max = _check.draws("n_max", n_max, first=n0)
    alpha = _check.probability("alpha", alpha)
    if _check.is_traced(key, noise, x):
        raise TypeError("certify_adaptive works on the host and cannot be traced; inside jit use certify_batch")
    with sampling_job(
        key, classify, noise, x, image_ids=image_ids, draws=n_max, batch_size=batch_size, mesh=mesh, ledger=ledger
    ) as job:
        if job.images is None:
            raise TypeError("x must be an array (images, *event); a stream of batches is for certify_curve_stream")
        tested = _tested(job, labels, n0)
        first = n0 if labels is None else 0
        run = _AdaptiveRun(_plan(noise, job, norm=norm, n_max=n_max, alpha=alpha), tested)
        finished = count_until_decided(job, run.plan.looks, run.decide, first=first)
        parts = list(progress_bar(progress, "certify_adaptive", job.images, finished, run.done))
    together = in_order(parts)
    warn_of_invalid(together.votes.invalid, together.votes.total)
    at_images = noise_at_images(noise, job.x)
    radius, rule = explain_radius(at_images, run.p_lower, norm=norm, dim=job.dim)
    return Certificates(
        label=np.where(radius > 0, tested, ABSTAIN).astype(np.int32),
        radius=radius,
        p_lower=run.p_lower,
        p_upper=1 - run.p_lower,
        samples=together.samples + first,
        votes=together.votes,
        noise=noise,
        norm=norm,
        alpha=alpha,
        rule=rule,
        kappa=kappa_at(at_images, job.dim),
    )


class _AdaptiveRun:
    """The largest bound so far of every image, for the class that is tested."""

    def __init__(self, plan: AdaptivePlan, tested: np.ndarray) -> None:
        self.plan, self.tested, self.p_lower = plan, tested, np.zeros(len(tested))

    def decide(self, images: np.ndarray, looks: np.ndarray, counts: np.ndarray, invalid: np.ndarray) -> np.ndarray:
        votes = counts[np.arange(len(counts)), self.tested[images]]
        self.p_lower[images], stop = self.plan.decide(looks, votes, self.p_lower[images])
        return stop

    def done(self, finished: Finished) -> Done:
        certified = int((self.p_lower[finished.images] > 0.5).sum())
        return Done(len(finished.images), finished.drawn, certified)


def _tested(job: SamplingJob, labels: Any, n0: int) -> np.ndarray:
    """The class whose probability is bounded, ``(images,)``: the label, or the winner of the first ``n0`` votes."""
    if labels is None:
        return job.count_all(n0).counts.argmax(-1)
    return _check.class_labels(labels, images=job.images, classes=job.classes)


def _plan(noise: Any, job: SamplingJob, *, norm: float, n_max: int, alpha: float) -> AdaptivePlan:
    """The looks, and the gains expected there: of equally spaced radii, up to the largest that votes can certify."""
    at_images = noise_at_images(noise, job.x)
    # Gains are predicted at the mean sigma where the noise depends on the image; they decide no certificate.
    typical = Gaussian(float(np.mean(at_images.sigma))) if np.ndim(at_images.sigma) else noise
    tests = adaptive_tests(n_max, alpha)
    largest = certified_radius(typical, float(tests.lower_bound(-1, n_max)), norm=norm, dim=job.dim)
    radii = np.linspace(0, largest, _LEVELS, endpoint=False)
    return AdaptivePlan(tests, required_probability(typical, radii, norm=norm, dim=job.dim))
