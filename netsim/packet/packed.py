"""PackedPackets: n raw IP packets in one buffer, the byte side of a `PacketBatch`.

Captures are read into it, frames are built in it, captures are written from it. A packet may
be held in part (a capture cut by its snapshot length): `captured` bytes are in the buffer, the
rest up to `length` reads as zeros. A negative length marks a frame that carries no IPv4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


class PackedPackets:
    """n packets as `buffer[offsets[i] : offsets[i] + captured[i]]`, zero-padded to `lengths[i]`.

    Attributes:
        buffer: uint8[m], shared, never copied here.
        offsets: int64[n], where each packet's IP header starts.
        captured: int64[n], bytes in the buffer, 0 <= captured; all inside it.
        lengths: int64[n], bytes on the wire, >= captured; -1 for a frame without IPv4.
    """

    __slots__ = ("buffer", "captured", "lengths", "offsets")

    def __init__(
        self,
        buffer: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        captured: NDArray[np.int64],
        lengths: NDArray[np.int64] | None = None,
    ) -> None:
        self.buffer = buffer
        self.offsets = offsets
        self.captured = captured
        self.lengths = captured if lengths is None else lengths

    @classmethod
    def of(cls, packets: Sequence[bytes]) -> PackedPackets:
        """The packets one behind the other."""
        lengths = np.fromiter((len(packet) for packet in packets), np.int64, len(packets))
        offsets = np.cumsum(lengths) - lengths
        return cls(np.frombuffer(b"".join(packets), np.uint8), offsets, lengths)

    @classmethod
    def joined(cls, pieces: Sequence[PackedPackets]) -> PackedPackets:
        """The packets of all pieces, in a buffer of their own."""
        ends = np.cumsum([0, *(len(piece.buffer) for piece in pieces)])
        return cls(
            np.concatenate([piece.buffer for piece in pieces]),
            np.concatenate([piece.offsets + end for piece, end in zip(pieces, ends[:-1], strict=True)]),
            np.concatenate([piece.captured for piece in pieces]),
            np.concatenate([piece.lengths for piece in pieces]),
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, i: int) -> bytes:
        """Packet i, zero-padded to its length; empty for a frame without IPv4."""
        if self.lengths[i] < 0:
            return b""
        start = int(self.offsets[i])
        held = self.buffer[start : start + int(self.captured[i])].tobytes()
        return held.ljust(int(self.lengths[i]), b"\0")

    def __iter__(self) -> Iterator[bytes]:
        return (self[i] for i in range(len(self)))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> PackedPackets:
        """The packets at these rows (an index array or mask); the buffer is shared."""
        return PackedPackets(self.buffer, self.offsets[rows], self.captured[rows], self.lengths[rows])


def stretches(buffer: NDArray[np.uint8], starts: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """The `size` bytes from each start, copied side by side: uint8[n, size].

    Every stretch lies inside the buffer. One gather of n items of `size` bytes: some twenty
    times as fast as one of n * size single bytes.
    """
    if not len(starts) or not size:
        return np.zeros((len(starts), size), np.uint8)
    held = np.ascontiguousarray(buffer)
    # All stretches there are, overlapping; those wanted are then picked whole.
    every = np.ndarray((len(held) - size + 1,), f"V{size}", held, strides=(1,))
    return every[starts].view(np.uint8).reshape(len(starts), size)


def heads(buffer: NDArray[np.uint8], starts: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """The first `size` bytes from each start: uint8[n, size].

    Unlike a stretch, a head may reach beyond the buffer, whose end no start passes: zeros are there.
    """
    late = starts + size > len(buffer)
    if not late.any():
        return stretches(buffer, starts, size)
    base = max(0, len(buffer) - size)
    end = np.append(buffer[base:], np.zeros(size, np.uint8))
    found = np.empty((len(starts), size), np.uint8)
    found[late] = stretches(end, starts[late] - base, size)
    found[~late] = stretches(buffer, starts[~late], size)
    return found


def only_held(first_bytes: NDArray[np.uint8], held: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Heads with zeros behind the bytes `held` of each; changed in place."""
    size = first_bytes.shape[1]
    short = np.flatnonzero(held < size)
    if len(short):
        masks = np.tri(size, size, -1, np.uint8) * np.uint8(0xFF)  # row k keeps k bytes
        first_bytes[short] &= masks[held[short]]
    return first_bytes
