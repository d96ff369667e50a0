"""recertify: certificates from the votes in a ledger, without the classifier."""

import dataclasses
import itertools
import math
import os
from typing import Any, Literal

import numpy as np

from jaxsmooth import _check
from jaxsmooth import ledger as ledgers
from jaxsmooth._curve_run import CurveRun, checked_curve
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Certificates, Votes
from jaxsmooth.certify import certificates_of_votes, check_fixed_n
from jaxsmooth.noises.input_dependent import InputDependentGaussian, noise_at_images
from jaxsmooth.sampling import fingerprint, inputs
from jaxsmooth.sampling.packing import Finished, replay

NOT_ALL_RECORDED = "not all votes recorded"


@deliberate
def recertify(
    ledger: str | os.PathLike[str],
    noise: Any,
    *,
    n: int,
    n0: int = 100,
    norm: float = 2,
    alpha: float = 1e-3,
    runner_up: Literal["complement", "bounded"] = "complement",
    x: Any = None,
) -> Certificates:
    r"""Certificates of ``certify`` at another alpha, norm, n or rule, from recorded votes alone.

    ``n`` is chosen without regard to the votes: an image whose draws 0 to ``n0 + n - 1`` are not all in the
    ledger abstains. This keeps the error rate whatever decided how many were drawn: an image that stops
    early can lose a certificate by it, never gain one.

    Args:
        ledger: the path of the ledger.
        noise: the noise of the run.
        n: votes that estimate; the ledger may hold more.
        n0: votes that select, the first of the ledger.
        norm: 1, 2 or ``np.inf``: the norm of the radius.
        alpha: the probability, per image, that the certificate is wrong.
        runner_up: ``"complement"`` or ``"bounded"``; see ``certify``.
        x: the images, in the order of their ids; only for noise that depends on them.

    Returns:
        ``Certificates`` of the images of ``jaxsmooth.ledger.read(ledger).image_ids``, in this order;
        ``reason`` says which are not fully recorded.

    Raises:
        ValueError: for another noise than that of the run, a damaged ledger, and as ``certify``.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import os, tempfile, jax, jax.numpy as jnp, jaxsmooth as js
        >>> path, noise = os.path.join(tempfile.mkdtemp(), "votes.jsonl"), js.noises.Gaussian(0.5)
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> _ = js.certify(jax.random.key(0), classify, noise, x, n=10_000, ledger=path)
        >>> js.recertify(path, noise, n=10_000, alpha=1e-5).radius.round(2).tolist()
        [0.67, 0.4]
    """
    norm, n0, n = check_fixed_n(noise, norm=norm, n0=n0, n=n, alpha=alpha, runner_up=runner_up)
    recorded = _read(ledger, noise)
    x = _images(recorded, noise, x)
    at_start = [recorded.reach(image) for image in recorded.image_ids.tolist()]
    later = [recorded.reach(image, n0) for image in recorded.image_ids.tolist()]
    complete = np.array([n0 in a and n0 + n in b for a, b in zip(at_start, later, strict=True)], bool)
    # Images without all their votes get none: their lower bound is 0.
    selection = recorded.dense([ends[n0] if full else {} for ends, full in zip(at_start, complete, strict=True)])
    votes = recorded.dense([ends[n0 + n] if full else {} for ends, full in zip(later, complete, strict=True)])
    certificates = certificates_of_votes(
        selection, votes, noise, x, dim=_dim(recorded), n=n, norm=norm, alpha=alpha, runner_up=runner_up
    )
    return dataclasses.replace(
        certificates,
        label=np.where(complete, certificates.label, ABSTAIN).astype(np.int32),
        radius=np.where(complete, certificates.radius, 0.0),
        p_lower=np.where(complete, certificates.p_lower, 0.0),
        p_upper=np.where(complete, certificates.p_upper, 1.0),
        rule=np.where(complete, np.asarray(certificates.rule), ""),
        reason=np.where(complete, "", NOT_ALL_RECORDED),
    )


