"""The JSON of a run: its keys are a contract (design section 6), its figures are counted again here."""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP

import netsim
from netsim.dataplane import row
from netsim.dataplane.trace import TAP_RECEIVED
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS, NS_PER_S
from tests.cli_process import ROOT
from tests.clouds import DB_1, two_vpc_lab

NUMBER = (int, float)
FLOW_KEYS: dict[str, Any] = {
    "name": str, "from": str, "to": str, "kind": str, "packets_sent": int, "packets_received": int,
    "offered_bps": NUMBER, "throughput_bps": NUMBER, "goodput_bps": NUMBER, "loss_ratio": NUMBER, "latency_ms": dict,
    "jitter_ms": NUMBER,
}  # fmt: skip
DIRECTION_KEYS: dict[str, Any] = {
    "bytes": int, "packets": int, "dropped_packets": int, "mean_bps": NUMBER, "peak_bps": NUMBER,
    "utilization_ratio": NUMBER,
}  # fmt: skip
SAMPLE_KEYS: dict[str, Any] = {
    "peer_connection": str, "side": str, "start_s": NUMBER, "period_s": NUMBER, "egress_bytes": int,
    "ingress_bytes": int, "egress_bps": NUMBER, "ingress_bps": NUMBER, "egress_packets": int, "ingress_packets": int,
    "egress_dropped_packets": int, "ingress_dropped_packets": int,
}  # fmt: skip
LATENCIES = ["min", "mean", "p50", "p95", "p99", "max"]


def assert_has(given: dict[str, Any], keys: dict[str, Any]) -> None:
    """All the keys of the contract, each of its type; more may be there."""
    for key, kind in keys.items():
        assert isinstance(given[key], kind), key
        assert not isinstance(given[key], bool), key


@cache
def measured() -> tuple[Lab, dict[str, Any]]:
    """A run with everything: overload, on-off, echo, a replay; all that the instances got is recorded."""
    lab = netsim.load(str(ROOT / "topologies" / "cross-account-cross-region.netsim.yaml"))
    for inst in lab.compiler.inst_of.values():
        lab.engine.tap_instance(inst)
    return lab, lab.run(2.3).to_dict()


def received(lab: Lab, flow: int) -> np.ndarray[Any, Any]:
    """The rows of a flow's own packets that reached the instance they were meant for, by time."""
    rows = lab.tapped()
    rows = rows[(rows[:, -4] == TAP_RECEIVED) & (rows[:, row.ROLE] == 0)]
    running = next(f for f in lab.flows if flow in f.engine_flows)
    meant = lab.compiler.inst_of[lab.instance(running.spec.to_ref).id]
    at_it = rows[:, -3] == meant if running.spec.kind != "replay" else np.ones(len(rows), bool)
    found: np.ndarray[Any, Any] = rows[(rows[:, row.FLOW] == flow) & at_it]
    return found


def test_the_object_has_the_keys_of_the_contract() -> None:
    _, result = measured()
    assert list(result)[:5] == ["netsim", "topology", "seed", "duration_s", "packets"]
    assert_has(
        result,
        {
            "netsim": str, "topology": str, "seed": int, "duration_s": NUMBER, "packets": dict, "flows": list,
            "peer_connections": list, "samples": list,
        },
    )  # fmt: skip
    assert (result["netsim"], result["topology"]) == (netsim.__version__, "cross-account-cross-region")
    assert_has(result["packets"], {"injected": int, "delivered": int, "in_flight": int, "dropped": dict})
    for flow in result["flows"]:
        assert_has(flow, FLOW_KEYS)
        assert list(flow["latency_ms"]) == LATENCIES
    for connection in result["peer_connections"]:
        assert_has(connection, {"name": str, "id": str, "state": str, "bandwidth_mbps": int, "sides": list})
        assert [side["side"] for side in connection["sides"]] == ["local", "peer"]
        for side in connection["sides"]:
            assert_has(side, {"vpc": str, "interface": str, "egress": dict, "ingress": dict})
            assert_has(side["egress"], DIRECTION_KEYS)
            assert_has(side["ingress"], DIRECTION_KEYS)
    for sample in result["samples"]:
        assert_has(sample, SAMPLE_KEYS)
        assert sample["side"] in ("local", "peer")


