"""What ends of hand-made conversations say: what they were told, or what a host wrote."""

from __future__ import annotations

from scapy.layers.inet import IP, TCP, fragment

from netsim.packet.reassembly import KeptFragments
from netsim.packet.streams import Conversation, Streams

CLIENT, SERVER = (0xC0A8000A, 4000), (0x0A01001E, 80)
ENDS = (*SERVER, *CLIENT)
ISN = 0xFFFF_FFF0  # the stream passes 2^32


def segment(sequence: int, flags: str = "A", data: bytes = b"") -> bytes:
    head = IP(src="192.168.0.10", dst="10.1.0.30") / TCP(sport=4000, dport=80, seq=sequence & 0xFFFFFFFF, flags=flags)
    return bytes(head / data)


def streams_of(raws: list[bytes]) -> Streams:
    kept = KeptFragments()
    for number, raw in enumerate(raws):
        kept.add(number, raw)
    return Streams(raws, kept.whole_of)


def test_an_echo_is_what_was_said_wherever_the_segments_were_cut() -> None:
    raws = [segment(ISN, "S"), segment(ISN + 1, "PA", b"hello "), segment(ISN + 7, "PA", b"to all of the world")]
    streams = streams_of(raws)
    assert streams.read(ENDS, 2, 0, 25) == b"hello to all of the world"
    assert streams.read(ENDS, 2, 4, 6) == b"o to a"


def test_order_and_repetition_do_not_matter() -> None:
    first, second = segment(ISN + 1, "A", b"abcd"), segment(ISN + 5, "A", b"efgh")
    raws = [segment(ISN, "S"), second, segment(ISN, "S"), first, second, segment(ISN + 3, "A", b"cdef")]
    assert streams_of(raws).read(ENDS, 5, 0, 8) == b"abcdefgh"


def test_a_new_syn_begins_a_new_stream_and_old_answers_stay() -> None:
    raws = [segment(100, "S"), segment(101, "A", b"old"), segment(9000, "S"), segment(9001, "A", b"new")]
    streams = streams_of(raws)
    assert (streams.read(ENDS, 1, 0, 3), streams.read(ENDS, 3, 0, 3)) == (b"old", b"new")


def test_packets_kept_later_are_taken_in() -> None:
    raws = [segment(ISN, "S")]
    streams = streams_of(raws)
    assert streams.read(ENDS, 0, 0, 2) == b"\0\0"
    raws.append(segment(ISN + 1, "A", b"hi"))
    assert streams.read(ENDS, 1, 0, 2) == b"hi"


def test_a_segment_in_fragments_is_read_whole() -> None:
    long = (
        IP(src="192.168.0.10", dst="10.1.0.30", id=5)
        / TCP(sport=4000, dport=80, seq=1, flags="A")
        / (b"0123456789" * 300)
    )
    raws = [segment(0, "S"), *(bytes(piece) for piece in fragment(long, 1480))]
    assert streams_of(raws).read(ENDS, 3, 2990, 10) == b"0123456789"


def test_what_a_host_wrote_is_its_own() -> None:
    streams = streams_of([segment(100, "S"), segment(101, "A", b"question")])
    streams.write(Conversation(*ENDS, 100), 0, b"ans")
    streams.write(Conversation(*ENDS, 100), 3, b"wer")
    assert streams.read(ENDS, 1, 1, 5) == b"nswer"
    assert streams.read(ENDS, 1, 6, 2) == b"\0\0"


def test_numbers_made_up_and_other_packets_cost_no_memory() -> None:
    raws = [segment(0, "S"), segment(0x7000_0000, "A", b"far"), b"", b"\x45", bytes(IP() / TCP())[:30]]
    streams = streams_of(raws)
    assert streams.read(ENDS, 1, 0x6FFF_FFFF, 3) == b"\0\0\0"
    assert streams.read((1, 2, 3, 4), 0, 0, 4) == bytes(4)
