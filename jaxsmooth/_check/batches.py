"""Batches as loaders give them: arrays, pairs with labels, PyTorch's lists, TFDS's dictionaries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxsmooth._check.arrays import as_array, numpy_or_jax
from jaxsmooth._check.images import is_pair, parts_in_words
from jaxsmooth._types import ArrayLike

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
    elif isinstance(batch, tuple) or is_pair(batch) or (isinstance(batch, list) and _holds_arrays(batch)):
        if not (isinstance(batch, tuple) or is_pair(batch)) or len(batch) not in (2, 3):
            raise ValueError(
                "batches must be images, pairs (images, labels) or triples with image ids; got "
                f"{parts_in_words(batch)}. Make one array of several images, np.stack(batch)"
            )
        parts = tuple(batch)
    else:
        parts = (batch,)
    x, labels, ids = (*parts, None, None)[:3]
    x = numpy_or_jax("x", x)
    labels = None if labels is None else as_array("labels", labels)
    ids = None if ids is None else as_array("image_ids", ids)
    for name, value in (("a label", labels), ("an image id", ids)):
        if value is not None and (_length(value) != _length(x)):
            raise ValueError(f"batches must have {name} for each image; got {_length(value)} for {_length(x)} images")
    return x, labels, ids


def _holds_arrays(batch: Sequence[object]) -> bool:
    """Whether an entry is an array, of any library."""
    return any(hasattr(part, "__array__") or hasattr(part, "__dlpack__") for part in batch)


def _length(value: ArrayLike) -> int | None:
    """Entries along the first axis; None of a scalar."""
    shape = np.shape(value)
    return shape[0] if shape else None
