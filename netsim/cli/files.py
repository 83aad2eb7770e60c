"""Files a command writes: they appear whole or not at all, also when Ctrl-C comes in between."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from netsim.errors import UsageError

_NULL_BYTE = "the output file's name holds a null byte"


def write_file(path: str | Path, content: str | bytes) -> None:
    """Write a file (text as UTF-8); an older one stays until the new one is complete.

    What is no regular file (a device, a pipe) is written to as it is.

    Raises:
        UsageError: it can't be written; one line says why.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        # The file a link points to is replaced, not the link.
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise UsageError(f"{path}: can't be written: is a directory")
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as failure:
        raise UsageError(f"{path}: can't be written: {failure.strerror}") from failure
    except ValueError:
        raise UsageError(_NULL_BYTE) from None


def make_folder(path: str | Path) -> Path:
    """The folder, made with those above it if need be.

    Raises:
        UsageError: it can't be made, or is something else.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(f"{path}: can't be made a folder: {failure.strerror}") from failure
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: can't be written: Permission denied")
    return folder


def _replace(target: Path, data: bytes) -> None:
    # In the same folder: a rename is atomic only within one file system.
    partial = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            partial.chmod(stat.S_IMODE(target.stat().st_mode))
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def check_writable(path: str | Path) -> None:
    """Refuse early what `write_file` would refuse at the end.

    Raises:
        UsageError: it can't be written there; one line says why.
    """
    if "\0" in str(path):
        raise UsageError(_NULL_BYTE)
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"{path}: can't be written: is a directory")
    if not target.parent.is_dir():
        raise UsageError(f"{path}: can't be written: there is no folder {target.parent}")
    wanted = target if target.exists() and not target.is_file() else target.parent
    if not os.access(wanted, os.W_OK):
        raise UsageError(f"{path}: can't be written: Permission denied")
