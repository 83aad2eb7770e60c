from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment

from netsim.dataplane.batch import QUIET
from netsim.dataplane.disposition import Disposition
from netsim.errors import CaptureError, UsageError
from netsim.packet.packed import PackedPackets
from netsim.packet.parse import parse_ip
from netsim.packet.reassembly import reassemble
from netsim.prefix import parse_addr
from netsim.wire.capture import Capture
from netsim.wire.capture_file import parse_capture, read_capture
from netsim.wire.replay import describe_unmapped, hosts_of, plan_replay
from tests.wire.capture_files import ethernet, file_header, record

WEB, DB, CACHE = (parse_addr(text) for text in ("10.0.0.10", "10.1.0.20", "10.1.0.21"))
A, B, C = "192.0.2.1", "198.51.100.2", "203.0.113.3"


def capture_of(*packets: Any, at_ns: list[int] | None = None) -> Capture:
    raw = [bytes(packet) for packet in packets]
    times = np.array(at_ns if at_ns is not None else [1000 * i for i in range(len(raw))], np.int64)
    packed = PackedPackets.of(raw)
    return Capture("a.pcap", 101, times, packed, np.zeros(len(raw), np.bool_))


def request(**fields: Any) -> Any:
    return IP(src=A, dst=B, **fields) / UDP(sport=4000, dport=53) / b"query"


def response(**fields: Any) -> Any:
    return IP(src=B, dst=A, **fields) / UDP(sport=53, dport=4000) / b"answer"


def test_both_directions_are_sent_each_by_the_instance_that_stands_for_its_host() -> None:
    replay = plan_replay(capture_of(request(id=1), response(id=2), request(id=3), at_ns=[500, 600, 900]), WEB, DB)
    forward, back = replay.sides
    assert (forward.captured_addr, forward.addr, back.addr) == (parse_addr(A), WEB, DB)
    assert forward.batch["ident"].tolist() == [1, 3] and back.batch["ident"].tolist() == [2]
    assert forward.batch["at_ns"].tolist() == [0, 400] and back.batch["at_ns"].tolist() == [100]
    assert set(forward.batch["src"]) == {WEB} == set(back.batch["dst"])
    assert set(forward.batch["dst"]) == {DB} == set(back.batch["src"])
    assert (forward.batch["flags"] & QUIET).all()
    assert forward.batch["seq"].tolist() == [0, 1]
    assert forward.payload_bytes.tolist() == [5, 5]
    assert (replay.refused, replay.unmapped, replay.duration_ns) == ({}, 0, 400)


@pytest.mark.parametrize(
    "layers",
    [
        UDP(sport=4000, dport=53) / b"data",
        TCP(sport=4000, dport=80, seq=1, ack=2, options=[("MSS", 1460)]) / b"odd",
        ICMP(id=7, seq=1) / b"ping",
        UDP(sport=1, dport=2, chksum=0) / b"none",
    ],
)
def test_a_rewritten_packet_is_what_scapy_would_have_sent_from_there(layers: Any) -> None:
    (side, _) = plan_replay(capture_of(IP(src=A, dst=B, id=7, ttl=9) / layers), WEB, DB).sides
    assert side.packets[0] == bytes(IP(src="10.0.0.10", dst="10.1.0.20", id=7, ttl=9) / layers)


def test_a_udp_checksum_that_becomes_zero_is_ffff() -> None:
    """RFC 768: over all ports one sums to it."""
    base = bytes(IP(src=A, dst=B) / UDP(sport=0, dport=53))
    wanted = bytes(IP(src="10.0.0.10", dst="10.1.0.20") / UDP(sport=0, dport=53))
    start = int.from_bytes(base[26:28], "big")
    raws = []
    for port in range(65_536):
        # The checksum falls by one (in one's complement) as the port grows by one.
        total = (start - port - 1) % 0xFFFF + 1
        raws.append(base[:20] + port.to_bytes(2, "big") + base[22:26] + total.to_bytes(2, "big"))
    (side, _) = plan_replay(capture_of(*raws), WEB, DB).sides
    sums = side.packets.buffer.reshape(-1, 28)[:, 26:28]
    assert not (sums == 0).all(axis=1).any()
    assert (sums == 0xFF).all(axis=1).any()
    assert side.packets[0][12:28] == wanted[12:28]


