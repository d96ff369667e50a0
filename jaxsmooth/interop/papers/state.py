"""The tensors of a checkpoint by their names, and whether they are those of a network."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from jaxsmooth.interop.checkpoint_files import note_half_precision, unwrapped

Shapes = dict[str, tuple[int, ...]]
_SHOWN = 5
_COUNTER = "num_batches_tracked"


def tensors(state: Any) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint as float32 NumPy arrays, without the marks of DataParallel and counters of batches.

    Args:
        state: a mapping of names to arrays or tensors, or one that holds it as ``"state_dict"``.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"state must be a mapping of names to arrays, such as torch.load(path, weights_only=True) or "
            f"jaxsmooth.interop.torch_state(path); got {type(state).__name__}"
        )
    state = unwrapped(state)
    note_half_precision(state, "state")
    found: dict[str, np.ndarray] = {}
    for name, value in state.items():
        plain = ".".join(part for part in str(name).split(".") if part != "module")
        if not plain.endswith(_COUNTER):
            found[plain] = _array(name, value)
    if not found:
        raise ValueError("state must hold the tensors of a network; got none")
    return found


def _array(name: str, value: Any) -> np.ndarray:
    """One tensor; of half precision, which NumPy may not know, as float32."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float()
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" and not np.can_cast(array.dtype, np.float32):
            raise TypeError
        return np.asarray(array, np.float32)
    except (TypeError, ValueError):
        raise TypeError(
            f"state must map names to arrays; {name!r} is a {type(value).__name__}. Pass the state_dict alone"
        ) from None


def below(found: Mapping[str, np.ndarray], anchor: str) -> dict[str, np.ndarray]:
    """The tensors below the prefix in front of which the name ``anchor`` is found first, without the prefix."""
    places = [name for name in found if name == anchor or name.endswith("." + anchor)]
    prefix = min(places, key=len)[: -len(anchor)] if places else ""
    return {name[len(prefix) :]: value for name, value in found.items() if name.startswith(prefix)} if prefix else {
        **found
    }  # fmt: skip


def misfit(found: Mapping[str, np.ndarray], wanted: Shapes) -> int:
    """How many names and shapes differ."""
    return sum(found[name].shape != shape if name in found else 1 for name, shape in wanted.items()) + len(
        found.keys() - wanted.keys()
    )


def check(found: Mapping[str, np.ndarray], wanted: Shapes, whose: str, remedy: Callable[[], str]) -> None:
    """Refuse tensors that are not exactly those of a network; the message shows five of each kind.

    Args:
        found: the tensors.
        wanted: what they should be.
        whose: the network, in words.
        remedy: what to do, asked for if they do not fit.
    """
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    misshapen = [
        f"{name} {found[name].shape}, not {shape}"
        for name, shape in wanted.items()
        if name in found and found[name].shape != shape
    ]
    faults = [("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen)]
    if any(names for _, names in faults):
        words = "; ".join(f"{len(names)} {fault}: {shown(names)}" for fault, names in faults if names)
        raise ValueError(f"state must hold the tensors of {whose}; {words}. {remedy()}")


def shown(names: Iterable[str]) -> str:
    """The first five of them."""
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def classes_of(found: Mapping[str, np.ndarray], head: str) -> int:
    """The number of classes, from the shape of the last layer."""
    name = f"{head}.bias"
    return found[name].shape[0] if name in found and found[name].ndim == 1 else 10


def without_counters(shapes: Shapes) -> Shapes:
    """What of a PyTorch state is used."""
    return {name: shape for name, shape in shapes.items() if not name.endswith(_COUNTER)}


def batch_norm_shapes(name: str, channels: int) -> Shapes:
    """The tensors of a batch normalisation, in the order of PyTorch."""
    per_channel = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (channels,) for part in per_channel}, f"{name}.{_COUNTER}": ()}
