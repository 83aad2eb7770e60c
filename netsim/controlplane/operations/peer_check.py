"""Values of peer connections, checked: bandwidth, payment, interface names, what the link does to packets.

An interface can't have a name that a next hop means already (`blackhole`, `local`, `gateway:…`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from netsim.controlplane.edit import CreatePeerConn
from netsim.controlplane.peer_conn import (
    ACCOUNTING_OVERHEAD_BYTES,
    MAX_BANDWIDTH_MBPS,
    MAX_BUFFER_BYTES,
    MAX_LATENCY_NS,
    MAX_MTU_BYTES,
    MIN_BANDWIDTH_MBPS,
    MIN_LATENCY_NS,
    MIN_MTU_BYTES,
    PAYMENTS,
    PREPAID_MONTHS,
    default_burst_bytes,
    default_queue_bytes,
)
from netsim.controlplane.route_table import BLACKHOLE_WORD, GATEWAY_SCHEME
from netsim.controlplane.values import check_choice, check_flag, check_integer, check_name, quote
from netsim.errors import InvalidError
from netsim.units import NS_PER_MS, ms_to_ns


def check_bandwidth(bandwidth_mbps: int, what: str) -> int:
    """The product's range, whole megabits per second."""
    return check_integer(bandwidth_mbps, MIN_BANDWIDTH_MBPS, MAX_BANDWIDTH_MBPS, what, "bandwidth_mbps")


def check_payment(payment: str, same_region: bool, what: str) -> str:
    """Prepaid or postpaid; inside a region only postpaid (the bill is zero)."""
    check_choice(payment, PAYMENTS, what, "payment")
    if same_region and payment == "prepaid":
        raise InvalidError(
            f"{what}: payment prepaid, accepted only postpaid between VPCs of one region", field="payment"
        )
    return payment


def check_months(months: int, what: str) -> int:
    """A period the product sells."""
    if type(months) is not int or months not in PREPAID_MONTHS:
        raise InvalidError(f"{what}: months {quote(months)}, accepted 1..9, 12, 24 or 36", field="months")
    return months


def check_interface_name(name: str, what: str, field: str) -> str:
    """A name for an interface that no next hop means already; "" is none."""
    if name == "":
        return name
    check_name(name, f"{what}: interface", field)
    if name in (BLACKHOLE_WORD, "local") or name.startswith(GATEWAY_SCHEME):
        raise InvalidError(
            f"{what}: interface name {quote(name)} means another next hop, expected a new one", field=field
        )
    return name


@dataclass(frozen=True, slots=True)
class LinkShape:
    """Burst, queue and delay of each direction; a latency of None is the regions' default."""

    latency_ns: int | None
    burst_bytes: int
    queue_bytes: int


def link_shape(edit: CreatePeerConn, what: str) -> LinkShape:
    """What the link does to packets, checked, with the defaults filled in.

    The burst must hold one packet of the MTU as the cap counts it, and so must the queue; else such a
    packet would never pass.
    """
    mtu = check_integer(edit.mtu_bytes, MIN_MTU_BYTES, MAX_MTU_BYTES, what, "mtu_bytes")
    check_choice(edit.accounting, tuple(ACCOUNTING_OVERHEAD_BYTES), what, "accounting")
    check_flag(edit.police, what, "police")
    largest = mtu + ACCOUNTING_OVERHEAD_BYTES[edit.accounting]
    burst, queue = edit.burst_bytes, edit.queue_bytes
    if burst is None:
        burst = default_burst_bytes(edit.bandwidth_mbps, mtu)
    if queue is None:
        queue = default_queue_bytes(edit.bandwidth_mbps, largest)
    check_integer(burst, largest, MAX_BUFFER_BYTES, what, "burst_bytes")
    check_integer(queue, largest, MAX_BUFFER_BYTES, what, "queue_bytes")
    return LinkShape(_latency_ns(edit.latency_ms, what), burst, queue)


def _latency_ns(latency_ms: float | None, what: str) -> int | None:
    if latency_ms is None:
        return None
    is_number = isinstance(latency_ms, (int, float)) and not isinstance(latency_ms, bool) and isfinite(latency_ms)
    if not is_number or not MIN_LATENCY_NS <= ms_to_ns(latency_ms) <= MAX_LATENCY_NS:
        low, high = MIN_LATENCY_NS / NS_PER_MS, MAX_LATENCY_NS // NS_PER_MS
        raise InvalidError(f"{what}: latency_ms {quote(latency_ms)}, accepted {low}..{high}", field="latency_ms")
    return ms_to_ns(latency_ms)
