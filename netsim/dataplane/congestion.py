"""The interface of congestion control, and the table of who implements it.

An algorithm is a file with four kernels over one TCB; its own state lives in `B_CC_0` to `B_CC_17`, and
`B_CWND` and `B_SSTHRESH` (bytes) are its to set outside fast recovery, which is NewReno's for all:

    NAME_open(tcb, b)                            the handshake is done: cwnd, ssthresh and own words
    NAME_on_ack(tcb, b, acked, flight, now, rtt) new data acknowledged outside recovery: grow cwnd
    NAME_ssthresh(tcb, b, flight) -> bytes       a loss was seen: the new threshold
    NAME_on_timeout(tcb, b)                      the timer fired; cwnd is one segment already

`acked` are the bytes, `flight` what was outstanding before, `rtt` the sample in ns or -1. Integers only.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.reno import reno_on_ack, reno_on_timeout, reno_open, reno_ssthresh
from netsim.dataplane.tcb import B_CWND, B_SMSS, B_TIMEOUTS
from netsim.jit import kernel

ALGORITHMS = ("reno",)
"""By number, which is `B_CC`."""


INITIAL_SEGMENTS, INITIAL_BYTES = 10, 14_600


@kernel
def initial_window(smss: int) -> int:
    """Bytes a sender may have out before it knows anything (RFC 6928)."""
    return min(INITIAL_SEGMENTS * smss, max(2 * smss, INITIAL_BYTES))


@kernel
def cc_open(tcb: Any, b: int) -> None:
    """Start the window; after a handshake that lost something with one segment (RFC 5681 section 3.1)."""
    tcb[b + B_CWND] = initial_window(tcb[b + B_SMSS])
    reno_open(tcb, b)
    if tcb[b + B_TIMEOUTS] > 0:
        tcb[b + B_CWND] = tcb[b + B_SMSS]


@kernel
def cc_on_ack(tcb: Any, b: int, acked: int, flight: int, now_ns: int, rtt_ns: int) -> None:
    """New data was acknowledged outside recovery."""
    reno_on_ack(tcb, b, acked, flight, now_ns, rtt_ns)


@kernel
def cc_ssthresh(tcb: Any, b: int, flight: int) -> int:
    """The slow start threshold after a loss with so much outstanding."""
    return reno_ssthresh(tcb, b, flight)


@kernel
def cc_on_timeout(tcb: Any, b: int) -> None:
    """The retransmission timer fired."""
    reno_on_timeout(tcb, b)
