"""attack: points at which the smoothed classifier no longer gives the certified answer."""

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check
from jaxsmooth._certificates import AbstractCertificates
from jaxsmooth._classifier import parts_with
from jaxsmooth._noise import sigma_per_image
from jaxsmooth._printed import rounded_down, significant_down, significant_up
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import ABSTAIN, Array, ArrayLike, Classify, Noise
from jaxsmooth.analysis.scores import checked_labels
from jaxsmooth.diagnostics.measure.attack_points import CONFIRMED_AT, NearestPoints
from jaxsmooth.diagnostics.measure.attack_search import Search
from jaxsmooth.sampling import inputs

_FEWEST = 100


_OUTWARD = {"upper": significant_up, "certified": significant_down}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Attack(AbstractCertificates):
    """Upper bounds of the true radius; arrays ``(images,)``, a sequence of images.

    Attributes:
        upper: float64, the distance of a point at which the smoothed classifier does not give the certified answer;
            inf where none was found, nan where nothing was certified.
        point: float32 ``(images, *event)``, that point; x itself where there is none.
        other: int32, a class more probable there than the certified one; -1 where there is none.
        label: int32, the certified answer.
        certified: float64, the certified radius.
        samples: int64, votes spent on the image.
        norm: the norm of the distances.
        alpha: the probability, per image, that the answer has not changed at the point.
    """

    shared: ClassVar[tuple[str, ...]] = ("norm", "alpha")

    upper: np.ndarray
    point: np.ndarray
    other: np.ndarray
    label: np.ndarray
    certified: np.ndarray
    samples: np.ndarray
    norm: float = 2
    alpha: float = 1e-3

    @property
    def ratio(self) -> np.ndarray:
        """``upper / certified``: 1 where the certificate cannot be improved, below 1 where something is wrong."""
        with np.errstate(divide="ignore"):
            return self.upper / self.certified

    def _certified(self) -> str:
        found = np.isfinite(self.upper)
        median = ""
        if found.any():
            # Down, so that a ratio below 1, where something is wrong, does not print as 1.
            median = f", median upper / certified {rounded_down(float(np.median(self.ratio[found])), 2)}"
        return f": {found.sum()} of {(self.label >= 0).sum()} certified answers changed{median}"

    def _text(self, name: str, value: Any) -> str:
        """Each bound is rounded to its own side."""
        if name in _OUTWARD and isinstance(value, float | np.floating):
            return _OUTWARD[name](float(value))
        return super()._text(name, value)


