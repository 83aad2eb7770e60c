"""What changed between two networks, for all packets: or the proof that nothing did.

Things are the same when their names are: VPCs by name, instances by `vpc/name`; ids differ from file to
file. Three comparisons together cover every packet an instance can send: what becomes of each piece of
the header space (`pieces`), who has which address in each VPC (`owners`), and which ports are open
(`ports`). All empty is `is_same`. The pairs say what it means to people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.controlplane.instance import Instance
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.batch import PROTO_TCP
from netsim.dataplane.disposition import Disposition
from netsim.prefix import MAX_ADDR, format_addr
from netsim.verify.atoms import N_FATES
from netsim.verify.finding import Witness
from netsim.verify.network import Network
from netsim.verify.pairs import PairTable, all_pairs
from netsim.verify.reachability import Reachability, Source, reachability

Ints = NDArray[np.int64]
ABSENT = "absent"
"""The verdict of a pair in a network that lacks one of the two."""


class PairChange(NamedTuple):
    """A pair of instances whose answer changed; verdict and reason before and after, and its packet."""

    source: str
    target: str
    before: tuple[str, str]
    after: tuple[str, str]
    witness: Witness


class PieceChange(NamedTuple):
    """Packets that end differently: sources and destinations from .. to, and both ends in words."""

    vpc: str
    src: tuple[int, int]
    dst: tuple[int, int]
    before: str
    after: str

    @property
    def witness(self) -> Witness:
        """The first of these packets."""
        return Witness(self.vpc, self.src[0], self.dst[0])


class OwnerChange(NamedTuple):
    """An address that somebody else has: an instance, `router`, `edge` (of a subnet), or nobody ("")."""

    vpc: str
    addr: int
    before: str
    after: str


class PortChange(NamedTuple):
    """An instance of both networks (`vpc/name`) and the ports (`tcp/80`) that are open in one of them only."""

    instance: str
    opened: tuple[str, ...]
    closed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """All that changed; see the module."""

    pairs: tuple[PairChange, ...]
    pieces: tuple[PieceChange, ...]
    owners: tuple[OwnerChange, ...]
    ports: tuple[PortChange, ...]
    vpcs_added: tuple[str, ...]
    vpcs_removed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether every packet that can be sent in one ends alike in the other."""
        return not (self.pieces or self.owners or self.ports or self.vpcs_added or self.vpcs_removed)

    @property
    def lost(self) -> tuple[PairChange, ...]:
        """The pairs that were reachable and are no more."""
        return tuple(change for change in self.pairs if change.before[0] == "reachable")

    @property
    def gained(self) -> tuple[PairChange, ...]:
        """The pairs that are reachable and were not."""
        return tuple(change for change in self.pairs if change.after[0] == "reachable")

    def to_dict(self) -> dict[str, Any]:
        """The diff as JSON."""
        return {
            "same": self.is_same,
            "pairs": [
                {
                    "from": change.source, "to": change.target,
                    "before": {"verdict": change.before[0], "reason": change.before[1] or None},
                    "after": {"verdict": change.after[0], "reason": change.after[1] or None},
                    "witness": _packet(change.witness),
                }
                for change in self.pairs
            ],
            "packets": [
                {
                    "vpc": piece.vpc, "src": [format_addr(addr) for addr in piece.src],
                    "dst": [format_addr(addr) for addr in piece.dst], "before": piece.before, "after": piece.after,
                }
                for piece in self.pieces
            ],
            "addresses": [
                {"vpc": o.vpc, "address": format_addr(o.addr), "before": o.before or None, "after": o.after or None}
                for o in self.owners
            ],
            "ports": [
                {"instance": change.instance, "opened": list(change.opened), "closed": list(change.closed)}
                for change in self.ports
            ],
            "vpcs_added": list(self.vpcs_added),
            "vpcs_removed": list(self.vpcs_removed),
        }  # fmt: skip


def _packet(witness: Witness) -> dict[str, str]:
    return {"vpc": witness.vpc, "src": format_addr(witness.src), "dst": format_addr(witness.dst)}


