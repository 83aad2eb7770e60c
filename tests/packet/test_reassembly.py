from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.batch import MF
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.parse import parse_ip
from netsim.packet.reassembly import MAX_UNFINISHED, KeptFragments, Reassembler, reassemble
from netsim.packet.render import render

WHOLE = FlowPackets(flow=1, src=0x0A000001, dst=0x0A010002, packet_bytes=3028).packet(1)


def cut(raw: bytes, room: int) -> list[bytes]:
    row = {**parse_ip(raw).row, "flow": 0, "seq": 0, "role": 0}
    body = len(raw) - 20
    return [
        render(
            {**row, "frag_offset": at, "size_bytes": 20 + min(room, body - at), "flags": MF if at + room < body else 0},
            lambda _flow, _seq: raw,
        )
        for at in range(0, body, room)
    ]


@given(st.integers(1, 100).map(lambda units: units * 8), st.randoms(use_true_random=False))
def test_fragments_in_any_order_with_duplicates_are_the_datagram_again(room: int, random: object) -> None:
    pieces = cut(WHOLE, room)
    pieces += pieces[:2]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    assert reassemble(pieces) == WHOLE


def test_scapy_s_fragments_join_too() -> None:
    from scapy.layers.inet import IP, fragment

    assert reassemble(bytes(piece) for piece in fragment(IP(WHOLE), fragsize=512)) == WHOLE


@pytest.mark.parametrize("missing", range(4))
def test_a_missing_piece_leaves_nothing(missing: int) -> None:
    pieces = cut(WHOLE, 800)
    assert len(pieces) == 4
    assert reassemble(pieces[:missing] + pieces[missing + 1 :]) is None


def test_pieces_that_overlap_in_part_or_contradict_spoil_the_datagram() -> None:
    coarse, fine = cut(WHOLE, 800), cut(WHOLE, 400)
    assert reassemble([*coarse, fine[1]]) is None
    altered = bytearray(coarse[1])
    altered[40] ^= 1
    assert reassemble([*coarse, bytes(altered)]) is None


def test_more_than_an_ip_packet_can_hold_is_refused() -> None:
    """The ping of death: a last fragment that ends beyond 65535."""
    largest = FlowPackets(flow=1, src=1, dst=2, packet_bytes=65_535).packet(1)
    pieces = cut(largest, 65_504)
    row = {**parse_ip(pieces[-1]).row, "flow": 0, "seq": 0, "role": 0}
    row["size_bytes"] += 64
    assert reassemble([pieces[0], render(row, lambda _flow, _seq: largest)]) is None
    assert reassemble(pieces) == largest


def test_a_stream_of_mixed_datagrams() -> None:
    other = FlowPackets(flow=2, src=0x0A000001, dst=0x0A010002, packet_bytes=1700).packet(2)
    single = FlowPackets(flow=3, src=1, dst=2, packet_bytes=100).packet(3)
    stream = [*cut(WHOLE, 1000)[:2], *cut(other, 1000), single, cut(WHOLE, 1000)[3], cut(WHOLE, 1000)[2], b"junk"]
    reassembler = Reassembler()
    assert [whole for raw in stream if (whole := reassembler.add(raw)) is not None] == [other, single, WHOLE, b"junk"]
    assert len(reassembler) == 0


def test_unfinished_datagrams_are_bounded() -> None:
    reassembler = Reassembler()
    flow = FlowPackets(flow=1, src=1, dst=2, packet_bytes=2000)
    for seq in np.arange(MAX_UNFINISHED + 50).tolist():
        assert reassembler.add(cut(flow.packet(seq), 1000)[0]) is None
    assert len(reassembler) == MAX_UNFINISHED


def test_kept_fragments_are_told_apart_when_their_identification_comes_round() -> None:
    from scapy.layers.inet import IP, fragment

    kept = KeptFragments()
    wholes = [bytes(IP(src="10.0.0.1", dst="10.0.0.2", id=1) / (fill * 100)) for fill in (b"a", b"b")]
    pieces = [bytes(piece) for whole in wholes for piece in fragment(IP(whole), fragsize=40)]
    for number, piece in enumerate(pieces):
        kept.add(number, piece)
    found = [kept.whole_of(number, piece) for number, piece in enumerate(pieces)]
    assert found == [wholes[0]] * 3 + [wholes[1]] * 3


def test_kept_fragments_without_their_kin_and_other_packets_stay_as_they_are() -> None:
    from scapy.layers.inet import IP, fragment

    kept = KeptFragments()
    whole = bytes(IP(src="10.0.0.1", dst="10.0.0.2", id=1) / (b"a" * 100))
    lonely = bytes(fragment(IP(whole), fragsize=40)[1])
    for number, raw in enumerate((whole, lonely, b"", b"\x45")):
        kept.add(number, raw)
        assert kept.whole_of(number, raw) == raw
