"""dig: a DNS query from an instance, and what its resolver answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from netsim.dataplane.batch import ERROR, PROTO_UDP, REPLY
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.errors import UsageError
from netsim.hosts.dns_message import TC_BIT
from netsim.hosts.dns_stream import DnsStream, framed
from netsim.hosts.resolver import PORT
from netsim.packet.answer import udp_datagram
from netsim.packet.header import header_of
from netsim.packet.parse import MIN_HEADER_BYTES, UDP_HEADER_BYTES
from netsim.packet.reassembly import Reassembler
from netsim.packet.sent import take_apart
from netsim.prefix import parse_addr
from netsim.probe.dns_text import DnsData, DnsText, read_message, write_query
from netsim.probe.journal import Probe
from netsim.probe.tcp_client import FAILURES, TIMED_OUT, TcpClient
from netsim.units import NS_PER_S

TRIES = 3
TIMEOUT_NS = 5 * NS_PER_S
MAX_TRIES = 100
FIRST_PORT, N_PORTS = 49_152, 16_384
"""Where clients ask from: the dynamic ports (RFC 6335 section 6)."""


@dataclass(frozen=True, slots=True)
class DigResult:
    """What became of a query.

    Attributes:
        server_addr: whom it was sent to.
        transport: `udp` or `tcp`, of the answer.
        query: the DNS message that was sent.
        failures: why each try before the answer had none: `timed out`, `connection refused`, …
        was_truncated: the answer over UDP was (TC), so that TCP was asked again.
        raw: the DNS message that came back, None if none did.
        rtt_ns: from the query to the answer, packet time; over TCP from when the conversation stood.
        answered_at_ns: packet time.
    """

    server_addr: int
    transport: str
    query: bytes
    failures: tuple[str, ...]
    was_truncated: bool
    raw: bytes | None
    rtt_ns: int | None
    answered_at_ns: int | None

    @property
    def message(self) -> DnsText | None:
        """The answer, read."""
        return None if self.raw is None else read_message(self.raw)

    @property
    def rcode(self) -> str | None:
        """`NOERROR`, `NXDOMAIN`, … None if nobody answered."""
        message = self.message
        return None if message is None else message.rcode

    @property
    def answers(self) -> tuple[DnsData, ...]:
        """The records of the answer section."""
        message = self.message
        return () if message is None else message.answers

    @property
    def addrs(self) -> tuple[int, ...]:
        """The addresses of the A records."""
        return tuple(parse_addr(record.data) for record in self.answers if record.rtype == "A")


class Tried(NamedTuple):
    """One query: why there is no answer, or the answer, when it was asked for and when it came."""

    failure: str
    raw: bytes | None = None
    asked_ns: int = -1
    at_ns: int = -1


def dig(
    emulator: Emulator,
    from_id: str,
    name: str,
    rtype: str = "A",
    *,
    rclass: str = "IN",
    server_addr: int | None = None,
    edns_bytes: int | None = 1232,
    is_tcp: bool = False,
    may_retry_in_tcp: bool = True,
    timeout_ns: int = TIMEOUT_NS,
    tries: int = TRIES,
) -> DigResult:
    """Ask for records of a name; wait for the answer, and ask again if none comes.

    Args:
        emulator: where.
        from_id: the instance that asks.
        name: taken as it is: no search list.
        rtype: of the records.
        rclass: nearly always IN.
        server_addr: whom to ask; the resolver in the instance's own subnet if not given.
        edns_bytes: see `write_query`.
        is_tcp: ask over TCP.
        may_retry_in_tcp: ask over TCP when the answer over UDP is truncated.
        timeout_ns: of each try.
        tries: at most this many queries.

    Raises:
        InvalidError: no domain name.
        UsageError: no such type or class; time-out or tries outside what is accepted.
    """
    if not 1 <= tries <= MAX_TRIES:
        raise UsageError(f"dig: tries are {tries}, accepted 1..{MAX_TRIES}")
    if timeout_ns <= 0:
        raise UsageError("dig: the time-out must be more than 0")
    query = write_query(name, rtype, rclass, at_ns=emulator.now_ns, edns_bytes=edns_bytes)
    instance = emulator.inventory.instances[from_id]
    server = emulator.inventory.subnets[instance.subnet_id].resolver_addr if server_addr is None else server_addr
    failures: list[str] = []
    was_truncated = False
    while len(failures) < tries:
        start_ns = emulator.now_ns
        ask = _ask_over_tcp if is_tcp else _ask
        failure, raw, asked_ns, at_ns = ask(emulator, from_id, instance.addr, server, query, timeout_ns)
        if raw is not None and not is_tcp and may_retry_in_tcp and int.from_bytes(raw[2:4], "big") & TC_BIT:
            is_tcp = was_truncated = True
        elif raw is not None:
            transport = "tcp" if is_tcp else "udp"
            return DigResult(server, transport, query, tuple(failures), was_truncated, raw, at_ns - asked_ns, at_ns)
        else:
            failures.append(failure)
            if len(failures) < tries and failure == TIMED_OUT:
                emulator.advance(max(start_ns + timeout_ns, emulator.now_ns))
    return DigResult(server, "tcp" if is_tcp else "udp", query, tuple(failures), was_truncated, None, None, None)


def _ask(emulator: Emulator, from_id: str, src: int, server: int, query: bytes, timeout_ns: int) -> Tried:
    """Send the query once, over UDP."""
    ident = int.from_bytes(query[:2], "big")
    src_port = FIRST_PORT + ident % N_PORTS
    body = udp_datagram(src, server, src_port, PORT, query)
    head = header_of(size_bytes=MIN_HEADER_BYTES + len(body), ident=ident, ttl=64, proto=PROTO_UDP, src=src, dst=server)
    asked_ns = emulator.now_ns
    probe = Probe(emulator, [head + body], from_id)
    probe.wait(emulator.now_ns + timeout_ns)
    inst = emulator.compiler.inst_of[from_id]
    whole = Reassembler()
    failure = TIMED_OUT
    for record in probe.records[probe.seqs[0]]:
        row = record.row
        if record.disposition is not Disposition.DELIVERED or record.b != inst:
            continue
        if row["role"] == ERROR:
            failure = FAILURES.get((row["l4"] & 0xFF, row["l4"] >> 8 & 0xFF), failure)
        elif row["role"] == REPLY:
            sent = take_apart(whole.add(emulator.bytes_of(row)) or b"")
            if sent is not None and sent.proto == PROTO_UDP:
                return Tried("", sent.body[UDP_HEADER_BYTES:], asked_ns, record.at_ns)
    return Tried(failure)


def _ask_over_tcp(emulator: Emulator, from_id: str, src: int, server: int, query: bytes, timeout_ns: int) -> Tried:
    """As `_ask`, in a conversation of its own, from the next port."""
    del src
    client = TcpClient(emulator, from_id, (server, PORT), FIRST_PORT + (emulator.now_ns + query[1]) % N_PORTS)
    heard = client.exchange(framed(query), lambda data: bool(DnsStream().take(data)), timeout_ns)
    if heard.failure:
        return Tried(heard.failure)
    return Tried("", DnsStream().take(heard.data)[0], heard.said_at_ns, heard.at_ns)
