"""sandwich: what is certified below what is attacked, and whether the two contradict each other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates
from jaxsmooth._printed import Printed, norm_in_words
from jaxsmooth._types import ABSTAIN, ArrayLike
from jaxsmooth.analysis.figure_style import COLORS, TEXT, axes_or_new, dress_over_radius
from jaxsmooth.analysis.log_format import radius_text
from jaxsmooth.analysis.scores import checked_labels, scored
from jaxsmooth.bounds.binomial_tail import tail_at_least

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of certificates that do not say: the usual one.
_ALPHA = 1e-3
# Below this probability by chance, violations are called what they are.
_SURPRISING = 1e-3


@dataclasses.dataclass(frozen=True, repr=False)
class Sandwich(Printed):
    """Certified and attacked accuracy, between which the true one lies; prints as a table.

    Attributes:
        radii: float64 ``(M,)``.
        certified: float64 ``(M,)``, the fraction of images whose answer is certified (and right, where labels are
            known) at the radius.
        attacked: float64 ``(M,)``, the fraction of those answers for which no point within the radius is known where
            the smoothed classifier answers something else. Where labels are known, images on which it abstained
            count, too: its answer may be right there.
        images: how many.
        violations: images whose certified radius exceeds the confirmed distance of a change: one of the two is wrong.
        alpha: the most that either may be wrong with, per image, together.
        p_value: the probability of as many violations by chance, if nothing is wrong; exact, binomial.
        norm: 1, 2 or ``np.inf``.
    """

    radii: np.ndarray
    certified: np.ndarray
    attacked: np.ndarray
    images: int
    violations: int
    alpha: float
    p_value: float
    norm: float

    def __str__(self) -> str:
        header = f"{norm_in_words(self.norm)} radius"
        rows = [
            f"{radius_text(float(r)):>12}  {low:9.4f}  {high:8.4f}"
            for r, low, high in zip(self.radii, self.certified, self.attacked, strict=True)
        ]
        chance = f"p = {self.p_value:.2g} at {self.alpha:g} an image"
        lines = [
            f"{self.images} images",
            f"{header:>12}  certified  attacked",
            *rows,
            f"certified above attacked: {self.violations} images, {chance}",
        ]
        if self.p_value < _SURPRISING:
            lines.append(
                "note: more than chance explains; something is wrong: the units or the scale of the noise, the "
                "normalisation, the radius rule, or the classifier"
            )
        return "\n".join(lines)


def sandwich(
    certificates: Certificates, attack: Any, labels: ArrayLike | None = None, *, radii: ArrayLike | None = None
) -> Sandwich:
    r"""Certified accuracy from below, attacked accuracy from above, and a test of whether they contradict each other.

    A certified radius above the confirmed distance of a change is an error of one of the two, which happens with
    probability at most alpha of the certificates plus alpha of the attack, per image. More of them than a binomial
    explains mean that something is wrong.

    Args:
        certificates: of N images.
        attack: what ``diagnostics.attack`` found for them.
        labels: the true classes, integers ``(N,)``; by default every certified answer counts as right.
        radii: where to evaluate; six radii up to the largest certified one by default.

    Returns:
        ``Sandwich``; ``print`` it, or read its fields.

    Raises:
        ValueError: if they do not fit each other, or a radius is negative or not finite.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x, noise = jnp.array([[0.5, 0.5], [-0.2, -0.4]]), js.noises.Gaussian(0.5)
        >>> made = js.certify(jax.random.key(0), classify, noise, x, n=10_000)
        >>> found = js.diagnostics.attack(jax.random.key(1), classify, noise, made, x)
        >>> print(js.analysis.sandwich(made, found, radii=[0, 0.41, 0.6]))
        2 images
           l2 radius  certified  attacked
                 0.0     1.0000    1.0000
                0.41     0.5000    1.0000
                 0.6     0.5000    0.5000
        certified above attacked: 0 images, p = 1 at 0.002 an image
    """
    radius, upper, right, possible, alpha = _compared(certificates, attack, labels)
    if radii is None:
        radii = _short(np.linspace(0, radius[right].max(initial=0.0), 6))
    at = np.atleast_1d(_check.nonnegative("radii", radii)).ravel()
    share = lambda kept: kept.mean(-1) if len(radius) else np.full(len(at), np.nan)
    violations = int((radius > upper).sum())
    trials = max(len(radius), 1)
    return Sandwich(
        radii=at,
        certified=share(right & (radius >= at[:, None])),
        attacked=share(possible & (upper > at[:, None])),
        images=len(radius),
        violations=violations,
        alpha=alpha,
        p_value=float(tail_at_least(violations, trials, alpha)),
        norm=certificates.norm,
    )


def plot_sandwich(
    certificates: Certificates,
    attack: Any,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw certified and attacked accuracy over the radius, with what is between them, where the true one lies.

    Args:
        certificates: of N images.
        attack: what ``diagnostics.attack`` found for them.
        labels: the true classes, integers ``(N,)``; by default every certified answer counts as right.
        ax: matplotlib axes to draw into; new ones by default.
        title: above the axes; none by default.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if they do not fit each other.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js, matplotlib.figure
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x, noise = jnp.array([[0.5, 0.5], [-0.2, -0.4]]), js.noises.Gaussian(0.5)
        >>> made = js.certify(jax.random.key(0), classify, noise, x, n=10_000)
        >>> found = js.diagnostics.attack(jax.random.key(1), classify, noise, made, x)
        >>> axes = matplotlib.figure.Figure().subplots()
        >>> js.analysis.plot_sandwich(made, found, ax=axes).get_xlabel()
        'l2 radius'
    """
    radius, upper, right, possible, _ = _compared(certificates, attack, labels)
    ax = axes_or_new(ax)
    finite = upper[possible & np.isfinite(upper)]
    at = np.unique(np.concatenate([[0.0], radius[right], finite]))
    share = lambda kept: kept.mean(-1) if len(radius) else np.zeros(len(at))
    low, high = share(right & (radius >= at[:, None])), share(possible & (upper >= at[:, None]))
    ax.fill_between(at, low, high, step="pre", color="0.9", linewidth=0, label="the true one is here")
    ax.step(at, high, where="pre", color=COLORS[1], linestyle=(0, (5, 1.5)), linewidth=2.5, label="attacked")
    ax.step(at, low, where="pre", color=COLORS[0], linewidth=2.5, label="certified")
    dress_over_radius(ax, certificates.norm, "accuracy" if labels is not None else "answers", title)
    ax.legend(fontsize=TEXT - 2, edgecolor="none", framealpha=0.85)
    return ax


