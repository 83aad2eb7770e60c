"""What `import netsim` offers, and how objects show themselves at a prompt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import netsim
from netsim.cli.main import main
from netsim.controlplane import edit as controlplane_edit
from netsim.controlplane.edit import Edit
from netsim.errors import InvalidError, NotFoundError
from tests.clouds import two_vpc_lab

SHOP = Path(__file__).parent / "cli" / "shop.netsim.yaml"


def test_edits_can_be_imported_both_ways() -> None:
    from netsim import edit
    from netsim.edit import CreateRoute

    assert netsim.edit is edit
    assert edit.CreateRoute is CreateRoute is controlplane_edit.CreateRoute
    there = {
        name
        for name, thing in vars(controlplane_edit).items()
        if isinstance(thing, type) and issubclass(thing, Edit) and dataclasses.is_dataclass(thing)
    }
    assert there <= set(edit.__all__)


def test_a_lab_and_a_ping_say_what_they_are() -> None:
    lab = two_vpc_lab()
    assert repr(lab) == "<Lab in code: 2 VPCs, 4 instances, 2 rules, 1 peer connections, at 0 s>"
    assert repr(lab.ping("web-1", "db-1", 2)).startswith(
        "<PingResult 192.168.0.10 -> 10.1.0.20: 2 of 2 received, rtt 1.2"
    )
    assert repr(lab.ping("web-1", "10.9.0.1")) == "<PingResult 192.168.0.10 -> 10.9.0.1: 0 of 1 received>"


@pytest.mark.parametrize("words", [["ping", "web-1"], ["reach", "web-1"], ["route", "get", "web-1"]])
def test_a_wrong_address_is_called_one(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "300.1.1.1", "-t", str(SHOP)]) == 4
    assert capsys.readouterr().err == 'netsim: "300.1.1.1" is not an IPv4 address, expected like 10.1.0.20\n'


def test_a_wrong_name_is_still_a_name() -> None:
    lab = two_vpc_lab()
    with pytest.raises(NotFoundError, match="did you mean"):
        lab.ping("web-1", "db-2")
    with pytest.raises(InvalidError, match="not an IPv4 address"):
        lab.reach("web-1", "10.1.0.256")


def test_fair_shares_from_python() -> None:
    shares = netsim.load(str(SHOP)).fair_shares()
    assert [share and (share.name, share.rate_bps, share.bottleneck) for share in shares] == [
        ("backup", 10_000_000 - 672, "shop-data, shop to data"), ("answers", 1_000_000, ""), ("beat", 672, ""),
    ]  # fmt: skip
