"""Models of other libraries as classifiers: a pytree callable ``(batch, *event) -> (batch, classes)``."""

from jaxsmooth.interop import papers as papers
from jaxsmooth.interop.checkpoint_files import torch_state as torch_state
from jaxsmooth.interop.keras_model import KerasClassifier as KerasClassifier
from jaxsmooth.interop.keras_model import from_keras as from_keras
from jaxsmooth.interop.linen import LinenClassifier as LinenClassifier
from jaxsmooth.interop.linen import from_linen as from_linen
from jaxsmooth.interop.nnx import NNXClassifier as NNXClassifier
from jaxsmooth.interop.nnx import from_nnx as from_nnx
from jaxsmooth.interop.papers.find import from_paper as from_paper
from jaxsmooth.interop.python_callable import PythonClassifier as PythonClassifier
from jaxsmooth.interop.python_callable import from_callable as from_callable
from jaxsmooth.interop.pytree_callable import PytreeClassifier as PytreeClassifier
from jaxsmooth.interop.pytree_callable import from_equinox as from_equinox
from jaxsmooth.interop.pytree_callable import from_pytree as from_pytree
from jaxsmooth.interop.randomized import Randomized as Randomized
from jaxsmooth.interop.soft import SoftClassifier as SoftClassifier
from jaxsmooth.interop.torch_module import from_torch as from_torch
