"""Capture filters say what libpcap's own say: tcpdump reads the same frames with the same filter."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap

from netsim.errors import UsageError
from netsim.wire.capture_filter import compile_filter
from netsim.wire.link_layer import Frame

WEB, DB = "192.168.0.10", "10.1.0.20"
PACKETS = [
    IP(src=WEB, dst=DB) / ICMP(id=1),
    IP(src=DB, dst=WEB, ttl=3) / ICMP(type=0, id=1),
    IP(src="192.168.0.1", dst=WEB) / ICMP(type=11) / IP(src=WEB, dst=DB) / UDP(dport=53),
    IP(src=WEB, dst=DB) / TCP(sport=4000, dport=80, flags="S"),
    IP(src=DB, dst=WEB) / TCP(sport=80, dport=4000, flags="SA"),
    IP(src=DB, dst=WEB) / TCP(sport=80, dport=4000, flags="RA"),
    IP(src=WEB, dst=DB) / TCP(sport=4000, dport=443, flags="PA") / b"GET /",
    IP(src=WEB, dst=DB) / UDP(sport=5005, dport=53) / (b"x" * 40),
    IP(src=WEB, dst="10.2.0.7", options=[]) / UDP(sport=53, dport=5010) / (b"x" * 1200),
    *fragment(IP(src=WEB, dst=DB, id=7) / UDP(sport=9, dport=5007) / (b"f" * 3000), 1480),
    IP(src=WEB, dst=DB, proto=47) / Raw(b"\0" * 20),
    ARP(op="who-has", psrc=WEB, pdst="192.168.0.1"),
    ARP(op="is-at", psrc="192.168.0.1", pdst=WEB),
]
FILTERS = """
ip | arp | icmp | tcp | udp | not arp | ! tcp | ip proto 47 | ip proto \\icmp | proto 17
host 10.1.0.20 | src host 192.168.0.10 | dst 192.168.0.10 | src or dst host 10.2.0.7 | src and dst host 10.1.0.20
arp host 192.168.0.1 | ip host 192.168.0.1 | net 10 | net 10.1 | net 10.1.0.0/16 | dst net 10.2.0.0 mask 255.255.0.0
port 53 | src port 53 | dst port 80 | tcp port 80 | udp dst port 53 | portrange 5000-5006 | udp portrange 5000-5010
tcp src portrange 80-443 | port 80 or 443 | tcp port 80 or 443 | host 10.2.0.7 or 192.168.0.1 | tcp or udp and port 53
icmp or tcp and port 443 | not icmp and not arp | not (icmp or arp) | (tcp and port 80) or (udp and port 53)
tcp[13] & 2 != 0 | tcp[tcpflags] == tcp-syn | tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack) | tcp[13]=0x14
icmp[0]=11 | icmp[icmptype] = icmp-echo | icmp[icmptype] != icmp-echoreply | ip[8] < 5 | ip[2:2] > 1000
ip[6:2] & 0x1fff != 0 | ip[0] & 0xf = 5 | udp[4:2] - 8 > 100 | tcp[2:2] = 80 | len > 1000 | less 60 | greater 100
tcp[tcpflags] & tcp-rst != 0 and src host 10.1.0.20 | ip[12:4] = 0x0a010014 | 1 = 1 | (len + 2) * 2 < 100
tcp[100] = 0 | tcp[100] = 0 or icmp | icmp or tcp[100] = 0 | udp[8] = 120 | ip[9] = 1 || ip[9] = 6 && tcp[2:2] = 443
(icmp and (icmp[0]=3 or icmp[0]=4 or icmp[0]=5 or icmp[0]=11 or icmp[0]=12)) or (tcp and (tcp[13] & 0x16 > 0x10))
host 192.168.0.10  and host 10.1.0.20 and port 4000 and port 80
"""


def frames() -> list[Frame]:
    """PACKETS as frames."""
    return [
        Frame(0, False, bytes(6), bytes(6), 0x806 if isinstance(packet, ARP) else 0x800, bytes(packet))
        for packet in PACKETS
    ]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("tcpdump") is None:
        pytest.skip("no tcpdump")
    path = tmp_path_factory.mktemp("filter") / "frames.pcap"
    # The index in the hardware address says which ones a filter let through.
    wrpcap(str(path), [Ether(dst=f"02:00:00:00:00:{k:02x}", src="02::1") / p for k, p in enumerate(PACKETS)])
    return path


@pytest.mark.parametrize("text", [text.strip() for line in FILTERS.strip().splitlines() for text in line.split(" | ")])
def test_it_passes_what_libpcap_passes(text: str, capture: Path, tmp_path: Path) -> None:
    out = tmp_path / "passed.pcap"
    subprocess.run(["tcpdump", "-r", str(capture), "-w", str(out), text], check=True, capture_output=True, timeout=30)
    wanted = [int(frame.dst[-2:], 16) for frame in rdpcap(str(out))]
    passes = compile_filter(text)
    assert [k for k, frame in enumerate(frames()) if passes(frame)] == wanted


@pytest.mark.parametrize(("text", "passed"), [("", 15), ("  ", 15), ("inbound", 15), ("outbound", 0), ("icmp", 3)])
def test_it_needs_no_libpcap(text: str, passed: int) -> None:
    assert sum(map(compile_filter(text), frames())) == passed


@pytest.mark.parametrize(
    "text",
    [
        "nonsense", "tcp port", "host", "port http", "host db-1", "tcp port 80 and", "(icmp", "icmp)", "tcp[13",
        "tcp[] = 1", "tcp[0:3] = 1", "net 10.0.0.0/33", "ether host 02:00:00:00:00:01", "tcp[13] &", "and", "80",
        "port 80 81 82", "tcp[13] ==", "(" * 50 + "icmp",
    ],
)  # fmt: skip
def test_what_it_can_not_read_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="can't read") as refused:
        compile_filter(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("word", ["(", "not ", "! "])
def test_deep_nesting_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="more than 100"):
        compile_filter(word * 100_000 + "icmp")