def diff(before: Network, after: Network) -> Diff:
    """What changed from one network to the other; names of VPCs must be unique in each."""
    results = reachability(before), reachability(after)
    tables = all_pairs(before, results[0]), all_pairs(after, results[1])
    names = [{vpc.name: None for vpc in network.inventory.vpcs.values()} for network in (before, after)]
    return Diff(
        pairs=tuple(_pairs(*tables)),
        pieces=tuple(_pieces(*results)),
        owners=tuple(_owner_changes(before.inventory, after.inventory)),
        ports=tuple(_port_changes(before, after)),
        vpcs_added=tuple(name for name in names[1] if name not in names[0]),
        vpcs_removed=tuple(name for name in names[0] if name not in names[1]),
    )


def full_name(inventory: Inventory, instance: Instance) -> str:
    """`vpc/name`."""
    return f"{inventory.vpcs[instance.vpc_id].name}/{instance.name}"


def _pairs(before: PairTable, after: PairTable) -> Iterator[PairChange]:
    rows = []
    for table in (before, after):
        inventory = table.network.inventory
        rows.append({full_name(inventory, inventory.instances[i]): k for k, i in enumerate(table.instance_ids)})
    names = list(dict.fromkeys([*rows[0], *rows[1]]))
    at = [np.array([row.get(name, -1) for name in names], np.int64) for row in rows]
    ends = []
    for table, where in zip((before, after), at, strict=True):
        end = np.full((len(names), len(names)), -1, np.int64)
        here = np.flatnonzero(where >= 0)
        end[np.ix_(here, here)] = table.end[np.ix_(where[here], where[here])]
        ends.append(end)
    changed = (ends[0] != ends[1]) | (ends[0] != ends[1]).T
    np.fill_diagonal(changed, val=False)
    for a, b in np.argwhere(changed).tolist():
        answers = [
            table.answer(int(where[a]), int(where[b])) if where[a] >= 0 and where[b] >= 0 else (ABSENT, "")
            for table, where in zip((before, after), at, strict=True)
        ]
        if answers[0] != answers[1]:
            table, where = (after, at[1]) if answers[1][0] != ABSENT else (before, at[0])
            inventory = table.network.inventory
            source, target = (inventory.instances[table.instance_ids[int(where[k])]] for k in (a, b))
            witness = Witness(inventory.vpcs[source.vpc_id].name, source.addr, target.addr)
            yield PairChange(names[a], names[b], answers[0], answers[1], witness)


def _pieces(before: Reachability, after: Reachability) -> Iterator[PieceChange]:
    """Over the common refinement of both: destinations by destination atoms, sources by intersection."""
    results = before, after
    vpcs = [_vpc_names(result.network) for result in results]
    own = _subnet_spans(before.network.inventory, after.network.inventory)
    number = {name: k for k, name in enumerate(dict.fromkeys([*vpcs[0], *vpcs[1]]))}
    names = list(number)
    atom_lo = np.union1d(before.atom_lo, after.atom_lo)
    atoms = [np.searchsorted(result.atom_lo, atom_lo, side="right") - 1 for result in results]
    numbers = [np.array([number[name] for name in each], np.int64) for each in vpcs]
    sources = [_sources_by_vpc(result, each) for result, each in zip(results, vpcs, strict=True)]
    for vpc in sources[0]:
        for row, source in sources[0][vpc]:
            for other_row, other in sources[1].get(vpc, ()):
                src = _clip(max(source.first, other.first), min(source.last, other.last), own.get(vpc, []))
                if src is None:
                    continue
                codes = [
                    _common(result, numbers[k], atoms[k], (row, other_row)[k], len(names))
                    for k, result in enumerate(results)
                ]
                for first, last, one, two in _runs(atom_lo, codes[0], codes[1]):
                    yield PieceChange(vpc, src, (first, last), _in_words(one, names), _in_words(two, names))


def _vpc_names(network: Network) -> list[str]:
    """The name of each VPC by number, "" for one that is gone."""
    vpcs = network.inventory.vpcs
    return [vpcs[i].name if i in vpcs else "" for i in network.vpc_ids]


