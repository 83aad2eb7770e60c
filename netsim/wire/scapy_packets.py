"""scapy packets <-> IP bytes: the only file of the package that scapy's classes pass through.

scapy is imported inside the functions: it costs about half a second.
"""

from __future__ import annotations

import struct
from typing import Any

from netsim.errors import UsageError
from netsim.prefix import format_addr

MAX_PACKETS = 10_000
"""What one packet with ranges (`IP(dst="10.0.0.0/8", ttl=(1, 255))`) may expand to."""


def ip_bytes_of(packets: Any, *, src: int | None = None) -> list[bytes | None]:
    """The IP bytes of a scapy packet or a list of them, in order.

    Link layers are stripped; a packet whose fields hold ranges gives one packet for each
    combination, as scapy's own `send` would. Fields left open are filled in by scapy
    (checksums, lengths), but never from this machine's own routing table:

    Args:
        packets: a packet, or a list or `PacketList` of packets.
        src: the source address of packets that name none.

    Returns:
        Bytes from the IP header on, None for a packet that carries no IPv4 (ARP): what
        `packet.parse.parse_ip` takes.

    Raises:
        UsageError: not a scapy packet, one that scapy can't build, or too many.
    """
    from scapy.layers.inet import IP
    from scapy.packet import Packet

    one = isinstance(packets, Packet)
    try:
        listed = [packets] if one else list(packets)
    except TypeError:
        listed = [None]
    found: list[bytes | None] = []
    for packet in listed:
        if not isinstance(packet, Packet):
            given = type(packets if packet is None else packet).__name__
            raise UsageError(f"a {given} is no scapy packet, expected like IP(dst='10.1.0.20')/UDP(dport=53)")
        try:
            for single in packet:
                found.append(_bytes_of(single, IP, src))
                if len(found) > MAX_PACKETS:
                    raise UsageError(f"the scapy packet expands to more than {MAX_PACKETS} packets")
        except (struct.error, ValueError, TypeError, AttributeError, OSError, OverflowError, KeyError) as error:
            # What a bad field value raises, and where, is scapy's affair and differs by field.
            raise UsageError(f"scapy can't build {packet.summary()}: {_first_line(error)}") from None
    return found


def scapy_packet_of(raw: bytes) -> Any:
    """The scapy `IP` packet these bytes are; whatever does not dissect ends up as `Raw` inside."""
    from scapy.layers.inet import IP

    return IP(raw)


def _bytes_of(packet: Any, ip_class: Any, src: int | None) -> bytes | None:
    ip = packet.getlayer(ip_class)
    if ip is None:
        return _other_ip(packet)
    if src is not None and "src" not in ip.fields:
        ip = ip.copy()
        ip.src = format_addr(src)
    return bytes(ip)


def _other_ip(packet: Any) -> bytes | None:
    """The bytes of a packet without an IP layer that may be one all the same (`Raw`), else None."""
    from scapy.packet import Raw

    return bytes(packet) if isinstance(packet, Raw) else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
