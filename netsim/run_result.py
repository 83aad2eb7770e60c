"""RunResult: the figures of a run, as `netsim run --json` prints them.

Names of keys are a contract; more may be added. Ratios over nothing are 0, latencies of nothing
null, and what is in flight at the end is not lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.collector import paused_collector
from netsim.dataplane import row as rows
from netsim.dataplane import state as m
from netsim.dataplane.batch import ORIGINAL
from netsim.dataplane.disposition import FATES, Disposition, is_ok
from netsim.dataplane.latency import percentile_ns
from netsim.emulator import Emulator
from netsim.flow_shares import flow_shares
from netsim.monitor.export import sample_rows
from netsim.monitor.metrics import SIDES
from netsim.monitor.totals import Totals as SideTotals
from netsim.traffic.running import RunningFlow
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_MS, NS_PER_S
from netsim.verify.bottleneck import Share
from netsim.verify.network import Network

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What `to_dict` says, made once at the end of the run; see design section 6 for the keys."""

    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, keys in the order of the contract."""
        return self.facts

    def flow(self, name: str) -> dict[str, Any]:
        """The figures of the flow of this name; the latest, if several runs had one.

        Raises:
            KeyError: no such flow.
        """
        for flow in reversed(self.facts["flows"]):
            if flow["name"] == name:
                return dict(flow)
        raise KeyError(name)


@paused_collector()
def make_result(
    emulator: Emulator, *, version: str, topology: str, start_ns: int, flows: Iterable[RunningFlow]
) -> RunResult:
    """Collect the figures of a run that began at `start_ns` and ends now."""
    totals = emulator.totals()
    in_flight = _datagrams_in_flight(emulator)
    measures = emulator.engine.measures()
    flows = list(flows)
    network = Network(emulator.fib, emulator.compiler, emulator.inventory)
    shares = flow_shares(network, [flow.spec for flow in flows])
    return RunResult(
        {
            "netsim": version,
            "topology": topology,
            "seed": emulator.seed,
            "duration_s": _ratio(emulator.now_ns - start_ns, NS_PER_S),
            "packets": {
                "injected": totals.injected,
                "delivered": totals.delivered,
                "in_flight": totals.in_flight,
                "dropped": {
                    fate.disposition.symbol: int(totals.by_disposition[fate.disposition])
                    for fate in FATES
                    if not fate.ok
                    and fate.disposition is not Disposition.IN_FLIGHT
                    and totals.by_disposition[fate.disposition]
                },
            },
            "flows": [
                _flow(emulator, flow, measures, in_flight) | _share(share)
                for flow, share in zip(flows, shares, strict=True)
            ],
            "peer_connections": _peer_connections(emulator),
            "drops": _drops(emulator),
            "samples": sample_rows(emulator.monitor.samples()),
        }
    )


def flow_figures(emulator: Emulator, flow: RunningFlow) -> dict[str, Any]:
    """The figures of one flow so far, as in a result's `flows`."""
    return _flow(emulator, flow, emulator.engine.measures(), _datagrams_in_flight(emulator))


def _flow(
    emulator: Emulator, flow: RunningFlow, measures: NDArray[np.int64], in_flight: dict[int, int]
) -> dict[str, Any]:
    spec = flow.spec
    numbers = np.array(flow.engine_flows, np.int64)  # a replay none of whose hosts are mapped has none
    table = measures[numbers]
    total = table.sum(axis=0)
    sent, received = int(total[m.M_SENT]), int(total[m.M_RECEIVED])
    still = sum(in_flight.get(int(number), 0) for number in numbers)
    lost = max(0, sent - received - still)
    end_ns = emulator.now_ns if flow.end_ns is None else min(flow.end_ns, emulator.now_ns)
    duration_ns = max(0, end_ns - flow.start_ns)
    replies = int(total[m.M_REPLIES])
    tcp = _tcp(table[0]) if spec.kind == "tcp" else {}
    return {
        "name": spec.name,
        "from": spec.from_ref,
        "to": spec.to_ref,
        "kind": spec.kind,
        "packets_sent": sent,
        "packets_received": received,
        "offered_bps": _bps(int(total[m.M_SENT_BYTES]), duration_ns),
        "throughput_bps": _bps(int(total[m.M_RECEIVED_BYTES]), duration_ns),
        "goodput_bps": _bps(int(total[m.M_RECEIVED_PAYLOAD_BYTES]), duration_ns),
        "loss_ratio": _ratio(lost, sent),
        "latency_ms": _latency(emulator, numbers, table),
        "jitter_ms": _ms(_jitter_ns(table)),
        "packets_lost": lost,
        "packets_in_flight": still,
        "bytes_received": int(total[m.M_RECEIVED_BYTES]),
        "replies_received": replies,
        "errors_received": int(total[m.M_ERRORS]),
        "rtt_ms": {
            "min": _ms(_least(table, m.M_REPLIES, m.M_RTT_MIN_NS)) if replies else None,
            "mean": _ms(int(total[m.M_RTT_SUM_NS]) / replies) if replies else None,
            "max": _ms(int(table[:, m.M_RTT_MAX_NS].max())) if replies else None,
        },
        "start_s": _ratio(flow.start_ns, NS_PER_S),
        "duration_s": _ratio(duration_ns, NS_PER_S),
        **tcp,
    }


