"""torch_state: the tensors of a checkpoint file, by the library whose format it is."""

import logging
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxsmooth import _check

# Under which a training script keeps the weights among other things.
_INSIDE = ("state_dict", "model_state_dict")
_HALF = ("float16", "bfloat16")
_log = logging.getLogger("jaxsmooth")


def torch_state(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint by their names: of PyTorch, safetensors or NumPy.

    Files of PyTorch are read by ``torch.load(path, weights_only=True)``, which runs no code of the file; files that end
    in ``.safetensors`` or ``.npz`` by their libraries. Of a dictionary with a ``"state_dict"``, as training scripts
    write it, that is taken.

    Args:
        path: the file.

    Returns:
        NumPy arrays by name; of half precision as float32.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if PyTorch or safetensors is needed and not installed.
        ValueError: if the file is damaged, or holds objects instead of tensors.
        TypeError: if ``path`` is no path.

    Example:
        >>> import os, tempfile, numpy as np, jaxsmooth as js
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.npz")
        >>> np.savez(path, **{"fc.bias": np.zeros(10, np.float32)})
        >>> js.interop.torch_state(path)["fc.bias"].shape
        (10,)
    """
    file = Path(_check.path("path", path))
    if not file.is_file():
        raise FileNotFoundError(
            f"path must be a checkpoint; {file} is a folder"
            if file.is_dir()
            else f"path must be a checkpoint; there is no file {file}"
        )
    reader = {".npz": _from_numpy, ".safetensors": _from_safetensors}.get(file.suffix, _from_torch)
    state = unwrapped(reader(file))
    if not isinstance(state, Mapping) or not any(hasattr(value, "shape") for value in state.values()):
        raise ValueError(
            f"path must be a checkpoint with the tensors of a network; {file} holds {type(state).__name__}"
        )
    note_half_precision(state, str(file))
    return {str(name): _array(value) for name, value in state.items() if hasattr(value, "shape")}


def unwrapped(checkpoint: Any) -> Any:
    """The tensors that a training script keeps among other things; a checkpoint of tensors alone as it is."""
    for name in _INSIDE:
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(name), Mapping):
            checkpoint = checkpoint[name]
    return checkpoint


def note_half_precision(state: Mapping[str, Any], source: str) -> None:
    """Say in the log that some tensors are not kept as they are."""
    halves = sum(str(getattr(value, "dtype", "")).removeprefix("torch.") in _HALF for value in state.values())
    if halves:
        _log.info("%s: %d tensors of half precision are taken as float32", source, halves)


def _array(value: Any) -> np.ndarray:
    if not hasattr(value, "detach"):
        array = np.asarray(value)
        return array.astype(np.float32) if str(array.dtype) in _HALF else array
    value = value.detach().cpu()
    return (value.float() if value.is_floating_point() else value).numpy()


def _from_numpy(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise _unreadable(file, error) from error


def _from_safetensors(file: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise ImportError(
            'a .safetensors file needs safetensors; install it with: pip install "jaxsmooth[torch]"'
        ) from error
    try:
        return load_file(file)
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise _unreadable(file, error) from error


def _from_torch(file: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f'{file.name} is read by PyTorch; install it with: pip install "jaxsmooth[torch]", or save the weights '
            "with safetensors or numpy.savez where it is installed"
        ) from error
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ValueError:
    # The first sentence; of pickle it may be a number, and what NumPy and PyTorch advise then would run the file.
    said = str(error).strip().partition("\n")[0].partition(". ")[0]
    reason = said if any(map(str.isalpha, said)) else type(error).__name__
    return ValueError(
        f"path must be a checkpoint of tensors; {file} cannot be read: {reason[:200]}. If it holds a whole module, "
        "or other objects, use torch.save(model.state_dict(), path) where it was saved"
    )
