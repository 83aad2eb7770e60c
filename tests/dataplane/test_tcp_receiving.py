"""What a TCP end says to what arrives: acknowledgments, holes, resets, ICMP errors. The end is the scalar twin's."""

from __future__ import annotations

import pytest

from tests.dataplane.tcp_end import OWN_ISS, PEER_ISS, End
from tests.reference.scalar_segment import (
    ACK,
    CLOSED,
    DELACK,
    DISCARD,
    ESTABLISHED,
    FIN,
    LAST_ACK,
    OWN_WINDOW,
    PSH,
    RST,
    RTO,
    SYN,
    SYN_RCVD,
    SYN_SENT,
    Segment,
    merged,
    reset_for,
    tick,
)

MS, S = 1_000_000, 1_000_000_000


# ------------------------------------------------------------------------------ when an ACK is sent (RFC 5681 4.2)


def test_every_second_segment_is_acknowledged() -> None:
    end = End.acceptor()
    assert [end.acks(k, at=1 + 1000 * k, length=1000) for k in range(4)] == [[], [2001], [], [4001]]


def test_a_single_segment_is_acknowledged_after_40_ms() -> None:
    end = End.acceptor()
    end.arrives(5 * MS, length=1000)
    assert end.wakes(S) == [45 * MS]
    assert [end.acked(s) for s in end.sent] == [1001]


def test_a_hole_is_told_at_once_and_so_is_its_end() -> None:
    end = End.acceptor()
    assert end.acks(1, at=2001, length=1000) == [1]
    assert end.acks(2, at=4001, length=1000) == [1]
    assert end.acks(3, at=1, length=1000) == [1001], "a part of the hole is filled"
    assert end.acks(4, at=1001, length=1000) == [3001]
    assert end.acks(5, at=3001, length=1000) == [5001]
    assert end.acks(6, at=5001, length=1000) == [], "all is in order again: every second one"


def test_what_came_before_is_acknowledged_at_once() -> None:
    end = End.acceptor()
    end.arrives(1, length=1000)
    assert end.acks(2, length=1000) == [1001]
    assert end.tcb.received_bytes == 1000


def test_overlapping_segments_count_once() -> None:
    end = End.acceptor()
    end.arrives(1, at=501, length=1000)
    end.arrives(2, at=1, length=800)
    assert end.tcb.rcv_nxt == 1501 and end.tcb.received_bytes == 1500


def test_a_65th_hole_is_not_remembered() -> None:
    end = End.acceptor()
    for k in range(65):
        assert end.acks(k, at=1001 + 20 * k, length=10) == [1]
    assert len(end.tcb.intervals) == 64
    end.arrives(99, at=1001, length=20)
    assert len(end.tcb.intervals) == 63, "one that joins two needs no room"


def test_out_of_order_fin_waits_for_its_turn() -> None:
    end = End.acceptor()
    assert end.acks(1, at=1001, length=500, flags=FIN | ACK) == [1]
    assert end.tcb.state == ESTABLISHED
    assert end.acks(2, at=1, length=1000) == [1502]
    assert end.tcb.received_bytes == 1500 and end.tcb.state == LAST_ACK


def test_discard_says_goodbye_when_its_peer_does() -> None:
    end = End.acceptor()
    end.arrives(1, length=100, flags=FIN | PSH | ACK)
    assert [(end.at(s), s.flags, end.acked(s)) for s in end.sent] == [(1, FIN | ACK, 102)]
    end.arrives(2, at=102, ack=2)
    assert end.tcb.state == CLOSED and end.tcb.timers == [-1] * 4


def test_timestamp_of_the_segment_that_the_ack_is_about_is_echoed() -> None:
    """RFC 7323 section 4.3: with delayed ACKs the earlier one's, so that the delay is in the sample."""
    end = End.acceptor()
    end.arrives(10 * MS, at=1, length=1000)
    end.arrives(20 * MS, at=1001, length=1000)
    assert [s.ts_echo for s in end.sent] == [tick(10 * MS)]
    end.arrives(30 * MS, at=3001, length=1000)
    assert end.sent[-1].ts_echo == tick(10 * MS), "beyond a hole: the last one in order"


# ------------------------------------------------------------------------------------- handshake and resets


def test_handshake_carries_both_initial_numbers_and_what_the_options_say() -> None:
    end = End(DISCARD)
    end.tcb.listen(Segment(PEER_ISS, 0, SYN, window=65_535, sent_at=3 * MS, mss=536), 4 * MS)
    [answer] = end.sent
    assert (answer.seq, answer.ack, answer.flags) == (OWN_ISS, PEER_ISS + 1, SYN | ACK)
    assert (answer.window, answer.ts_echo, answer.mss) == (65_535, tick(3 * MS), 1012)
    assert end.tcb.state == SYN_RCVD
    end.arrives(9 * MS, echo_of=4 * MS)
    assert end.tcb.state == ESTABLISHED and end.tcb.timers[RTO] == -1
    assert end.tcb.smss == 524 and end.tcb.snd_wnd == 49_152 << 7


def test_repeated_syn_gets_its_answer_again() -> None:
    end = End(DISCARD)
    syn = Segment(PEER_ISS, 0, SYN, window=65_535)
    end.tcb.listen(syn, 0)
    end.tcb.segment_arrives(syn, 900 * MS)
    assert [s.flags for s in end.sent] == [SYN | ACK] * 2
    assert end.tcb.timers[RTO] == 1900 * MS


