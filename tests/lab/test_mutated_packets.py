"""Damaged packets: whatever is sent, nothing raises, and every packet ends in exactly one disposition."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scapy.layers.inet import IP

from netsim.controlplane.edit import CreateRoute
from netsim.dataplane.disposition import FATES, Disposition
from netsim.lab import Lab
from netsim.packet.parse import parse_ip
from tests.clouds import DATA_ROUTER, DB_1, DESK_1, WEB_1, WEB_2, two_vpc_lab
from tests.packet.sample_packets import mutated, random_scapy_packets

DESTINATIONS = (DB_1, DB_1, DB_1, WEB_2, DESK_1, DATA_ROUTER, "10.1.0.99", "10.1.0.255", "203.0.113.9", "10.9.0.1")


@cache
def sound_packets() -> tuple[bytes, ...]:
    packets = []
    for k, packet in enumerate(random_scapy_packets(1000, 11)):
        packet[IP].dst = DESTINATIONS[k % len(DESTINATIONS)]
        packet[IP].src = WEB_1
        if k % 3:
            packet[IP].frag, packet[IP].ttl = 0, 64
        packets.append(bytes(packet))
    return tuple(packets)


def make_lab() -> Lab:
    lab = two_vpc_lab(mtu_bytes=600, bandwidth_mbps=1000)
    lab.apply(CreateRoute("shop", "0.0.0.0/0", "10.9.0.0/16", "blackhole"))
    return lab


def assert_all_accounted(lab: Lab, n_sent: int) -> None:
    totals = lab.totals()
    assert totals.in_flight == 0
    assert totals.injected == totals.delivered + totals.dropped
    assert totals.injected >= n_sent
    assert int(totals.by_disposition.sum()) == totals.injected


def inject_mutated(lab: Lab, n: int, seed: int) -> None:
    web = lab.instance("web-1").id
    raws: list[bytes | None] = list(mutated(sound_packets(), n, seed))
    # 20 us apart: 1500 bytes at the connection's 1000 Mbit/s, so that some meet in a queue.
    lab.inject(raws, web, (np.arange(n) * 20_000 + lab.now_ns).tolist(), flags=0)
    lab.advance(lab.now_ns + n * 20_000 + 10_000_000_000)


def test_twenty_thousand_damaged_packets_end_one_way_each() -> None:
    lab = make_lab()
    inject_mutated(lab, 20_000, 1)
    assert_all_accounted(lab, 20_000)
    seen = {fate.disposition.symbol for fate in FATES if lab.totals().by_disposition[fate.disposition]}
    assert seen >= {
        "delivered", "malformed", "bad_checksum", "host_unreachable", "bad_destination", "no_route", "blackhole",
        "ttl_expired", "mtu_exceeded",
    }  # fmt: skip


@pytest.mark.slow
def test_two_hundred_thousand_damaged_packets_end_one_way_each() -> None:
    lab = make_lab()
    for seed in range(10):
        inject_mutated(lab, 20_000, 100 + seed)
    assert_all_accounted(lab, 200_000)


def test_every_step_of_a_damaged_packet_can_be_told_in_bytes() -> None:
    """Watched, so that everything is recorded and all that arrives is rendered."""
    lab = make_lab()
    raws = list(mutated(sound_packets(), 2000, 5))
    sent = lab.send(raws, "web-1", wait_s=60)
    assert_all_accounted(lab, 2000)
    delivered = answered = 0
    for raw, packet in zip(raws, sent, strict=True):
        assert packet.dispositions, "each has a fate"
        assert packet.disposition is not Disposition.IN_FLIGHT
        expected = parse_ip(raw).disposition
        if expected is not Disposition.IN_FLIGHT:
            assert packet.dispositions == (expected,)
        for arrival in (*packet.delivered, *packet.answers, *packet.elsewhere):
            assert parse_ip(arrival.raw).disposition is Disposition.IN_FLIGHT, "what arrives is sound"
            assert len(arrival.raw) == parse_ip(arrival.raw).row["size_bytes"]
        delivered += bool(packet.delivered)
        answered += bool(packet.answers)
    assert delivered > 300
    assert answered > 200