def test_a_wrong_transport_checksum_stays_wrong_by_as_much() -> None:
    """Captures from a sending host hold half-made ones; patching keeps what they are."""
    good, bad = request(), IP(bytes(request()))
    bad[UDP].chksum = (good.__class__(bytes(good))[UDP].chksum + 5) & 0xFFFF
    (side, _) = plan_replay(capture_of(good, bad), WEB, DB).sides
    sums = [int.from_bytes(raw[26:28], "big") for raw in side.packets]
    assert (sums[1] - sums[0]) % 0xFFFF == 5


def test_fragments_join_to_a_datagram_with_the_right_checksum() -> None:
    whole = IP(src=A, dst=B, id=5) / UDP(sport=4000, dport=53) / (bytes(range(256)) * 8)
    (side, _) = plan_replay(capture_of(*fragment(whole, fragsize=800)), WEB, DB).sides
    assert len(side.packets) == 3
    expected = IP(src="10.0.0.10", dst="10.1.0.20", id=5) / UDP(sport=4000, dport=53) / (bytes(range(256)) * 8)
    assert reassemble(side.packets) == bytes(expected)
    assert int(side.payload_bytes.sum()) == 2048


def test_an_icmp_error_keeps_what_it_quotes() -> None:
    error = IP(src=B, dst=A) / ICMP(type=3, code=3) / request()
    side = plan_replay(capture_of(request(), error), WEB, DB).sides[1]
    assert side.packets[0][20:] == bytes(error)[20:]


def test_rows_and_bytes_say_the_same() -> None:
    replay = plan_replay(capture_of(request(ttl=9), response(flags="DF"), request(id=9)), WEB, DB)
    for side in replay.sides:
        for i, raw in enumerate(side.packets):
            row, disposition, _ = parse_ip(raw)
            assert disposition is Disposition.IN_FLIGHT
            row["flags"] |= QUIET
            assert {name: side.batch.row(i)[name] for name in row} == row


def test_packets_of_other_hosts_are_counted_or_mapped() -> None:
    third = IP(src=C, dst=A) / UDP(sport=9, dport=9)
    capture = capture_of(request(), third, response())
    assert plan_replay(capture, WEB, DB).unmapped == 1
    assert describe_unmapped(plan_replay(capture, WEB, DB), capture) == "a.pcap: left out 1 packets of other hosts"
    mapping = {parse_addr(C): CACHE, parse_addr(A): WEB, parse_addr(B): DB}
    replay = plan_replay(capture, 0, 0, mapping=mapping)
    assert [side.addr for side in replay.sides] == [CACHE, WEB, DB]
    assert [side.batch["at_ns"].tolist() for side in replay.sides] == [[1000], [0], [2000]]
    assert replay.sides[0].packets[0] == bytes(IP(src="10.1.0.21", dst="10.0.0.10") / UDP(sport=9, dport=9))
    assert replay.unmapped == 0


def test_what_can_t_be_sent_is_counted_by_disposition() -> None:
    bad = bytearray(bytes(request()))
    bad[8] ^= 1
    arp = record(ethernet(bytes(28), 0x0806))
    data = file_header() + arp + b"".join(record(ethernet(bytes(raw))) for raw in (request(), bad, b"\x41", response()))
    capture = parse_capture(data, "a.pcap")
    replay = plan_replay(capture, WEB, DB)
    assert replay.refused == {Disposition.NOT_IPV4: 1, Disposition.MALFORMED: 1, Disposition.BAD_CHECKSUM: 1}
    assert [len(side.packets) for side in replay.sides] == [1, 1]
    assert "1 malformed" in describe_unmapped(replay, capture)


