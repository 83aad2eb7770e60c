"""TCP from scapy: its client automaton, and handshakes by hand, against open and closed ports."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, TCP_client
from scapy.packet import Raw
from scapy.sendrecv import AsyncSniffer, send, sr1

import netsim
from netsim.controlplane.edit import CreateInstance
from netsim.lab import Lab
from netsim.units import NS_PER_S
from tests.clouds import DB_1, two_vpc_lab

ECHO = "10.1.0.30"


@pytest.fixture
def lab() -> Lab:
    """web-1 and, behind a connection, echo-1, which echoes at port 7."""
    lab = two_vpc_lab()
    lab.apply(CreateInstance("echo-1", "data/db", ECHO, listen=["tcp/7/echo"]))
    return lab


def received(link: Any, n_bytes: int) -> bytes:
    """So many bytes from a link of the client."""
    data = b""
    while len(data) < n_bytes:
        data += bytes(link.recv())
    return data


def wait_until_it_ends(link: Any) -> None:
    give_up = time.monotonic() + 20
    while link.atmt.isrunning() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not link.atmt.isrunning()


def test_the_client_connects_hears_its_echo_and_closes(lab: Lab) -> None:
    text = bytes(range(256)) * 20
    with netsim.scapy.attach(lab, "web-1"):
        sniffer = AsyncSniffer(filter="tcp")
        sniffer.start()
        link = TCP_client.tcplink(Raw, ECHO, 7)
        link.send(Raw(b"hello"))
        assert received(link, 5) == b"hello"
        link.send(Raw(text))
        assert received(link, len(text)) == text
        link.close()
        frames = sniffer.stop()
    flags = [(frame[IP].src == ECHO, str(frame[TCP].flags)) for frame in frames]
    assert flags[:3] == [(False, "S"), (True, "SA"), (False, "A")]
    assert flags[-3:] == [(False, "FA"), (True, "FA"), (False, "A")]
    for frame in frames:
        again = IP(bytes(frame[IP]))
        del again.chksum, again[TCP].chksum
        assert bytes(again) == bytes(frame[IP])
    assert lab.now_ns < NS_PER_S, "no time-out was waited for"
    assert lab.totals().in_flight == 0


@pytest.mark.slow
def test_tshark_follows_the_conversation_and_finds_no_fault(lab: Lab, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark")
    lab.capture("web-1", tmp_path / "talk.pcap")
    with netsim.scapy.attach(lab, "web-1"):
        link = TCP_client.tcplink(Raw, ECHO, 7)
        for word in (b"one ", b"two ", b"three " * 500):
            link.send(Raw(word))
            assert received(link, len(word)) == word
        link.close()
    lab.write_captures()
    run = ["tshark", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r", str(tmp_path / "talk.pcap")]
    expert, talk = (
        subprocess.run([*run, "-q", "-z", what], capture_output=True, text=True, check=True, timeout=60).stdout
        for what in ("expert", "follow,tcp,ascii,0")
    )
    assert not any(word in expert for word in ("Errors", "Warns", "etransmi", "uplicate")), expert
    assert talk.count("one two") + talk.count("one ") >= 2 and talk.count("three three") > 10


def test_the_client_gives_up_on_a_closed_port_and_on_silence(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        began = time.monotonic()
        for addr, port in ((DB_1, 81), ("192.168.0.99", 80)):
            link = TCP_client.tcplink(Raw, addr, port)
            wait_until_it_ends(link)
        assert time.monotonic() - began < 10
    assert lab.now_ns > 1.5 * NS_PER_S, "a second each, most of it packet time: the client's own time-out"


def test_a_handshake_by_hand(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        ip = IP(dst=ECHO)
        syn_ack = sr1(ip / TCP(sport=4000, dport=7, flags="S", seq=100), timeout=1, verbose=0)
        assert (str(syn_ack[TCP].flags), syn_ack[TCP].ack, dict(syn_ack[TCP].options)) == ("SA", 101, {"MSS": 1460})
        mine = {"sport": 4000, "dport": 7, "ack": syn_ack[TCP].seq + 1}
        send(ip / TCP(**mine, flags="A", seq=101), verbose=0)
        echo = sr1(ip / TCP(**mine, flags="PA", seq=101) / b"knock", timeout=1, verbose=0)
        assert (echo[TCP].ack, bytes(echo[TCP].payload)) == (106, b"knock")
        end = sr1(ip / TCP(**{**mine, "ack": echo[TCP].seq + 5}, flags="FA", seq=106), timeout=1, verbose=0)
        assert end[TCP].ack == 107 and end[TCP].flags.A


def test_a_reset_ends_the_conversation(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        ip, ports = IP(dst=DB_1), {"sport": 4000, "dport": 5432}
        syn_ack = sr1(ip / TCP(**ports, flags="S", seq=100), timeout=1, verbose=0)
        ack = syn_ack[TCP].seq + 1
        send(ip / TCP(**ports, flags="A", seq=101, ack=ack), verbose=0)
        send(ip / TCP(**ports, flags="R", seq=101), verbose=0)
        answer = sr1(ip / TCP(**ports, flags="PA", seq=101, ack=ack) / b"x", timeout=1, verbose=0)
        assert (str(answer[TCP].flags), answer[TCP].seq) == ("R", ack)


def test_a_syn_ack_that_nobody_acknowledges_comes_again(lab: Lab) -> None:
    """Time that passes because scapy waits is the time the other end sees."""
    with netsim.scapy.attach(lab, "web-1") as wire:
        sniffer = AsyncSniffer(filter="tcp and inbound")
        sniffer.start()
        send(IP(dst=DB_1) / TCP(sport=4000, dport=5432, flags="S", seq=100), verbose=0)
        wire.sleep(4)
        frames = sniffer.stop()
    assert [str(frame[TCP].flags) for frame in frames] == ["SA"] * 3
    assert [round(float(frame.time - frames[0].time)) for frame in frames] == [0, 1, 3]


def test_two_clients_at_once(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        links = [TCP_client.tcplink(Raw, ECHO, 7, sport=5000 + k) for k in range(2)]
        for k, link in enumerate(links):
            link.send(Raw(b"%d" % k * 100))
        assert [received(link, 100) for link in links] == [b"0" * 100, b"1" * 100]
        for link in links:
            link.close()


def test_a_program_that_leaves_its_client_open_ends(tmp_path: Path) -> None:
    program = tmp_path / "leaves_open.py"
    program.write_text(
        "import netsim\n"
        "from scapy.layers.inet import TCP_client\n"
        "from scapy.packet import Raw\n"
        "from tests.clouds import DB_1, two_vpc_lab\n"
        "with netsim.scapy.attach(two_vpc_lab(), 'web-1'):\n"
        "    link = TCP_client.tcplink(Raw, DB_1, 5432)\n"
        "    link.send(Raw(b'x'))\n"
    )
    root = str(Path(__file__).parents[2])
    ended = subprocess.run([sys.executable, str(program)], env={"PYTHONPATH": root}, timeout=60, check=False)
    assert ended.returncode == 0
