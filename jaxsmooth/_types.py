"""What travels through the library: votes, the noise they were drawn under, and the names of things."""

import html
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from jax import Array as Array

from jaxsmooth._pytree import frozen_pytree, static


class SupportsArray(Protocol):
    """What NumPy makes an array of: tensors of other libraries, columns of data frames."""

    def __array__(self, *arguments: Any, **more: Any) -> np.ndarray:
        """The array."""
        ...


# Numbers, arrays of JAX, NumPy and others, and nested lists of them; not text, which NumPy takes for an array.
ArrayLike = complex | Array | np.ndarray | SupportsArray | Sequence[float] | list[Any] | tuple[Any, ...]
# (batch, *event) -> (batch, classes) scores; any callable, best a pytree so that weights are data.
Classify = Callable[[Array], Array]

# Images in a repr, and classes that it has room for.
_SHOWN, _MANY = 3, 10

ABSTAIN = -1
"""The label of an image about which nothing is claimed."""


@frozen_pytree
class Votes:
    """How often each class won under noise: integer counts, a commutative monoid under ``+``, a sequence of images.

    Attributes:
        counts: int32 ``(images, classes)``, draws whose largest score was this class.
        invalid: int32 ``(images,)``, draws whose scores decide nothing (NaN, +inf twice or all -inf).
        kind: ``"hard"``, the largest score wins; or ``"soft"``, the class is drawn from the probabilities, with the
            temperature in words if it is not 1 (``jaxsmooth.soft``). Votes of two kinds are of two smoothed
            classifiers and never added; static.

    Example:
        >>> import jax.numpy as jnp
        >>> votes = Votes(jnp.array([[7, 2]]), jnp.array([1]))
        >>> (votes + votes).total.tolist(), len(votes)
        ([20], 1)
    """

    counts: Any
    invalid: Any
    kind: str = static(default="hard")

    @property
    def total(self) -> Any:
        """Draws per image, ``(images,)``: valid and invalid ones."""
        return self.counts.sum(-1) + self.invalid

    def __add__(self, other: "Votes") -> "Votes":
        if self.kind != other.kind:
            raise ValueError(
                f"votes must be of one kind; got {self.kind} and {other.kind}, which are of two smoothed classifiers. "
                "Keep them apart"
            )
        return Votes(self.counts + other.counts, self.invalid + other.invalid, self.kind)

    def __len__(self) -> int:
        if np.ndim(self.invalid) == 0:
            raise TypeError("the votes of one image have no length")
        return self.invalid.shape[0]

    def __getitem__(self, images: Any) -> "Votes":
        """The votes of some of the images (a slice, a mask or an index array), or of one."""
        if isinstance(images, int | np.integer):
            images = checked_index(images, len(self))
        return Votes(self.counts[images], self.invalid[images], self.kind)

    def __iter__(self) -> Iterator["Votes"]:
        return (self[image] for image in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """A structured array with the fields ``counts`` and ``invalid``."""
        counts, invalid = np.asarray(self.counts), np.asarray(self.invalid)
        kinds = [("counts", counts.dtype, counts.shape[-1:]), ("invalid", invalid.dtype)]
        rows = np.empty(invalid.shape, kinds)
        rows["counts"], rows["invalid"] = counts, invalid
        return rows if dtype is None else rows.astype(dtype)

    def __repr__(self) -> str:
        shape = getattr(self.counts, "shape", None)
        if shape is None or len(shape) < 2 or (hasattr(self.counts, "aval") and not hasattr(self.counts, "devices")):
            return f"Votes(counts={self.counts!r}, invalid={self.invalid!r})"
        if len(shape) > 2:
            counts = "x".join(map(str, shape[1:]))
            return f"Votes of {shape[0]} images, {counts} counts each, {int(np.asarray(self.invalid).sum())} invalid"
        shown = ", ".join(self._rows())
        more = ", ..." if shape[0] > _SHOWN else ""
        invalid = int(np.asarray(self.invalid).sum())
        kind = "" if self.kind == "hard" else f"{self.kind} "
        return f"{kind}Votes of {shape[0]} images in {shape[1]} classes, {invalid} invalid: {shown}{more}"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    def _rows(self) -> Iterator[str]:
        """The votes of the first images; of many classes those with the most."""
        for row in np.asarray(self.counts[:_SHOWN]):
            if len(row) <= _MANY:
                yield str(row.tolist())
                continue
            best = [int(label) for label in np.argsort(-row, kind="stable")[:_SHOWN] if row[label]]
            rest = ", ..." if np.count_nonzero(row) > len(best) else ""
            yield "{" + ", ".join(f"{label}: {row[label]}" for label in best) + rest + "}"


def checked_index(index: Any, length: int) -> int:
    """The place that an index, which may be negative, means in a sequence of this length."""
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range for {length} images")
    return int(index) % length


class Noise(Protocol):
    """What the library asks of a noise; ``jaxsmooth.noises.AbstractNoise`` answers all but ``sample`` and ``scale``.

    A noise that does not derive from it may leave out ``perturb``, ``frozen_at`` and ``depends_on_input``.
    """

    @property
    def sigma(self) -> Any:
        """The root mean square of a coordinate; ``(images,)`` where each image has its own."""
        ...

    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """The noise of one event, float32; see ``AbstractNoise``."""
        ...

    def scale(self, dim: int) -> Any:
        """The family's scale parameter lambda for ``dim`` coordinates."""
        ...

    def perturb(self, key: Array, x: Array) -> Array:
        """What a draw makes of one event."""
        ...

    def at(self, x: Array | np.ndarray) -> Any:
        """The noise used at each image, its leaves with a leading axis ``(images,)``."""
        ...

    def frozen_at(self, x: ArrayLike) -> Any:
        """The noise at these images as radius rules see it, on the host."""
        ...

    @property
    def depends_on_input(self) -> bool:
        """Whether sigma is a function of the image."""
        ...
