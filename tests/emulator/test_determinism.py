"""Same topology, same seed: same bytes, wherever a run is cut and however fast the kernels are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP

import netsim
from netsim import jit
from netsim.lab import Lab
from netsim.units import NS_PER_S
from tests.cli_process import ROOT
from tests.clouds import DB_1, two_vpc_lab

TOPOLOGIES = sorted(path.name.removesuffix(".netsim.yaml") for path in (ROOT / "topologies").glob("*.netsim.yaml"))
QUICK = ["cross-account-cross-region", "overlapping-cidrs", "relay-chain"]
"""Between them: every kind of flow and arrival, a replay, drops, ICMP errors, source segments."""


def load(name: str, seed: int | None = None) -> Lab:
    return netsim.load(str(ROOT / "topologies" / f"{name}.netsim.yaml"), seed)


def run_json(name: str, seconds: float, seed: int | None = None) -> str:
    return json.dumps(load(name, seed).run(seconds).to_dict())


def run_cut(name: str, seconds: float, seed: int, *, is_compiled: bool = False) -> str:
    """The same run in random pieces, down to 1 ns."""
    lab = load(name)
    lab.engine.is_compiled = is_compiled
    rng = np.random.Generator(np.random.PCG64(seed))
    until_ns = round(seconds * NS_PER_S)
    lab.start_traffic(lab.topology.traffic)
    for at_ns in sorted({*rng.integers(0, until_ns, 40).tolist(), 1, until_ns - 1, until_ns}):
        lab.advance(int(at_ns))
        if rng.integers(3) == 0:
            lab.result()  # looking changes nothing
    return json.dumps(lab.result().to_dict())


@pytest.mark.parametrize("name", QUICK)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    assert run_json(name, 1.5) == run_json(name, 1.5)


def test_another_seed_gives_other_arrivals() -> None:
    assert run_json("cross-account-cross-region", 1, seed=1) != run_json("cross-account-cross-region", 1, seed=2)


@pytest.mark.parametrize("name", QUICK)
def test_where_a_run_is_cut_changes_nothing_not_even_a_sample(name: str) -> None:
    whole = run_json(name, 2.25)
    assert run_cut(name, 2.25, seed=1) == whole
    assert json.loads(whole)["samples"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TOPOLOGIES if name not in QUICK])
def test_no_topology_cares_where_it_is_cut(name: str) -> None:
    assert run_cut(name, 2.25, seed=2) == run_json(name, 2.25)


@pytest.mark.slow
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_compiled_kernels_give_the_same_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes a minute, the first time of these sources."""
    monkeypatch.setattr(jit, "has_cache", lambda: False)  # else the plain run would not be one
    plain = load(name)
    assert run_cut(name, 1.25, seed=3, is_compiled=True) == json.dumps(plain.run(1.25).to_dict())
    assert not plain.engine.is_compiled


def test_what_is_recorded_does_not_depend_on_cuts_either() -> None:
    """Watched packets and taps: the same records, in the same order."""
    recorded = []
    for step_ns in (NS_PER_S, 777_777, 50_000):
        lab = two_vpc_lab(mtu_bytes=700)
        lab.engine.tap_instance(lab.compiler.inst_of[lab.instance("db-1").id])
        raw = bytes(IP(src="192.168.0.10", dst=DB_1) / ICMP(id=9) / (b"m" * 2000))
        lab.inject([raw] * 5, lab.instance("web-1").id, [0, 0, 1000, 400_000, 2_000_000])
        while lab.now_ns < 5_000_000:
            lab.advance(min(5_000_000, lab.now_ns + step_ns))
        journal = lab.take_journal()
        recorded.append((journal[np.argsort(journal[:, 0], kind="stable")].tolist(), lab.tapped().tolist()))
    assert recorded[0] == recorded[1] == recorded[2]
    assert len(recorded[0][0]) > 100


def test_a_probe_between_two_halves_of_a_run_leaves_the_flows_alone() -> None:
    """A ping takes bandwidth of its own and nothing else: draws and send times stay."""
    figures = []
    for with_ping in (False, True):
        lab = load("two-vpcs-one-account")
        lab.start_traffic(lab.topology.traffic)
        lab.advance(100_000_000)
        if with_ping:
            lab.ping("web-1", "db-1")
        lab.advance(NS_PER_S)
        figures.append([flow["packets_sent"] for flow in lab.result().to_dict()["flows"]])
    assert figures[0] == figures[1]
