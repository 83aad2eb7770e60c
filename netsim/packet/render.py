"""Packet columns -> IP bytes: what a row looks like on the wire, exact to the byte.

A row holds no payload. Its bytes follow from the packet its flow sent as number `seq`, and from
what its role says became of that:

* `ORIGINAL`: the packet itself, with the row's TTL, ident and flags; a fragment is a slice of it.
* `REPLY`: what the endpoint answered (`answer.reply_message`); TOS as in the request (RFC 1122
  section 3.2.2.6), 20-byte header, no options.
* `ERROR`: an ICMP error that quotes the packet, or with `REPLY` the answer to it, as it was
  received; TOS as `answer.error_tos` has it.

A row with the flag `KEPT` has bytes of its own, whatever its role (what a resolver answers): it is
a slice of those as an `ORIGINAL` is of its, and an error about it quotes those.

Replies and errors may be fragments themselves, and then are slices of the whole answer. What
this needs of a row: `l4` of a fragment of a reply or an error is that of the whole; `ident` of
a reply is carried on by an error about it. Rendering is deterministic and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from netsim.dataplane.batch import DF, ERROR, KEPT, MF, REPLY
from netsim.packet.answer import error_message, error_tos, reply_as_received, reply_message, sent_as_received
from netsim.packet.header import DF_BIT, MF_BIT, RESERVED_BIT, header_of, options_of_fragment
from netsim.packet.l4 import unpack_error
from netsim.packet.parse import MIN_HEADER_BYTES
from netsim.packet.sent import Sent, take_apart

Original = Callable[[int, int], bytes]
"""(flow, seq) -> the IP packet as its sender made it; of a `KEPT` row, that one's. For a datagram
the sender fragmented it may be the whole one (`reassembly.reassemble`); for a reply or an error
about it, it must be."""


class Whole(NamedTuple):
    """The datagram a row is a slice of; `body` starts `base` bytes into it."""

    tos: int
    reserved: int
    options: bytes
    body: bytes
    base: int


def render(row: Mapping[str, int], original: Original) -> bytes:
    """The exact IP packet of a row, `row["size_bytes"]` long.

    Args:
        row: the columns of one packet, as `PacketBatch.row` gives them.
        original: finds the packet the row is, answers, or is about.

    Returns:
        The bytes. If the packet found does not parse (it was injected malformed), that packet
        as it is: there is nothing to write a TTL into.
    """
    raw = original(row["flow"], row["seq"])
    sent = take_apart(raw)
    if sent is None:
        return raw
    role = row["role"]
    if role & ERROR:
        whole = _error(row, sent)
    elif role & REPLY and not row["flags"] & KEPT:
        body = reply_message(sent, row["l4"], row["size_bytes"])
        whole = Whole(sent.tos, 0, b"", body, 0)
    else:
        whole = Whole(sent.tos, sent.flag_bits & RESERVED_BIT, sent.options, sent.body, sent.frag_offset)
    return slice_of(row, whole)


def _error(row: Mapping[str, int], sent: Sent) -> Whole:
    error = unpack_error(row["l4"])
    is_reply = row["role"] & REPLY and not row["flags"] & KEPT
    quoted = reply_as_received(sent, error, row["ident"]) if is_reply else sent_as_received(sent, error)
    return Whole(error_tos(sent.tos), 0, b"", error_message(error, quoted), 0)


def slice_of(row: Mapping[str, int], whole: Whole) -> bytes:
    """The part of the datagram this row is: all of it, or a fragment."""
    header_bytes = max(row["header_bytes"], MIN_HEADER_BYTES)
    start = row["frag_offset"] - whole.base
    is_first = row["frag_offset"] == whole.base
    flags = row["flags"]
    head = header_of(
        tos=whole.tos,
        size_bytes=row["size_bytes"],
        ident=row["ident"],
        flag_bits=whole.reserved | (DF_BIT if flags & DF else 0) | (MF_BIT if flags & MF else 0),
        frag_offset=row["frag_offset"],
        ttl=row["ttl"],
        proto=row["proto"],
        src=row["src"],
        dst=row["dst"],
        options=options_of_fragment(whole.options, header_bytes - MIN_HEADER_BYTES, is_first=is_first),
    )
    room = row["size_bytes"] - header_bytes
    return head + whole.body[start : start + room].ljust(room, b"\0")
