"""Batches as loaders give them: arrays, pairs with labels, PyTorch's lists, TFDS's dictionaries."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsmooth import _check

# What data sets call the images and their classes.
_IMAGES = ("image", "images", "img", "x", "pixel_values")
_LABELS = ("label", "labels", "y")


def split_batch(batch: Any) -> tuple[Any, Any, Any]:
    """The images, labels and image ids of a batch; None for what it does not hold.

    Args:
        batch: images ``(images, *event)``, ``(x, labels)``, ``(x, labels, image_ids)``, such a list of arrays as
            PyTorch's ``DataLoader`` gives, or a dictionary as TensorFlow Datasets and Hugging Face give.

    Returns:
        ``(x, labels, image_ids)``.

    Raises:
        ValueError: if it cannot be told what is what.
    """
    if isinstance(batch, Mapping):
        names = [[name for name in known if name in batch] for known in (_IMAGES, _LABELS)]
        if len(names[0]) != 1 or len(names[1]) > 1:
            raise ValueError(
                'batches must be arrays, pairs (x, labels) or dictionaries with one "image" and one "label"; got keys '
                f"{sorted(map(str, batch))}. Pass pairs: ((b[...], b[...]) for b in batches)"
            )
        parts = (batch[names[0][0]], batch[names[1][0]] if names[1] else None)
    elif isinstance(batch, tuple) or _is_pair(batch) or (isinstance(batch, list) and _holds_arrays(batch)):
        if not (isinstance(batch, tuple) or _is_pair(batch)) or len(batch) not in (2, 3):
            raise ValueError(
                "batches must be images, pairs (images, labels) or triples with image ids; got "
                f"{_in_words(batch)}. Make one array of several images, np.stack(batch)"
            )
        parts = tuple(batch)
    else:
        parts = (batch,)
    x, labels, ids = (*parts, None, None)[:3]
    x = _check.numpy_or_jax("x", x)
    labels = None if labels is None else _check.as_array("labels", labels)
    ids = None if ids is None else _check.as_array("image_ids", ids)
    for name, value in (("a label", labels), ("an image id", ids)):
        if value is not None and (_length(value) != _length(x)):
            raise ValueError(f"batches must have {name} for each image; got {_length(value)} for {_length(x)} images")
    return x, labels, ids


def refuse_pair(x: Any) -> None:
    """Refuse images that came together with their labels, which would be taken for images."""
    if isinstance(x, Mapping) or _is_pair(x):
        got = f"a dictionary with keys {sorted(map(str, x))}" if isinstance(x, Mapping) else _in_words(x)
        raise TypeError(
            f"x must be images alone, (images, *event); got {got}. Pass them without the labels; of a stream, "
            "(x for x, y in batches)"
        )


def _is_pair(batch: Any) -> bool:
    """Whether this is a list or tuple of images and integers or texts that belong to them, not of images."""
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        return False
    depths = [_depth(part) for part in batch]
    integers = getattr(getattr(batch[1], "dtype", None), "kind", "") in "iub" and hasattr(batch[0], "dtype")
    return depths[0] >= 2 and (depths[1] < depths[0] or integers)


def _holds_arrays(batch: Any) -> bool:
    """Whether an entry is an array, of any library."""
    return any(hasattr(part, "__array__") or hasattr(part, "__dlpack__") for part in batch)


def _depth(value: Any) -> int:
    """Axes of an array or of nested lists, judged by their first entries."""
    if hasattr(value, "shape"):
        return len(value.shape)
    return 1 + _depth(value[0]) if isinstance(value, list | tuple) and value else int(isinstance(value, list | tuple))


def _length(value: Any) -> int | None:
    """Entries along the first axis; None of a scalar."""
    shape = np.shape(value)
    return shape[0] if shape else None


def _in_words(batch: Any) -> str:
    shapes = [tuple(part.shape) if hasattr(part, "shape") else type(part).__name__ for part in batch]
    return f"a {type(batch).__name__} of {len(batch)}: {', '.join(map(str, shapes[:4]))}"
