"""One end of a TCP conversation, the obvious way: an object that is told what happens and says what it sends.

It knows no network and no clock. RFC 9293 for the states, 7323 for the timestamps option, 1191 for the path's MTU; how
it sends is said in `scalar_tcp_sender.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.reference.scalar_reno import ScalarReno
from tests.reference.scalar_segment import (
    ACK,
    BULK,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    DELACK,
    DELACK_NS,
    DISCARD,
    ECHO,
    ESTABLISHED,
    FIN,
    FIN_WAIT_1,
    FIN_WAIT_2,
    INTERVALS,
    LAST_ACK,
    OWN_WINDOW,
    RST,
    RTO,
    SYN,
    SYN_RCVD,
    SYN_SENT,
    TIME_WAIT,
    TIME_WAIT_NS,
    WAIT,
    WINDOW_SHIFT,
    Segment,
    merged,
    tick,
    unwrap,
)
from tests.reference.scalar_tcp_sender import Sender


@dataclass
class Tcb(Sender):
    """One end."""

    intervals: list[tuple[int, int]] = field(default_factory=list)
    peer_fin_at: int = -1
    has_peer_closed: bool = False
    is_refused: bool = False
    received_bytes: int = 0

    # ------------------------------------------------------------------------------- what its owner tells it

    def open(self, now: int) -> None:
        """Send the SYN."""
        self.state = SYN_SENT
        self.nxt = self.max_nxt = 1
        self.send(now, 0, 0, SYN)
        self.timers[RTO] = now + self.rto

    def listen(self, segment: Segment, now: int) -> None:
        """A SYN came for this end: answer it."""
        self.state = SYN_RCVD
        self.irs = segment.seq
        self.rcv_nxt = 1
        self.nxt = self.max_nxt = 1
        self.ts_recent = tick(segment.sent_at)
        self.peer_mss = segment.mss or 536
        self.snd_wnd = segment.window
        self.send(now, 0, 0, SYN | ACK)
        self.timers[RTO] = now + self.rto

    def feed(self, n_bytes: int, now: int) -> None:
        """The application writes."""
        if self.is_closing or self.state == CLOSED:
            return
        self.app_limit += n_bytes
        self.output(now)

    def close(self, now: int) -> None:
        """The application has said all."""
        if self.is_closing or self.state == CLOSED:
            return
        self.is_closing = True
        if self.app == BULK:
            self.app_limit = self.max_nxt
        self.output(now)

    def fire(self, which: int, now: int) -> None:
        """One of its timers is due."""
        self.timers[which] = -1
        if which == RTO:
            self.retransmission_timeout(now)
        elif which == DELACK:
            self.send_ack(now)
        elif which == WAIT:
            self.die(now)
        else:
            self.output(now)

    def packet_too_big(self, quoted_seq: int, mtu: int, now: int) -> None:
        """ICMP 3/4 about a segment of this end (RFC 1191)."""
        limit = min(self.path_limit, max(mtu, 68))
        at = unwrap(quoted_seq, self.iss, self.una)
        if self.state in {CLOSED, TIME_WAIT} or not self.una <= at < self.max_nxt or limit == self.path_limit:
            return
        self.path_limit = limit
        if self.state in {SYN_SENT, SYN_RCVD}:
            return
        self.measure_mss()
        self.cc.cwnd = max(self.cc.cwnd, 2 * self.smss)
        self.nxt = self.una
        self.output(now)

    def port_unreachable(self, now: int) -> None:
        """A hard ICMP error, 3/2 or 3/3, about a segment of this end: only a SYN gives up (RFC 5461)."""
        if self.state == SYN_SENT:
            self.die(now)

    # ------------------------------------------------------------------------------------ segments that arrive

    def segment_arrives(self, segment: Segment, now: int) -> None:
        """RFC 9293 section 3.10.7, in its order. `is_refused` afterwards: a closed port's answer is called for."""
        self.is_refused = False
        if self.state == SYN_SENT:
            self.arrives_in_syn_sent(segment, now)
            return
        s = unwrap(segment.seq, self.irs, self.rcv_nxt)
        flags = segment.flags
        if self.state == SYN_RCVD and flags & (SYN | ACK | RST) == SYN and s == 0:
            self.ts_recent = tick(segment.sent_at)
            self.send(now, 0, 0, SYN | ACK)
            self.timers[RTO] = now + self.rto
            return
        n = segment.length + bool(flags & SYN) + bool(flags & FIN)
        right = self.rcv_nxt + OWN_WINDOW
        if not (self.rcv_nxt <= s < right if n == 0 else s < right and s + n > self.rcv_nxt):
            if not flags & RST:
                self.send_ack(now)
                if self.state == TIME_WAIT and flags & FIN:
                    self.timers[WAIT] = now + TIME_WAIT_NS
            return
        if s <= self.last_ack_sent:
            self.ts_recent = tick(segment.sent_at)
        if flags & RST:
            self.n_resets += 1
            self.die(now)
        elif flags & SYN:
            self.send_ack(now)
        elif flags & ACK and self.ack_arrives(segment, now) and self.state != CLOSED:
            self.data_arrives(s, segment, now)
            self.respond(now)

    def respond(self, now: int) -> None:
        """Send what an arrival calls for, all of it with the numbers as they are now."""
        if self.must_retransmit:
            self.retransmit(now)
        if self.may_send_one:
            self.limited_transmit(now)
        self.must_retransmit = self.may_send_one = False
        self.output(now)
        if self.is_ack_due:
            self.send_ack(now)

    def arrives_in_syn_sent(self, segment: Segment, now: int) -> None:
        flags = segment.flags
        ack = unwrap(segment.ack, self.iss, self.una)
        is_ack_good = bool(flags & ACK) and 0 < ack <= self.max_nxt
        if flags & ACK and not is_ack_good:
            if not flags & RST:
                self.is_refused = True
        elif flags & RST:
            if is_ack_good:
                self.n_resets += 1
                self.die(now)
        elif flags & SYN and not flags & ACK:
            self.is_refused = True
        elif flags & SYN:
            self.irs = segment.seq
            self.rcv_nxt = 1
            self.ts_recent = tick(segment.sent_at)
            self.peer_mss = segment.mss or 536
            self.is_ack_due = True
            self.establish(segment, now)
            self.snd_wnd = segment.window
            self.respond(now)

    def establish(self, segment: Segment, now: int) -> None:
        """The handshake is done as far as this end is concerned."""
        self.state = ESTABLISHED
        self.opened_at = now
        self.una = 1
        self.timers[RTO] = -1
        if self.has_options:
            self.sample_rtt(segment, now)
        self.measure_mss()
        self.cc = ScalarReno(self.smss)
        if self.timeouts:  # RFC 5681 section 3.1: a lost SYN is a loss too
            self.cc.cwnd = self.smss
        self.timeouts = 0

    def ack_arrives(self, segment: Segment, now: int) -> bool:
        """The ACK field of an acceptable segment. False: the segment ends here."""
        ack = unwrap(segment.ack, self.iss, self.una)
        window = segment.window << WINDOW_SHIFT if self.has_options else segment.window
        if self.state == SYN_RCVD:
            if not 0 < ack <= self.max_nxt:
                self.is_refused = True
                return False
            self.establish(segment, now)
            self.snd_wnd = window
            return True
        if ack > self.max_nxt:
            self.send_ack(now)
            return False
        if ack < self.una:
            return True
        is_same_window = window == self.snd_wnd
        is_opening = self.snd_wnd == 0 and window > 0
        self.snd_wnd = window
        if ack > self.una:
            self.new_ack(ack, segment, now)
            if self.is_closing and self.una == self.app_limit + 1:
                self.fin_acknowledged(now)
        elif segment.length == 0 and not segment.flags & FIN and is_same_window and self.max_nxt > self.una:
            self.duplicate_ack(now)
        if is_opening:
            self.nxt = self.una  # what was probed goes again, with the rest
        return True

    def fin_acknowledged(self, now: int) -> None:
        if self.state == FIN_WAIT_1:
            self.state = FIN_WAIT_2
        elif self.state == CLOSING:
            self.linger(now)
        elif self.state == LAST_ACK:
            self.die(now)

    def data_arrives(self, s: int, segment: Segment, now: int) -> None:
        """Text and FIN of an acceptable segment."""
        n = segment.length + bool(segment.flags & FIN)
        if n == 0:
            return
        if self.has_peer_closed:
            self.is_ack_due = True  # nothing can follow a FIN: not taken, but told so
            return
        if s > self.rcv_nxt:
            kept = merged([*self.intervals, (s, s + n)])
            if len(kept) <= INTERVALS:
                self.intervals = kept
                if segment.flags & FIN:
                    self.peer_fin_at = s + segment.length
            self.is_ack_due = True
            return
        had_gap = bool(self.intervals)
        before = self.rcv_nxt
        if segment.flags & FIN:
            self.peer_fin_at = s + segment.length
        self.rcv_nxt = s + n
        while self.intervals and self.intervals[0][0] <= self.rcv_nxt:
            self.rcv_nxt = max(self.rcv_nxt, self.intervals.pop(0)[1])
        has_fin = 0 <= self.peer_fin_at < self.rcv_nxt
        self.read(self.rcv_nxt - before - has_fin)
        if has_fin:
            self.peer_closes(now)
        if had_gap or has_fin:
            self.is_ack_due = True
        else:
            self.segments_unacked += 1
            if self.segments_unacked >= 2:
                self.is_ack_due = True
            elif self.timers[DELACK] < 0:
                self.timers[DELACK] = now + DELACK_NS

    def read(self, n_bytes: int) -> None:
        """The application gets what is in order."""
        self.received_bytes += n_bytes
        if self.app == ECHO:
            self.app_limit += n_bytes

    def peer_closes(self, now: int) -> None:
        self.has_peer_closed = True
        if self.state == ESTABLISHED:
            self.state = CLOSE_WAIT
            if self.app in {DISCARD, ECHO}:
                self.is_closing = True
        elif self.state == FIN_WAIT_1:
            self.state = CLOSING
        elif self.state == FIN_WAIT_2:
            self.linger(now)

    def linger(self, now: int) -> None:
        self.state = TIME_WAIT
        self.closed_at = now
        self.timers = [-1, -1, now + TIME_WAIT_NS, -1]
