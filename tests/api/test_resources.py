"""netsim's own listing and changing of resources: what edits may say, and what a tenant may not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from netsim.resource_rows import NOUNS
from netsim.store.edit_codec import CLASSES
from tests.api.wire import Wire
from tests.controlplane.snapshot import snapshot

PATH = "/netsim/v1/resource"


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    made = Wire(tmp_path_factory.mktemp("resources") / "cloud.db", ("acme", "data-team"))
    yield made
    made.close()


def change(wire: Wire, account: str, *edits: dict[str, Any], **more: Any) -> dict[str, Any]:
    return wire.must(account, "POST", PATH, body={"edits": list(edits), **more})


def rows(wire: Wire, account: str, noun: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire.must(account, "GET", f"{PATH}/{noun}", query)["rows"]
    return found


def test_edits_of_one_request_commit_together_or_not_at_all(tmp_path: Path) -> None:
    wire = Wire(tmp_path / "cloud.db", ("acme",))
    made = {"edit": "CreateVpc", "name": "shop", "cidr": "10.1.0.0/16", "region": ""}
    subnet = {"edit": "CreateSubnet", "vpc": "shop", "name": "web", "cidr": "10.2.0.0/24"}
    refused = wire.ask("acme", "POST", PATH, body={"edits": [made, subnet]}, region="gz")
    assert (refused.status, refused.code) == (400, "BadRequest"), refused
    assert rows(wire, "acme", "vpcs") == []
    subnet["cidr"] = "10.1.0.0/24"
    before = wire.service.read(lambda emulator: snapshot(emulator.inventory))
    assert [r["noun"] for r in change(wire, "acme", made, subnet, dryRun=True)["results"]] == ["vpcs", "subnets"]
    assert wire.service.read(lambda emulator: snapshot(emulator.inventory)) == before
    answer = wire.must("acme", "POST", PATH, body={"edits": [made, subnet]}, region="gz")
    (vpc,) = rows(wire, "acme", "vpcs")
    assert (vpc["name"], vpc["region"], vpc["account"]) == ("shop", "gz", "acme")
    assert answer["results"][0] == {"noun": "vpcs", "id": vpc["id"]}
    assert [row["name"] for row in rows(wire, "acme", "subnets", vpc="shop")] == ["web"]
    wire.close()


def test_a_client_token_makes_a_change_once(wire: Wire) -> None:
    body = {"edits": [{"edit": "CreateVpc", "name": "once", "cidr": "10.3.0.0/16", "region": "su"}]}
    first, second = (wire.must("acme", "POST", PATH, {"clientToken": "t-1"}, body) for _ in range(2))
    assert first == second
    assert len(rows(wire, "acme", "vpcs", region="su")) == 1


def test_a_tenant_sees_and_does_its_own_alone(wire: Wire) -> None:
    change(wire, "acme", {"edit": "CreateVpc", "name": "mine", "cidr": "10.5.0.0/16", "region": "bj"})
    made = change(wire, "data-team", {"edit": "CreateVpc", "name": "theirs", "cidr": "10.6.0.0/16", "region": "bj"})
    theirs = made["results"][0]["id"]
    assert "theirs" not in str(rows(wire, "acme", "vpcs"))
    ask = {"edit": "CreatePeerConn", "name": "m-t", "local_vpc": "mine", "peer_vpc": theirs, "bandwidth_mbps": 5}
    for bad, status in (
        ({"edit": "DeleteVpc", "vpc": "theirs"}, 404),
        ({"edit": "DeleteVpc", "vpc": theirs}, 404),
        ({"edit": "CreateAccount", "id": "new"}, 409),
        ({"edit": "CreateVpc", "name": "x", "cidr": "10.7.0.0/16", "region": "bj", "account": "data-team"}, 404),
        ({**ask, "peer_vpc": "theirs", "peer_account": "data-team"}, 404),
        ({**ask, "peer_account": "data-team", "state": "active"}, 400),
        (ask, 404),
    ):
        answer = wire.ask("acme", "POST", PATH, body={"edits": [bad]})
        assert answer.status == status, (bad, answer)
    assert "theirs" not in str(change(wire, "acme", {**ask, "peer_account": "data-team"}, dryRun=True))
    change(wire, "acme", {**ask, "peer_account": "data-team"})
    (mine,), (seen,) = rows(wire, "acme", "peers"), rows(wire, "data-team", "peers")
    assert (mine["role"], seen["role"], seen["state"]) == ("initiator", "acceptor", "consulting")
    assert mine["peer"].startswith("vpc-") and mine["local"].startswith("mine:")
    assert seen["local"].startswith("vpc-") and seen["peer"].startswith("theirs:")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=200)
def test_no_edit_however_odd_is_the_servers_failure(wire: Wire, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CLASSES)))
    fields = [field.name for field in dataclasses.fields(CLASSES[name])]  # type: ignore[arg-type]
    given = {field: data.draw(VALUES | st.just("mine") | st.just("10.5.1.0/24")) for field in fields}
    answer = wire.ask("acme", "POST", PATH, body={"edits": [{"edit": name, **given}], "dryRun": True})
    assert answer.status < 500, (given, answer)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"edits": {}}, {"edits": []}, {"edits": [1]}, {"edits": [{}]}, {"edits": [{"edit": "Nothing"}]},
        {"edits": [{"edit": "DeleteVpc"}]}, {"edits": [{"edit": "DeleteVpc", "vpc": "x", "and": 1}]},
        {"edits": [{"edit": "CreateRoute", "vpc": "mine", "source": "0.0.0.0/0", "destination": "10.9.0.0/16",
                    "next_hop": {"kind": "peer"}}]},
        {"edits": [{"edit": "DeleteVpc", "vpc": "x"}] * 101}, {"edits": [{"edit": ["DeleteVpc"]}]},
    ],
)  # fmt: skip
def test_what_is_no_change_is_a_bad_request(wire: Wire, body: dict[str, Any]) -> None:
    answer = wire.ask("acme", "POST", PATH, body=body)
    assert (answer.status, answer.code) in {(400, "BadRequest"), (400, "InappropriateJSON")}, answer


def test_every_noun_is_listed_and_no_other(wire: Wire) -> None:
    for noun in NOUNS:
        answer = wire.must("acme", "GET", f"{PATH}/{noun}")
        assert all(set(answer["columns"]) <= set(row) for row in answer["rows"]), noun
    assert wire.ask("acme", "GET", f"{PATH}/secrets").status == 400


def test_a_disabled_key_lets_nobody_in(tmp_path: Path) -> None:
    """Nor does what is kept in its place: the secret behind a mark."""
    wire = Wire(tmp_path / "cloud.db", ("acme",))

    def operate(method: str, path: str) -> int:
        headers = [("host", "localhost"), ("authorization", "Bearer operator-token")]
        return wire.send(method, f"/netsim/v1/operator/{path}", "", headers).status

    assert wire.ask("acme", "GET", "/v1/vpc").status == 200
    assert operate("PUT", "key/ak-acme/disable") == 200
    assert wire.ask("acme", "GET", "/v1/vpc").code == "InvalidAccessKeyId"
    kept = wire.service.keys["ak-acme"]
    assert kept[0] != "sk-acme"
    assert operate("PUT", "key/ak-acme/disable") == 200  # twice is once
    assert wire.service.keys["ak-acme"] == kept
    assert operate("PUT", "key/ak-acme/enable") == 200
    assert wire.ask("acme", "GET", "/v1/vpc").status == 200
    assert operate("PUT", "account/acme/disable") == 200
    assert wire.ask("acme", "GET", "/v1/vpc").code == "InvalidAccessKeyId"
    assert operate("PUT", "key/none/disable") == 404
    assert operate("PUT", "account/none/disable") == 404
    wire.close()
