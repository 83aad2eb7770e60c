"""What a TCP end sends and when, in numbers computed by hand from the RFCs. The end is the scalar twin's."""

from __future__ import annotations

import pytest

from tests.dataplane.tcp_end import TICK_NS, End
from tests.reference.scalar_reno import MOST, ScalarReno
from tests.reference.scalar_segment import (
    ACK,
    BURST,
    CLOSED,
    DISCARD,
    ECHO,
    FED,
    FIN,
    FIN_WAIT_2,
    LAST_ACK,
    PSH,
    RST,
    RTO,
    SYN,
    SYN_SENT,
    TIME_WAIT,
)

MS, S = 1_000_000, 1_000_000_000
HUNDRED_MS = 100_000 * TICK_NS
"""102.4 ms: whole ticks of the timestamps clock."""


def segments(first: int, n: int) -> list[tuple[int, int]]:
    """n full segments from the segment numbered `first` (0: the first byte)."""
    return [(1 + 1000 * k, 1000) for k in range(first, first + n)]


# ---------------------------------------------------------------------------------- the timer (RFC 6298)


def test_first_sample_sets_the_timeout_to_three_times_the_round_trip() -> None:
    """Section 2.2: SRTT = R, RTTVAR = R/2, RTO = R + 4 R/2."""
    end = End.opener()
    end.tcb.srtt = -1
    end.arrives(HUNDRED_MS, ack=1001, echo_of=0)
    assert (end.tcb.srtt, end.tcb.rttvar, end.tcb.rto) == (102_400_000, 51_200_000, 307_200_000)


def test_second_sample_weighs_an_eighth_and_a_quarter() -> None:
    """Section 2.3 with R' = 2R: SRTT 9/8 R, RTTVAR (3/4 * 1/2 + 1/4) R = 5/8 R, RTO 9/8 + 20/8 = 29/8 R."""
    end = End.opener()
    end.tcb.srtt = -1
    end.arrives(HUNDRED_MS, ack=1001, echo_of=0)
    end.arrives(2 * HUNDRED_MS, ack=2001, echo_of=0)
    assert (end.tcb.srtt, end.tcb.rttvar, end.tcb.rto) == (115_200_000, 64_000_000, 371_200_000)


def test_timeout_is_never_below_200_ms_nor_above_60_s() -> None:
    end = End.opener()
    end.tcb.srtt = -1
    end.arrives(TICK_NS, ack=1001, echo_of=0)
    assert end.tcb.rto == 200 * MS
    end.tcb.srtt = -1
    end.arrives(90 * S, ack=2001, echo_of=0)
    assert end.tcb.rto == 60 * S


def test_lost_syn_is_repeated_six_times_after_1_2_4_s_and_so_on() -> None:
    end = End()
    end.tcb.open(0)
    assert end.wakes(10**12) == [1 * S, 3 * S, 7 * S, 15 * S, 31 * S, 63 * S, 123 * S]
    assert len(end.sent) == 7 and end.tcb.state == CLOSED
    assert {(end.at(syn), syn.flags, syn.window) for syn in end.sent} == {(0, SYN, 65_535)}


def test_window_after_a_lost_syn_is_one_segment() -> None:
    """RFC 5681 section 3.1."""
    end = End()
    end.tcb.open(0)
    end.wakes(S)
    assert end.arrives(S + 20 * MS, flags=SYN | ACK, at=0, ack=1, mss=1012) == segments(0, 1)


def test_lost_syn_ack_is_repeated_five_times() -> None:
    end = End(DISCARD)
    other = End()
    other.tcb.open(0)
    end.tcb.listen(other.sent[0], 0)
    assert end.wakes(10**12) == [1 * S, 3 * S, 7 * S, 15 * S, 31 * S, 63 * S]
    assert len(end.sent) == 6 and end.tcb.state == CLOSED


def test_silent_peer_is_given_up_after_15_timeouts() -> None:
    """200 ms doubling up to 60 s."""
    end = End.opener()
    fired = end.wakes(10**13)
    waits = [b - a for a, b in zip([0, *fired], fired, strict=False)]
    assert waits == [min(200 * MS << k, 60 * S) for k in range(16)]
    assert end.sent[-1].flags == RST | ACK and end.at(end.sent[-1]) == 10_001
    assert end.tcb.state == CLOSED and end.tcb.n_timeouts == 15


