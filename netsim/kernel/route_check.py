"""Random route tables, looked up by the kernel and in our Fib: the two must give the same answer every time.

What is loaded is what `deploy` would load (`router.py`, `batch.py`), for many VPCs into one namespace: each one's
policy rules ask for its mark as well, and its tables have numbers of their own. The namespace has no name and goes away
with the thread that made it, however that ends.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from netsim.dataplane import hop
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.row import DST, N_FIELDS, SIZE, SRC, TTL
from netsim.errors import CapabilityError
from netsim.kernel import batch, namespace, sysctls
from netsim.kernel.deploy import write_sysctls
from netsim.kernel.filters import NO_HOST, NO_NET
from netsim.kernel.naming import PEER_MAC, mac
from netsim.kernel.plan import Device, Namespace, PolicyRule
from netsim.kernel.random_tables import RandomTables
from netsim.kernel.route_lookup import DISCARD, LOCAL, Lookup, RouteLookup
from netsim.kernel.router import RouterPlan
from netsim.prefix import format_addr
from netsim.verify.network import Network

TABLES_AT_ONCE = 50
"""In one namespace: more, and the kernel has too many policy rules to go through for each lookup."""

_TABLES_EACH = 256
"""Numbers kept for each VPC: its segments, and the two that every VPC has."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A lookup with two answers; `seed` makes the tables again, `vpc` is the number of the one it is in."""

    seed: int
    vpc: int
    src: int
    dst: int
    fib: str
    kernel: str

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, table {self.vpc}: from {format_addr(self.src)} to {format_addr(self.dst)}: "
            f"Fib {self.fib}, kernel {self.kernel}"
        )


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """How many were compared, and what differs."""

    tables: int
    routes: int
    lookups: int
    answers: dict[str, int]
    differences: tuple[Difference, ...]


