"""A file that appears under its name when it is complete; an interrupted write leaves what was there before."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from netsim.errors import CaptureError


def write_whole(name: str, pieces: Iterable[bytes]) -> None:
    """Write a capture file, piece by piece. A pipe or device is written to directly.

    Raises:
        CaptureError: it can't be written there.
    """
    try:
        if _is_special(name):
            with Path(name).open("wb") as file:
                file.writelines(pieces)
        else:
            _replace(Path(name), pieces)
    except OSError as error:
        raise CaptureError(name, 0, f"can't be written: {error.strerror}") from None


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    # Beside the target, so that the rename stays inside one file system and is atomic.
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        Path(unfinished).replace(path)
    except BaseException:  # an interrupt too: whole or not at all
        Path(unfinished).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _is_special(name: str) -> bool:
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - the same for a str of any kind
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
