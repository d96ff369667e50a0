"""PyTorch modules as classifiers: on their own device, in their own layout."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth.interop.python_callable import PythonClassifier


def from_torch(module: Any, num_classes: int, *, channels_first: bool = True) -> PythonClassifier:
    """A PyTorch module as a classifier: evaluation mode, no gradients, on the device of its weights.

    The module is put into evaluation mode. Batches of images reach it as channels first, and without a copy where it is
    on the CPU: the strides of the tensor are those that PyTorch knows as ``channels_last``. Like every
    function of ``from_callable`` it is called from inside compiled programs and has no gradient; batches are as large
    as is fastest. ``from_paper`` and ``interop.papers`` turn checkpoints of published networks into JAX instead.

    Args:
        module: a ``torch.nn.Module`` whose ``forward`` takes a batch alone and returns scores.
        num_classes: how many columns the scores have.
        channels_first: images ``(batch, height, width, channels)`` reach the module as ``(batch, channels, height,
            width)``; other inputs as they are.

    Returns:
        A pytree callable ``(batch, *event) -> (batch, num_classes)`` without leaves; float32 scores, the largest
        those of the module in its own precision.

    Raises:
        ImportError: if PyTorch is not installed.
        TypeError: if ``module`` is no module, or ``num_classes`` no integer; on use, if it does not return a tensor.
        ValueError: if ``num_classes`` is below 2; on use, if a part of it is in training mode, or for another shape.

    Example:
        >>> import pytest
        >>> torch = pytest.importorskip("torch")
        >>> import jax.numpy as jnp, jaxsmooth as js
        >>> module = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 6, 10)
        ... )
        >>> js.interop.from_torch(module, 10)(jnp.ones((2, 8, 8, 3))).shape
        (2, 10)
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError('from_torch needs PyTorch; install it with: pip install "jaxsmooth[torch]"') from error
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"module must be a torch.nn.Module; got {type(module).__name__}. For any other function use from_callable"
        )
    num_classes = _check.integer("num_classes", num_classes, at_least=2)
    return PythonClassifier(_TorchFunction(module.eval(), bool(channels_first)), num_classes)


class _TorchFunction:
    """NumPy in, NumPy out."""

    def __init__(self, module: Any, channels_first: bool) -> None:
        self.module, self._channels_first = module, channels_first

    def __call__(self, x: np.ndarray) -> np.ndarray:
        import torch

        training = next((part for part in self.module.modules() if part.training), None)
        if training is not None:
            part = "" if training is self.module else f", or its {type(training).__name__}"
            raise ValueError(
                f"module must be in evaluation mode; it{part} was put into training mode since. Use module.eval()"
            )
        with torch.inference_mode():
            batch = torch.from_numpy(x)
            if self._channels_first and batch.ndim == 4:
                batch = batch.permute(0, 3, 1, 2)
            scores = self.module(batch.to(**self._where))
            if not isinstance(scores, torch.Tensor):
                raise TypeError(f"module must return a tensor of scores; got {type(scores).__name__}")
            # The largest score wins in the precision of the module; NumPy knows nothing of half ones.
            low = scores.is_floating_point() and scores.dtype != torch.float64
            return (scores.float() if low else scores).cpu().numpy()

    @functools.cached_property
    def _where(self) -> dict[str, Any]:
        """Device and type of the first weights."""
        first = next(_floating(self.module), None)
        return {} if first is None else {"device": first.device, "dtype": first.dtype}


def _floating(module: Any) -> Iterator[Any]:
    yield from (tensor for tensor in module.parameters() if tensor.is_floating_point())
    yield from (tensor for tensor in module.buffers() if tensor.is_floating_point())