def _tcp(figures: NDArray[np.int64]) -> dict[str, int | float | None]:
    """What only TCP has: what it sent again and why, and its window and smoothed round trip as they are now."""
    return {
        "retransmits": int(figures[m.M_RETRANSMITS]),
        "timeouts": int(figures[m.M_TIMEOUTS]),
        "fast_recoveries": int(figures[m.M_FAST_RECOVERIES]),
        "cwnd_bytes": int(figures[m.M_CWND_BYTES]),
        "srtt_ms": _ms(int(figures[m.M_SRTT_NS])) if figures[m.M_SRTT_NS] >= 0 else None,
    }


def _share(share: Share | None) -> dict[str, Any]:
    """What the flow could get, and what keeps it from more; nothing does where it gets all it offers."""
    if share is None:
        return {"fair_share_bps": None, "bottleneck": None}
    bottleneck = {
        "kind": share.limited_by, "text": share.bottleneck, "peer_connection": share.peer_conn,
        "side": share.side or None,
    }  # fmt: skip
    return {"fair_share_bps": share.rate_bps, "bottleneck": bottleneck if share.bottleneck else None}


def _latency(emulator: Emulator, numbers: NDArray[np.int64], table: NDArray[np.int64]) -> dict[str, float | None]:
    received = int(table[:, m.M_RECEIVED].sum())
    if not received:
        return dict.fromkeys(("min", "mean", *(f"p{p}" for p in PERCENTILES), "max"))
    low = _least(table, m.M_RECEIVED, m.M_LATENCY_MIN_NS)
    high = int(table[:, m.M_LATENCY_MAX_NS].max())
    bins = sum((emulator.engine.histogram(int(number)) for number in numbers), np.zeros(1, np.int32))
    percentiles = {f"p{p}": _ms(min(max(percentile_ns(bins, p), low), high)) for p in PERCENTILES}
    mean = int(table[:, m.M_LATENCY_SUM_NS].sum()) / received
    return {"min": _ms(low), "mean": _ms(mean), **percentiles, "max": _ms(high)}


def _least(table: NDArray[np.int64], counted: int, least: int) -> int:
    """The smallest of a column among the rows that counted anything."""
    return int(table[table[:, counted] > 0, least].min())


def _jitter_ns(table: NDArray[np.int64]) -> float:
    """RFC 3550 jitter; over the sides of a replay, the mean weighted by packets."""
    received = table[:, m.M_RECEIVED]
    return float((table[:, m.M_JITTER_16TH_NS] * received).sum() / received.sum() / 16) if received.sum() else 0.0


def _datagrams_in_flight(emulator: Emulator) -> dict[int, int]:
    """Datagrams, by engine flow, of which a part is on its way."""
    packets = emulator.engine.packets_in_flight()
    own = packets[packets[:, rows.ROLE] == ORIGINAL]
    pairs = np.unique(own[:, [rows.FLOW, rows.SEQ]], axis=0)
    flows, counts = np.unique(pairs[:, 0], return_counts=True)
    return dict(zip(flows.tolist(), counts.tolist(), strict=True))


def _peer_connections(emulator: Emulator) -> list[dict[str, Any]]:
    listed = []
    monitor = emulator.monitor
    for connection, totals_of in zip(monitor.connections, monitor.all_totals(), strict=True):
        conn = emulator.inventory.peer_conns.get(connection.id)
        sides = []
        for side in SIDES:
            info = connection.side(side)
            totals = totals_of[side]
            sides.append(
                {
                    "side": side,
                    "vpc": info.vpc,
                    "interface": info.interface,
                    "egress": _side_totals(totals["egress"]),
                    "ingress": _side_totals(totals["ingress"]),
                }
            )
        listed.append(
            {
                "name": connection.name or connection.id,
                "id": connection.id,
                "state": "deleted" if conn is None else str(conn.state),
                "bandwidth_mbps": connection.cap_bps // BPS_PER_MBPS,
                "sides": sides,
            }
        )
    return listed


def _side_totals(totals: SideTotals) -> dict[str, int | float]:
    return {
        "bytes": totals.bytes,
        "packets": totals.packets,
        "dropped_packets": totals.dropped_packets,
        "mean_bps": totals.mean_bps,
        "peak_bps": totals.peak_bps,
        "utilization_ratio": totals.utilization_ratio,
    }


def _drops(emulator: Emulator) -> list[dict[str, Any]]:
    """Drops by reason and VPC, most first."""
    table = emulator.engine.node_dispositions()
    inventory = emulator.inventory
    found = []
    for node, number in np.argwhere(table).tolist():
        disposition = Disposition(number)
        if not is_ok(number):
            vpc_id = emulator.compiler.vpc_ids[node]
            vpc = inventory.vpcs.get(vpc_id)
            name = vpc_id if vpc is None else vpc.name
            found.append({"vpc": name, "reason": disposition.symbol, "packets": int(table[node, number])})
    return sorted(found, key=lambda drop: (-int(str(drop["packets"])), str(drop["vpc"]), str(drop["reason"])))


def _bps(n_bytes: int, duration_ns: int) -> float:
    return n_bytes * BITS_PER_BYTE * NS_PER_S / duration_ns if duration_ns else 0.0


def _ms(ns: float) -> float:
    return ns / NS_PER_MS


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