@pytest.mark.parametrize(
    ("flags", "ack", "answer", "state"),
    [
        (ACK, 5, RST, SYN_SENT),  # RFC 9293 section 3.10.7.3: an acknowledgment of what was never sent
        (SYN | ACK, 0, RST, SYN_SENT),
        (RST | ACK, 5, 0, SYN_SENT),
        (RST | ACK, 1, 0, CLOSED),
        (RST, 1, 0, SYN_SENT),
        (ACK, 1, 0, SYN_SENT),
        (SYN, 0, RST | ACK, SYN_SENT),  # no simultaneous open
        (SYN | ACK, 1, ACK, ESTABLISHED),
    ],
)
def test_what_answers_a_syn(flags: int, ack: int, answer: int, state: str) -> None:
    end = End(DISCARD)
    end.tcb.open(0)
    end.sent.clear()
    end.arrives(1, at=0, ack=ack, flags=flags)
    assert [s.flags for s in end.sent] == [answer] * bool(answer) and end.tcb.state == state


@pytest.mark.parametrize(
    ("at", "is_end"), [(1, True), (2, True), (OWN_WINDOW, True), (OWN_WINDOW + 1, False), (0, False)]
)
def test_a_reset_within_the_window_ends_the_conversation(at: int, is_end: bool) -> None:
    end = End.acceptor()
    assert end.acks(1, at=at, flags=RST, ack=0) == []
    assert (end.tcb.state == CLOSED) == is_end


def test_segments_outside_the_window_are_answered_and_dropped() -> None:
    end = End.opener()
    una = end.tcb.una
    for at in (0, OWN_WINDOW + 1):
        assert end.acks(1, at=at, ack=1001) == [1]
    assert end.tcb.una == una
    assert end.at(end.sent[-1]) == end.tcb.max_nxt


def test_acknowledgment_of_what_was_never_sent_is_answered_and_dropped() -> None:
    end = End.opener()
    assert end.acks(1, ack=10_002, length=100) == [1]
    assert end.tcb.rcv_nxt == 1


def test_syn_in_the_middle_is_challenged() -> None:
    """RFC 5961 section 4."""
    end = End.acceptor()
    assert end.acks(1, at=50, flags=SYN) == [1]
    assert end.tcb.state == ESTABLISHED


def test_segment_without_ack_is_dropped() -> None:
    end = End.acceptor()
    assert end.acks(1, length=10, flags=PSH) == []
    assert end.tcb.rcv_nxt == 1


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (Segment(7, 1000, ACK, length=5), (1000, 0, RST)),
        (Segment(7, 0, SYN), (0, 8, RST | ACK)),
        (Segment(2**32 - 1, 0, FIN | PSH, length=3), (0, 3, RST | ACK)),
    ],
)
def test_closed_port_resets(segment: Segment, expected: tuple[int, int, int]) -> None:
    """RFC 9293 section 3.10.7.1."""
    reset = reset_for(segment, 9)
    assert (reset.seq, reset.ack, reset.flags) == expected
    assert (reset.window, reset.ts_echo, reset.sent_at) == (0, 0, 9)


def test_segment_that_is_sent_takes_the_waiting_acknowledgment_along() -> None:
    end = End.opener(app="fed")
    end.arrives(1, length=300)
    assert end.tcb.timers[DELACK] > 0
    end.tcb.feed(100, 2)
    assert end.acked(end.sent[-1]) == 301 and end.tcb.timers[DELACK] == -1


def test_without_options_nothing_is_scaled_or_timed() -> None:
    """A hand-made peer offers neither."""
    end = End.acceptor(has_options=False)
    assert end.tcb.smss == 1012 and end.tcb.snd_wnd == 49_152 and end.tcb.srtt == -1
    end.arrives(1, at=3, length=1)
    assert (end.sent[-1].window, end.sent[-1].ts_echo) == (65_535, 0)


def test_intervals_that_touch_are_one() -> None:
    assert merged([(5, 7), (1, 3), (3, 4), (6, 9)]) == [(1, 4), (5, 9)]


# --------------------------------------------------------------------------------- the path's MTU (RFC 1191)


def test_smaller_mtu_on_the_path_sends_the_same_bytes_in_smaller_segments() -> None:
    end = End.opener(mss=1460)
    end.sent.clear()
    end.tcb.packet_too_big((end.tcb.iss + 1) % 2**32, 576, 5 * MS)
    assert end.tcb.smss == 576 - 52 and end.tcb.cc.cwnd == 10_000, "no loss: the window stays"
    assert [(end.at(s), s.length) for s in end.sent] == [(1 + 524 * k, 524) for k in range(16)]
    again = len(end.sent)
    end.tcb.packet_too_big((end.tcb.iss + 1001) % 2**32, 576, 6 * MS)
    assert len(end.sent) == again, "the rest of the burst's errors say nothing new"


def test_error_about_what_is_not_out_is_ignored() -> None:
    """Section 5 of RFC 5927: else anybody could shrink the segments."""
    end = End.opener()
    for offset in (0, 10_001, 2**31):
        end.tcb.packet_too_big((end.tcb.iss + offset) % 2**32, 576, 5 * MS)
    assert end.tcb.path_limit == 1500


def test_port_unreachable_ends_an_opener_only() -> None:
    end = End()
    end.tcb.open(0)
    end.tcb.port_unreachable(1)
    assert end.tcb.state == CLOSED
    end = End.opener()
    end.tcb.port_unreachable(1)
    assert end.tcb.state != CLOSED
