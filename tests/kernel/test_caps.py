"""The cap on a router's egress: rate times time plus burst, in bytes of layer 2, and the rest is dropped there."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from typing import Any

import pytest

from netsim.kernel.journal import Deployed
from netsim.kernel.namespace import inside
from tests.clouds import two_vpcs
from tests.kernel.conftest import Build
from tests.kernel.prober import OPEN_PORT, Prober

pytestmark = [pytest.mark.netns, pytest.mark.slow]

UDP_SEGMENT = 103  # linux/udp.h
PAYLOAD_BYTES = 1472
FRAME_BYTES = PAYLOAD_BYTES + 28 + 14
TRAIN = 20
"""Datagrams in one send: single ones can't overload a fast bucket on a small machine."""


def qdisc(deployed: Deployed, ref: str) -> dict[str, Any]:
    """The token bucket's counters."""
    with inside(deployed.namespace_of(ref)):
        done = subprocess.run(["tc", "-j", "-s", "qdisc"], capture_output=True, text=True, check=True)
    return next(found for found in json.loads(done.stdout) if found["kind"] == "tbf")


def flood(deployed: Deployed, rate_bps: float, seconds: float) -> tuple[int, float]:
    """Send trains from web-1 to db-1 at a rate of layer 2; the frames sent and the time it took."""
    prober = Prober(deployed)
    interval_s = TRAIN * FRAME_BYTES * 8 / rate_bps
    with prober.socket("db-1") as receiver, prober.socket("web-1") as sender:
        receiver.bind(("", OPEN_PORT))
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("i", PAYLOAD_BYTES))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        target = (prober.address("db-1"), OPEN_PORT)
        begin = due = time.monotonic()
        trains = 0
        while (now := time.monotonic()) < begin + seconds:
            if now < due:
                time.sleep(due - now)
            sender.sendto(bytes(TRAIN * PAYLOAD_BYTES), target)
            trains += 1
            due += interval_s
        took_s = time.monotonic() - begin
        time.sleep(0.1)  # the queue holds 50 ms
    return trains * TRAIN, took_s


@pytest.mark.parametrize("mbps", [10, 100])
def test_twice_the_cap_passes_at_the_cap(build: Build, mbps: int) -> None:
    """All frames are either sent or dropped, and what is sent is rate x time + burst + queue, to 2 %."""
    deployed = build(two_vpcs(bandwidth_mbps=mbps, accounting="l2"))
    frames, took_s = flood(deployed, 2e6 * mbps, 2.0)
    counters = qdisc(deployed, "shop")
    # tc counts a dropped train as one; a train longer than the burst is cut before it is dropped.
    dropped = counters["drops"] * (TRAIN if counters["options"]["burst"] >= TRAIN * FRAME_BYTES else 1)
    assert counters["packets"] + dropped == frames
    allowed = mbps * 1e6 / 8 * took_s + counters["options"]["burst"]
    queue = 65_536 if mbps == 10 else mbps * 1_000_000 // 8 // 20
    assert 0.98 * allowed < counters["bytes"] < 1.02 * (allowed + queue)


def test_half_the_cap_passes_whole(build: Build) -> None:
    deployed = build(two_vpcs(bandwidth_mbps=100, accounting="l2"))
    frames, _ = flood(deployed, 50e6, 1.0)
    counters = qdisc(deployed, "shop")
    assert counters["drops"] == 0
    assert (counters["packets"], counters["bytes"]) == (frames, frames * FRAME_BYTES)


def test_a_policed_connection_keeps_nothing_waiting(build: Build) -> None:
    """Twice the cap: half of it goes, and the bucket never has more than one packet queued."""
    deployed = build(two_vpcs(bandwidth_mbps=20, accounting="l2", police=True))
    frames, took_s = flood(deployed, 40e6, 1.5)
    counters = qdisc(deployed, "shop")
    allowed = 20e6 / 8 * took_s + counters["options"]["burst"]
    assert counters["packets"] + counters["drops"] == frames
    assert 0.9 * allowed < counters["bytes"] < 1.02 * allowed
    assert counters["backlog"] == 0
