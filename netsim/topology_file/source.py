"""A topology file's bytes, safely: never blocks, never reads without end, and always ends up as UTF-8.

Only regular files are read, up to `MAX_FILE_BYTES`. UTF-8 (with or without a byte order mark) and
UTF-16 with one are accepted, as YAML 1.2 section 5.2 asks of a reader; UTF-32 nobody writes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from netsim.errors import Problem, TopologyError

MAX_FILE_BYTES = 64 * 2**20
"""Four times a file of 200,000 routes."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def whole_file(file_name: str, message: str) -> TopologyError:
    """The error of a file that can't be read at all."""
    return TopologyError(file_name, [Problem(0, 0, "", message)])


def read_source(path: str | Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        TopologyError: missing, not readable, not a regular file, or larger than `MAX_FILE_BYTES`.
    """
    name = str(path)
    try:
        # O_NONBLOCK: opening a pipe nobody writes to must not wait; fstat then tells what was opened.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise whole_file(name, "no such file") from None
    except OSError as error:
        raise whole_file(name, f"can't be opened: {error.strerror}") from None
    except ValueError:
        raise whole_file(name.replace("\0", "\\0"), "is not a file name: it holds a NUL") from None
    status = os.fstat(descriptor)
    # A directory can't even be wrapped in a file object.
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        kind = next((text for test, text in _KINDS if test(status.st_mode)), "something else")
        raise whole_file(name, f"is {kind}, expected a regular file")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > MAX_FILE_BYTES:
            raise _too_large(name, status.st_size)
        try:
            # The size is asked again by reading: files grow, and those of /proc say 0.
            data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise whole_file(name, f"can't be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(name, len(data))
    return data


def _too_large(name: str, size_bytes: int) -> TopologyError:
    return whole_file(name, f"is {size_bytes:,} bytes large, accepted up to {MAX_FILE_BYTES:,}")


def as_utf8(text: str | bytes, file_name: str) -> bytes:
    """The text as UTF-8 without a byte order mark.

    Raises:
        TopologyError: empty, too large, binary, or in an encoding that is not accepted.
    """
    if isinstance(text, str):
        text = text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    if len(text) > MAX_FILE_BYTES:
        raise _too_large(file_name, len(text))
    if text.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise whole_file(file_name, "is in UTF-32, expected UTF-8")
    try:
        if text.startswith((b"\xff\xfe", b"\xfe\xff")):
            return text.decode("utf-16").encode()
        data = text.removeprefix(b"\xef\xbb\xbf")
        data.decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        raise TopologyError(
            file_name,
            [Problem(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"), "", "is not UTF-8 text")],
        ) from None
    if not data.strip():
        raise whole_file(file_name, "is empty, expected a topology (netsim: 1, name: …)")
    return data