@deliberate
def attack(
    key: Array,
    classify: Classify,
    noise: Noise,
    certificates: Any,
    x: ArrayLike,
    *,
    norm: float = 2,
    steps: int = 20,
    draws: int = 64,
    tries: int = 6,
    n: int = 10_000,
    alpha: float = 1e-3,
    surrogate: Classify | None = None,
    clip: Sequence[float] | None = None,
    image_ids: ArrayLike | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> Attack:
    r"""Find, for every certified image, a nearby point at which the smoothed classifier answers something else.

    With probability at least ``1 - alpha``, per image, the certified class A is not the answer at ``point``, at
    distance ``upper``: certified radius <= true radius <= upper. Certified radii above ``upper`` on more images than
    chance explains (``analysis.sandwich``) mean that something is wrong: units, the scale of the noise, normalisation,
    a radius rule, the classifier itself.

    Points are where the noise takes images: of noise on a lattice, on the lattice.

    *Search.* At a distance, first the certified one, then 1.5 times as much up to ``tries`` times, projected
    gradients ascend :math:`\log \max_{b \ne A} P_b - \log P_A`, where P is the mean of the softmax of the scores over
    ``draws`` fresh noisy copies; the mean is inside the logarithm. *Test.* A tenth of ``n`` votes at the point choose
    a class b, the others decide: b beats A if :math:`P(\mathrm{Bin}(c_A + c_b, 1/2) \ge c_b)` is small, where votes for
    nobody are counted for A. *Shorten.* Along the line to a point that passed, bisection by cheap votes, without a
    claim; then the test again at 1.02, 1.05, 1.1 and 1.2 times that distance. All tests are of fresh draws at points
    fixed before, and share alpha.

    Args:
        key: a JAX random key; it may be that of the certificates, none of whose draws is used.
        classify: the classifier, differentiable unless ``surrogate`` is given; also ``randomized`` and ``soft`` ones.
        noise: the noise it is smoothed with in truth.
        certificates: ``Certificates``, one class an image.
        x: the images that were certified, ``(images, *event)``.
        norm: 1, 2 or ``np.inf``, the norm of the certificates.
        steps: gradient steps at a distance.
        draws: noisy copies of a point in one step.
        tries: distances.
        n: votes of a test.
        alpha: the probability, per image, that the claim at its point is wrong.
        surrogate: another classifier of the same classes, for the gradients alone.
        clip: least and largest value of a coordinate of the point; none by default.
        image_ids: int32 ``(images,)``, what the noise of each image derives from; 0, 1, ... by default.
        batch_size: see ``count_votes``; it cannot change the votes.
        mesh: a ``jax.sharding.Mesh`` to spread votes over; see ``count_votes``.

    Returns:
        ``Attack``.

    Raises:
        ValueError: for values out of range, shapes that do not fit, another norm or kind of votes than that of the
            certificates, or too few votes for any test to pass.
        TypeError: for arguments of the wrong kind: certificates of another kind or with an infinite radius, and a
            Python function without a ``surrogate``, which has no gradient.

    References:
        Salman et al., "Provably robust deep learning via adversarially trained smoothed classifiers", 2019 (the
        loss); the confirmed distance: ours, above.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> classify = lambda batch: jnp.stack([batch.sum(-1), -batch.sum(-1)], -1)
        >>> x, noise = jnp.array([[0.5, 0.5], [-0.2, -0.4]]), js.noises.Gaussian(0.5)
        >>> made = js.certify(jax.random.key(0), classify, noise, x, n=10_000)
        >>> found = js.diagnostics.attack(jax.random.key(1), classify, noise, made, x)
        >>> bool((made.radius < found.upper).all()), bool((found.ratio < 1.2).all())
        (True, True)
    """
    if _check.is_traced(key, noise, x):
        raise TypeError("attack works on the host and cannot be traced; call it outside of jit")
    if np.isinf(np.asarray(getattr(certificates, "radius", 0.0), np.float64)).any():
        raise TypeError("certificates must have finite radii, which an attack can exceed; got a radius of inf")
    label, radius = checked_labels(certificates)
    _check.refuse_views(noise)
    _check.float32_noise(noise)
    noise = _check.noise_of_one_sigma(noise)
    x = np.asarray(inputs.on_host(_check.images_for(noise, x)))
    ids = inputs.on_host(_check.image_ids(image_ids, len(x)))
    if len(label) != len(x):
        raise ValueError(f"x must hold the images of the certificates, {len(label)} of them; got {len(x)}")
    norm, n, alpha = _check.norm(norm), _check.draws("n", n), _check.probability("alpha", alpha)
    if norm != certificates.norm:
        raise ValueError(f"norm must be that of the certificates, {certificates.norm:g}; got {norm:g}")
    tries = _check.integer("tries", tries, at_least=1)
    box = None if clip is None else _checked_clip(clip)
    _check_models(classify, surrogate, certificates, label, x)
    levels = _checked_levels(alpha, tries, n)
    search = Search(
        key=_check.typed_key(key), classify=classify, noise=noise, surrogate=surrogate,
        norm=norm, steps=_check.integer("steps", steps, at_least=1), clip=box,
        draws=_check.integer("draws", draws, at_least=1), batch_size=batch_size, mesh=mesh,
    )  # fmt: skip
    found = NearestPoints(search, x, ids, label, n)
    found.search_outward(np.where(radius > 0, radius, _first_distance(noise, x, norm)), tries, levels[0])
    found.confirm_closer(tries, levels[1])
    upper = np.where(label == ABSTAIN, np.nan, found.upper)
    return Attack(
        upper, found.point, found.other, label.astype(np.int32), radius, found.samples, norm=norm, alpha=alpha
    )


def _checked_clip(clip: Any) -> tuple[float, float]:
    ends = _check.as_float64("clip", clip)
    if ends.shape != (2,) or not ends[0] < ends[1]:
        raise ValueError(f"clip must be (least, largest) value of a coordinate, or None; got {clip!r}")
    return float(ends[0]), float(ends[1])


def _checked_levels(alpha: float, tries: int, n: int) -> tuple[float, float]:
    """The levels of one test of the search and of one at a shorter distance; refuse too few votes for them."""
    levels = alpha / (2 * tries), alpha / (2 * len(CONFIRMED_AT))
    needed = max(_FEWEST, math.ceil(math.ceil(-math.log2(max(min(levels), sys.float_info.min))) / 0.9) + 1)
    if n < needed:
        raise ValueError(f"n = {n} votes are too few for a test at alpha = {alpha:g}; use n >= {needed}")
    return levels


def _check_models(classify: Any, surrogate: Any, certificates: Any, label: np.ndarray, x: np.ndarray) -> None:
    """Refuse models that the certificates are not of, or that have no gradient."""
    model = inputs.as_pytree(classify)
    classes, kind = inputs.num_classes(model, x), inputs.kind_of_votes(model)
    if label.max(initial=-1) >= classes:
        raise ValueError(
            f"certificates must be of the {classes} classes of classify; got the label {label.max()}. Pass the model "
            "that was certified"
        )
    votes = getattr(certificates, "votes", None)
    if votes is not None and votes.kind != kind:
        raise ValueError(
            f"classify must be the classifier of the certificates, whose votes are {votes.kind}; got one "
            f"with {kind} votes"
        )
    guide = model if surrogate is None else inputs.as_pytree(surrogate)
    if surrogate is not None and (found := inputs.num_classes(guide, x)) != classes:
        raise ValueError(f"surrogate must have the {classes} classes of classify; got {found}")
    if parts_with(guide, "runs_on_host"):
        name = "classify" if surrogate is None else "surrogate"
        raise TypeError(
            f"{name} must have a gradient, which a Python function has not; got {type(guide).__name__}. Pass "
            "surrogate=, a JAX network that answers much the same"
        )


def _first_distance(noise: Any, x: np.ndarray, norm: float) -> float:
    """Where the search begins for an image with radius 0: a quarter of sigma, in l2."""
    sigma = getattr(noise, "sigma", 1.0)
    sigma = 1.0 if sigma_per_image(noise) or np.ndim(sigma) else float(sigma)
    return 0.25 * sigma / (math.sqrt(x[0].size) if math.isinf(norm) else 1.0)
