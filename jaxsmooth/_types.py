"""What travels through the library: votes, the noise they were drawn under, and the names of things."""

import html
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import jax
import numpy as np
from jax import Array as Array

from jaxsmooth import _keys
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


def depends_on_input(noise: object) -> bool:
    """Whether sigma is a function of the image; a noise that does not say so has one sigma."""
    return getattr(noise, "depends_on_input", False)


def frozen(noise: Noise, x: ArrayLike) -> Noise:
    """The noise at these images as radius rules see it: itself, unless it depends on them."""
    return noise.frozen_at(x) if depends_on_input(noise) else noise


def sigma_per_image(noise: object) -> bool:
    """Whether the noise is that of several images, each with a sigma of its own."""
    return np.ndim(getattr(noise, "sigma", 0.0)) > 0


def perturbed(noise: Noise, key: Array, x: Array) -> Array:
    """What a draw makes of one event; a noise that does not say so adds a sample."""
    if hasattr(noise, "perturb"):
        return noise.perturb(key, x)
    # In one dimension: loops over short trailing axes, such as colours, are not vectorised on CPUs.
    return (x.reshape(-1) + noise.sample(key, x.shape).reshape(-1)).reshape(x.shape)


@frozen_pytree
class Shared:
    """Arrays of a noise that are the same for every image: ``noise.at(x)`` gives them no axis of images.

    Attributes:
        arrays: a tree of arrays.
    """

    arrays: Any


def is_shared(value: object) -> bool:
    """Whether this part of a noise has no axis of images."""
    return isinstance(value, Shared)


def noise_of(noise_at: Noise, rows: Array) -> Noise:
    """The noise of some of the images, of what ``noise.at(x)`` gave."""
    return jax.tree.map(lambda leaf: leaf if is_shared(leaf) else leaf[rows], noise_at, is_leaf=is_shared)


def axes_of(noise_at: Any) -> Any:
    """What ``jax.vmap`` maps of a noise at images: its leaves, but for those that all images share."""
    if not any(map(is_shared, jax.tree.leaves(noise_at, is_leaf=is_shared))):
        return 0
    return jax.tree.map(lambda leaf: None if is_shared(leaf) else 0, noise_at, is_leaf=is_shared)


def takes_views(noise: object) -> bool:
    """Whether a noise is a number of fixed views, which are numbered, and not drawn."""
    # Arrays have a view, too.
    return callable(getattr(noise, "view", None)) and not hasattr(noise, "dtype")


def seen_each(noise_at: Any, keys: Array, draws: Array, x: Array) -> Array:
    """What the classifier is fed: events ``(pairs, *event)`` under their draws, or in the views of these numbers."""
    if takes_views(noise_at):
        return jax.vmap(lambda noise, draw, x: noise.view(draw, x), (axes_of(noise_at), 0, 0))(noise_at, draws, x)
    return perturbed_each(noise_at, keys, x)


def perturbed_each(noise_at: Any, keys: Array, x: Array) -> Array:
    """What draws make of events ``(images, *event)``, each with its key and its noise, of ``noise.at(x)``."""
    return jax.vmap(perturbed, (axes_of(noise_at), 0, 0))(noise_at, keys, x)


def classified(classify: Callable[..., Array], x: Array, keys: Array | None = None) -> Array:
    """The scores of a batch; a classifier that takes keys gets one for every row."""
    return classify(x, keys=keys) if takes_keys(classify) else classify(x)


def takes_keys(classify: object) -> bool:
    """Whether a classifier draws random numbers, from a key for every row of the batch."""
    return bool(getattr(classify, "takes_keys", False))


def subkeys(keys: Array | None, part: int) -> Array | None:
    """The keys of one of several parts of a classifier."""
    return None if keys is None else _keys.folded(keys, part)


def parts_with(tree: Any, attribute: str) -> list[Any]:
    """The outermost nodes of a tree that have an attribute, such as the denoiser of a classifier."""
    has = lambda node: hasattr(node, attribute)
    return [node for node in jax.tree.leaves(tree, is_leaf=has) if has(node)]
