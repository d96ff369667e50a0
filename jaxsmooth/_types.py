"""The two values that travel through the library: votes (device) and certificates (host)."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array as Array
from jax.typing import ArrayLike as ArrayLike

# (batch, *event) -> (batch, classes) scores; any callable, best a pytree so that weights are data.
Classify = Callable[[Array], Array]

ABSTAIN = -1
"""The label of an image about which nothing is claimed."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Votes:
    """How often each class won under noise: integer counts, a commutative monoid under ``+``.

    Attributes:
        counts: int32 ``(images, classes)``, draws whose largest score was this class.
        invalid: int32 ``(images,)``, draws whose scores decide nothing (NaN, +inf twice or all -inf).

    Example:
        >>> import jax.numpy as jnp
        >>> votes = Votes(jnp.array([[7, 2]]), jnp.array([1]))
        >>> (votes + votes).total.tolist()
        [20]
    """

    counts: Any
    invalid: Any

    @property
    def total(self) -> Any:
        """Draws per image, ``(images,)``: valid and invalid ones."""
        return self.counts.sum(-1) + self.invalid

    def __add__(self, other: "Votes") -> "Votes":
        return Votes(self.counts + other.counts, self.invalid + other.invalid)

    def __getitem__(self, images: Any) -> "Votes":
        return Votes(self.counts[images], self.invalid[images])


@dataclasses.dataclass(frozen=True)
class Certificates:
    """What was proved about each image; NumPy arrays of shape ``(images,)`` on the host.

    Attributes:
        label: int32, the certified class, or ``ABSTAIN`` (-1).
        radius: float64, the certified radius in the units of ``x``; 0 where nothing is certified.
        p_lower: float64, lower confidence bound of the probability of the class that was tested.
        p_upper: float64, upper confidence bound of the probability of every other class.
        samples: int64, draws spent on the image, selection included.
        votes: the ``Votes`` (NumPy) behind the bounds.
        noise: the noise that was used.
        norm: 1, 2 or ``np.inf``.
        alpha: the probability, per image, with which the certificate may be wrong.
        rule: the radius rule behind each radius, one string per image; empty where the radius is 0.
        reason: why sampling stopped, one string per image; None where every image got the same number.
        kappa: what a sigma that depends on the image costs at each, ``radii.normalised_rate``, float64; the
            radius is smaller by about sqrt(1 + kappa^2). None for other noise.
    """

    label: np.ndarray
    radius: np.ndarray
    p_lower: np.ndarray
    p_upper: np.ndarray
    samples: np.ndarray
    votes: Votes | None = None
    noise: Any = None
    norm: float = 2
    alpha: float | None = None
    rule: np.ndarray | None = None
    reason: np.ndarray | None = None
    kappa: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, images: slice | np.ndarray) -> "Certificates":
        """The certificates of some of the images (a slice, a mask or an index array)."""
        if isinstance(images, int | np.integer):
            images = slice(int(images), int(images) + 1 or None)
        pick = lambda leaf: None if leaf is None else leaf[images]
        return dataclasses.replace(self, **{name: pick(getattr(self, name)) for name in _PER_IMAGE})


_PER_IMAGE = ("label", "radius", "p_lower", "p_upper", "samples", "votes", "rule", "reason", "kappa")