def _short(radii: np.ndarray) -> np.ndarray:
    """Radii of three digits of the largest, none above what it was."""
    step = 10.0 ** (np.floor(np.log10(radii[-1])) - 2) if radii[-1] > 0 else 1.0
    return np.unique(np.minimum(np.round(np.floor(radii / step) * step, 15), radii))


def _compared(
    certificates: Any, attack: Any, labels: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """``(radius, upper, right, possible, alpha)`` of every image; nothing is claimed where upper is inf.

    An answer is right if it is the label, or any without labels; possible if nothing says that it is wrong.
    """
    label, radius = checked_labels(certificates)
    upper = getattr(attack, "upper", None)
    if not isinstance(upper, np.ndarray):
        raise TypeError(f"attack must be what diagnostics.attack returns; got {type(attack).__name__}")
    upper = np.asarray(upper, np.float64)
    if upper.shape != radius.shape:
        raise ValueError(f"attack must be of the {len(radius)} images of the certificates; got {len(upper)}")
    if attack.norm != certificates.norm:
        raise ValueError(f"attack must be in the norm {certificates.norm:g} of the certificates; got {attack.norm:g}")
    other = (attack.label != label) & (label != ABSTAIN) & np.isfinite(upper)
    if other.any():
        raise ValueError(
            f"attack must be of these certificates; it left another answer than theirs for {other.sum()} images, the "
            f"first number {other.argmax()}"
        )
    right = label != ABSTAIN if labels is None else scored(certificates, labels)[1]
    possible = right if labels is None else right | (label == ABSTAIN)
    alpha = min((_ALPHA if certificates.alpha is None else certificates.alpha) + attack.alpha, 1 - 1e-12)
    return radius, np.where(np.isnan(upper), np.inf, upper), right, possible, alpha
