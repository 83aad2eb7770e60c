"""Random clouds: resolvers agree with a twin that reads the rules off the resources, name by name."""

from __future__ import annotations

import random  # noqa: TID251 - seeded below

import pytest

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateAccount,
    CreateDnsRecord,
    CreateInstance,
    CreatePeerConn,
    CreateSubnet,
    CreateVpc,
    DeleteDnsRecord,
    DeleteInstance,
    DeletePeerConn,
    RejectPeerConn,
    SetDnsSync,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import RefusedError
from netsim.hosts.resolver import Resolver
from netsim.prefix import format_addr
from tests.hosts.dns_client import query, rcode, read, values

LABELS = ("a", "b", "web-1", "local", "internal", "v0", "v1")
N_VPCS = 4


def some_name(numbers: random.Random) -> str:
    return ".".join(numbers.choice(LABELS) for _ in range(numbers.randrange(1, 4)))


def random_edit(numbers: random.Random, cloud: Inventory) -> None:
    """One edit; what is refused was worth a try."""
    vpc, other = (f"v{numbers.randrange(N_VPCS)}" for _ in range(2))
    conns = list(cloud.peer_conns)
    conn = numbers.choice(conns) if conns else "none"
    edit = numbers.choice(
        [
            CreateDnsRecord(vpc, some_name(numbers), f"10.{numbers.randrange(3)}.0.{numbers.randrange(3, 9)}"),
            DeleteDnsRecord(vpc, some_name(numbers)),
            CreateInstance(numbers.choice(["a", "A", "web-1", "no name", "a.b"]), f"{vpc}/s"),
            DeleteInstance(f"{vpc}/a"),
            CreatePeerConn(vpc, other, 1),
            AcceptPeerConn(conn),
            RejectPeerConn(conn),
            DeletePeerConn(conn),
            SetDnsSync(conn, numbers.random() < 0.7, "local"),
            SetDnsSync(conn, numbers.random() < 0.7, "peer"),
        ]
    )
    try:
        cloud.apply(edit)
    except RefusedError:
        return


def names_in(cloud: Inventory, vpc_id: str, *, is_own: bool) -> list[tuple[str, str]]:
    """(name, address) of everything a VPC tells its own, or others."""
    vpc = cloud.vpcs[vpc_id]
    told = [(record.name, format_addr(record.addr)) for record in cloud.dns_records_of(vpc_id)]
    records = {name for name, _ in told}
    for instance in cloud.instances_of(vpc_id):
        plain = instance.name.lower()
        names = [f"{plain}.{vpc.name}.internal", *([plain] if is_own and "." not in plain else [])]
        told += [(name, format_addr(instance.addr)) for name in names if " " not in name and name not in records]
    return told


def names_back(cloud: Inventory, vpc_id: str, addr: str) -> list[str]:
    vpc = cloud.vpcs[vpc_id]
    instances = [i for i in cloud.instances_of(vpc_id) if format_addr(i.addr) == addr and " " not in i.name]
    if instances:
        return [f"{instances[0].name.lower()}.{vpc.name}.internal."]
    return sorted(f"{record.name}." for record in cloud.dns_records_of(vpc_id) if format_addr(record.addr) == addr)


def visible(cloud: Inventory, vpc_id: str) -> list[str]:
    """The VPCs whose names a VPC resolves: its own, then those of its connections as they were made."""
    found = [vpc_id]
    for conn in cloud.peer_conns.values():
        ends = conn.local, conn.peer
        if conn.state == "active" and all(side.dns_sync for side in ends) and vpc_id in {s.vpc_id for s in ends}:
            found.append(next(side.vpc_id for side in ends if side.vpc_id != vpc_id))
    return found


def expected(cloud: Inventory, vpc_id: str, name: str) -> list[str] | str:
    told = [names_in(cloud, other, is_own=other == vpc_id) for other in visible(cloud, vpc_id)]
    for names in told:
        if any(known == name for known, _ in names):
            full = [addr for known, addr in names if known == name]
            return sorted(full)
    is_end = any(known.endswith(f".{name}") for names in told for known, _ in names)
    return "NOERROR" if is_end else "NXDOMAIN"


@pytest.mark.parametrize("seed", range(12))
def test_resolvers_agree_with_the_twin_after_every_few_edits(seed: int) -> None:
    numbers = random.Random(seed)
    cloud = Inventory(seed=seed)
    cloud.apply(CreateAccount("x"), CreateAccount("y"))
    for k in range(N_VPCS):
        cloud.apply(
            CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "xyx"[k % 3]), CreateSubnet(f"v{k}", "s", f"10.{k}.0.0/24")
        )
    resolver = Resolver(cloud)
    answered = 0
    for _ in range(60):
        for _ in range(4):
            random_edit(numbers, cloud)
        for vpc in cloud.vpcs.values():
            asker = vpc.cidr.network + 10
            name = some_name(numbers)
            asked = query(name)
            answer = read(resolver.reply(vpc.id, asker, asked.to_wire()) or b"", asked)
            found = values(answer, "A") or rcode(answer)
            assert found == expected(cloud, vpc.id, name), (seed, vpc.name, name)
            answered += isinstance(found, list)
            addr = f"10.{numbers.randrange(3)}.0.{numbers.randrange(3, 9)}"
            asked = query(".".join([*reversed(addr.split(".")), "in-addr.arpa"]), "PTR")
            back = read(resolver.reply(vpc.id, asker, asked.to_wire()) or b"", asked)
            wanted = next((names for other in visible(cloud, vpc.id) if (names := names_back(cloud, other, addr))), [])
            assert values(back, "PTR") == wanted, (seed, vpc.name, addr)
    assert answered > 10