def test_it_is_json_without_numpy_or_nan() -> None:
    _, result = measured()
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_packets_are_all_accounted_for() -> None:
    lab, result = measured()
    packets = result["packets"]
    dropped = sum(packets["dropped"].values())
    assert packets["injected"] == packets["delivered"] + dropped + packets["in_flight"]
    assert dropped == sum(drop["packets"] for drop in result["drops"])
    assert all(count > 0 for count in packets["dropped"].values())
    sent = sum(flow["packets_sent"] for flow in result["flows"])
    replies = int((lab.tapped()[:, row.ROLE] != 0).sum()) // 2  # each was tapped twice: sent and received
    assert packets["injected"] == sent + replies


def test_each_flow_received_what_its_receiver_saw() -> None:
    lab, result = measured()
    for flow, running in zip(result["flows"], lab.flows, strict=True):
        rows = np.concatenate([received(lab, number) for number in running.engine_flows])
        assert flow["packets_received"] == len(rows) > 0
        assert flow["bytes_received"] == int(rows[:, row.SIZE].sum())
        duration_s = min(running.end_ns or lab.now_ns, lab.now_ns) / NS_PER_S - running.start_ns / NS_PER_S
        assert flow["duration_s"] == pytest.approx(duration_s)
        assert flow["throughput_bps"] == pytest.approx(flow["bytes_received"] * 8 / duration_s)
        if flow["kind"] == "udp":
            payload = flow["bytes_received"] - 28 * flow["packets_received"]
            assert flow["goodput_bps"] == pytest.approx(payload * 8 / duration_s)
            assert flow["offered_bps"] == pytest.approx(
                flow["packets_sent"] * running.spec.packet_bytes * 8 / duration_s
            )
        if flow["kind"] == "icmp":
            assert flow["goodput_bps"] == 0


def test_lost_is_neither_received_nor_on_its_way() -> None:
    lab, result = measured()
    flying = lab.engine.packets_in_flight()
    for flow, running in zip(result["flows"], lab.flows, strict=True):
        flows = flying[flying[:, row.ROLE] == 0][:, row.FLOW].tolist()
        own = [number for number in flows if number in running.engine_flows]
        lost = flow["packets_sent"] - flow["packets_received"] - len(own)
        assert (flow["packets_lost"], flow["packets_in_flight"]) == (lost, len(own))
        assert flow["loss_ratio"] == pytest.approx(lost / flow["packets_sent"])
    losses = {flow["name"]: flow["loss_ratio"] for flow in result["flows"]}
    assert losses["backup"] > 0.2
    assert sum(losses.values()) == losses["backup"]


def test_latencies_are_those_of_the_packets_received() -> None:
    """Least, mean and largest exactly; percentiles (nearest rank) within 0.8 % or a microsecond."""
    lab, result = measured()
    for flow, running in zip(result["flows"], lab.flows, strict=True):
        rows = np.concatenate([received(lab, number) for number in running.engine_flows])
        exact_ns = np.sort(rows[:, row.AT] - rows[:, row.SENT])
        said = flow["latency_ms"]
        assert said["min"] == exact_ns[0] / NS_PER_MS
        assert said["max"] == exact_ns[-1] / NS_PER_MS
        assert said["mean"] == pytest.approx(exact_ns.mean() / NS_PER_MS, rel=1e-12)
        for percent in (50, 95, 99):
            exact_ms = exact_ns[math.ceil(len(exact_ns) * percent / 100) - 1] / NS_PER_MS
            assert abs(said[f"p{percent}"] - exact_ms) <= max(0.008 * exact_ms, 0.001), (flow["name"], percent)
        assert said["min"] <= said["p50"] <= said["p95"] <= said["p99"] <= said["max"]


