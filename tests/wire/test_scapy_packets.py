from __future__ import annotations

import subprocess
import sys

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from scapy.plist import PacketList

from netsim.dataplane.disposition import Disposition
from netsim.errors import UsageError
from netsim.packet.parse import parse_ip
from netsim.prefix import parse_addr
from netsim.wire import scapy_packets
from netsim.wire.scapy_packets import ip_bytes_of, scapy_packet_of

WEB = parse_addr("10.0.0.10")
PING = IP(src="10.0.0.1", dst="10.1.0.2") / ICMP(id=7, seq=1) / b"data"


def test_an_ip_packet_is_its_bytes_and_back() -> None:
    (raw,) = ip_bytes_of(PING)
    assert raw == bytes(PING)
    assert scapy_packet_of(raw) == IP(bytes(PING))


@pytest.mark.parametrize("frame", [Ether() / PING, Ether() / Dot1Q(vlan=5) / PING])
def test_link_layers_are_stripped(frame: Ether) -> None:
    assert ip_bytes_of(frame) == [bytes(PING)]


def test_ethernet_padding_behind_a_dissected_packet_does_no_harm() -> None:
    frame = Ether(bytes(Ether() / PING) + bytes(20))
    (raw,) = ip_bytes_of(frame)
    assert raw is not None
    assert parse_ip(raw) == parse_ip(bytes(PING))


def test_lists_keep_their_order() -> None:
    other = IP(src="10.0.0.1", dst="10.1.0.3") / UDP()
    assert ip_bytes_of([PING, other]) == [bytes(PING), bytes(other)] == ip_bytes_of(PacketList([PING, other]))


def test_ranges_give_one_packet_each() -> None:
    found = ip_bytes_of(IP(src="10.0.0.1", dst="10.1.0.0/30", ttl=(1, 3)) / UDP(dport=[53, 80]))
    rows = [parse_ip(raw).row for raw in found]
    assert len({(row["dst"], row["ttl"], row["l4"]) for row in rows}) == 4 * 3 * 2


def test_a_source_left_open_is_the_sender_s_and_the_transport_checksum_follows() -> None:
    """scapy alone would ask this machine's routing table."""
    (raw,) = ip_bytes_of(IP(dst="10.1.0.2") / UDP(sport=5, dport=6) / b"x", src=WEB)
    assert raw == bytes(IP(src="10.0.0.10", dst="10.1.0.2") / UDP(sport=5, dport=6) / b"x")
    (raw,) = ip_bytes_of(Ether() / IP(dst="10.1.0.2") / TCP(dport=80), src=WEB)
    assert parse_ip(raw).row["src"] == WEB


def test_a_source_that_is_given_stays() -> None:
    (raw,) = ip_bytes_of(PING, src=WEB)
    assert parse_ip(raw).row["src"] == parse_addr("10.0.0.1")
    assert IP(bytes(PING)).src == "10.0.0.1"


def test_the_caller_s_packet_is_left_alone() -> None:
    packet = IP(dst="10.1.0.2") / UDP()
    ip_bytes_of(packet, src=WEB)
    assert "src" not in packet.fields


@pytest.mark.parametrize("frame", [Ether() / ARP(), ARP(), Ether() / IPv6(dst="::1")])
def test_what_carries_no_ipv4_is_none(frame: Ether) -> None:
    assert ip_bytes_of(frame) == [None]
    assert parse_ip(None).disposition is Disposition.NOT_IPV4


def test_raw_bytes_are_taken_as_a_packet() -> None:
    """So a malformed packet can be sent on purpose."""
    (raw,) = ip_bytes_of(Raw(b"\x45junk"))
    assert parse_ip(raw).disposition is Disposition.MALFORMED


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (5, "a int is no scapy packet"),
        ("IP()", "a str is no scapy packet"),
        ([PING, None], "a list is no scapy packet"),
        (IP(dst="10.1.0.2", ttl=300), "scapy can't build"),
        (IP(dst="10.1.0.2") / UDP(len="long"), "scapy can't build"),
    ],
)
def test_what_can_t_be_sent_is_refused_in_one_line(given_: object, text: str) -> None:
    with pytest.raises(UsageError, match=text) as refused:
        ip_bytes_of(given_)
    assert "\n" not in str(refused.value)


def test_the_packets_one_may_expand_to_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scapy_packets, "MAX_PACKETS", 100)
    assert len(ip_bytes_of(IP(src="10.0.0.1", dst="10.1.0.2", ttl=(1, 100)))) == 100
    with pytest.raises(UsageError, match="more than 100 packets"):
        ip_bytes_of(IP(src="10.0.0.1", dst="10.0.0.0/8"))


def test_importing_the_wire_package_loads_no_scapy() -> None:
    code = "import sys, netsim.wire.scapy_packets, netsim.wire.replay; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
