"""Capture files written by hand, field by field, for the reader's tests."""

from __future__ import annotations

import struct


def file_header(
    *, order: str = "<", magic: int = 0xA1B2C3D4, link_type: int = 1, version: tuple[int, int] = (2, 4)
) -> bytes:
    return struct.pack(f"{order}IHHiIII", magic, *version, 0, 0, 65_535, link_type)


def record(frame: bytes, *, order: str = "<", at: tuple[int, int] = (10, 5), length: int | None = None) -> bytes:
    on_wire = len(frame) if length is None else length
    return struct.pack(f"{order}IIII", *at, len(frame), on_wire) + frame


def ethernet(payload: bytes, ethertype: int = 0x0800, *, tags: tuple[int, ...] = ()) -> bytes:
    head = bytes(12)
    for tag in tags:
        head += tag.to_bytes(2, "big") + b"\0\x05"
    return head + ethertype.to_bytes(2, "big") + payload
