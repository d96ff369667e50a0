"""The digits that come with the library, for where TensorFlow Datasets is not installed: NumPy alone."""

import re
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("digits.npz")
_PART = re.compile(r"(train|test|all)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?")


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The arrays that ``load("digits", split)`` reads through TFDS: the same images in the same order.

    Args:
        split: ``"train"``, ``"test"``, ``"all"``, slices of them by images or percent, and sums.

    Returns:
        ``(images, labels)``, float32 ``(N, 8, 8, 1)`` in [0, 1] and int32 ``(N,)``.

    Raises:
        ValueError: for a split that does not exist or is empty.
        TypeError: if it is no text.
    """
    if not isinstance(split, str):
        raise TypeError(f"split must be a string such as 'test' or 'test[:100]'; got {type(split).__name__}")
    with np.load(FILE) as file:
        pixels, labels, train = file["pixels"], file["labels"], int(file["train"])
    places = {"train": range(train), "test": range(train, len(labels)), "all": range(len(labels))}
    chosen: list[int] = []
    for part in split.split("+"):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise _impossible(split, train, len(labels))
        name, start, stop = found.groups()
        size = len(places[name])
        if any(end is not None and abs(_place(end, size)) > size for end in (start, stop)):
            raise _impossible(split, train, len(labels))
        chosen += places[name][slice(*(None if end is None else _place(end, size) for end in (start, stop)))]
    if not chosen:
        raise _impossible(split, train, len(labels), " It selects no image.")
    return pixels[chosen] / np.float32(255), labels[chosen].astype(np.int32)


def _place(end: str, size: int) -> int:
    return round(int(end[:-1]) * size / 100) if end.endswith("%") else int(end)


def _impossible(split: str, train: int, total: int, more: str = "") -> ValueError:
    sizes = {"train": train, "test": total - train}
    return ValueError(
        f"split = {split!r} is not possible for 'digits', whose splits and sizes are {sizes}; slice them as in "
        f"'test[:100]', 'test[50%:]' or 'train+test'.{more}"
    )
