"""Fair shares of a file's flows: what each kind offers, and that the engine measures what was computed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from netsim.cli.main import main
from netsim.controlplane import edit as e
from netsim.flow_shares import demand_of, flow_shares
from netsim.lab import Lab
from netsim.topology_file import Topology
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_S
from netsim.verify.network import Network
from tests.clouds import chain, two_vpcs

MBPS = 10**6
SHARED = Path(__file__).parent.parent / "topologies" / "cross-account-cross-region.netsim.yaml"


def flow(name: str, from_ref: str, to_ref: str, rate_mbps: int | None = 90, **more: object) -> FlowSpec:
    rate_bps = None if rate_mbps is None else rate_mbps * MBPS
    spec = FlowSpec(name=name, from_ref=from_ref, to_ref=to_ref, rate_bps=rate_bps, duration_ns=2 * NS_PER_S)
    return dataclasses.replace(spec, **more)  # type: ignore[arg-type] # names of fields


def test_a_burst_counts_with_its_mean() -> None:
    burst = flow("a", "x", "y", 100, arrivals="on_off", on_ns=NS_PER_S, off_ns=3 * NS_PER_S)
    assert demand_of(burst, "0").rate_bps == 25 * MBPS


def test_tcp_takes_what_it_gets_in_packets_that_fit() -> None:
    inventory = two_vpcs(accounting="l2", mtu_bytes=1000)
    tcp = FlowSpec(name="t", from_ref="web-1", to_ref="db-1", kind="tcp", packet_bytes=1500)
    capped = dataclasses.replace(tcp, name="c", rate_bps=10 * MBPS)
    shares = flow_shares(Network.of(inventory), [tcp, capped])
    found = [share for share in shares if share is not None]
    assert [(share.name, share.limited_by) for share in found] == [("t", "connection"), ("c", "demand")]
    assert found[0].rate_bps == (100 * MBPS * 1000 // 1014) - 10 * MBPS


def test_fragments_count_their_headers() -> None:
    """4020 bytes over an MTU of 1020 are four fragments of 1000 bytes and headers, 60 bytes more in all."""
    network = Network.of(two_vpcs(mtu_bytes=1020))
    (share,) = flow_shares(network, [flow("a", "web-1", "db-1", 500, packet_bytes=4020)])
    assert share is not None
    assert share.rate_bps == 100 * MBPS * 4020 // 4080


def test_what_may_not_be_cut_is_not_delivered() -> None:
    network = Network.of(two_vpcs(mtu_bytes=1020))
    (share,) = flow_shares(network, [flow("a", "web-1", "db-1", packet_bytes=1400, df=True)])
    assert share is not None
    assert (share.rate_bps, share.bottleneck) == (0, "mtu_exceeded")


def test_a_replay_and_a_flow_whose_end_is_gone_have_none() -> None:
    inventory = two_vpcs()
    replay = FlowSpec(name="r", from_ref="web-1", to_ref="db-1", kind="replay", pcap="x.pcap")
    gone = flow("g", "web-2", "db-1")
    inventory.apply(e.DeleteInstance("web-2"))
    found = flow_shares(Network.of(inventory), [replay, gone, flow("a", "web-1", "db-1")])
    assert [share and share.name for share in found] == [None, None, "a"]


def test_two_thousand_flows_are_quick() -> None:
    """Each stops at a level of its own, so a filling that looks at all of them each time would take minutes."""
    n = 2_000
    specs = [flow(f"f{k}", "i0", "i3", 1, packet_bytes=100 + k // 2) for k in range(n)]
    specs = [dataclasses.replace(spec, rate_bps=1_000 + k) for k, spec in enumerate(specs)]
    found = flow_shares(Network.of(chain(4)), specs)
    assert [share and share.rate_bps for share in found] == [1_000 + k for k in range(n)]


@pytest.mark.slow
def test_the_engine_measures_the_shares_of_flows_that_offer_alike() -> None:
    """Queues are FIFO, so of flows that offer the same on the same path each gets its fair share."""
    flows = (
        flow("a", "i0", "i2", 80, arrivals="poisson"), flow("b", "i0", "i2", 80, arrivals="poisson"),
        flow("c", "i1", "i0", 30),
        flow("d", "i2", "i3", 60),
    )  # fmt: skip
    lab = Lab(Topology(chain(4), name="chain", traffic=flows))
    result = lab.run().to_dict()
    by_name = {found["name"]: found for found in result["flows"]}
    for name, share, kind in (("a", 50, "connection"), ("b", 50, "connection"), ("c", 30, None), ("d", 60, None)):
        found = by_name[name]
        assert found["fair_share_bps"] == share * MBPS
        assert (found["bottleneck"] and found["bottleneck"]["kind"]) == kind
        assert found["throughput_bps"] == pytest.approx(share * MBPS, rel=0.03)
    assert by_name["a"]["bottleneck"] == {
        "kind": "connection", "text": "c0, v0 to v1", "peer_connection": "c0", "side": "local",
    }  # fmt: skip


def test_a_run_prints_who_limits_whom(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(SHARED), "--duration", "1", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("LIMITED FLOW"))
    assert lines[at].split("  ") == ["LIMITED FLOW", "FAIR SHARE", "THROUGHPUT", "SET BY"]
    assert lines[at + 1].split()[:3] == ["backup", "10", "Mbit/s"]
    assert lines[at + 1].endswith("shop-archive, shop to archive")
    assert lines[at + 2] == ""
