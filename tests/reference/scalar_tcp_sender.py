"""How a TCP end sends: windows, retransmission, acknowledgments that ride along. `scalar_tcb.py` has the other half.

Sequence numbers inside are offsets: 0 is the SYN, 1 the first byte. RFC 5681, 6582, 3042 and 3465 for the window, 6298
for the timer. `emit` takes each segment that is sent; `timers` says when the end wants to be woken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.reference.scalar_reno import ScalarReno, first_window
from tests.reference.scalar_segment import (
    ACK,
    BULK,
    BURST,
    CLOCK_NS,
    CLOSE_WAIT,
    CLOSED,
    DELACK,
    ESTABLISHED,
    FIN,
    FIN_WAIT_1,
    FIN_WAIT_2,
    FIRST_RTO_NS,
    LAST_ACK,
    LEAST_SMSS,
    MAX_RTO_NS,
    MIN_RTO_NS,
    MOST_SYN_ACKS,
    MOST_SYNS,
    MOST_TIMEOUTS,
    OWN_WINDOW,
    PSH,
    RST,
    RTO,
    SEGMENTS_AT_ONCE,
    SYN,
    SYN_RCVD,
    SYN_SENT,
    TIME_WAIT,
    TIMESTAMP_BYTES,
    UNSCALED_WINDOW,
    WINDOW_SHIFT,
    Segment,
    tick,
)


@dataclass
class Sender:
    """The sending half. `has_options`: timestamps and window scaling are in use, as between ends of generated flows."""

    app: str
    iss: int
    emit: Callable[[Segment], None]
    own_mss: int = 1460
    path_limit: int = 1500
    has_options: bool = True
    is_opener: bool = False
    irs: int = 0
    state: str = CLOSED
    timers: list[int] = field(default_factory=lambda: [-1, -1, -1, -1])
    # what it sends
    una: int = 0
    nxt: int = 0
    max_nxt: int = 0
    snd_wnd: int = 0
    app_limit: int = 1
    is_closing: bool = False
    peer_mss: int = 536
    smss: int = 536
    # what its headers tell of the other direction
    rcv_nxt: int = 0
    last_ack_sent: int = 0
    ts_recent: int = 0
    is_ack_due: bool = False
    segments_unacked: int = 0
    # time
    srtt: int = -1
    rttvar: int = 0
    rto: int = FIRST_RTO_NS
    timeouts: int = 0
    # recovery
    dupacks: int = 0
    recover: int = 0
    is_in_recovery: bool = False
    had_partial_ack: bool = False
    must_retransmit: bool = False
    may_send_one: bool = False
    # figures
    n_sent: int = 0
    n_retransmits: int = 0
    n_timeouts: int = 0
    n_fast_recoveries: int = 0
    n_resets: int = 0
    opened_at: int = -1
    closed_at: int = -1

    def __post_init__(self) -> None:
        self.cc = ScalarReno(self.smss)

    # -------------------------------------------------------------------------------------- acknowledgments

    def new_ack(self, ack: int, segment: Segment, now: int) -> None:
        acked, flight_before = ack - self.una, self.nxt - self.una
        passes_nxt = ack > self.nxt
        self.una = ack
        self.nxt = max(self.nxt, ack)
        self.timeouts = self.dupacks = 0
        rtt_ns = self.sample_rtt(segment, now) if self.has_options else -1
        cc = self.cc
        restarts_timer = True
        if not self.is_in_recovery:
            cc.on_ack(acked, flight_before, ack, self.max_nxt, rtt_ns)
            if passes_nxt:  # after a timeout the peer had the rest: nothing is out, so no burst (RFC 5681 section 4.1)
                cc.cwnd = min(cc.cwnd, first_window(self.smss))
        elif ack >= self.recover:
            cc.cwnd = min(cc.ssthresh, max(self.nxt - self.una, self.smss) + self.smss)
            self.is_in_recovery = False
        else:
            self.must_retransmit = True
            cc.cwnd = max(self.smss, cc.cwnd - acked)
            if acked >= self.smss:
                cc.cwnd += self.smss
            restarts_timer = not self.had_partial_ack  # RFC 6582's impatient variant
            self.had_partial_ack = True
        if self.una == self.max_nxt:
            self.timers[RTO] = -1
        elif restarts_timer:
            self.timers[RTO] = now + self.rto

    def duplicate_ack(self, now: int) -> None:
        self.dupacks += 1
        cc = self.cc
        if self.is_in_recovery:
            cc.cwnd += self.smss
        elif self.dupacks == 3 and self.una > self.recover:
            cc.halve(self.max_nxt - self.una)
            self.recover = self.max_nxt
            self.is_in_recovery, self.had_partial_ack = True, False
            self.n_fast_recoveries += 1
            self.must_retransmit = True
            cc.cwnd = cc.ssthresh + 3 * self.smss
            self.timers[RTO] = now + self.rto
        elif self.dupacks < 3:
            self.may_send_one = True

    # ----------------------------------------------------------------------------------------- what it sends

    def measure_mss(self) -> None:
        smss = min(self.peer_mss, self.own_mss, self.path_limit - 40)
        if self.has_options:
            smss -= TIMESTAMP_BYTES
        self.smss = self.cc.smss = max(LEAST_SMSS, smss)

    @property
    def available(self) -> int:
        """Bytes the application wants sent from `nxt` on; endless for BULK. Negative: even the FIN is out."""
        return 2**62 if self.app == BULK and not self.is_closing else self.app_limit - self.nxt

    def output(self, now: int) -> None:
        """Send what the windows let go, at most a handful at a time."""
        if self.state in {CLOSED, SYN_SENT, SYN_RCVD, TIME_WAIT, FIN_WAIT_2}:
            return
        for _ in range(SEGMENTS_AT_ONCE):
            length = self.next_length()
            if length is None:
                break
            self.send_new(length, now)
        else:
            if self.next_length() is not None:
                self.timers[BURST] = now
        is_stuck = self.snd_wnd == 0 and self.una == self.max_nxt and self.available > 0
        if is_stuck and self.timers[RTO] < 0:
            self.timers[RTO] = now + self.rto

    def next_length(self) -> int | None:
        """Bytes of the next segment (0: a FIN alone), None when nothing may go."""
        window, flight = min(self.cc.cwnd, self.snd_wnd), self.nxt - self.una
        available = self.available
        length = min(self.smss, available, window - flight)
        if length > 0 and (length in {self.smss, available} or flight == 0):
            return length
        if available == 0 and self.is_closing and (flight < window or flight == 0):
            return 0
        return None

    def send_new(self, length: int, now: int) -> None:
        """The segment at `nxt`."""
        flags = ACK
        if length == self.available:  # it empties what there is
            flags |= PSH if length else 0
            flags |= FIN if self.is_closing else 0
        at = self.nxt
        self.nxt += length + bool(flags & FIN)
        self.send(now, at, length, flags)
        self.max_nxt = max(self.max_nxt, self.nxt)
        if self.timers[RTO] < 0:
            self.timers[RTO] = now + self.rto
        if flags & FIN:
            self.state = {ESTABLISHED: FIN_WAIT_1, CLOSE_WAIT: LAST_ACK}.get(self.state, self.state)

    def limited_transmit(self, now: int) -> None:
        """RFC 3042: the first two duplicates let a new segment go each."""
        flight = self.nxt - self.una
        if self.nxt != self.max_nxt or flight >= min(self.cc.cwnd + 2 * self.smss, self.snd_wnd):
            return
        length = min(self.smss, self.available, self.snd_wnd - flight)
        if length > 0 and length in {self.smss, self.available}:
            self.send_new(length, now)

    def retransmit(self, now: int) -> None:
        """The oldest segment again, as far as it was sent before."""
        was_fin_sent = self.is_closing and self.max_nxt == self.app_limit + 1
        length = min(self.smss, self.max_nxt - was_fin_sent - self.una)
        flags = ACK
        if self.is_closing and self.una + length == self.app_limit:
            flags |= (PSH if length else 0) | (FIN if was_fin_sent else 0)
        elif self.app != BULK and self.una + length == self.app_limit:
            flags |= PSH
        self.nxt = max(self.nxt, self.una + length + bool(flags & FIN))
        self.send(now, self.una, length, flags)
        if self.timers[RTO] < 0:
            self.timers[RTO] = now + self.rto

    def retransmission_timeout(self, now: int) -> None:
        if self.state in {SYN_SENT, SYN_RCVD}:
            if self.timeouts == (MOST_SYNS if self.state == SYN_SENT else MOST_SYN_ACKS):
                self.die(now)
                return
            self.back_off()
            self.timeouts += 1
            self.n_timeouts += 1
            self.send(now, 0, 0, SYN if self.state == SYN_SENT else SYN | ACK)
        elif self.una == self.max_nxt:  # the window is shut: persist
            self.back_off()
            self.send_new(1, now)
        elif self.timeouts == MOST_TIMEOUTS:
            self.send(now, self.max_nxt, 0, RST | ACK)
            self.die(now)
            return
        else:
            if self.timeouts == 0:
                before = self.cc.ssthresh
                self.cc.halve(self.max_nxt - self.una)
                if self.is_in_recovery:  # whose loss has been answered, and whose window is inflated
                    self.cc.ssthresh = min(self.cc.ssthresh, before)
            self.timeouts += 1
            self.n_timeouts += 1
            self.cc.cwnd = self.smss
            self.recover = self.max_nxt
            self.is_in_recovery = False
            self.dupacks = 0
            self.nxt = self.una
            self.back_off()
            self.cc.on_timeout()
            if self.snd_wnd == 0 and self.available > 0:
                self.send_new(1, now)
            self.output(now)
        self.timers[RTO] = now + self.rto

    def back_off(self) -> None:
        self.rto = min(2 * self.rto, MAX_RTO_NS)

    def sample_rtt(self, segment: Segment, now: int) -> int:
        """RFC 6298 section 2; the sample."""
        rtt_ns = (tick(now) - segment.ts_echo) % 2**31 * 1024
        if self.srtt < 0:
            self.srtt, self.rttvar = rtt_ns, rtt_ns // 2
        else:
            error = rtt_ns - self.srtt
            self.srtt += error // 8
            self.rttvar += (abs(error) - self.rttvar) // 4
        self.rto = min(max(self.srtt + max(CLOCK_NS, 4 * self.rttvar), MIN_RTO_NS), MAX_RTO_NS)
        return rtt_ns

    def send_ack(self, now: int) -> None:
        """A segment with nothing but its ACK; numbered past all that was sent, so that the peer takes it."""
        self.send(now, self.max_nxt, 0, ACK)

    def send(self, now: int, at: int, length: int, flags: int) -> None:
        window = 0 if flags & RST else OWN_WINDOW >> WINDOW_SHIFT
        if flags & SYN or not self.has_options:
            window = min(UNSCALED_WINDOW, OWN_WINDOW)
        self.n_retransmits += at < self.max_nxt and bool(length or flags & (SYN | FIN)) and self.n_sent > 0
        self.n_sent += bool(length or flags & (SYN | FIN))
        ack = (self.irs + self.rcv_nxt) % 2**32 if flags & ACK else 0
        if flags & ACK:
            self.last_ack_sent = self.rcv_nxt
        self.is_ack_due = False
        self.segments_unacked = 0
        self.timers[DELACK] = -1
        self.emit(
            Segment(
                (self.iss + at) % 2**32,
                ack,
                flags,
                length,
                0 if flags & RST else window,
                self.ts_recent if flags & (ACK | RST) == ACK and self.has_options else 0,
                now,
                self.own_mss if flags & SYN else 0,
            )
        )

    def die(self, now: int) -> None:
        self.state = CLOSED
        if self.closed_at < 0:
            self.closed_at = now
        self.timers = [-1, -1, -1, -1]
