"""Link layers of captures: where in a frame the IP packet starts.

Numbers: https://www.tcpdump.org/linktypes.html
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NULL, ETHERNET, RAW, LOOP, LINUX_SLL, IPV4, LINUX_SLL2 = 0, 1, 101, 108, 113, 228, 276
LINK_TYPES = {
    NULL: "BSD loopback",
    ETHERNET: "Ethernet",
    12: "raw IP",  # DLT_RAW of most systems, written by old tools in place of 101
    14: "raw IP",  # the same of OpenBSD
    RAW: "raw IP",
    LOOP: "OpenBSD loopback",
    LINUX_SLL: "Linux cooked",
    IPV4: "raw IPv4",
    LINUX_SLL2: "Linux cooked v2",
}
"""Those that are read."""

ETHERTYPE_IPV4 = 0x0800
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)  # 802.1Q, 802.1ad, and what came before it
MAX_VLAN_TAGS = 4
AF_INET = 2

# Link type -> (where its EtherType is, where the packet starts).
_ETHERTYPE_AT = {ETHERNET: (12, 14), LINUX_SLL: (14, 16), LINUX_SLL2: (0, 20)}


def network_offsets(link_type: int, buffer: NDArray[np.uint8], frames: Ints, held: Ints) -> Ints:
    """How many bytes of link layer each frame has before its IPv4 packet, -1 if there is none.

    Raw IP frames are 0 whatever they hold: the IP version is the packet's affair.

    Args:
        link_type: one of `LINK_TYPES`.
        buffer: uint8[m], the file.
        frames: int64[n], where each frame starts.
        held: int64[n], its captured bytes.
    """
    if link_type in _ETHERTYPE_AT:
        return _behind_ethertype(buffer, frames, held, *_ETHERTYPE_AT[link_type])
    if link_type in (NULL, LOOP):
        # An address family in the byte order of whoever wrote it; LOOP: big-endian.
        low, high = _word(buffer, frames, held, 0), _word(buffer, frames, held, 2)
        is_ipv4 = ((low == 0) & (high == AF_INET)) | ((low == AF_INET << 8) & (high == 0))
        return np.where(is_ipv4 & (held >= 4), 4, -1)
    return np.zeros(len(frames), np.int64)


def _behind_ethertype(buffer: NDArray[np.uint8], frames: Ints, held: Ints, at: int, header_bytes: int) -> Ints:
    kind = _word(buffer, frames, held, at)
    start = np.full(len(frames), header_bytes, np.int64)
    for _ in range(MAX_VLAN_TAGS):
        tagged = np.isin(kind, VLAN_TAGS)
        if not tagged.any():
            break
        # A tag is two bytes of VLAN number and the EtherType of what follows.
        kind = np.where(tagged, _word(buffer, frames, held, start + 2), kind)
        start = np.where(tagged, start + 4, start)
    return np.where((kind == ETHERTYPE_IPV4) & (held >= start), start, -1)


def _word(buffer: NDArray[np.uint8], frames: Ints, held: Ints, at: Ints | int) -> Ints:
    """The big-endian word at `at` of each frame, 0 where the frame does not reach that far."""
    if not len(buffer):
        return np.zeros(len(frames), np.int64)
    inside = at + 2 <= held
    where = np.where(inside, frames + at, 0)
    word = buffer[where].astype(np.int64) << 8 | buffer[np.minimum(where + 1, len(buffer) - 1)]
    return np.where(inside, word, 0)
