"""Data sets as arrays: TFDS in (without TensorFlow), NumPy out."""

from jaxsmooth.datasets.load import load as load
from jaxsmooth.datasets.load import source as source
