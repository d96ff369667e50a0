"""Training batches for ``train.py``: a pure function of the step, so that a resumed run sees the same ones."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import jaxsmooth as js


def batches(
    loader: str, dataset: str, split: str, data_dir: str | None, size: int, seed: int, first: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Endless ``(images, labels, numbers)`` from step ``first``; numbers are the places of the images in the split."""
    return (_from_grain if loader == "grain" else _from_arrays)(dataset, split, data_dir, size, seed, first)


def _from_arrays(dataset, split, data_dir, size, seed, first):
    """All images in memory; a fresh order every epoch, whose rest is dropped."""
    images, labels = js.datasets.load(dataset, split, data_dir=data_dir)
    per_epoch = len(images) // size
    step = first
    while True:
        order = np.random.default_rng((seed, step // per_epoch)).permutation(len(images))
        for place in range(step % per_epoch, per_epoch):
            numbers = order[place * size : (place + 1) * size]
            yield images[numbers], labels[numbers], numbers
        step = (step // per_epoch + 1) * per_epoch


def _from_grain(dataset, split, data_dir, size, seed, first):
    """Images read and decoded from the disk as they are needed, by Grain; for data sets larger than the memory."""
    import grain

    source = js.datasets.source(dataset, split, data_dir=data_dir)

    class Numbered:
        def __len__(self):
            return len(source)

        def __getitem__(self, number):
            record = source[number]
            image = np.asarray(record["image"], np.float32) / 255
            return image, np.int32(record["label"]), np.int32(number)

    data = grain.MapDataset.source(Numbered()).seed(seed).shuffle()[: len(source) // size * size].repeat()
    if dataset.startswith("imagenet"):
        data = data.random_map(lambda record, rng: (random_square(record[0], rng), *record[1:]))
    data = data.batch(size)
    yield from data[first:].to_iter_dataset(grain.ReadOptions(num_threads=8, prefetch_buffer_size=64))


def random_square(image: np.ndarray, rng: np.random.Generator, side: int = 224) -> np.ndarray:
    """A random part of an image of any size, 8 % to all of its area, as a square; reflected half of the time."""
    from PIL import Image

    height, width = image.shape[:2]
    area, ratio = height * width * rng.uniform(0.08, 1), np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    wide, high = min(width, round(np.sqrt(area * ratio))), min(height, round(np.sqrt(area / ratio)))
    left, top = rng.integers(width - wide + 1), rng.integers(height - high + 1)
    part = np.round(image[top : top + high, left : left + wide] * 255).astype(np.uint8)
    square = np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
    return square[:, ::-1] if rng.random() < 0.5 else square


def crop_and_flip(key: jax.Array, images: jax.Array, padding: int = 4) -> jax.Array:
    """A random crop of the padded images, and a random reflection; inside ``jit``."""
    crop_key, flip_key = jax.random.split(key)
    padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    corners = jax.random.randint(crop_key, (len(images), 2), 0, 2 * padding + 1)
    flips = jax.random.bernoulli(flip_key, shape=(len(images),))

    def one(image, corner, flip):
        image = jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), images.shape[1:])
        return jnp.where(flip, image[:, ::-1], image)

    return jax.vmap(one)(padded, corners, flips)
