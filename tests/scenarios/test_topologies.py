"""Every file of topologies/ as a whole run: a table that somebody has read, and what it must say.

The tables hold exact numbers: a run is a function of the file. When one moves, the commit says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

import netsim
from netsim import jit
from netsim.lab import Lab
from netsim.probe.expectations import check_expectation
from tests.cli_process import ROOT

DROPS: dict[str, dict[str, set[str]]] = {
    "bufferbloat": {flow: {"office: queue_full"} for flow in ("upload-lean", "upload-bloated")},
    "chain-without-relay": {"through": {"middle: transit_denied"}},
    "consulting-request": {"early": {"shop: bad_state_route"}, "heartbeat": {"shop: bad_state_route"}},
    "cross-account-cross-region": {"backup": {"shop: queue_full"}},
    "dns-sync": {},
    "full-mesh-of-five": {},
    "hub-and-spokes": {"south": {"hub: queue_full"}, "crowd": {"hub: queue_full"}},
    "missing-return-route": {},
    "overlapping-cidrs": {"astray": set()},
    "relay-chain": {"through": {"middle: queue_full"}},
    "source-segments": {"bronze": {"shop: queue_full"}},
    "tcp-fairness": {f"flow-{k}": {"senders: queue_full"} for k in range(1, 9)},
    "three-flows-one-cap": {flow: {"senders: queue_full"} for flow in ("large", "medium", "small")},
    "two-vpcs-one-account": {},
}
"""By topology: the flows that lose packets, and where and why; `astray` arrives, but elsewhere."""
OTHER_DROPS = {"missing-return-route": {"data: no_route"}}
"""Of what is no flow's own packet: the answers to heartbeats."""
NO_ANSWERS = {"missing-return-route": "heartbeat", "consulting-request": "heartbeat"}
FILES = sorted((ROOT / "topologies").glob("*.netsim.yaml"))


@pytest.fixture(autouse=True)
def plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """These runs take a second plain; compiling would take a minute, and give the same bytes."""
    monkeypatch.setattr(jit, "has_cache", lambda: False)


def load(name: str) -> Lab:
    return netsim.load(str(ROOT / "topologies" / f"{name}.netsim.yaml"))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Columns as wide as they need be; numbers to the right."""
    texts = [list(heads), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[k]) for row in texts) for k in range(len(heads))]
    first, *others = widths
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in texts
    ]


def _shown(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:,.3f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def report(result: dict[str, Any], verdicts: Iterable[Any]) -> str:
    packets = result["packets"]
    lines = [f"{result['topology']}, seed {result['seed']}, {result['duration_s']:.3f} s", ""]
    lines += table(
        ["flow", "kind", "sent", "received", "lost", "under way", "Mbit/s", "goodput", "min ms", "p50 ms", "max ms",
         "replies"],
        (
            (
                flow["name"], flow["kind"], flow["packets_sent"], flow["packets_received"], flow["packets_lost"],
                flow["packets_in_flight"], flow["throughput_bps"] / 1e6, flow["goodput_bps"] / 1e6,
                *(flow["latency_ms"][key] for key in ("min", "p50", "max")), flow["replies_received"],
            )
            for flow in result["flows"]
        ),
    )  # fmt: skip
    lines += ["", *table(["dropped at", "because", "packets"], (drop.values() for drop in result["drops"]))]
    lines += [
        "",
        (
            f"injected {packets['injected']:,} = delivered {packets['delivered']:,}"
            f" + dropped {sum(packets['dropped'].values()):,} + in flight {packets['in_flight']:,}"
        ),
        "",
    ]
    lines += table(
        ["connection", "from", "bytes", "packets", "dropped", "arrived", "mean Mbit/s", "peak Mbit/s", "of the cap"],
        (
            (
                connection["name"], side["vpc"], side["egress"]["bytes"], side["egress"]["packets"],
                side["egress"]["dropped_packets"], other["ingress"]["packets"], side["egress"]["mean_bps"] / 1e6,
                side["egress"]["peak_bps"] / 1e6, side["egress"]["utilization_ratio"],
            )
            for connection in result["peer_connections"]
            for side, other in (connection["sides"], connection["sides"][::-1])
        ),
    )  # fmt: skip
    lines += ["", *(f"{'holds' if v.holds else 'FAILS'}  {_expected(v.expectation)}: {v.found}" for v in verdicts)]
    return "\n".join(line.rstrip() for line in lines)


def _expected(expectation: Any) -> str:
    if expectation.flow:
        return f"flow {expectation.flow}"
    port = "" if expectation.port is None else f" {({6: 'tcp', 17: 'udp'})[expectation.port[0]]}/{expectation.port[1]}"
    wanted = "reachable" if expectation.reachable else f"not, {expectation.because}"
    return f"{expectation.from_ref} to {expectation.to_ref}{port} {wanted}"


def test_every_file_is_looked_at() -> None:
    assert [path.name.removesuffix(".netsim.yaml") for path in FILES] == sorted(DROPS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DROPS))
def test_a_run_of(name: str, golden: Callable[[str, str], None]) -> None:
    lab = load(name)
    result = lab.run().to_dict()
    flows = {flow["name"]: flow for flow in result["flows"]}
    verdicts = [check_expectation(lab, expectation, flows) for expectation in lab.topology.expect]
    golden(report(result, verdicts), name)

    assert verdicts
    assert all(verdict.holds for verdict in verdicts)
    assert all(flow["packets_sent"] > 0 for flow in flows.values())
    losing = {name for name, flow in flows.items() if flow["packets_lost"]}
    assert losing == set(DROPS[name])
    places = {f"{drop['vpc']}: {drop['reason']}" for drop in result["drops"]}
    assert places == set().union(OTHER_DROPS.get(name, set()), *DROPS[name].values())
    answered = {name for name, flow in flows.items() if flow["kind"] == "icmp" and flow["replies_received"]}
    echoing = {name for name, flow in flows.items() if flow["kind"] == "icmp"}
    assert echoing - answered == {NO_ANSWERS[name]} if name in NO_ANSWERS else echoing == answered


@pytest.mark.slow
@pytest.mark.parametrize("name", ["consulting-request", "missing-return-route", "overlapping-cidrs"])
def test_check_runs_the_flows_and_asks_the_rest(name: str) -> None:
    lab = load(name)
    verdicts = lab.check()
    assert [verdict.expectation for verdict in verdicts] == list(lab.topology.expect)
    assert all(verdict.holds for verdict in verdicts)
    assert all(verdict.found for verdict in verdicts)


@pytest.mark.slow
def test_check_says_what_happened_instead() -> None:
    """A narrower cap and no way back from the right: two expectations of the file fail, and say how."""
    lab = load("relay-chain")
    back = next(rule for rule in lab.inventory.rules_of("right") if str(rule.destination) == "10.1.0.0/16")
    lab.apply(netsim.edit.ResizePeerConn("middle-right", 5), netsim.edit.DeleteRoute(back.id))
    verdicts = lab.check()
    failed = [verdict.found for verdict in verdicts if not verdict.holds]
    assert failed[:2] == ["one way because no_return_route"] * 2
    assert "not reachable because no_route" in failed
    assert failed[-1].startswith("throughput_mbps 4.9")
    assert any(verdict.holds for verdict in verdicts)
