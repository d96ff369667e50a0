"""The embedded data set: scikit-learn's 8x8 digits as a TFDS data set, prepared offline.

Imported on use, because TensorFlow Datasets is optional.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

_CLASSES = 10
_TEST_PER_CLASS = 50
_SEED = 0

with registered.skip_registration():

    class Digits(tfds.core.GeneratorBasedBuilder):
        """1,797 grey-scale images of handwritten digits, 8x8 pixels; bundled with scikit-learn.

        1,297 images to train and 500 to test, 50 of each class, in an order fixed for ever.
        """

        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(
                builder=self,
                description=self.__doc__,
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
                        "label": tfds.features.ClassLabel(num_classes=_CLASSES),
                    }
                ),
                supervised_keys=("image", "label"),
                homepage="https://archive.ics.uci.edu/dataset/80",
                citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.",
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            from sklearn.datasets import load_digits

            digits: Any = load_digits()
            pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
            train, test = fixed_split(digits.target)
            return {
                "train": self._generate_examples(pixels[train], digits.target[train]),
                "test": self._generate_examples(pixels[test], digits.target[test]),
            }

        def _generate_examples(self, pixels: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
            from PIL import Image

            # A PIL image, because TFDS encodes arrays with TensorFlow.
            for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
                yield i, {"image": Image.fromarray(image), "label": int(label)}


def fixed_split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the test images, each in a mixed order; 50 test images of every class."""
    # Raw words of a bit generator are the one random stream that NumPy promises never to change.
    order = np.argsort(np.random.PCG64(_SEED).random_raw(len(labels)), kind="stable")
    held_out = np.zeros(len(labels), bool)
    for label in range(_CLASSES):
        held_out[order[labels[order] == label][:_TEST_PER_CLASS]] = True
    return order[~held_out[order]], order[held_out[order]]


def prepare(data_dir: Path) -> None:
    """Write the data set below ``data_dir``; several processes may do so at once."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=data_dir, prefix=".digits-")
    except OSError as error:
        raise OSError(
            f"digits are written on first use and data_dir {data_dir} cannot be written ({error.strerror}); "
            "pass another data_dir"
        ) from error
    with scratch:
        builder = Digits(data_dir=scratch.name, file_format="array_record")
        # It takes a fraction of a second: no banner, no progress bars.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder.download_and_prepare()
        target = data_dir / "digits" / str(Digits.VERSION)
        target.parent.mkdir(exist_ok=True)
        try:
            # One step: the folder is complete or absent, and the first process to arrive wins.
            os.rename(builder.data_dir, target)
        except OSError:
            if not (target / "dataset_info.json").exists():
                raise
