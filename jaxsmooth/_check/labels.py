"""The true classes of images."""

import numpy as np

from jaxsmooth._check.arrays import as_array


def class_labels(
    value: object, name: str = "labels", *, images: int | None = None, classes: int | None = None
) -> np.ndarray:
    """``value`` as int64 ``(images,)``: classes, below ``classes`` where their number is known."""
    array = as_array(name, value)
    if array.dtype.kind not in "iu" and (array.size or array.dtype.kind != "f"):  # an empty list is float to NumPy
        raise TypeError(f"{name} must be integers, the true classes; got dtype {array.dtype}")
    if array.ndim != 1 or (images is not None and len(array) != images):
        wanted = "(images,)" if images is None else f"({images},), one for each image"
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    good = array >= 0 if classes is None else (array >= 0) & (array < classes)
    if not good.all():
        wanted = "at least 0" if classes is None else f"between 0 and {classes - 1}, the classes of the classifier"
        raise ValueError(f"{name} must be {wanted}; got {array[~good][0]}")
    return array.astype(np.int64)