def test_timeout_halves_what_was_out_and_starts_anew_at_the_oldest() -> None:
    """RFC 5681 section 3.1: ten segments out, ssthresh 5, window 1; then it is slow start again."""
    end = End.opener()
    end.sent.clear()
    end.wakes(200 * MS)
    assert [(end.at(s), s.length) for s in end.sent] == segments(0, 1)
    assert (end.tcb.cc.cwnd, end.tcb.cc.ssthresh, end.tcb.rto) == (1000, 5000, 400 * MS)
    assert end.tcb.timers[RTO] == 600 * MS
    assert end.arrives(210 * MS, ack=1001, echo_of=200 * MS) == segments(1, 2)
    assert end.tcb.cc.cwnd == 2000 and end.tcb.rto < 400 * MS, "a sample ends the backoff"
    assert end.tcb.n_retransmits == 3


def test_second_timeout_in_a_row_leaves_the_threshold() -> None:
    """RFC 5681 equation 4 is for the first; else one segment out would halve it to nothing."""
    end = End.opener()
    end.wakes(700 * MS)
    assert end.tcb.n_timeouts == 2 and end.tcb.cc.ssthresh == 5000


def test_jump_ahead_after_a_timeout_skips_what_the_peer_had() -> None:
    end = End.opener()
    end.wakes(200 * MS)
    assert end.arrives(210 * MS, ack=9001, echo_of=200 * MS) == segments(9, 3), (
        "two segments at most are added to the one"
    )


# ------------------------------------------------------------------------------ the window (RFC 5681, 3465)


@pytest.mark.parametrize(("smss", "first"), [(1448, 14_480), (536, 5360), (2000, 14_600), (8948, 17_896)])
def test_first_window_is_ten_segments_within_limits(smss: int, first: int) -> None:
    """RFC 6928 section 2."""
    assert ScalarReno(smss).cwnd == first


def test_slow_start_grows_by_what_was_acknowledged_but_two_segments_at_most() -> None:
    end = End.opener()
    assert [(end.at(s), s.length) for s in end.sent] == segments(0, 10)
    assert end.arrives(20 * MS, ack=1001) == segments(10, 2)
    assert end.arrives(21 * MS, ack=3001) == segments(12, 4)
    assert end.arrives(22 * MS, ack=7001) == segments(16, 6)  # four acknowledged, two more let go
    assert end.tcb.cc.cwnd == 15_000


def test_window_that_is_not_used_does_not_grow() -> None:
    """RFC 7661's concern, as RFC 9406 asks: two segments a time never fill half of ten."""
    end = End.opener(app=FED)
    for k in range(5):
        end.tcb.feed(2000, k * 50 * MS)
        end.arrives(k * 50 * MS + 20 * MS, ack=2001 + 2000 * k)
    assert end.tcb.cc.cwnd == 10_000


def test_congestion_avoidance_adds_a_segment_for_each_window_acknowledged() -> None:
    cc = ScalarReno(1000)
    cc.ssthresh = 5000
    for k in range(10):
        assert cc.cwnd == 10_000, k
        cc.on_ack(1000, 10_000, 0, 0, -1)
    assert cc.cwnd == 11_000 and cc.bytes_acked == 0
    for _ in range(20):
        cc.on_ack(1000, 8000, 0, 0, -1)
    assert cc.cwnd == 11_000, "three segments short of full: nobody uses it"


def test_three_duplicates_bring_fast_retransmit_and_recovery() -> None:
    """RFC 3042 for the first two, RFC 5681 section 3.2 from the third on; 12 segments are out by then."""
    end = End.opener()
    assert end.arrives(20 * MS) == segments(10, 1)
    assert end.arrives(21 * MS) == segments(11, 1)
    assert end.arrives(22 * MS) == segments(0, 1)
    assert (end.tcb.cc.ssthresh, end.tcb.cc.cwnd) == (6000, 9000)
    assert end.tcb.timers[RTO] == 222 * MS
    for k in range(3):
        assert end.arrives((23 + k) * MS) == [], "9, 10, 11, 12 segments are allowed, 12 are out"
    assert end.arrives(26 * MS) == segments(12, 1)
    # The full acknowledgment deflates the window to what is out and one, at most ssthresh: RFC 6582 section 3.2 step 3.
    assert end.arrives(27 * MS, ack=12_001) == segments(13, 1)
    assert end.tcb.cc.cwnd == 2000 and not end.tcb.is_in_recovery
    assert end.tcb.n_fast_recoveries == 1 and end.tcb.n_retransmits == 1