def test_no_packet_is_faster_than_the_delays_and_its_bytes_allow() -> None:
    lab, result = measured()
    conn = lab.inventory.peer_conn("shop-data")
    metrics = next(flow for flow in result["flows"] if flow["name"] == "metrics")
    floor_ns = conn.latency_ns + 100_000 + math.ceil(512 * 8 / 10)
    assert metrics["latency_ms"]["min"] == floor_ns / NS_PER_MS


def test_jitter_is_rfc_3550_s() -> None:
    """Section 6.4.1, in whole sixteenths of a ns as appendix A.8 has it."""
    lab, result = measured()
    for flow, running in zip(result["flows"], lab.flows, strict=True):
        if flow["kind"] == "replay":
            continue
        rows = received(lab, running.engine_flows.start)
        transit = (rows[:, row.AT] - rows[:, row.SENT]).tolist()
        sixteenths = 0
        for before, after in pairwise(transit):
            sixteenths += abs(after - before) - ((sixteenths + 8) >> 4)
        assert flow["jitter_ms"] == pytest.approx(sixteenths / 16 / NS_PER_MS)


def test_connections_sum_their_samples_and_one_side_s_egress_drops_are_the_other_s_ingress_drops() -> None:
    _, result = measured()
    for connection in result["peer_connections"]:
        local, peer = connection["sides"]
        assert local["egress"]["dropped_packets"] == peer["ingress"]["dropped_packets"]
        assert peer["egress"]["dropped_packets"] == local["ingress"]["dropped_packets"]
        for side in connection["sides"]:
            samples = [
                s for s in result["samples"] if (s["peer_connection"], s["side"]) == (connection["name"], side["side"])
            ]
            assert [s["start_s"] for s in samples] == [0, 1, 2]
            assert [s["period_s"] for s in samples] == pytest.approx([1, 1, 0.3])
            for direction in ("egress", "ingress"):
                said = side[direction]
                for name in ("bytes", "packets", "dropped_packets"):
                    assert said[name] == sum(s[f"{direction}_{name}"] for s in samples)
                for s in samples:
                    assert s[f"{direction}_bps"] == pytest.approx(s[f"{direction}_bytes"] * 8 / s["period_s"])
                assert said["mean_bps"] == pytest.approx(said["bytes"] * 8 / 2.3)
                assert said["peak_bps"] == max(s[f"{direction}_bps"] for s in samples[:2])
                cap_bps = connection["bandwidth_mbps"] * 10**6
                assert said["utilization_ratio"] == pytest.approx(said["mean_bps"] / cap_bps)


def test_nothing_over_nothing_is_zero_and_latency_of_nothing_null() -> None:
    lab = two_vpc_lab()
    lab.start_traffic(
        [FlowSpec(name="late", from_ref="web-1", to_ref="db-1", rate_bps=10**6, start_ns=5 * NS_PER_S, duration_ns=1)]
    )
    flow = lab.run(1).flow("late")
    assert (flow["packets_sent"], flow["packets_received"], flow["loss_ratio"]) == (0, 0, 0)
    assert (flow["offered_bps"], flow["throughput_bps"], flow["goodput_bps"], flow["jitter_ms"]) == (0, 0, 0, 0)
    assert flow["latency_ms"] == dict.fromkeys(LATENCIES)
    side = lab.result().to_dict()["peer_connections"][0]["sides"][0]
    assert side["egress"] == {
        "bytes": 0, "packets": 0, "dropped_packets": 0, "mean_bps": 0, "peak_bps": 0, "utilization_ratio": 0,
    }  # fmt: skip


def test_a_result_before_anything_happened_is_all_zeros() -> None:
    result = two_vpc_lab().result().to_dict()
    assert result["packets"] == {"injected": 0, "delivered": 0, "in_flight": 0, "dropped": {}}
    assert (result["duration_s"], result["samples"], result["flows"]) == (0, [], [])


