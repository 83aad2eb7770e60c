"""What capture filters look at in a frame: protocols, addresses, ports, bytes of headers."""

from __future__ import annotations

from collections.abc import Callable

from netsim.dataplane.batch import PROTO_ICMP, PROTO_TCP, PROTO_UDP
from netsim.prefix import Prefix
from netsim.wire.link_layer import ETHER_ARP, ETHER_IP, HEADER_BYTES, Frame

Test = Callable[[Frame], bool]

PROTOCOLS = {"icmp": PROTO_ICMP, "tcp": PROTO_TCP, "udp": PROTO_UDP}


class TooShortError(Exception):
    """The packet ends before that byte: libpcap's program gives up and says no then."""


class OtherProtocolError(Exception):
    """The packet has no such header: the comparison is false."""


def length_of(frame: Frame) -> int:
    """Bytes of the frame, its header included."""
    return HEADER_BYTES + len(frame.body)


def proto_of(frame: Frame) -> int:
    """The IP protocol number, -1 of what is no IP."""
    return frame.body[9] if frame.ether_type == ETHER_IP else -1


def is_protocol(name: str) -> Test:
    """The test for `ip`, `arp`, or a protocol over IP."""
    if name in ("ip", "arp"):
        wanted = ETHER_IP if name == "ip" else ETHER_ARP
        return lambda frame: frame.ether_type == wanted
    return lambda frame: proto_of(frame) == PROTOCOLS[name]


def has_addrs(frame: Frame) -> bool:
    """Whether there are IPv4 addresses in it."""
    return frame.ether_type in (ETHER_IP, ETHER_ARP)


def has_ports(frame: Frame) -> bool:
    """Whether it is TCP or UDP."""
    return proto_of(frame) in (PROTO_TCP, PROTO_UDP)


def addrs_in(frame: Frame, wanted: Prefix) -> tuple[bool, bool]:
    """Whether source and destination lie in this prefix."""
    src, dst = (12, 16) if frame.ether_type == ETHER_IP else (14, 24)  # in an ARP message: who asks, who is asked
    ends = (int.from_bytes(frame.body[at : at + 4], "big") for at in (src, dst))
    first, second = (wanted.has(addr) for addr in ends)
    return first, second


def ports_in(frame: Frame, low: int, high: int) -> tuple[bool, bool]:
    """Whether source and destination port lie there; a later fragment shows none."""
    data = transport_of(frame)
    if len(data) < 4:
        return False, False
    return low <= int.from_bytes(data[0:2], "big") <= high, low <= int.from_bytes(data[2:4], "big") <= high


def transport_of(frame: Frame) -> bytes:
    """From the transport header on; nothing of a later fragment."""
    is_later = int.from_bytes(frame.body[6:8], "big") & 0x1FFF
    return b"" if is_later else frame.body[(frame.body[0] & 0xF) * 4 :]


def layer_of(frame: Frame, name: str) -> bytes:
    """The bytes from this header on.

    Raises:
        OtherProtocolError: there is no such header.
    """
    if name == "ether":
        return frame.to_bytes()
    if not is_protocol(name)(frame):
        raise OtherProtocolError
    if name in ("ip", "arp"):
        return frame.body
    if int.from_bytes(frame.body[6:8], "big") & 0x1FFF:
        raise OtherProtocolError
    return transport_of(frame)
