"""Values in a NumPy archive, without pickle: arrays, numbers, texts, containers and frozen pytrees."""

import dataclasses
import io
import json
import os
import zipfile
import zlib
from typing import Any

import jax
import numpy as np

from jaxsmooth._pytree import name_of_class, named_class
from jaxsmooth._replace_files import regular_file, replace_files

_INDEX = "index"
# What a damaged archive ends in: also passwords, unknown compressions, and sizes beyond the file.
_DAMAGED = (LookupError, EOFError, TypeError, ValueError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)


def save(path: str | os.PathLike[str], value: Any) -> None:
    """Write a value; the file is replaced in one step."""
    arrays: dict[str, np.ndarray] = {}
    index = json.dumps(_described(value, arrays))
    target, content = regular_file(path), io.BytesIO()
    np.savez_compressed(content, **{_INDEX: np.array(index)}, **arrays)  # pyright: ignore[reportArgumentType]
    replace_files({target: content.getvalue()}, like=target)


def load(path: str | os.PathLike[str]) -> Any:
    """Read a value that ``save`` wrote."""
    with open(path, "rb") as opened:
        content = io.BytesIO(opened.read())
    damaged = f"path must be a file of save; {os.fspath(path)!r} is damaged or something else"
    try:
        with np.load(content, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        index = json.loads(str(arrays[_INDEX]))
    except _DAMAGED as error:  # one array is no context
        raise ValueError(damaged) from error
    try:
        return _restored(index, arrays)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(damaged) from error


def _described(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The value as JSON, its arrays moved to ``arrays``."""
    if value is None or type(value) is bool or type(value) is str:
        return value
    if type(value) in (int, float):
        return {"number": repr(value)}
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return _described_array(np.asarray(value), type(value), arrays)
    if type(value) in (tuple, list):
        return {type(value).__name__: [_described(part, arrays) for part in value]}
    if type(value) is dict and all(isinstance(name, str) for name in value):
        return {"dict": {name: _described(part, arrays) for name, part in value.items()}}
    name = name_of_class(type(value))
    if name is None:
        raise TypeError(
            f"{type(value).__name__} cannot be saved: a file holds arrays, numbers and frozen pytrees of them"
        )
    names = [field.name for field in dataclasses.fields(value) if field.init]  # pyright: ignore[reportArgumentType]
    return {"class": name, "fields": {field: _described(getattr(value, field), arrays) for field in names}}


def _described_array(array: np.ndarray, kind: type, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    on_device = {"jax": True} if issubclass(kind, jax.Array) else {}
    if array.dtype == object:  # texts: kept once each
        texts, code = np.unique(array.astype(str), return_inverse=True)
        return {"texts": texts.tolist(), "code": _described_array(code.reshape(array.shape), np.ndarray, arrays)}
    name = f"array{len(arrays)}"
    arrays[name] = array
    return {"array": name, **on_device}


def _restored(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if "number" in value:
        text = value["number"]
        return int(text) if text.lstrip("-").isdigit() else float(text)
    if "texts" in value:
        return np.array([*value["texts"], None], object)[:-1][_restored(value["code"], arrays)]
    if "array" in value:
        array = arrays[value["array"]]
        return jax.numpy.asarray(array) if value.get("jax") else array
    if "class" in value:
        fields = {name: _restored(part, arrays) for name, part in value["fields"].items()}
        return named_class(value["class"])(**fields)
    ((kind, parts),) = value.items()
    if kind == "dict":
        return {name: _restored(part, arrays) for name, part in parts.items()}
    return {"tuple": tuple, "list": list}[kind](_restored(part, arrays) for part in parts)
