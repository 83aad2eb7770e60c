from __future__ import annotations

import dataclasses
import json

import pytest

from netsim.controlplane import edit
from netsim.controlplane.route_table import BLACKHOLE, NextHop
from netsim.errors import UsageError
from netsim.prefix import parse_prefix
from netsim.store.edit_codec import CLASSES, of_json, to_json

EDITS = [
    edit.CreateAccount("acme"),
    edit.CreateVpc("shop", "bj", parse_prefix("10.0.0.0/16"), account="acme", relay=True, description="käse ☃"),
    edit.CreateInstance("web-1", "s", "10.0.0.10", listen=["tcp/80", (17, 53)]),
    edit.UpdateInstance("web-1", listen=()),
    edit.UpdateInstance("web-1", name="web-2"),
    edit.CreateRoute("shop", "0.0.0.0/0", parse_prefix("10.1.0.0/16"), NextHop("peer", "qpif-1")),
    edit.CreateRoute("shop", "0.0.0.0/0", "10.2.0.0/16", "gateway:nat"),
    edit.UpdateRoute("rr-1", next_hop=BLACKHOLE),
    edit.CreatePeerConn("a", "b", 100, latency_ms=2.5, peer_account="other", delete_protect=True, months=3),
    edit.CreateVpc("shop", "bj", "10.0.0.0/16", tags=(("team", "web"), ("käse", ""))),
    edit.CreateSubnet("shop", "s", "10.0.0.0/24", subnet_type="BBC", tags=(("team", "web"),)),
    edit.SetDnsSync("c", enabled=True, side="peer"),
    edit.CreateDnsRecord("shop", "db.local", 167772170),
]


def plain(value: object) -> object:
    """Equal for what means the same."""
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [plain(item) for item in value]
    return tuple(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("made", EDITS, ids=lambda made: type(made).__name__)
def test_an_edit_survives_json(made: edit.Edit[object]) -> None:
    back = of_json(json.loads(json.dumps(to_json(made))))
    assert type(back) is type(made)
    for field in dataclasses.fields(made):  # type: ignore[arg-type]
        ours, theirs = getattr(back, field.name), getattr(made, field.name)
        if field.name in {"cidr", "destination"}:
            ours, theirs = str(ours), str(theirs)
        assert plain(ours) == plain(theirs), field.name


def test_every_edit_there_is_can_be_written() -> None:
    """A new class of edits must not be forgotten: it is in the table that the inventory uses."""
    public = {name for name, kind in vars(edit).items() if isinstance(kind, type) and issubclass(kind, edit.Edit)}
    assert public - {"Edit"} == set(CLASSES)


@pytest.mark.parametrize(
    "written", [{}, {"edit": "Drop"}, {"edit": 3}, {"edit": "DeleteVpc", "vpcs": "x"}, {"edit": "DeleteVpc"}]
)
def test_what_is_no_edit_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="edit"):
        of_json(written)