def check_route_tables(
    tables: int, lookups: int, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> RouteCheck:
    """Compare `lookups` lookups in each of `tables` random tables; needs what `deploy` needs.

    Raises:
        CapabilityError: the machine can't.
    """
    routes = asked = 0
    answers: dict[str, int] = {}
    differences: list[Difference] = []
    for done in range(0, tables, TABLES_AT_ONCE):
        if progress is not None:
            progress(done, tables)
        part = _Part(min(TABLES_AT_ONCE, tables - done), lookups, seed + done)
        routes += part.routes
        for difference, answer in part.compared():
            asked += 1
            answers[answer] = answers.get(answer, 0) + 1
            if difference is not None:
                differences.append(difference)
    return RouteCheck(tables, routes, asked, answers, tuple(differences))


class _Part:
    """The tables of one namespace."""

    def __init__(self, n: int, lookups: int, seed: int) -> None:
        self._seed = seed
        self._random = RandomTables(n, seed)
        self._spaces = [_router(self._random, vpc_id, k) for k, vpc_id in enumerate(self._random.vpc_ids)]
        self._questions = [self._random.questions(vpc_id, lookups) for vpc_id in self._random.vpc_ids]
        self.routes = sum(len(space.routes) for space in self._spaces)

    def compared(self) -> Iterator[tuple[Difference | None, str]]:
        """Each lookup's difference, if any, and the kernel's answer."""
        kernel = iter(_in_a_namespace(self._ask_kernel))
        network = Network.of(self._random.inventory)
        for k, (vpc_id, questions) in enumerate(zip(self._random.vpc_ids, self._questions, strict=True)):
            ours = _Ours(network, vpc_id)
            for src, dst in questions:
                theirs, mine = next(kernel), ours.answer(src, dst)
                differs = theirs != mine
                yield Difference(self._seed, k, src, dst, mine, theirs) if differs else None, theirs

    def _ask_kernel(self) -> list[str]:
        write_sysctls(sysctls.ROUTER)
        lines = [line for k, space in enumerate(self._spaces) for line in _lines(space, k)]
        done = subprocess.run(
            ["ip", "-batch", "-"],  # noqa: S607 - found on PATH, wherever the distribution put it
            input="\n".join([*lines, ""]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CapabilityError(f"ip: {' '.join(done.stderr.split())}")
        lookup = RouteLookup("sub0")
        try:
            return lookup.ask(
                [Lookup(src, dst, k + 1) for k, questions in enumerate(self._questions) for src, dst in questions]
            )
        finally:
            lookup.close()


def _router(random: RandomTables, vpc_id: str, number: int) -> Namespace:
    """The router as `deploy` would make it; connections and instances end in the namespace itself."""
    inventory = random.inventory
    peers: dict[str, Device] = {}
    for conn in inventory.peer_conns_of(vpc_id):
        if conn.is_active:
            name = f"peer{len(peers)}"
            device = Device(name, mac(PEER_MAC, 2 * len(peers)), 1500, has_arp=False, twin=f"far{len(peers)}")
            peers[conn.side_in(vpc_id).interface_id] = device
    ports: dict[str, list[tuple[Device, str, int]]] = {}
    for k, instance in enumerate(inventory.instances_of(vpc_id)):
        port = Device(f"inst{k}", mac(PEER_MAC, 100 + k), 1500, twin=f"host{k}", master=f"sub{k}")
        ports[instance.subnet_id] = [(port, mac(PEER_MAC, 200 + k), instance.addr)]
    return RouterPlan(
        f"table {number}",
        inventory,
        inventory.vpcs[vpc_id],
        number=0,
        peers=peers,
        caps=(),
        ports=ports,
        mtu_bytes=1500,
        counts_transits=False,
    ).namespace()


def _lines(space: Namespace, number: int) -> Iterator[str]:
    """Input of `ip -batch`: the first VPC brings devices and addresses, each its rules and routes."""
    low = min(route.table for route in space.routes)
    own = {table: k for k, table in enumerate(sorted({route.table for route in space.routes}))}
    assert len(own) <= _TABLES_EACH and low > 0
    first = (number + 1) * _TABLES_EACH

    def table(known: int) -> int:
        return first + own.setdefault(known, len(own))

    devices = space.devices
    if number == 0:
        # Gateways differ from VPC to VPC; all devices that any of them may have are made at once.
        yield from batch.ip_lines(replace(space, routes=(), rules=(), devices=_all_devices(devices)))
        yield "rule delete priority 32766"
        yield "rule delete priority 32767"
    for rule in space.rules:
        yield _marked(replace(rule, table=table(rule.table)), number + 1)
    yield from batch.route_lines(replace(route, table=table(route.table)) for route in space.routes)


def _marked(rule: PolicyRule, mark: int) -> str:
    return f"rule add priority {rule.priority} from {rule.source} fwmark {mark} lookup {rule.table}"


def _all_devices(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    others = [device for device in devices if not device.name.startswith("gate")]
    gates = [Device(f"gate{k}", mac(PEER_MAC, 300 + k), 1500, has_arp=False, twin=f"out{k}") for k in range(2)]
    return (*others, *gates)


class _Ours:
    """What the Fib says at one router, in the words of the kernel's answer."""

    def __init__(self, network: Network, vpc_id: str) -> None:
        inventory = network.inventory
        self._fib = network.view
        self._node = network.node_of[vpc_id]
        self._row: list[Any] = [0] * N_FIELDS
        self._row[TTL], self._row[SIZE] = 64, 60
        self._out = [0] * hop.OUT_WORDS
        active = [conn for conn in inventory.peer_conns_of(vpc_id) if conn.is_active]
        self._links = {
            network.link_of[name]: f"peer{k}"
            for k, conn in enumerate(active)
            for name in network.link_of
            if name.peer_conn_id == conn.id
        }
        rules = inventory.rules_of(vpc_id)
        gates = list(dict.fromkeys(rule.next_hop.target for rule in rules if rule.next_hop.kind == "gateway"))
        self._gates = {network.gateways.index(name): f"gate{k}" for k, name in enumerate(gates)}
        subnets = [subnet.id for subnet in inventory.subnets_of(vpc_id)]
        self._hosts = {
            network.inst_of[instance.id]: f"sub{subnets.index(instance.subnet_id)}"
            for instance in inventory.instances_of(vpc_id)
        }

    def answer(self, src: int, dst: int) -> str:
        """The device, `local` or `blackhole`."""
        self._row[SRC], self._row[DST] = src, dst
        fate = hop.decide(self._fib, self._row, self._node, hop.FROM_INSTANCE, self._out)
        if fate == Disposition.NO_ROUTE:
            return NO_NET
        if fate == Disposition.HOST_UNREACHABLE:
            return NO_HOST
        if fate != hop.OK:
            return DISCARD
        action, target = self._out[hop.O_ACTION], self._out[hop.O_TARGET]
        if action == hop.TO_ROUTER:
            return LOCAL
        names = {hop.TO_INSTANCE: self._hosts, hop.TO_LINK: self._links, hop.TO_GATEWAY: self._gates}[action]
        return names[target]


def _in_a_namespace(work: Callable[[], list[str]]) -> list[str]:
    """Do it in a thread with a new network namespace, which ends with the thread."""
    results: list[list[str]] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            namespace.unshare(namespace.CLONE_NEWNET)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failures.append(error)

    thread = threading.Thread(target=run, name="route tables")
    thread.start()
    thread.join()
    for failure in failures:
        if isinstance(failure, OSError):
            raise CapabilityError(f"route tables: {failure.strerror} (netsim doctor)") from failure
        raise failure
    return results[0]
