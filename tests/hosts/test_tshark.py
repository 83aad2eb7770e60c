"""tshark, which knows DNS and TCP, on a capture of both: names, codes, addresses, and nothing to complain of."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from netsim.controlplane.edit import CreateDnsRecord
from tests.clouds import WEB_1, two_vpc_lab

FIELDS = ("udp.port", "dns.qry.name", "dns.flags.rcode", "dns.a", "dns.count.answers", "_ws.expert.message")


def test_tshark_reads_the_questions_and_the_answers(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark")
    lab = two_vpc_lab()
    lab.apply(CreateDnsRecord("shop", "www.shop.local", WEB_1))
    lab.apply(*(CreateDnsRecord("shop", f"name-{k}.zone-{k}.shop.local", "192.168.0.99") for k in range(60)))
    lab.capture("web-1", tmp_path / "dns.pcap")
    lab.dig("web-1", "www.shop.local")
    lab.dig("web-1", "nowhere.local", is_tcp=True)
    lab.dig("web-1", "99.0.168.192.in-addr.arpa", "PTR", is_tcp=True)
    lab.advance(lab.now_ns + 1)
    lab.write_captures()
    command = ["tshark", "-n", "-r", str(tmp_path / "dns.pcap"), "-Y", "dns", "-T", "fields", "-E", "separator=|"]
    for option in ("ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"):
        command += ["-o", f"{option}:TRUE"]
    for field in FIELDS:
        command += ["-e", field]
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    shown = [line.split("|") for line in done.stdout.splitlines()]
    assert [(bool(udp), name, rcode, addr, n) for udp, name, rcode, addr, n, _ in shown] == [
        (True, "www.shop.local", "", "", "0"),
        (True, "www.shop.local", "0", WEB_1, "1"),
        (False, "nowhere.local", "", "", "0"),
        (False, "nowhere.local", "3", "", "0"),
        (False, "99.0.168.192.in-addr.arpa", "", "", "0"),
        (False, "99.0.168.192.in-addr.arpa", "0", "", "60"),
    ]
    assert not [line for line in shown if "alformed" in line[-1] or "hecksum" in line[-1]]
