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

HEAD_BYTES = 40
"""Enough to see where the packet starts behind the longest link layer, and its first byte."""

# Link type -> (where its EtherType is, where the packet starts).
_ETHERTYPE_AT = {ETHERNET: (12, 14), LINUX_SLL: (14, 16), LINUX_SLL2: (0, 20)}


def network_offsets(link_type: int, heads: NDArray[np.uint8], held: Ints) -> Ints:
    """How many bytes of link layer each frame has before its IPv4 packet, -1 if there is none.

    Raw IP frames are 0 whatever they hold: the IP version is the packet's affair.

    Args:
        link_type: one of `LINK_TYPES`.
        heads: uint8[n, HEAD_BYTES or more], the first bytes of each frame, zeros behind those held.
        held: int64[n], the captured bytes of each frame.
    """
    if link_type in _ETHERTYPE_AT:
        return _behind_ethertype(heads, held, *_ETHERTYPE_AT[link_type])
    if link_type in (NULL, LOOP):
        # An address family in the byte order of whoever wrote it; LOOP: big-endian.
        low, high = _word(heads, 0), _word(heads, 2)
        is_ipv4 = ((low == 0) & (high == AF_INET)) | ((low == AF_INET << 8) & (high == 0))
        return np.where(is_ipv4 & (held >= 4), 4, -1)
    return np.zeros(len(heads), np.int64)


def _behind_ethertype(heads: NDArray[np.uint8], held: Ints, at: int, header_bytes: int) -> Ints:
    kind = _word(heads, at)
    is_ipv4 = kind == ETHERTYPE_IPV4
    start = np.where(is_ipv4 & (held >= header_bytes), header_bytes, -1)
    if is_ipv4.all():
        return start
    tagged = np.flatnonzero(np.isin(kind, VLAN_TAGS))
    bound = header_bytes
    for _ in range(MAX_VLAN_TAGS):
        if not len(tagged):
            break
        # A tag is two bytes of VLAN number and the EtherType of what follows.
        kind = _word(heads[tagged], bound + 2)
        bound += 4
        start[tagged] = np.where((kind == ETHERTYPE_IPV4) & (held[tagged] >= bound), bound, -1)
        tagged = tagged[np.isin(kind, VLAN_TAGS)]
    return start


def _word(heads: NDArray[np.uint8], at: int) -> Ints:
    """The big-endian word at `at` of each frame."""
    return heads[:, at].astype(np.int64) << 8 | heads[:, at + 1]
