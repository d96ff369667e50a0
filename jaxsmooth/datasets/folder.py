"""Where a data set lies on the disk, and what to say when it does not."""

import os
import re
from pathlib import Path

_NAME = re.compile(r"(?P<name>[a-z]\w*)(/(?P<config>[\w.+-]+))?(:(?P<version>\d+\.\d+\.\d+))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_FILES = ("dataset_info.json", "features.json")

_PREPARE = """Prepare it once, where TensorFlow is installed and a network is at hand:
    import tensorflow_datasets as tfds
    tfds.builder({name!r}, data_dir={data_dir!r}, file_format="array_record").download_and_prepare()"""
_MANUAL = {
    "imagenet2012": """
with ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, from image-net.org, in {data_dir}/downloads/manual/.""",
}


def data_folder(data_dir: str | os.PathLike[str] | None) -> Path:
    """``data_dir``, or the default of TFDS: ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    if data_dir is None:
        data_dir = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    if not isinstance(data_dir, str | os.PathLike):
        raise TypeError(f"data_dir must be the path of a folder or None; got {type(data_dir).__name__}")
    return Path(data_dir).expanduser().absolute()


def find(name: str, data_dir: Path) -> Path:
    """The folder of the newest version of a data set, or of the one that the name asks for.

    Args:
        name: ``name``, ``name/config``, ``name:version`` or ``name/config:version``.
        data_dir: the folder that holds the data sets.

    Returns:
        The folder with the files of the data set.

    Raises:
        FileNotFoundError: if it is not there; says what is, and how to prepare the missing one.
        ValueError: if ``name`` is not of this form.
    """
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(f"name must look like 'mnist', 'mnist:3.0.1' or 'cifar10_corrupted/fog_3'; got {name!r}")
    folder = data_dir / match["name"] / (match["config"] or "")
    found = versions(folder)
    if match["version"] is not None:
        found = [version for version in found if version.name == match["version"]]
    if not found:
        raise FileNotFoundError(_absent(name, match["name"], data_dir))
    return found[-1]


def versions(folder: Path) -> list[Path]:
    """The prepared versions in the folder of a data set, oldest first."""
    if not folder.is_dir():
        return []
    prepared = [
        path
        for path in folder.iterdir()
        if _VERSION.fullmatch(path.name) and all((path / file).is_file() for file in _FILES)
    ]
    return sorted(prepared, key=lambda path: tuple(int(part) for part in path.name.split(".")))


def _absent(name: str, base: str, data_dir: Path) -> str:
    prepare = _PREPARE.format(name=name, data_dir=str(data_dir)) + _MANUAL.get(base, "").format(data_dir=data_dir)
    return (
        f"data set {name!r} is not in data_dir {data_dir}, which holds: {', '.join(_names(data_dir)) or 'none'}. "
        f"Its files belong in {data_dir / base}/<version>/, in array_record format. Pass the data_dir that "
        f"holds it, or 'digits', which needs no files.\n{prepare}"
    )


def _names(data_dir: Path) -> list[str]:
    """Every data set in a folder, by the name under which it can be loaded."""
    if not data_dir.is_dir():
        return []
    names = []
    for folder in sorted(path for path in data_dir.iterdir() if path.is_dir()):
        if versions(folder):
            names.extend(f"{folder.name}:{version.name}" for version in versions(folder))
        else:
            names.extend(f"{folder.name}/{path.name}" for path in sorted(folder.iterdir()) if versions(path))
    return names