def _subnet_spans(*inventories: Inventory) -> dict[str, list[tuple[int, int]]]:
    """The addresses of each VPC's subnets, in any of the inventories, ascending."""
    found: dict[str, set[tuple[int, int]]] = {}
    for inventory in inventories:
        for subnet in inventory.subnets.values():
            span = subnet.cidr.first, subnet.cidr.last
            found.setdefault(inventory.vpcs[subnet.vpc_id].name, set()).add(span)
    return {vpc: sorted(spans) for vpc, spans in found.items()}


def _clip(first: int, last: int, spans: list[tuple[int, int]]) -> tuple[int, int] | None:
    """From the first to the last address of the spans inside first .. last, None if there is none."""
    inside = [(max(first, low), min(last, high)) for low, high in spans if max(first, low) <= min(last, high)]
    return (inside[0][0], inside[-1][1]) if inside else None


def _sources_by_vpc(result: Reachability, vpcs: list[str]) -> dict[str, list[tuple[int, Source]]]:
    found: dict[str, list[tuple[int, Source]]] = {}
    for row, source in enumerate(result.sources):
        found.setdefault(vpcs[source.node], []).append((row, source))
    return found


def _common(result: Reachability, numbers: Ints, atoms: Ints, row: int, n: int) -> Ints:
    """The ends of a source in numbers that both networks share: dispositions, then VPCs, then VPCs at TTL 1."""
    n_nodes = result.network.fib.n_nodes
    code = result.code[atoms, row].astype(np.int64) - n_nodes
    at = code - N_FATES
    local = numbers[at % n_nodes] + N_FATES + n * (at // n_nodes)
    common: Ints = np.where(code < N_FATES, code, local)
    return common


def _runs(atom_lo: Ints, one: Ints, two: Ints) -> Iterator[tuple[int, int, int, int]]:
    """(first, last, one, two) of each run of atoms where the two differ in the same way."""
    step = np.concatenate([[True], (one[1:] != one[:-1]) | (two[1:] != two[:-1])])
    starts = np.flatnonzero(step)
    for k, at in enumerate(starts.tolist()):
        if one[at] != two[at]:
            last = int(atom_lo[starts[k + 1]]) - 1 if k + 1 < len(starts) else MAX_ADDR
            yield int(atom_lo[at]), last, int(one[at]), int(two[at])


def _in_words(common: int, names: list[str]) -> str:
    if common < N_FATES:
        return Disposition(common).symbol
    late = " with its last TTL" if common >= N_FATES + len(names) else ""
    return f"delivered in {names[(common - N_FATES) % len(names)]}{late}"


def _owner_changes(before: Inventory, after: Inventory) -> Iterator[OwnerChange]:
    owners = [_owners(inventory) for inventory in (before, after)]
    vpcs = [{vpc.name for vpc in inventory.vpcs.values()} for inventory in (before, after)]
    for vpc, addr in sorted({*owners[0], *owners[1]}):
        was, now = (each.get((vpc, addr), "") for each in owners)
        if was != now and vpc in vpcs[0] & vpcs[1]:
            yield OwnerChange(vpc, addr, was, now)


def _owners(inventory: Inventory) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for subnet in inventory.subnets.values():
        vpc = inventory.vpcs[subnet.vpc_id].name
        found |= {(vpc, subnet.cidr.first): "edge", (vpc, subnet.cidr.last): "edge"}
        found |= {(vpc, subnet.router_addr): "router", (vpc, subnet.resolver_addr): "router"}
    for instance in inventory.instances.values():
        found[inventory.vpcs[instance.vpc_id].name, instance.addr] = instance.name
    return found


def _port_changes(before: Network, after: Network) -> Iterator[PortChange]:
    """Instances in both whose open ports differ; those that flows open count, too."""
    was, now = (_open_ports(network) for network in (before, after))
    for name, ports in was.items():
        if name in now and now[name] != ports:
            opened, closed = (sorted(some) for some in (now[name] - ports, ports - now[name]))
            yield PortChange(name, tuple(map(_port_text, opened)), tuple(map(_port_text, closed)))


def _open_ports(network: Network) -> dict[str, set[tuple[int, int]]]:
    inventory = network.inventory
    return {full_name(inventory, i): network.open_ports(i.id) for i in inventory.instances.values()}


def _port_text(port: tuple[int, int]) -> str:
    return f"{'tcp' if port[0] == PROTO_TCP else 'udp'}/{port[1]}"