def test_the_first_packet_between_two_hosts_decides_not_multicast_or_loopback() -> None:
    noise = [IP(src=C, dst="224.0.0.251"), IP(src="0.0.0.0", dst="255.255.255.255"), IP(src=C, dst=C)]  # noqa: S104 - DHCP's source
    replay = plan_replay(capture_of(*[packet / UDP() for packet in noise], request()), WEB, DB)
    assert replay.sides[0].captured_addr == parse_addr(A)
    assert (replay.unmapped, replay.sides[0].batch["at_ns"].tolist()) == (3, [0])


@pytest.mark.parametrize(
    ("packets", "text"),
    [
        ([], "holds no IPv4 packet"),
        ([b"junk"], "holds no IPv4 packet"),
        ([IP(src=A, dst=A)], "from one host to another"),
    ],
)
def test_a_capture_with_nothing_to_replay(packets: list[Any], text: str) -> None:
    with pytest.raises(CaptureError, match=text):
        plan_replay(capture_of(*packets), WEB, DB)


def test_times_that_step_back_are_put_in_order() -> None:
    replay = plan_replay(capture_of(request(id=1), request(id=2), request(id=3), at_ns=[70, 50, 60]), WEB, DB)
    assert replay.sides[0].batch["at_ns"].tolist() == [0, 10, 20]
    assert replay.sides[0].batch["ident"].tolist() == [2, 3, 1]
    assert [raw[4:6] for raw in replay.sides[0].packets] == [b"\0\2", b"\0\3", b"\0\1"]


@pytest.mark.parametrize(("scale", "scaled"), [(2, 14), (Fraction(1, 2), 3), (Fraction(1, 3), 2), (0, 0)])
def test_gaps_scale_exactly(scale: Fraction | int, scaled: int) -> None:
    since = 10**18  # beyond what a float holds exactly
    capture = capture_of(request(), request(), request(), at_ns=[since, since + 7, since + 7])
    assert plan_replay(capture, WEB, DB, time_scale=scale).duration_ns == scaled


@pytest.mark.parametrize("scale", [10**12, -1])
def test_a_scale_beyond_packet_time_is_refused(scale: int) -> None:
    with pytest.raises(UsageError, match="time scale"):
        plan_replay(capture_of(request(), request(), at_ns=[0, 10**9]), WEB, DB, time_scale=scale)


def test_packets_cut_by_the_snapshot_length_are_sent_at_full_size() -> None:
    frames = [ethernet(bytes(request())), ethernet(bytes(IP(src=A, dst=B) / TCP() / bytes(900)))]
    data = file_header() + record(frames[0]) + record(frames[1][:46], length=len(frames[1])) + record(frames[0])
    (side, _) = plan_replay(parse_capture(data, "a.pcap"), WEB, DB).sides
    assert side.batch["size_bytes"].tolist() == [33, 940, 33]
    cut = side.packets[1]
    assert len(cut) == 940 and cut[32:] == bytes(908)
    assert side.packets[2] == side.packets[0] == bytes(IP(src="10.0.0.10", dst="10.1.0.20") / request()[UDP])


def test_the_capture_itself_is_left_alone() -> None:
    capture = capture_of(request(), response())
    before = capture.packets.buffer.tobytes()
    plan_replay(capture, WEB, DB)
    assert capture.packets.buffer.tobytes() == before


def test_hosts_of_a_capture_by_what_they_sent() -> None:
    assert list(hosts_of(capture_of(response(), request(), request())).items()) == [(A, 2), (B, 1)]


def test_a_real_tcp_conversation(shared_data: Path) -> None:
    replay = plan_replay(read_capture(shared_data / "pcaps" / "dns_tcp.pcap"), WEB, DB)
    assert sum(len(side.packets) for side in replay.sides) == 11
    for side in replay.sides:
        for raw in side.packets:
            again = IP(raw)
            written = again[TCP].chksum
            del again[TCP].chksum
            assert IP(bytes(again))[TCP].chksum == written
