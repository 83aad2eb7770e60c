"""Many clients at the same moment, over real sockets: quotas hold exactly, a token makes one thing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from netsim.api.client import Client
from netsim.errors import RefusedError
from netsim.store.check import check_database
from tests.sdk.cloud import Cloud

CLIENTS, SLOTS = 32, 10
ROUNDS = 50


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    served = Cloud(tmp_path / "cloud.db")
    yield served
    served.close()


def at_once(jobs: list[Callable[[], str]]) -> list[str]:
    """What each job comes to; they begin together."""
    gate = threading.Barrier(len(jobs))
    found: list[str] = []

    def run(job: Callable[[], str]) -> None:
        gate.wait()
        try:
            found.append(job())
        except RefusedError as refused:
            found.append(str(refused).rpartition("(")[2].rstrip(")"))

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def client_of(cloud: Cloud, account: str) -> Client:
    return Client(f"http://127.0.0.1:{cloud.port}", f"ak-{account}", f"sk-{account}")


@pytest.mark.slow
def test_thirty_two_clients_race_for_ten_slots(cloud: Cloud) -> None:
    client = client_of(cloud, "acme")

    def make(number: int) -> Callable[[], str]:
        body = {"name": f"v{number}", "cidr": "10.0.0.0/16"}
        return lambda: str(client.call("POST", "/v1/vpc", body=body)["vpcId"])

    def delete(vpc_id: str) -> str:
        return str(client.call("DELETE", f"/v1/vpc/{vpc_id}"))

    for _ in range(ROUNDS):
        said = at_once([make(number) for number in range(CLIENTS)])
        won = [text for text in said if text.startswith("vpc-")]
        assert Counter(said)["LimitExceeded"] == CLIENTS - SLOTS and len(set(won)) == SLOTS
        assert {vpc["vpcId"] for vpc in client.call("GET", "/v1/vpc")["vpcs"]} == set(won)
        gone = at_once([partial(delete, each) for each in won for _ in "ab"])
        assert Counter(gone) == {"{}": SLOTS, "NoSuchObject": SLOTS}  # each was deleted by two, and once
    assert client.call("GET", "/v1/vpc")["vpcs"] == []


def test_thirty_two_clients_race_for_one_pair(cloud: Cloud) -> None:
    client = client_of(cloud, "acme")
    here, there = (client.call("POST", "/v1/vpc", body={"name": name, "cidr": "10.0.0.0/16"})["vpcId"] for name in "ab")

    def connect(local: str, peer: str) -> str:
        body = {"bandwidthInMbps": 1, "localVpcId": local, "peerVpcId": peer, "peerRegion": "bj",
                "billing": {"paymentTiming": "Postpaid"}}  # fmt: skip
        return str(client.call("POST", "/v1/peerconn", body=body)["peerConnId"])

    jobs: list[Callable[[], str]] = [lambda: connect(here, there), lambda: connect(there, here)]
    said = at_once(jobs * (CLIENTS // 2))
    assert Counter(said)["OperationDenied"] == CLIENTS - 1


def test_sixteen_requests_with_one_token_make_one_vpc(cloud: Cloud) -> None:
    client, third = client_of(cloud, "acme"), client_of(cloud, "third")
    for number in range(8):
        body = {"name": f"v{number}", "cidr": "10.0.0.0/16"}

        def make(body: dict[str, str] = body, token: str = f"t{number}") -> str:
            return str(client.call("POST", "/v1/vpc", {"clientToken": token}, body)["vpcId"])

        def make_other(token: str = f"t{number}") -> str:
            other = {"name": "another", "cidr": "10.0.0.0/16"}
            return str(client.call("POST", "/v1/vpc", {"clientToken": token}, other)["vpcId"])

        assert len(set(at_once([make] * 16))) == 1
        assert set(at_once([make_other] * 4)) == {"IdempotentParameterMismatch"}
    assert len(client.call("GET", "/v1/vpc")["vpcs"]) == 8
    assert third.call("GET", "/v1/vpc")["vpcs"] == []


def test_after_a_race_the_database_is_whole(tmp_path: Path) -> None:
    served = Cloud(tmp_path / "cloud.db")
    client = client_of(served, "acme")

    def make(number: int) -> str:
        body = {"name": f"v{number}", "cidr": "10.0.0.0/16"}
        return str(client.call("POST", "/v1/vpc", {"clientToken": f"t{number}"}, body)["vpcId"])

    assert len(set(at_once([partial(make, number % 8) for number in range(CLIENTS)]))) == 8
    served.close()
    assert check_database(tmp_path / "cloud.db") == []
