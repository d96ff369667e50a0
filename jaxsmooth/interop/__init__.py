"""Models of other libraries as classifiers: a pytree callable ``(batch, *event) -> (batch, classes)``."""

from jaxsmooth.interop.linen import LinenClassifier as LinenClassifier
from jaxsmooth.interop.linen import from_linen as from_linen
from jaxsmooth.interop.nnx import NNXClassifier as NNXClassifier
from jaxsmooth.interop.nnx import from_nnx as from_nnx
from jaxsmooth.interop.python_callable import PythonClassifier as PythonClassifier
from jaxsmooth.interop.python_callable import from_callable as from_callable