def test_partial_acknowledgment_repairs_the_next_hole_at_once() -> None:
    """RFC 6582 section 3.2 step 3: two of ten are lost, the first and the fifth."""
    end = End.opener()
    for k in range(8):
        end.arrives((20 + k) * MS)
    assert end.tcb.cc.cwnd == 6000 + 3000 + 5 * 1000
    # 14 are allowed and out (two by limited transmit, two by inflation); four are acknowledged, so 14 - 4 + 1.
    assert end.arrives(40 * MS, ack=4001) == [*segments(4, 1), *segments(14, 1)]
    assert end.tcb.cc.cwnd == 11_000 and end.tcb.timers[RTO] == 240 * MS
    end.arrives(50 * MS, ack=5001)
    assert end.tcb.timers[RTO] == 240 * MS, "only the first partial acknowledgment restarts the timer"
    end.arrives(60 * MS, ack=12_001)
    assert end.tcb.cc.cwnd == 5000, "16 were out, 12 are acknowledged: four and one"


def test_duplicates_after_a_timeout_start_no_second_recovery() -> None:
    """RFC 6582 section 4: what was sent before the timeout comes back as duplicates."""
    end = End.opener()
    end.wakes(200 * MS)
    for k in range(5):
        assert end.arrives((210 + k) * MS) == []
    assert end.tcb.n_fast_recoveries == 0 and end.tcb.cc.cwnd == 1000


@pytest.mark.parametrize("fields", [{"length": 100}, {"window": 40_000}, {"flags": ACK | FIN}])
def test_what_carries_something_is_no_duplicate(fields: dict[str, int]) -> None:
    """RFC 5681 section 2."""
    end = End.opener()
    end.arrives(20 * MS, **fields)
    assert end.tcb.dupacks == 0


def in_blocks(cc: ScalarReno, rtts_ms: list[float], una: int = 0, max_nxt: int = 10**6) -> None:
    for rtt_ms in rtts_ms:
        cc.on_ack(1000, cc.cwnd, una, max_nxt, round(rtt_ms * MS))


def test_slow_start_slows_down_when_the_round_trip_grows() -> None:
    """20 ms is the least; five samples of 24 ms and more are 4 ms above: a quarter of the growth from then on."""
    cc = ScalarReno(1000)
    in_blocks(cc, [20, 30, 30, 30, 30, 23.9, 30, 30, 30, 30])
    assert (cc.cwnd, cc.css_round) == (20_000, 0)
    in_blocks(cc, [24, 25, 26, 27, 28])
    assert (cc.cwnd, cc.css_round) == (25_000, 1)
    in_blocks(cc, [24])
    assert cc.cwnd == 25_250


def test_slow_start_ends_if_a_round_later_the_round_trip_is_still_long() -> None:
    cc = ScalarReno(1000)
    in_blocks(cc, [20, *[25] * 9])
    assert cc.css_round == 1
    in_blocks(cc, [25] * 5)
    assert cc.ssthresh == MOST, "within the round the window has had no time to show"
    in_blocks(cc, [25] * 5, una=10**6, max_nxt=2 * 10**6)
    assert cc.ssthresh == cc.cwnd < MOST


def test_slow_start_ends_after_five_slow_rounds() -> None:
    cc = ScalarReno(1000)
    in_blocks(cc, [20, *[25] * 9])
    for k in range(1, 6):
        assert cc.ssthresh == MOST, k
        in_blocks(cc, [20], una=k * 10**6, max_nxt=(k + 1) * 10**6)
    assert cc.ssthresh == cc.cwnd


def test_long_paths_may_vary_by_16_ms_at_most() -> None:
    cc = ScalarReno(1000)
    in_blocks(cc, [400, *[415.9] * 9])
    assert cc.css_round == 0
    in_blocks(cc, [416] * 5)
    assert cc.css_round == 1


# ------------------------------------------------------------------------------------- what goes, and when


