"""load: a data set as two arrays. source: as a random-access sequence of records."""

import importlib
import io
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxsmooth.datasets import bundled, folder, shards

_BLOCK = 1024
# The usual evaluation of ImageNet: shorter side to 256, then the central square of 224.
_RESIZE, _CROP = 256, 224
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_NEEDED = ("tensorflow_datasets", "array_record", "importlib_resources", "PIL", "sklearn")


def load(name: str, split: str, *, data_dir: str | os.PathLike[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """An image-classification data set as arrays, read through TFDS without TensorFlow or a network.

    ``"digits"`` is always available: scikit-learn's 8x8 digits, 1,297 images to train and 500 to test,
    written to ``data_dir`` as a TFDS data set on first use, or read from the library itself where TFDS is not
    installed. Every other name (``"mnist"``,
    ``"fashion_mnist"``, ``"cifar10"``, ``"imagenet2012"``, your own) is read from ``data_dir``. Images of
    varying size (ImageNet) are resized to 256 pixels on the shorter side and cropped to the central 224.

    Args:
        name: TFDS name: ``name``, ``name/config``, ``name:version`` or ``name/config:version``.
        split: TFDS split: ``"train"``, ``"test[:100]"``, ``"test[50%:]"``, ``"train+test"``.
        data_dir: the folder of prepared data sets; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` by default.

    Returns:
        ``(images, labels)``: float32 ``(N, height, width, channels)`` in [0, 1] and int32 ``(N,)``, in the
        order on the disk, which is the same everywhere.

    Raises:
        ImportError: if the packages that read data sets are not installed.
        FileNotFoundError: if the data set is not in ``data_dir``; says what is, and how to prepare it.
        ValueError: for a name or a split that does not exist, a data set without an image and a label, or
            files that are damaged; names the file.

    Example:
        >>> import jaxsmooth.datasets
        >>> images, labels = jaxsmooth.datasets.load("digits", "test[:100]")
        >>> images.shape, images.dtype, labels.shape
        ((100, 8, 8, 1), dtype('float32'), (100,))
    """
    if name == "digits" and not all(map(_importable, _NEEDED)):
        return bundled.load(split)
    builder = _builder(name, data_dir)
    features = builder.info.features
    decode, shape = _decoder(name, features)
    records = _records(name, builder, split, encoded=True)
    images = np.empty((len(records), *shape), np.float32)
    labels = np.empty(len(records), np.int32)
    for start in range(0, len(records), _BLOCK):
        with shards.damage_named(name, builder, split):
            block = records.__getitems__(range(start, min(start + _BLOCK, len(records))))
        for i, record in enumerate(block, start):
            try:
                np.divide(decode(record["image"]).reshape(shape), np.float32(255), out=images[i])
            except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for what is no image
                raise shards.damaged_image(name, builder, split, i, error) from error
            labels[i] = record["label"]
    return images, labels


def source(name: str, split: str, *, data_dir: str | os.PathLike[str] | None = None) -> Sequence[dict[str, Any]]:
    """A data set as TFDS's random-access sequence of records, for input pipelines such as Grain.

    Args:
        name: as in ``load``.
        split: as in ``load``.
        data_dir: as in ``load``.

    Returns:
        A sequence of dictionaries, every feature decoded: ``"image"`` uint8, ``"label"`` int, and others.

    Raises:
        ImportError: as ``load``.
        FileNotFoundError: as ``load``.
        ValueError: for a name or a split that does not exist, or files whose damage shows on opening them.

    Example:
        >>> import jaxsmooth.datasets
        >>> record = jaxsmooth.datasets.source("digits", "test")[0]
        >>> record["image"].shape, record["label"]
        ((8, 8, 1), 0)
    """
    return _records(name, _builder(name, data_dir), split)


def _importable(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _builder(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """The read-only builder of a prepared data set; prepares digits."""
    for module in _NEEDED:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ImportError(
                f'data sets need {module}, which cannot be imported; install it with: pip install "jaxsmooth[data]"'
            ) from error
    import tensorflow_datasets as tfds

    root = folder.data_folder(data_dir)
    if str(name).partition(":")[0] == "digits" and not folder.versions(root / "digits"):
        from jaxsmooth.datasets import digits

        digits.prepare(root)
    found = folder.find(name, root)
    try:
        return tfds.builder_from_directory(found)
    except Exception as error:
        raise shards.damaged_description(name, found, error) from error


def _records(name: str, builder: Any, split: str, encoded: bool = False) -> Any:
    """The records of a split, the images as they were encoded or as arrays."""
    import tensorflow_datasets as tfds

    if not isinstance(split, str):
        raise TypeError(f"split must be a string such as 'test' or 'test[:100]'; got {type(split).__name__}")
    try:
        if builder.info.splits[split].num_examples < 1:
            raise ValueError("it selects no image.")
    except (ValueError, KeyError) as error:
        sizes = {key: info.num_examples for key, info in builder.info.splits.items()}
        raise ValueError(
            f"split = {split!r} is not possible for {name!r}, whose splits and sizes are {sizes}; "
            f"slice them as in 'test[:100]', 'test[50%:]' or 'train+test'. {error}"
        ) from None
    # Where TFDS decodes, it looks for OpenCV first and complains of its absence; load uses Pillow itself.
    decoders = {"image": tfds.decode.SkipDecoding()} if encoded else None
    try:
        with shards.damage_named(name, builder, split):
            records = builder.as_data_source(split=split, decoders=decoders)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(
            f"{name!r} in {builder.data_dir} cannot be read record by record; "
            'prepare it again with file_format="array_record"'
        ) from error
    shards.check(name, builder, split)
    return records


def _decoder(name: str, features: Any) -> tuple[Callable[[bytes], np.ndarray], tuple[int, ...]]:
    """How to turn an encoded image into uint8, and the shape it then has."""
    import tensorflow_datasets as tfds

    kinds = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    if not all(key in features and isinstance(features[key], kind) for key, kind in kinds.items()):
        raise ValueError(
            f"{name!r} is no image-classification data set: it needs the features 'image' (Image) and "
            f"'label' (ClassLabel); it has {sorted(features)}. Read it with jaxsmooth.datasets.source"
        )
    image = features["image"]
    *size, channels = image.shape
    if image.np_dtype != np.uint8 or channels not in _MODES:
        raise ValueError(
            f"images of {name!r} must be uint8 with 1, 3 or 4 channels; they are {image.np_dtype} of shape "
            f"{image.shape}. Read it with jaxsmooth.datasets.source"
        )
    fixed = None not in size
    return _image_decoder(_MODES[channels], fixed), (*(size if fixed else (_CROP, _CROP)), channels)


def _image_decoder(mode: str, fixed: bool) -> Callable[[bytes], np.ndarray]:
    from PIL import Image

    def decode(encoded: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(encoded)) as opened:
            image = opened if opened.mode == mode else opened.convert(mode)
            if not fixed:
                scale = _RESIZE / min(image.size)
                width, height = (max(_RESIZE, round(side * scale)) for side in image.size)
                left, top = (width - _CROP) // 2, (height - _CROP) // 2
                image = image.resize((width, height), Image.Resampling.BILINEAR)
                image = image.crop((left, top, left + _CROP, top + _CROP))
            return np.asarray(image)

    return decode
