"""Edits while packets are on their way: what was accepted keeps its fate, what comes later meets the new network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP

from netsim.controlplane import edit as e
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.errors import ClockError, RefusedError
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS, NS_PER_S
from tests.clouds import DB_1, WEB_1, chain, two_vpc_lab
from tests.controlplane.random_cloud import RandomCloud
from tests.emulator.accounting import assert_conserved, assert_samples_sum_to_counters

PACKET = bytes(IP(src=WEB_1, dst=DB_1) / UDP(dport=53) / (b"x" * 1472))


def fates(lab: Lab) -> dict[str, int]:
    assert_conserved(lab)
    counts = lab.totals().by_disposition
    return {Disposition(d).symbol: int(counts[d]) for d in np.flatnonzero(counts).tolist()}


def inject(lab: Lab, n: int) -> None:
    """N packets of 1500 bytes from web-1 to db-1, now."""
    raws: list[bytes | None] = [PACKET] * n
    lab.inject(raws, lab.instance("web-1").id, [lab.now_ns] * n)


def arrivals_at(lab: Lab, instance: str) -> list[int]:
    """When packets reached the instance, from its capture."""
    inst = lab.compiler.inst_of[lab.inventory.instance(instance).id]
    return [int(row[0]) for row in lab.tapped() if int(row[-4]) == 12 and int(row[-3]) == inst]


def slow_lab() -> Lab:
    """10 Mbit/s, burst of two packets: each further packet takes 1.2 ms."""
    lab = two_vpc_lab(bandwidth_mbps=10, burst_bytes=3000)
    lab.engine.tap_instance(lab.compiler.inst_of[lab.instance("db-1").id])
    return lab


def test_packets_the_cap_has_accepted_keep_their_departure_when_it_is_resized() -> None:
    resized, left_alone = slow_lab(), slow_lab()
    for lab in (resized, left_alone):
        inject(lab, 20)
        lab.advance(5 * NS_PER_MS)
    resized.apply(e.ResizePeerConn("shop-data", 1))
    for lab in (resized, left_alone):
        lab.advance(NS_PER_S)
    before = arrivals_at(left_alone, "db-1")
    assert arrivals_at(resized, "db-1") == before
    assert len(before) == 20
    # What comes now is served at 1 Mbit/s: 12 ms each, once the burst is spent.
    inject(resized, 10)
    resized.advance(3 * NS_PER_S)
    later = np.diff(arrivals_at(resized, "db-1")[20:])
    assert later[-6:].tolist() == [12_000_000] * 6


def test_packets_meet_what_was_committed_as_if_it_had_been_applied() -> None:
    """One is compiled at once, the other when packets next move: between the two no packet does."""
    applied, committed = slow_lab(), slow_lab()
    for lab, change in ((applied, applied.apply), (committed, committed.commit)):
        inject(lab, 12)
        lab.advance(5 * NS_PER_MS)
        before = lab.fib
        change(e.ResizePeerConn("shop-data", 1))
        change(e.DeleteRoute(change(e.CreateRoute("shop", "0.0.0.0/0", "172.16.0.0/24", "blackhole")).id))
        assert (lab.fib is before) == (lab is committed)
        inject(lab, 10)
        lab.advance(NS_PER_S)
        assert_samples_sum_to_counters(lab)
    assert arrivals_at(committed, "db-1") == arrivals_at(applied, "db-1")
    assert committed.result().to_dict() == applied.result().to_dict()


def test_a_wider_cap_serves_the_next_packet_faster() -> None:
    lab = slow_lab()
    inject(lab, 12)
    lab.advance(NS_PER_S)
    lab.apply(e.ResizePeerConn("shop-data", 100))
    inject(lab, 200)
    lab.advance(2 * NS_PER_S)
    gaps = np.diff(arrivals_at(lab, "db-1"))
    assert gaps[5:11].tolist() == [1_200_000] * 6
    assert gaps[-20:].tolist() == [120_000] * 20
    assert fates(lab) == {"delivered": 212}


def test_deleting_a_connection_lets_through_what_it_had_taken() -> None:
    lab = slow_lab()
    inject(lab, 20)
    lab.advance(5 * NS_PER_MS)
    lab.apply(e.DeletePeerConn("shop-data"))
    assert lab.totals().in_flight > 10
    lab.advance(NS_PER_S)
    assert fates(lab) == {"delivered": 20}
    inject(lab, 3)
    lab.advance(2 * NS_PER_S)
    assert fates(lab) == {"delivered": 20, "bad_state_route": 3}
    assert_samples_sum_to_counters(lab)


def test_a_new_connection_of_the_same_two_vpcs_is_another_one() -> None:
    """Rules of the old one stay blackholes; the old counters stay as they are."""
    lab = slow_lab()
    inject(lab, 5)
    lab.advance(NS_PER_S)
    lab.apply(e.DeletePeerConn("shop-data"), e.CreatePeerConn("shop", "data", 50, "shop-data", "int-shop", "int-data"))
    assert lab.ping("web-1", "db-1").fates == ((Disposition.BAD_STATE_ROUTE, None),)
    rule = lab.inventory.rules_of(lab.inventory.vpc("shop").id)[0]
    back = lab.inventory.rules_of(lab.inventory.vpc("data").id)[0]
    lab.apply(e.UpdateRoute(rule.id, next_hop="int-shop"), e.UpdateRoute(back.id, next_hop="int-data"))
    assert lab.ping("web-1", "db-1").received == 1
    assert_samples_sum_to_counters(lab)
    assert [conn["state"] for conn in lab.result().to_dict()["peer_connections"]] == ["deleted", "active"]


def test_an_instance_deleted_under_way_is_unreachable() -> None:
    lab = slow_lab()
    inject(lab, 3)
    lab.advance(300_000)
    lab.apply(e.DeleteInstance("db-1"))
    lab.advance(NS_PER_S)
    # The sender is told: three errors came back.
    assert fates(lab) == {"delivered": 3, "host_unreachable": 3}
    assert_samples_sum_to_counters(lab)


def test_an_instance_deleted_in_the_last_stretch_is_unreachable_too() -> None:
    lab = slow_lab()
    inject(lab, 1)
    lab.advance(580_000)
    assert lab.totals().in_flight == 1
    lab.apply(e.DeleteInstance("db-1"))
    lab.advance(NS_PER_S)
    assert fates(lab)["host_unreachable"] == 1


def test_an_address_taken_over_gets_the_packets_to_it() -> None:
    lab = slow_lab()
    inject(lab, 3)
    lab.advance(300_000)
    lab.apply(e.DeleteInstance("db-1"), e.CreateInstance("db-2", "data/db", DB_1, listen=["udp/53"]))
    lab.engine.tap_instance(lab.compiler.inst_of[lab.instance("db-2").id])
    lab.advance(NS_PER_S)
    assert len(arrivals_at(lab, "db-2")) == 3


def test_a_whole_vpc_deleted_under_way_swallows_what_arrives_there() -> None:
    lab = slow_lab()
    inject(lab, 5)
    lab.advance(300_000)
    lab.apply(e.DeletePeerConn("shop-data"), e.DeleteInstance("db-1"), e.DeleteSubnet("data/db"), e.DeleteVpc("data"))
    lab.advance(NS_PER_S)
    assert fates(lab) == {"no_route": 5}
    assert_samples_sum_to_counters(lab)
    assert lab.result().to_dict()["drops"][0]["packets"] == 5


def test_a_sender_that_is_deleted_sends_no_more_and_its_flow_ends() -> None:
    lab = two_vpc_lab()
    spec = FlowSpec(name="f", from_ref="web-1", to_ref="db-1", rate_bps=12_000_000, duration_ns=2 * NS_PER_S)
    flow = lab.start_flow(spec, lab.instance("web-1").id, lab.instance("db-1").id)
    lab.advance(NS_PER_S)
    lab.apply(e.DeleteInstance("web-1"))
    lab.advance(3 * NS_PER_S)
    figures = lab.result().flow("f")
    assert figures["packets_sent"] == 1000
    assert figures["packets_received"] == 1000
    assert flow.end_ns == 2 * NS_PER_S
    assert_conserved(lab)


def test_routes_come_and_go_between_two_packets() -> None:
    lab = two_vpc_lab()
    rule = lab.inventory.rules_of(lab.inventory.vpc("shop").id)[0]
    lab.apply(e.DeleteRoute(rule.id))
    assert lab.ping("web-1", "db-1").errors[0].code == 0
    lab.apply(e.CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/16", "int-shop"))
    assert lab.ping("web-1", "db-1").received == 1
    assert lab.ping("desk-1", "db-1").received == 0
    lab.apply(e.CreateRoute("shop", "192.168.0.0/28", "10.1.0.0/24", "blackhole"))
    assert lab.ping("web-1", "db-1").fates == ((Disposition.BLACKHOLE, None),)


def test_relays_are_switched_for_packets_under_way() -> None:
    lab = Lab(chain(3, latency_ms=10))
    raw = bytes(IP(src="10.0.0.10", dst="10.2.0.10") / UDP(dport=53))
    lab.inject([raw], lab.instance("i0").id, [0])
    lab.advance(5 * NS_PER_MS)
    lab.apply(e.SetRelay("v1", relay=False))
    lab.advance(NS_PER_S)
    assert fates(lab) == {"transit_denied": 1}


def test_a_refused_edit_changes_nothing_at_all() -> None:
    lab = two_vpc_lab()
    fib, version = lab.fib, lab.inventory.version
    with pytest.raises(RefusedError):
        lab.apply(e.CreateRoute("shop", "0.0.0.0/0", "10.7.0.0/16", "blackhole"), e.DeleteVpc("data"))
    assert lab.fib is fib
    assert lab.inventory.version == version
    assert lab.ping("web-1", "db-1").received == 1


def test_ports_open_and_close_with_the_instance() -> None:
    lab = two_vpc_lab()
    assert lab.probe("web-1", "db-1", (6, 22)).reason == "port_closed"
    lab.apply(e.UpdateInstance("db-1", listen=["tcp/22"]))
    assert lab.probe("web-1", "db-1", (6, 22)).verdict == "reachable"
    assert lab.probe("web-1", "db-1", (6, 5432)).reason == "port_closed"


def test_time_does_not_run_backwards() -> None:
    lab = two_vpc_lab()
    lab.advance(1000)
    lab.advance(1000)
    with pytest.raises(ClockError):
        lab.advance(999)


class Storm:
    """Random edits of a chain of five: caps, relays, routes, connections and instances come and go."""

    def __init__(self, lab: Lab, rng: np.random.Generator) -> None:
        self.lab = lab
        self.rng = rng

    def number(self, n: int) -> int:
        return int(self.rng.integers(n))

    def strike(self) -> None:
        k = self.number(5)
        edits = (
            [e.ResizePeerConn(f"c{k % 4}", 1 + self.number(4))],
            [e.SetRelay(f"v{k}", relay=bool(self.number(4)))],
            [e.DeletePeerConn(f"c{k % 4}")],
            [e.DeleteInstance(f"i{k}")],
            [e.CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10")],
            [e.DeleteRoute(rule.id) for rule in self.lab.inventory.rules_of(f"v{k}")[:1]],
            self.mended(k),
            self.mended(k),
            self.mended(k),
        )[self.number(9)]
        try:
            self.lab.apply(*edits)
        except RefusedError:
            return

    def mended(self, k: int) -> list[e.Edit[Any]]:
        """What connects v(k) to its right neighbour again, and sends everything the right way."""
        if k == 4:
            return []
        inventory = self.lab.inventory
        edits: list[e.Edit[Any]] = []
        if not any(conn.name == f"c{k}" for conn in inventory.peer_conns.values()):
            edits += [
                e.CreatePeerConn(f"v{k}", f"v{k + 1}", 2, f"c{k}", "right", "left", mtu_bytes=700, latency_ms=0.3)
            ]
        for vpc, side in ((k, "right"), (k + 1, "left")):
            for rule in inventory.rules_of(f"v{vpc}"):
                far = rule.destination.network >> 16 & 0xFF
                if (far > vpc) == (side == "right"):
                    edits.append(e.UpdateRoute(rule.id, next_hop=side))
        return edits


@pytest.mark.parametrize("seed", range(6))
def test_a_storm_of_edits_loses_no_packet(seed: int) -> None:
    lab = Lab(chain(5, bandwidth_mbps=2, mtu_bytes=700, latency_ms=0.3), seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    storm = Storm(lab, rng)
    for step in range(80):
        storm.strike()
        ends = sorted(lab.inventory.instances)
        if step % 4 == 0 and len(ends) > 1:
            a, b = rng.choice(ends, 2, replace=False)
            spec = FlowSpec(
                name=f"f{step}", from_ref="a", to_ref="b", kind=("udp", "icmp")[storm.number(2)],
                rate_bps=int(rng.integers(10**5, 10**7)), duration_ns=100 * NS_PER_MS,
                packet_bytes=int(rng.integers(28, 2000)), arrivals="poisson",
            )  # fmt: skip
            lab.start_flow(spec, str(a), str(b))
        lab.advance(lab.now_ns + int(rng.integers(1, 8 * NS_PER_MS)))
        assert_conserved(lab)
        assert_samples_sum_to_counters(lab)
    lab.advance(lab.now_ns + 5 * NS_PER_S)
    assert_conserved(lab)
    assert_samples_sum_to_counters(lab)
    assert lab.totals().in_flight == 0
    assert lab.engine.packet_hops > 300
    assert len([d for d in fates(lab) if d != "delivered"]) >= 2


@pytest.mark.parametrize("seed", range(2))
def test_an_emulator_keeps_up_with_edits_of_any_kind(seed: int) -> None:
    """VPCs and subnets too: flows between whoever is there."""
    cloud = RandomCloud(seed)
    cloud.grow(200)
    emulator = Emulator(cloud.inventory, seed, sample_period_ns=23 * NS_PER_MS)
    rng = np.random.Generator(np.random.PCG64(seed))
    for step in range(40):
        cloud.grow(4)
        emulator.apply()
        a, b = rng.choice(sorted(cloud.inventory.instances), 2)
        spec = FlowSpec(
            name=f"f{step}", from_ref="a", to_ref="b", rate_bps=int(rng.integers(10**5, 10**6)),
            duration_ns=100 * NS_PER_MS, packet_bytes=int(rng.integers(28, 4000)), arrivals="poisson",
        )  # fmt: skip
        emulator.start_flow(spec, str(a), str(b))
        emulator.advance(emulator.now_ns + int(rng.integers(1, 8 * NS_PER_MS)))
        assert_conserved(emulator)
        assert_samples_sum_to_counters(emulator)
    assert emulator.totals().injected > 200
    assert cloud.made > 150
