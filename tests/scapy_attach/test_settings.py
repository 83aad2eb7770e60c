"""What attach changes in scapy, it puts back; and it is one attachment at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import scapy.automaton
import scapy.base_classes
import scapy.interfaces
import scapy.layers.l2
import scapy.route
import scapy.sendrecv
from scapy.config import conf
from scapy.layers.inet import ICMP, IP
from scapy.utils import rdpcap

import netsim
from netsim.controlplane.inventory import Inventory
from netsim.emulator import Emulator
from netsim.errors import NotFoundError, UsageError
from netsim.lab import Lab
from tests.cli_process import ROOT
from tests.clouds import DB_1, two_vpc_lab, two_vpcs


def settings() -> dict[str, Any]:
    """Everything that attach touches, by identity."""
    held = {
        f"conf.{name}": getattr(conf, name)
        for name in ("L3socket", "L3socket6", "L2socket", "L2listen", "route", "route6", "iface", "ifaces", "verb")
    }
    return held | {
        "ifaces": scapy.interfaces.ifaces,
        "IFACES": scapy.interfaces.IFACES,
        "time": scapy.sendrecv.time,
        "automaton.time": scapy.automaton.time,
        "handler": scapy.sendrecv.SndRcvHandler,
        "arp": scapy.layers.l2._arp_cache,
        "name2addr": scapy.base_classes.Net.__dict__["name2addr"],
        "name2addr6": scapy.base_classes.Net.name2addr.__func__,
    }


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def test_settings_are_put_back(lab: Lab) -> None:
    before = settings()
    with netsim.scapy.attach(lab, "web-1"):
        during = settings()
        scapy.sendrecv.sr1(IP(dst=DB_1) / ICMP(), timeout=1, verbose=0)
    after = settings()
    assert all(after[name] is before[name] for name in before)
    changed = {name for name in before if during[name] is not before[name]}
    assert changed == set(before) - {"conf.route6", "conf.verb"}
    assert scapy.sendrecv.time is time


def test_settings_are_put_back_after_an_exception(lab: Lab) -> None:
    before = settings()
    with pytest.raises(ZeroDivisionError), netsim.scapy.attach(lab, "web-1"):
        raise ZeroDivisionError
    assert all(value is before[name] for name, value in settings().items())
    with netsim.scapy.attach(lab, "web-1"):
        pass


def test_a_setting_that_fails_leaves_none_changed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings()
    monkeypatch.setattr("netsim.scapy._clock", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), netsim.scapy.attach(lab, "web-1"):
        pass
    assert all(value is before[name] for name, value in settings().items())
    monkeypatch.undo()
    with netsim.scapy.attach(lab, "web-1"):
        pass


def test_a_second_attachment_is_refused_in_one_line(lab: Lab) -> None:
    other = two_vpc_lab()
    with netsim.scapy.attach(lab, "web-1"):
        for emulator, name in ((lab, "db-1"), (other, "web-2")):
            with (
                pytest.raises(UsageError, match="attached to web-1 already") as refused,
                netsim.scapy.attach(emulator, name),
            ):
                pass
            assert "\n" not in str(refused.value)
        assert IP(dst=DB_1).src == "192.168.0.10"
        assert scapy.sendrecv.sr1(IP(dst=DB_1) / ICMP(), timeout=1, verbose=0) is not None
    with netsim.scapy.attach(other, "web-2"):
        assert IP(dst=DB_1).src == "192.168.0.11"


def test_one_after_the_other_on_one_lab(lab: Lab) -> None:
    for name, addr in (("web-1", "192.168.0.10"), ("db-1", "10.1.0.20"), ("web-1", "192.168.0.10")):
        with netsim.scapy.attach(lab, name):
            answer = scapy.sendrecv.sr1(IP(dst="192.168.0.11") / ICMP(), timeout=1, verbose=0)
            assert answer.dst == addr


def test_an_emulator_without_a_lab_will_do() -> None:
    from netsim.scapy import attach

    emulator = Emulator(two_vpcs())
    with attach(emulator, "shop/web-1"):
        assert scapy.sendrecv.sr1(IP(dst=DB_1) / ICMP(), timeout=1, verbose=0).src == DB_1


def test_bad_arguments_are_refused(lab: Lab) -> None:
    with pytest.raises(NotFoundError, match="web-9"):
        netsim.scapy.attach(lab, "web-9")
    with pytest.raises(UsageError, match="got a Inventory"):
        netsim.scapy.attach(Inventory(), "web-1")  # type: ignore[arg-type]


def test_interfaces_of_this_machine_are_out_of_reach(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        assert list(conf.ifaces) == ["eth0"]
        with pytest.raises(ValueError, match="lo"):
            scapy.sendrecv.sniff(iface="lo", timeout=1)
        assert len(scapy.sendrecv.sniff(iface="eth0", timeout=1)) == 0


def test_after_the_block_nothing_can_be_sent_over_it(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        wire = conf.L3socket()
    with pytest.raises(UsageError, match="no longer attached to web-1"):
        wire.send(IP(dst=DB_1) / ICMP())
    with pytest.raises(EOFError):
        wire.recv()
    wire.close()


def test_a_capture_begun_inside_goes_on_after_the_block(lab: Lab, tmp_path: Path) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        lab.capture("web-1", tmp_path / "web.pcap")
        scapy.sendrecv.sr1(IP(dst=DB_1) / ICMP(), timeout=1, verbose=0)
    lab.ping("web-1", "db-1")
    lab.write_captures()
    assert len(rdpcap(str(tmp_path / "web.pcap"))) == 4


def test_no_threads_and_no_descriptors_are_left(lab: Lab) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with netsim.scapy.attach(lab, "web-1"):
        scapy.sendrecv.sr1(IP(dst=DB_1) / ICMP(), timeout=1, verbose=0)
    threads, before = threading.active_count(), descriptors()
    for _ in range(5):
        with netsim.scapy.attach(lab, "web-1"):
            scapy.sendrecv.sr1(IP(dst=DB_1) / ICMP(), timeout=1, verbose=0)
            scapy.sendrecv.send(IP(dst=DB_1) / ICMP(), verbose=0)
            sniffer = scapy.sendrecv.AsyncSniffer()
            sniffer.start()
            scapy.sendrecv.send(IP(dst=DB_1) / ICMP(), verbose=0)
            sniffer.stop()
    assert threading.active_count() == threads
    assert descriptors() <= before + 2  # scapy closes its control pipe when it is collected


SCRIPT = """
import netsim
lab = netsim.load("topologies/two-vpcs-one-account.netsim.yaml")
with netsim.scapy.attach(lab, "web-1"):
    from scapy.all import *
    answer = sr1(IP(dst="db-1")/ICMP(), timeout=2)
    print(answer.summary())
    ans, unans = srloop(IP(dst="db-1")/ICMP(), count=2)
    send(IP(dst="db-1")/TCP(dport=1), loop=1, count=2)
    print(sr1(IP(dst="172.31.0.1")/ICMP(), timeout=2).summary())
    print(len(sniff(timeout=30)), conf.iface)
"""


GUARD = """
import socket, sys

def refuse(event, args):
    if event == "socket.__new__" and (args[1] == socket.AF_PACKET or args[1:3] == (socket.AF_INET, socket.SOCK_RAW)):
        raise PermissionError(f"a real socket: {args}")
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "subprocess.Popen"):
        raise PermissionError(f"{event} {args}")
"""


@pytest.mark.slow
def test_a_script_as_people_write_them_runs_without_a_real_socket() -> None:
    """A process of its own, where any socket onto a wire raises; it ends by itself."""
    # The guard comes after scapy has read the machine's own interfaces, as it does when imported.
    guarded = SCRIPT.replace("    answer =", "    sys.addaudithook(refuse)\n    answer =")
    done = subprocess.run(
        [sys.executable, "-c", GUARD + guarded], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "echo-reply" in done.stdout and "network-unreachable" in done.stdout
    assert done.stdout.rstrip().endswith("0 eth0")
    assert "Error" not in done.stderr
