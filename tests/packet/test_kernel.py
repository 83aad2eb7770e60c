"""Errors and replies byte for byte as the Linux kernel sends them.

A client, a router and a server are namespaces; the client sends probes, and what comes back is
compared with what `render` makes of the row our engine would have. The whole packet must be
equal, apart from what is copied over from the kernel's packet or left out of the comparison:

* ident: Linux counts or draws it; ours is the cause's, so that a run repeats.
* don't-fragment on a TCP reset: Linux sets it; our answers never do.
* the quoted TTL of 3/1: Linux looks for the neighbour after it has taken one off the TTL, and
  quotes that; we quote the packet as received (RFC 1812 section 4.3.2.3).

Not compared: SYN-ACKs (Linux adds TCP options), errors about packets with IP options (Linux
answers with options of its own), and 3/4 with RFC 4884 extensions, which Linux sends none of.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment

from netsim.dataplane.batch import (
    ACK,
    DF,
    ERROR,
    MF,
    PROTO_ICMP,
    PROTO_TCP,
    REPLY,
    RST,
    pack_error,
    pack_icmp,
    pack_tcp,
)
from netsim.packet.answer import error_bytes
from netsim.packet.parse import parse_ip
from netsim.packet.reassembly import reassemble
from netsim.packet.render import render
from netsim.prefix import parse_addr
from tests.namespaces import Namespaces

CLIENT, ROUTER, SERVER = "10.77.1.2", "10.77.1.1", "10.77.2.2"
NOBODY, NOWHERE = "10.77.2.99", "203.0.113.9"
NARROW_MTU = 1280

pytestmark = pytest.mark.netns


@dataclass(frozen=True)
class Probe:
    """What is sent, and the row of the answer: from whom, its role, protocol and l4, its TTL as it arrives."""

    sent: bytes
    src: str
    role: int
    l4: int
    ttl: int = 64
    proto: int = PROTO_ICMP
    mtu_bytes: int = 0

    def row(self, kernel: dict[str, int], size_bytes: int) -> dict[str, int]:
        """The answer's row; ident, DF and which fragment it is come from the kernel's packet."""
        return {
            "src": parse_addr(self.src),
            "dst": parse_addr(CLIENT),
            "size_bytes": size_bytes,
            "ttl": self.ttl,
            "proto": self.proto,
            "l4": self.l4,
            "flags": kernel["flags"],
            "frag_offset": kernel["frag_offset"],
            "ident": kernel["ident"],
            "header_bytes": 20,
            "flow": 0,
            "seq": 0,
            "role": self.role,
        }


def packet(dst: str, body: object, **fields: object) -> bytes:
    return bytes(IP(**{"src": CLIENT, "dst": dst, "id": 4242, "ttl": 64, **fields}) / body)


def error(sent: bytes, src: str, kind: tuple[int, int], *, quoted_ttl: int, ttl: int = 64, mtu_bytes: int = 0) -> Probe:
    """A probe that calls for an ICMP error."""
    more = 1 if parse_ip(sent).row["flags"] & MF else 0
    return Probe(sent, src, ERROR, pack_error(*kind, mtu_bytes, quoted_ttl, len(sent), more), ttl)


UDP_SMALL = UDP(sport=4000, dport=9) / b"probe"
UDP_LARGE = UDP(sport=4000, dport=9) / (bytes(range(256)) * 5)
FIRST_PIECE = bytes(fragment(IP(packet(SERVER, UDP_LARGE, ttl=1)), fragsize=800)[0])
SYN_TO_CLOSED = packet(SERVER, TCP(sport=4000, dport=81, seq=77, flags="S"), tos=0x28)
ACK_TO_CLOSED = packet(SERVER, TCP(sport=4001, dport=81, seq=77, ack=1234, flags="A") / b"x")
ECHO_LARGE = packet(SERVER, ICMP(id=7, seq=3) / (bytes(range(256)) * 11))

PROBES = {
    "11/0": error(packet(SERVER, UDP_SMALL, ttl=1), ROUTER, (11, 0), quoted_ttl=1),
    "11/0 with a TOS": error(packet(SERVER, UDP_SMALL, ttl=1, tos=0x2A), ROUTER, (11, 0), quoted_ttl=1),
    "11/0 about a large packet": error(packet(SERVER, UDP_LARGE, ttl=1), ROUTER, (11, 0), quoted_ttl=1),
    "11/0 about a first fragment": error(FIRST_PIECE, ROUTER, (11, 0), quoted_ttl=1),
    "11/0 about TCP": error(packet(SERVER, TCP(dport=80), ttl=1), ROUTER, (11, 0), quoted_ttl=1),
    "11/0 about an echo": error(packet(SERVER, ICMP(id=1, seq=2) / b"x", ttl=1), ROUTER, (11, 0), quoted_ttl=1),
    "3/0": error(packet(NOWHERE, UDP_SMALL), ROUTER, (3, 0), quoted_ttl=64),
    "3/0 before the TTL is looked at": error(packet(NOWHERE, UDP_SMALL, ttl=1), ROUTER, (3, 0), quoted_ttl=1),
    "3/1": error(packet(NOBODY, UDP_SMALL), ROUTER, (3, 1), quoted_ttl=63),
    "3/2": error(packet(SERVER, b"whatever", proto=253), SERVER, (3, 2), quoted_ttl=63, ttl=63),
    "3/3": error(packet(SERVER, UDP_SMALL, flags="DF"), SERVER, (3, 3), quoted_ttl=63, ttl=63),
    "3/3 of the router": error(packet("10.77.2.1", UDP_SMALL, ttl=1), "10.77.2.1", (3, 3), quoted_ttl=1),
    "3/4": error(packet(SERVER, UDP_LARGE, flags="DF"), ROUTER, (3, 4), quoted_ttl=64, mtu_bytes=NARROW_MTU),
    "echo reply": Probe(packet(SERVER, ICMP(id=7, seq=3) / b"data!"), SERVER, REPLY, pack_icmp(0, 0, 7, 3), 63),
    "echo reply with a TOS": Probe(
        packet(SERVER, ICMP(id=7, seq=3) / b"data", tos=0x28), SERVER, REPLY, pack_icmp(0, 0, 7, 3), 63
    ),
    "echo reply in fragments": Probe(ECHO_LARGE, SERVER, REPLY, pack_icmp(0, 0, 7, 3), 63),
    "RST|ACK": Probe(SYN_TO_CLOSED, SERVER, REPLY, pack_tcp(81, 4000, RST | ACK), 63, PROTO_TCP),
    "RST": Probe(ACK_TO_CLOSED, SERVER, REPLY, pack_tcp(81, 4001, RST), 63, PROTO_TCP),
}


@pytest.fixture
def from_kernel(netns: Namespaces) -> Callable[[dict[str, list[bytes]], dict[str, int]], dict[str, list[bytes]]]:
    """Sends packets from the client and gives back what the kernels answer."""
    to_router, _ = netns.cable("client", f"{CLIENT}/24", "router", f"{ROUTER}/24")
    to_server, to_router_too = netns.cable("router", "10.77.2.1/24", "server", f"{SERVER}/24")
    for host, command in [
        ("client", f"ip route add default via {ROUTER}"),
        ("server", "ip route add default via 10.77.2.1"),
        ("router", f"ip link set {to_server} mtu {NARROW_MTU}"),
        ("server", f"ip link set {to_router_too} mtu {NARROW_MTU}"),
        ("router", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
        # No type of error is rationed. (icmp_ratelimit = 0 would starve 3/0, which has a ration of its own.)
        ("router", "echo 0 > /proc/sys/net/ipv4/icmp_ratemask"),
        ("server", "echo 0 > /proc/sys/net/ipv4/icmp_ratemask"),
        # An unanswered neighbour is given up after three of these, not after three seconds.
        ("router", f"echo 50 > /proc/sys/net/ipv4/neigh/{to_server}/retrans_time_ms"),
    ]:
        done = netns.run(host, "sh", "-c", command)
        assert done.returncode == 0, done.stderr

    def ask(packets: dict[str, list[bytes]], answers: dict[str, int]) -> dict[str, list[bytes]]:
        probes = [{"packets": [raw.hex() for raw in packets[name]], "answers": answers[name]} for name in packets]
        script = Path(__file__).with_name("kernel_probe.py")
        quoted = json.dumps(probes)
        done = netns.run("client", "sh", "-c", f"echo '{quoted}' | {sys.executable} {script} {to_router}")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return {name: [bytes.fromhex(text) for text in texts] for name, texts in zip(packets, found, strict=True)}

    return ask


def rendered(row: dict[str, int], sent: bytes) -> bytes:
    return render(row, lambda _flow, _seq: sent)


def pieces(raw: bytes, mtu_bytes: int) -> list[bytes]:
    """The packet in the fragments that fit, itself if it does."""
    return [bytes(piece) for piece in fragment(IP(raw), fragsize=(mtu_bytes - 20) // 8 * 8)]


@pytest.mark.slow
def test_every_answer_is_the_kernel_s_to_the_byte(
    from_kernel: Callable[[dict[str, list[bytes]], dict[str, int]], dict[str, list[bytes]]],
) -> None:
    sent = {
        name: [probe.sent] if "large" in name or "3/4" in name else pieces(probe.sent, 1500)
        for name, probe in PROBES.items()
    }
    n_answers = {name: 3 if name == "echo reply in fragments" else 1 for name in PROBES}
    answered = from_kernel(sent, n_answers)
    for name, probe in PROBES.items():
        assert len(answered[name]) == n_answers[name], name
        for answer in answered[name]:
            kernel = parse_ip(answer).row
            row = probe.row(kernel, len(answer))
            assert rendered(row, probe.sent).hex() == answer.hex(), name
            if probe.role == ERROR:
                assert len(answer) == error_bytes(len(probe.sent)), name
            assert kernel["flags"] & DF == (DF if probe.proto == PROTO_TCP else 0), name
    whole = reassemble(answered["echo reply in fragments"])
    assert whole is not None and len(whole) == len(ECHO_LARGE)
