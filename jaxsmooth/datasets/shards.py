"""The files of a data set that hold its records: which one is damaged, and what to do then."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# In one read of one file: enough to be quick, few enough for the memory.
_BLOCK = 256


def check(name: str, builder: Any, split: str) -> None:
    """Refuse files of a split that cannot be opened, or hold another number of records than described."""
    for part in builder.info.splits[split].file_instructions:
        with _opened(name, part) as reader:
            held = reader.num_records()
        if held != part.examples_in_shard:
            raise _error(
                name, part.filename, f"it holds {held} records, and dataset_info.json says {part.examples_in_shard}"
            )


@contextlib.contextmanager
def damage_named(name: str, builder: Any, split: str) -> Iterator[None]:
    """Turn the reader's error, which names no file, into one that does."""
    try:
        yield
    except RuntimeError as error:
        check(name, builder, split)
        for part in builder.info.splits[split].file_instructions:
            _read_through(name, part)
        raise _error(name, builder.data_dir, str(error)) from error


def damaged_image(name: str, builder: Any, split: str, record: int, error: Exception) -> ValueError:
    """The error for a record that can be read but is no image of this data set."""
    first = record
    for part in builder.info.splits[split].file_instructions:
        if record < part.take:
            return _error(name, part.filename, f"record {part.skip + record}, image {first} of {split!r}: {error}")
        record -= part.take
    return _error(name, builder.data_dir, f"image {first} of {split!r}: {error}")


def damaged_description(name: str, folder: Path, error: Exception) -> ValueError:
    """The error for a data set whose JSON files cannot be read; names the one that is no JSON."""
    for file in (folder / "dataset_info.json", folder / "features.json"):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            return _error(name, str(file), str(problem))
    return _error(name, str(folder / "dataset_info.json"), f"or features.json: {error}")


@contextlib.contextmanager
def _opened(name: str, part: Any) -> Iterator[Any]:
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        reader = ArrayRecordReader(part.filename)
        try:
            yield reader
        finally:
            reader.close()  # where a file that could not be opened says so
    except RuntimeError as error:
        raise _error(name, part.filename, str(error)) from error


def _read_through(name: str, part: Any) -> None:
    with _opened(name, part) as reader:
        for start in range(0, reader.num_records(), _BLOCK):
            reader.read(start, min(start + _BLOCK, reader.num_records()))


def _error(name: str, file: str, why: str) -> ValueError:
    if not Path(file).exists():
        why = "it is missing"
    remedy = f"delete {Path(file).parent} and "
    if name.partition(":")[0] == "digits":
        remedy += "load it again: it is written anew"
    else:
        remedy = f"copy the file again from where it came, or {remedy}prepare the data set again"
    return ValueError(f"data set {name!r} is damaged: {file}: {why}; {remedy}")
