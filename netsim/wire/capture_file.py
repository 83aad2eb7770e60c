"""Capture files read: opened, inflated if they are gzip, and told apart by their first bytes.

A file that breaks off or makes no sense is refused whole, with the byte where it goes wrong:
half a capture would look like a network that lost packets.
"""

from __future__ import annotations

import gzip
import mmap
import os
import stat
import zlib
from contextlib import suppress
from io import FileIO

import numpy as np

from netsim.errors import CaptureError
from netsim.wire.capture import Bytes, Capture
from netsim.wire.pcap import parse_pcap
from netsim.wire.pcapng import PCAPNG_MAGIC, parse_pcapng

MAX_FILE_BYTES = 2**31
"""What is read at most, after gzip."""

MAP_FROM_BYTES = 16 << 20

_MAGIC_GZIP = bytes.fromhex("1f8b")
_READ_BYTES = 1 << 20


def read_capture(path: str | os.PathLike[str], *, max_bytes: int = MAX_FILE_BYTES) -> Capture:
    """Read a capture file, classic pcap or pcapng, whole.

    Args:
        path: a regular file.
        max_bytes: refuse a file that holds more, after decompression.

    Raises:
        CaptureError: no such file, not a regular file, too large, not a capture, a link layer
            without IP, or a file that breaks off; with the byte offset (of the decompressed
            file).
    """
    name = os.fspath(path)
    return parse_capture(_content(name, max_bytes), name)


def parse_capture(data: Bytes, name: str) -> Capture:
    """The capture in these bytes; `name` is what messages call it. See `read_capture`."""
    return parse_pcapng(data, name) if data[:4] == PCAPNG_MAGIC else parse_pcap(data, name)


def _content(name: str, max_bytes: int) -> Bytes:
    """The file's bytes, decompressed if they are gzip."""
    try:
        # Non-blocking: opening a FIFO nobody writes to would wait for ever.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise CaptureError(name, 0, f"can't be opened: {error.strerror}") from None
    except ValueError:
        raise CaptureError(name, 0, "can't be opened: the name holds a null byte") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise CaptureError(name, 0, "is not a regular file")
    with FileIO(descriptor) as file:
        is_gzip = file.read(2) == _MAGIC_GZIP
        file.seek(0)
        if not is_gzip and status.st_size > max_bytes:
            raise _too_large(name, max_bytes)
        try:
            return _inflated(file, name, max_bytes) if is_gzip else _whole(file, status.st_size)
        except OSError as error:
            raise CaptureError(name, 0, f"can't be read: {error.strerror or error}") from None


def _whole(file: FileIO, size: int) -> Bytes:
    """The file's bytes, as many as it had when it was opened.

    A large file is mapped, not read: its bytes are in the system's memory already, and copying them would take
    longer than finding the packets. NB: whoever truncates it meanwhile ends this process by a signal; writers
    that replace a file (as netsim's) leave the mapped one whole.
    """
    if size >= MAP_FROM_BYTES:
        with suppress(OSError):  # a file system that can't map
            return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    content = np.empty(size, np.uint8)
    read = 0
    while read < size and (n := file.readinto(content[read:].data)):
        read += n
    content.flags.writeable = False
    return content[:read].data


def _inflated(file: FileIO, name: str, max_bytes: int) -> bytes:
    """The decompressed content; reads in pieces, for a small file may inflate to any size."""
    content = bytearray()
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as source:
            while piece := source.read(_READ_BYTES):
                content += piece
                if len(content) > max_bytes:
                    raise _too_large(name, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CaptureError(name, len(content), f"gzip data is damaged: {error}") from None
    return bytes(content)


def _too_large(name: str, max_bytes: int) -> CaptureError:
    return CaptureError(name, max_bytes, f"the capture is larger than {max_bytes} bytes")