def test_only_full_segments_go_unless_that_is_all_there_is() -> None:
    end = End.opener(app=FED)
    end.tcb.feed(2500, 0)
    assert [(end.at(s), s.length, s.flags) for s in end.sent[1:]] == [
        (1, 1000, ACK), (1001, 1000, ACK), (2001, 500, ACK | PSH)
    ]  # fmt: skip


def test_window_smaller_than_a_segment_is_used_when_nothing_is_out() -> None:
    """RFC 9293 section 3.8.6.2.1 asks senders to avoid silly windows, but not to stop for ever."""
    end = End.opener(app=FED)
    end.arrives(1, window=5)  # 640 bytes, scaled
    end.tcb.feed(1000, 2)
    assert [(end.at(s), s.length) for s in end.sent[1:]] == [(1, 640)]


def test_no_more_than_16_segments_go_at_once() -> None:
    end = End.opener()
    end.sent.clear()
    end.tcb.cc.cwnd = 50_000
    end.arrives(20 * MS, ack=10_001)
    assert len(end.sent) == 16 and end.tcb.timers[BURST] == 20 * MS
    assert end.wakes(20 * MS) == [20 * MS] * 3
    assert len(end.sent) == (52_000 if end.tcb.cc.cwnd == 52_000 else 50_000) // 1000


def test_closing_sends_all_that_waits_and_then_the_fin() -> None:
    end = End.opener(app=FED)
    end.tcb.feed(12_500, 0)
    end.tcb.close(0)
    end.sent.clear()
    assert end.arrives(20 * MS, ack=10_001) == [(10_001, 1000), (11_001, 1000), (12_001, 500)]
    assert end.sent[-1].flags == FIN | PSH | ACK
    end.arrives(40 * MS, ack=12_502)
    assert end.tcb.state == FIN_WAIT_2
    assert end.acks(60 * MS, flags=FIN | ACK, ack=12_502) == [2]
    assert end.tcb.state == TIME_WAIT
    assert end.acks(61 * MS, flags=FIN | ACK, ack=12_502) == [2], "the peer repeats its FIN: acknowledged again"
    assert end.wakes(10**12) == [61 * MS + 60 * S]
    assert end.tcb.state == CLOSED


def test_endless_sender_ends_with_what_it_has_sent() -> None:
    end = End.opener()
    end.tcb.close(5 * MS)
    assert end.tcb.state != CLOSED and end.tcb.app_limit == 10_001
    assert [(end.at(s), s.flags) for s in end.sent[10:]] == [], "the window is full: the FIN waits"
    assert end.arrives(20 * MS, ack=1001) == [(10_001, 0)]
    assert end.sent[-1].flags == FIN | ACK


def test_lost_fin_is_repeated() -> None:
    end = End.opener(app=FED)
    end.tcb.close(0)
    end.sent.clear()
    end.wakes(700 * MS)
    assert [(end.at(s), s.flags) for s in end.sent] == [(1, FIN | ACK)] * 2


def test_close_before_the_handshake_is_done_follows_it() -> None:
    end = End()
    end.tcb.open(0)
    end.tcb.close(1)
    assert end.tcb.state == SYN_SENT
    assert end.arrives(2, flags=SYN | ACK, at=0, ack=1, mss=1000) == [(1, 0)]
    assert end.sent[-1].flags == FIN | ACK


def test_echo_says_what_it_hears_and_then_goodbye() -> None:
    end = End.acceptor(app=ECHO)
    assert end.arrives(1, length=700) == [(1, 700)]
    assert end.acked(end.sent[-1]) == 701, "the acknowledgment rides along"
    assert end.arrives(2, at=701, ack=701, flags=FIN | ACK) == [(701, 0)]
    assert end.sent[-1].flags == FIN | ACK and end.tcb.state == LAST_ACK
    end.arrives(3, at=702, ack=702)
    assert end.tcb.state == CLOSED


def test_shut_window_is_probed_with_one_byte() -> None:
    """RFC 9293 section 3.8.6.1."""
    end = End.opener(app=FED)
    end.arrives(1, window=0)
    end.tcb.feed(3000, 2)
    end.sent.clear()
    end.wakes(700 * MS)
    assert [(end.at(s), s.length) for s in end.sent] == [(1, 1), (1, 1)]
    assert end.arrives(710 * MS, ack=2, window=100) == [(2, 1000)]
