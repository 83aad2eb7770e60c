"""A packet in one line, from its columns, for people: traces, journals, errors."""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataplane.batch import ACK, ERROR, FIN, MF, PROTO_ICMP, PROTO_TCP, PROTO_UDP, PSH, REPLY, RST, SYN
from netsim.packet.l4 import unpack_error, unpack_icmp, unpack_ports, unpack_tcp
from netsim.packet.parse import ECHO_REPLY, ECHO_REQUEST
from netsim.prefix import format_addr

ICMP_NAMES = {
    (ECHO_REPLY, 0): "echo reply",
    (3, 0): "net unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (ECHO_REQUEST, 0): "echo request",
    (11, 0): "time to live exceeded",
    (11, 1): "reassembly time exceeded",
}
"""(type, code) -> its name in RFC 792, lower case."""

_TCP_FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))


def summary(row: Mapping[str, int]) -> str:
    """`10.0.0.1 > 10.1.0.2: ICMP echo request id 7 seq 1, ttl 63, 84 bytes`.

    Args:
        row: columns of one packet; `role` may be absent (0).
    """
    ends = f"{format_addr(row['src'])} > {format_addr(row['dst'])}"
    text = f"{ends}: {_message(row)}, ttl {row['ttl']}, {row['size_bytes']} bytes"
    if row["frag_offset"] or row["flags"] & MF:
        more = ", more to come" if row["flags"] & MF else ""
        text += f" (fragment of {row['ident']} at {row['frag_offset']}{more})"
    return text


def _message(row: Mapping[str, int]) -> str:
    proto, l4 = row["proto"], row["l4"]
    if proto == PROTO_ICMP:
        return _icmp(row)
    name = {PROTO_UDP: "UDP", PROTO_TCP: "TCP"}.get(proto)
    if name is None:
        return f"protocol {proto}"
    if l4 == 0:  # a later fragment, or a header that does not hold
        return name
    ports = unpack_ports(l4)
    text = f"{name} {ports.src_port} > {ports.dst_port}"
    if proto == PROTO_TCP:
        tcp_flags = unpack_tcp(l4).tcp_flags
        text += " " + ("|".join(name for bit, name in _TCP_FLAGS if tcp_flags & bit) or "no flags")
    return text


def _icmp(row: Mapping[str, int]) -> str:
    l4 = row["l4"]
    if row.get("role", 0) & ERROR:
        error = unpack_error(l4)
        mtu = f" mtu {error.mtu_bytes}" if error.mtu_bytes else ""
        about = " about a reply" if row["role"] & REPLY else ""
        return f"ICMP {icmp_name(error.icmp_type, error.code)}{mtu}{about}"
    if row["frag_offset"]:
        return "ICMP"
    message = unpack_icmp(l4)
    text = f"ICMP {icmp_name(message.icmp_type, message.code)}"
    if message.icmp_type in (ECHO_REPLY, ECHO_REQUEST):
        text += f" id {message.ident} seq {message.sequence}"
    return text


def icmp_name(icmp_type: int, code: int) -> str:
    """The name of a message, `type 42 code 0` where RFC 792 has none."""
    return ICMP_NAMES.get((icmp_type, code), f"type {icmp_type} code {code}")
