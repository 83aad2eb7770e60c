"""A capture replayed between instances: whose packets are sent by whom, under which addresses.

The hosts of the capture are mapped onto addresses of the emulated network. Every packet between
two mapped hosts is sent again by the instance that stands for its sender, at the captured
moment; so both directions are replayed, and the rows are `QUIET`: instances do not answer what
the capture answers already.

Addresses are rewritten in the IP header, and checksums patched (RFC 1624) in the IP, TCP and UDP
headers. A patched checksum is right exactly if the captured one was, which also holds for what
can't be recomputed: first fragments, and packets cut by the snapshot length. What a payload or a
quoting ICMP error says about addresses stays, as behind any NAT without application gateways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP, QUIET, PacketBatch
from netsim.dataplane.disposition import Disposition
from netsim.errors import CaptureError, UsageError
from netsim.packet.checksum import patched_many, words_of_addr
from netsim.packet.packed import PackedPackets
from netsim.packet.parse_many import ParsedBatch, parse_many
from netsim.prefix import format_addr
from netsim.units import MAX_TIME_NS
from netsim.wire.capture import Capture

Ints = NDArray[np.int64]

FIRST_MULTICAST = 224 << 24  # and broadcast above it; neither is a host
_CHECKSUM_AT = {PROTO_TCP: 16, PROTO_UDP: 6}


@dataclass(frozen=True, slots=True)
class ReplaySide:
    """What one instance sends in a replay.

    Attributes:
        captured_addr: the host's address in the capture.
        addr: the address it has in the replay.
        batch: n rows in order of time: the packet columns, `at_ns` and `sent_at_ns` in ns since
            the first packet of the replay, `seq` 0..n-1, `QUIET` set; `flow` 0, `inst` -1.
        packets: the n packets as bytes, row for row.
        payload_bytes: int64[n], above the TCP or UDP header.
    """

    captured_addr: int
    addr: int
    batch: PacketBatch
    packets: PackedPackets
    payload_bytes: Ints


@dataclass(frozen=True, slots=True)
class Replay:
    """A capture ready to be sent.

    Attributes:
        sides: one per mapped host, in the order of the mapping; `from` first, then `to`.
        refused: frames that can't be sent, by disposition (`NOT_IPV4`, `MALFORMED`,
            `BAD_CHECKSUM`).
        unmapped: good packets from or to a host nobody stands for.
        duration_ns: from the first packet of the replay to its last.
    """

    sides: tuple[ReplaySide, ...]
    refused: dict[Disposition, int]
    unmapped: int
    duration_ns: int


def plan_replay(
    capture: Capture,
    from_addr: int,
    to_addr: int,
    *,
    mapping: Mapping[int, int] | None = None,
    time_scale: Fraction | int = 1,
) -> Replay:
    """Map a capture onto instances.

    Without a mapping, the source of its first IPv4 packet from one host to another becomes
    `from_addr` and that packet's destination `to_addr`; packets of other hosts are counted and
    left out.

    Args:
        capture: as read.
        from_addr: of the instance that plays the first sender.
        to_addr: of the instance that plays its counterpart.
        mapping: address in the capture -> address of an instance, for any number of hosts;
            used instead of the two addresses.
        time_scale: gaps are multiplied by this, exactly (rounded down to the ns).

    Raises:
        CaptureError: no IPv4 packet in the capture, or none between two hosts.
        UsageError: the scaled replay would last longer than packet time can say.
    """
    parsed = parse_many(capture.packets)
    good = np.flatnonzero(parsed.dispositions == Disposition.IN_FLIGHT)
    if not len(good):
        raise CaptureError(capture.name, 0, "holds no IPv4 packet that could be replayed")
    if mapping is None:
        mapping = _first_pair(capture, parsed, good, from_addr, to_addr)
    known = np.array(sorted(mapping), np.int64)
    src, dst = parsed.batch["src"][good], parsed.batch["dst"][good]
    kept = good[np.isin(src, known) & np.isin(dst, known)]
    # A capture taken on several interfaces may step back in time; sending can't.
    kept = kept[np.argsort(capture.at_ns[kept], kind="stable")]
    at_ns = _scaled(capture.at_ns[kept], time_scale)
    rewritten = _rewritten(capture.packets.take(kept), parsed, kept, mapping)
    counts = np.bincount(parsed.dispositions, minlength=len(Disposition))
    return Replay(
        sides=tuple(_side(addr, mapping, parsed, kept, at_ns, rewritten) for addr in mapping),
        refused={Disposition(d): int(counts[d]) for d in np.flatnonzero(counts).tolist() if d},
        unmapped=len(good) - len(kept),
        duration_ns=int(at_ns[-1]) if len(at_ns) else 0,
    )


def _first_pair(capture: Capture, parsed: ParsedBatch, good: Ints, from_addr: int, to_addr: int) -> dict[int, int]:
    """The two ends of the first packet that goes from one host to another one, mapped."""
    src, dst = parsed.batch["src"][good], parsed.batch["dst"][good]
    between_hosts = np.flatnonzero((src != dst) & (src != 0) & (dst < FIRST_MULTICAST))
    if not len(between_hosts):
        raise CaptureError(capture.name, 0, "holds no packet from one host to another one")
    first = between_hosts[0]
    return {int(src[first]): from_addr, int(dst[first]): to_addr}


def _scaled(at_ns: Ints, time_scale: Fraction | int) -> Ints:
    """Times since the first, scaled by exact integer arithmetic."""
    since = at_ns - (at_ns[0] if len(at_ns) else 0)
    scale = Fraction(time_scale)
    if scale == 1:
        return since
    if scale < 0 or (len(since) and int(since[-1]) * scale > MAX_TIME_NS):
        raise UsageError(f"time scale {time_scale} makes the replay last longer than {MAX_TIME_NS} ns or run backwards")
    # Python integers: the product may pass 2^63 before the division.
    return np.array([at * scale.numerator // scale.denominator for at in since.tolist()], np.int64)


def _side(
    captured_addr: int, mapping: Mapping[int, int], parsed: ParsedBatch, kept: Ints, at_ns: Ints, packets: PackedPackets
) -> ReplaySide:
    mine = np.flatnonzero(parsed.batch["src"][kept] == captured_addr)
    batch = parsed.batch.take(kept[mine])
    batch.columns["src"][:] = mapping[captured_addr]
    batch.columns["dst"][:] = _mapped(batch["dst"], mapping)
    batch.columns["at_ns"][:] = at_ns[mine]
    batch.columns["sent_at_ns"][:] = at_ns[mine]
    batch.columns["seq"][:] = np.arange(len(mine))
    batch.columns["flags"][:] |= QUIET
    batch.columns["inst"][:] = -1
    payload_bytes = parsed.payload_bytes[kept[mine]]
    return ReplaySide(captured_addr, mapping[captured_addr], batch, packets.take(mine), payload_bytes)


def _mapped(addrs: Ints, mapping: Mapping[int, int]) -> Ints:
    """Each address replaced; all of them are in the mapping."""
    captured = np.array(sorted(mapping), np.int64)
    replayed = np.array([mapping[addr] for addr in captured.tolist()], np.int64)
    return replayed[np.searchsorted(captured, addrs)]


def _rewritten(packets: PackedPackets, parsed: ParsedBatch, kept: Ints, mapping: Mapping[int, int]) -> PackedPackets:
    """A copy of the packets with the mapped addresses, checksums patched."""
    buffer = packets.buffer.copy()
    src, dst = parsed.batch["src"][kept], parsed.batch["dst"][kept]
    new_src, new_dst = _mapped(src, mapping), _mapped(dst, mapping)
    before = words_of_addr(src) + words_of_addr(dst)
    after = words_of_addr(new_src) + words_of_addr(new_dst)
    for shift, at in zip((24, 16, 8, 0), range(4), strict=True):
        buffer[packets.offsets + 12 + at] = new_src >> shift & 0xFF
        buffer[packets.offsets + 16 + at] = new_dst >> shift & 0xFF
    _patch(buffer, packets.offsets + 10, before, after)
    header_bytes = parsed.batch["header_bytes"][kept].astype(np.int64)
    proto = parsed.batch["proto"][kept]
    is_first = parsed.batch["frag_offset"][kept] == 0
    for number, at in _CHECKSUM_AT.items():
        # The size too: bytes behind a short packet belong to the next record.
        ends = np.minimum(packets.captured, parsed.batch["size_bytes"][kept])
        rows = np.flatnonzero((proto == number) & is_first & (header_bytes + at + 2 <= ends))
        places = packets.offsets[rows] + header_bytes[rows] + at
        if number == PROTO_UDP:  # zero means "no checksum" and stays (RFC 768)
            present = (buffer[places] != 0) | (buffer[places + 1] != 0)
            rows, places = rows[present], places[present]
        _patch(buffer, places, before[rows], after[rows], zero_is_none=number == PROTO_UDP)
    return PackedPackets(buffer, packets.offsets, packets.captured, packets.lengths)


def _patch(buffer: NDArray[np.uint8], places: Ints, before: Ints, after: Ints, *, zero_is_none: bool = False) -> None:
    """Patch the checksums at `places` for words that summed to `before` and now to `after`."""
    old = buffer[places].astype(np.int64) << 8 | buffer[places + 1]
    new = patched_many(old, before, after)
    if zero_is_none:
        new[new == 0] = 0xFFFF
    buffer[places] = new >> 8
    buffer[places + 1] = new & 0xFF


def describe_unmapped(replay: Replay, capture: Capture) -> str:
    """One line about what the replay leaves out, "" when nothing."""
    parts = [f"{replay.unmapped} packets of other hosts"] if replay.unmapped else []
    parts += [f"{n} {disposition.symbol}" for disposition, n in replay.refused.items()]
    return f"{capture.name}: left out {', '.join(parts)}" if parts else ""


def hosts_of(capture: Capture) -> dict[str, int]:
    """How many good packets each host of a capture sent, most first: what a mapping may name."""
    parsed = parse_many(capture.packets)
    senders = parsed.batch["src"][parsed.dispositions == Disposition.IN_FLIGHT]
    addrs, counts = np.unique(senders, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {format_addr(addr): n for addr, n in zip(addrs[order].tolist(), counts[order].tolist(), strict=True)}
