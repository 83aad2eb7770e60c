"""pcapng files written by hand, block by block, for the reader's tests."""

from __future__ import annotations

import struct


class Blocks:
    """Writes blocks of one byte order, whatever they hold."""

    def __init__(self, order: str = "<") -> None:
        self.order = order

    def pack(self, layout: str, *values: int) -> bytes:
        return struct.pack(self.order + layout, *values)

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = self.pack("I", 12 + len(body))
        return self.pack("I", kind) + length + body + length

    def option(self, code: int, value: bytes) -> bytes:
        return self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self, options: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, *version, -1) + options)

    def interface(
        self,
        link_type: int = 101,
        *,
        snapshot: int = 0,
        resolution: int | None = None,
        offset_s: int | None = None,
        options: bytes = b"",
    ) -> bytes:
        if resolution is not None:
            options += self.option(9, bytes([resolution]))
        if offset_s is not None:
            options += self.option(14, self.pack("q", offset_s))
        return self.block(1, self.pack("HHI", link_type, 0, snapshot) + options)

    def enhanced(
        self, frame: bytes, ticks: int = 0, *, interface: int = 0, length: int | None = None, options: bytes = b""
    ) -> bytes:
        on_wire = len(frame) if length is None else length
        head = self.pack("IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), on_wire)
        return self.block(6, head + frame + bytes(-len(frame) % 4) + options)

    def old(self, frame: bytes, ticks: int = 0, *, interface: int = 0, drops: int = 9) -> bytes:
        head = self.pack("HHIIII", interface, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        return self.block(2, head + frame)

    def simple(self, frame: bytes, length: int | None = None) -> bytes:
        return self.block(3, self.pack("I", len(frame) if length is None else length) + frame)
