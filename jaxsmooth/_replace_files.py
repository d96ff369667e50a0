"""Files written or replaced as a whole: links followed, modes kept, and never half of one."""

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path


def regular_file(path: str | os.PathLike[str]) -> Path:
    """The file that ``path`` leads to, links followed; it need not exist yet, its folder must.

    Raises:
        ValueError: if something else is there: a folder, a pipe, a device.
        OSError: if there is no such folder, or the file is read-only.
    """
    try:
        mode = os.stat(path).st_mode  # of the path itself: what /dev/stdout leads to has no name of its own
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        raise ValueError(
            f"path must be a regular file or a new one; {os.fspath(path)} is {_kind(mode)}. "
            "Pass the path of a file, and copy it from there"
        )
    file = Path(os.path.realpath(path))
    if not file.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "path must be in a folder that exists; make it first", os.fspath(path))
    if mode is not None and not os.access(file, os.W_OK):
        raise PermissionError(errno.EACCES, "path must be a file that can be written; it is read-only", os.fspath(path))
    return file


def replace_files(contents: Mapping[Path, str | bytes], *, like: Path) -> None:
    """Write the files, in their order; each is complete on the disk before it takes its place.

    Several files belong together: the old last one is out of the way before the first is new, so that they are of one
    writing wherever all of them are, also after a kill.

    Args:
        contents: from file, as of ``regular_file``, to what it is to hold.
        like: the file whose mode and owner new files get if it exists.
    """
    scratch: dict[Path, Path] = {}
    old: dict[Path, Path] = {}
    placed: list[Path] = []
    try:
        for file, content in contents.items():
            model = next((path for path in (file, like) if path.exists()), None)
            scratch[file] = file.with_name(f".{uuid.uuid4().hex}.part")
            parts = [content.encode() if isinstance(content, str) else content]
            _write(scratch[file], parts, None if model is None else model.stat())
        if len(scratch) > 1:
            for file in reversed(scratch):
                aside = file.with_name(f".{uuid.uuid4().hex}.part")
                with contextlib.suppress(FileNotFoundError):
                    os.rename(file, aside)
                    old[file] = aside
        for file, new in scratch.items():
            os.replace(new, file)
            placed.append(file)
    except BaseException:
        for file in scratch:
            if file in placed:
                file.unlink(missing_ok=True)
            if file in old:
                os.rename(old[file], file)
        raise
    finally:
        for new in scratch.values():
            new.unlink(missing_ok=True)
    for aside in old.values():
        aside.unlink(missing_ok=True)
    for folder in {file.parent for file in contents}:
        _sync_folder(folder)


def write_new_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file that must not exist, in parts; it is complete on the disk before it has its name.

    Raises:
        FileExistsError: if it exists.
        OSError: if it cannot be written; nothing stays of it.
    """
    scratch = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        _write(scratch, parts, None)
        try:
            os.link(scratch, path)
        except FileExistsError:
            raise
        except (AttributeError, NotImplementedError, OSError):  # a file system without links
            open(path, "xb").close()
            os.replace(scratch, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        scratch.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write(path: Path, parts: Iterable[bytes], model: os.stat_result | None) -> None:
    """Write a new file down to the disk; it is never readable by more than ``model`` is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if model is None else 0o600)
    with open(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    if model is not None:
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(path, model.st_uid, model.st_gid)
        os.chmod(path, stat.S_IMODE(model.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make the new names survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _kind(mode: int) -> str:
    kinds = {
        "a folder": stat.S_ISDIR,
        "a pipe": stat.S_ISFIFO,
        "a socket": stat.S_ISSOCK,
        "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    }
    return next((name for name, is_kind in kinds.items() if is_kind(mode)), "no file")