def test_fragments_count_as_one_packet_received_and_all_their_bytes() -> None:
    lab = two_vpc_lab(mtu_bytes=1000)
    spec = FlowSpec(
        name="f", from_ref="web-1", to_ref="db-1", rate_bps=1_000_000, packet_bytes=2500, duration_ns=NS_PER_S
    )
    lab.start_traffic([spec])
    lab.advance(2 * NS_PER_S)
    result = lab.result().to_dict()
    flow = result["flows"][0]
    # 2480 bytes of payload in pieces of 976, 976 and 528, each with a header of its own.
    assert (flow["packets_sent"], flow["packets_received"], flow["loss_ratio"]) == (50, 50, 0)
    assert flow["bytes_received"] == 50 * (2500 + 40)
    assert flow["goodput_bps"] == 50 * 2472 * 8
    assert result["packets"] == {"injected": 150, "delivered": 150, "in_flight": 0, "dropped": {}}


def test_a_datagram_with_a_fragment_lost_is_lost_and_one_under_way_is_not() -> None:
    """1 Mbit/s and a queue of 8000 bytes: now and then a fragment finds no room."""
    lab = two_vpc_lab(mtu_bytes=1000, bandwidth_mbps=1, burst_bytes=2000, queue_bytes=8000, latency_ms=50)
    spec = FlowSpec(
        name="f", from_ref="web-1", to_ref="db-1", rate_bps=1_300_000, packet_bytes=2500, duration_ns=NS_PER_S
    )
    lab.start_traffic([spec])
    lab.advance(NS_PER_S // 2)
    flow = lab.result().flow("f")
    under_way = lab.engine.packets_in_flight()
    assert flow["packets_in_flight"] == len(set(under_way[:, row.SEQ].tolist())) < len(under_way)
    assert flow["packets_sent"] == flow["packets_received"] + flow["packets_lost"] + flow["packets_in_flight"]
    lab.advance(5 * NS_PER_S)
    flow = lab.result().flow("f")
    assert flow["packets_in_flight"] == 0
    assert 0 < flow["packets_lost"] == flow["packets_sent"] - flow["packets_received"]
    assert flow["packets_received"] > 0


def test_an_answer_under_way_is_not_the_flow_s_packet() -> None:
    lab = two_vpc_lab(latency_ms=50)
    spec = FlowSpec(name="f", from_ref="web-1", to_ref="db-1", kind="icmp", duration_ns=NS_PER_S)
    lab.start_traffic([spec])
    lab.advance(75 * NS_PER_MS)
    flow = lab.result().flow("f")
    assert len(lab.engine.packets_in_flight()) == 1
    assert (flow["packets_sent"], flow["packets_received"], flow["packets_in_flight"]) == (1, 1, 0)
    assert (flow["replies_received"], flow["rtt_ms"]["mean"]) == (0, None)
    lab.advance(200 * NS_PER_MS)
    assert lab.result().flow("f")["rtt_ms"]["mean"] == pytest.approx(100.2, abs=0.01)


def test_a_deleted_connection_stays_in_the_report() -> None:
    lab = two_vpc_lab()
    lab.send(IP(dst=DB_1) / UDP(dport=53) / b"x", "web-1")
    lab.apply(netsim.edit.DeletePeerConn("shop-data"))
    (connection,) = lab.run(1).to_dict()["peer_connections"]
    assert (connection["name"], connection["state"]) == ("shop-data", "deleted")
    assert connection["sides"][0]["egress"]["packets"] == 1


def test_the_flow_of_a_name_is_the_latest_and_an_unknown_one_is_a_key_error() -> None:
    lab = netsim.load(str(ROOT / "topologies" / "consulting-request.netsim.yaml"))
    lab.run(1)
    second = lab.run(0.5)
    assert second.flow("inside")["start_s"] == 1
    assert second.flow("inside")["packets_sent"] == 250
    with pytest.raises(KeyError):
        second.flow("outside")
