"""A peer connection: a private link with a bandwidth cap between two VPCs.

Life cycle, on the control clock:

    create ──same account──────────────────────> ACTIVE ──prepaid period over──> EXPIRED ──renew──> ACTIVE
       └────another account──> CONSULTING ──accept──┘ │
                                   ├──reject────────> CONSULT_FAILED      delete: gone
                                   └──7 days────────> CONSULT_FAILED

The period of a prepaid connection starts when it becomes active. A connection that failed never comes
back: its initiator deletes it and asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

from netsim.controlplane.values import Tags
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_DAY, NS_PER_MS, NS_PER_S

Side = Literal["local", "peer"]
SIDES: tuple[Side, Side] = ("local", "peer")
"""The initiator's side and the acceptor's."""

MIN_BANDWIDTH_MBPS = 1
MAX_BANDWIDTH_MBPS = 1000
CONSULT_NS = 7 * NS_PER_DAY
"""How long a request waits for an answer."""

PREPAID_MONTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 24, 36)
PAYMENTS = ("prepaid", "postpaid")

DEFAULT_MTU_BYTES = 1500
MIN_MTU_BYTES = 68
"""Every internet module must take this many without fragmentation (RFC 791 section 3.2)."""
MAX_MTU_BYTES = 65_535
MAX_BUFFER_BYTES = 2**30
MIN_LATENCY_NS = NS_PER_MS // 20
MAX_LATENCY_NS = 10 * NS_PER_S

ACCOUNTING_OVERHEAD_BYTES = {"l3": 0, "l2": 14, "l1": 38}
"""What the cap and the counters add to a packet's IP length: nothing, the Ethernet header, and that
with preamble, frame check and gap."""

MAX_EXPIRY_NS = 2**63 - 1


class PeerConnState(StrEnum):
    """The states by their names in files and in the API."""

    CONSULTING = "consulting"
    CONSULT_FAILED = "consult_failed"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class PeerSide:
    """One end: the VPC, who owns it, and the interface that routes of that VPC point to; tags are its owner's."""

    vpc_id: str
    account: str
    region: str
    interface_id: str
    interface_name: str
    dns_sync: bool
    description: str
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class PeerConn:
    """A connection; `local` is the initiator's side, `peer` the acceptor's.

    Burst, queue, MTU and latency are always filled in; `burst_given` and `queue_given` say that a number
    was asked for, which then outlives a resize. `state_since_ns` is when the state began: for what the
    clock does, the deadline itself, however late somebody looked. `consult_until_ns` is set while
    consulting, `expires_at_ns` once a prepaid connection has become active.
    """

    id: str
    name: str
    local: PeerSide
    peer: PeerSide
    bandwidth_mbps: int
    latency_ns: int
    burst_bytes: int
    queue_bytes: int
    mtu_bytes: int
    accounting: str
    police: bool
    payment: str
    months: int
    state: PeerConnState
    state_since_ns: int
    created_at_ns: int
    consult_until_ns: int | None
    expires_at_ns: int | None
    burst_given: bool
    queue_given: bool
    delete_protect: bool

    @property
    def is_active(self) -> bool:
        """Whether it carries packets."""
        return self.state is PeerConnState.ACTIVE

    @property
    def is_same_account(self) -> bool:
        """Whether one account owns both sides."""
        return self.local.account == self.peer.account

    @property
    def has_dns_sync(self) -> bool:
        """Whether each VPC resolves the other's names: active, and switched on by both sides."""
        return self.is_active and self.local.dns_sync and self.peer.dns_sync

    @property
    def deadline_ns(self) -> int | None:
        """When the clock will change the state, None when it never will."""
        if self.state is PeerConnState.CONSULTING:
            return self.consult_until_ns
        return self.expires_at_ns if self.is_active else None

    def side(self, side: Side) -> PeerSide:
        """The initiator's (`local`) or the acceptor's (`peer`) side."""
        return self.local if side == "local" else self.peer

    def side_in(self, vpc_id: str) -> PeerSide:
        """The side in this VPC, which must be one of the two."""
        return self.local if self.local.vpc_id == vpc_id else self.peer

    def side_beyond(self, vpc_id: str) -> PeerSide:
        """The far side, seen from this VPC."""
        return self.peer if self.local.vpc_id == vpc_id else self.local


def default_burst_bytes(bandwidth_mbps: int, mtu_bytes: int) -> int:
    """What 10 ms of the rate carry, and at least two packets."""
    return max(2 * mtu_bytes, bandwidth_mbps * BPS_PER_MBPS // BITS_PER_BYTE // 100)


def default_queue_bytes(bandwidth_mbps: int, largest_bytes: int) -> int:
    """What 50 ms of the rate carry, and at least 64 KiB, and at least the largest packet as the cap counts it."""
    return max(64 * 1024, largest_bytes, bandwidth_mbps * BPS_PER_MBPS // BITS_PER_BYTE // 20)


def add_months(utc_ns: int, months: int) -> int:
    """The same day and time some calendar months later, the last day where the month is shorter; ns UTC."""
    seconds, ns = divmod(utc_ns, NS_PER_S)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    years, month0 = divmod(moment.month - 1 + months, 12)
    first = moment.replace(year=moment.year + years, month=month0 + 1, day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    last_day = (next_first - timedelta(days=1)).day
    later = first.replace(day=min(moment.day, last_day))
    return (later - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * NS_PER_S + ns
