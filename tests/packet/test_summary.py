from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.batch import (
    ACK,
    ERROR,
    MF,
    REPLY,
    SYN,
    pack_error,
    pack_icmp,
    pack_ports,
    pack_tcp,
)
from netsim.packet.l4 import unpack_error, unpack_icmp, unpack_ports, unpack_tcp
from netsim.packet.summary import summary
from netsim.prefix import parse_addr

BYTE, WORD, BIT = st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 1)


@given(WORD, WORD, BYTE, BYTE, BYTE)
def test_unpacking_undoes_packing(a: int, b: int, c: int, d: int, e: int) -> None:
    assert unpack_ports(pack_ports(a, b)) == (a, b)
    assert unpack_tcp(pack_tcp(a, b, c)) == (a, b, c)
    assert unpack_icmp(pack_icmp(c, d, a, b)) == (c, d, a, b)
    error = (c, d, a, e, b, 1, 0, 18)
    assert unpack_error(pack_error(*error)) == error
    assert 0 <= pack_error(255, 255, 65_535, 255, 65_535, 1, 1, 31) < 2**63


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"proto": 1, "l4": pack_icmp(8, 0, 7, 1)}, "ICMP echo request id 7 seq 1"),
        ({"proto": 1, "l4": pack_icmp(0, 0, 7, 1), "role": REPLY}, "ICMP echo reply id 7 seq 1"),
        ({"proto": 1, "l4": pack_icmp(42, 0)}, "ICMP type 42 code 0"),
        ({"proto": 1, "l4": pack_error(11, 0, 0, 1, 84, 0), "role": ERROR}, "ICMP time to live exceeded"),
        ({"proto": 1, "l4": pack_error(3, 4, 1400, 1, 84, 0), "role": ERROR}, "ICMP fragmentation needed mtu 1400"),
        ({"proto": 1, "l4": pack_error(3, 0, 0, 1, 84, 0), "role": 3}, "ICMP net unreachable about a reply"),
        ({"proto": 17, "l4": pack_ports(4000, 53)}, "UDP 4000 > 53"),
        ({"proto": 6, "l4": pack_tcp(80, 4000, SYN | ACK)}, "TCP 80 > 4000 SYN|ACK"),
        ({"proto": 6, "l4": pack_tcp(80, 4000, 0)}, "TCP 80 > 4000 no flags"),
        ({"proto": 47, "l4": 0}, "protocol 47"),
    ],
)
def test_a_packet_in_one_line(columns: dict[str, int], text: str) -> None:
    row = {"src": parse_addr("10.0.0.1"), "dst": parse_addr("10.1.0.2"), "ttl": 63, "size_bytes": 84}
    row |= {"frag_offset": 0, "flags": 0, "ident": 5}
    assert summary(row | columns) == f"10.0.0.1 > 10.1.0.2: {text}, ttl 63, 84 bytes"


def test_a_fragment_says_where_it_belongs() -> None:
    row = {"src": 1, "dst": 2, "ttl": 63, "size_bytes": 1500, "ident": 5, "proto": 17, "l4": 0, "frag_offset": 1480}
    assert summary(row | {"flags": MF}).endswith("UDP, ttl 63, 1500 bytes (fragment of 5 at 1480, more to come)")
