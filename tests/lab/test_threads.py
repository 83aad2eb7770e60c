"""Threads: a large run uses them by itself, and its result is the same to the last byte."""

from __future__ import annotations

import json

import pytest

from netsim.controlplane import edit
from netsim.controlplane.inventory import Inventory
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_S
from tests.cli_process import ROOT, run_netsim

FLOWS_BPS = 1_300_000_000
RUN_NS = NS_PER_S // 2

FILE = str(ROOT / "topologies" / "two-vpcs-one-account.netsim.yaml")


def ring_of_vpcs(n: int) -> Inventory:
    """n VPCs in a circle, each with a flow to the next over a long link: windows of many events."""
    inventory = Inventory(profile="research")
    inventory.apply(edit.CreateAccount("a"))
    for k in range(n):
        inventory.apply(
            edit.CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", account="a"),
            edit.CreateSubnet(f"v{k}", "s", f"10.{k}.0.0/24"),
            edit.CreateInstance(f"i{k}", "s", f"10.{k}.0.10", vpc=f"v{k}"),
        )
    for k in range(n):
        far = (k + 1) % n
        inventory.apply(
            edit.CreatePeerConn(f"v{k}", f"v{far}", 1000, f"c{k}", "next", "previous", latency_ms=10),
            edit.CreateRoute(f"v{k}", "0.0.0.0/0", f"10.{far}.0.0/16", "next"),
        )
    return inventory


def outcome(threads: int | None) -> tuple[str, int]:
    lab = Lab(ring_of_vpcs(6), threads=threads)
    lab.engine.is_compiled = True
    lab.start_traffic([
        FlowSpec(name=f"f{k}", from_ref=f"i{k}", to_ref=f"i{(k + 1) % 6}", rate_bps=FLOWS_BPS + k * 10**7,
                 packet_bytes=200 + 100 * k, arrivals="poisson", duration_ns=RUN_NS)
        for k in range(6)
    ])  # fmt: skip
    lab.advance(RUN_NS)
    used = lab.engine._shares.used
    lab.advance(RUN_NS + NS_PER_S)
    assert lab.totals().dropped > 0
    samples = [repr(sample) for sample in lab.monitor.samples()]
    return json.dumps([lab.result().to_dict(), samples], sort_keys=True), used


def test_one_and_two_threads_give_the_same_result() -> None:
    one, two, by_itself = outcome(1), outcome(2), outcome(None)
    assert one[0] == two[0] == by_itself[0]
    assert (one[1], two[1]) == (1, 2)


def test_the_number_is_an_option_of_a_run() -> None:
    one, two = (
        run_netsim("run", FILE, "--duration", "1", "--threads", n, "--json", stdin="", cwd=ROOT) for n in ("1", "2")
    )
    assert one.code == 0 and one.stdout == two.stdout


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1000"])
def test_a_number_that_is_none_is_refused(wrong: str) -> None:
    done = run_netsim("run", FILE, "--threads", wrong, stdin="", cwd=ROOT)
    assert done.code == 2 and "--threads" in done.stderr
