"""A VPC with a huge table: its direct form, laid into the Fib and found by lookups."""

from __future__ import annotations

import pytest

from netsim.controlplane import edit as e
from netsim.controlplane import vpc_piece
from netsim.controlplane.fib_compiler import FibCompiler
from netsim.controlplane.inventory import Inventory
from netsim.dataplane import fib as f
from netsim.dataplane.fib import table_of
from netsim.prefix import parse_addr
from tests.controlplane.test_fib_compiler import WEB, Lookups


@pytest.mark.slow  # direct tables are 64 MB each
def test_huge_tables_answer_as_they_would_without_their_direct_form(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Inventory("research")
    cloud.apply(e.CreateAccount("acme"))
    for k, other in enumerate("ab"):
        cloud.apply(e.CreateVpc(other, "bj", f"10.{k}.0.0/16", "acme", relay=True))
    for prefix in ("0.0.0.0/0", "10.9.0.0/16", "10.9.4.0/24", "10.9.4.128/25", "10.9.4.9/32", "255.255.255.255/32"):
        cloud.apply(e.CreateRoute("b", "0.0.0.0/0", prefix, "blackhole"))
    cloud.apply(e.CreateRoute("b", "10.1.0.0/16", "10.9.4.0/23", "blackhole"))
    small = FibCompiler()
    asked = Lookups(small, small.compile(cloud))
    monkeypatch.setattr(vpc_piece, "DIRECT_FROM", 8)
    huge = FibCompiler()
    fib = huge.compile(cloud)
    through_direct = Lookups(huge, fib)
    assert table_of(fib.node, f.NODE_WORDS)[:, f.N_DIRECT].tolist() == [-1, 0]
    (vpc_id,) = (vpc.id for vpc in cloud.vpcs.values() if vpc.name == "b")
    dsts = [
        "10.9.3.9",
        "10.9.4.0",
        "10.9.4.9",
        "10.9.4.10",
        "10.9.4.200",
        "10.9.5.0",
        "10.1.0.1",
        "223.1.1.1",
        "10.9.6.0",
    ]
    for dst in map(parse_addr, dsts):
        for src in (WEB, parse_addr("10.1.0.9")):
            assert through_direct.ask(vpc_id, src, dst) == asked.ask(vpc_id, src, dst), dst
    # A change of another VPC leaves the direct table where it is.
    cloud.apply(e.CreateRoute("a", "0.0.0.0/0", "10.8.0.0/16", "blackhole"))
    assert huge.compile(cloud).direct.base is fib.direct.base