@deliberate
def recertify_curve(
    ledger: str | os.PathLike[str],
    noise: Any,
    radii: Any,
    *,
    labels: Any = None,
    norm: float = 2,
    n_max: int = 100_000,
    alpha: float = 1e-3,
    x: Any = None,
) -> Certificates:
    r"""Certificates of ``certify_curve`` for other radii, alpha or norm, from recorded votes alone.

    The looks at the recorded votes are repeated. An image whose votes end before it is decided keeps the
    radius certified so far: stopping early is always allowed, since giving up costs no error probability.

    Args:
        ledger: the path of the ledger.
        noise: the noise of the run.
        radii: increasing radii, at least 0.
        labels: int ``(images,)``, in the order of their ids, or None.
        norm: 1, 2 or ``np.inf``: the norm of the radii.
        n_max: the most votes an image may take; that of the run, to use its votes to the end.
        alpha: the probability, per image, that a certificate is wrong.
        x: the images, in the order of their ids; only for noise that depends on them.

    Returns:
        ``Certificates`` of the images of ``jaxsmooth.ledger.read(ledger).image_ids``, in this order.

    Raises:
        ValueError: for another noise than that of the run, a damaged ledger, and as ``certify_curve``.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import os, tempfile, jax, jax.numpy as jnp, jaxsmooth as js
        >>> path, noise = os.path.join(tempfile.mkdtemp(), "votes.jsonl"), js.noises.Gaussian(0.5)
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x = jnp.array([[0.5, 0.5], [-0.2, -0.4]])
        >>> _ = js.certify_curve(jax.random.key(0), classify, noise, x, [0, 0.25, 0.5], labels=[0, 1], ledger=path)
        >>> js.recertify_curve(path, noise, [0, 0.2, 0.4], labels=[0, 1]).radius.tolist()
        [0.4, 0.2]
    """
    radii, norm, n_max, alpha = checked_curve(radii, norm=norm, n_max=n_max, alpha=alpha)
    recorded = _read(ledger, noise)
    x = _images(recorded, noise, x)
    images = recorded.image_ids
    if labels is not None:
        labels = _check.class_labels(labels, images=len(images), classes=recorded.classes)
    run = CurveRun(
        noise, noise_at_images(noise, x), radii, labels, dim=_dim(recorded), norm=norm, n_max=n_max, alpha=alpha
    )
    known = []
    for image in images.tolist():
        ends = recorded.reach(image)
        known.append(recorded.rows([ends[end] for end in itertools.takewhile(ends.__contains__, map(int, run.looks))]))
    passed, _ = replay(np.arange(len(images)), known, run.decide)
    last = [rows[end - 1] if end else np.zeros(recorded.classes + 1) for rows, end in zip(known, passed, strict=True)]
    votes = np.array(last, np.int32).reshape(len(images), recorded.classes + 1)
    spent = np.where(passed > 0, run.looks[passed - 1], 0).astype(np.int64)
    return run.certificates(Finished(np.arange(len(images)), Votes(votes[:, :-1], votes[:, -1]), spent, 0))


def _read(path: str | os.PathLike[str], noise: Any) -> ledgers.Ledger:
    recorded = ledgers.read(_check.path("ledger", path))
    given = fingerprint.noise_header(inputs.checked_noise(noise), tuple(recorded.header["event"]))
    if any(recorded.header.get(name) != value for name, value in given.items()):
        raise ValueError(
            f"noise must be that of the ledger, {recorded.header['noise']}; got {given['noise']}, or one that differs "
            "in its arrays or its program, as this version of JAX traces it"
        )
    return recorded


def _images(recorded: ledgers.Ledger, noise: Any, x: Any) -> Any:
    """The images, if the noise depends on them, checked to be those of the ledger."""
    if not isinstance(noise, InputDependentGaussian):
        return None
    if x is None:
        raise ValueError("x must hold the images, in the order of their ids, for noise that depends on the image")
    x = inputs.images(x)
    digests = [fingerprint.image_digest(event) for event in np.asarray(x, np.float32)]
    if digests != [recorded.pixels[image] for image in recorded.image_ids.tolist()]:
        raise ValueError("x must hold the images of the ledger in the order of their ids; it holds others")
    return x


def _dim(recorded: ledgers.Ledger) -> int:
    return math.prod(recorded.header["event"])
