"""The dual form: a scale chosen by a smoothed selector, constant as far as the selector is certified."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._types import ABSTAIN, Votes

_ARRAYS = ("label", "radius", "p_lower", "p_upper", "samples")


def certify_selected(
    selector: Certificates, sigmas: Sequence[float], certify_at: Callable[[float, np.ndarray], Certificates]
) -> Certificates:
    r"""Certify a classifier whose scale is chosen by another smoothed classifier.

    The selector's class i stands for the scale ``sigmas[i]``. Within the selector's certified radius the scale is
    constant, and there the method is ordinary smoothing; so the radius is the smaller of the two. Its error
    probability is at most the sum of theirs: to be wrong with probability at most alpha, give each half.

    The votes that certify must be independent of those that choose the scale, as draws of another key are. Given
    the choice, the certificate at that scale then errs with at most its alpha, whatever the choice; the union with
    an error of the selector needs nothing more of how the two depend on each other.

    Args:
        selector: the certificates of the selector, from ``certify`` under noise of any kind.
        sigmas: the scale for each class of the selector, positive.
        certify_at: ``(sigma, images) -> Certificates`` of the images with these indices, under noise of this
            scale, with a key that the selector did not use; it is called once for each scale that occurs.

    Returns:
        ``Certificates`` of all images, in order: the classifier's label, the smaller radius, the classifier's
        bounds and votes, the samples of both, the sum of the error probabilities. Images on which the selector
        abstains are not sampled further, and nothing is claimed about them.

    Raises:
        ValueError: if a scale is missing or not positive, or the norms of the two radii differ.
        TypeError: for arguments of the wrong kind.

    References:
        Sun, Mao and Vechev, "Dual randomized smoothing", 2026. Proof: inside the selector's ball the deployed
        classifier is smoothing with one scale.

    Example:
        >>> import jax, jax.numpy as jnp, numpy as np, jaxsmooth as js, jaxsmooth.scales
        >>> key_selector, key = jax.random.split(jax.random.key(0))
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> select = lambda batch: jnp.stack([abs(batch).sum(-1), 4 + 0 * batch.sum(-1)], -1)
        >>> x = jnp.array([[4.0, 4.0], [0.2, 0.4]])
        >>> selector = js.certify(
        ...     key_selector, select, js.noises.Gaussian(1.0), x, n=1000, alpha=5e-4
        ... )
        >>> def certify_at(sigma, images):
        ...     noise = js.noises.Gaussian(sigma)
        ...     return js.certify(
        ...         key, classify, noise, x[images], n=1000, alpha=5e-4, image_ids=images
        ...     )
        >>> certificates = js.scales.certify_selected(selector, [1.0, 0.25], certify_at)
        >>> certificates.label.tolist(), certificates.alpha
        ([0, 0], 0.001)
    """
    if not isinstance(selector, Certificates):
        raise TypeError(f"selector must be Certificates, as from certify; got {type(selector).__name__}")
    if not callable(certify_at):
        raise TypeError(f"certify_at must be callable, (sigma, images) -> Certificates; got {certify_at!r}")
    if _check.as_float64("sigmas", sigmas).ndim != 1:
        raise ValueError(f"sigmas must be a sequence of numbers, one for each class of the selector; got {sigmas!r}")
    for i, sigma in enumerate(sigmas):
        _check.require_positive(f"sigmas[{i}]", sigma)
    chosen = np.asarray(selector.label)
    if len(chosen) and chosen.max() >= len(sigmas):
        raise ValueError(
            f"sigmas must have an entry for every class of selector; got {len(sigmas)}, class {chosen.max()} has none"
        )
    parts: list[tuple[np.ndarray, Certificates]] = []
    for i, sigma in enumerate(sigmas):
        images = np.flatnonzero(chosen == i)
        if len(images):
            part = certify_at(float(sigma), images)
            if not isinstance(part, Certificates):
                raise TypeError(f"certify_at must return Certificates, as from certify; got {type(part).__name__}")
            if len(part) != len(images):
                raise ValueError(f"certify_at must certify {len(images)} images at sigma {sigma:g}; got {len(part)}")
            if float(part.norm) != float(selector.norm):
                raise ValueError(f"the norms must agree; the selector has {selector.norm:g}, certify_at {part.norm:g}")
            parts.append((images, part))
    return _merged(selector, sigmas, parts)


def _merged(
    selector: Certificates, sigmas: Sequence[float], parts: list[tuple[np.ndarray, Certificates]]
) -> Certificates:
    """The parts in the order of the images, with the smaller radius, all samples and the summed alpha."""
    count = len(selector)
    arrays = {name: np.zeros(count, np.asarray(getattr(selector, name)).dtype) for name in _ARRAYS}
    arrays["p_upper"] += 1
    rule = np.full(count, "", dtype=object)
    for images, part in parts:
        for name in _ARRAYS:
            arrays[name][images] = getattr(part, name)
        if part.rule is not None:
            rule[images] = part.rule
    radius = np.minimum(arrays["radius"], selector.radius)
    bound = (radius < arrays["radius"]) & (radius > 0)
    label = np.where(radius > 0, arrays["label"], ABSTAIN).astype(np.int32)
    alphas = [selector.alpha, *(part.alpha for _, part in parts)]
    known = [alpha for alpha in alphas[1:] if alpha is not None]
    alpha = None if None in alphas else float(alphas[0]) + max(known, default=0.0)  # pyright: ignore[reportArgumentType]
    return Certificates(
        label=label,
        radius=radius,
        p_lower=arrays["p_lower"],
        p_upper=arrays["p_upper"],
        samples=arrays["samples"] + selector.samples,
        votes=_merged_votes(count, parts),
        norm=selector.norm,
        alpha=alpha,
        rule=np.where(
            radius > 0, np.where(bound, "certify_selected: radius within which the scale is constant", rule), ""
        ),
    )


def _merged_votes(count: int, parts: list[tuple[np.ndarray, Certificates]]) -> Votes | None:
    """The classifier's votes; none for images that were not sampled."""
    if not parts or any(part.votes is None for _, part in parts):
        return None
    votes = [(images, part.votes) for images, part in parts if part.votes is not None]
    classes = np.shape(votes[0][1].counts)[-1]
    merged = Votes(np.zeros((count, classes), np.int32), np.zeros(count, np.int32), votes[0][1].kind)
    for images, part in votes:
        merged.counts[images], merged.invalid[images] = part.counts, part.invalid
    return merged
